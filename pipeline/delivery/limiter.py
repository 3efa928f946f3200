"""The limiter that every call passes: rate, pauses that all obey, how many at once, and hold.

A 429 or an outage is the API's, not one chunk's: what one call learns, all calls obey.
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
    """A signal, no error: nothing may be sent any more; unsent chunks stay as they are."""


class Outage:
    """The state of an API that accepts nothing. Written in the event loop, read elsewhere.

    ``since``: when a call first wanted to go with nothing taken after it, monotonic seconds, or
    None; ``answered``: when it last answered as it should. ``shut``: why sending was last shut,
    also while it is tried again. ``words``: those of the last failure.
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
        """Note that the API answered as it should."""
        self.since, self.answered, self.shut, self.words = None, now, None, ""


class Limiter:
    """Shared by all calls; lives in one event loop. ``monotonic`` is that loop's clock.

    ``owner`` names on whose behalf somebody waits, so that a cancelled drop need not wait on.
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
        """Wait for a turn; every return is answered by one ``leave``. Raises SendingStopped.

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
        """Let this much time pass without a turn. Raises SendingStopped as soon as sending ends."""
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

    # -- what calls have learned ---------------------------------------------------------------

    def succeeded(self) -> None:
        """Note that the API took a call: go a little faster, forget the failures."""
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
        """Return whether the API took a call since sending was opened."""
        return self.last_success > float("-inf")

    @property
    def in_flight(self) -> int:
        """Return calls that are out."""
        return self._in_flight

    def share(self, calls: int, rate: float) -> None:
        """Allow at most so many calls at once, and so many a second (0: no bound), from now on."""
        if calls != self._most:
            full = self._allowed >= self._most
            self._most = calls
            self._allowed = float(calls) if full else min(self._allowed, float(calls))
        self._rate.change(rate)
        self._admit()

    def limited(self, seconds: float, *, asked: float) -> None:
        """Slow down after a 429, and pass that on to others who send to the API."""
        self.slow_down(seconds, asked=asked)
        self.on_limited(max(seconds, asked))

    @property
    def waiting(self) -> bool:
        """Return whether somebody waits for a turn."""
        return any(not turn.done() for _, _, turn, _ in self._queue)

    def slow_down(self, seconds: float, *, asked: float = 0.0) -> None:
        """Pause all calls for ``seconds``; half as many go out together from now on.

        ``asked``: how long the API itself asked for quiet; that holds over a ``reopen`` too.
        """
        now = self._monotonic()
        if now >= self._not_before:
            # What comes back during a pause was sent before it, and tells nothing new.
            self._allowed = max(min(1.0, self._most), self._allowed / 2)
        if now >= self._not_before or self._probing:
            self._probe_at = now + self._unprobed
        self._probing = False
        self._asked_until = max(self._asked_until, now + asked)
        self._not_before = max(self._not_before, now + seconds, self._asked_until)
        self._admit()

    @property
    def pause_left(self) -> float:
        """Return seconds for which the API itself asked for quiet yet.

        Read from other threads too.
        """
        return max(0.0, self._asked_until - self._monotonic())

    @property
    def slowed(self) -> str:
        """Return why calls go slower than they might: "" or words. Read from other threads too."""
        left = self._not_before - self._monotonic()
        if left > 0:
            return f"all calls pause for another {left:.0f} s"
        if int(self._allowed) < self._most:
            return f"{int(self._allowed)} of {self._most} calls at a time"
        return ""

    # -- shutting ------------------------------------------------------------------------------

    def close(self, shut: SendingStop) -> None:
        """Stop all sending. What is out already may still be answered."""
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
        """Turn away whoever waits for ``owner``."""
        self._turn_away(lambda waiting_for: waiting_for is owner)

    def reopen(self) -> None:
        """Let calls out again, one at a time until the first succeeds."""
        self.shut = None
        self.last_success = float("-inf")
        self._failing.clear()
        self._not_before = self._asked_until
        self._allowed = min(1.0, self._most)
        self._admit()

    # -- inside --------------------------------------------------------------------------------

    def _wait_from(self, now: float) -> float:
        """Return seconds until a call may go, 0 for at once, infinity until another one is over."""
        if self._in_flight >= int(self._allowed):
            return float("inf")
        quiet = self._not_before - now
        if quiet > 0:
            # One call tries: what is still out was sent before the pause, and would tell nothing.
            quiet = min(quiet, float("inf") if self._in_flight else max(0.0, self._probe_at - now))
        return max(0.0, quiet, self._rate.wait(now))

    def _begin(self, now: float) -> None:
        self._in_flight += 1
        if now < self._not_before:
            self._probing, self._probe_at = True, now + self._unprobed
        self._rate.went(now)

    def _admit(self) -> None:
        """Let in whoever may go now; come back when the next one may."""
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
        """Return the most urgent, or, when few may go, by turns the one that was tried least."""
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
    """When the next call may go. ``rate`` in calls per second, 0 = whenever it likes."""

    def __init__(self, rate: float) -> None:
        self._space = _SLOWER / rate if rate else 0.0
        self._due = 0.0

    def change(self, rate: float) -> None:
        """Set another rate; the call that went last keeps its distance."""
        space = _SLOWER / rate if rate else 0.0
        self._due += space - self._space
        self._space = space

    def wait(self, now: float) -> float:
        """Return seconds from ``now`` until a call may go; 0 or less: at once."""
        return self._due - now if self._space else 0.0

    def went(self, now: float) -> None:
        """Note that a call goes now."""
        if self._space:
            self._due = max(self._due, now - _CATCH_UP) + self._space
