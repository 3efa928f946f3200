"""Read bytes into tables of text: the parts of ``pipeline.reading.open_manifest``.

``sniff`` tells what the bytes are. Text goes through ``decode`` (to UTF-8), ``dialect`` (delimiter
and header), and then, piece by piece, through ``segments`` where the quoting is provably regular
or ``tokens`` where it is not; workbooks go through ``container`` and ``cells``. Both end in
``rows``, which knows about blank rows, repeated headers and missing cells.
"""
