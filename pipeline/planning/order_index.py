"""The lines of the ledger's index by order, made part by part as they are written."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.chunks import Chunk
from pipeline.core.model import Disposition
from pipeline.core.order_lines import DISPATCHED, FrozenPlan
from pipeline.planning.freeze import Planned
from pipeline.planning.plan_input import Prepared
from pipeline.planning.sendable_rows import NO_TIME
from schemas.codes import Code
from schemas.parcels import Said, awb_key


def frozen(
    prepared: Prepared, planned: Planned, chunks: Callable[[], Sequence[Chunk]]
) -> FrozenPlan:
    """Return the plan as the ledger keeps it: a line for every row that names an order.

    A pickup that we add has a line of its own, beyond the last row, or the next drop would not know
    that it was sent. So has a row whose order id is lost and whose AWB goes back: under its AWB.
    """
    orders, made = prepared.keys.orders, planned.plan
    nameless, keys = _nameless(prepared)
    names = pa.concat_arrays([orders.names, keys]) if len(keys) else orders.names
    by_name = pc.array_sort_indices(names).to_numpy()
    rank = np.empty(len(by_name), dtype=np.int32)
    rank[by_name] = np.arange(len(by_name), dtype=np.int32)
    named = pc.not_equal(orders.names, "").to_numpy(zero_copy_only=False)[orders.number]
    rows = np.flatnonzero(named & (made.disposition != Disposition.SKIPPED)).astype(np.int32)
    added = np.flatnonzero(made.update_added).astype(np.int32)
    row_of = np.concatenate([rows, nameless, made.update_row[added]])
    name_of = orders.number[row_of]
    name_of[len(rows) : len(rows) + len(keys)] = len(orders.names) + np.arange(len(keys))
    order = np.argsort(rank[name_of], kind="stable").astype(np.int32)
    lines = _Lines(
        prepared=prepared,
        planned=planned,
        row_of=row_of,
        name_of=name_of,
        names=names,
        added=added,
        order=order,
        said=_said(prepared, planned),
        awbs=prepared.keys.parcels.awbs.combine_chunks(),  # or it is done for each part
    )
    return FrozenPlan(chunks=chunks, lines=lines, mends=prepared.keys.parcels.mends)


def of_refused(prepared: Prepared) -> pa.Table:
    """Return the lines that the ledger keeps of a file that is refused: those that name a way back.

    No row of it is planned, and a delivery says nothing: none was sent. A row whose order id is
    lost is kept under its AWB.
    """
    keys, given = prepared.keys, prepared.keys.parcels
    named = pc.not_equal(keys.orders.names, "").to_numpy(zero_copy_only=False)[keys.orders.number]
    told = np.isin(given.said, _OF_REFUSED) & (keys.disposition != Disposition.SKIPPED)
    rows = np.flatnonzero(named & told)
    nameless, by_awb = _nameless(prepared)
    names = pa.concat_arrays([keys.orders.of_rows(rows), by_awb])
    rows = np.concatenate([rows, nameless])
    event = keys.event_ms[rows]
    lines = pa.table(
        {
            "order_id": names,
            "idx": rows.astype(np.int32),
            "row": keys.row[rows].astype(np.int32),
            "sheet": prepared.sheet_of[rows],
            "status": np.zeros(len(rows), dtype=np.int8),
            "chunk": pa.nulls(len(rows), pa.int32()),
            "pos": np.zeros(len(rows), dtype=np.int8),
            "said": np.full(len(rows), Said.MAYBE_BACK, dtype=np.int8),
            "awb": given.awbs.take(pa.array(rows)),
            "event_ms": pa.array(event, mask=event == NO_TIME),
        }
    )
    return lines.sort_by("order_id")


def _nameless(prepared: Prepared) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return the rows to be kept under their AWBs, and the names for that."""
    given = prepared.keys.parcels
    told = given.nameless & (prepared.keys.disposition != Disposition.SKIPPED)
    rows = np.flatnonzero(told).astype(np.int32)
    if not len(rows):
        return rows, pa.array([], pa.string())
    names = [awb_key(each) for each in given.awbs.take(pa.array(rows)).to_pylist()]
    known = np.array([bool(each) for each in names], dtype=np.bool_)
    return rows[known], pa.array(filter(None, names), pa.string())


_OF_REFUSED = (Said.ON_ITS_WAY_BACK, Said.CANCELLED, Said.RETURNING, Said.MAYBE_BACK)


def _said(prepared: Prepared, planned: Planned) -> npt.NDArray[np.int8]:
    """Return what each row says of its parcel, as later files are held against it.

    Where an order was kept open (PARCELS_OPEN), a rejected row may be what keeps it so.
    """
    keys, made = prepared.keys, planned.plan
    rows = [each.rows for each in made.findings if each.code is Code.PARCELS_OPEN]
    if not rows:
        return keys.parcels.said
    held = np.zeros(len(keys.orders.names), dtype=np.bool_)
    held[keys.orders.number[np.concatenate(rows)]] = True
    unheard = (keys.disposition == Disposition.REJECTED) & (keys.parcels.said == Said.NOTHING)
    kept = keys.parcels.said.copy()
    kept[unheard & held[keys.orders.number]] = Said.ON_ITS_WAY
    return kept


class _Lines(Struct, frozen=True, kw_only=True):
    """Lines sorted by order id. ``row_of``: the row of each line before they were sorted, those of
    added pickups last, ``name_of``: its name, into ``names``; ``added``: their updates; ``order``:
    those lines sorted. ``said``, ``awbs``: what each row of the drop says of its parcel.
    """

    prepared: Prepared
    planned: Planned
    row_of: npt.NDArray[np.int32]
    name_of: npt.NDArray[np.int32]
    names: pa.Array
    added: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]
    said: npt.NDArray[np.int8]
    awbs: pa.Array

    @property
    def num_rows(self) -> int:
        """Return all lines."""
        return len(self.order)

    def slice(self, start: int, count: int) -> pa.Table:
        """Return some of them, with the columns that ``ports.FrozenPlan`` names."""
        keys, made, table = self.prepared.keys, self.planned.plan, self.planned.table
        line = self.order[start : start + count]
        row = self.row_of[line]
        own = len(self.row_of) - len(self.added)
        extra = np.flatnonzero(line >= own)
        update = self.added[line[extra] - own]
        chunk = _with(table.column("chunk").to_numpy()[row], extra, made.update_chunk[update])
        pos = table.column("pos").to_numpy()[row]
        # A row that is not sent may mark auto-dispatch.
        pos[keys.auto[row] & (table.column("chunk").to_numpy()[row] < 0)] = DISPATCHED
        beyond = len(made.disposition) + line[extra] - own
        return pa.table(
            {
                "order_id": self.names.take(pa.array(self.name_of[line])),
                "idx": _with(row.copy(), extra, beyond),
                "row": keys.row[row].astype(np.int32),
                "sheet": self.prepared.sheet_of[row],
                "status": _with(
                    keys.status[row].astype(np.int8), extra, made.update_status[update]
                ),
                "chunk": pa.array(chunk, mask=chunk < 0),
                "pos": _with(pos, extra, made.update_pos[update]),
                **self._parcels(row, extra),
            }
        )

    def _parcels(self, row: npt.NDArray[np.int32], extra: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return what these rows say of their parcels; a pickup that we add says nothing."""
        keys = self.prepared.keys
        said = _with(self.said[row], extra, np.full(len(extra), Said.NOTHING))
        told = said != Said.NOTHING
        event = keys.event_ms[row]
        awbs = self.awbs.take(pa.array(row))
        return {
            "said": said,
            "awb": pc.if_else(pa.array(told), awbs, ""),
            "event_ms": pa.array(event, mask=~told | (event == NO_TIME)),
        }


def _with(
    values: npt.NDArray[Any], at: npt.NDArray[np.int64], others: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return the values, some of them replaced."""
    if len(at):
        values[at] = others
    return values
