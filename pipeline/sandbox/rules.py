"""The published rules: which states an order knows, and which moves are legal. Data, no code."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

MAX_ITEMS: Final = 20
MAX_BODY_BYTES: Final = 1_000_000


class State(StrEnum):
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
MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.DP_ASSIGNED: frozenset({State.BAG_PICKED}),
    State.BAG_PICKED: frozenset({State.DELIVERY_DONE, State.RTO_BAG_DELIVERED}),
    State.DELIVERY_DONE: frozenset({State.RETURN_BAG_IN_TRANSIT}),
    State.RTO_BAG_DELIVERED: frozenset(),
    State.RETURN_DP_ASSIGNED: frozenset({State.RETURN_BAG_IN_TRANSIT}),
    State.RETURN_BAG_IN_TRANSIT: frozenset({State.RETURN_BAG_DELIVERED}),
    State.RETURN_BAG_DELIVERED: frozenset(),
    State.CANCELLED: frozenset(),
    State.NOT_SELF_SHIP: frozenset(),
}

# The statuses a call may carry, each with the state an unseen order is taken to stand in before it.
BEFORE: Final[Mapping[State, State]] = {
    State.BAG_PICKED: State.DP_ASSIGNED,
    State.DELIVERY_DONE: State.BAG_PICKED,
    State.RTO_BAG_DELIVERED: State.BAG_PICKED,
    State.RETURN_BAG_IN_TRANSIT: State.RETURN_DP_ASSIGNED,
    State.RETURN_BAG_DELIVERED: State.RETURN_BAG_IN_TRANSIT,
}

# The coarser vocabulary of `shipment/info`. CANCELLED is not published; it has to say something.
COARSE: Final[Mapping[State, str]] = {
    State.DP_ASSIGNED: "PROCESSING",
    State.BAG_PICKED: "TRANSIT",
    State.DELIVERY_DONE: "DELIVERED",
    State.RTO_BAG_DELIVERED: "RETURN_DELIVERED",
    State.RETURN_DP_ASSIGNED: "RETURN_PROCESSING",
    State.RETURN_BAG_IN_TRANSIT: "RETURN_PROCESSING",
    State.RETURN_BAG_DELIVERED: "RETURN_DELIVERED",
    State.CANCELLED: "CANCELLED",
    State.NOT_SELF_SHIP: "PROCESSING",
}
