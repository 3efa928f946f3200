"""Attempts, back-off, rate: values and pure rules; the waiting is elsewhere."""

import random
from typing import Literal

from msgspec import Struct


class DeliveryPolicy(Struct, frozen=True, kw_only=True):
    """The settings that delivery obeys. Times in seconds; ``rate`` in calls a second, 0 = free.

    ``gather``: answers that come within this time share a commit. ``quiet_unprobed``: in a pause
    that lasts longer one call goes each time so much of it has passed, and may end it.
    """

    concurrency: int
    rate: float
    timeout: float
    max_attempts: int
    give_up_after: float
    reconcile: bool
    when_in_doubt: Literal["resend", "hold"]
    quiet_unprobed: float
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_obeyed: float = 3600.0
    gather: float = 0.01

    def exhausted(self, *, attempts: int, elapsed: float) -> bool:
        """Return True when a chunk has had its share of tries or of time."""
        return attempts >= self.max_attempts or elapsed >= self.give_up_after

    def pause(self, failures: int, rng: random.Random) -> float:
        """Return seconds to wait after the n-th failure in a row: doubling, capped, with jitter."""
        ceiling = min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 1, 16))
        return ceiling * rng.uniform(0.5, 1.0)

    def obeyed(self, retry_after: float | None) -> float:
        """Return seconds of quiet to grant to a ``Retry-After``; a wild value is cut."""
        return min(self.longest_obeyed, max(0.0, retry_after or 0.0))
