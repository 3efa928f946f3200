"""Makes orders_week_47.xlsx: the sheet of a person who keeps a logo's place and a total row.

Run it in this folder after a change: ``python make_workbook.py``. The workbook it makes is kept
beside it, and a test holds the two together.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import xlsxwriter

NAME = "orders_week_47.xlsx"

_HEADINGS = (
    "Sr. No.",
    "Order ID *",
    "AWB No.",
    "Current\nStatus",
    "Remarks",
    "Promised Delivery Date",
)
_CREATED = datetime(2026, 11, 20, 12, tzinfo=UTC)
_TITLE_ROWS = 3  # where the logo goes, over the company's name

_NORTH: Sequence[tuple[str | float, str, str, str, date | None]] = (
    ("17786893344127138679", "KV70011", "Delivered", "Given to the customer", date(2026, 11, 18)),
    ("17786344069648820652", "KV70012", "Picked Up", "", date(2026, 11, 24)),
    ("17782462227338664145", "KV70013", "out for delivery", "", date(2026, 11, 21)),
    ("'17787700306018627476", "KV70014", "DELIVERED", "Id with an apostrophe", None),
    (17786771978340096081.0, "KV70015", "Delivered", "Id typed as a number", date(2026, 11, 19)),
    ("17788129097357575168", "KV70016", "RTO Delivered", "Customer moved", date(2026, 11, 12)),
    ("17788415079885871372", "KV70017", "Un-delivered", "Door locked", date(2026, 11, 22)),
)
_SOUTH: Sequence[tuple[str | float, str, str, str, date | None]] = (
    ("17783394277375498276", "KV80021", "Pickup Done", "", date(2026, 11, 25)),
    ("17783080427274828758", "KV80022", "Delivered", "Two parcels", date(2026, 11, 17)),
    ("17783080427274828758", "KV80023", "Delivered", "Two parcels", date(2026, 11, 17)),
    ("17783136813500885101", "KV80024", "RTO Initiated", "Refused", date(2026, 11, 16)),
    ("17787587521320134923", "KV80025", "Return Picked Up", "Wrong size", None),
)


def make(path: Path) -> None:
    """Write the workbook to ``path``."""
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"title": "Orders of week 47", "created": _CREATED})
        for name, rows in (("North", _NORTH), ("South", _SOUTH)):
            _fill(book, name, rows)


def _fill(
    book: xlsxwriter.Workbook,
    name: str,
    rows: Sequence[tuple[str | float, str, str, str, date | None]],
) -> None:
    sheet = book.add_worksheet(name)
    title = book.add_format({"bold": True, "font_size": 18, "align": "center", "valign": "vcenter"})
    bold = book.add_format({"bold": True, "text_wrap": True, "bg_color": "#DDEBF7", "border": 1})
    text, day = book.add_format({"num_format": "@"}), book.add_format({"num_format": "dd-mm-yyyy"})
    sheet.set_column(1, 1, 24)
    sheet.set_column(2, 5, 18)
    sheet.merge_range(0, 0, _TITLE_ROWS - 1, 5, "KAVERI APPAREL PVT. LTD.", title)
    sheet.merge_range(_TITLE_ROWS, 0, _TITLE_ROWS, 5, f"Dispatch register, week 47 ({name})", bold)
    top = _TITLE_ROWS + 2  # an empty row, then the headings
    sheet.write_row(top, 0, _HEADINGS, bold)
    for number, (order_id, awb, status, remark, promised) in enumerate(rows, start=1):
        at = top + number
        sheet.write_number(at, 0, number)
        if isinstance(order_id, str):
            sheet.write_string(at, 1, order_id, text)
        else:
            sheet.write_number(at, 1, order_id)
        for column, cell in enumerate((awb, status, remark), start=2):
            sheet.write_string(at, column, cell)
        if promised is not None:
            sheet.write_datetime(at, 5, promised, day)
    sheet.write_string(top + len(rows) + 2, 1, f"Total orders: {len(rows)}", bold)


if __name__ == "__main__":
    make(Path(__file__).with_name(NAME))
