"""Reasons in the ledger against sending a row: accepted before, stale, or contradicted."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.findings import Finding
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.sendable_rows import (
    WIDTH,
    Bits,
    Mask,
    Numbers,
    Orders,
    SendableRows,
    bit,
    numbers_of,
)
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

_RETURNED = bit(Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED)

#: milestone → what, accepted before, cannot be true together with it: only what was delivered can
#: come back from a customer.
_RIVALS = {
    Milestone.BAG_PICKED: 0,
    Milestone.DELIVERY_DONE: bit(Milestone.RTO_BAG_DELIVERED),
    Milestone.RTO_BAG_DELIVERED: bit(Milestone.DELIVERY_DONE) | _RETURNED,
    Milestone.RETURN_BAG_IN_TRANSIT: bit(Milestone.RTO_BAG_DELIVERED),
    Milestone.RETURN_BAG_DELIVERED: bit(Milestone.RTO_BAG_DELIVERED),
}
#: milestone → what lies beyond it: with one of these accepted it is stale.
_BEYOND = {
    Milestone.BAG_PICKED: bit(*(m for m in Milestone if m is not Milestone.BAG_PICKED)),
    Milestone.DELIVERY_DONE: _RETURNED,
    Milestone.RTO_BAG_DELIVERED: 0,
    Milestone.RETURN_BAG_IN_TRANSIT: bit(Milestone.RETURN_BAG_DELIVERED),
    Milestone.RETURN_BAG_DELIVERED: 0,
}
_VERDICTS = (Code.ALREADY_ACCEPTED, Code.STATUS_CONFLICT, Code.STALE)
_DONE = tuple(at for at, code in enumerate(_VERDICTS) if code is not Code.STATUS_CONFLICT)
_WORDS = {
    Code.ALREADY_ACCEPTED: (": nothing sent, ", "."),
    Code.STALE: (": nothing sent, the order is further along: ", "."),
    Code.STATUS_CONFLICT: (
        ": this contradicts what the API was told: ",
        ". Ask the courier which is true.",
    ),
}


def contradicts(accepted: int) -> bool:
    """Return True when these milestones (bits) of one order cannot all be true (hazards.md B)."""
    return any(accepted & bit(m) and accepted & _RIVALS[m] for m in Milestone)


def objection(milestone: Milestone, accepted: int) -> tuple[Code, Milestone] | None:
    """Return why a milestone is not sent where these were accepted (bits), and because of which.

    None when nothing speaks against it.
    """
    number, because = _against(milestone, accepted)
    return None if number < 0 else (_VERDICTS[number], Milestone(because))


def blocking(histories: Sequence[OrderHistory], seq: int) -> list[OrderHistory]:
    """Return what other drops may still send for these orders before drop ``seq`` may.

    Of drops that wait themselves only those that were claimed before this one come first: so no
    two wait for each other, and an order's files go in the order in which they came.
    """
    return [
        each for each in histories if each.may_still_send and not (each.blocked and each.seq > seq)
    ]


def to_wait_for(blocking: Sequence[OrderHistory]) -> tuple[str, ...]:
    """Return the drops by whose settling of these orders it is seen that all of them have.

    Of drops that wait for an order themselves, the last one in the row waits for all others.
    """
    last: dict[str, OrderHistory] = {}
    for each in blocking:
        if each.blocked and (each.order_id not in last or each.seq > last[each.order_id].seq):
            last[each.order_id] = each
    found = {each.drop_id for each in blocking if each.order_id not in last}
    return tuple(sorted(found | {each.drop_id for each in last.values()}))


def beyond(milestone: Milestone) -> int:
    """Return what lies beyond a milestone, as bits."""
    return _BEYOND[milestone]


def earlier_in_doubt(milestone: Milestone, unknown: int, accepted: int) -> Milestone | None:
    """Return the last of an order's earlier steps that is in doubt, if one is.

    ``unknown``: the steps, as bits, that were sent with an unknown result. One that was accepted,
    or passed by one that was, is no longer in doubt.
    """
    found = [
        m
        for m in Milestone
        if unknown & bit(m) and _BEYOND[m] & bit(milestone) and not accepted & (bit(m) | _BEYOND[m])
    ]
    return max(found, default=None)


def waits_for_doubt(work: SendableRows, unknown: Bits, accepted: Bits, present: Bits) -> Mask:
    """Return candidates with an earlier step in doubt that this file does not send again itself.

    ``unknown``, ``accepted``, ``present``: per order, the bits of what was sent without an end, of
    what was accepted, and of what this file sends.
    """
    waits: Mask = np.zeros(len(work.order), dtype=np.bool_)
    if unknown.any():
        for m in Milestone:
            open_still = (unknown & ~present & bit(m) != 0) & (
                accepted & (bit(m) | _BEYOND[m]) == 0
            )
            waits |= open_still[work.order] & (_BEYOND[m] & 1 << work.status.astype(np.int64) != 0)
    return waits


def sent_in_doubt(work: SendableRows, unknown: Bits) -> Mask:
    """Return candidates that were sent before, they or a later step, with no known outcome."""
    doubt: Mask = np.zeros(len(work.order), dtype=np.bool_)
    if unknown.any():
        for m in Milestone:
            doubt |= (work.status == m) & (unknown[work.order] & (bit(m) | _BEYOND[m]) != 0)
    return doubt


def _against(milestone: Milestone, accepted: int) -> tuple[int, int]:
    """Return a number into ``_VERDICTS`` (-1: send it), and the milestone it is because of."""
    if accepted & bit(milestone):
        return 0, milestone
    for number, grounds in ((1, _RIVALS[milestone]), (2, _BEYOND[milestone])):
        if found := accepted & grounds:
            return number, found.bit_length() - 1
    return -1, 0


_TABLE = np.full((WIDTH, 1 << WIDTH, 2), -1, dtype=np.int8)
for _milestone in Milestone:
    for _bits in range(1 << WIDTH):
        _TABLE[_milestone, _bits] = _against(_milestone, _bits)


def settled(status: Numbers, accepted: Bits) -> Mask:
    """Return which of these updates are not sent. ``accepted``: of their orders, as bits."""
    found: Mask = _TABLE[status, accepted, 0] >= 0
    return found


class Known:
    """Statuses that earlier drops had accepted, for the orders of some candidates."""

    def __init__(self, histories: Sequence[OrderHistory], names: pa.Array) -> None:
        found = [each for each in histories if each.outcome is Outcome.ACCEPTED]
        #: per order, the bits of the milestones that were sent with an unknown result
        self.unknown: Bits = bits_of([e for e in histories if e.outcome is Outcome.UNKNOWN], names)
        #: per order, the bits of what was accepted
        self.accepted: Bits = np.zeros(len(names), dtype=np.uint8)
        if not found:
            return
        numbers = numbers_of([each.order_id for each in found], names)
        wanted = numbers.is_valid().to_numpy(zero_copy_only=False)
        order = numbers.drop_null().to_numpy().astype(np.int64)
        status = np.array([each.status for each in found], dtype=np.int64)[wanted]
        np.bitwise_or.at(self.accepted, order, (1 << status).astype(np.uint8))
        # Who was first: written from the last to the first, so that the first one stays.
        self._first = np.full(len(names) * WIDTH if len(order) else 0, -1, dtype=np.int32)
        self._first[(order * WIDTH + status)[::-1]] = np.flatnonzero(wanted)[::-1]
        self._drops = pa.array([each.source for each in found], pa.string())
        self._times = pa.array([f" on {each.at}" if each.at else "" for each in found], pa.string())

    def settles(self, status: Numbers, orders: Orders) -> Mask:
        """Return which rows of the drop are about a status that was accepted; empty for none."""
        if not self.accepted.any():
            return np.zeros(0, dtype=np.bool_)
        found: Mask = np.isin(_TABLE[status, self.accepted[orders.number], 0], _DONE)
        return found

    def against(self, work: SendableRows, record: Numbers) -> tuple[Mask, list[Finding]]:
        """Return which candidates are not sent, and why, in words. ``record``: number by row."""
        table = _TABLE[work.status, self.accepted[work.order]]
        verdict, because = table[:, 0], table[:, 1]
        findings = []
        for number, code in enumerate(_VERDICTS):
            hit = verdict == number
            if hit.any():
                findings.append(self._finding(code, work.only(hit), because[hit], record))
        return verdict >= 0, findings

    def _finding(
        self, code: Code, work: SendableRows, because: npt.NDArray[np.int8], record: Numbers
    ) -> Finding:
        first = pa.array(self._first[work.order.astype(np.int64) * WIDTH + because])
        before, after = _WORDS[code]
        sentences = pc.binary_join_element_wise(
            "Row ",
            pa.array(record[work.rows]).cast(pa.string()),
            before,
            _WIRE.take(pa.array(because)),
            " was accepted from ",
            self._drops.take(first),
            self._times.take(first),
            after,
            "",
        )
        rows = work.rows.astype(np.int64)
        return Finding(code=code, column="status", rows=rows, sentences=sentences)


def bits_of(found: Sequence[OrderHistory], names: pa.Array) -> Bits:
    """Return per order the bits of these milestones."""
    bits: Bits = np.zeros(len(names), dtype=np.uint8)
    numbers = numbers_of([each.order_id for each in found], names)
    for number, each in zip(numbers.to_pylist(), found, strict=True):
        if number is not None:
            bits[number] |= 1 << each.status
    return bits


_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)])
