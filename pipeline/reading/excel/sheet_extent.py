"""How far apart the cells of a worksheet are, told from its XML before it is read.

The native reader lays a sheet out as one full rectangle. Two cells, A1 and XFD1048576, are enough
to make it ask for half a terabyte, and it does not survive the answer. ``<dimension>`` is no
help: it lies.
"""

import re

MAX_CELLS = 50_000_000
"""About 1.5 GB once laid out; a sheet of a million rows and 26 columns has 27 million."""

_MAX_ROW, _MAX_COLUMN = 1_048_576, 16_384
_LETTERS = 26
_WIDE = 100
_UNNOTICED_ROW = 99_999
_REACH = 32

#: Cells beyond column Z, and rows from 100,000 on: few enough to look at each.
_FAR = re.compile(rb' r="(?:([A-Za-z]{2,})(\d+)"|[A-Za-z]?(\d{6,})")')
#: The same address written in a way that spreadsheet programs do not.
_ODD = re.compile(rb"\sr\s*=\s*[\"']\s*([A-Za-z]*)(\d*)")


class Extent:
    """Takes in a part's XML piece by piece."""

    def __init__(self) -> None:
        self._row = 0
        self._column = 0
        self._tail = b""
        self._thorough = False

    @property
    def wide(self) -> bool:
        """True if the columns make every row count: the part has to be gone through again."""
        return self._column > _WIDE and not self._thorough

    def add_plain(self, rows: bytes) -> None:
        """Look for cells far out among plain rows."""
        for letters, row, high in _FAR.findall(rows):
            self._note(letters, row or high)

    def add_place(self, row: int, column: int) -> None:
        """Take in how far other cells are out; columns count from 1."""
        self._row = max(self._row, row)
        self._column = max(self._column, column if column > _LETTERS else 0)

    def add_thoroughly(self, piece: bytes) -> None:
        """Look at every cell."""
        self._thorough = True
        self._note_all(self._tail + piece)
        self._tail = piece[-_REACH:]

    def fault(self) -> str:
        """Return what is wrong with the sheet's size, "" if nothing."""
        if self._row > _MAX_ROW or self._column > _MAX_COLUMN:
            return "has a cell outside of any sheet"
        known = self._thorough or self._row > _UNNOTICED_ROW
        rows = self._row if known else _UNNOTICED_ROW
        columns = max(self._column, _LETTERS)
        if self._column and rows * columns > MAX_CELLS:
            return f"has cells {rows:,} rows and {columns:,} columns apart"
        return ""

    def _note_all(self, text: bytes) -> None:
        for letters, row in _ODD.findall(text):
            self._note(letters, row)

    def _note(self, letters: bytes, row: bytes) -> None:
        # More digits or letters than any sheet has are too many, whatever they say.
        self._row = max(self._row, int(row[:9] or b"0"))
        column = 0
        for letter in letters[:5].upper():
            column = column * _LETTERS + letter - 64
        if len(letters) > 1:
            self._column = max(self._column, column)
