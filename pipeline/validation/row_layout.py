"""The shape of a row's cells before they are read: how they lie, and which hold no value."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block, RowFacts
from pipeline.validation.columns import ColumnMap
from schemas.courier import Profile
from schemas.date_headings import names_a_time
from schemas.direction_headings import look_of
from schemas.directions import DAMAGED, direction_of
from schemas.headings import reads_as_footer
from schemas.looks import Asks
from schemas.manifest import Fact, Shape
from schemas.normalise import fold, is_absent
from schemas.notes import told_of_rows
from schemas.sentences import RowShape
from schemas.vocabulary import CELL_ERRORS, EMPTY_SURPLUS, CellKind, Role

Mask = npt.NDArray[np.bool_]

_NEEDED = (Role.ORDER_ID, Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)
_OF_STATUS = (Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)
_DECIDING = {
    Fact.STATUS_ERROR: Role.STATUS,
    Fact.TYPE_ERROR: Role.STATUS_TYPE,
    Fact.DIRECTION_ERROR: Role.DIRECTION,
    Fact.SELF_SHIP_ERROR: Role.SELF_SHIP,
    Fact.AUTO_DISPATCH_ERROR: Role.AUTO_DISPATCH,
    Fact.EVENT_TIME_ERROR: Role.EVENT_TIME,
}
_NOT_FOUND = "#N/A"
_NOTHING = (EMPTY_SURPLUS,)
_ERRORS = pa.array([name for name in CELL_ERRORS.values() if name != _NOT_FOUND], pa.string())


def shapes(block: Block, mapping: ColumnMap) -> dict[int, tuple[Shape, RowShape]]:
    """Return how the cells of each row lie that are not one below each heading.

    A row that lacks cells at its end lacks a needed one when its id, status, type or direction is
    among the cells after its last one with text: a short row cannot tell an empty cell from one
    that was cut off (hazards, section E). So does one without a direction that all others have.
    """
    odd = {at: each for at, each in block.facts.items() if each.cells is not None or each.beyond}
    ways = _told_by_all(block, mapping)
    found = {at: _shape_of(at, facts, block, mapping, ways) for at, facts in odd.items()}
    for at, cells in block.extra.items():
        if cells == _NOTHING:
            continue
        text = next(cell for cell in cells if cell.strip())
        found[at] = (Shape.WIDE, RowShape(surplus=text, heading=mapping.headers[-1]))
    for at, text, heading in _pushed_out(block, mapping):
        found.setdefault(at, (Shape.WIDE, RowShape(surplus=text, heading=heading)))
    return found


def _pushed_out(block: Block, mapping: ColumnMap) -> Iterator[tuple[int, str, str]]:
    """Give the rows whose last cells stand one column further right than those of most rows.

    As it is where a cell was put in between: the column behind the last heading has what others
    have under it, and that one what they have under the heading before. A workbook has no width
    that a row could exceed.
    """
    named = max(place for place, heading in enumerate(mapping.headers) if heading.strip()) + 1
    if not 1 < named < len(block.cells):
        return
    before, last, beyond = (block.cells[at] for at in (named - 2, named - 1, named))
    filled = _mask(pc.not_equal(pc.utf8_trim_whitespace(beyond), ""))
    rows = np.flatnonzero(filled)
    if not 0 < 2 * len(rows) <= len(block):
        return
    others = pa.array(np.flatnonzero(~filled)[:_ENOUGH])
    own, its = ({*map(_kind, cells.take(others).to_pylist())} - {""} for cells in (last, before))
    if not own and names_a_time(mapping.headers[named - 1]):  # empty but for the pushed cells
        own, its = {"date"}, {*its, ""}
    for at in rows.tolist():
        text = beyond[at].as_py()
        kind, before_it = _kind(text), _kind(last[at].as_py())
        # Where nothing is before it, only a kind of cell that the last column alone has tells.
        if kind in own and (not its or before_it in its or (not before_it and kind not in its)):
            yield at, text, mapping.headers[named - 1]


_ENOUGH = 5_000
_DATE = re.compile(r"\d{1,4}[-/. ]\w{1,9}[-/. ]\d{2,4}(?:\D.*)?")


def _kind(cell: str) -> str:
    """Return a date as one, a number by its digits, and other texts as they are; "" for nothing."""
    text = cell.strip().casefold()
    if is_absent(text):
        return ""
    if _DATE.fullmatch(text):
        return "date"
    return re.sub(r"\d", "0", text)


def _shape_of(
    at: int, facts: RowFacts, block: Block, mapping: ColumnMap, ways: Sequence[int]
) -> tuple[Shape, RowShape]:
    if facts.beyond or facts.cells is None:
        return Shape.SHIFTED, RowShape(beyond=facts.beyond)
    named = max(place for place, heading in enumerate(mapping.headers) if heading.strip()) + 1
    filled = [column for column, cells in enumerate(block.cells) if cells[at].as_py().strip()]
    end = filled[-1] if filled else -1
    lacking = [column for role in _NEEDED if (column := mapping.columns.get(role, -1)) > end]
    lacking += [column for column in ways if column >= facts.cells]
    shape = RowShape(
        missing=named - facts.cells,
        heading=mapping.headers[facts.cells],
        lacking=mapping.headers[lacking[0]] if lacking else "",
    )
    return (Shape.CUT if lacking else Shape.SHORT), shape


def _told_by_all(block: Block, mapping: ColumnMap) -> list[int]:
    """Return the columns that no profile knows in which each row but short ones tells its way."""
    lengths = [each.cells for each in block.facts.values() if each.cells is not None]
    found = []
    for column in range(min(lengths, default=len(mapping.headers)), len(mapping.headers)):
        look = look_of(mapping.headers[column])
        if look is None or look.asks not in {Asks.WORDS, Asks.YES, Asks.NO}:
            continue
        cells = block.cells[column]
        filled = cells.filter(pc.not_equal(pc.utf8_trim_whitespace(cells), ""))
        said = pc.unique(filled.slice(0, _ENOUGH)).to_pylist()[:_MOST_WAYS]
        told = look.bare or any(direction_of(fold(cell)) is not None for cell in said)
        whole = len(block) - sum(length <= column for length in lengths)
        if told and 0 < len(filled) == whole:
            found.append(column)
    return found


_MOST_WAYS = 12


def wider(block: Block) -> list[int]:
    """Return the rows that have more cells than most, the surplus ones being empty."""
    return [at for at, cells in block.extra.items() if cells == _NOTHING]


def nul_cells(block: Block, mapping: ColumnMap) -> dict[int, tuple[str, ...]]:
    """Return for each row with a NUL character the headings of the cells that hold one."""
    found: dict[int, tuple[str, ...]] = {}
    for column, cells in enumerate(block.cells):
        for at in _with_nul(cells).tolist():
            heading = mapping.headers[column].strip() or f"column {column + 1}"
            found[at] = (*found.get(at, ()), heading)
    return found


def _with_nul(cells: pa.Array) -> npt.NDArray[np.int64]:
    """Return the positions of cells with a NUL character, each once."""
    _, offsets, data = cells.buffers()
    if data is None or not len(cells):
        return np.empty(0, dtype=np.int64)
    ends = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    text = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]
    if text.all():
        return np.empty(0, dtype=np.int64)
    nuls = np.flatnonzero(text == 0) + ends[0]
    return np.unique(np.searchsorted(ends, nuls, side="right") - 1)


def error_cells(
    block: Block, mapping: ColumnMap, profile: Profile
) -> Iterator[tuple[Fact, int, Mask]]:
    """Yield where a cell that decides what is sent shows a formula's error, and in which column.

    In a CSV it is the text of one; a status like that is an unknown status anyhow. ``#N/A`` in the
    event time, or where a second AWB is looked for, says "nothing here", and so it does as text
    in any column; a direction that a formula failed to give is not an absent direction (hazards,
    section E).
    """
    columns = [(fact, mapping.columns.get(role)) for fact, role in _DECIDING.items()]
    if profile.filled_rto_awb:
        columns.append((Fact.RTO_AWB_ERROR, mapping.helpers.get("rto_awb")))
    for fact, column in columns:
        if column is None:
            continue
        shown = _error_in(block, column, typed_only=fact is Fact.STATUS_ERROR)
        if fact in _OF_ANSWERS:
            shown = shown | _mask(pc.match_substring(block.cells[column], DAMAGED))
        if fact in {Fact.EVENT_TIME_ERROR, Fact.RTO_AWB_ERROR} and shown.any():
            shown &= _mask(pc.not_equal(block.cells[column], _NOT_FOUND))
        if shown.any():
            yield fact, column, shown


_OF_ANSWERS = {Fact.SELF_SHIP_ERROR, Fact.AUTO_DISPATCH_ERROR}
"""Columns of yes and no: a damaged cell may be either."""


def _error_in(block: Block, column: int, *, typed_only: bool) -> Mask:
    """Return where a cell is an error, or, in a CSV, the text that a spreadsheet shows for one."""
    kinds = block.kinds.get(column)
    shown = np.zeros(len(block), dtype=np.bool_) if kinds is None else kinds == CellKind.ERROR
    cells = block.cells[column]
    if not typed_only and pc.any(pc.starts_with(cells, "#")).as_py():
        shown = shown | _mask(pc.is_in(cells, value_set=_ERRORS))
    return shown


def without_status(block: Block, mapping: ColumnMap) -> Mask:
    """Return the rows whose status cannot be resolved, because a cell it is made of is an error."""
    broken = np.zeros(len(block), dtype=np.bool_)
    for role in _OF_STATUS:
        kinds = block.kinds.get(mapping.columns.get(role, -1))
        if kinds is not None:
            broken |= kinds == CellKind.ERROR
    return broken


def footers(block: Block, mapping: ColumnMap) -> Mask:
    """Return the rows that read as a footer (``schemas.headings``), or have no id and no status.

    A footer has no status; beside its words a count may stand there (``3 shipments``). So has a
    line of a summary (Delivered, 30), and a name below Regards. A line with nothing else may stand
    under the status, or be a note in several words, as no id is.
    """
    encoded = block.cells[mapping.columns[Role.STATUS]].dictionary_encode()
    statuses = pc.utf8_trim_whitespace(encoded.dictionary)
    mask = _mask(pc.match_substring_regex(statuses, "^(?:[0-9].*)?$").take(encoded.indices))
    own = block.cells[mapping.columns[Role.ORDER_ID]]
    rows = np.flatnonzero(mask)
    if len(rows):
        ids = own.take(pa.array(rows)).to_pylist()
        said = statuses.take(encoded.indices.take(pa.array(rows))).to_pylist()
        mask[rows] = [
            (not word and not status)
            or word.startswith("total")
            or reads_as_footer(word)
            or (not status and _is_note(word) and _is_alone(block, at))
            for at, word, status in zip(rows.tolist(), map(_bare, ids), said, strict=True)
        ]
        texts = pa.array(ids, pa.string())
        plain = _mask(pc.match_substring_regex(texts, r"^[^0-9]*[^0-9\s][^0-9]*$"))
        _add_last_lines(mask, rows[plain], block)
    lost = np.flatnonzero(_mask(pc.equal(own, "")) & ~mask)
    said = statuses.take(encoded.indices.take(pa.array(lost))).to_pylist()
    for at, word in zip(lost.tolist(), map(_bare, said), strict=True):
        mask[at] = reads_as_footer(word) and _is_alone(block, at)
    for at, facts in block.facts.items():
        mask[at] |= facts.counts_rows
    return mask


def _is_note(line: str) -> bool:
    """Return whether a line is words that say nothing of the rows."""
    return _NOTE.search(line) is not None and told_of_rows(line) is None


_NOTE = re.compile(r"(?<![\w-])[^\W\d_]{2,}(?![\w-]).*(?<![\w-])[^\W\d_]{2,}(?![\w-])")
"""Two words, which are no parts of an id: Kindly check, Green = Delivered."""


def _is_alone(block: Block, at: int) -> bool:
    """Return whether a row has one filled cell."""
    filled = filter(None, (cells[at].as_py().strip() for cells in block.cells))
    return len([*islice(filled, 2)]) == 1


_FEW = 3  # cells of a line: Delivered, 30
_COUNT = re.compile(r"[0-9]{1,5}(?:\.[0-9]+)? ?%?")


def _add_last_lines(mask: Mask, rows: npt.NDArray[np.int64], block: Block) -> None:
    """Add lines of a summary, and those below a footer; ``rows``: without status and number."""
    signed = last = -1
    for at in rows.tolist():
        filled = filter(None, (cells[at].as_py().strip() for cells in block.cells))
        cells = [*islice(filled, _FEW)]
        below = signed >= 0 and at == last + 1 and block.rows[at] > block.rows[last]
        last, signed = at, signed if below else -1
        if mask[at] or len(cells) >= _FEW or not all(map(_is_words, cells[:1])):
            signed = at if mask[at] else -1
            continue
        numbers = cells[1:]
        counts = bool(numbers) and all(map(_COUNT.fullmatch, numbers))
        name = signed >= 0 and all(map(_is_words, numbers))
        mask[at] = counts or (name and told_of_rows(" ".join(cells)) is None)


def _is_words(cell: str) -> bool:
    return any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell))


def _bare(cell: str) -> str:
    return cell.strip(" \t\r\n\u00a0'\"").casefold()


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return mask.copy()
