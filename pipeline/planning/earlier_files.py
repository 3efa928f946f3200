"""Hold final statuses that earlier files leave open, or take back.

The ledger remembers of each row which parcel it named, what it said of it, and when
(``schemas.parcels.Said``). One that was last seen on its way keeps its order open for another; a
scan later than an end keeps that from being sent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from pipeline.core.chunks import Verdict
from pipeline.core.findings import Finding
from pipeline.core.order_lines import ParcelSeen
from pipeline.core.rejects_file import evidence_in
from pipeline.core.row_keys import RejectedRow
from pipeline.planning.parcels_of_orders import EndedElsewhere
from pipeline.planning.replan import Pending
from pipeline.planning.sendable_rows import (
    NO_TIME,
    Mask,
    Numbers,
    Orders,
    SendableRows,
    bit,
    numbers_of,
)
from schemas.codes import Code
from schemas.display import quoted
from schemas.limits import CLOCKS_OFF_MS, DAY_MS
from schemas.normalise import fold_header
from schemas.parcels import (
    BY_AWB,
    TO_CONFIRM,
    UNHEARD,
    Said,
    awb_key,
    parcel_of,
    same_parcel_unknown,
)
from schemas.tab_days import is_of_later_day
from schemas.vocabulary import FINALS, STEPS, Journey, Milestone, Outcome, Role

OUTWARD_ENDS = tuple(each for each in FINALS if STEPS[each].journey is Journey.FORWARD)
OUTWARD = (Milestone.BAG_PICKED, *OUTWARD_ENDS)
RETURNS = tuple(each for each in Milestone if STEPS[each].journey is Journey.RETURN)
_TO_CUSTOMER = frozenset({Said.ON_ITS_WAY, Said.ON_ITS_WAY_AGAIN, Said.AT_A_HUB})
_UNDER_WAY = _TO_CUSTOMER | {Said.ON_ITS_WAY_BACK}
_NOT_THERE = _UNDER_WAY | {Said.MAYBE_BACK}
_TURNED = frozenset({Said.ON_ITS_WAY_BACK, Said.CANCELLED, Said.MAYBE_BACK})
_NEVER_DELIVERED = frozenset({Said.ON_ITS_WAY_BACK, Said.CANCELLED})
_TOLD = frozenset({Said.ENDED, Said.ON_ITS_WAY})
_NO_PICKUP = {
    Milestone.BAG_PICKED: frozenset({Said.NOT_PICKED, Said.CANCELLED}),
    Milestone.RETURN_BAG_IN_TRANSIT: frozenset({Said.NOT_RETURNED}),
}
_SPOILT = _TURNED | UNHEARD | {Said.RETURNING, Said.UNCLEAR}
_AGAINST = _TURNED | UNHEARD | {Said.RETURNING, Said.NOT_PICKED, Said.NOT_RETURNED}


Mended = tuple[str, int, str]
"""A rejected row: its drop, its record number and its order."""


class ParcelColumns(Struct, frozen=True, kw_only=True):
    """The parcels that rows name and their times, a value per row of the drop.

    ``awbs`` as they stand in the file, the first ``AWB_LENGTH`` characters; ``said``: ``Said``, as
    numbers. ``vouched``: a person says that the row's status is true of the whole order,
    ``confirmed``: in so many words. ``nameless``: the row names a way back, and its order id was
    rejected. ``any_parcel``: one parcel speaks for its order; ``zone``: the
    courier's, "" for none of its own. ``mends``: the rejected rows that rows of this file correct:
    drop, row and order, or the key of their AWB. ``source_file``: the name of the file;
    ``latest``: the last event that any of its rows has; ``courier``: the profile it was read with.
    """

    awbs: pa.ChunkedArray
    said: npt.NDArray[np.int8]
    vouched: Mask
    confirmed: Mask
    nameless: Mask
    any_parcel: bool
    zone: str
    mends: frozenset[Mended] = frozenset()
    source_file: str = ""
    latest: int = NO_TIME
    courier: str = ""


def held_by_earlier_files(
    work: SendableRows,
    parcels: ParcelColumns,
    seen: Sequence[ParcelSeen],
    *,
    orders: Orders,
    record: Numbers,
    timezone: str,
    told: Mask,
) -> list[Finding]:
    """Return which of the candidates are held, and why.

    ``seen``: rows of other drops about their orders, in the order of the drops, and those without
    an order id about their AWBs; ``record``: record number by row; ``timezone``: where times
    without a zone are; ``told``: by order, whether its delivery was reported before.
    """
    seen = [each for each in seen if not each.courier]
    if parcels.mends:
        again = {(drop, order) for drop, _, order in parcels.mends}
        seen = [each for each in seen if not _is_mended(each, parcels.mends, again)]
    if not seen:
        return []
    history: dict[int, list[ParcelSeen]] = {}
    numbers = numbers_of([each.order_id for each in seen], orders.names)
    for number, each in zip(numbers.to_pylist(), seen, strict=True):
        if number is not None:
            history.setdefault(number, []).append(each)
    _add_nameless(history, work, parcels, seen)
    known = np.zeros(len(orders.names), dtype=np.bool_)
    known[[*history]] = True
    delivered = told | (work.milestones() & bit(Milestone.DELIVERY_DONE) != 0)
    ends = np.isin(work.status, (*OUTWARD, *RETURNS))
    mine = work.only(ends & known[work.order] & ~parcels.vouched[work.rows])
    mine = _suspects(mine, parcels, history)
    here = _named_here(mine, parcels, orders)
    zone = ZoneInfo(parcels.zone or timezone)
    every = _ends(mine, parcels)
    last: dict[_End, int] = {}
    for end, event in zip(every, mine.event.tolist(), strict=True):
        last[end] = max(last.get(end, NO_TIME), _until(event, zone))
    held: dict[Code, tuple[list[int], list[str]]] = {}
    for at, (order, final, parcel) in enumerate(every):
        elsewhere = [e for e in history[order] if parcel_of(e.awb) not in here[order]]
        objection = _objection(
            parcel,
            final,
            last[order, final, parcel],
            [] if parcels.any_parcel else elsewhere,
            history[order],
            zone,
            parcels.source_file,
            parcels.latest,
            delivered=bool(delivered[order]),
        )
        if objection is not None:
            code, words, against = objection
            rows, sentences = held.setdefault(code, ([], []))
            row = int(mine.rows[at])
            rows.append(row)
            sentences.append(_sentence(words, int(record[row]), final, against))
    return [
        Finding(
            code=code,
            column=_COLUMNS[code].value,
            rows=np.array(rows, dtype=np.int64),
            sentences=pa.array(sentences, pa.string()),
        )
        for code, (rows, sentences) in held.items()
    ]


def without_settled(
    seen: Sequence[ParcelSeen],
    headers: Iterable[Sequence[str]],
    rejected: Callable[[str], Mapping[int, Sequence[RejectedRow]]],
) -> list[ParcelSeen]:
    """Return rows of other drops without the denied deliveries whose columns this file has too.

    What stood there (Fake Delivery: Yes) it says no more, or its row would be held for that. A file
    that merely lacks the column settles nothing, nor is a title or a tab settled so. ``headers``:
    of each sheet; ``rejected``: what is kept of a drop's rejected rows, by record number.
    """
    if not seen:
        return []
    here = frozenset.intersection(*(frozenset(map(fold_header, each)) for each in headers))
    kept = cache(rejected)

    def is_settled(each: ParcelSeen) -> bool:
        rows = [evidence_in(row.around) for row in kept(each.drop_id).get(each.row, ())]
        cells = {fold_header(cell.heading) for row in rows for cell in row.cells}
        return bool(cells) and cells <= here - {""} and not any(row.around for row in rows)

    return [each for each in seen if each.said is not Said.DENIED or not is_settled(each)]


def ended_elsewhere(
    seen: Sequence[ParcelSeen], awbs: pa.ChunkedArray, names: pa.Array
) -> EndedElsewhere:
    """Return what counts the other parcels of an order that came to an end in earlier files.

    Nothing that speaks against it may be known of them, and AWBs must show that they are others.
    ``seen``: rows of other drops; ``awbs``: of the rows of this one; ``names``: the ids of its
    orders, by their numbers.
    """

    @cache
    def history() -> Mapping[int, Sequence[ParcelSeen]]:
        found: dict[int, list[ParcelSeen]] = {}
        numbers = numbers_of([each.order_id for each in seen], names).to_pylist()
        for number, each in zip(numbers, seen, strict=True):
            found.setdefault(-1 if number is None else number, []).append(each)
        return found

    def count(order: int, final: int, rows: Sequence[int]) -> int:
        told = history().get(order, ())
        here = awbs.take(pa.array(rows)).to_pylist()
        unsure = same_parcel_unknown([*here, *(each.awb for each in told)])
        known = {*map(parcel_of, here)}
        if "" in known or any(unsure[: len(here)]):
            return 0
        is_rto = final == Milestone.RTO_BAG_DELIVERED
        against = _SPOILT - {Said.ON_ITS_WAY_BACK} if is_rto else _SPOILT
        ended = {parcel_of(e.awb) for e in told if e.said is Said.ENDED and e.status == final}
        spoilt = {
            parcel_of(each.awb)
            for each, is_unsure in zip(told, unsure[len(here) :], strict=True)
            if is_unsure
            or each.said in against
            or (each.said is Said.ENDED and each.status != final)
        }
        return len(ended - spoilt - known)

    return count


def same_events(
    seen: Sequence[ParcelSeen],
    awbs: pa.ChunkedArray,
    orders: Orders,
    status: Numbers,
    event: Numbers,
) -> Callable[[int], bool]:
    """Return what tells whether a row is about an event that an earlier file reported.

    Of the same order, AWB and time, one of which it has. ``seen``: rows of other drops; the other
    arguments have a value per row of the drop.
    """
    known = {(e.order_id, e.status, parcel_of(e.awb), _event(e)) for e in seen if e.said in _TOLD}

    def is_same(row: int) -> bool:
        order = orders.names[orders.number[row]].as_py()
        parcel, when = parcel_of(awbs[row].as_py()), int(event[row])
        told = bool(parcel) or when != NO_TIME
        return told and (order, int(status[row]), parcel, when) in known

    return is_same


def _add_nameless(
    history: dict[int, list[ParcelSeen]],
    work: SendableRows,
    parcels: ParcelColumns,
    seen: Sequence[ParcelSeen],
) -> None:
    """Add to the history of each order what rows without an order id say of its AWBs."""
    by_awb = _by_awb(seen)
    if not by_awb:
        return
    ends = work.only(np.isin(work.status, OUTWARD_ENDS))
    awbs = map(awb_key, parcels.awbs.take(pa.array(ends.rows)).to_pylist())
    for order, key in set(zip(ends.order.tolist(), awbs, strict=True)):
        if key in by_awb:
            history.setdefault(order, []).extend(by_awb[key])


def _by_awb(seen: Iterable[ParcelSeen]) -> dict[str, list[ParcelSeen]]:
    found: dict[str, list[ParcelSeen]] = {}
    for each in seen:
        if each.order_id.startswith(BY_AWB):
            found.setdefault(each.order_id, []).append(each)
    return found


def blocked_since(
    pending: Sequence[Pending],
    seen: Sequence[ParcelSeen],
    nameless: Sequence[ParcelSeen],
    *,
    drop_id: str,
    any_parcel: bool,
    zone: ZoneInfo,
) -> list[Verdict]:
    """Return which old updates of a drop are held by files that came after it, and why.

    ``seen``: rows of all drops about their orders, this drop's own among them, in the order of the
    drops; ``nameless``: rows of later drops about their AWBs. Updates that may have arrived
    already are asked about, not held.
    """
    by_awb = _by_awb(nameless)
    history: dict[str, list[ParcelSeen]] = {}
    for row in seen:
        history.setdefault(row.order_id, []).append(row)
    verdicts = []
    for each in pending:
        if each.milestone not in OUTWARD or each.doubtful:
            continue
        rows = history.get(each.order_id, [])
        own = [row for row in rows if row.drop_id == drop_id]
        later = rows[rows.index(own[-1]) + 1 :] if own else []
        here = {parcel_of(row.awb) for row in own}
        ends = [row for row in own if row.said in _TOLD and row.status == each.milestone]
        others = [] if any_parcel else [row for row in later if parcel_of(row.awb) not in here]
        for end in ends:
            parcel, event = parcel_of(end.awb), NO_TIME if end.event is None else end.event
            known = [*later, *by_awb.get(awb_key(end.awb), ())]
            objection = _objection(parcel, each.milestone, _until(event, zone), others, known, zone)
            if objection is not None:
                code, words, against = objection
                verdicts.append(
                    Verdict(
                        chunk_no=each.chunk_no,
                        pos=each.pos,
                        outcome=Outcome.REJECTED,
                        code=f"{code}:{_COLUMNS[code]}",
                        message=_sentence(words, end.row, each.milestone, against),
                    )
                )
                break
    return verdicts


_COLUMNS = {Code.PARCELS_OPEN: Role.AWB, Code.STATUS_CONFLICT: Role.EVENT_TIME}


def _objection(
    parcel: str,
    final: Milestone,
    until: int,
    others: Sequence[ParcelSeen],
    history: Sequence[ParcelSeen],
    zone: ZoneInfo,
    source_file: str = "",
    latest: int = NO_TIME,
    *,
    delivered: bool = False,
) -> tuple[Code, str, ParcelSeen] | None:
    """Return why a final status is held: the code, the sentence, and the row that speaks against.

    ``until``: when it ended; ``others``: rows about other parcels, of ``history``, all rows;
    ``source_file``: the name of the file that has it, which may be a day's; ``latest``: the last
    event in it; ``delivered``: whether the order was, which can come back then.
    """
    if final not in OUTWARD_ENDS:
        return _objection_to_step(parcel, final, until, history, zone, delivered=delivered)
    if (still := _still_open(parcel, final, others, zone)) is not None:
        return Code.PARCELS_OPEN, _OPEN if parcel else _WHICH, still
    if (later := _taken_back(parcel, until, final, history, zone, latest)) is not None:
        return Code.STATUS_CONFLICT, _TAKEN_BACK, later
    if until == NO_TIME:
        untimed = (e for e in _same(parcel, history) if _is_scan(e) and e.event is None)
        newer = next((e for e in untimed if is_of_later_day(e.source_file, source_file)), None)
        if newer is not None:
            return Code.STATUS_CONFLICT, _NEWER_FILE, newer
    if final is Milestone.DELIVERY_DONE:
        same = _same(parcel, history)
        turned = next((e for e in same if e.said in _TURNED and not _called_off(e, same)), None)
        if turned is not None:
            words = _SAID_BESIDE if turned.said is Said.MAYBE_BACK else _TURNED_BACK
            return Code.STATUS_CONFLICT, words, turned
        begun = next((e for e in same if e.said is Said.RETURNING and _is_before(e, until)), None)
        if begun is not None:
            return Code.STATUS_CONFLICT, _CAME_BACK, begun
        denied = next((e for e in same if _is_denied(e, until, zone)), None)
        if denied is not None:
            return Code.STATUS_CONFLICT, _DENIED, denied
    return None


def _objection_to_step(
    parcel: str,
    step: Milestone,
    until: int,
    history: Sequence[ParcelSeen],
    zone: ZoneInfo,
    *,
    delivered: bool,
) -> tuple[Code, str, ParcelSeen] | None:
    """Return why a pickup, or a step of a customer's return, is held."""
    if (off := _not_picked(parcel, until, step, history, zone)) is not None:
        return Code.STATUS_CONFLICT, _NOT_PICKED, off
    if step is Milestone.BAG_PICKED or delivered:
        return None
    same = _same(parcel, history)
    back = (e for e in same if e.said in _NEVER_DELIVERED and not _called_off(e, same))
    rto = next(back, None)
    return None if rto is None else (Code.STATUS_CONFLICT, _CALLED_RETURN, rto)


def _is_scan(seen: ParcelSeen) -> bool:
    """Return whether a row says that its parcel is under way; a pickup takes nothing back."""
    return seen.said in _UNDER_WAY and not seen.status


def _is_denied(seen: ParcelSeen, until: int, zone: ZoneInfo) -> bool:
    """Return whether a row that was rejected says that a delivery was none, or not yet.

    One that said delivered itself does so unless the delivery is later.
    """
    event = _event(seen)
    if seen.said is Said.DENIED:
        return NO_TIME in {until, event} or _until(event, zone) >= until
    return seen.said is Said.UNDELIVERED and NO_TIME != until <= event


def _event(seen: ParcelSeen) -> int:
    return NO_TIME if seen.event is None else seen.event


def _is_mended(
    each: ParcelSeen, mends: Collection[Mended], again: Collection[tuple[str, str]]
) -> bool:
    """Return whether a row of this file corrects a rejected one, or one that came back as it was.

    ``again``: the drops whose rows are corrected, each with the row's order.
    """
    mended = (each.drop_id, each.row, each.order_id) in mends
    mended |= (each.parent, each.order_id) in again
    return mended and each.said in UNHEARD


_End = tuple[int, Milestone, str]


def _ends(mine: SendableRows, parcels: ParcelColumns) -> list[_End]:
    """Return of each candidate its order, final status and parcel."""
    awbs = parcels.awbs.take(pa.array(mine.rows)).to_pylist()
    finals = map(Milestone, mine.status.tolist())
    return list(zip(mine.order.tolist(), finals, map(parcel_of, awbs), strict=True))


def _suspects(
    mine: SendableRows, parcels: ParcelColumns, history: dict[int, list[ParcelSeen]]
) -> SendableRows:
    """Return the rows of orders of which something may speak against one: few, most days.

    Nearly every order is one parcel, written alike in all files, with no scan later than its end.
    """
    some = np.zeros(int(mine.order.max(initial=0)) + 1, dtype=np.bool_)
    awbs = parcels.awbs.take(pa.array(mine.rows)).to_pylist()
    for order, awb, event in zip(mine.order.tolist(), awbs, mine.event.tolist(), strict=True):
        for each in history[order]:
            late = each.event is not None and _scanned(each) > event != NO_TIME
            odd = each.said in _UNDER_WAY and (late or each.awb != awb)
            if event == NO_TIME and each.event is None and _is_scan(each):
                odd |= is_of_later_day(each.source_file, parcels.source_file)
            if odd or each.said in _AGAINST:
                some[order] = True
                break
    return mine.only(some[mine.order])


def _named_here(mine: SendableRows, parcels: ParcelColumns, orders: Orders) -> dict[int, set[str]]:
    """Return for each order of the candidates the parcels that rows of this file name."""
    wanted = np.zeros(len(orders.names), dtype=np.bool_)
    wanted[mine.order] = True
    rows = np.flatnonzero(wanted[orders.number])
    found: dict[int, set[str]] = {int(order): set() for order in np.unique(mine.order)}
    awbs = parcels.awbs.take(pa.array(rows)).to_pylist()
    for order, awb in zip(orders.number[rows].tolist(), awbs, strict=True):
        found[order].add(parcel_of(awb))
    return found


def _still_open(
    parcel: str, final: Milestone, history: Iterable[ParcelSeen], zone: ZoneInfo
) -> ParcelSeen | None:
    """Return the latest row of another parcel that leaves the order open, if there is one.

    A row without an AWB is of the order's only parcel; of several, any may be the one it leaves.
    One on its way back leaves no return to the seller open: couriers give a new AWB for that way.
    """
    if not parcel and len({parcel_of(each.awb) for each in history} - {""}) < 2:
        return None
    last: dict[str, ParcelSeen] = {}
    for each in history:
        other = parcel_of(each.awb)
        before = last.get(other)
        if before is None or not _is_earlier(each, before, zone):
            last[other] = each
    against = _TO_CUSTOMER if final is Milestone.RTO_BAG_DELIVERED else _NOT_THERE
    return next(
        (e for other, e in last.items() if other not in {"", parcel} and e.said in against), None
    )


def _taken_back(
    parcel: str,
    until: int,
    final: Milestone,
    history: Sequence[ParcelSeen],
    zone: ZoneInfo,
    latest: int,
) -> ParcelSeen | None:
    """Return the last scan of the same parcel that is later than its end, if there is one.

    A pickup is none unless it is days later: the clocks of hand-held scanners are often wrong.
    Nor is a hub's scan of the hours after, where the file was made after it (``latest``) and still
    reports the end: such a scan was booked late.
    """
    if until == NO_TIME:
        return None
    same = [each for each in _same(parcel, history) if each.event is not None]
    dated = _until(until + 1, zone) != until + 1  # by its date alone
    booked_late = NO_TIME if dated else min(latest - 1, until + DAY_MS // 2)
    scans = (
        each
        for each in same
        if each.said in _UNDER_WAY
        if each.said is not Said.AT_A_HUB or _event(each) > booked_late
    )
    last = max(scans, key=_scanned, default=None)
    if last is None or _scanned(last) <= until:
        return None
    ends = (each for each in same if each.said is Said.ENDED and each.status == final)
    return None if any(_time(each, zone) >= _scanned(last) for each in ends) else last


def _scanned(seen: ParcelSeen) -> int:
    """Return since when a scan speaks against an end; a pickup has only that of its clock."""
    return _event(seen) - (CLOCKS_OFF_MS if seen.status else 0)


def _not_picked(
    parcel: str, until: int, step: Milestone, history: Sequence[ParcelSeen], zone: ZoneInfo
) -> ParcelSeen | None:
    """Return the latest row of a parcel, after its pickup, if it denies the pickup."""
    timed = [each for each in _same(parcel, history) if each.event is not None]
    last = max(timed, key=lambda each: _time(each, zone), default=None)
    if last is None or not NO_TIME != until < _event(last):
        return None
    return last if last.said in _NO_PICKUP.get(step, ()) else None


def _same(parcel: str, history: Sequence[ParcelSeen]) -> list[ParcelSeen]:
    """Return the rows about a parcel.

    Where no more than one parcel of the order is known, rows without an AWB are of that one.
    """
    only_one = len({parcel, *(parcel_of(each.awb) for each in history)} - {""}) <= 1
    return [each for each in history if only_one or parcel_of(each.awb) == parcel]


def _called_off(turned: ParcelSeen, same: Iterable[ParcelSeen]) -> bool:
    """Return whether a way back to the seller was called off later: RTO Cancelled."""
    begun = turned.event
    return (
        turned.said is Said.ON_ITS_WAY_BACK
        and begun is not None
        and any(
            each.said is Said.ON_ITS_WAY_AGAIN and each.event is not None and each.event > begun
            for each in same
        )
    )


def _is_before(seen: ParcelSeen, until: int) -> bool:
    """Return whether a scan may be from before an end: also where a time is missing."""
    return seen.event is None or until == NO_TIME or seen.event < until


def _is_earlier(one: ParcelSeen, other: ParcelSeen, zone: ZoneInfo) -> bool:
    """Return whether a row is earlier by its time than one of an earlier file."""
    if one.event is None or other.event is None:
        return False
    return _time(one, zone) < _time(other, zone)


def _time(seen: ParcelSeen, zone: ZoneInfo) -> int:
    return _until(_event(seen), zone) if seen.said is Said.ENDED else _event(seen)


def _until(event: int, zone: ZoneInfo) -> int:
    """Return the moment until which nothing is later than an end.

    A date alone, which is read as its midnight, counts until its day's end.
    """
    if event == NO_TIME:
        return event
    local = datetime.fromtimestamp(event / 1000, zone)
    return event + DAY_MS - 1 if local.time() == time() else event


def _sentence(words: str, record: int, final: Milestone, against: ParcelSeen) -> str:
    where = f"row {against.row} of {quoted(against.source_file)} (drop {against.drop_id})"
    reason = words.format(awb=quoted(against.awb.strip()), where=where)
    return f"Row {record}: {final.wire} is not sent, because {reason}"


_OPEN = (
    "{awb}, another parcel of the order, was still on its way in another file, {where}. Upload "
    f"a file in which it has reached the same status. If it has, tick the row {TO_CONFIRM}."
)
_WHICH = (
    "the order has several parcels, this row does not tell which one it is, and {awb} was still on "
    "its way in another file, {where}. Upload a file with an AWB in each row. If all parcels have "
    f"reached this status, tick the row {TO_CONFIRM}."
)
_TURNED_BACK = (
    "another file says of the same shipment that it goes back to the seller, or was cancelled: "
    "{where}. If the seller has it, correct the status. If the customer has it, tick the row "
    f"{TO_CONFIRM}."
)
_CALLED_RETURN = (
    "another file says of the same shipment that it goes back to the seller or was cancelled, and "
    "none that it was delivered: {where}. If the seller has it, correct the status. If the "
    f"customer had it, tick the row {TO_CONFIRM}."
)
_SAID_BESIDE = (
    "a row or file that was not accepted names a way back for the same shipment, in a column, a "
    "title, a tab or its name: {where}. If the seller has it, correct the status. If that was "
    f"wrong and the customer has it, tick the row {TO_CONFIRM}; where many rows are true, fill "
    "CONFIRMED down the column."
)
_CAME_BACK = (
    "another file says of the same shipment that it was on a way back before: {where}. If it has "
    "come back, correct the status. If the customer has it, tick the row "
    f"{TO_CONFIRM}."
)
_NEWER_FILE = (
    "a file of a later day by its name says that the same shipment was still on its way: {where}. "
    f"Find out which is true. If it is this row, tick it {TO_CONFIRM}."
)
_DENIED = (
    "a row that was not accepted says of the same shipment that it was not delivered, in its "
    "status, a column, a title or a tab: {where}. Find out which is true. If the customer has it, "
    f"tick the row {TO_CONFIRM}."
)
_NOT_PICKED = (
    "another file says later of the same shipment that it was not picked up: {where}. Find out "
    f"which is true. If it is this row, tick it {TO_CONFIRM}."
)
_TAKEN_BACK = (
    "another file has a later scan of the same shipment that is not final: {where}. Find out "
    f"which is true. If it is this row, tick it {TO_CONFIRM}."
)
