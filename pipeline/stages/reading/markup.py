"""What is looked for in a workbook's parts while they are inflated to be counted."""

import re

from pipeline.stages.reading.extent import Extent

_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0[DE]\0|\0<\0!\0[DE]", re.IGNORECASE)
#: A formula that is followed by no value.
_NO_VALUE = re.compile(rb"(?:</(?:\w+:)?f|/)>\s*(?:</(?:\w+:)?c>|<(?:\w+:)?v\s*(?:/>|></))")
#: Records of an error cell, typed or computed, as a binary sheet (XLSB) holds them.
_BINARY = re.compile(
    rb"(?:\x03\x09|\x0b(?:[\0-\x7f]|[\x80-\xff][\x01-\x7f]))..\0\0.{4}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]",
    re.DOTALL,
)
_REACH = 32


class Markup:
    """Looks through one part, piece by piece.

    ``declares``: it has a document type; ``suspect``: it may hold cells with an error or with a
    formula whose result was not stored.
    """

    def __init__(self, *, xml: bool) -> None:
        self.extent = Extent()
        self.suspect = False
        self._xml = xml
        self._tail = b""
        self._declares = False

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        text = self._tail + piece
        if self._xml:
            if b"!" in piece and _DECLARATION.search(text):
                self._declares = True
            self.suspect = self.suspect or _may_hold_errors(text)
            self.extent.add(piece)
        elif not self.suspect:
            self.suspect = _BINARY.search(text) is not None
        self._tail = piece[-_REACH:]

    def fault(self) -> str:
        """Return what is wrong, "" if nothing."""
        return "declares a document type" if self._declares else self.extent.fault()


def _may_hold_errors(text: bytes) -> bool:
    if b't="e"' in text or b"t='e'" in text or b'value-type="error"' in text:
        return True
    return (b"<f" in text or b":f" in text) and _NO_VALUE.search(text) is not None
