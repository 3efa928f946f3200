"""Plan one drop: the history of its orders, the plan, and freezing it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.chunks import ITEM_SEPARATOR, Chunk, ChunkBody, ChunkState, Verdict
from pipeline.core.errors import DropRefused
from pipeline.core.findings import labels, messages
from pipeline.core.model import Disposition, Drop, DropFacts, Notice, Skipped, group_notices
from pipeline.core.order_lines import OrderHistory, ParcelSeen
from pipeline.core.row_columns import PLANNED
from pipeline.planning.plan import Plan, plan
from pipeline.planning.plan_input import Prepared
from pipeline.planning.replan import Pending, pending_places
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.memory import trim
from pipeline.storage.spool import Spool, sync_spools
from schemas.codes import Code
from schemas.display import quoted
from schemas.vocabulary import Milestone, Role

_TEXT = pa.large_string()
_BETWEEN = pa.scalar(ITEM_SEPARATOR.decode(), _TEXT)
_OPEN, _CLOSE, _NONE = (pa.scalar(text, _TEXT) for text in ("[", "]\n", ""))

_ITEMS = 2_000
"""Updates that are taken up at a time: their texts are copied several times on the way."""

_NAMED = 3
"""Drops that are named to say what a row waits for."""

_ALONE = 10_000
"""Rows of a drop from which on a thread more pays."""

_EARLIER_OPEN = Code.EARLIER_OPEN.value
WAITS = "Not sent yet: an earlier status of this order, from another file, is still open."


class PlanRules(Struct, frozen=True, kw_only=True):
    """The settings that planning obeys."""

    chunk_size: int
    fill_missing_pickup: bool
    max_reject_ratio: float
    timezone: str


class Planned(Struct, frozen=True, kw_only=True):
    """A plan that is not yet frozen. ``table`` has the schema ``PLANNED``, a line per row."""

    plan: Plan
    table: pa.Table
    notices: tuple[Notice, ...]
    rejected: int

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Return updates per chunk."""
        found = np.bincount(self.plan.update_chunk, minlength=len(self.plan.wave_of_chunk))
        return found.astype(np.int64)


def make_plan(
    prepared: Prepared,
    histories: Sequence[OrderHistory],
    rules: PlanRules,
    *,
    blocking: Sequence[OrderHistory] = (),
    seen: Sequence[ParcelSeen] = (),
) -> Planned:
    """Plan the drop. ``guard`` then judges whether it may go on.

    ``blocking``: of what other drops may still send, what has to be settled before this one goes;
    ``seen``: what rows of theirs said of parcels.
    """
    made = plan(
        prepared.keys,
        histories,
        chunk_size=rules.chunk_size,
        fill_missing_pickup=rules.fill_missing_pickup,
        blocking=blocking,
        seen=seen,
        timezone=rules.timezone,
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
    old = sum(each.count for each in _still_told(prepared, planned) if each.code is Code.DATE_RANGE)
    refusal = too_many_rejects(
        id_header=" ".join(sheet.headers[sheet.roles[Role.ORDER_ID.value]].split()),
        total=prepared.total,
        id_bad=prepared.id_bad,
        rejected=planned.rejected,
        old=old,
        ratio=rules.max_reject_ratio,
    )
    if refusal is not None:
        raise refusal


@contextmanager
def freezing_bodies(
    planned: Planned, prepared: Prepared, spool: Spool, *, drop_seq: int, alone: bool = True
) -> Iterator[Callable[[], Sequence[Chunk]]]:
    """Write plan and bodies into the spool; yield a function that gives the chunks for the ledger.

    For a large drop that is done beside the block; the chunks' places are known when they are on
    disk, and whoever asks for them waits so long. Raises StorageError, there or here. A drop that
    is not ``alone`` is written here and now, and synced together with others (``sync_spools``).
    """

    def write() -> list[Chunk]:
        spool.write_plan(planned.table)
        sizes = planned.sizes.tolist()
        lengths = spool.write_bodies(_bodies(planned, prepared, spool, sizes))
        trim(prepared.total)
        if alone:
            sync_spools([spool])
        return _chunks(planned.plan, drop_seq, sizes, lengths.tolist())

    if alone and prepared.total > _ALONE:
        with ThreadPoolExecutor(1, thread_name_prefix="bodies") as beside:
            yield beside.submit(write).result
    else:
        chunks = write()
        yield lambda: chunks


def _chunks(made: Plan, drop_seq: int, sizes: Sequence[int], lengths: Sequence[int]) -> list[Chunk]:
    """Return the chunks before their first call; their bodies lie one after the other.

    Updates of a chunk in doubt were sent before, with an unknown result. Behind a doubt
    it is an earlier step of its orders, sent by another file, that may have ended either way. The
    last ones are not sent before other drops have settled their orders.
    """
    free, blocked = len(sizes) - made.blocked_chunks, blocked_words(made.waits_for)
    starts = accumulate((length + 1 for length in lengths), initial=0)  # a line end behind each
    found = []
    for no, (offset, length, size) in enumerate(zip(starts, lengths, sizes, strict=False)):
        state, code, message = ChunkState.PLANNED, "", ""
        if no >= free:
            state, code, message = ChunkState.WAITING, _EARLIER_OPEN, blocked
        else:
            if made.doubt_of_chunk[no]:
                state = ChunkState.SENDING
            if made.behind_doubt[no]:
                code, message = _EARLIER_OPEN, WAITS
        found.append(
            Chunk(
                drop_seq=drop_seq,
                no=no,
                wave=made.wave_of_chunk[no],
                offset=offset,
                length=length,
                size=size,
                state=state,
                code=code,
                message=message,
            )
        )
    return found


def blocked_words(waits_for: Sequence[str]) -> str:
    """Return the message of rows that wait because other drops have their order."""
    named = ", ".join(waits_for[:_NAMED])
    more = f" and {len(waits_for) - _NAMED:,} more" if len(waits_for) > _NAMED else ""
    return (
        f"Not sent yet: an earlier file has the same order and is not finished (drop {named}{more})"
        "; this goes as soon as it is."
    )


def facts_of(prepared: Prepared, planned: Planned) -> DropFacts:
    """Return the facts for the report that only reading and planning know."""
    return DropFacts(
        sheets=tuple(prepared.sheets),
        notices=group_notices([*_still_told(prepared, planned), *planned.notices]),
        skipped=Skipped(blank=prepared.blank, header=prepared.header, footer=prepared.footer),
        courier_why=prepared.choice.why,
        total=prepared.total,
        waits_for=tuple(planned.plan.waits_for),
    )


def _still_told(prepared: Prepared, planned: Planned) -> list[Notice]:
    """Return the notices of reading without the rows that the plan found accepted before."""
    keys, repeats = prepared.keys, planned.plan.disposition == Disposition.DUPLICATE
    settled = {
        (Code.DATE_RANGE, str(Role.EVENT_TIME)): int(repeats[keys.long_ago].sum()),
        (Code.STATUS_AMBIGUOUS, str(Role.STATUS)): int(repeats[keys.came_back != 0].sum()),
    }
    told = [
        replace(each, count=each.count - settled.get((each.code, each.column), 0))
        for each in prepared.notices
    ]
    return [each for each in told if each.count]


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
) -> Iterator[pa.Array]:
    """Yield the bodies, each with a line end, in the order of their chunks.

    Inside a wave updates follow the file (those in doubt after the others), so that a pass or two
    through the spool per wave finds them.
    """
    made = planned.plan
    done = 0
    groups = list(zip(made.wave_of_chunk, made.doubt_of_chunk, made.behind_doubt, strict=True))
    for _, chunks in groupby(range(len(groups)), key=groups.__getitem__):
        numbers = list(chunks)
        count = sum(sizes[no] for no in numbers)
        part = slice(done, done + count)
        items = _items(made.update_row[part], made.update_added[part], prepared, spool)
        yield from _joined(items, [sizes[no] for no in numbers])
        done += count


def _joined(pieces: Iterator[pa.Array], sizes: Sequence[int]) -> Iterator[pa.Array]:
    """Yield bodies of so many items each, from items that come in pieces of any length."""
    at, left = 0, pa.array([], _TEXT)
    for piece in pieces:
        ready = pa.concat_arrays([left, piece])
        ends = np.cumsum([0, *sizes[at : at + len(ready)]])
        whole = int(np.searchsorted(ends, len(ready), side="right")) - 1
        if whole:
            lists = pa.LargeListArray.from_arrays(pa.array(ends[: whole + 1]), ready)
            items = pc.binary_join(lists, _BETWEEN)
            yield pc.binary_join_element_wise(_OPEN, items, _CLOSE, _NONE)
        left = ready.slice(int(ends[whole]))
        at += whole


def _items(
    rows: np.ndarray[Any, Any], added: np.ndarray[Any, Any], prepared: Prepared, spool: Spool
) -> Iterator[pa.Array]:
    """Yield the items of these rows (ascending), read block by block."""
    start, at = 0, 0
    for number in range(len(prepared.sheets)):
        for batch in spool.blocks(number, ["item"]):
            stop = start + batch.num_rows
            upto = int(np.searchsorted(rows, stop))
            for some in range(at, upto, _ITEMS):
                part = slice(some, min(upto, some + _ITEMS))
                texts = batch.column("item").take(pa.array(rows[part] - start))
                yield _with_pickups(texts.cast(_TEXT), added[part])
            start, at = stop, upto


def _with_pickups(items: pa.Array, added: np.ndarray[Any, Any]) -> pa.Array:
    """Return the items, those of pickups that we add in the place of their row's own."""
    if not added.any():
        return items
    mask = pa.array(added)
    pickups = [_pickup_for(item) for item in items.filter(mask).to_pylist()]
    return pc.replace_with_mask(items, mask, pa.array(pickups, _TEXT))


def _pickup_for(item: str) -> str:
    """Return the pickup that we add before an end without one: no remark, no dates."""
    order_id = orjson.loads(item)["orderId"]
    return orjson.dumps({"orderId": order_id, "orderStatus": Milestone.BAG_PICKED.wire}).decode()


def pending_of(
    drop: Drop, ledger: SqlLedger, spool: Spool, *, blocked: bool = False
) -> list[Pending]:
    """Return the updates of a frozen drop that have no end yet; none where its rows are not kept.

    ``blocked``: of these only the ones that wait for other drops.
    """
    if not spool.has_plan:
        return []
    chunks = ledger.chunks(drop.seq)
    if blocked:
        chunks = [each for each in chunks if each.state is ChunkState.WAITING]
    with spool.body_reader() as body:
        return pending_in(chunks, ledger.verdicts(drop.seq), body)


def pending_in(
    chunks: Sequence[Chunk], verdicts: Sequence[Verdict], body: Callable[[int, int], bytes]
) -> list[Pending]:
    """Return the updates of some chunks that have no end yet."""
    of_chunk: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        of_chunk.setdefault(verdict.chunk_no, []).append(verdict)
    found = []
    for chunk in chunks:
        places = pending_places(chunk, of_chunk.get(chunk.no, ()))
        if not places:
            continue
        chunk_body = ChunkBody(body(chunk.offset, chunk.length), chunk.size)
        for pos, doubtful in places.items():
            order_id, milestone = chunk_body.head(pos)
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


SMALL_FILE = 20
"""Files with fewer data rows are never refused for their ratio of bad rows."""


def share_in_words(ratio: float) -> str:
    """Return the share of bad rows up to which a file is taken: ``half of them``."""
    return "half of them" if ratio == 0.5 else f"{ratio:.0%} of them"


def too_many_rejects(
    *, id_header: str, total: int, id_bad: int, rejected: int, ratio: float, old: int = 0
) -> DropRefused | None:
    """Return the refusal of a file with too many bad rows, or None.

    ``id_header``: what the column of the order ids is called; ``total``: data rows; ``id_bad``:
    those with ``ID_MISSING`` or ``ID_INVALID`` (not ``ID_DAMAGED``: a damaged id is in the right
    column); ``rejected``: all rejected rows; ``ratio``: ``manifest.max_reject_ratio``; ``old``:
    those with ``DATE_RANGE``, as a tracker of the year has them. They are no sign of a wrong file
    where there are others.
    ``WRONG_COLUMN`` goes before ``TOO_MANY_REJECTS``.
    """
    if total < SMALL_FILE:
        return None
    if id_bad * 2 > total:
        return DropRefused(
            Code.WRONG_COLUMN,
            f"{id_bad} of {total} rows have no usable order id in the column {quoted(id_header)}, "
            "so it is probably the wrong column or another kind of file.",
            hint="Check which column holds the order ids, correct its heading or contents, and "
            "upload the file again.",
        )
    others = total - old
    if (rejected - old if others else rejected) > ratio * (others or total):
        return DropRefused(
            Code.TOO_MANY_REJECTS,
            f"{rejected} of {total} rows are faulty: more than {share_in_words(ratio)}, so nothing "
            "was sent.",
            hint=Code.TOO_MANY_REJECTS.fix,
        )
    return None
