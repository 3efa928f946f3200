"""The gate every call passes: pace, pauses that all obey, how many at once, and hold.

A 429 or an outage is the API's, not one chunk's: what one call learns, all calls obey.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.delivery.policy import DeliveryPolicy


@dataclass(frozen=True, kw_only=True)
class Shut:
    """Why nothing is sent any more. ``held``: the API will not take us; else it is out of reach."""

    held: bool
    reason: str
    hint: str = ""


class GateShut(Exception):  # noqa: N818 - a signal inside this room, never an error of its own
    """Nothing may be sent any more; what was not yet sent stays as it is."""


class Gate:
    """Shared by all calls; lives in one event loop. ``monotonic`` is that loop's clock."""

    def __init__(self, policy: DeliveryPolicy, *, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._waiters: set[asyncio.Future[None]] = set()
        self._in_flight = 0
        self._allowed = float(policy.concurrency)
        self._not_before = 0.0
        self._next_slot = 0.0
        self.failures = 0
        self.last_success = float("-inf")
        self.shut: Shut | None = None

    async def enter(self) -> None:
        """Wait for a turn; every return is answered by one ``leave``. Raises GateShut."""
        while True:
            if self.shut is not None:
                raise GateShut
            now = self._monotonic()
            if now < self._not_before:
                await self._wait(self._not_before - now)
            elif self._in_flight >= int(self._allowed):
                await self._wait(None)
            elif self._policy.rate and now < self._next_slot:
                if await self._take_slot(now):
                    return
            else:
                if self._policy.rate:
                    self._next_slot = now + 1 / self._policy.rate
                self._in_flight += 1
                return

    async def _take_slot(self, now: float) -> bool:
        """Book the next slot before waiting for it, so that no two calls share one."""
        slot, self._next_slot = self._next_slot, self._next_slot + 1 / self._policy.rate
        self._in_flight += 1
        while self.shut is None and (left := slot - self._monotonic()) > 0:
            await self._wait(left)
        if self.shut is None and self._monotonic() >= self._not_before:
            return True
        self.leave()
        return False

    def leave(self) -> None:
        """A call is over: let the next one in."""
        self._in_flight -= 1
        self._wake()

    def succeeded(self) -> None:
        """The API took a call: go a little faster, forget the failures."""
        self.failures = 0
        self.last_success = self._monotonic()
        if self._allowed < self._policy.concurrency:
            self._allowed = min(self._policy.concurrency, self._allowed + 1 / self._allowed)
            self._wake()

    def slow_down(self, seconds: float) -> None:
        """All calls pause for ``seconds``; half as many go out together from now on."""
        self._not_before = max(self._not_before, self._monotonic() + seconds)
        self._allowed = max(1.0, self._allowed / 2)

    def close(self, shut: Shut) -> None:
        """Stop all sending. What is out already may still be answered."""
        if self.shut is None:
            self.shut = shut
            self._wake()

    def reopen(self) -> None:
        """Let calls out again, one at a time until the first succeeds."""
        self.shut = None
        self.failures = 0
        self._not_before = 0.0
        self._allowed = 1.0
        self._wake()

    async def _wait(self, seconds: float | None) -> None:
        """Until something changes here, at most ``seconds``."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=seconds)
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
