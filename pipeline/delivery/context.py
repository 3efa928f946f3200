"""The tools that all chunk senders share, and the context of one chunk."""

import random
from collections.abc import Callable, Hashable
from datetime import datetime

from msgspec import Struct, field

from pipeline.core.ports import Clock, StatusApi
from pipeline.delivery.api.order_info import Reached
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.mass_refusal import MassRefusal, UnclearAnswers
from pipeline.delivery.order_query import OrderQuery
from pipeline.delivery.policy import DeliveryPolicy
from schemas.vocabulary import Milestone


class Tools(Struct, frozen=True, kw_only=True):
    """Hold the tools that all chunk senders share.

    ``opened_at``: when this thread began to send.
    """

    api: StatusApi
    limiter: Limiter
    policy: DeliveryPolicy
    clock: Clock
    rng: random.Random
    order_query: OrderQuery
    mass_refusal: MassRefusal = field(default_factory=MassRefusal)
    unclear: UnclearAnswers = field(default_factory=UnclearAnswers)
    opened_at: datetime | None = None


class ChunkContext(Struct, frozen=True, kw_only=True):
    """On whose behalf a chunk travels.

    ``owner``: its drop, as the limiter knows it; ``key``: the chunk, among all; ``cancelled``:
    nothing more of the drop is wanted; ``others``: other chunks could be tried now;
    ``may_split``: the drop can still afford a halving; ``taken_up``: since when no other worker
    sends it; ``note_call``: called with the chunk's number before a call leaves; ``reached``: what
    the API said of orders in this pass of the drop.
    """

    owner: object
    key: Hashable
    may_split: Callable[[], bool]
    cancelled: Callable[[], bool] = lambda: False
    others: Callable[[], bool] = lambda: False
    taken_up: datetime | None = None
    note_call: Callable[[int], None] | None = None
    reached: dict[tuple[str, Milestone], Reached] = field(default_factory=dict)
