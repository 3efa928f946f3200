"""So many calls a second, spread evenly, and never more than that in any second."""

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
        """Another rate from now on; the call that went last keeps its distance."""
        space = _SLOWER / rate if rate else 0.0
        self._due += space - self._space
        self._space = space

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a call may go; 0 or less: at once."""
        return self._due - now if self._space else 0.0

    def went(self, now: float) -> None:
        """A call goes now."""
        if self._space:
            self._due = max(self._due, now - _CATCH_UP) + self._space
