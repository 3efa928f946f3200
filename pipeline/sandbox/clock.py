"""The time, as an argument."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the sandbox reads the time."""

    def now(self) -> float:
        """Return the wall clock, in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return the wall clock, in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        return time.monotonic()
