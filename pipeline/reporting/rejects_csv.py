"""``rejects.csv``: the rows that need a person, to be corrected in place and dropped back.

Sheets with unlike headers share one table: its columns are the union of theirs, in order of first
appearance. Columns are the same if they have the same role or, without one, the same header (the
second "X" of a sheet goes with the second "X" of another). One header per sheet would be a file
that nobody could drop back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import Block, ResultBlock
from pipeline.core.rejects_file import (
    REJECT_CODES,
    REJECT_DROP,
    REJECT_MESSAGE,
    REJECT_ROW,
    REJECT_SHEET,
    has_sheets,
    is_reject_column,
    is_rejects_header,
    references,
    sheets_named,
)
from pipeline.reporting.results_csv import csv_cells, csv_header, csv_lines
from schemas.codes import Code
from schemas.vocabulary import CORRECTABLE, Outcome

#: What stands before the original columns; rows of several sheets have ``REJECT_SHEET`` besides.
LEADING: Final = (REJECT_ROW, REJECT_CODES, REJECT_MESSAGE, REJECT_DROP)
LEADING_WITH_SHEET: Final = (*LEADING, REJECT_SHEET)

Columns = Mapping[tuple[str, ...], Mapping[str, int]]
"""For each header tuple of a file: role → index of its column, for the columns in use."""

_NO_COLUMNS: Final[Columns] = {}
_SETTLED = (Outcome.IGNORED, Outcome.DUPLICATE)


class RejectsLayout(Struct, frozen=True, kw_only=True):
    """The columns of a rejects file.

    ``names``: the original columns. ``places``: for each header tuple, the place of each of its
    columns in ``names``, None for a ``_reject`` column of an earlier round. ``surplus``: nameless
    columns at the end, for cells beyond the last header. ``rows``: lines of the file.
    ``several``: the drop has several sheets; ``sheets``: the file names those of its rows, its own
    or those of another drop.
    """

    names: tuple[str, ...]
    places: Mapping[tuple[str, ...], tuple[int | None, ...]]
    surplus: int
    rows: int
    several: bool
    sheets: bool

    @property
    def leading(self) -> tuple[str, ...]:
        """Return our own columns."""
        return LEADING_WITH_SHEET if self.sheets else LEADING

    @property
    def header(self) -> tuple[str, ...]:
        """Return every column of the file, in order."""
        return (*self.leading, *self.names, *[""] * self.surplus)


class Picked(Struct, frozen=True, kw_only=True):
    """The lines one block adds. ``codes`` and ``message`` are empty for sound rows.

    ``sheets``: None where the file does not name them. ``cells`` are the original columns in the
    layout's order, surplus last; None: all empty.
    """

    rows: pa.Array
    drops: pa.Array
    codes: pa.Array
    message: pa.Array
    sheets: pa.Array | None
    cells: tuple[pa.Array | None, ...]

    @property
    def leading(self) -> tuple[pa.Array, ...]:
        """Return the values of our own columns, in their order."""
        ours = (self.rows, self.codes, self.message, self.drops)
        return ours if self.sheets is None else (*ours, self.sheets)


class RejectsTable(Struct, frozen=True, kw_only=True):
    """The rows of a drop that need a person, laid out in the columns of its rejects file.

    ``orders``: of a file that is refused, those whose rows are given back; else None. ``columns``:
    as for ``rejects_table``. ``drop``: the drop's id, and that of the drop it corrects.
    """

    blocks: Iterable[ResultBlock]
    orders: pa.Array | None
    columns: Columns
    layout: RejectsLayout
    drop: tuple[str, str | None]

    def picked(self) -> Iterator[tuple[tuple[str, ...], Picked]]:
        """Yield for each block that has any: its header, and its lines."""
        for block in self.blocks:
            if lines := _pick(block, self):
                yield block.headers, lines


def rejects_table(
    blocks: Iterable[ResultBlock],
    *,
    drop_id: str,
    parent: str | None = None,
    whole_file: bool = False,
    columns: Columns = _NO_COLUMNS,
    several: bool = False,
) -> RejectsTable:
    """Lay out the rows whose outcome is rejected or failed.

    With ``whole_file`` (``TOO_MANY_REJECTS``) every row but the duplicate ones and orders of which
    there are only ignored ones, sound rows with empty codes. ``parent``: the drop that this one
    corrects; a row of it that came from another drop still names that one. ``columns``: for each
    header tuple, role → index of its column. ``several``: the file has several sheets, so that rows
    name theirs. ``blocks`` is read a few times.
    """
    orders = _orders_given_back(blocks) if whole_file else None
    return RejectsTable(
        blocks=blocks,
        orders=orders,
        columns=columns,
        layout=_lay_out(blocks, orders, columns=columns, several=several),
        drop=(drop_id, parent),
    )


def rejects_csv(table: RejectsTable) -> Iterator[bytes]:
    """Give the file piece by piece: UTF-8 with a byte order mark, CRLF, guarded against formulas.

    Nothing at all if no row belongs in it.
    """
    if not table.layout.rows:
        return
    yield csv_header(table.layout.header)
    for _, picked in table.picked():
        leading = [csv_cells(each) for each in picked.leading]
        cells = ["" if column is None else csv_cells(column) for column in picked.cells]
        yield csv_lines([*leading, *cells])


_NO_ID = f"{Code.ID_MISSING}|{Code.ID_INVALID}"


def _orders_given_back(blocks: Iterable[ResultBlock]) -> pa.Array:
    """Return the order ids of rows that are given back, of a file that is refused.

    Ignored rows of these orders go with them: they say where another parcel is, or that a scan
    came later, and nothing else keeps that. Where an order id is missing, it may become that of
    any order of the file; a damaged one is the same in all rows of its order.
    """
    any_order = any(
        pc.any(pc.match_substring_regex(block.table.column("codes"), _NO_ID)).as_py()
        for block in blocks
    )
    ids = [
        (_orders(block) if any_order else _orders(block).filter(_is_open(block))).unique()
        for block in blocks
    ]
    found = pa.chunked_array(ids, pa.string()).unique()
    return found.filter(pc.not_equal(found, ""))


def rows_given_back(blocks: Iterable[ResultBlock]) -> int:
    """Return how many rows of a file that is refused its rejects file has."""
    orders = _orders_given_back(blocks)
    return sum(len(_wanted(block, orders)) for block in blocks)


def _lay_out(
    blocks: Iterable[ResultBlock], orders: pa.Array | None, *, columns: Columns, several: bool
) -> RejectsLayout:
    """Find the columns of the rejects file: those of the sheets that have a row in it.

    ``orders``: see ``RejectsTable``.
    """
    names: dict[tuple[str, int], str] = {}
    order: dict[tuple[str, int], int] = {}
    places: dict[tuple[str, ...], tuple[int | None, ...]] = {}
    surplus = rows = 0
    for block in blocks:
        wanted = _wanted(block, orders)
        if not len(wanted):
            continue
        rows += len(wanted)
        if block.extra:
            kept = set(wanted.tolist())
            widths = [len(cells) for pos, cells in block.extra.items() if pos in kept]
            surplus = max([surplus, *widths])
        if block.headers not in places:
            keys = _keys(block.headers, columns.get(block.headers, {}))
            for key, header in zip(keys, block.headers, strict=True):
                if key is not None and key not in order:
                    order[key] = len(order)
                    names[key] = header
            places[block.headers] = tuple(None if key is None else order[key] for key in keys)
    return RejectsLayout(
        names=tuple(names.values()),
        places=places,
        surplus=surplus,
        rows=rows,
        several=several,
        sheets=several or any(is_rejects_header(each) and has_sheets(each) for each in places),
    )


def _pick(block: ResultBlock, rejects: RejectsTable) -> Picked | None:
    """Give the lines that a block adds to the rejects file, None if it adds none."""
    layout = rejects.layout
    wanted = _wanted(block, rejects.orders)
    if not len(wanted):
        return None
    block = _narrowed(block, wanted)
    table = block.table
    faulty = _one_of(table.column("outcome"), CORRECTABLE)
    cells: list[pa.Array | None] = [None] * len(layout.names)
    for place, column in zip(layout.places[block.headers], block.cells, strict=True):
        if place is not None:
            cells[place] = column
    own = block.sheet if layout.several else ""
    rows, drops, sheets = _origins(block, *rejects.drop, own)
    return Picked(
        rows=rows,
        drops=drops,
        codes=pc.if_else(faulty, table.column("codes"), "").combine_chunks(),
        message=pc.if_else(faulty, table.column("message"), "").combine_chunks(),
        sheets=sheets if layout.sheets else None,
        cells=(*cells, *_surplus(block, layout.surplus)),
    )


def _origins(
    block: ResultBlock, drop_id: str, parent: str | None, sheet: str
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return the record number, drop and sheet that each row names.

    Rows of another drop than the parent were read as that drop's: they still belong to it.
    """
    rows = block.table.column("row").combine_chunks()
    if parent is None or not is_rejects_header(block.headers):
        return rows, pa.repeat(drop_id, len(rows)), pa.repeat(sheet, len(rows))
    read = Block(rows=rows.to_numpy().astype(np.int32), cells=block.cells)
    known = references(read, block.headers)
    named = [
        (row, drop_id, sheet) if each is None or each[0] == parent else (each[1], each[0], its)
        for row, each, its in zip(
            rows.to_pylist(), known, sheets_named(read, block.headers), strict=True
        )
    ]
    numbers, drops, sheets = zip(*named, strict=True)
    return (
        pa.array(numbers, rows.type),
        pa.array(drops, pa.string()),
        pa.array(sheets, pa.string()),
    )


def _keys(headers: Sequence[str], roles: Mapping[str, int]) -> tuple[tuple[str, int] | None, ...]:
    """Return the key that joins columns of two sheets: the role, else the header and its number."""
    role_at = {index: role for role, index in roles.items()}
    seen: dict[str, int] = {}
    keys: list[tuple[str, int] | None] = []
    for index, header in enumerate(headers):
        if is_reject_column(header):
            keys.append(None)
        elif index in role_at:
            keys.append((role_at[index], -1))
        else:
            seen[header] = seen.get(header, -1) + 1
            keys.append((header, seen[header]))
    return tuple(keys)


def _wanted(block: ResultBlock, orders: pa.Array | None) -> Any:
    outcome = block.table.column("outcome")
    if orders is None:
        wanted = _one_of(outcome, CORRECTABLE)
    else:
        beside = pc.is_in(_orders(block), orders)
        ignored = pc.and_(pc.equal(outcome, str(Outcome.IGNORED)), beside)
        wanted = pc.or_(_is_open(block), ignored)
    return np.flatnonzero(wanted.to_numpy())


def _is_open(block: ResultBlock) -> Any:
    """Return for each row of a file that is refused whether something is to be sent of it."""
    return pc.invert(_one_of(block.table.column("outcome"), _SETTLED))


def _orders(block: ResultBlock) -> Any:
    return block.table.column("order_id")


def _one_of(outcome: Any, outcomes: Sequence[Outcome]) -> Any:
    return pc.is_in(outcome, pa.array([str(each) for each in outcomes]))


def _narrowed(block: ResultBlock, wanted: Any) -> ResultBlock:
    if len(wanted) == block.table.num_rows:
        return block
    new_place = {old: new for new, old in enumerate(wanted.tolist())} if block.extra else {}
    return ResultBlock(
        sheet=block.sheet,
        headers=block.headers,
        table=block.table.take(wanted),
        cells=tuple(column.take(pa.array(wanted)) for column in block.cells),
        extra={new_place[pos]: cells for pos, cells in block.extra.items() if pos in new_place},
    )


def _surplus(block: ResultBlock, width: int) -> list[pa.Array | None]:
    if not block.extra:
        return [None] * width
    columns = [[""] * block.table.num_rows for _ in range(width)]
    for pos, cells in block.extra.items():
        for column, cell in zip(columns, cells, strict=False):
            column[pos] = cell
    return [pa.array(column, pa.string()) for column in columns]
