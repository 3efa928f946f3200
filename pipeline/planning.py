"""The middle of the path for one drop: what the ledger knows, the plan, and freezing it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.adapters.spool import Spool
from pipeline.delivery.parcel import ITEM_SEPARATOR, Parcel
from pipeline.milestones import Milestone
from pipeline.model import Disposition, Drop, Notice, Role
from pipeline.ports import DISPATCHED, Chunk, ChunkState, Frozen, SendBook, Standing, Verdict
from pipeline.prepared import Prepared
from pipeline.stages.findings import labels, messages
from pipeline.stages.judge import judge
from pipeline.stages.plan import Plan, plan
from pipeline.stages.recheck import Pending, pending_places
from pipeline.stages.report_summary import group_notices
from pipeline.stages.settle import PLANNED

_BETWEEN = pa.scalar(ITEM_SEPARATOR.decode(), pa.large_string())


@dataclass(frozen=True, kw_only=True)
class PlanRules:
    """The settings that planning obeys."""

    chunk_size: int = 20
    fill_missing_pickup: bool = False
    max_reject_ratio: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan that is not yet frozen. ``table`` has the schema ``PLANNED``, a line per row."""

    plan: Plan
    table: pa.Table
    notices: tuple[Notice, ...]
    rejected: int


def blocking(standing: Sequence[Standing]) -> list[str]:
    """Earlier drops that are not through and share an order: this one is planned after them."""
    return sorted({found.drop_id for found in standing if found.open})


def make_plan(prepared: Prepared, standing: Sequence[Standing], rules: PlanRules) -> Planned:
    """Plan the drop. ``guard`` then judges whether it may go on."""
    made = plan(
        prepared.keys,
        standing,
        chunk_size=rules.chunk_size,
        fill_missing_pickup=rules.fill_missing_pickup,
    )
    return Planned(
        plan=made,
        table=_planned_table(made),
        notices=_notices(made, prepared),
        rejected=int((made.disposition == Disposition.REJECTED).sum()),
    )


def guard(prepared: Prepared, planned: Planned, rules: PlanRules) -> None:
    """Refuse a file that is probably the wrong one. Raises DropRefused."""
    sheet = prepared.sheets[0]
    refusal = judge(
        id_header=" ".join(sheet.headers[sheet.roles[Role.ORDER_ID.value]].split()),
        total=prepared.total,
        id_bad=prepared.id_bad,
        rejected=planned.rejected,
        ratio=rules.max_reject_ratio,
    )
    if refusal is not None:
        raise refusal


def freeze_bodies(planned: Planned, prepared: Prepared, spool: Spool) -> list[Chunk]:
    """Write plan and bodies into the spool, on disk; return the chunks for the ledger."""
    spool.write_plan(planned.table)
    made = planned.plan
    sizes = np.bincount(made.update_chunk, minlength=len(made.wave_of_chunk))
    places = spool.write_bodies(_bodies(planned, prepared, spool, sizes.tolist()))
    return [
        Chunk(
            drop_seq=0,
            no=no,
            wave=made.wave_of_chunk[no],
            offset=offset,
            length=length,
            size=int(sizes[no]),
            state=ChunkState.SENDING if made.doubt_of_chunk[no] else ChunkState.PLANNED,
        )
        for no, (offset, length) in enumerate(places)
    ]


def frozen(prepared: Prepared, planned: Planned, chunks: Sequence[Chunk]) -> Frozen:
    """The plan as the ledger keeps it: a line for every row that names an order.

    A pickup that we add has a line of its own, beyond the last row, or the next drop would not know
    that it was sent.
    """
    table, keys = planned.table, prepared.keys
    ids = keys.order_id
    chunk = table.column("chunk").to_numpy()
    lines = pa.table(
        {
            "order_id": ids,
            "idx": pa.array(np.arange(len(chunk), dtype=np.int32)),
            "row": pa.array(keys.row.astype(np.int32)),
            "sheet": prepared.sheet_of,
            "status": pa.array(keys.status.astype(np.int8)),
            "chunk": pa.array(chunk, mask=chunk < 0),
            "pos": _places(table, keys.auto),
        }
    )
    named = pc.and_(
        pc.not_equal(ids, ""),
        pa.array(planned.plan.disposition != Disposition.SKIPPED),
    )
    if not pc.all(named).as_py():
        lines = lines.filter(named)
    if planned.plan.update_added.any():
        lines = pa.concat_tables([lines, _added_lines(prepared, planned.plan)])
    return Frozen(chunks=chunks, lines=lines.sort_by("order_id"))


def _places(table: pa.Table, auto: np.ndarray[Any, Any]) -> pa.Array | pa.ChunkedArray:
    """Where in its chunk each row travels; a row that does not may tell of auto-dispatch."""
    told = auto & (table.column("chunk").to_numpy() < 0) if auto.any() else auto
    if not told.any():
        return table.column("pos")
    return pa.array(np.where(told, DISPATCHED, table.column("pos").to_numpy()), pa.int8())


def _added_lines(prepared: Prepared, made: Plan) -> pa.Table:
    added = made.update_added
    rows = made.update_row[added]
    at = pa.array(rows)
    beyond = len(made.disposition) + np.arange(len(rows), dtype=np.int32)
    return pa.table(
        {
            "order_id": prepared.keys.order_id.take(at),
            "idx": pa.array(beyond.astype(np.int32)),
            "row": pa.array(prepared.keys.row[rows].astype(np.int32)),
            "sheet": prepared.sheet_of.take(at),
            "status": pa.array(made.update_status[added]),
            "chunk": pa.array(made.update_chunk[added]),
            "pos": pa.array(made.update_pos[added]),
        }
    )


def facts_of(prepared: Prepared, planned: Planned) -> Mapping[str, Any]:
    """What the report needs and only reading knows, as JSON: kept with the drop."""
    return {
        "sheets": [
            {
                "name": s.name,
                "headers": list(s.headers),
                "roles": dict(s.roles),
                "rows": s.rows,
                "matched": dict(s.matched),
                "unused": list(s.unused),
            }
            for s in prepared.sheets
        ],
        "notices": [
            {
                "code": str(n.code),
                "message": n.message,
                "column": n.column,
                "count": n.count,
                "example_row": n.example_row,
            }
            for n in group_notices([*prepared.notices, *planned.notices])
        ],
        "skipped": {
            "blank": prepared.blank,
            "header": prepared.header,
            "footer": prepared.footer,
        },
        "courier_why": prepared.choice.why,
        "total": prepared.total,
        "kind": prepared.kind,
    }


def _planned_table(made: Plan) -> pa.Table:
    rows = len(made.disposition)
    chunk = np.full(rows, -1, dtype=np.int32)
    pos = np.zeros(rows, dtype=np.int8)
    own = ~made.update_added
    chunk[made.update_row[own]] = made.update_chunk[own]
    pos[made.update_row[own]] = made.update_pos[own]
    return pa.table(
        [
            pa.array(made.disposition),
            pa.array(made.leader),
            pa.array(chunk),
            pa.array(pos),
            labels(made.findings, rows),
            messages(made.findings, rows),
        ],
        schema=PLANNED,
    )


def _notices(made: Plan, prepared: Prepared) -> tuple[Notice, ...]:
    return group_notices(
        Notice(
            code=finding.code,
            column=finding.column,
            message=finding.sentences[0].as_py(),
            count=len(finding.rows),
            example_row=int(prepared.keys.row[finding.rows[0]]),
        )
        for finding in made.findings
    )


def _bodies(
    planned: Planned, prepared: Prepared, spool: Spool, sizes: Sequence[int]
) -> Iterator[bytes]:
    """The bodies in the order of their chunks. Inside a wave updates follow the file (those in
    doubt after the others), so that a pass or two through the spool per wave finds them.
    """
    made = planned.plan
    done = 0
    groups = list(zip(made.wave_of_chunk, made.doubt_of_chunk, strict=True))
    for _, chunks in groupby(range(len(groups)), key=groups.__getitem__):
        numbers = list(chunks)
        count = sum(sizes[no] for no in numbers)
        part = slice(done, done + count)
        items = _items(made.update_row[part], made.update_added[part], prepared, spool)
        yield from _joined(items, [sizes[no] for no in numbers])
        done += count


def _joined(pieces: Iterator[pa.Array], sizes: Sequence[int]) -> Iterator[bytes]:
    """Bodies of so many items each, from items that come in pieces of any length."""
    at, left = 0, pa.array([], pa.large_string())
    for piece in pieces:
        ready = pa.concat_arrays([left, piece])
        ends = np.cumsum([0, *sizes[at : at + len(ready)]])
        whole = int(np.searchsorted(ends, len(ready), side="right")) - 1
        if whole:
            lists = pa.LargeListArray.from_arrays(pa.array(ends[: whole + 1]), ready)
            for body in pc.binary_join(lists, _BETWEEN).cast(pa.large_binary()).to_pylist():
                yield b"[" + body + b"]"
        left = ready.slice(int(ends[whole]))
        at += whole


def _items(
    rows: np.ndarray[Any, Any], added: np.ndarray[Any, Any], prepared: Prepared, spool: Spool
) -> Iterator[pa.Array]:
    """The items of these rows (ascending), read block by block."""
    start, at = 0, 0
    for number in range(len(prepared.sheets)):
        for batch in spool.blocks(number, ["item"]):
            stop = start + batch.num_rows
            upto = int(np.searchsorted(rows, stop))
            if upto > at:
                texts = batch.column("item").take(pa.array(rows[at:upto] - start))
                yield _with_pickups(texts.cast(pa.large_string()), added[at:upto])
            start, at = stop, upto


def _with_pickups(items: pa.Array, added: np.ndarray[Any, Any]) -> pa.Array:
    """The items, those of pickups that we add in the place of their row's own."""
    if not added.any():
        return items
    mask = pa.array(added)
    pickups = [_pickup_for(item) for item in items.filter(mask).to_pylist()]
    return pc.replace_with_mask(items, mask, pa.array(pickups, pa.large_string()))


def _pickup_for(item: str) -> str:
    """The pickup we add before an end nobody reported a pickup for: no remark, no dates."""
    order_id = orjson.loads(item)["orderId"]
    return orjson.dumps({"orderId": order_id, "orderStatus": Milestone.BAG_PICKED.wire}).decode()


def pending_of(drop: Drop, ledger: SendBook, spool: Spool) -> list[Pending]:
    """The updates of a frozen drop that have no end yet; none where its rows are not kept."""
    if not spool.has_plan:
        return []
    verdicts: dict[int, list[Verdict]] = {}
    for verdict in ledger.verdicts(drop.seq):
        verdicts.setdefault(verdict.chunk_no, []).append(verdict)
    found = []
    with spool.body_reader() as body:
        for chunk in ledger.chunks(drop.seq):
            places = pending_places(chunk, verdicts.get(chunk.no, ()))
            if not places:
                continue
            parcel = Parcel(body(chunk.offset, chunk.length), chunk.size)
            for pos, doubtful in places.items():
                order_id, milestone = parcel.head(pos)
                found.append(
                    Pending(
                        chunk_no=chunk.no,
                        pos=pos,
                        order_id=order_id,
                        milestone=milestone,
                        doubtful=doubtful,
                    )
                )
    return found
