"""Read the bytes of a file into tables of text.

``file_type`` recognises the format. Text goes through ``csv.encoding`` (to UTF-8) and
``csv.dialect`` (delimiter and header), then through ``csv.fast_path`` where its quoting is provably
regular and ``csv.tokenizer`` where it is not. Workbooks go through ``excel.zip_check`` and
``excel.reader``. Both end in ``records``: blank rows, repeated headers, missing cells.
"""
