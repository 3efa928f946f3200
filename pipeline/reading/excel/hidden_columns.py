"""Which columns of a workbook's sheets are hidden."""

import re
from collections.abc import Iterable, Mapping
from xml.parsers import expat

from pipeline.reading.excel.errors.locate import sheet_parts
from pipeline.reading.excel.zip_parts import Package

_ROWS = re.compile(rb"<(?:\w+:)?sheetData\b")
_COLUMNS = re.compile(rb"<(?:\w+:)?col\s([^>]*)>")
_ATTRIBUTE = re.compile(rb"(\w+)\s*=\s*[\"']([^\"']*)[\"']")
_HEAD = 1 << 20
"""What stands before the rows of a sheet is short."""

_WIDEST = 16_384


def hidden_columns(package: Package | None) -> list[frozenset[int]]:
    """Return for each sheet, in the workbook's order, which columns are hidden, counted from A.

    Known of XLSX and ODS; an empty list for other formats.
    """
    if package is None or package.kind == "xlsb":
        return []
    if package.kind == "ods":
        return _in_ods(package.pieces("content.xml"))
    return [_in_xlsx(package.pieces(part)) for part in sheet_parts(package)]


def _in_xlsx(pieces: Iterable[bytes]) -> frozenset[int]:
    head = b""
    for piece in pieces:
        head += piece
        if (rows := _ROWS.search(head)) is not None:
            head = head[: rows.start()]
            break
        if len(head) > _HEAD:
            break
    found: set[int] = set()
    for tag in _COLUMNS.findall(head):
        told = dict(_ATTRIBUTE.findall(tag))
        first, last = told.get(b"min", b""), told.get(b"max", b"")
        if told.get(b"hidden") in {b"1", b"true"} and first.isdigit() and last.isdigit():
            found.update(range(int(first) - 1, min(int(last), _WIDEST)))
    return frozenset(found)


def _in_ods(pieces: Iterable[bytes]) -> list[frozenset[int]]:
    walk = _Walk()
    # Document types, and with them entities, were refused before this.
    parser = expat.ParserCreate()
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    try:
        for piece in pieces:
            parser.Parse(piece, False)
    except expat.ExpatError:
        return []
    return [frozenset(found) for found in walk.sheets]


class _Walk:
    """Goes through the columns of each table; tables inside of others are passed over."""

    def __init__(self) -> None:
        self.sheets: list[set[int]] = []
        self._depth = 0
        self._column = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table:table":
            self._depth += 1
            if self._depth == 1:
                self.sheets.append(set())
                self._column = 0
        elif name == "table:table-column" and self._depth == 1:
            told = attributes.get("table:number-columns-repeated", "1")
            after = self._column + (int(told) if told.isdecimal() and len(told) < 9 else 1)
            if attributes.get("table:visibility", "visible") != "visible":
                self.sheets[-1].update(range(self._column, min(after, _WIDEST)))
            self._column = after

    def end(self, name: str) -> None:
        if name == "table:table":
            self._depth -= 1
