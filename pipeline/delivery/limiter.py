"""The limiter that every call passes: rate, concurrency, shared pauses, and hold.

A 429 or an outage concerns the API, not one chunk: a pause that one call causes holds for all.
"""

import asyncio
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count

import structlog

from pipeline.core.shipment import SendingStop
from pipeline.delivery.policy import DeliveryPolicy

_SHORTEST_TIMER = 0.001
"""Event loops count in milliseconds; a shorter wait would only spin."""

log = structlog.get_logger(__name__)


class SendingStopped(Exception):
    """Raised to end a call's wait when sending stops; unsent chunks stay as they are."""


class Outage:
    """The state of an API that accepts nothing. Written in the event loop, read elsewhere.

    ``since``: when the first call was due after the last success, monotonic seconds, or None;
    ``answered``: time of the last proper answer. ``shut``: why sending was last stopped, also
    while it is tried again. ``words``: message of the last failure.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self.answered: float | None = None
        self.shut: SendingStop | None = None
        self.words = ""

    def wanted(self, now: float) -> None:
        """Note that a call is due."""
        if self.since is None:
            self.since = now

    def over(self, now: float) -> None:
        """Note a proper answer of the API."""
        self.since, self.answered, self.shut, self.words = None, now, None, ""


class Limiter:
    """Limits all calls of one event loop, whose clock is ``monotonic``.

    ``owner`` identifies the drop that a call waits for, so that a cancelled drop stops waiting.
    ``on_limited`` is called, in that loop, with the seconds of quiet that the API asked for. Other
    threads may read how sending is.
    """

    def __init__(self, policy: DeliveryPolicy, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._rate = Rate(policy.rate)
        self._queue: list[tuple[int, int, asyncio.Future[bool], object]] = []
        self._sleeping: dict[asyncio.Future[bool], object] = {}
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0
        self._fresh_turn = False
        self._most = policy.concurrency
        self._allowed = float(policy.concurrency)
        self._not_before = 0.0
        self._asked_until = 0.0
        self._unprobed = policy.quiet_unprobed
        self._probe_at = float("inf")
        self._probing = False
        self._failing: set[Hashable] = set()
        self.last_success = float("-inf")
        self.shut: SendingStop | None = None
        self.outage = Outage()
        self.on_limited: Callable[[float], None] = lambda _seconds: None

    # -- passing -------------------------------------------------------------------------------

    async def enter(self, urgency: int = 0, owner: object = None) -> None:
        """Wait for a turn; call ``leave`` once after each return. Raises SendingStopped.

        While concurrency is reduced, the most urgent call and the one that waited longest take
        turns: one chunk's tries show whether the API is back, the others whether it is only that
        chunk.
        """
        if self.shut is not None:
            raise SendingStopped
        now = self._monotonic()
        self.outage.wanted(now)
        if not self._queue and self._wait_from(now) == 0:
            self._begin(now)
            return
        turn = asyncio.get_running_loop().create_future()
        heappush(self._queue, (-urgency, next(self._arrivals), turn, owner))
        self._admit()
        try:
            granted = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()
            raise
        if not granted:
            raise SendingStopped

    def leave(self) -> None:
        """End a call and let the next one in."""
        self._in_flight -= 1
        if self._queue:
            self._admit()

    async def sleep(self, seconds: float, owner: object = None) -> None:
        """Sleep without taking a turn. Raises SendingStopped as soon as sending stops."""
        if self.shut is not None:
            raise SendingStopped
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        self._sleeping[over] = owner
        timer = loop.call_later(seconds, _grant, over, True)
        try:
            if not await over:
                raise SendingStopped
        finally:
            timer.cancel()
            del self._sleeping[over]

    # -- results of calls ----------------------------------------------------------------------

    def succeeded(self) -> None:
        """Note that the API accepted a call: raise the concurrency, forget the failures."""
        self.last_success = self._monotonic()
        self.outage.over(self.last_success)
        if self._probing:
            self._not_before = self._asked_until = 0.0
            self._probing = False
            self._admit()
        if self._failing:
            self._failing.clear()
            log.info("api.answers_again")
        if self._allowed < self._most:
            self._allowed = min(float(self._most), self._allowed + 1 / max(1.0, self._allowed))
            self._admit()

    def refused(self) -> None:
        """Note a refusal: the API can be reached, so an outage is over."""
        if self.shut is None and not (self.outage.shut and self.outage.shut.held):
            self.outage.over(self._monotonic())

    def failed(self, who: Hashable, words: str = "") -> bool:
        """Note that ``who`` failed. True when others failed too since the last success."""
        self.outage.words = words
        if not self._failing:
            log.warning("api.no_success", hint="It is tried again, with growing pauses.")
        self._failing.add(who)
        return len(self._failing) > 1

    @property
    def has_taken(self) -> bool:
        """Return whether the API accepted a call since sending was opened."""
        return self.last_success > float("-inf")

    @property
    def in_flight(self) -> int:
        """Return the number of calls in flight."""
        return self._in_flight

    def share(self, calls: int, rate: float) -> None:
        """Set the limits: calls at once, and calls per second (0: no limit)."""
        if calls != self._most:
            full = self._allowed >= self._most
            self._most = calls
            self._allowed = float(calls) if full else min(self._allowed, float(calls))
        self._rate.change(rate)
        self._admit()

    def limited(self, seconds: float, *, asked: float) -> None:
        """Slow down after a 429, and report it to ``on_limited`` for other senders."""
        self.slow_down(seconds, asked=asked)
        self.on_limited(max(seconds, asked))

    @property
    def waiting(self) -> bool:
        """Return whether a call waits for a turn."""
        return any(not turn.done() for _, _, turn, _ in self._queue)

    def slow_down(self, seconds: float, *, asked: float = 0.0) -> None:
        """Pause all calls for ``seconds``, and halve the concurrency.

        ``asked``: seconds of quiet that the API itself asked for; they also survive a ``reopen``.
        """
        now = self._monotonic()
        if now >= self._not_before:
            # A failure during a pause is of a call sent before it, and is no news.
            self._allowed = max(min(1.0, self._most), self._allowed / 2)
        if now >= self._not_before or self._probing:
            self._probe_at = now + self._unprobed
        self._probing = False
        self._asked_until = max(self._asked_until, now + asked)
        self._not_before = max(self._not_before, now + seconds, self._asked_until)
        self._admit()

    @property
    def pause_left(self) -> float:
        """Return the seconds left of a quiet time that the API asked for.

        Also read from other threads.
        """
        return max(0.0, self._asked_until - self._monotonic())

    @property
    def slowed(self) -> str:
        """Return why calls are slowed down, or "". Also read from other threads."""
        left = self._not_before - self._monotonic()
        if left > 0:
            return f"all calls pause for another {left:.0f} s"
        if int(self._allowed) < self._most:
            return f"{int(self._allowed)} of {self._most} calls at a time"
        return ""

    # -- shutting ------------------------------------------------------------------------------

    def close(self, shut: SendingStop) -> None:
        """Stop all sending. Calls in flight may still be answered."""
        if self.shut is not None:
            return
        self.shut = shut
        if not shut.ours:
            self.outage.shut = shut
        self._turn_away(lambda _owner: True)

    def hold(self, words: str, status: int | None) -> None:
        """Stop all sending: the API refuses every call."""
        answered = f"answered {status}" if status else "refuses every call"
        self.close(
            SendingStop(
                held=True,
                reason=f"The API {answered}: {words}" if words else f"The API {answered}.",
                hint="Check api.base_url, the token and its rights; nothing was rejected.",
                status=status,
            )
        )

    def dismiss(self, owner: object) -> None:
        """End the waits of the calls of ``owner``."""
        self._turn_away(lambda waiting_for: waiting_for is owner)

    def reopen(self) -> None:
        """Allow calls again, one at a time until the first succeeds."""
        self.shut = None
        self.last_success = float("-inf")
        self._failing.clear()
        self._not_before = self._asked_until
        self._allowed = min(1.0, self._most)
        self._admit()

    # -- inside --------------------------------------------------------------------------------

    def _wait_from(self, now: float) -> float:
        """Return the seconds until a call may start; infinity while all turns are taken."""
        if self._in_flight >= int(self._allowed):
            return float("inf")
        quiet = self._not_before - now
        if quiet > 0:
            # One call probes: those in flight were sent before the pause, and prove nothing.
            quiet = min(quiet, float("inf") if self._in_flight else max(0.0, self._probe_at - now))
        return max(0.0, quiet, self._rate.wait(now))

    def _begin(self, now: float) -> None:
        self._in_flight += 1
        if now < self._not_before:
            self._probing, self._probe_at = True, now + self._unprobed
        self._rate.went(now)

    def _admit(self) -> None:
        """Start the calls that may start now; set a timer for the next one."""
        while self._queue:
            if self._queue[0][2].done():
                heappop(self._queue)
                continue
            now = self._monotonic()
            wait = self._wait_from(now)
            if wait > 0:
                self._come_back(wait)
                return
            turn = self._next_turn()
            if not turn.done():
                self._begin(now)
                turn.set_result(True)

    def _next_turn(self) -> "asyncio.Future[bool]":
        """Return the most urgent call, or the least urgent every second time when slowed."""
        self._fresh_turn = not self._fresh_turn and self._allowed < self._most
        if not self._fresh_turn:
            return heappop(self._queue)[2]
        least = max(self._queue, key=lambda each: (each[0], -each[1]))
        self._queue.remove(least)
        heapify(self._queue)
        return least[2]

    def _come_back(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait != float("inf"):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait, _SHORTEST_TIMER), self._admit)

    def _turn_away(self, concerned: Callable[[object], bool]) -> None:
        for _, _, turn, owner in self._queue:
            if concerned(owner):
                _grant(turn, False)
        for over, owner in self._sleeping.items():
            if concerned(owner):
                _grant(over, False)


def _grant(future: "asyncio.Future[bool]", value: bool) -> None:  # noqa: FBT001 - the future's value
    if not future.done():
        future.set_result(value)


_SLOWER = 1.015
"""Calls are spaced this much wider than the limit, so that jitter on the way does not break it."""

_CATCH_UP = 0.004
"""Seconds of lateness that the next calls may make good. Less than ``_SLOWER`` adds to a second, so
that no second ever holds more than its share."""


class Rate:
    """Spaces calls evenly. ``rate`` in calls per second; 0 = no limit."""

    def __init__(self, rate: float) -> None:
        self._space = _SLOWER / rate if rate else 0.0
        self._due = 0.0

    def change(self, rate: float) -> None:
        """Set another rate; it also counts from the last call."""
        space = _SLOWER / rate if rate else 0.0
        self._due += space - self._space
        self._space = space

    def wait(self, now: float) -> float:
        """Return the seconds from ``now`` until a call may start; 0 or less: at once."""
        return self._due - now if self._space else 0.0

    def went(self, now: float) -> None:
        """Note that a call starts now."""
        if self._space:
            self._due = max(self._due, now - _CATCH_UP) + self._space
