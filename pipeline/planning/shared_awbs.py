"""Hold ends of two orders that name one parcel: it was delivered, or went back to the seller."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.findings import Finding
from pipeline.core.model import Disposition
from pipeline.planning.earlier_files import ParcelColumns
from pipeline.planning.sendable_rows import Numbers, Orders
from schemas.codes import Code
from schemas.display import quoted
from schemas.parcels import TO_CONFIRM, Said, awb_key
from schemas.vocabulary import Milestone, Role

_ORDERS = 2
"""An AWB under more is no parcel's."""


def one_parcel_of_two_orders(
    orders: Orders,
    parcels: ParcelColumns,
    status: Numbers,
    disposition: npt.NDArray[np.int8],
    record: Numbers,
) -> list[Finding]:
    """Return the ends that another order's row contradicts about the same AWB.

    One of the two rows has the AWB or the order id of another, as in a column that was sorted or
    filled down. One of three orders and more is a trip's (LRN), and no parcel's. All arguments have
    a value per row of the drop; ``record``: record numbers.
    """
    sends = disposition == Disposition.SEND
    delivered = np.flatnonzero(sends & (status == Milestone.DELIVERY_DONE))
    returned = sends & (status == Milestone.RTO_BAG_DELIVERED)
    back = np.flatnonzero(returned | (parcels.said == Said.ON_ITS_WAY_BACK))
    if not (len(delivered) and len(back)):
        return []
    awbs = [parcels.awbs.take(pa.array(rows)) for rows in (delivered, back)]
    shared = pc.unique(awbs[0].filter(pc.is_in(awbs[0], value_set=pc.unique(awbs[1]))))
    shared = pa.array([awb for awb in shared.to_pylist() if awb_key(awb)], pa.string())
    if not len(shared):
        return []
    by_awb: dict[str, tuple[list[int], list[int]]] = {}
    for side, (rows, cells) in enumerate(zip((delivered, back), awbs, strict=True)):
        some = pc.is_in(cells, value_set=shared)
        found = rows[some.to_numpy()].tolist()
        for row, awb in zip(found, cells.filter(some).to_pylist(), strict=True):
            by_awb.setdefault(awb, ([], []))[side].append(row)
    held: dict[int, str] = {}
    of = orders.number
    for awb, sides in by_awb.items():
        few = len({*of[[*sides[0], *sides[1]]].tolist()}) <= _ORDERS
        for mine, others in (sides, sides[::-1]) if few else ():
            first = others[0]
            second = next((each for each in others if of[each] != of[first]), None)
            for place in mine:
                against = second if of[place] == of[first] else first
                if against is not None and sends[place] and not parcels.confirmed[place]:
                    held[place] = (
                        f"Row {record[place]}: {Milestone(status[place]).wire} is not sent, "
                        f"because row {record[against]} says otherwise of the same AWB, "
                        f"{quoted(awb)}, under another order. Find out whose AWB it is, "
                        f"and correct the other row's. If this row is true, tick it {TO_CONFIRM}."
                    )
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
