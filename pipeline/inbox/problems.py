"""What is in the way of a run, and since when the log knows of it."""

from collections.abc import Callable, Mapping

import structlog

from pipeline.core.closed_drop import Rest
from pipeline.core.ports import Clock
from pipeline.inbox.late_files import Late

log = structlog.get_logger(__name__)

_OVER_SECONDS = 15.0
"""Storage that has not failed for this long is in order: it is tried every few seconds."""

_SAY_AGAIN_SECONDS = 600.0
"""The same trouble is told to the log once, and again after this long."""


class Problems:
    """Owned by the service's thread.

    ``late``: the files that wait for too long, as last seen. ``resting``: drop id → why it is not
    through; ``again_at``: when those that rest are tried again, monotonic seconds. ``on_scan`` is
    called whenever the whole inbox was listed.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.on_scan: Callable[[], None] = lambda: None
        self._reasons: dict[str, str] = {"scan": "", "events": "", "storage": ""}
        self._last: dict[str, float] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self.late: tuple[Late, ...] = ()
        self.resting: Mapping[str, Rest] = {}
        self.again_at: float | None = None

    def scanned(self) -> None:
        """The inbox was listed whole just now."""
        self.clear("scan")
        self.on_scan()

    def trouble(self, where: str, reason: str, *, hint: str = "", event: str) -> None:
        """Something is in the way; ``where``: scan, events or storage; ``event``: for the log."""
        self._reasons[where] = reason
        now = self._last[where] = self._clock.monotonic()
        told, at = self._told.get(where, ("", 0.0))
        if told != reason or now - at >= _SAY_AGAIN_SECONDS:
            self._told[where] = (reason, now)
            # Without events files are still found.
            tell = log.warning if where == "events" else log.error
            tell(event, reason=reason, hint=hint)

    def clear(self, where: str) -> None:
        """Nothing is in the way there any more."""
        if self._told.pop(where, None):
            log.info("service.trouble_over", where=where)
        self._reasons[where] = ""

    def now(self) -> Mapping[str, str]:
        """What is in the way in each place; "" is fine."""
        since = self._clock.monotonic() - self._last.get("storage", 0.0)
        if self._reasons["storage"] and since > _OVER_SECONDS:
            self.clear("storage")
        return dict(self._reasons)
