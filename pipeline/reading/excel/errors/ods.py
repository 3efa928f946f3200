"""Error cells of an OpenDocument spreadsheet, counted through its repeated rows and cells."""

from collections.abc import Iterable, Mapping
from xml.parsers import expat

from pipeline.reading.excel.errors.cells import UNKNOWN, ErrorCells

_CELLS = frozenset({"table:table-cell", "table:covered-table-cell"})
#: No more cells are noted for one element that says it repeats.
_MOST_REPEATS = 10_000


def in_ods(pieces: Iterable[bytes]) -> list[ErrorCells]:
    """Return the error cells of each sheet of ``content.xml``, in the document's order."""
    walk = _Walk()
    # Document types, and with them entities, were refused before this.
    parser = expat.ParserCreate()
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.text
    try:
        for piece in pieces:
            parser.Parse(piece, False)
    except expat.ExpatError:
        return []
    return walk.sheets


class _Walk:
    def __init__(self) -> None:
        self.sheets: list[ErrorCells] = []
        self._depth = 0
        self._row = self._rows = 0
        self._column = self._columns = 0
        self._error: list[str] | None = None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table:table":
            self._depth += 1
            if self._depth == 1:
                self.sheets.append(ErrorCells())
                self._row = self._rows = 0
        elif self._depth != 1:
            return
        elif name == "table:table-row":
            self._row += self._rows
            self._rows = _repeats(attributes, "table:number-rows-repeated")
            self._column = self._columns = 0
        elif name in _CELLS:
            self._column += self._columns
            self._columns = _repeats(attributes, "table:number-columns-repeated")
            if attributes.get("calcext:value-type") == "error":
                self._error = []

    def text(self, text: str) -> None:
        if self._error is not None:
            self._error.append(text)

    def end(self, name: str) -> None:
        if name == "table:table":
            self._depth -= 1
        elif name in _CELLS and self._error is not None:
            shown = "".join(self._error).strip()[:20] or UNKNOWN
            self._error = None
            for row in range(min(self._rows, _MOST_REPEATS)):
                for column in range(min(self._columns, _MOST_REPEATS // min(self._rows or 1, 100))):
                    self.sheets[-1].add(self._row + row + 1, self._column + column, shown)


def _repeats(attributes: Mapping[str, str], name: str) -> int:
    told = attributes.get(name, "1")
    return int(told) if told.isdecimal() and len(told) < 9 else 1
