"""How the run is doing: when the inbox was last seen whole, and what is in the way.

Kept in memory for whoever is in the same process, and now and then in ``state/health.json``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from pipeline.adapters.health_file import HealthFile
from pipeline.errors import StorageError
from pipeline.latecomers import Late, as_dicts
from pipeline.model import stamp
from pipeline.ports import Clock

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 10.0
"""How often the file is written while nothing changes but the time."""

_OVER_SECONDS = 15.0
"""Storage that has not failed for this long is in order: it is tried every few seconds."""

_MOST_LATE = 100
_SAY_AGAIN_SECONDS = 600.0
"""The same trouble is told to the log once, and again after this long."""


class Pulse:
    """Owned by the service's thread; ``health`` may be called from any other."""

    def __init__(self, *, file: HealthFile, clock: Clock, scan_seconds: float) -> None:
        self._file = file
        self._clock = clock
        self._scan_seconds = scan_seconds
        self._started = clock.now()
        self._stopped: datetime | None = None
        self._scanned: datetime | None = None
        self._state: dict[str, Any] = {}
        self._troubles: dict[str, str] = {"scan": "", "events": "", "storage": "", "sending": ""}
        self._last: dict[str, float] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._written: dict[str, Any] = {}
        self._due = 0.0

    def scanned(self) -> None:
        """The inbox was listed whole just now."""
        self._scanned = self._clock.now()
        self.clear("scan")

    def trouble(self, where: str, reason: str, *, hint: str = "", event: str = "") -> None:
        """Something is in the way; ``where``: scan, events, storage or sending.

        ``event``: the log's name for it, if the log is to be told here.
        """
        self._troubles[where] = reason
        now = self._last[where] = self._clock.monotonic()
        told, at = self._told.get(where, ("", 0.0))
        if event and (told != reason or now - at >= _SAY_AGAIN_SECONDS):
            self._told[where] = (reason, now)
            log.error(event, reason=reason, hint=hint)

    def clear(self, where: str) -> None:
        """Nothing is in the way there any more."""
        if self._told.pop(where, None):
            log.info("service.trouble_over", where=where)
        self._troubles[where] = ""

    def beat(self, *, late: tuple[Late, ...], ready: int, under_way: int, blocked: int) -> None:
        """Take in how things stand, and write them down if that is due."""
        self._state = {
            "waiting": as_dicts(late[:_MOST_LATE]),
            "waiting_long": len(late),
            "ready": ready,
            "under_way": under_way,
            "blocked": blocked,
        }
        now = self._clock.monotonic()
        if self._troubles["storage"] and now - self._last["storage"] > _OVER_SECONDS:
            self.clear("storage")
        matters = {**self._troubles, "late": [each.name for each in late]}
        if now >= self._due or matters != self._written:
            self._due, self._written = now + _EVERY_SECONDS, matters
            self._write()

    def stopped(self) -> None:
        """The run ends."""
        self._stopped = self._clock.now()
        self._write()

    def health(self) -> Mapping[str, Any]:
        """Everything, as ``state/health.json`` has it. Times are UTC, ISO 8601; "" is fine."""
        return {
            "at": stamp(self._clock.now()),
            "started_at": stamp(self._started),
            "stopped_at": stamp(self._stopped) if self._stopped else None,
            "last_good_scan": stamp(self._scanned) if self._scanned else None,
            "scan_seconds": self._scan_seconds,
            "trouble": dict(self._troubles),
            **self._state,
        }

    def _write(self) -> None:
        try:
            self._file.write(self.health())
        except StorageError as error:
            # A file that grows old says as much.
            log.debug("health.not_written", reason=error.message)
