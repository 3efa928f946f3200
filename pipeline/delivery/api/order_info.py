"""Read from an answer of ``shipment/info`` whether an order has reached a milestone.

Its vocabulary is coarser than ours (docs/konnect-api.md, "Sibling endpoints"), so the answer may be
"cannot tell"; and what is not an answer in its shape, such as a log-in page, says nothing at all.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pipeline.core.ports import Reply
from pipeline.delivery.api.response_errors import json_object, says_bad
from schemas.vocabulary import Milestone


class Reached(StrEnum):
    """The state of an order relative to a milestone."""

    YES = "at the status, or beyond"
    NO = "not there yet"
    CANNOT_TELL = "cannot tell"  # its state fits either
    NO_WORD = "the order is not listed, or in a state that is not known"


_Y, _N, _X = Reached.YES, Reached.NO, Reached.CANNOT_TELL
_M = Milestone

#: state → is each milestone reached? RETURN_PROCESSING is a return *or* an RTO that has started,
#: and a return that has started need not have been picked up; DELIVERED rules an RTO neither in
#: nor out.
_STATES: dict[str, dict[Milestone, Reached]] = {
    "PROCESSING": dict.fromkeys(Milestone, _N),
    "TRANSIT": {**dict.fromkeys(Milestone, _N), _M.BAG_PICKED: _Y},
    "DELIVERED": {
        _M.BAG_PICKED: _Y,
        _M.DELIVERY_DONE: _Y,
        _M.RTO_BAG_DELIVERED: _X,
        _M.RETURN_BAG_IN_TRANSIT: _N,
        _M.RETURN_BAG_DELIVERED: _N,
    },
    "RETURN_PROCESSING": {
        _M.BAG_PICKED: _Y,
        _M.DELIVERY_DONE: _X,
        _M.RTO_BAG_DELIVERED: _N,
        _M.RETURN_BAG_IN_TRANSIT: _X,
        _M.RETURN_BAG_DELIVERED: _N,
    },
    "RETURN_DELIVERED": {
        _M.BAG_PICKED: _Y,
        _M.DELIVERY_DONE: _X,
        _M.RTO_BAG_DELIVERED: _Y,
        _M.RETURN_BAG_IN_TRANSIT: _Y,
        _M.RETURN_BAG_DELIVERED: _Y,
    },
}


def parse_order_info(reply: Reply, order_id: str, milestone: Milestone) -> Reached | None:
    """Return whether ``order_id`` is at or beyond ``milestone``; None where this is no answer.

    Never raises.
    """
    orders = _orders_of(reply)
    if orders is None:
        return None
    state = _state_of(orders, order_id)
    return _STATES[state][milestone] if state in _STATES else Reached.NO_WORD


def _orders_of(reply: Reply) -> list[object] | None:
    """Return the orders that it lists, in the published shape; None if it has another, or fails."""
    if not 200 <= reply.status < 300 or reply.status == 206:
        return None
    body = json_object(reply)
    if body is None or _tells_of_a_failure(body):
        return None
    if isinstance(body.get("data"), dict) and "orders" not in body:
        body = body["data"]
    orders = body.get("orders")
    return orders if isinstance(orders, list) and not _tells_of_a_failure(body) else None


def _tells_of_a_failure(level: Mapping[str, Any]) -> bool:
    return says_bad(level, named=False) or bool(level.get("error") or level.get("errors"))


def _state_of(orders: Sequence[object], order_id: str) -> str:
    """Return the state of an order, "" where it is not listed, or not clearly in one state."""
    states = set[str]()
    for order in orders:
        if not isinstance(order, dict):
            continue
        ids = {str(order[key]) for key in ("id", "orderId") if order.get(key) is not None}
        if order_id in ids:
            state = order.get("orderStatus")
            clear = isinstance(state, str) and len(ids) == 1 and not order.get("error")
            states.add(state.strip().upper() if isinstance(state, str) and clear else "")
    return states.pop() if len(states) == 1 else ""
