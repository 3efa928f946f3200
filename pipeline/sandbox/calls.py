"""Remember calls: the last ones in full, all of them as counts."""

from collections import Counter, deque
from enum import StrEnum
from typing import Any, TypedDict

from msgspec import Struct, field

from pipeline.sandbox.clock import Clock


class Kind(StrEnum):
    """Which endpoint a call was for."""

    STATUS = "status"
    INFO = "info"
    TOKEN = "token"


class Stats(TypedDict):
    """The answer of `/_sandbox/stats`. `calls` and all that follows it is about status calls."""

    orders: int
    accepted: int
    refused: int
    illegal: int
    repeats: int
    duplicates: int
    info_calls: int
    token_calls: int
    calls: int
    calls_refused: int
    max_items: int
    max_concurrency: int
    status_codes: dict[str, int]
    faults: dict[str, int]


class Call(Struct, kw_only=True):
    """One call; the outcome is filled in when it is known."""

    number: int
    kind: Kind
    at: float
    method: str
    path: str
    updates: list[tuple[str, str]] = field(default_factory=list)
    status: int | None = None  # None: not answered yet, or never
    fault: str | None = None
    ended: float | None = None  # when it was answered or given up; None: still running

    def described(self) -> dict[str, Any]:
        """Return the call as plain JSON values."""
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "updates": [list(update) for update in self.updates],
            "fault": self.fault,
            "ended": self.ended,
        }


class CallLog:
    """Counts every call and keeps the last `size` of them."""

    def __init__(self, size: int, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._kept: deque[Call] = deque(maxlen=size)
        self.keeps = size > 0
        self._number = 0
        self._running = 0
        self.max_running = 0
        self.max_items = 0
        self.refused = 0
        self.kinds: Counter[Kind] = Counter()
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def begin(self, kind: Kind, method: str, path: str) -> Call:
        """Record that a call has arrived."""
        self._number += 1
        self.kinds[kind] += 1
        call = Call(number=self._number, kind=kind, at=self._clock.now(), method=method, path=path)
        if self.keeps:
            self._kept.append(call)
        if kind is Kind.STATUS:
            self._running += 1
            self.max_running = max(self.max_running, self._running)
        return call

    def end(self, call: Call) -> None:
        """Count a call's outcome."""
        call.ended = self._clock.now()
        if call.kind is not Kind.STATUS:
            return
        self._running -= 1
        self.statuses["none" if call.status is None else str(call.status)] += 1
        if call.fault is not None:
            self.faults[call.fault] += 1

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the kept calls after that number, in order of arrival."""
        return [call.described() for call in self._kept if call.number > number]
