"""The sheet "What to fix" of ``rejects.xlsx``: the faults by code, and how to mend them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from pipeline.stages.report_rejects import Picked

FIX_SHEET: Final = "What to fix"
#: The drop-down of the first sheet takes its list from here.
STATUS_COLUMN: Final = 9

_HEADER = (
    "Code",
    "Column",
    "Rows",
    "What is wrong",
    "What to do",
    "Looks like, for example",
    "First row",
    "As reported there",
)
_WIDTHS = (22, 24, 10, 50, 60, 28, 10, 80)
_STEPS = (
    "Correct the coloured cells on the first sheet, save, and drop this file (or its CSV twin) "
    "into the inbox as it is. Rows you delete are not sent. Leave the _reject columns alone."
)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What a code means, how to fix it, and a right value as an example."""

    meaning: str
    fix: str
    example: str = ""


@dataclass(kw_only=True)
class Tally:
    """The faults of the rows, by code and column header, with the first row of each."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def add(self, lines: Picked, header_of: Mapping[str, str]) -> None:
        """Count the lines of a block; ``header_of`` maps roles to the headers of its sheet."""
        rows, messages = lines.rows, lines.message
        for pos, codes in enumerate(lines.codes.to_pylist()):
            for label in filter(None, codes.split(";")):
                code, _, role = label.partition(":")
                key = (code, header_of.get(role, role))
                self.counts[key] += 1
                if key not in self.first:
                    self.first[key] = (rows[pos].as_py(), messages[pos].as_py())


def write_fix_sheet(
    workbook: Any,
    tally: Tally,
    *,
    advice: Mapping[str, Advice],
    statuses: Sequence[str],
    note: str,
) -> None:
    """Add the sheet: a line per code and column, the most frequent first, and the statuses.

    ``note`` stands at the foot in place of the general advice if it is not empty.
    """
    sheet = workbook.add_worksheet(FIX_SHEET)
    bold = workbook.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
    wrap = workbook.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    number = workbook.add_format({"valign": "top"})
    plain = workbook.add_format({"num_format": "@"})
    for place, (name, width) in enumerate(zip(_HEADER, _WIDTHS, strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, name, bold)
    if statuses:
        sheet.set_column(STATUS_COLUMN, STATUS_COLUMN, 32)
        sheet.write_string(0, STATUS_COLUMN, "Known statuses", bold)
    faults = [_fault_line(key, count, tally, advice) for key, count in tally.counts.most_common()]
    foot: list[tuple[str, ...]] = [(), (note or _STEPS,)]
    # A workbook in constant memory wants its rows from the top, each of them once.
    for line, (cells, status) in enumerate(zip_longest([*faults, *foot], statuses, fillvalue="")):
        for place, cell in enumerate(cells):
            if isinstance(cell, int):
                sheet.write_number(line + 1, place, cell, number)
            else:
                _write_words(sheet, line + 1, place, cell, wrap if len(cells) > 1 else None)
        if status:
            _write_words(sheet, line + 1, STATUS_COLUMN, status, plain)
    sheet.freeze_panes(1, 0)


def _fault_line(
    key: tuple[str, str], count: int, tally: Tally, advice: Mapping[str, Advice]
) -> tuple[str | int, ...]:
    code, header = key
    row, message = tally.first[key]
    known = advice.get(code, Advice(meaning="", fix="See the message.", example=""))
    return (code, header, count, known.meaning, known.fix, known.example, row, message)


def _write_words(sheet: Any, line: int, place: int, text: str, cell_format: Any) -> None:
    # XlsxWriter takes "<r>…</r>" for markup of its own; nothing here has to be kept to the letter.
    words = text.replace("\x00", "\ufffd").replace("<r>", "< r>")
    sheet.write_string(line, place, words, cell_format)
