"""The web page for operations people, and the addresses for machines.

It looks at the same ledger and folders as every command and changes nothing by a way of its own: an
upload is a file put into the inbox, a correction is a new drop, ``retry`` and ``cancel`` are the
requests of the commands.
"""
