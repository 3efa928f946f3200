"""What every passage of one room uses, and what belongs to one chunk's errand."""

import random
from collections.abc import Callable, Hashable
from datetime import datetime

from msgspec import Struct, field

from pipeline.core.ports import Clock, StatusApi
from pipeline.delivery.limiter import Gate
from pipeline.delivery.mass_refusal import Jury
from pipeline.delivery.order_query import Asker, Told
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.delivery.unclear import UnclearAnswers
from schemas.vocabulary import Milestone


class Tools(Struct, frozen=True, kw_only=True):
    """Shared by all passages. ``opened_at``: when this room began to send."""

    api: StatusApi
    gate: Gate
    policy: DeliveryPolicy
    clock: Clock
    rng: random.Random
    asker: Asker
    jury: Jury = field(default_factory=Jury)
    unclear: UnclearAnswers = field(default_factory=UnclearAnswers)
    opened_at: datetime | None = None


class Errand(Struct, frozen=True, kw_only=True):
    """On whose behalf a chunk travels.

    ``owner``: its drop, as the gate knows it; ``key``: the chunk, among all; ``cancelled``: nothing
    more of the drop is wanted; ``others``: other chunks could be tried now; ``may_split``: the drop
    can still afford a halving; ``taken_up``: since when no other worker sends it; ``leaves``: is
    told the chunk's number before a call goes; ``told``: what was told of orders in this pass of
    the drop.
    """

    owner: object
    key: Hashable
    may_split: Callable[[], bool]
    cancelled: Callable[[], bool] = lambda: False
    others: Callable[[], bool] = lambda: False
    taken_up: datetime | None = None
    leaves: Callable[[int], None] = lambda _no: None
    told: dict[tuple[str, Milestone], Told] = field(default_factory=dict)
