"""Hold ends of two orders that name one parcel: it was delivered, or went back to the seller."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.findings import Finding
from pipeline.core.model import Disposition
from pipeline.core.order_lines import ParcelSeen
from pipeline.planning.earlier_files import ParcelColumns
from pipeline.planning.sendable_rows import NO_TIME, Numbers, Orders, SendableRows
from schemas.codes import Code
from schemas.display import quoted
from schemas.limits import DAY_MS, REUSED_DAYS
from schemas.parcels import TO_CONFIRM, Said, awb_key
from schemas.vocabulary import NO_MILESTONE, Milestone, Role

_ORDERS = 2
"""An AWB under more is no parcel's."""
_REUSED_MS = REUSED_DAYS * DAY_MS


def one_parcel_of_two_orders(
    orders: Orders,
    parcels: ParcelColumns,
    status: Numbers,
    event: Numbers,
    disposition: npt.NDArray[np.int8],
    record: Numbers,
) -> list[Finding]:
    """Return the ends that another order's row contradicts about the same AWB.

    One of the two rows has the AWB or the order id of another, as in a column that was sorted or
    filled down. One of three orders and more is a trip's (LRN), and no parcel's. A scan on the way
    to the customer counts from the day after the delivery; two months apart, the number has been
    given to another parcel. All arguments have a value per row of the drop; ``event``:
    milliseconds; ``record``: record numbers.
    """
    sends = disposition == Disposition.SEND
    delivered = sends & (status == Milestone.DELIVERY_DONE)
    returned = sends & (status == Milestone.RTO_BAG_DELIVERED)
    back = returned | (parcels.said == Said.ON_ITS_WAY_BACK)
    on_its_way = (parcels.said == Said.ON_ITS_WAY) | (parcels.said == Said.AT_A_HUB)
    on_its_way &= (status == NO_MILESTONE) & (event != NO_TIME)
    against = back | on_its_way
    if not (delivered.any() and against.any()):
        return []
    # Those of an AWB that only deliveries have say nothing else of it: they are most of a file.
    told_of = pc.unique(parcels.awbs.filter(pa.array(against)))
    may_be = pc.is_in(parcels.awbs, value_set=told_of).to_numpy()
    may_be &= pc.not_equal(parcels.awbs, "").to_numpy()  # or all rows without one are one group
    if not (delivered & may_be).any():
        return []
    rows = np.flatnonzero((delivered | against) & may_be)
    encoded = parcels.awbs.take(pa.array(rows)).combine_chunks().dictionary_encode()
    awb, of = encoded.indices.to_numpy(), orders.number
    least = np.full(len(encoded.dictionary), len(orders.names), dtype=np.int64)
    most = np.zeros(len(encoded.dictionary), dtype=np.int64)
    np.minimum.at(least, awb, of[rows])
    np.maximum.at(most, awb, of[rows])
    by_awb: dict[str, list[int]] = {}
    for at in np.flatnonzero((least < most)[awb]).tolist():
        by_awb.setdefault(encoded.dictionary[awb[at]].as_py(), []).append(int(rows[at]))

    def contradicts(place: int, other: int) -> bool:
        ends = delivered[place] & against[other] | returned[place] & delivered[other]
        times = int(event[place]), int(event[other])
        return bool(ends) and _may_be_one(*times, scan=bool(on_its_way[other]))

    held: dict[int, str] = {}
    for cell, places in by_awb.items():
        if not awb_key(cell) or len({*of[places].tolist()}) > _ORDERS:
            continue
        # One of each kind will do, the last of the scans: an AWB may stand in any number of rows.
        places.sort(key=lambda place: (on_its_way[place], -int(event[place]), place))
        told = {(of[e], delivered[e], back[e]): e for e in reversed(places)}.values()
        for place in places:
            others = (e for e in told if of[e] != of[place] and contradicts(place, e))
            found = next(others, None)
            if found is not None and not parcels.confirmed[place]:
                held[place] = (
                    f"Row {record[place]}: {Milestone(status[place]).wire} is not sent, "
                    f"because row {record[found]} says otherwise of the same AWB, "
                    f"{quoted(cell)}, under another order. Find out whose AWB it is, "
                    f"and correct the other row's. If this row is true, tick it {TO_CONFIRM}."
                )
    return _findings(held)


def went_back_under_another_order(
    work: SendableRows,
    parcels: ParcelColumns,
    seen: Sequence[ParcelSeen],
    *,
    orders: Orders,
    record: Numbers,
) -> list[Finding]:
    """Return the deliveries of parcels that an earlier file of the courier sent back.

    ``seen``: rows of other drops, those among them that were found by their AWB; ``record``: record
    number by row. An AWB of three orders, here and there, is no parcel's.
    """
    by_awb: dict[str, list[ParcelSeen]] = {}
    for each in seen:
        if each.courier and each.courier == parcels.courier and awb_key(each.awb):
            by_awb.setdefault(each.awb, []).append(each)
    if not by_awb:
        return []
    known = pa.array([*by_awb], pa.string())
    which = pc.index_in(parcels.awbs, value_set=known).fill_null(-1).to_numpy()
    named: dict[int, set[str]] = {}
    rows = np.flatnonzero(which >= 0)
    for awb, order in zip(which[rows].tolist(), orders.of_rows(rows).to_pylist(), strict=True):
        named.setdefault(awb, set()).add(order)
    mine = work.only((work.status == Milestone.DELIVERY_DONE) & (which[work.rows] >= 0))
    held: dict[int, str] = {}
    for row, event in zip(mine.rows.tolist(), mine.event.tolist(), strict=True):
        awb, number = known[which[row]].as_py(), int(which[row])
        own = orders.names[orders.number[row]].as_py()
        there = [e for e in by_awb[awb] if e.order_id not in {own, ""} and _is_near(e, event)]
        if len({own, *named[number], *(each.order_id for each in there)}) > _ORDERS:
            continue
        if there and not parcels.vouched[row]:
            last = there[-1]
            held[row] = (
                f"Row {record[row]}: {Milestone.DELIVERY_DONE.wire} is not sent, because row "
                f"{last.row} of {quoted(last.source_file)} (drop {last.drop_id}) says that the "
                f"same AWB, {quoted(awb)}, goes back to the seller, under another order, "
                f"{quoted(last.order_id)}. Find out whose AWB it is. If this row is true, tick it "
                f"{TO_CONFIRM}."
            )
    return _findings(held)


def _is_near(seen: ParcelSeen, event: int) -> bool:
    """Return whether a row of another drop may be of the parcel that is delivered now."""
    return _may_be_one(NO_TIME if seen.event is None else seen.event, event, scan=False)


def _findings(held: Mapping[int, str]) -> list[Finding]:
    """Return what is to be said of rows, by their places in the drop."""
    if not held:
        return []
    places = sorted(held)
    return [
        Finding(
            code=Code.STATUS_CONFLICT,
            column=Role.EVENT_TIME.value,
            rows=np.array(places, dtype=np.int64),
            sentences=pa.array([held[place] for place in places], pa.string()),
        )
    ]


def _may_be_one(mine: int, other: int, *, scan: bool) -> bool:
    """Return whether two events may be of one parcel; a scan is to be later than a delivery."""
    if NO_TIME in {mine, other}:
        return not scan
    return (DAY_MS if scan else -_REUSED_MS) < other - mine <= _REUSED_MS
