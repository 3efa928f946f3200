"""When the inbox is looked at: at intervals, sooner when something happened, never too often."""

from contextlib import suppress
from queue import Empty, SimpleQueue

_DEAF_SECONDS = 0.6
"""After a claim the loop looks by itself for this long: watchdog keeps half of our own rename back
for half a second, and every event behind it."""


class Bell:
    """Rung from any thread and from signal handlers; one thread waits for it.

    No ``threading.Event``: a handler runs in the thread that waits, and could come while that one
    holds the event's lock; it would never be released. A ``SimpleQueue`` may be filled
    anywhere.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """End the wait under way, or the next one."""
        self._rings.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it was rung since the last wait, at most so long."""
        with suppress(Empty):
            self._rings.get(timeout=seconds)
            while True:
                self._rings.get_nowait()


class ScanTimer:
    """Owned by the service's thread, but for ``wake``. Moments are monotonic seconds.

    ``scan``: seconds from look to look; ``settle``: for which a file has to be as it is.

    ``more``: ready files are left, which the next turn may claim.
    """

    def __init__(self, *, scan: float, settle: float) -> None:
        self._scan = scan
        self._settle = settle
        self._wanted = True
        self._due = 0.0
        self._not_before = 0.0
        self._deaf_until = 0.0
        self.more = False

    def wake(self) -> None:
        """Wake the scan: something happened in the inbox. For any thread."""
        self._wanted = True

    def at_once(self) -> None:
        """Scan at the next turn in any case."""
        self._due = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether it is time to look."""
        return now >= self._due or (self._wanted and now >= self._not_before)

    def begins(self, now: float) -> None:
        """Note that a look begins; events from now on want another."""
        self._wanted = False
        self._due = now + self._scan

    def ended(self, began: float, now: float) -> None:
        """Note how long the look took.

        Events come with every finished file: at most a tenth of the time goes to looks.
        """
        self._not_before = began + 10 * (now - began)
        self._due = max(self._due, self._not_before)

    def claimed(self, now: float) -> None:
        """Note that a file was claimed: events count less for a while."""
        self._deaf_until = now + _DEAF_SECONDS

    def plan_next(self, now: float, *, settling: bool, listens: bool) -> float:
        """Plan the next look, and return seconds until then.

        Fewer while a file is settling, none while there is more. ``listens``: the watcher is what
        wakes us.
        """
        if self.more:
            return 0.0
        left = self._due - now
        if settling and self._settle:
            left = min(left, max(0.05, self._settle / 4))
            self._wanted = True
        elif now < self._deaf_until and listens:
            left = min(left, 0.05)
            self._wanted = True
        if self._wanted:
            left = min(left, max(0.0, self._not_before - now))
        return max(0.01, left)
