"""What is looked for in a workbook's parts while they are inflated to be counted."""

import re

from pipeline.reading.excel.sheet_extent import Extent

_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0[DE]\0|\0<\0!\0[DE]", re.IGNORECASE)
#: A formula that is followed by no value.
_NO_VALUE = re.compile(rb"(?:</(?:\w+:)?f|/)>\s*(?:</(?:\w+:)?c>|<(?:\w+:)?v\s*(?:/>|></))")
#: Records of an error cell, typed or computed, as a binary sheet (XLSB) holds them.
_BINARY = re.compile(
    rb"(?:\x03\x09|\x0b(?:[\0-\x7f]|[\x80-\xff][\x01-\x7f]))..\0\0.{4}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]",
    re.DOTALL,
)
_FORMULA = re.compile(rb"</(?:\w+:)?f>|<(?:\w+:)?f[ />]")
_ERROR_MARKS = (b't="e"', b"t='e'", b'value-type="error"')
_COUNT = re.compile(rb"\b(?:uniqueC|c)ount\s*=\s*[\"']\s*(\d+)")
#: The native reader asks for room for as many shared texts as the part says it has.
_MOST_TEXTS = 1_000_000
_REACH = 64


class Markup:
    """Looks through one part, piece by piece.

    ``declares``: it has a document type; ``suspect``: it may hold cells with an error or with a
    formula whose result was not stored; ``texts``: how many shared texts it claims to have.
    """

    def __init__(self, *, xml: bool) -> None:
        self.extent = Extent()
        self.suspect = False
        self.texts = 0
        self._xml = xml
        self._tail = b""
        self._declares = False

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        text = self._tail + piece
        if self._xml:
            if b"!" in piece and _DECLARATION.search(text):
                self._declares = True
            if b"uniqueCount" in text:
                told = (int(number[:12]) for number in _COUNT.findall(text))
                self.texts = max(self.texts, *told, 0)
            self.suspect = self.suspect or _may_hold_errors(text)
            self.extent.add(piece)
        elif not self.suspect:
            self.suspect = _BINARY.search(text) is not None
        self._tail = piece[-_REACH:]

    def fault(self, size: int) -> str:
        """Return what is wrong with a part of so many bytes, "" if nothing."""
        if self._declares:
            return "declares a document type"
        if self.texts > max(_MOST_TEXTS, size):
            return f"claims to hold {self.texts:,} texts"
        return self.extent.fault()


def _may_hold_errors(text: bytes) -> bool:
    # A single byte is looked for at memory's speed. A sheet whose texts lie elsewhere, as they
    # mostly do, has neither a # nor an f.
    if b"#" in text and any(mark in text for mark in _ERROR_MARKS):
        return True
    return b"f" in text and _FORMULA.search(text) is not None and bool(_NO_VALUE.search(text))
