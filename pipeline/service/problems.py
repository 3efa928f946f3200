"""The problems of a run, and since when the log has each of them."""

from collections.abc import Callable, Mapping

import structlog

from pipeline.core.closed_drop import Cause, OpenReason
from pipeline.core.model import stamp
from pipeline.core.ports import Clock
from pipeline.inbox.late_files import Late

log = structlog.get_logger(__name__)

_OVER_SECONDS = 15.0
"""Storage that has not failed for this long is in order: it is tried every few seconds."""

_SAY_AGAIN_SECONDS = 600.0
"""A problem is logged once, and again after this long."""


class Problems:
    """Owned by the service's thread.

    ``late``: the files that wait for too long, as last seen; ``lying``: all that wait.
    ``resting``: drop id → why it is not finished; ``again_at``: when those that rest are tried
    again, monotonic seconds; ``busy``: drops are under way. ``on_scan`` is called whenever the
    whole inbox was listed.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.on_scan: Callable[[], None] = lambda: None
        self._reasons: dict[str, str] = {"scan": "", "events": "", "storage": "", "api": ""}
        self._last: dict[str, float] = {}
        self._since: dict[str, str] = {}
        self._logged: dict[str, tuple[str, float]] = {}
        self.late: tuple[Late, ...] = ()
        self.lying: tuple[Late, ...] = ()
        self.resting: Mapping[str, OpenReason] = {}
        self.again_at: float | None = None
        self.busy = False

    def scanned(self) -> None:
        """Note that the inbox was listed whole just now."""
        self.clear("scan")
        self.on_scan()

    def report(
        self,
        where: str,
        reason: str,
        *,
        hint: str = "",
        event: str,
        since: str = "",
        alike: str = "",
    ) -> None:
        """Report a problem; ``where``: scan, events, storage or api.

        ``event``: for the log; ``since``: UTC, ISO 8601, where it is older than this report.
        ``alike``: identifies the problem where its reason changes all the time.
        """
        if not self._reasons[where]:
            self._since[where] = since or stamp(self._clock.now())
        self._reasons[where] = reason
        now = self._last[where] = self._clock.monotonic()
        last, at = self._logged.get(where, ("", 0.0))
        if last != (alike or reason) or now - at >= _SAY_AGAIN_SECONDS:
            self._logged[where] = (alike or reason, now)
            # Without events files are still found.
            tell = log.warning if where == "events" else log.error
            tell(event, reason=reason, hint=hint)

    def clear(self, where: str) -> None:
        """Note that a problem is over."""
        if self._logged.pop(where, None):
            log.info("service.trouble_over", where=where)
        self._reasons[where] = ""
        self._since.pop(where, None)

    def since(self) -> Mapping[str, str]:
        """Return the time since which each problem exists."""
        return dict(self._since)

    def now(self) -> Mapping[str, str]:
        """Return the problem of each place; "" for none."""
        since = self._clock.monotonic() - self._last.get("storage", 0.0)
        rests = any(open_reason.cause is Cause.STORAGE for open_reason in self.resting.values())
        if self._reasons["storage"] and since > _OVER_SECONDS and not rests:
            self.clear("storage")
        return dict(self._reasons)
