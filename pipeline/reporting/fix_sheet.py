"""The second sheet of ``rejects.xlsx``: the faults by code, and how to mend them.

Under each code stand the file's own values that have it, most frequent first, each with the row
of its first cell, a link to that cell, and beside it what it should look like.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from msgspec import Struct, field

from pipeline.core.rejects_file import FIX_HEADER, FIX_SHEET, REJECT_CODES, ROWS_SHEET
from pipeline.reporting.rejects_csv import LEADING, Picked
from schemas.codes import ERRORS, Code, Kind
from schemas.normalise import fold
from schemas.parcels import CONFIRMED, TO_CONFIRM
from schemas.suggestions import statuses_meant
from schemas.vocabulary import Role

#: The drop-down of the first sheet takes its list from here.
STATUS_COLUMN: Final = 9

_WIDTHS = (24, 22, 8, 28, 10, 26, 44, 52, 60)
_STEPS = (
    "Correct the coloured cells on the first sheet, save, and upload this file (or its CSV "
    "twin) as it is. Rows you delete are not sent. Leave the _reject columns alone."
)
_CODES = LEADING.index(REJECT_CODES)
_SHOWN_VALUES = 10
#: Values of one code and column that are listed; a damaged column may hold a million.
_KEPT_VALUES = 500
_LONGEST_VALUE = 200
#: Columns of a group's line that are bold: code, column, rows.
_STRONG = frozenset({0, 1, 2})
_LINE, _MOST_LINES = 15.0, 12


class Value(Struct, kw_only=True):
    """One value that has a fault: how many rows, and where the first of them stands.

    ``has_cell``: False where the fault concerns the row and no cell of it. ``serious``: False for
    a warning.
    ``row``: its number in the file that was rejected; ``line`` and ``place``: its cell on the
    sheet of rows, counted from 0.
    """

    text: str
    row: int
    line: int
    place: int
    message: str
    count: int = 0
    has_cell: bool = True
    serious: bool = True


class CodeGroup(Struct, kw_only=True):
    """The rows with one code in one column. ``values``: the first so many different ones."""

    count: int = 0
    values: dict[str, Value] = field(default_factory=dict)


class FaultTally(Struct, kw_only=True):
    """The faults of the rows, by code and column header."""

    groups: dict[tuple[str, str], CodeGroup] = field(default_factory=dict)
    lines: int = 0

    def add(self, lines: Picked, header_of: Mapping[str, str], place_of: Mapping[str, int]) -> None:
        """Count the lines of a block.

        ``header_of`` maps roles to the headers of its sheet, ``place_of`` to the columns of ours.
        """
        rows, messages = lines.rows, lines.message
        for pos, codes in enumerate(lines.codes.to_pylist()):
            self.lines += 1
            for label in filter(None, codes.split(";")):
                code, _, role = label.partition(":")
                group = self.groups.setdefault((code, header_of.get(role, role)), CodeGroup())
                group.count += 1
                place = place_of.get(role)
                at = cell_of(label, place_of)
                text = "" if place is None else _cell(lines, place, pos)
                value = group.values.get(text)
                if value is None:
                    if len(group.values) >= _KEPT_VALUES:
                        continue
                    value = group.values[text] = Value(
                        text=text,
                        row=rows[pos].as_py(),
                        line=self.lines,
                        place=at,
                        message=messages[pos].as_py(),
                        has_cell=place is not None,
                        serious=code in ERRORS,
                    )
                value.count += 1


def cell_of(label: str, place_of: Mapping[str, int]) -> int:
    """Return the column of the sheet whose cell a code is about, with the place of each role.

    A row that the API refused was refused for its status. Other codes without a column of their
    own stand at the codes.
    """
    code, _, role = label.partition(":")
    if role in place_of:
        return place_of[role]
    known = Code.__members__.get(code)
    refused = known is not None and known.kind is Kind.FAILED
    return place_of.get(Role.STATUS, _CODES) if refused else _CODES


def write_fix_sheet(
    workbook: Any,
    tally: FaultTally,
    *,
    statuses: Mapping[str, str],
    note: str,
) -> None:
    """Add the sheet: a line per code and column, the most frequent first, and the statuses.

    ``statuses``: what the courier's status column may hold → what it means, "" where that is not
    known.
    ``note`` stands at the foot in place of the general advice if it is not empty: then there is
    no sheet of rows to link to.
    """
    sheet = workbook.add_worksheet(FIX_SHEET)
    formats = _formats(workbook)
    for place, (name, width) in enumerate(zip(FIX_HEADER, _WIDTHS, strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, name, formats["header"])
    if statuses:
        sheet.set_column(STATUS_COLUMN, STATUS_COLUMN, 32)
        sheet.write_string(0, STATUS_COLUMN, "Known statuses", formats["header"])
    if any(statuses.values()):
        sheet.set_column(STATUS_COLUMN + 1, STATUS_COLUMN + 1, 34)
        sheet.write_string(0, STATUS_COLUMN + 1, "What it means", formats["header"])
    lines = [*_lines(tally, list(statuses)), (), ()]
    # A workbook in constant memory wants its rows from the top, each of them once.
    for at, (line, status) in enumerate(zip_longest(lines, statuses, fillvalue=""), start=1):
        if at == len(lines):
            _write_words(sheet, at, 0, note or _STEPS, formats["strong"])
        sheet.set_row(at, _height(line))
        for place, cell in enumerate(line):
            _write_cell(sheet, at, place, cell, formats, linked=not note)
        if status:
            _write_words(sheet, at, STATUS_COLUMN, status, formats["plain"])
            _write_words(sheet, at, STATUS_COLUMN + 1, statuses[status], formats["plain"])
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


class _Head(Struct, frozen=True, kw_only=True):
    """A cell of the line that begins a group."""

    text: str | int


def _lines(
    tally: FaultTally, statuses: Sequence[str]
) -> Iterator[tuple[_Head | Value | str | int, ...]]:
    """Yield the sheet's lines: a group, then its values."""
    for (code, header), group in sorted(
        tally.groups.items(), key=lambda each: each[1].count, reverse=True
    ):
        known = Code.__members__.get(code)
        meaning, fix = (known.what, known.fix) if known else ("", "See the message.")
        head = (code, header, group.count, "", "", "", meaning, fix, "")
        yield tuple(_Head(text=text) for text in head)
        ranked = sorted(group.values.values(), key=lambda value: value.count, reverse=True)
        for value in ranked[:_SHOWN_VALUES]:
            right = _right(code, value, known, statuses)
            yield ("", "", value.count, value, value.row, right, "", "", value.message)
        shown = sum(value.count for value in ranked[:_SHOWN_VALUES])
        if shown < group.count:
            yield ("", "", group.count - shown, "(other values)")


def _right(code: str, value: Value, known: Code | None, statuses: Sequence[str]) -> str:
    """Return what a cell with this value should look like."""
    if code == Code.STATUS_AMBIGUOUS and TO_CONFIRM in value.message:
        return (
            f"as it is where it is true, with {CONFIRMED} under _reject_codes; else what happened"
        )
    if code != Code.STATUS_UNKNOWN or not statuses:
        return known.right if known else ""
    folded = {fold(status): status for status in statuses}
    meant = statuses_meant(value.text[:_LONGEST_VALUE], folded)
    return " or ".join(meant) or "one of the known statuses, in column J"


def _cell(lines: Picked, place: int, pos: int) -> str:
    column = lines.cells[place - len(lines.leading)]
    return "" if column is None else str(column[pos].as_py())[:_LONGEST_VALUE]


def row_height(*texts: tuple[str, int]) -> float:
    """Give the height, in points, in which these wrapped texts show in columns of such widths.

    Excel computes it, LibreOffice and others do not.
    """
    lines = [-(-len(text) // max(1, width - 4)) + text.count("\n") for text, width in texts]
    return _LINE * min(_MOST_LINES, max(1, *lines))


def _height(line: Sequence[Any]) -> float:
    texts = (cell.text if isinstance(cell, _Head) else cell for cell in line)
    pairs = zip(texts, _WIDTHS, strict=False)
    return row_height(("", 1), *((text, width) for text, width in pairs if isinstance(text, str)))


def _write_cell(
    sheet: Any, line: int, place: int, cell: Any, formats: Mapping[str, Any], *, linked: bool
) -> None:
    kind = formats["wrap"]
    if isinstance(cell, _Head):
        cell, kind = cell.text, formats["strong_head" if place in _STRONG else "head"]
    if isinstance(cell, Value):
        words = _words(cell.text) or ("(empty)" if cell.has_cell else "(the row)")
        kind = formats["bad" if cell.serious else "warned"]
        if not linked:
            sheet.write_string(line, place, words, kind)
            return
        from xlsxwriter.utility import xl_rowcol_to_cell  # only here: it takes long

        target = f"internal:'{ROWS_SHEET}'!{xl_rowcol_to_cell(cell.line, cell.place)}"
        sheet.write_url(line, place, target, kind, words, "Go to this cell")
    elif isinstance(cell, int):
        sheet.write_number(
            line, place, cell, formats["number"] if kind is formats["wrap"] else kind
        )
    elif not cell:
        sheet.write_blank(line, place, None, kind)
    else:
        _write_words(sheet, line, place, cell, kind)


def _write_words(sheet: Any, line: int, place: int, text: str, cell_format: Any) -> None:
    sheet.write_string(line, place, _words(text), cell_format)


def _words(text: str) -> str:
    # XlsxWriter takes "<r>…</r>" for markup of its own; nothing here has to be kept to the letter.
    return text.replace("\x00", "\ufffd").replace("<r>", "< r>")


def _formats(workbook: Any) -> dict[str, Any]:
    top = {"valign": "top"}
    plain = {**top, "num_format": "@"}
    head = {**top, "text_wrap": True, "bg_color": "#F2F2F2", "align": "left", "top": 1}
    strong = {"bold": True}
    made = {
        "header": {**strong, "bg_color": "#D9E1F2", "border": 1},
        "head": head,
        "strong_head": {**head, **strong},
        "strong": strong,
        "number": {**top, "align": "left"},
        "wrap": {**plain, "text_wrap": True},
        "plain": plain,
        "bad": {**plain, "text_wrap": True, "bg_color": "#FFC7CE", "font_color": "#9C0006"},
        "warned": {**plain, "text_wrap": True, "bg_color": "#FFEB9C", "font_color": "#7F6000"},
    }
    return {name: workbook.add_format(format_) for name, format_ in made.items()}
