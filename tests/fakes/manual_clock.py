"""A clock that moves only when a test moves it."""

from datetime import UTC, datetime, timedelta

from pipeline.core.clock import Clock


class ManualClock(Clock):
    """The clock of the product, which a test moves."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 14, 41, 23, 123000, UTC)) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set_wall(self, moment: datetime) -> None:
        """Let the wall clock jump, as a time server does; the monotonic clock stays."""
        self._now = moment
