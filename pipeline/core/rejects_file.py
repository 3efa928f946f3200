"""The columns of a rejects file, and what its cells refer to.

The step that reads such a file back, the plan and the reports share them. Columns whose name begins
with ``_reject`` are not data; two of them say where each row came from.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import Block
from schemas.codes import Code
from schemas.limits import EXACT_DIGITS, ID_LENGTH, ID_SHAPE
from schemas.normalise import fold
from schemas.statuses import Direction
from schemas.vocabulary import CellKind, Role

REJECT_ROW = "_reject_row"
REJECT_CODES = "_reject_codes"
REJECT_MESSAGE = "_reject_message"
REJECT_DROP = "_reject_drop"
REJECT_SHEET = "_reject_sheet"
#: The sheet of the workbook we write. There a cell is as it was: nothing has been guarded.
ROWS_SHEET = "Rows to correct"
FIX_SHEET = "What to fix"
"""The sheet beside it: the faults with values of the file, and the statuses in the same lines."""
FIX_HEADER = (
    "Code",
    "Column",
    "Rows",
    "In your file",
    "First in row",
    "Should look like",
    "What is wrong",
    "What to do",
    "Message of that row",
)
_ROUNDINGS = (ROUND_DOWN, ROUND_HALF_UP, ROUND_HALF_EVEN)
#: Ids that a spreadsheet takes for a number; a damaged one (``1.7E+19``) is none of them.
_NUMERIC_ID = re.compile(rf"[0-9]{{1,{ID_LENGTH}}}|[0-9]{{1,{EXACT_DIGITS}}}[eE][0-9]{{1,2}}")
_DIGITS = re.compile(r"(0|[1-9][0-9]{0,110})(?:[.,]0{1,30})?")
_SCIENTIFIC = re.compile(r"([1-9])(?:[.,]([0-9]{1,16}))?[eE]\+?([0-9]{1,3})")
#: A record number, as a spreadsheet may have written it.
ROW_NUMBER = r"([0-9]{1,9})(?:[.,]0{1,2})?"
_ROW_NUMBER = re.compile(ROW_NUMBER)


def is_reject_column(header: str) -> bool:
    """Return whether a column is one of ours: not data, whatever it holds."""
    return plain_heading(header).startswith("_reject")


def is_rejects_header(headers: Sequence[str]) -> bool:
    """Return whether this is the header of a rejects file of ours that came back.

    One of its columns may have been removed.
    """
    ours = {REJECT_ROW, REJECT_DROP, REJECT_CODES} & {plain_heading(header) for header in headers}
    return len(ours) > 1


def is_fix_header(cells: Sequence[str]) -> bool:
    """Return whether a row is the header of our sheet of advice, which has no rows of the file."""
    return tuple(cells[: len(FIX_HEADER)]) == FIX_HEADER


SAYING = (Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)
"""The columns that say what happened to a shipment."""
UNCLEAR = f"{Code.STATUS_AMBIGUOUS}:{Role.STATUS}"
"""The code by which a rejects file says that a status was unclear."""


class WordColumns(Struct, frozen=True, kw_only=True):
    """The columns of a rejects file that came back that hold a person's decision about a row."""

    row: int
    codes: int
    drop: int
    sheet: int | None


@lru_cache(maxsize=64)
def word_columns(headers: tuple[str, ...]) -> WordColumns | None:
    """Return those columns, None where one of them is not there."""
    places = {plain_heading(header): place for place, header in reversed(list(enumerate(headers)))}
    names = (REJECT_ROW, REJECT_CODES, REJECT_DROP)
    if not places.keys() >= {*names}:
        return None
    row, codes, drop = (places[name] for name in names)
    return WordColumns(row=row, codes=codes, drop=drop, sheet=places.get(REJECT_SHEET))


def references(block: Block, headers: Sequence[str]) -> list[tuple[str, int] | None]:
    """Return for each row the drop and record number it was rejected from; None: unknown."""
    drops = column_of(block, headers, REJECT_DROP)
    rows = column_of(block, headers, REJECT_ROW)
    if drops is None or rows is None:
        return [None] * len(block)
    return list(map(reference, drops.to_pylist(), rows.to_pylist()))


def reference(drop: str, row: str) -> tuple[str, int] | None:
    """Return what the two cells of a row refer to; None: nothing."""
    number, drop_id = _ROW_NUMBER.fullmatch(row.strip()), drop.strip()
    return (drop_id, int(number[1])) if number and drop_id else None


def without_drop(block: Block, headers: Sequence[str]) -> list[bool]:
    """Return which rows have the record number that they had, and no drop beside it."""
    drops = column_of(block, headers, REJECT_DROP)
    rows = column_of(block, headers, REJECT_ROW)
    if drops is None or rows is None:
        return [False] * len(block)
    pairs = zip(drops.to_pylist(), rows.to_pylist(), strict=True)
    return [not drop.strip() and bool(_ROW_NUMBER.fullmatch(row.strip())) for drop, row in pairs]


def sheets_named(block: Block, headers: Sequence[str]) -> list[str]:
    """Return for each row the sheet it was rejected from; "" where the file does not say."""
    names = column_of(block, headers, REJECT_SHEET)
    return [""] * len(block) if names is None else names.to_pylist()


def has_sheets(headers: Sequence[str]) -> bool:
    """Return whether a rejects file that came back names the sheets of its rows."""
    return REJECT_SHEET in {plain_heading(header) for header in headers}


def rendering_matches(original_id: str, seen: str, kind: CellKind) -> bool:
    """Return whether ``seen`` is ``original_id`` as a spreadsheet damages it.

    ``kind`` is the cell's type; only TEXT (every cell of a CSV) and NUMBER can match. As text:
    the 15 digits a spreadsheet keeps and zeros, with or without ``.0``; scientific notation with
    2 to 16 decimals (fewer where the rest are zeros) or as a float prints; leading zeros lost;
    a comma for the decimal point. As a number: the same values. An undamaged id is no match,
    except a number of more than 15 digits, which validation would not trust.
    """
    seen = seen.strip()
    if kind not in {CellKind.TEXT, CellKind.NUMBER} or not _NUMERIC_ID.fullmatch(original_id):
        return False
    if seen == original_id:
        return kind is CellKind.NUMBER and len(original_id) > EXACT_DIGITS
    value = Decimal(original_id)
    kept = {_significant(value, EXACT_DIGITS, rounding) for rounding in _ROUNDINGS}
    if kind is CellKind.NUMBER:
        return _as_float(seen) in {float(each) for each in (value, *kept)}
    if digits := _DIGITS.fullmatch(seen):
        return Decimal(digits[1]) in kept
    if parts := _SCIENTIFIC.fullmatch(seen):
        return _scientific_matches(
            value, kept, lead=parts[1], decimals=parts[2] or "", exp=parts[3]
        )
    return False


def may_be_mended(original_id: str, order_id: str) -> bool:
    """Return whether a person who corrects the row with this original may write ``order_id``.

    As it was; any other only where it was no order id, or one that a spreadsheet damaged.
    """
    return (
        original_id == order_id
        or not re.match(ID_SHAPE, original_id)
        or rendering_matches(order_id, original_id, CellKind.TEXT)
    )


def _scientific_matches(
    value: Decimal, kept: set[Decimal], *, lead: str, decimals: str, exp: str
) -> bool:
    shown = Decimal(f"{lead}.{decimals or '0'}E{exp}")
    if shown == Decimal(repr(float(value))):
        return True
    places = max(len(decimals), 2)  # a general format leaves out the zeros at the end
    return any(
        _significant(each, places + 1, rounding) == shown
        for each in (value, *kept)
        for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)
    )


def _significant(value: Decimal, digits: int, rounding: str) -> Decimal:
    """Return the value with at most so many significant digits."""
    if len(value.as_tuple().digits) <= digits:
        return value
    step = Decimal((0, (1,), value.adjusted() - digits + 1))
    return value.quantize(step, rounding=rounding)


def _as_float(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def column_of(block: Block, headers: Sequence[str], name: str) -> pa.Array | None:
    """Return the column of this name among a block's, None where it is not there."""
    place = next((i for i, header in enumerate(headers) if plain_heading(header) == name), None)
    return None if place is None else block.cells[place]


def plain_heading(header: str) -> str:
    """Return a heading without the marks that a guard or a spreadsheet put around it."""
    # A program that takes our CSV for Windows-1252 puts its byte order mark into the first header.
    return header.removeprefix("\u00ef\u00bb\u00bf").strip("\ufeff'\" \t\r\n\u00a0").casefold()


def words_of(columns: Mapping[str, pa.Array], length: int) -> list[str]:
    """Return for each of so many rows the cells that say what happened (``SAYING``), as one text.

    ``columns``: by role; one that is not there is empty.
    """
    none = [""] * length
    cells = [columns[role].to_pylist() if role in columns else none for role in SAYING]
    return ["\x1f".join(map(fold, said)) for said in zip(*cells, strict=True)]


NEXT, PART = "\x1e", "\x1f"
AROUND, CELL, FILLED, _DATE, _WAS = "around", "cell", "filled", "date", "was"
_OF_DATES = rf"(?:{Code.DATE_DROPPED}|{Code.DATE_INVALID}):"


class Around(Struct, frozen=True, kw_only=True):
    """Evidence that does not come back: its source in messages, its words, and their way."""

    source: str
    words: str
    way: Direction


class KeptCell(Struct, frozen=True, kw_only=True):
    """A cell that spoke about its row, and the way that it said.

    ``tells``: a row in which it is another has changed.
    """

    heading: str
    text: str
    way: Direction
    tells: bool = True


class KeptEvidence(Struct, frozen=True, kw_only=True):
    """The evidence about a row.

    ``dates``: roles of dates that were not taken, each with its cell; ``were``: of all dates.
    """

    around: tuple[Around, ...] = ()
    cells: tuple[KeptCell, ...] = ()
    dates: tuple[tuple[str, str], ...] = ()
    were: tuple[tuple[str, str], ...] = ()


def evidence_in(text: str) -> KeptEvidence:
    """Return the evidence of a text that ``validation.evidence.kept`` made."""
    around: list[Around] = []
    cells: list[KeptCell] = []
    dates: list[tuple[str, str]] = []
    were: list[tuple[str, str]] = []
    for part in filter(None, text.split(NEXT)):
        kind, first, way, words = part.split(PART, 3)
        if kind in {_DATE, _WAS}:
            were.append((first, words))
            dates += were[-1:] if kind == _DATE else []
        elif kind == AROUND:
            around.append(Around(source=first, words=words, way=Direction(way)))
        else:
            tells = kind == CELL
            cells.append(KeptCell(heading=first, text=words, way=Direction(way), tells=tells))
    return KeptEvidence(
        around=tuple(around), cells=tuple(cells), dates=tuple(dates), were=tuple(were)
    )


def with_dates(around: pa.Array, codes: pa.Array, dates: Mapping[str, pa.Array]) -> pa.Array:
    """Add to the evidence about rows the cells of their dates; by their codes, which were taken.

    Other rows of the file may have shown which number is the month. ``dates``: cells by role.
    """
    for role, cells in dates.items():
        not_taken = pc.match_substring_regex(codes, rf"{_OF_DATES}{role}\b")
        kind = pc.if_else(not_taken, _DATE, _WAS)
        part = pc.binary_join_element_wise(
            kind, role, "", pc.replace_substring(cells, NEXT, " "), PART
        )
        more = pc.binary_join_element_wise(around, part, NEXT)
        around = pc.if_else(pc.equal(cells, ""), around, more)
    return around
