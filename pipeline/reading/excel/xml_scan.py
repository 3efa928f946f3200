"""Look through a workbook's parts while they are inflated to be counted."""

import re

from pipeline.reading.excel.notes.ods import ContentXml
from pipeline.reading.excel.notes.sheet_notes import SheetNotes
from pipeline.reading.excel.notes.xlsx import NotWellFormed, SheetXml, TextsXml, XmlPart

_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0[DE]\0|\0<\0!\0[DE]", re.IGNORECASE)
#: Records of merged cells, of hidden columns, and of an error cell, typed or computed, as a binary
#: sheet (XLSB) holds them.
_BINARY = re.compile(
    rb"\xb0\x01\x10(?:..[\0-\x10]\0){2}(?:..\0\0){2}|\x3c\x12(?:..\0\0){2}.{8}["
    + re.escape(bytes(range(1, 256, 2)))
    + rb"]|(?:\x03\x09|\x0b(?:[\0-\x7f]|[\x80-\xff][\x01-\x7f]))"
    rb"..\0\0.{4}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]",
    re.DOTALL,
)
_COUNT = re.compile(rb"\b(?:uniqueC|c)ount\s*=\s*[\"']\s*(\d+)")
#: The native reader asks for room for as many shared texts as the part says it has.
_MOST_TEXTS = 1_000_000
_REACH = 64


_NEEDED = frozenset({"xl/sharedstrings.xml", "xl/workbook.xml", "xl/styles.xml", "content.xml"})


class Markup:
    """Looks through one part, piece by piece.

    ``suspect``: a binary sheet that may hold cells with an error, merged ones or hidden columns.
    ``texts``: how many shared texts it claims to have. ``malformed``: it is XML that the workbook's
    cells come from, and is not well-formed.
    """

    def __init__(self, part: str, *, xml: bool) -> None:
        """Take the part's name, as ``plain_name`` gives it."""
        self.extent = Extent()
        self.suspect = False
        self.texts = 0
        self.malformed = False
        self._part = part
        self._xml = xml
        self._tail = b""
        self._declares = False
        self._walk: XmlPart | None = self._walk_of(part) if part.endswith(".xml") else None

    def _walk_of(self, part: str) -> XmlPart:
        if part == "content.xml":
            return ContentXml()
        if part == "xl/sharedstrings.xml":
            return TextsXml()
        return SheetXml(plain_rows=self.extent.add_plain)

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        text = self._tail + piece
        if self._xml:
            if b"!" in piece and _DECLARATION.search(text):
                self._declares = True
            if b"uniqueCount" in text:
                counts = (int(number[:12]) for number in _COUNT.findall(text))
                self.texts = max(self.texts, *counts, 0)
            self._parse(piece)
        elif not self.suspect:
            self.suspect = _BINARY.search(text) is not None
        self._tail = piece[-_REACH:]

    def _parse(self, piece: bytes | None) -> None:
        """Hand the next piece to the parser; None at the end."""
        if self._walk is None or self._declares or self.malformed:
            return
        try:
            if piece is None:
                self._walk.end()
            else:
                self._walk.add(piece)
        except NotWellFormed:
            self.malformed = True

    def end(self) -> list[SheetNotes]:
        """Take note that the part has ended; return the notes about the sheets in it."""
        self._parse(None)
        walk = self._walk
        sheet = isinstance(walk, SheetXml) and walk.is_sheet
        if self.malformed:
            needed = self._part in _NEEDED or "/worksheets/" in self._part
            self.malformed = sheet or needed
            return []
        if isinstance(walk, TextsXml):
            return [walk.notes]
        if isinstance(walk, SheetXml) and sheet:
            self.extent.add_place(*walk.far)
            return [walk.notes]
        return walk.sheets if isinstance(walk, ContentXml) else []

    def fault(self, size: int) -> str:
        """Return the fault of a part of so many bytes in words, "" if there is none."""
        if self._declares:
            return "declares a document type"
        if self.texts > max(_MOST_TEXTS, size):
            return f"claims to hold {self.texts:,} texts"
        return self.extent.fault()


MAX_CELLS = 50_000_000
"""About 1.5 GB once laid out; a sheet of a million rows and 26 columns has 27 million."""

_MAX_ROW, _MAX_COLUMN = 1_048_576, 16_384
_LETTERS = 26
_WIDE = 100
_UNNOTICED_ROW = 99_999
_SPREAD = 32

#: Cells beyond column Z, and rows from 100,000 on: few enough to look at each.
_FAR = re.compile(rb' r="(?:([A-Za-z]{2,})(\d+)"|[A-Za-z]?(\d{6,})")')
#: The same address written in a way that spreadsheet programs do not.
_ODD = re.compile(rb"\sr\s*=\s*[\"']\s*([A-Za-z]*)(\d*)")


class Extent:
    """Tell from a worksheet's XML, piece by piece, how far apart its cells are.

    The native reader lays a sheet out as one full rectangle. Two cells, A1 and XFD1048576, are
    enough to make it ask for half a terabyte, and it does not survive the answer. ``<dimension>``
    is no help: it lies.
    """

    def __init__(self) -> None:
        self._row = 0
        self._column = 0
        self._tail = b""
        self._thorough = False

    @property
    def wide(self) -> bool:
        """Return True if the columns make every row count.

        The part has to be read again.
        """
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
        self._tail = piece[-_SPREAD:]

    def fault(self) -> str:
        """Return the fault of the sheet's size in words, "" if there is none."""
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
