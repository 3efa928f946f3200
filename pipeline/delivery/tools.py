"""What every passage of one room uses, and what belongs to one chunk's errand."""

import random
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime

from msgspec import Struct, field

from pipeline.delivery.asking import Asker
from pipeline.delivery.gate import Gate
from pipeline.delivery.jury import Jury
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.ports import Clock, StatusApi
from schemas.vocabulary import Milestone, Outcome


class Before(Struct, frozen=True, kw_only=True):
    """How an order's earlier milestone in this drop ended, if not well.

    ``code``: that of its verdict, where its chunk has ended; what ended as unknown stays so until
    asking or a person settles it (decision 26).
    """

    milestone: Milestone
    outcome: Outcome
    code: str = ""


#: order id → its earlier milestone
Earlier = Mapping[str, Before]


class Tools(Struct, frozen=True, kw_only=True):
    """Shared by all passages. ``opened_at``: when this room began to send."""

    api: StatusApi
    gate: Gate
    policy: DeliveryPolicy
    clock: Clock
    rng: random.Random
    asker: Asker
    jury: Jury = field(default_factory=Jury)
    opened_at: datetime | None = None


class Errand(Struct, frozen=True, kw_only=True):
    """On whose behalf a chunk travels.

    ``owner``: its drop, as the gate knows it; ``key``: the chunk, among all; ``cancelled``: nothing
    more of the drop is wanted; ``others``: other chunks could be tried now; ``may_split``: the drop
    can still afford a halving; ``taken_up``: since when no other worker sends it.
    """

    owner: object
    key: Hashable
    may_split: Callable[[], bool]
    cancelled: Callable[[], bool] = lambda: False
    others: Callable[[], bool] = lambda: False
    taken_up: datetime | None = None
