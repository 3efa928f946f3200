"""Plan: which rows are sent, in which wave and chunk, and what the ledger already knows of them.

Pure and vectorised: facts about the whole file (repeats, conflicts, flow order) are decided here,
on a handful of numbers per row. Rules: hazards.md B; limits and moves: konnect-api.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.codes import Code
from pipeline.model import STEPS, Disposition, Fault, Milestone, Outcome
from pipeline.ports import Standing

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NO_TIME = np.iinfo(np.int64).min
"""Stands where a row has no event time."""

_SIZE = max(Milestone) + 1
_RANK = np.array([0, *(STEPS[m].rank for m in Milestone)], dtype=np.int64)
_JOURNEY = np.array([0, *(int(STEPS[m].journey) for m in Milestone)], dtype=np.int64)


def _bits(*milestones: Milestone) -> int:
    return sum(1 << int(m) for m in milestones)


#: milestone → bits of the milestones that lie beyond it: with one of them accepted it is stale.
_BEYOND = {
    Milestone.BAG_PICKED: _bits(*(m for m in Milestone if m is not Milestone.BAG_PICKED)),
    Milestone.DELIVERY_DONE: _bits(Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED),
    Milestone.RTO_BAG_DELIVERED: 0,
    Milestone.RETURN_BAG_IN_TRANSIT: _bits(Milestone.RETURN_BAG_DELIVERED),
    Milestone.RETURN_BAG_DELIVERED: 0,
}
#: the two ends of a forward journey that cannot both be true
_RIVAL = {
    Milestone.DELIVERY_DONE: Milestone.RTO_BAG_DELIVERED,
    Milestone.RTO_BAG_DELIVERED: Milestone.DELIVERY_DONE,
}


@dataclass(frozen=True, kw_only=True)
class PlanInput:
    """The whole drop, a few values per row, rows in the drop's order.

    ``row``: record numbers. ``event_ms``: milliseconds since the epoch or ``NO_TIME``.
    ``auto``: rows whose order needs no pickup sent (auto-dispatch).
    """

    order_id: pa.ChunkedArray
    row: Ints
    status: Ints
    event_ms: Ints
    disposition: Ints
    auto: Mask | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes of each row, and the updates to send.

    Per row: ``disposition``, ``leader`` (the row whose outcome a SHARED one takes, else -1) and,
    sparse, ``faults``. Per update, sorted by chunk and place: ``update_row`` (the row that supplies
    its content), ``update_status``, ``update_added`` (a pickup we add), ``update_chunk``,
    ``update_pos``. ``wave_of_chunk``: per chunk, its wave.
    """

    disposition: Ints
    leader: Ints
    faults: Mapping[int, tuple[Fault, ...]]
    update_row: Ints
    update_status: Ints
    update_added: Mask
    update_chunk: Ints
    update_pos: Ints
    wave_of_chunk: tuple[int, ...] = ()


@dataclass
class _Work:
    """The candidates under way: rows still to be sent, shrinking step by step."""

    rows: Ints  # row index of each candidate
    order: Ints  # dense number of its order
    status: Ints
    event: Ints
    names: pa.Array  # dense number → order id
    faults: dict[int, tuple[Fault, ...]] = field(default_factory=dict)

    def keep(self, mask: Mask) -> None:
        self.rows, self.order = self.rows[mask], self.order[mask]
        self.status, self.event = self.status[mask], self.event[mask]

    def blame(self, row: int, fault: Fault) -> None:
        self.faults[row] = (*self.faults.get(row, ()), fault)


def sendable_orders(given: PlanInput) -> pa.Array:
    """The distinct order ids of the rows that are to be sent, sorted: what to ask the ledger for."""
    send = pa.array(given.disposition == Disposition.SEND)
    unique = pc.unique(given.order_id.filter(send))
    return unique.take(pc.sort_indices(unique))


def plan(
    given: PlanInput,
    standing: Sequence[Standing],
    *,
    chunk_size: int,
    fill_missing_pickup: bool = False,
) -> Plan:
    """Decide every row.

    ``standing`` is what earlier drops did with these orders. Returns the ``Plan``; its chunks hold
    at most ``chunk_size`` updates, an order at most once each, and an order's later milestone lies
    in a later wave.
    """
    disposition = given.disposition.copy()
    leader = np.full(len(disposition), -1, dtype=np.int64)
    work = _candidates(given)
    _reject_conflicts(work, given, disposition)
    accepted = _settle_with_ledger(work, standing, given, disposition)
    _share_repeats(work, given, disposition, leader)
    updates = _in_flow_order(work, given, accepted, fill_missing_pickup=fill_missing_pickup)
    chunk, pos, waves = _pack(updates.wave, updates.row, chunk_size)
    order = np.lexsort((pos, chunk))
    return Plan(
        disposition=disposition,
        leader=leader,
        faults=work.faults,
        update_row=updates.row[order],
        update_status=updates.status[order],
        update_added=updates.added[order],
        update_chunk=chunk[order],
        update_pos=pos[order],
        wave_of_chunk=waves,
    )


def _candidates(given: PlanInput) -> _Work:
    rows = np.flatnonzero(given.disposition == Disposition.SEND)
    ids = given.order_id.take(pa.array(rows)).combine_chunks()
    encoded = pc.dictionary_encode(ids)
    return _Work(
        rows=rows,
        order=encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        status=given.status[rows],
        event=given.event_ms[rows],
        names=encoded.dictionary,
    )


def _reject_conflicts(work: _Work, given: PlanInput, disposition: Ints) -> None:
    """An order that is both delivered and delivered back: nobody can know which; reject all."""
    ends = np.zeros((len(work.names), _SIZE), dtype=bool)
    ends[work.order, work.status] = True
    rivals = ends[:, Milestone.DELIVERY_DONE] & ends[:, Milestone.RTO_BAG_DELIVERED]
    hit = rivals[work.order]
    for at in np.flatnonzero(hit):
        row, order_id = int(work.rows[at]), work.names[int(work.order[at])].as_py()
        work.blame(
            row,
            Fault(
                code=Code.STATUS_CONFLICT,
                column="status",
                message=(
                    f"Row {given.row[row]}: order {order_id} is reported both delivered and "
                    "returned to the seller (RTO) in this file. Keep the row that is true."
                ),
            ),
        )
    disposition[work.rows[hit]] = Disposition.REJECTED
    work.keep(~hit)


def _settle_with_ledger(
    work: _Work, standing: Sequence[Standing], given: PlanInput, disposition: Ints
) -> Ints:
    """Take out what was accepted before, or lies behind it. Returns accepted bits per order."""
    accepted = np.zeros(len(work.names), dtype=np.int64)
    known = [s for s in standing if s.outcome is Outcome.ACCEPTED]
    if not known:
        return accepted
    numbers = pc.index_in(pa.array([s.order_id for s in known]), value_set=work.names)
    first: dict[tuple[int, int], Standing] = {}
    for number, found in zip(numbers.to_pylist(), known, strict=True):
        if number is not None:
            accepted[number] |= 1 << found.status
            first.setdefault((number, found.status), found)
    keep = np.ones(len(work.rows), dtype=bool)
    for at in np.flatnonzero(accepted[work.order] != 0):
        number, milestone = int(work.order[at]), Milestone(int(work.status[at]))
        verdict = _against(milestone, int(accepted[number]))
        if verdict is None:
            continue
        code, reason = verdict
        row = int(work.rows[at])
        rejected = code is Code.STATUS_CONFLICT
        disposition[row] = Disposition.REJECTED if rejected else Disposition.DUPLICATE
        work.blame(row, _known_already(int(given.row[row]), code, reason, first[number, reason]))
        keep[at] = False
    work.keep(keep)
    return accepted


def _against(milestone: Milestone, accepted: int) -> tuple[Code, Milestone] | None:
    """Why a milestone is not sent to an order with these accepted ones, and because of which."""
    if accepted & (1 << milestone):
        return Code.ALREADY_ACCEPTED, milestone
    rival = _RIVAL.get(milestone)
    if rival is not None and accepted & (1 << rival):
        return Code.STATUS_CONFLICT, rival
    if beyond := accepted & _BEYOND[milestone]:
        return Code.STALE, Milestone(beyond.bit_length() - 1)
    return None


def _known_already(row: int, code: Code, because: Milestone, found: Standing) -> Fault:
    when = f" on {found.at}" if found.at else ""
    accepted = f"{because.wire} was accepted from drop {found.drop_id}{when}"
    if code is Code.ALREADY_ACCEPTED:
        message = f"Row {row}: nothing sent, {accepted}."
    elif code is Code.STALE:
        message = f"Row {row}: nothing sent, the order is further along: {accepted}."
    else:
        message = (
            f"Row {row}: this contradicts what the API was told: {accepted}. "
            "Ask the courier which is true."
        )
    return Fault(code=code, column="status", message=message)


def _share_repeats(work: _Work, given: PlanInput, disposition: Ints, leader: Ints) -> None:
    """One update per order and status: the row with the latest event time, else the first one."""
    key = work.order * _SIZE + work.status
    by_key = np.lexsort((work.rows, -np.maximum(work.event, NO_TIME + 1), key))
    sorted_key = key[by_key]
    starts = np.ones(len(by_key), dtype=bool)
    starts[1:] = sorted_key[1:] != sorted_key[:-1]
    leads = by_key[starts][np.cumsum(starts) - 1] if len(by_key) else by_key
    repeats = by_key[~starts]
    leads = leads[~starts]
    leader[work.rows[repeats]] = work.rows[leads]
    disposition[work.rows[repeats]] = Disposition.SHARED
    for at, lead in zip(repeats, leads, strict=True):
        row, of = int(work.rows[at]), int(work.rows[lead])
        work.blame(
            row,
            Fault(
                code=Code.REPEATED_IN_FILE,
                column="order_id",
                message=f"Row {given.row[row]}: repeats row {given.row[of]}, sent once.",
            ),
        )
    mask = np.ones(len(work.rows), dtype=bool)
    mask[repeats] = False
    work.keep(mask)


@dataclass(frozen=True)
class _Updates:
    row: Ints
    status: Ints
    added: Mask
    wave: Ints


def _in_flow_order(
    work: _Work, given: PlanInput, accepted: Ints, *, fill_missing_pickup: bool
) -> _Updates:
    """Give each update its wave: its place among its order's updates, by journey, then rank."""
    row, order, status = work.rows, work.order, work.status
    event, added = work.event, np.zeros(len(row), dtype=bool)
    if fill_missing_pickup:
        lacks = _lacking_pickup(work, given, accepted)
        row = np.concatenate([row, row[lacks]])
        order = np.concatenate([order, order[lacks]])
        status = np.concatenate([status, np.full(lacks.sum(), int(Milestone.BAG_PICKED))])
        event = np.concatenate([event, np.full(lacks.sum(), NO_TIME)])
        added = np.concatenate([added, np.ones(lacks.sum(), dtype=bool)])
    journey = _JOURNEY[status] ^ _return_came_first(order, status, event, len(work.names))[order]
    rank = _RANK[status]
    flow = np.lexsort((rank, journey, order))
    sorted_order = order[flow]
    starts = np.ones(len(flow), dtype=bool)
    starts[1:] = sorted_order[1:] != sorted_order[:-1]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(flow)), 0))
    wave = np.empty(len(flow), dtype=np.int64)
    wave[flow] = np.arange(len(flow)) - first
    _warn_of_times(work, given, flow, starts, journey, row, event)
    return _Updates(row=row, status=status, added=added, wave=wave)


def _lacking_pickup(work: _Work, given: PlanInput, accepted: Ints) -> Mask:
    """Forward ends of orders that nobody ever reported as picked up."""
    picked = np.zeros(len(work.names), dtype=bool)
    picked[work.order[work.status == Milestone.BAG_PICKED]] = True
    ends = (work.status == Milestone.DELIVERY_DONE) | (work.status == Milestone.RTO_BAG_DELIVERED)
    never = accepted & _bits(Milestone.BAG_PICKED) == 0
    lacks = ends & ~picked[work.order] & never[work.order]
    return lacks if given.auto is None else lacks & ~given.auto[work.rows]


def _return_came_first(order: Ints, status: Ints, event: Ints, orders: int) -> Ints:
    """1 for orders whose return was over, by its event times, before the forward journey began."""
    timed = event != NO_TIME
    back = timed & (_JOURNEY[status] == 1)
    forth = timed & (_JOURNEY[status] == 0)
    last_back = np.full(orders, np.iinfo(np.int64).max)
    first_forth = np.full(orders, np.iinfo(np.int64).min)
    if back.any() and forth.any():
        latest = np.full(orders, NO_TIME)
        np.maximum.at(latest, order[back], event[back])
        last_back = np.where(latest == NO_TIME, last_back, latest)
        earliest = np.full(orders, np.iinfo(np.int64).max)
        np.minimum.at(earliest, order[forth], event[forth])
        first_forth = np.where(earliest == np.iinfo(np.int64).max, first_forth, earliest)
    return (last_back < first_forth).astype(np.int64)


def _warn_of_times(
    work: _Work, given: PlanInput, flow: Ints, starts: Mask, journey: Ints, row: Ints, event: Ints
) -> None:
    """TIME_ORDER where, inside one journey, the later milestone has the earlier time."""
    before, after = flow[:-1], flow[1:]
    same = ~starts[1:] & (journey[before] == journey[after])
    timed = (event[before] != NO_TIME) & (event[after] != NO_TIME)
    for at in np.flatnonzero(same & timed & (event[after] < event[before])):
        late, early = int(row[after[at]]), int(row[before[at]])
        work.blame(
            late,
            Fault(
                code=Code.TIME_ORDER,
                column="event_time",
                message=(
                    f"Row {given.row[late]}: its time is before that of row {given.row[early]}, "
                    "an earlier step of the same order. Sent in the order of the steps."
                ),
            ),
        )


def _pack(wave: Ints, row: Ints, chunk_size: int) -> tuple[Ints, Ints, tuple[int, ...]]:
    """Cut each wave, in the file's order, into chunks: chunk number and place of each update."""
    chunk = np.empty(len(wave), dtype=np.int64)
    pos = np.empty(len(wave), dtype=np.int64)
    waves: list[int] = []
    for number in range(int(wave.max()) + 1 if len(wave) else 0):
        of_wave = np.flatnonzero(wave == number)
        of_wave = of_wave[np.argsort(row[of_wave], kind="stable")]
        place = np.arange(len(of_wave))
        chunk[of_wave] = len(waves) + place // chunk_size
        pos[of_wave] = place % chunk_size
        waves += [number] * (-(-len(of_wave) // chunk_size))
    return chunk, pos, tuple(waves)
