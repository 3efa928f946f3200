"""Seeds of mutations: real files where they are at hand, and some of our own always."""

import io
from functools import cache

import xlsxwriter

from tests.fakes.corpora import MANIFEST, ROOT, listed

#: Larger files take long to read and say nothing that smaller ones do not.
_LARGEST = 120_000


@cache
def seeds() -> dict[str, bytes]:
    """Name → content."""
    found = _own()
    if MANIFEST.is_file():
        for path in listed():
            data = (ROOT / path).read_bytes()
            if 0 < len(data) <= _LARGEST:
                found[path] = data
    return found


def _own() -> dict[str, bytes]:
    rows = [f'17328629784861446{n:03},"Delivered, late",2026-06-2{n % 10}\r\n' for n in range(30)]
    text = "Order ID,Status,When\r\n" + "".join(rows)
    return {
        "own.csv": text.encode(),
        "own utf-16.csv": ("\ufeff" + text).encode("utf-16-le"),
        "own semicolon.csv": text.replace(",", ";").encode("cp1252"),
        "own.xlsx": _workbook({}),
        "own inline.xlsx": _workbook({"constant_memory": True}),
    }


def _workbook(options: dict[str, bool]) -> bytes:
    store = io.BytesIO()
    with xlsxwriter.Workbook(store, options) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for title in ("June", "July"):
            sheet = book.add_worksheet(title)
            sheet.write_row(0, 0, ["Order ID", "Status", "When", "Sum"])
            for row in range(1, 20):
                sheet.write_string(row, 0, f"17328629784861446{row:03}")
                sheet.write_string(row, 1, "Delivered")
                sheet.write_number(row, 2, 46_000 + row, day)
                sheet.write_formula(row, 3, "=1/0", None, "#DIV/0!")
    return store.getvalue()
