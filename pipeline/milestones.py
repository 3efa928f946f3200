"""The five statuses the API accepts, and where each stands on an order's way."""

from collections.abc import Mapping
from enum import IntEnum

from msgspec import Struct


class Milestone(IntEnum):
    """The five values of ``orderStatus``. The number is how blocks and the ledger store it."""

    BAG_PICKED = 1
    DELIVERY_DONE = 2
    RTO_BAG_DELIVERED = 3
    RETURN_BAG_IN_TRANSIT = 4
    RETURN_BAG_DELIVERED = 5

    @property
    def wire(self) -> str:
        """The text the API knows it by."""
        return self.name.lower()


NO_MILESTONE = 0
"""Stands in a block's ``status`` column where a row has no milestone."""


class Journey(IntEnum):
    """An order's way to the customer (or back to the seller: RTO), or a customer's return."""

    FORWARD = 0
    RETURN = 1


class Step(Struct, frozen=True, kw_only=True):
    """Where a milestone stands: its journey and how far along it is."""

    journey: Journey
    rank: int
    final: bool


#: The published moves (konnect-api.md): forward picked → delivered, RTO picked → delivered back,
#: return in transit → delivered. A customer return of a delivered order is a new journey.
STEPS: Mapping[Milestone, Step] = {
    Milestone.BAG_PICKED: Step(journey=Journey.FORWARD, rank=1, final=False),
    Milestone.DELIVERY_DONE: Step(journey=Journey.FORWARD, rank=2, final=True),
    Milestone.RTO_BAG_DELIVERED: Step(journey=Journey.FORWARD, rank=2, final=True),
    Milestone.RETURN_BAG_IN_TRANSIT: Step(journey=Journey.RETURN, rank=1, final=False),
    Milestone.RETURN_BAG_DELIVERED: Step(journey=Journey.RETURN, rank=2, final=True),
}
