"""Rows for the plan, written as a person would tell them."""

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from pipeline.core.model import Disposition
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.earlier_files import ParcelColumns
from pipeline.planning.plan import NO_TIME, Plan, PlanInput
from pipeline.planning.plan import plan as plan_by
from pipeline.planning.sendable_rows import Orders
from schemas.vocabulary import Milestone, Outcome

plan = partial(plan_by, fill_missing_pickup=False, timezone="UTC")
"""Decide every row, as a test wants it unless it says otherwise."""

Row = tuple[str, Milestone | None, int | None]
"""Order id, milestone (None: ignored), event time."""


def plan_input(rows: Sequence[Row], *, blocks: int = 3, autos: Collection[str] = ()) -> PlanInput:
    """Rows numbered from 2, below a header, in blocks of a few.

    Of the orders in ``autos`` every row says that they are auto-dispatched: their pickup is
    ignored, as transformation has it.
    """
    ids = [order_id for order_id, _, _ in rows]
    ignored = {(Milestone.BAG_PICKED, order_id) for order_id in autos}
    return PlanInput(
        orders=Orders.of(
            pa.chunked_array(
                [pa.array(ids[at : at + blocks]) for at in range(0, len(ids), blocks)], pa.string()
            )
        ),
        row=np.arange(2, len(rows) + 2),
        status=np.array([status or 0 for _, status, _ in rows], dtype=np.int64),
        event_ms=np.array([NO_TIME if at is None else at for _, _, at in rows], dtype=np.int64),
        disposition=np.array(
            [
                Disposition.SEND
                if status and (status, order_id) not in ignored
                else Disposition.IGNORED
                for order_id, status, _ in rows
            ],
            dtype=np.int64,
        ),
        auto=np.array([order_id in autos for order_id in ids], dtype=np.bool_),
        parcels=ParcelColumns(
            awbs=pa.chunked_array([pa.repeat("", len(rows))]),
            said=np.zeros(len(rows), dtype=np.int8),
            vouched=np.zeros(len(rows), dtype=np.bool_),
            confirmed=np.zeros(len(rows), dtype=np.bool_),
            nameless=np.zeros(len(rows), dtype=np.bool_),
            any_parcel=False,
            zone="",
        ),
    )


def accepted(
    order_id: str, status: Milestone, *, drop_id: str = "d1", at: str = ""
) -> OrderHistory:
    """An update that an earlier drop got through."""
    return OrderHistory(
        order_id=order_id,
        status=status,
        drop_id=drop_id,
        open=False,
        outcome=Outcome.ACCEPTED,
        at=at,
    )


def unknown(order_id: str, status: Milestone) -> OrderHistory:
    """An update that an earlier drop sent, and nobody knows how that ended."""
    return replace(accepted(order_id, status), outcome=Outcome.UNKNOWN)


def dispatched(order_id: str) -> OrderHistory:
    """A row of an earlier file that told of auto-dispatch."""
    told = accepted(order_id, Milestone.BAG_PICKED)
    return replace(told, outcome=None, dispatched=True)


def dispositions(made: Plan) -> list[Disposition]:
    """Return the disposition of each row."""
    return [Disposition(each) for each in made.disposition.tolist()]


def said(made: Plan) -> dict[int, tuple[str, str]]:
    """Row → code and sentence."""
    return {
        int(row): (finding.label, sentence)
        for finding in made.findings
        for row, sentence in zip(finding.rows, finding.sentences.to_pylist(), strict=True)
    }


def calls(made: Plan) -> list[list[tuple[int, Milestone]]]:
    """Per chunk, the (row, milestone) of its updates in their places."""
    packed: list[list[tuple[int, Milestone]]] = [[] for _ in made.wave_of_chunk]
    for row, status, chunk, pos in zip(
        made.update_row, made.update_status, made.update_chunk, made.update_pos, strict=True
    ):
        assert len(packed[chunk]) == pos
        packed[chunk].append((int(row), Milestone(status)))
    return packed
