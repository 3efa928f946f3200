"""The content of an OpenDocument spreadsheet, counted through its repeated rows and cells."""

import re
from collections.abc import Mapping

from pipeline.reading.excel.notes.sheet_notes import UNKNOWN, SheetNotes
from pipeline.reading.excel.notes.xlsx import XmlPart
from pipeline.reading.excel.regular_rows import ODS_ROWS

_CELLS = frozenset({"table:table-cell", "table:covered-table-cell"})
_NUMBERS = frozenset({"float", "percentage", "currency"})
_HIDDEN = frozenset({"collapse", "filter"})
#: No more cells are noted for one element that says it repeats.
_MOST_REPEATS = 10_000
_MOST_COLUMNS = 16_384
_MOST_STRUCK = 100
HAS_STRUCK = re.compile(rb'line-through-style="(?!none)')
"""Begins the style of what is crossed out, in a piece of the content."""


class ContentXml(XmlPart):
    """The part ``content.xml``. ``sheets`` is complete once it has ended.

    ``numbers_in``: the number of a sheet and a column (both from 0): ``shown`` has by row what the
    sheet shows of the numbers in it. ``every_row``: for all of ``SheetNotes.struck``.
    """

    def __init__(
        self, numbers_in: tuple[int, int] | None = None, *, every_row: bool = False
    ) -> None:
        super().__init__(None if numbers_in or every_row else ODS_ROWS)
        self._style, self._struck = "", set[str]()
        self.sheets: list[SheetNotes] = []
        self.shown: dict[int, str] = {}
        self._wanted = numbers_in
        self._depth = 0
        self._row = self._rows = 0
        self._column = self._columns = 0
        self._width = 0
        self._hidden = self._filled = False
        self._error = self._number = False
        self._texts: list[str] = []
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table:table":
            self._depth += 1
            if self._depth == 1:
                self.sheets.append(SheetNotes())
                self._row = self._rows = self._width = 0
        elif self._depth != 1:
            self._note_style(name, attributes)
        elif name == "table:table-row":
            self._row += self._rows
            self._rows = _repeats(attributes, "table:number-rows-repeated")
            self._column = self._columns = 0
            self._hidden = attributes.get("table:visibility") in _HIDDEN
            self._filled = False
        elif name in _CELLS:
            self._begin_cell(attributes)
        elif name == "table:table-column":
            columns = _repeats(attributes, "table:number-columns-repeated")
            if attributes.get("table:visibility") in _HIDDEN:
                last = min(self._width + columns, _MOST_COLUMNS) - 1
                self.sheets[-1].hidden_columns.append((self._width, last))
            self._width += columns
        elif name == "text:p":
            self._filled = True
            if self._texts:
                self._texts.append("\n")

    def _note_style(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "style:style":
            self._style = attributes.get("style:name", "")
        elif attributes.get("style:text-line-through-style", "none") != "none":
            self._struck.add(self._style)

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._column += self._columns
        self._columns = _repeats(attributes, "table:number-columns-repeated")
        columns = _repeats(attributes, "table:number-columns-spanned")
        rows = _repeats(attributes, "table:number-rows-spanned")
        if columns > 1 or rows > 1:
            left, above = self._column, self._row
            place = left, left + columns - 1, above + 1, above + rows
            self.sheets[-1].merged.append(place)
        is_filled = "office:value-type" in attributes  # a whole empty area may be crossed out
        if is_filled and attributes.get("table:style-name") in self._struck:
            for row in range(min(self._rows, _MOST_REPEATS)):
                at = range(self._column, self._column + min(self._columns, _MOST_STRUCK))
                self.sheets[-1].struck.extend((self._row + row + 1, each) for each in at)
        self._error = attributes.get("calcext:value-type") == "error"
        number = attributes.get("office:value-type") in _NUMBERS
        here = self._wanted == (len(self.sheets) - 1, self._column)
        self._number = number and here
        if self._error or self._number:
            self._texts.clear()
            self.parser.CharacterDataHandler = self._texts.append

    def _end(self, name: str) -> None:
        if name == "table:table":
            self._depth -= 1
        elif self._depth != 1:
            return
        elif name in _CELLS:
            self.parser.CharacterDataHandler = None
            shown = "".join(self._texts).strip()
            self._texts.clear()
            if self._number:
                for row in range(min(self._rows, _MOST_REPEATS)):
                    self.shown[self._row + row + 1] = shown
            elif self._error:
                self._note_error(shown[:20] or UNKNOWN)
            self._error = self._number = False
        elif name == "table:table-row" and self._hidden and self._filled:
            rows = range(self._row + 1, self._row + 1 + min(self._rows, _MOST_REPEATS))
            self.sheets[-1].hidden_rows.extend(rows)

    def _note_error(self, shown: str) -> None:
        for row in range(min(self._rows, _MOST_REPEATS)):
            for column in range(min(self._columns, _MOST_REPEATS // min(self._rows or 1, 100))):
                self.sheets[-1].add(self._row + row + 1, self._column + column, shown)


def _repeats(attributes: Mapping[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return int(text) if text.isdecimal() and len(text) < 9 else 1
