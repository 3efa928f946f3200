"""The published rules: which states an order knows, and which moves are legal. Data, no code."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

MAX_ITEMS: Final = 20
MAX_BODY_BYTES: Final = 1_000_000


class OrderState(StrEnum):
    """Where an order stands."""

    DP_ASSIGNED = "dp_assigned"  # a courier has it to pick up
    BAG_PICKED = "bag_picked"
    DELIVERY_DONE = "delivery_done"
    RTO_BAG_DELIVERED = "rto_bag_delivered"  # never reached the customer, back at the seller
    RETURN_DP_ASSIGNED = "return_dp_assigned"  # a customer's return has a courier
    RETURN_BAG_IN_TRANSIT = "return_bag_in_transit"
    RETURN_BAG_DELIVERED = "return_bag_delivered"
    CANCELLED = "cancelled"  # takes no update
    NOT_SELF_SHIP = "not_self_ship"  # takes no update: another model ships it


# A delivered order may begin its return leg: the assignment of the return's courier happens on
# the other side, where we cannot see it.
MOVES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    OrderState.DP_ASSIGNED: frozenset({OrderState.BAG_PICKED}),
    OrderState.BAG_PICKED: frozenset({OrderState.DELIVERY_DONE, OrderState.RTO_BAG_DELIVERED}),
    OrderState.DELIVERY_DONE: frozenset({OrderState.RETURN_BAG_IN_TRANSIT}),
    OrderState.RTO_BAG_DELIVERED: frozenset(),
    OrderState.RETURN_DP_ASSIGNED: frozenset({OrderState.RETURN_BAG_IN_TRANSIT}),
    OrderState.RETURN_BAG_IN_TRANSIT: frozenset({OrderState.RETURN_BAG_DELIVERED}),
    OrderState.RETURN_BAG_DELIVERED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.NOT_SELF_SHIP: frozenset(),
}

# The statuses a call may carry, each with the state an unseen order is taken to stand in before it.
BEFORE: Final[Mapping[OrderState, OrderState]] = {
    OrderState.BAG_PICKED: OrderState.DP_ASSIGNED,
    OrderState.DELIVERY_DONE: OrderState.BAG_PICKED,
    OrderState.RTO_BAG_DELIVERED: OrderState.BAG_PICKED,
    OrderState.RETURN_BAG_IN_TRANSIT: OrderState.RETURN_DP_ASSIGNED,
    OrderState.RETURN_BAG_DELIVERED: OrderState.RETURN_BAG_IN_TRANSIT,
}

# The coarser vocabulary of `shipment/info`. CANCELLED is not published; it has to say something.
COARSE: Final[Mapping[OrderState, str]] = {
    OrderState.DP_ASSIGNED: "PROCESSING",
    OrderState.BAG_PICKED: "TRANSIT",
    OrderState.DELIVERY_DONE: "DELIVERED",
    OrderState.RTO_BAG_DELIVERED: "RETURN_DELIVERED",
    OrderState.RETURN_DP_ASSIGNED: "RETURN_PROCESSING",
    OrderState.RETURN_BAG_IN_TRANSIT: "RETURN_PROCESSING",
    OrderState.RETURN_BAG_DELIVERED: "RETURN_DELIVERED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.NOT_SELF_SHIP: "PROCESSING",
}
