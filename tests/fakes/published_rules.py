"""The published rules of the receiving API, written down once more for the campaign.

Nothing here is taken from the pipeline or its sandbox: two who copy from each other agree on
mistakes too.
"""

P, D, R = "bag_picked", "delivery_done", "rto_bag_delivered"
T, V = "return_bag_in_transit", "return_bag_delivered"
STATUSES = (P, D, R, T, V)
MOST_ORDERS = 20
"""Orders in one call."""

NEXT = {
    "dp_assigned": {P},
    P: {D, R},
    # The return of what was delivered is assigned elsewhere: nobody tells us.
    D: {T},
    R: set(),
    "return_dp_assigned": {T},
    T: {V},
    V: set(),
}
BEFORE = {P: "dp_assigned", D: P, R: P, T: "return_dp_assigned", V: T}
"""Where an order nobody told us of must have stood for its first update to be legal."""

BEHIND = {P: {D, R, T, V}, D: {T, V}, R: set(), T: {V}, V: set()}
"""A status is behind those: with one of them accepted, it is old news."""

RIVALS = {D: {R}, R: {D, T, V}, T: {R}, V: {R}}
"""Ends that cannot both be true of one order."""

FLOW = {P: 0, D: 1, R: 1, T: 2, V: 3}

COARSE = {
    "dp_assigned": "PROCESSING",
    P: "TRANSIT",
    D: "DELIVERED",
    R: "RETURN_DELIVERED",
    "return_dp_assigned": "RETURN_PROCESSING",
    T: "RETURN_PROCESSING",
    V: "RETURN_DELIVERED",
}
"""What ``shipment/info`` calls each of them."""

TOLD_BY_INFO = {P, D, R, V}
"""Where ``shipment/info`` can say that an order got there. RETURN_PROCESSING may be the courier's
assignment as well as the pickup of the return."""


def contradictory(statuses: set[str]) -> bool:
    """Whether these cannot all be true of one order."""
    return any(RIVALS.get(one, set()) & statuses for one in statuses)


class Orders:
    """Where every order stands, by the published moves."""

    def __init__(self) -> None:
        self.at: dict[str, str] = {}

    def judge(self, order: str, status: str) -> str:
        """``legal``, ``repeat`` or ``illegal``."""
        stands = self.at.get(order, BEFORE[status])
        if stands == status:
            return "repeat"
        return "legal" if status in NEXT[stands] else "illegal"

    def apply(self, order: str, status: str) -> str:
        """Return the answer, and make a legal move."""
        verdict = self.judge(order, status)
        if verdict == "legal":
            self.at[order] = status
        return verdict
