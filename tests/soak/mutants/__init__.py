"""Sound manifests that are mutated, dropped into a running service, and judged.

``manifest`` is a file before it is bytes, ``sound`` makes sound ones, ``mutations`` spoils them,
``judge`` says which of the updates that were sent are not the file's own. Nothing of the product is
imported: what a status means comes from the couriers' documents (``tests.fakes.courier_days``).
"""
