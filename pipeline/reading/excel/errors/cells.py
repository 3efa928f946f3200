"""Cells that hold an error (``#N/A``, ``#REF!``) or a formula whose result was not stored.

The native reader gives both as empty text, so a direction that could not be computed would look
like one that nobody filled in. Where a workbook's bytes hint at such cells their places are read
from the file itself; a workbook without any costs a search for a few bytes.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field

from pipeline.reading.excel.cell_text import Column
from schemas.vocabulary import UNCALCULATED, CellKind

#: The errors by the number they have in binary formats.
NAMES: Mapping[int, str] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
UNKNOWN = "#ERROR!"

_ROW_END = re.compile(rb"</(?:\w+:)?row>")
_ERROR = re.compile(rb"<(?:\w+:)?c\s([^>]*?\bt=[\"']e[\"'][^>]*)>(.*?)</(?:\w+:)?c>", re.DOTALL)
_FORMULA_ALONE = re.compile(
    rb"<(?:\w+:)?c(?:\s([^>]*[^>/]))?>\s*<(?:\w+:)?f(?:\s[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*(?:/>|></(?:\w+:)?v>)\s*)?</(?:\w+:)?c>"
)
_ANY = re.compile(
    rb"<(?:\w+:)?(?:row(?=[\s/>])([^>]*)>|c(?=[\s/>])((?:[^>/]|/(?!>))*)(?:/>|>(.*?)</(?:\w+:)?c>))",
    re.DOTALL,
)
_PLACE = re.compile(rb"\br=[\"']([A-Za-z]{1,3})(\d{1,7})[\"']")
_ROW_PLACE = re.compile(rb"\br=[\"'](\d{1,7})[\"']")
_VALUE = re.compile(rb"<(?:\w+:)?v>\s*(#[A-Z0-9/!?_]{1,20})\s*<")
_IS_ERROR = re.compile(rb"\bt=[\"']e[\"']")
_IS_TEXT = re.compile(rb"\bt=[\"']str[\"']")
_LETTERS = 26
#: A row whose end does not come within this is cut: then a cell of it may go unnoticed.
_LONGEST_ROW = 64 * 1024 * 1024


class ErrorCells(Struct, kw_only=True):
    """The error cells of one sheet. Rows are record numbers (from 1), columns count from 0."""

    rows: "array[int]" = field(default_factory=lambda: array("l"))
    columns: "array[int]" = field(default_factory=lambda: array("l"))
    texts: list[str] = field(default_factory=list)

    def add(self, row: int, column: int, text: str) -> None:
        """Note a cell; ``text`` is what the sheet shows in it."""
        self.rows.append(row)
        self.columns.append(column)
        self.texts.append(text)

    @property
    def last_row(self) -> int:
        """The last record with such a cell, 0 without one."""
        return max(self.rows, default=0)

    def put_into(self, columns: list[Column], first: int) -> list[Column]:
        """Return the columns of the records from ``first`` on with the errors in their cells.

        Only where the native reader found nothing: what it did read is believed.
        """
        if not len(self.rows):
            return columns
        rows, length = np.asarray(self.rows), len(columns[0][0]) if columns else 0
        here = np.flatnonzero((rows >= first) & (rows < first + length))
        found: dict[int, dict[int, str]] = {}
        for at in here.tolist():
            if self.columns[at] < len(columns):
                found.setdefault(self.columns[at], {})[self.rows[at] - first] = self.texts[at]
        return [
            _marked(column, found[at]) if at in found else column
            for at, column in enumerate(columns)
        ]


def _marked(column: Column, errors: Mapping[int, str]) -> Column:
    cells, kinds = column
    texts: list[str] = cells.to_pylist()
    marked: npt.NDArray[np.int8]
    marked = np.zeros(len(texts), np.int8) if kinds is None else kinds.copy()
    for at, error in errors.items():
        if not texts[at]:
            texts[at] = error
            marked[at] = CellKind.ERROR
    return pa.array(texts, pa.string()), marked


def in_xml(pieces: Iterable[bytes]) -> ErrorCells:
    """Find the error cells of an XLSX worksheet part, given piece by piece."""
    found = ErrorCells()
    row, counted = 0, None
    for text in _whole_rows(pieces):
        if counted is None:
            # A writer that leaves out addresses does so everywhere: each cell follows the last.
            counted = any(cell and not _PLACE.search(cell) for _, cell, _ in _ANY.findall(text)[:9])
        if counted:
            row = _in_sequence(text, row, found)
            continue
        for cell in _ERROR.finditer(text):
            found.add(*_place(cell.group(1)), _text(cell.group(2)))
        for cell in _FORMULA_ALONE.finditer(text):
            attributes = cell.group(1) or b""
            if not _IS_TEXT.search(attributes) and not _IS_ERROR.search(attributes):
                found.add(*_place(attributes), UNCALCULATED)
    return found


def _whole_rows(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        ends = [end.end() for end in _ROW_END.finditer(piece)]
        if ends or size > _LONGEST_ROW:
            cut = ends[-1] if ends else 0
            yield b"".join((*held, piece[:cut]))
            held, size = [piece[cut:]], len(piece) - cut
        else:
            held.append(piece)
            size += len(piece)
    yield b"".join(held)


def _in_sequence(text: bytes, row: int, found: ErrorCells) -> int:
    """Go through every cell, counting; return the last row's number."""
    column = -1
    for each in _ANY.finditer(text):
        attributes, cell, body = each.groups()
        if attributes is not None:
            told = _ROW_PLACE.search(attributes)
            row, column = int(told[1]) if told else row + 1, -1
            continue
        place = _PLACE.search(cell)
        column = _place(cell)[1] if place else column + 1
        if _IS_ERROR.search(cell):
            found.add(row, column, _text(body or b""))
        elif _FORMULA_ALONE.fullmatch(each.group()) and not _IS_TEXT.search(cell):
            found.add(row, column, UNCALCULATED)
    return row


def _place(attributes: bytes) -> tuple[int, int]:
    place = _PLACE.search(attributes)
    if place is None:
        return 0, 0
    column = 0
    for letter in place[1].upper():
        column = column * _LETTERS + letter - 64
    return int(place[2]), column - 1


def _text(body: bytes) -> str:
    value = _VALUE.search(body)
    return value[1].decode("ascii") if value else UNKNOWN
