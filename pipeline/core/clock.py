"""Time, as every step is handed it."""

import time
from datetime import UTC, datetime


class Clock:
    """Wall time (aware, UTC) for people, monotonic seconds for waiting; those of this machine."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC. It may jump; never measure intervals by it."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        return time.monotonic()
