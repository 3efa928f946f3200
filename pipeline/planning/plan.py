"""Plan which rows are sent, and in which wave and chunk, given the history of their orders.

Pure and vectorised: facts about the whole file (repeats, conflicts, flow order) are decided here,
on a handful of numbers per row. Rules: hazards.md B; limits and moves: docs/konnect-api.md.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.findings import Finding
from pipeline.core.model import Disposition
from pipeline.core.order_lines import OrderHistory, ParcelSeen
from pipeline.planning.earlier_files import (
    OUTWARD_ENDS,
    ParcelColumns,
    ended_elsewhere,
    held_by_earlier_files,
    same_events,
)
from pipeline.planning.order_history_rules import (
    Known,
    bits_of,
    contradicts,
    settled,
    to_wait_for,
)
from pipeline.planning.parcels_of_orders import (
    ParcelRows,
    Siblings,
    began_later,
    not_picked,
    open_parcels,
    superseded,
    taken_back,
    turned_back,
)
from pipeline.planning.sendable_rows import (
    NO_TIME,
    WIDTH,
    Mask,
    Numbers,
    Orders,
    SendableRows,
    bit,
    select_rows,
)
from pipeline.planning.shared_awbs import (
    one_parcel_of_two_orders,
    went_back_under_another_order,
)
from pipeline.planning.status_order import in_flow_order, lacks_pickup
from schemas.codes import Code
from schemas.parcels import awb_key
from schemas.vocabulary import Milestone, Outcome

__all__ = [
    "NO_TIME",
    "Plan",
    "PlanInput",
    "delivered_awbs",
    "ending_awbs",
    "one_by_one",
    "plan",
    "sendable_orders",
    "to_ask_about",
]

_SOME = 10_000

_CONFLICT = np.array([contradicts(bits) for bits in range(1 << WIDTH)])


NONE: Mask = np.zeros(0, dtype=np.bool_)
_NO_STATUS: Numbers = np.zeros(0, dtype=np.int8)


class PlanInput(Struct, frozen=True, kw_only=True):
    """The whole drop, a few whole numbers per row, rows in the drop's order.

    ``orders``: which order each row names. ``row``: record numbers. ``event_ms``: milliseconds
    since the epoch or ``NO_TIME``. ``auto``: rows whose order needs no pickup sent (auto-dispatch).
    ``siblings``: of the rows that name one order, what they say of its parcels;
    ``parcels``: what every row says of its own. ``long_ago``: rows that were rejected for nothing
    but the age of their event; ``came_back``: the status by their own words of those that were
    rejected for nothing but a customer's return that something beside it names, 0 for others. Both
    are empty for none.
    """

    orders: Orders
    row: Numbers
    status: Numbers
    event_ms: Numbers
    disposition: Numbers
    auto: Mask
    parcels: ParcelColumns
    siblings: Siblings | None = None
    long_ago: Mask = NONE
    came_back: Numbers = _NO_STATUS

    @property
    def may_be_known(self) -> Mask:
        """Return the rejected rows that need nobody if their status was accepted before."""
        nothing: Mask = np.zeros(len(self.status), dtype=np.bool_)
        old = self.long_ago if len(self.long_ago) else nothing
        return old | (self.came_back != 0) if len(self.came_back) else old


class Plan(Struct, frozen=True, kw_only=True):
    """The disposition of each row, and the updates to send.

    Per row: ``disposition`` and ``leader`` (the row whose outcome a SHARED one takes, else -1).
    ``findings``: what is to be said of rows, by their place in the drop. Per update, sorted by
    chunk and place: ``update_row`` (the row that supplies its content), ``update_status``,
    ``update_added`` (a pickup we add), ``update_chunk``, ``update_pos``. ``wave_of_chunk``: per
    chunk, its wave; ``doubt_of_chunk``: whether its updates were sent before with an unknown
    result, so that they are asked about first; ``behind_doubt``: whether the result of an earlier
    step of its orders, which another file sent, is unknown, so that these wait for it.
    ``blocked_chunks``: so many of the last chunks have orders that the drops in ``waits_for`` are
    to settle first.
    """

    disposition: npt.NDArray[np.int8]
    leader: npt.NDArray[np.int32]
    findings: tuple[Finding, ...]
    update_row: npt.NDArray[np.int32]
    update_status: npt.NDArray[np.int8]
    update_added: Mask
    update_chunk: npt.NDArray[np.int32]
    update_pos: npt.NDArray[np.int8]
    wave_of_chunk: tuple[int, ...] = ()
    doubt_of_chunk: tuple[bool, ...] = ()
    behind_doubt: tuple[bool, ...] = ()
    blocked_chunks: int = 0
    waits_for: tuple[str, ...] = ()


def sendable_orders(given: PlanInput) -> pa.Array:
    """Return the distinct order ids of the rows to be sent, or that may have been before."""
    return given.orders.among((given.disposition == Disposition.SEND) | given.may_be_known)


def to_ask_about(given: PlanInput, histories: Sequence[OrderHistory]) -> Mask:
    """Return the rows to be sent that rows of other drops may speak against.

    None speaks against what was accepted before, and a tracker has rows of months every day.
    """
    accepted = [each for each in histories if each.outcome is Outcome.ACCEPTED]
    bits = bits_of(accepted, given.orders.names)[given.orders.number]
    found: Mask = (given.disposition == Disposition.SEND) & ~settled(given.status, bits)
    if len(given.came_back):
        found |= (given.came_back != 0) & (bits != 0)
    return found


def ending_awbs(given: PlanInput, rows: Mask) -> Iterator[str]:
    """Yield the AWB names under which rows without an order id report orders that end."""
    ends = rows & np.isin(given.status, OUTWARD_ENDS)
    awbs = pc.unique(given.parcels.awbs.filter(pa.array(ends)))
    yield from sorted({*map(awb_key, awbs.to_pylist())} - {""})


def delivered_awbs(given: PlanInput, rows: Mask) -> Iterator[str]:
    """Yield the AWBs, as they stand there, of the deliveries among some rows."""
    delivered = rows & (given.status == Milestone.DELIVERY_DONE)
    yield from one_by_one(pc.unique(given.parcels.awbs.filter(pa.array(delivered))))


def one_by_one(orders: pa.Array) -> Iterator[str]:
    """Yield the ids as strings, sorted, as a ledger finds them best.

    They are made one at a time: all of them would take several times the memory of the array.
    """
    order = pc.array_sort_indices(orders)
    for start in range(0, len(orders), _SOME):
        yield from orders.take(order.slice(start, _SOME)).to_pylist()


def plan(
    given: PlanInput,
    histories: Sequence[OrderHistory],
    *,
    chunk_size: int,
    fill_missing_pickup: bool,
    timezone: str,
    blocking: Sequence[OrderHistory] = (),
    seen: Sequence[ParcelSeen] = (),
) -> Plan:
    """Decide every row.

    ``histories``: updates of these orders by other drops; ``blocking``: those that other drops may
    still send before this one; ``seen``: rows of theirs that report parcels; ``timezone``: of times
    without a zone. Returns the ``Plan``; its chunks hold at most ``chunk_size`` updates, an
    order at most once each, and an order's later milestone lies in a later wave.
    """
    disposition = given.disposition.astype(np.int8)
    leader = np.full(len(disposition), -1, dtype=np.int32)
    rows = np.flatnonzero(disposition == Disposition.SEND)
    work = select_rows(given.orders, rows, given.status, given.event_ms)
    known = Known(histories, work.names)
    done = known.settles(given.status, given.orders)
    work, conflicts = _without_conflicts(work, given, disposition)
    ended = ended_elsewhere(seen, given.parcels.awbs, work.names)
    opened = partial(open_parcels, elsewhere=ended)
    rules = (opened, taken_back, superseded, began_later, not_picked)
    held = _hold_parcels(given, disposition, *rules, but=done)
    shared = one_parcel_of_two_orders(
        given.orders, given.parcels, given.status, given.event_ms, disposition, given.row
    )
    shared = _without(shared, done)
    for finding in shared:
        disposition[finding.rows] = Disposition.REJECTED
    held += shared
    work = work.only(disposition[work.rows] == Disposition.SEND) if held else work
    hit, findings = known.against(work, given.row)
    for finding in findings:
        rejected = finding.code is Code.STATUS_CONFLICT
        disposition[finding.rows] = Disposition.REJECTED if rejected else Disposition.DUPLICATE
    work = work.only(~hit) if findings else work
    findings += _sent_before(given, known, seen, disposition)
    pending = bits_of(blocking, work.names)
    told = (known.accepted | known.unknown | pending) & bit(Milestone.DELIVERY_DONE) != 0
    # A delivery that an earlier file reported stays one, whatever began since.
    turned = _hold_parcels(given, disposition, partial(turned_back, told=told))
    work = work.only(disposition[work.rows] == Disposition.SEND) if turned else work
    earlier: list[Finding] = []
    by_parcel = partial(held_by_earlier_files, timezone=timezone, told=told)
    for rule in (by_parcel, went_back_under_another_order):
        found = rule(work, given.parcels, seen, orders=given.orders, record=given.row)
        for finding in found:
            disposition[finding.rows] = Disposition.REJECTED
        work = work.only(disposition[work.rows] == Disposition.SEND) if found else work
        earlier += found
    work, repeats = _without_repeats(work, given, disposition, leader)
    lacks = None
    if fill_missing_pickup:
        picked = _picked_elsewhere(work, given, histories) | (
            known.accepted & bit(Milestone.BAG_PICKED) != 0
        )
        lacks = lacks_pickup(work, picked)
    updates, times = in_flow_order(
        work,
        accepted=known.accepted,
        unknown=known.unknown,
        pending=pending,
        add_pickup=lacks,
        record=given.row,
        chunk_size=chunk_size,
    )
    return Plan(
        disposition=disposition,
        leader=leader,
        findings=(*conflicts, *held, *findings, *turned, *earlier, *repeats, *times),
        update_row=updates.row,
        update_status=updates.status,
        update_added=updates.added,
        update_chunk=updates.chunk,
        update_pos=updates.pos,
        wave_of_chunk=updates.waves,
        doubt_of_chunk=updates.doubted,
        behind_doubt=updates.waiting,
        blocked_chunks=updates.blocked,
        waits_for=_waits_for(work, blocking) if updates.blocked else (),
    )


def _sent_before(
    given: PlanInput,
    known: Known,
    seen: Sequence[ParcelSeen],
    disposition: npt.NDArray[np.int8],
) -> list[Finding]:
    """Take rejected rows that were accepted when nothing spoke against them as duplicates.

    Their event is too old by now, or the customer sends the shipment back; a tracker of the year
    has them each day.
    """
    rows = np.flatnonzero(given.may_be_known)
    if not len(rows):
        return []
    status = given.status
    if given.came_back.any():
        status = np.where(given.came_back != 0, given.came_back, status)
        is_same = same_events(seen, given.parcels.awbs, given.orders, status, given.event_ms)
        rows = rows[[not given.came_back[at] or is_same(at) for at in rows.tolist()]]
    old = select_rows(given.orders, rows, status, given.event_ms)
    _, findings = known.against(old, given.row)
    settled = [each for each in findings if each.code is not Code.STATUS_CONFLICT]
    for finding in settled:
        disposition[finding.rows] = Disposition.DUPLICATE
    return settled


def _waits_for(work: SendableRows, blocking: Sequence[OrderHistory]) -> tuple[str, ...]:
    """Return the drops that have to settle orders of these candidates."""
    wanted = work.names.take(pa.array(np.unique(work.order)))
    shared = pc.is_in(pa.array([e.order_id for e in blocking], pa.string()), value_set=wanted)
    pairs = zip(blocking, shared.to_pylist(), strict=True)
    return to_wait_for([each for each, is_shared in pairs if is_shared])


def _hold_parcels(
    given: PlanInput,
    disposition: npt.NDArray[np.int8],
    *rules: Callable[[ParcelRows], list[Finding]],
    but: Mask = NONE,
) -> list[Finding]:
    """Reject final statuses that other rows of the order leave open or take back.

    ``but``: rows whose status was accepted before, which nothing can take back; empty for none.
    """
    siblings = given.siblings
    if siblings is None:
        return []
    at = siblings.rows
    rows = ParcelRows(
        given=siblings,
        order=siblings.order,
        status=given.status[at],
        sends=disposition[at] == Disposition.SEND,
        said=given.parcels.said[at],
        event=given.event_ms[at],
        record=given.row[at],
        confirmed=given.parcels.confirmed[at],
    )
    found = _without([finding for rule in rules for finding in rule(rows)], but)
    for finding in found:
        disposition[finding.rows] = Disposition.REJECTED
    return found


def _without(findings: Sequence[Finding], these: Mask) -> list[Finding]:
    """Return the findings without some rows; ``these``: empty for none."""
    kept = [~these[each.rows] if len(these) else None for each in findings]
    return [
        each
        if keep is None or keep.all()
        else replace(each, rows=each.rows[keep], sentences=each.sentences.filter(pa.array(keep)))
        for each, keep in zip(findings, kept, strict=True)
        if keep is None or keep.any()
    ]


def _without_conflicts(
    work: SendableRows, given: PlanInput, disposition: npt.NDArray[np.int8]
) -> tuple[SendableRows, list[Finding]]:
    """Reject the rows of each order with two ends that exclude each other.

    Return the work without them, and findings that name both ends.
    """
    present = work.milestones()
    hit = _CONFLICT[present][work.order]
    if not hit.any():
        return work, []
    rows = work.rows[hit].astype(np.int64)
    disposition[rows] = Disposition.REJECTED
    delivered = present[work.order[hit]] & bit(Milestone.DELIVERY_DONE) != 0
    sentences = pc.binary_join_element_wise(
        "Row ",
        _text(given.row[rows]),
        ": order ",
        work.ids(hit),
        " is reported both returned to the seller (RTO) and ",
        pc.if_else(pa.array(delivered), "delivered", "sent back by the customer"),
        " in this file. Keep only the rows that are true.",
        "",
    )
    conflict = Finding(code=Code.STATUS_CONFLICT, column="status", rows=rows, sentences=sentences)
    return work.only(~hit), [conflict]


def _without_repeats(
    work: SendableRows,
    given: PlanInput,
    disposition: npt.NDArray[np.int8],
    leader: npt.NDArray[np.int32],
) -> tuple[SendableRows, list[Finding]]:
    """Return one update per order and status.

    The row with the latest event time, else the first one.
    """
    key = work.order * np.int64(WIDTH) + work.status
    seen = np.zeros(len(work.names) * WIDTH, dtype=np.bool_)
    seen[key] = True
    if np.count_nonzero(seen) == len(key):
        return work, []
    # Without a time is earlier than any time; lexsort goes by its last key first.
    by_key = np.lexsort((work.rows, -np.maximum(work.event, NO_TIME + 1), key))
    starts = np.ones(len(by_key), dtype=np.bool_)
    starts[1:] = key[by_key[1:]] != key[by_key[:-1]]
    leads = by_key[starts][np.cumsum(starts) - 1]
    repeats = np.zeros(len(by_key), dtype=np.bool_)
    repeats[by_key[~starts]] = True
    lead_of = np.empty(len(by_key), dtype=np.int64)
    lead_of[by_key] = leads
    rows = work.rows[repeats].astype(np.int64)
    leader[rows] = work.rows[lead_of[repeats]]
    disposition[rows] = Disposition.SHARED
    sentences = pc.binary_join_element_wise(
        "Row ",
        _text(given.row[rows]),
        ": repeats row ",
        _text(given.row[leader[rows]]),
        ", sent once.",
        "",
    )
    repeated = Finding(
        code=Code.REPEATED_IN_FILE, column="order_id", rows=rows, sentences=sentences
    )
    return work.only(~repeats), [repeated]


def _picked_elsewhere(
    work: SendableRows, given: PlanInput, histories: Sequence[OrderHistory]
) -> Mask:
    """Return per order whether its pickup is known from auto-dispatch.

    A row of this file says so, or one of an earlier file.
    """
    before = pa.array([each.order_id for each in histories if each.dispatched], pa.string())
    found: Mask = pc.is_in(work.names, value_set=before).to_numpy(zero_copy_only=False).copy()
    found[given.orders.number[given.auto]] = True
    return found


def _text(numbers: npt.NDArray[Any]) -> pa.Array:
    return pa.array(numbers).cast(pa.string())
