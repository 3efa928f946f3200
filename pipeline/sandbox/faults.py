"""Draw the fault of each call. Seeded, so that a bad day can be repeated."""

import math
import random
from collections.abc import Mapping
from email.utils import formatdate
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from pydantic import TypeAdapter, ValidationError

from pipeline.sandbox.answers import Unclear
from pipeline.sandbox.config import Clock, Faults, readable
from pipeline.sandbox.core import CallRefusedError

_FAULTS: Final = TypeAdapter(Faults)
_PERFECT_DAY: Final = Faults()


class Fault(StrEnum):
    """The name of a fault, as the call log has it."""

    STATUS_ALL = "status-all"
    DOWN = "down"
    LIMIT = "limit"
    FAIL_FIRST = "fail-first"
    FAIL = "fail"
    RESET = "reset"
    LOSE = "lose"
    STALL = "stall"
    HTML = "html"
    TRUNCATE = "truncate"
    UNCLEAR = "unclear"


class Decision(Struct, frozen=True, kw_only=True):
    """The fate of one call."""

    fault: Fault | None = None
    status: int = 200
    applied: bool = True  # whether the updates take effect all the same
    before_token: bool = False  # whether it strikes before anybody looks at the token
    retry_after: str | None = None
    shape: Unclear | None = None  # of an answer that says nothing


_NOTHING: Final = Decision()


class TokenBucket:
    """Lets `rate` calls a second through, `burst` of them at once."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        """Start full; a burst of 0 means one second's worth."""
        self._rate = rate
        self._capacity = float(burst) if burst else max(1.0, rate)
        self._level = self._capacity
        self._clock = clock
        self._at = clock.monotonic()

    def take(self) -> float:
        """Take one permit: return 0 when there was one, else the seconds until the next."""
        now = self._clock.monotonic()
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._rate


class FaultInjector:
    """Holds the faults in force and draws the fate of each call."""

    def __init__(self, faults: Faults, clock: Clock, rng: random.Random) -> None:
        """Count `down_seconds` from now."""
        self._clock = clock
        self._rng = rng
        self._started = clock.monotonic()
        self._puts = 0
        self._use(faults)

    @property
    def current(self) -> Faults:
        """Return the faults in force."""
        return self._faults

    def described(self) -> dict[str, Any]:
        """Return the faults in force as plain JSON values."""
        plain: dict[str, Any] = _FAULTS.dump_python(self._faults, mode="json")
        return plain

    def change(self, changes: Mapping[str, object]) -> Faults:
        """Replace the named faults and return all that are now in force.

        `fail_first` and `down_seconds` count again from here. Raises CallRefusedError (400) for
        an unknown name or a wrong value; then nothing changes.
        """
        try:
            faults = _FAULTS.validate_python({**self.described(), **changes})
        except ValidationError as exc:
            raise CallRefusedError(400, readable(exc)) from exc
        if "fail_first" in changes:
            self._puts = 0
        if "down_seconds" in changes:
            self._started = self._clock.monotonic()
        self._use(faults)
        return faults

    def delay(self) -> float:
        """Return the seconds this call has to wait first."""
        faults = self._faults
        if self._quiet or not (faults.latency_ms or faults.jitter_ms):
            return 0.0
        return (faults.latency_ms + faults.jitter_ms * self._rng.random()) / 1000

    def is_down(self) -> bool:
        """Return whether the whole API is away just now."""
        window = self._faults.down_seconds
        if window is None:
            return False
        return window[0] <= self._clock.monotonic() - self._started < window[1]

    def decide(self) -> Decision:
        """Return the fate of the next status call."""
        self._puts += 1
        if self._quiet:
            return _NOTHING
        return self._for_everybody() or self._for_this_call() or _NOTHING

    def _use(self, faults: Faults) -> None:
        previous = getattr(self, "_faults", None)
        self._faults = faults
        self._quiet = faults == _PERFECT_DAY
        limit = (faults.limit_per_second, faults.limit_burst)
        if previous is None or limit != (previous.limit_per_second, previous.limit_burst):
            rate, burst = limit
            self._bucket = TokenBucket(rate, burst, self._clock) if rate else None

    def _for_everybody(self) -> Decision | None:
        faults = self._faults
        if faults.status_all:
            return _early(Fault.STATUS_ALL, faults.status_all, before_token=True)
        if self.is_down():
            return _early(Fault.DOWN, 503, before_token=True)
        wait = self._bucket.take() if self._bucket else 0.0
        if wait:
            return _early(Fault.LIMIT, 429, retry_after=self._retry_after(wait))
        if self._puts <= faults.fail_first:
            return _early(Fault.FAIL_FIRST, self._one_of(faults.fail_status))
        return None

    def _for_this_call(self) -> Decision | None:
        faults = self._faults
        if self._strikes(faults.fail_rate):
            return _early(Fault.FAIL, self._one_of(faults.fail_status))
        if self._strikes(faults.reset_rate):
            return _early(Fault.RESET, 0)
        if self._strikes(faults.lose_rate):
            return Decision(fault=Fault.LOSE)
        if self._strikes(faults.stall_rate):
            return Decision(fault=Fault.STALL)
        if self._strikes(faults.html_rate):
            return self._html()
        if self._strikes(faults.truncate_rate):
            return Decision(fault=Fault.TRUNCATE)
        if self._strikes(faults.unclear_rate):
            return self._unclear()
        return None

    def _unclear(self) -> Decision:
        shapes = self._faults.unclear_shape
        shape = shapes[0] if len(shapes) == 1 else self._rng.choice(shapes)
        applied = self._strikes(self._faults.unclear_applied)
        return Decision(fault=Fault.UNCLEAR, applied=applied, shape=shape)

    def _html(self) -> Decision:
        status = self._one_of(self._faults.html_status)
        applied = status < 300 or self._strikes(0.5)
        return Decision(fault=Fault.HTML, status=status, applied=applied)

    def _strikes(self, rate: float) -> bool:
        # No draw for a fault that is off: turning one on leaves the others' luck as it was.
        return bool(rate) and self._rng.random() < rate

    def _one_of(self, statuses: tuple[int, ...]) -> int:
        return statuses[0] if len(statuses) == 1 else self._rng.choice(statuses)

    def _retry_after(self, wait: float) -> str | None:
        match self._faults.retry_after_form:
            case "seconds":
                return str(max(1, math.ceil(wait)))
            case "date":
                return formatdate(math.ceil(self._clock.now() + wait), usegmt=True)
            case _:
                return None


def _early(
    fault: Fault, status: int, *, before_token: bool = False, retry_after: str | None = None
) -> Decision:
    return Decision(
        fault=fault,
        status=status,
        applied=False,
        before_token=before_token,
        retry_after=retry_after,
    )
