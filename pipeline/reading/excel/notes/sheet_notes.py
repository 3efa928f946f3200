"""Find error cells, hidden rows and columns, and merged cells, which the native reader leaves out.

It gives cells that hold an error (``#N/A``, ``#REF!``), or a formula whose result was not stored,
as empty text, so a direction that could not be computed would look like one that nobody filled in.
"""

from array import array
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field

from pipeline.reading.excel.cell_text import Column
from schemas.vocabulary import CellKind

UNKNOWN = "#ERROR!"


Merged = tuple[int, int, int, int]
"""A merged cell's first and last column, first and last row."""

ByHand = tuple[int, int, str]
"""Row and column of a cell that has a comment, and its text; "" where the cell is crossed out."""

WordFormat = tuple[int, int, str]
"""Row and column of a cell, and the format that shows a text otherwise, or a number in words."""


class SheetNotes(Struct, kw_only=True):
    """The error cells of one sheet. Rows are record numbers (from 1), columns count from column A.

    ``hidden_rows``: those that hold something. ``hidden_columns``: from 0, each as first and last.
    ``merged``: of ODS and XLSB. ``struck``: cells with a text of their own of which a part is
    crossed out; ``struck_texts``, of the part of shared texts: some of these are.
    """

    rows: "array[int]" = field(default_factory=lambda: array("l"))
    columns: "array[int]" = field(default_factory=lambda: array("l"))
    texts: list[str] = field(default_factory=list)
    hidden_rows: "array[int]" = field(default_factory=lambda: array("l"))
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    merged: list[Merged] = field(default_factory=list)
    struck: list[tuple[int, int]] = field(default_factory=list)
    struck_texts: bool = False

    def add(self, row: int, column: int, text: str) -> None:
        """Note a cell; ``text`` is shown in it."""
        self.rows.append(row)
        self.columns.append(column)
        self.texts.append(text)

    @property
    def last_row(self) -> int:
        """Return the last record with such a cell, 0 without one."""
        return max(self.rows, default=0)

    def hides(self, column: int) -> bool:
        """Return whether a column is hidden."""
        return any(first <= column <= last for first, last in self.hidden_columns)

    def put_into(self, columns: list[Column], first: int, *, origin: int) -> list[Column]:
        """Return the columns of the records from ``first`` on with the errors in their cells.

        Only where the native reader found nothing: what it did read is believed. ``origin``: the
        sheet's column that is the first of these, for the native reader leaves empty ones out.
        """
        if not len(self.rows):
            return columns
        rows, length = np.asarray(self.rows), len(columns[0][0]) if columns else 0
        here = np.flatnonzero((rows >= first) & (rows < first + length))
        found: dict[int, dict[int, str]] = {}
        for at in here.tolist():
            column = self.columns[at] - origin
            if 0 <= column < len(columns):
                found.setdefault(column, {})[self.rows[at] - first] = self.texts[at]
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
