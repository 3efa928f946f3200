"""The machine's clock, as an object that can be handed over and stood in for."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The wall clock and the monotonic clock of this machine."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC. It may jump; never measure intervals by it."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        return time.monotonic()
