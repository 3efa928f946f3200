"""``rejects.xlsx``: the rejects file as a workbook that cannot damage an id.

All cells are text (typed ones too: the columns are formatted so), bad cells are coloured and carry
a comment, the status column has a drop-down, and a second sheet says what to fix.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import zip_longest
from typing import Any, Final

import xlsxwriter
from msgspec import Struct

from pipeline.core.rejects_file import (
    FIX_SHEET,
    REJECT_CODES,
    REJECT_DROP,
    REJECT_MESSAGE,
    REJECT_ROW,
    REJECT_SHEET,
    ROWS_SHEET,
)
from pipeline.reporting.fix_sheet import FaultTally, cell_of, row_height, write_fix_sheet
from pipeline.reporting.rejects_csv import LEADING, Picked, RejectsLayout, RejectsTable
from schemas.codes import ERRORS, Code
from schemas.vocabulary import Role

MAX_COMMENTS: Final = 5_000
#: About eight seconds of writing; a sheet that large is nothing to correct by hand.
MAX_CELLS: Final = 1_500_000
#: Beyond this XlsxWriter keeps rows in temporary files rather than in memory (400 bytes a cell).
_IN_MEMORY_CELLS = 200_000
_LONGEST_CELL = 32_767
_LONGEST_COMMENT = 600
_CODES, _MESSAGE = LEADING.index(REJECT_CODES), LEADING.index(REJECT_MESSAGE)
_WIDEST = 40
_OURS: Final = {
    REJECT_ROW: 12,
    REJECT_CODES: 16,
    REJECT_MESSAGE: 44,
    REJECT_DROP: 14,
    REJECT_SHEET: 14,
}
"""Widths of our own columns: narrow, so that the cells to correct are in sight at once."""


class _Formats(Struct, frozen=True, kw_only=True):
    header: Any
    ours: Any
    text: Any
    quiet: Any
    wrapped: Any
    bad: Any
    warned: Any


def rejects_xlsx(
    table: RejectsTable,
    *,
    created: datetime,
    statuses: Sequence[str] = (),
    meanings: Sequence[str] = (),
    max_comments: int = MAX_COMMENTS,
    max_cells: int = MAX_CELLS,
    scratch: str | None = None,
) -> bytes | None:
    """Give the workbook, or None if no row belongs in it; rows and columns as in ``rejects_csv``.

    ``statuses``: what the courier's status column may hold, and ``meanings``: what each means.
    ``created``: the time in the file's properties. ``scratch``: folder for XlsxWriter's temporary
    files, used from about 200,000 cells on (None: the system's).

    Beyond ``max_cells`` (rows times columns) the workbook has only the sheet that says what to
    fix, and refers to the CSV file: half of the rows would look like all of them.
    """
    layout = table.layout
    if not layout.rows:
        return None
    cells = layout.rows * len(layout.header)
    buffer = BytesIO()
    in_memory = min(cells, max_cells) <= _IN_MEMORY_CELLS or cells > max_cells
    workbook = xlsxwriter.Workbook(
        buffer,
        {"in_memory": in_memory, "constant_memory": not in_memory, "tmpdir": scratch},
    )
    workbook.set_properties({"title": f"Rejected rows of {table.drop[0]}", "created": created})
    tally = FaultTally()
    picked = _picked(table, tally)
    if cells <= max_cells:
        sheet = _Rows(workbook, layout, max_comments=max_comments)
        sheet.write(picked)
        sheet.finish(_status_place(table), len(statuses))
        note = ""
    else:
        for _ in picked:
            pass
        note = (
            f"{layout.rows} rows are too many for this workbook: correct them in the rejects.csv "
            "beside it."
        )
    known = dict(zip_longest(statuses, meanings, fillvalue=""))
    write_fix_sheet(workbook, tally, statuses=known, note=note)
    workbook.close()
    return buffer.getvalue()


class _Rows:
    """The first sheet while it is being written, row by row from the top."""

    def __init__(self, workbook: Any, layout: RejectsLayout, *, max_comments: int) -> None:
        self.layout = layout
        self.sheet = workbook.add_worksheet(ROWS_SHEET)
        self.formats = _formats(workbook)
        self.comments_left = max_comments
        self.line = 0
        self.longest = [len(name) for name in layout.header]
        for place, name in enumerate(layout.header):
            ours = place < len(layout.leading)
            _write_text(
                self.sheet, 0, place, name, self.formats.ours if ours else self.formats.header
            )
        self.sheet.freeze_panes(1, 0)
        self.sheet.set_landscape()
        self.sheet.fit_to_pages(1, 0)
        self.sheet.repeat_rows(0)

    def write(self, picked: Iterable[tuple[Picked, Mapping[str, int]]]) -> None:
        """Write every line; ``picked``: each block's lines, and where its roles' columns are."""
        for lines, place_of in picked:
            empty = [""] * len(lines.rows)
            cells = [empty if each is None else each.to_pylist() for each in lines.cells]
            leading = [each.to_pylist() for each in lines.leading]
            for row, *texts in zip(*leading, *cells, strict=True):
                self.line += 1
                self._write_line((str(row), *texts), place_of)

    def _write_line(self, texts: Sequence[str], place_of: Mapping[str, int]) -> None:
        marks = _marks(texts[_CODES], place_of)
        surplus = range(len(texts) - self.layout.surplus, len(texts))
        if Code.ROW_RAGGED in marks.get(_CODES, ()) and any(texts[place] for place in surplus):
            # The cells to move, not one of ours that is to be left alone.
            marks |= {place: marks[_CODES] for place in surplus if texts[place]}
            del marks[_CODES]
        wrapped = ((texts[place], _OURS[LEADING[place]]) for place in (_CODES, _MESSAGE))
        self.sheet.set_row(self.line, row_height(*wrapped))
        for place, text in enumerate(texts):
            self.longest[place] = max(self.longest[place], len(text))
            if place in marks:
                self._write_marked(place, text, marks[place], message=texts[2])
            elif text:
                ours = place < len(self.layout.leading)
                kind = self.formats.quiet if ours else self.formats.text
                kind = self.formats.wrapped if place == _MESSAGE else kind
                _write_text(self.sheet, self.line, place, text, kind)

    def _write_marked(self, place: int, text: str, codes: Sequence[str], *, message: str) -> None:
        serious = any(code in ERRORS for code in codes)
        cell_format = self.formats.bad if serious else self.formats.warned
        _write_text(self.sheet, self.line, place, text, cell_format)
        if self.comments_left > 0:
            self.comments_left -= 1
            comment = f"{', '.join(codes)}\n{message}"[:_LONGEST_COMMENT]
            self.sheet.write_comment(self.line, place, comment, {"x_scale": 2.5, "y_scale": 1.2})

    def finish(self, status_place: int | None, statuses: int) -> None:
        """Add the parts that depend on all lines: widths, the filter, the statuses' drop-down."""
        names = self.layout.leading
        for place, longest in enumerate(self.longest):
            ours = _OURS[names[place]] if place < len(names) else 0
            width = ours or min(_WIDEST, max(8, longest + 3))
            self.sheet.set_column(place, place, width, self.formats.text)
        self.sheet.autofilter(0, 0, self.line, len(self.layout.header) - 1)
        if status_place is None or not statuses:
            return
        self.sheet.data_validation(
            1,
            status_place,
            self.line,
            status_place,
            {
                "validate": "list",
                # A list in the cell's own rule may have 255 characters; a range has no limit.
                "source": f"='{FIX_SHEET}'!$J$2:$J${statuses + 1}",
                "input_title": "Status",
                "input_message": f'Choose a word from the list. The sheet "{FIX_SHEET}" says in '
                "columns J and K what each means.",
                "error_type": "warning",
                "error_title": "Unknown status",
                "error_message": "This courier's profile does not list this status.",
            },
        )


def _picked(table: RejectsTable, tally: FaultTally) -> Iterator[tuple[Picked, Mapping[str, int]]]:
    for headers, lines in table.picked():
        roles, places = table.columns.get(headers, {}), _places(headers, table)
        tally.add(lines, {role: headers[index] for role, index in roles.items()}, places)
        yield lines, places


def _places(headers: tuple[str, ...], table: RejectsTable) -> dict[str, int]:
    """Return role → column of the sheet."""
    places = table.layout.places[headers]
    found: dict[str, int] = {}
    for role, index in table.columns.get(headers, {}).items():
        if (place := places[index]) is not None:
            found[str(role)] = place + len(table.layout.leading)
    return found


def _status_place(table: RejectsTable) -> int | None:
    found = (_places(headers, table).get(Role.STATUS) for headers in table.layout.places)
    return next((place for place in found if place is not None), None)


def _marks(codes: str, place_of: Mapping[str, int]) -> dict[int, list[str]]:
    """Return column of the sheet → the codes that concern it."""
    marks: dict[int, list[str]] = {}
    for label in filter(None, codes.split(";")):
        marks.setdefault(cell_of(label, place_of), []).append(label.partition(":")[0])
    return marks


def _write_text(sheet: Any, line: int, place: int, text: str, cell_format: Any) -> None:
    if not text:
        sheet.write_blank(line, place, None, cell_format)
        return
    text = text.replace("\x00", "\ufffd")
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter takes such a string for its own markup and would write it unescaped.
        text = "".join(max(char, " ") for char in text)[: _LONGEST_CELL // 2]
        sheet.write_rich_string(line, place, text[:1], cell_format, text[1:], cell_format)
    else:
        sheet.write_string(line, place, text, cell_format)


def _formats(workbook: Any) -> _Formats:
    text = {"num_format": "@", "valign": "top"}
    return _Formats(
        header=workbook.add_format({**text, "bold": True, "bg_color": "#D9E1F2", "border": 1}),
        ours=workbook.add_format({**text, "bold": True, "bg_color": "#E7E6E6", "border": 1}),
        text=workbook.add_format(text),
        # Wrapped, or a drop's id would run into the next cell where that is empty.
        quiet=workbook.add_format({**text, "font_color": "#595959", "text_wrap": True}),
        wrapped=workbook.add_format({**text, "text_wrap": True}),
        bad=workbook.add_format({**text, "bg_color": "#FFC7CE", "font_color": "#9C0006"}),
        warned=workbook.add_format({**text, "bg_color": "#FFEB9C", "font_color": "#7F6000"}),
    )
