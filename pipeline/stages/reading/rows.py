"""Parsed records → blocks: blank rows, repeated headers, missing and surplus cells.

The same for text and workbooks, and for both ways of reading CSV.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from pipeline.errors import DropRefused
from pipeline.model import BLOCK_ROWS, Block, Fault, ReadTally
from pipeline.stages.reading.wording import counted, shown
from schemas.codes import Code

Mask = npt.NDArray[np.bool_]

_ASCII = 0x7F


class Parsed(Struct, frozen=True, kw_only=True):
    """Consecutive records as the file has them, brought to the header's width.

    ``first``: the first record's number. ``cells``: one string array per header. ``counts``: cells
    per record as written, None if every record has as many as the header. ``surplus``: position →
    cells beyond the header, only where one of them is not empty. ``open_end``: the last record
    ended with the file instead of a line end.
    """

    first: int
    cells: tuple[pa.Array, ...]
    counts: npt.NDArray[np.int64] | None = None
    surplus: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    kinds: Mapping[int, npt.NDArray[np.int8]] = field(default_factory=dict)
    open_end: bool = False

    def __len__(self) -> int:
        return len(self.cells[0])


def surplus_of(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells beyond the header up to the last that holds something; () if none does."""
    last = len(cells)
    while last and not cells[last - 1].strip():
        last -= 1
    return tuple(cells[:last])


class Shaper:
    """Turns the parsed records of one sheet, in order, into its blocks.

    ``limit``: how many data rows the file may have, of which earlier sheets took ``before``; one
    more raises ``TOO_MANY_ROWS``.
    """

    def __init__(
        self, headers: tuple[str, ...], tally: ReadTally, *, limit: int, before: int = 0
    ) -> None:
        self._headers = headers
        self._needed = len(surplus_of(headers))
        self._tally = tally
        self._limit = limit
        self._before = before
        self.rows = 0
        self.short = 0
        self.cut = False

    def shape(self, parsed: Parsed) -> Iterator[Block]:
        """Yield the data rows of ``parsed`` with their faults, in blocks of bounded size.

        Raises ``DropRefused`` (``TOO_MANY_ROWS``). Sets ``cut`` when the file's last record ended
        without a line end and lacks cells.
        """
        dropped = self._passed_over(parsed)
        faults = self._faults(parsed, dropped)
        rows = np.arange(parsed.first, parsed.first + len(parsed), dtype=np.int32)
        cells, kinds, surplus = parsed.cells, parsed.kinds, parsed.surplus
        if dropped is not None:
            keep = np.flatnonzero(~dropped)
            place = {int(old): new for new, old in enumerate(keep)} if faults or surplus else {}
            rows = rows[keep]
            cells = tuple(column.take(pa.array(keep)) for column in cells)
            kinds = {column: kind[keep] for column, kind in kinds.items()}
            surplus = {place[at]: extra for at, extra in surplus.items()}
            faults = {place[at]: found for at, found in faults.items()}
        self.rows += len(rows)
        if self._before + self.rows > self._limit:
            raise DropRefused(
                Code.TOO_MANY_ROWS,
                f"The file has more than {self._limit:,} data rows, which is the limit.",
                hint="Split it into several files, or raise inbox.max_rows.",
            )
        whole = Block(rows=rows, cells=cells, kinds=kinds, extra=surplus, faults=faults)
        yield from _pieces(whole)

    def _passed_over(self, parsed: Parsed) -> Mask | None:
        """Return which records are blank or repeat the header, or None if none does."""
        blank = _every(parsed, _blank_cells)
        for at in parsed.surplus:
            blank[at] = False
        headers = dict(enumerate(self._headers))
        again = _every(parsed, lambda column, at: _to_mask(pc.equal(column, headers[at])))
        again &= ~blank
        for at in parsed.surplus:
            again[at] = False
        self._tally.blank += int(blank.sum())
        self._tally.header += int(again.sum())
        dropped: Mask = blank | again
        return dropped if dropped.any() else None

    def _faults(self, parsed: Parsed, dropped: Mask | None) -> dict[int, tuple[Fault, ...]]:
        faults: dict[int, tuple[Fault, ...]] = {}
        if parsed.counts is not None:
            short = parsed.counts < self._needed
            if dropped is not None:
                short &= ~dropped
            for at in np.flatnonzero(short).tolist():
                self.short += 1
                faults[at] = (self._short(parsed.first + at, int(parsed.counts[at])),)
            self.cut = parsed.open_end and bool(short[-1])
        for at, extra in parsed.surplus.items():
            faults[at] = (*faults.get(at, ()), self._ragged(parsed.first + at, extra))
        for column, cells in enumerate(parsed.cells):
            for at in np.flatnonzero(_holds_nul(cells)).tolist():
                if dropped is None or not dropped[at]:
                    fault = self._nul(parsed.first + at, column)
                    faults[at] = (*faults.get(at, ()), fault)
        return faults

    def _short(self, row: int, count: int) -> Fault:
        missing = counted(self._needed - count, "cell")
        first = shown(self._headers[count])
        message = f"Row {row}: {missing} missing at the end, from {first} on. Fill in the row."
        return Fault(code=Code.ROW_SHORT, column="", message=message)

    def _ragged(self, row: int, extra: tuple[str, ...]) -> Fault:
        value = next(cell for cell in extra if cell.strip())
        message = (
            f"Row {row}: {shown(value)} stands beyond the last column, "
            f"{shown(self._headers[-1])}. A cell with a delimiter in it probably lacks its "
            "quotes, which shifts the cells after it: put the text in double quotes."
        )
        return Fault(code=Code.ROW_RAGGED, column="", message=message)

    def _nul(self, row: int, column: int) -> Fault:
        header = self._headers[column].strip() or f"column {column + 1}"
        message = (
            f"Row {row}, {shown(header)[1:-1]}: the cell holds a NUL character, so it is damaged. "
            "Export the row again."
        )
        return Fault(code=Code.CELL_INVALID, column="", message=message)


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


def _first_bytes(cells: pa.Array) -> npt.NDArray[np.uint8]:
    """The first byte of each cell; of an empty one, any."""
    _, offsets, data = cells.buffers()
    if data is None or not data.size:
        return np.zeros(len(cells), dtype=np.uint8)
    starts = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells)]
    text = np.frombuffer(data, dtype=np.uint8)
    return text[np.minimum(starts, len(text) - 1)]


def _holds_nul(cells: pa.Array) -> Mask:
    _, offsets, data = cells.buffers()
    if data is None or not len(cells):
        return np.zeros(len(cells), dtype=np.bool_)
    ends = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    text = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]
    if text.all():
        return np.zeros(len(cells), dtype=np.bool_)
    nuls = np.flatnonzero(text == 0) + ends[0]
    mask = np.zeros(len(cells), dtype=np.bool_)
    mask[np.searchsorted(ends, nuls, side="right") - 1] = True
    return mask


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
            faults={at - start: row for at, row in whole.faults.items() if start <= at < end},
        )
