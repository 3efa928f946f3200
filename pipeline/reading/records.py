"""Parsed records → blocks: blank rows, repeated headers, missing and surplus cells.

Shared by text files and workbooks, and by both ways of reading CSV.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.errors import DropRefused
from pipeline.core.model import BLOCK_ROWS, Block, ReadTally, RowFacts
from pipeline.reading.header_row import two_headers
from pipeline.validation.profile_choice import LaterHeaders
from schemas.codes import Code
from schemas.direction_headings import look_of
from schemas.directions import FAILED_WORDS, WAYS_BACK, may_be_directions
from schemas.headings import reads_as_footer, speaks_of_other
from schemas.limits import USUAL_SHARE
from schemas.normalise import fold
from schemas.status_headings import AsksStatus, asks_status
from schemas.vocabulary import EMPTY_SURPLUS

Mask = npt.NDArray[np.bool_]

_ASCII = 0x7F
_LINE = re.compile(r"[-=_+|]{3,}|[-=_]*")
"""A database's tool draws a line below each heading, as wide as its column: below a short one it
may be a single dash."""
_WIDE = 3


class Parsed(Struct, frozen=True, kw_only=True):
    """Consecutive records as the file has them, brought to the header's width.

    ``first``: the first record's number. ``cells``: one string array per header. ``counts``: cells
    per record as written, None if every record has as many as the header. ``surplus``: position →
    cells beyond the header, only where one of them is not empty. ``facts``: position → what is
    particular about the record. ``open_end``: the last record
    ended with the file instead of a line end.
    """

    first: int
    cells: tuple[pa.Array, ...]
    counts: npt.NDArray[np.int64] | None = None
    surplus: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    kinds: Mapping[int, npt.NDArray[np.int8]] = field(default_factory=dict)
    facts: Mapping[int, RowFacts] = field(default_factory=dict)
    open_end: bool = False

    def __len__(self) -> int:
        return len(self.cells[0])


def surplus_of(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells beyond the header up to the last that holds something; () if none does."""
    last = len(cells)
    while last and not cells[last - 1].strip():
        last -= 1
    return tuple(cells[:last])


_OTHERS = 2
"""Other cells that are needed to know how long those of a column are."""
_FORMS = 2
"""Forms, such as FY and ten digits, that ids or dates of a column have at most to tell of one that
is cut; each is in ``_OTHERS`` cells or more."""
_FEW_MISSING = 3
"""Characters; with more of them missing an id was cut also beside a single other one."""
_NAMED = frozenset({AsksStatus.ANY, AsksStatus.WORDS})


class Heading(Struct, frozen=True, kw_only=True):
    """The header of a table: its record, its cells, and a test for another one below it.

    ``where`` names the sheet in messages, "" for CSV.
    """

    row: int
    cells: tuple[str, ...]
    later: LaterHeaders | None = None
    where: str = ""


class Shaper:
    """Turn the parsed records of one sheet, in order, into its blocks.

    ``limit``: how many data rows the file may have, of which earlier sheets took ``before``; one
    more raises ``TOO_MANY_ROWS``.
    """

    def __init__(self, heading: Heading, tally: ReadTally, *, limit: int, before: int = 0) -> None:
        self._heading = heading
        self._headers = headers = heading.cells
        self._needed = len(surplus_of(headers))
        self._tally = tally
        self._limit = limit
        self._before = before
        self.rows = 0
        self.short = 0
        self.cut = False
        self._whole = 0
        self._wide = 0

    def shape(self, parsed: Parsed) -> Iterator[Block]:
        """Yield the data rows of ``parsed`` with their oddities, in blocks of bounded size.

        Raises ``DropRefused``: ``TOO_MANY_ROWS``, or ``HEADER_AMBIGUOUS`` for a record that is the
        header of another table. Sets ``cut`` when the file's last record ended
        without a line end and lacks cells.
        """
        dropped = self._passed_over(parsed)
        data = np.ones(len(parsed), dtype=np.bool_) if dropped is None else ~dropped
        facts = {**self._short(parsed, data), **parsed.facts}
        rows = np.arange(parsed.first, parsed.first + len(parsed), dtype=np.int32)
        cells, kinds, surplus = parsed.cells, parsed.kinds, self._surplus(parsed, data)
        if dropped is not None:
            keep = np.flatnonzero(~dropped)
            place = {int(old): new for new, old in enumerate(keep)} if facts or surplus else {}
            rows = rows[keep]
            cells = tuple(column.take(pa.array(keep)) for column in cells)
            kinds = {column: kind[keep] for column, kind in kinds.items()}
            surplus = {place[at]: extra for at, extra in surplus.items() if at in place}
            facts = {place[at]: found for at, found in facts.items() if at in place}
        self.rows += len(rows)
        if self._before + self.rows > self._limit:
            raise DropRefused(
                Code.TOO_MANY_ROWS,
                f"The file has more than {self._limit:,} data rows, which is the limit.",
                hint="Split it into several files, or raise inbox.max_rows.",
            )
        whole = Block(rows=rows, cells=cells, kinds=kinds, extra=surplus, facts=facts)
        yield from _pieces(whole)

    def _passed_over(self, parsed: Parsed) -> Mask | None:
        """Return which records are blank or repeat the header, or None if none does."""
        blank = _every(parsed, _blank_cells)
        if self.rows == 0 and len(parsed):
            first = [column[0].as_py().strip() for column in parsed.cells]
            drawn = all(_LINE.fullmatch(cell) for cell in first)
            blank[0] |= drawn and max(map(len, first)) >= _WIDE
        for at in parsed.surplus:
            blank[at] = False
        headers = dict(enumerate(self._headers))
        again = _every(parsed, lambda column, at: _to_mask(pc.equal(column, headers[at])))
        again &= ~blank
        for at in parsed.surplus:
            again[at] = False
        if self._heading.later is not None:
            again[self._later(parsed, self._heading.later, blank | again)] = True
        self._tally.blank += int(blank.sum())
        self._tally.header += int(again.sum())
        dropped: Mask = blank | again
        return dropped if dropped.any() else None

    def _later(self, parsed: Parsed, later: LaterHeaders, known: Mask) -> list[int]:
        """Return the records that repeat the header in other words; refuse another table's."""
        suspect = np.zeros(len(parsed), dtype=np.bool_)
        for column in later.ids:
            suspect[_without_digit(parsed.cells[column])] = True
        for column in later.statuses:
            suspect |= _chosen(parsed.cells[column], later.is_heading)
        again = []
        for at in np.flatnonzero(suspect & ~known).tolist():
            cells = [column[at].as_py() for column in parsed.cells]
            cells += parsed.surplus.get(at, ())
            if not later.is_header(cells):
                continue
            if not later.repeats(cells):
                where = self._heading.where
                raise two_headers(self._heading.row, parsed.first + at, where=where)
            again.append(at)
        return again

    def _short(self, parsed: Parsed, data: Mask) -> dict[int, RowFacts]:
        """Note the records that lack cells."""
        if parsed.open_end and self._stops_in_a_cell(parsed):
            self.cut, self.short = True, 1
            return {}
        if parsed.counts is None:
            return {}
        short = (parsed.counts < self._needed) & data
        at = np.flatnonzero(short)
        at_end = (at == len(parsed) - 1) & parsed.open_end
        self.short += int(((parsed.counts[at] > 1) | at_end).sum())  # not the titles above others
        counts = parsed.counts[at].tolist()
        found = {row: RowFacts(cells=n) for row, n in zip(at.tolist(), counts, strict=True)}
        if parsed.open_end and bool(short[-1]):
            whole = int((parsed.counts >= self._needed).sum())
            self._end(parsed, found, whole)
        return found

    def _stops_in_a_cell(self, parsed: Parsed) -> bool:
        """Return whether a text without a line end stops in its last cell, lacking only its end.

        An order id shorter than all others; an id or a date that begins like longer ones. In a
        column that may tell a way or a fate: a beginning of another cell or of a word for a failure
        or a way back, or nothing where all others have one. AWBs, mobiles and numbers of invoices
        are of several widths as they are.
        """
        later, width, counts = self._heading.later, len(self._headers), parsed.counts
        last = (width if counts is None else min(width, int(counts[-1]))) - 1
        # Lines that all end alike may lack a cell, or a separator at their end.
        lacks = (
            counts is not None and last + 1 < self._needed and bool((counts[:-1] > last + 1).any())
        )
        if (
            later is None
            or last < 0
            or lacks
            or reads_as_footer(next(iter(_last_words(parsed)), ""))
        ):
            return False
        *others, own = parsed.cells[last].to_pylist()
        filled = [each for each in others if each]
        missing = min(map(len, filled), default=0) - len(own)
        if own and last in later.ids and missing > (0 if len(filled) > _OTHERS else _FEW_MISSING):
            return True
        if len(filled) < _OTHERS:
            return False
        if own and any(map(str.isdigit, own)):
            return last in (*later.dates, *later.ids) and _begins_like_others(parsed.cells[last])
        if missing <= 0:
            return False
        heading = self._headers[last]
        tells = look_of(heading) or asks_status(heading) in _NAMED
        if not tells or speaks_of_other(heading) or [last] == [*later.statuses]:
            return False
        if not may_be_directions(map(fold, filled)):
            return False
        if not own:
            return len(filled) == len(others)
        known = (*filled, *FAILED_WORDS, *WAYS_BACK)
        return own.isalpha() and any(fold(each).startswith(fold(own)) for each in known)

    def _end(self, parsed: Parsed, found: dict[int, RowFacts], whole: int) -> None:
        """Judge a short last record without a line end: it was cut off, or is a footer."""
        last = len(parsed) - 1
        words = _last_words(parsed)
        if words == [str(self.rows + whole)]:
            found[last] = replace(found[last], counts_rows=True)
        else:
            self.cut = not (words and reads_as_footer(words[0]))

    def _surplus(self, parsed: Parsed, data: Mask) -> Mapping[int, tuple[str, ...]]:
        """Add the records with empty cells beyond the last column, unless most have them.

        Most of the records up to here: a sheet is read piece by piece, the first of megabytes.
        Those that lack cells say nothing, as spreadsheets leave separators out.
        """
        if parsed.counts is None:
            self._whole += int(data.sum())
            return parsed.surplus
        wide = (parsed.counts > len(self._headers)) & data
        self._wide += int(wide.sum())
        self._whole += int(((parsed.counts >= self._needed) & data).sum())
        if self._wide >= USUAL_SHARE * self._whole:
            return parsed.surplus
        empty = dict.fromkeys(np.flatnonzero(wide).tolist(), (EMPTY_SURPLUS,))
        return {**empty, **parsed.surplus}


def _last_words(parsed: Parsed) -> list[str]:
    last = len(parsed) - 1
    return [text for cells in parsed.cells if (text := cells[last].as_py().strip())]


def _begins_like_others(cells: pa.Array) -> bool:
    """Return whether the last cell begins like longer ones; all are of one form or two."""
    digits = pc.replace_substring_regex(cells, r"\pN", "0")
    *others, own = pc.replace_substring_regex(digits, r"\pL", "a").to_pylist()
    forms = Counter(filter(None, others))
    if own in forms or len(forms) > _FORMS or min(forms.values()) < _OTHERS:
        return False
    # 28-11-2026 is a date, and 28-11-2026 10:15 a time.
    return any(each.startswith(own) and each[len(own)] not in " :" for each in forms)


def _every(parsed: Parsed, test: Callable[[pa.Array, int], Mask]) -> Mask:
    """Return which records pass ``test(column, index)`` in every column, cheapest way out first."""
    left = np.flatnonzero(test(parsed.cells[0], 0))
    for at, column in enumerate(parsed.cells[1:], start=1):
        if not len(left):
            break
        left = left[test(column.take(pa.array(left)), at)]
    mask = np.zeros(len(parsed), dtype=np.bool_)
    mask[left] = True
    return mask


def _blank_cells(column: pa.Array, _at: int) -> Mask:
    blank = _to_mask(pc.equal(pc.binary_length(column), 0))
    # Arrow takes long to say of every letter whether it is a space, and of most cells the first
    # byte says enough: it is ASCII and none.
    first = _first_bytes(column)
    perhaps = np.flatnonzero(~blank & ((first <= ord(" ")) | (first > _ASCII)))
    if len(perhaps):
        blank[perhaps] = _to_mask(pc.utf8_is_space(column.take(pa.array(perhaps))))
    return blank


def _without_digit(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return where cells are filled and hold no digit, as headings and no order ids do."""
    _, offsets, data = column.buffers()
    if data is None or not data.size:
        return np.empty(0, dtype=np.int64)
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data, dtype=np.uint8)
    last = text[np.maximum(ends[1:], 1) - 1]
    # Of nearly every id the last byte says enough: it is a digit.
    perhaps = np.flatnonzero((ends[1:] > ends[:-1]) & ((last < ord("0")) | (last > ord("9"))))
    if not len(perhaps):
        return perhaps
    digits = _to_mask(pc.match_substring_regex(column.take(pa.array(perhaps)), "[0-9]"))
    return perhaps[~digits]


def _chosen(column: pa.Array, test: Callable[[str], bool]) -> Mask:
    """Return which cells pass a test; each different cell is tested once."""
    encoded = column.dictionary_encode()
    passed = np.array([test(cell) for cell in encoded.dictionary.to_pylist()], dtype=np.bool_)
    if not passed.any():
        return np.zeros(len(column), dtype=np.bool_)
    mask: Mask = passed[encoded.indices.to_numpy(zero_copy_only=False)]
    return mask


def _first_bytes(cells: pa.Array) -> npt.NDArray[np.uint8]:
    """Return the first byte of each cell; of an empty one, any."""
    _, offsets, data = cells.buffers()
    if data is None or not data.size:
        return np.zeros(len(cells), dtype=np.uint8)
    starts = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells)]
    text = np.frombuffer(data, dtype=np.uint8)
    return text[np.minimum(starts, len(text) - 1)]


def _to_mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return mask


def _pieces(whole: Block) -> Iterator[Block]:
    """Split evenly, so that no block is a small remainder."""
    if not len(whole):
        return
    if len(whole) <= BLOCK_ROWS:
        yield whole
        return
    parts = -(-len(whole) // BLOCK_ROWS)
    bounds = [len(whole) * part // parts for part in range(parts + 1)]
    for start, end in pairwise(bounds):
        yield Block(
            rows=whole.rows[start:end],
            cells=tuple(column.slice(start, end - start) for column in whole.cells),
            kinds={column: kind[start:end] for column, kind in whole.kinds.items()},
            extra={at - start: row for at, row in whole.extra.items() if start <= at < end},
            facts={at - start: row for at, row in whole.facts.items() if start <= at < end},
        )
