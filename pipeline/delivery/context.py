"""The tools that all chunk senders share."""

import random
from datetime import datetime

from msgspec import Struct, field

from pipeline.core.clock import Clock
from pipeline.core.ports import StatusApi
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.mass_refusal import MassRefusal, UnclearAnswers
from pipeline.delivery.order_query import OrderQuery
from pipeline.delivery.policy import DeliveryPolicy


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
