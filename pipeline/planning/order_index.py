"""The lines of the ledger's index by order, made part by part as they are written."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import Disposition
from pipeline.core.ports import DISPATCHED, Chunk, FrozenPlan
from pipeline.planning.freeze import Planned
from pipeline.planning.plan_input import Prepared
from pipeline.planning.sendable_rows import NO_TIME
from schemas.parcels import Said


def frozen(prepared: Prepared, planned: Planned, chunks: Sequence[Chunk]) -> FrozenPlan:
    """Return the plan as the ledger keeps it: a line for every row that names an order.

    A pickup that we add has a line of its own, beyond the last row, or the next drop would not know
    that it was sent.
    """
    orders, made = prepared.keys.orders, planned.plan
    by_name = pc.array_sort_indices(orders.names).to_numpy()
    rank = np.empty(len(by_name), dtype=np.int32)
    rank[by_name] = np.arange(len(by_name), dtype=np.int32)
    named = pc.not_equal(orders.names, "").to_numpy(zero_copy_only=False)[orders.number]
    rows = np.flatnonzero(named & (made.disposition != Disposition.SKIPPED)).astype(np.int32)
    added = np.flatnonzero(made.update_added).astype(np.int32)
    row_of = np.concatenate([rows, made.update_row[added]])
    order = np.argsort(rank[orders.number[row_of]], kind="stable").astype(np.int32)
    lines = _Lines(prepared=prepared, planned=planned, row_of=row_of, added=added, order=order)
    return FrozenPlan(chunks=chunks, lines=lines)


class _Lines(Struct, frozen=True, kw_only=True):
    """Lines sorted by order id. ``row_of``: the row of each line before they were sorted, those of
    added pickups last; ``added``: their updates; ``order``: those lines sorted.
    """

    prepared: Prepared
    planned: Planned
    row_of: npt.NDArray[np.int32]
    added: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]

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
        # A row that does not travel may tell of auto-dispatch.
        pos[keys.auto[row] & (table.column("chunk").to_numpy()[row] < 0)] = DISPATCHED
        beyond = len(made.disposition) + line[extra] - own
        return pa.table(
            {
                "order_id": keys.orders.of_rows(row),
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
        keys, given = self.prepared.keys, self.prepared.keys.parcels
        said = _with(given.said[row], extra, np.full(len(extra), Said.NOTHING))
        told = said != Said.NOTHING
        event = keys.event_ms[row]
        awbs = given.awbs.take(pa.array(row))
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
