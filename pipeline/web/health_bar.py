"""The health bar: the state of the service and of the API, and the files waiting in the inbox."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace
from pydantic import Field

from pipeline.core.file_names import as_text
from pipeline.service.health import Health, Problem, current_health
from pipeline.service.wiring import Site
from pipeline.storage.listing import Entry, Listing
from pipeline.web.api_base import Answer

#: Seconds after which a file that is not taken is worth a word.
LATE_SECONDS: Final = 30.0
_SOON: Final = "It is taken in a moment."
_STOPPED: Final = (
    "The service is stopped, so nothing is taken. Tell whoever looks after Shipdrop; the file can "
    "stay where it is."
)


class WaitingObject(Answer):
    """A thing in the inbox. ``size`` and ``since`` are null for what is never taken."""

    folder: str
    name: str
    size: int | None
    since: datetime | None
    why: str = Field(description="What it waits for and what to do, or why it is never taken.")
    late: bool = Field(default=False, exclude=True)
    mark: str = Field(default="", exclude=True)
    """Identifies this state of the file."""


class WaitingList(Answer):
    """Everything in the inbox, the longest waiting first."""

    files: list[WaitingObject]
    never: list[WaitingObject]


def waiting_in(listing: Listing, health: Health) -> WaitingList:
    """Return the contents of the inbox, with the service's report of them."""
    reasons = _reasons(health)
    files = [_file(entry, reasons, health) for entry in listing.files]
    return WaitingList(
        files=sorted(files, key=lambda each: each.since or health.at),
        never=[
            WaitingObject(
                folder=as_text(each.folder),
                name=as_text(each.name),
                size=None,
                since=None,
                why=_sentence(each.reason),
            )
            for each in listing.left_alone
        ],
    )


def _reasons(health: Health) -> Mapping[tuple[str, str], Mapping[str, str]]:
    if health.health_file is None or not health.alive:
        return {}
    return {
        (each["folder"], each["file"]): each
        for each in (*health.health_file.lying, *health.health_file.waiting)
    }


def _file(
    entry: Entry, reasons: Mapping[tuple[str, str], Mapping[str, str]], health: Health
) -> WaitingObject:
    size, changed_at = entry.identity[2:]
    folder, name = as_text(entry.folder), as_text(entry.name)
    known = reasons.get((folder, name), {})
    changed = datetime.fromtimestamp(changed_at / 1e9, UTC)
    since = datetime.fromisoformat(known["since"]) if known else min(changed, health.at)
    why = _sentence(known["reason"]) if known else (_SOON if health.alive else _STOPPED)
    return WaitingObject(
        folder=folder,
        name=name,
        size=size,
        since=since,
        why=why,
        late=(health.at - since).total_seconds() >= LATE_SECONDS,
        mark=f"{size}-{changed_at}",
    )


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


_KEPT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 1.0
"""Seconds to wait for a look; later requests get the last result."""
_STILL_GOOD_SECONDS: Final = 5.0
"""Seconds for which a result is used while a new one is being read. If all waited for that
look, all would be answered at the same moment, and nobody heard meanwhile."""
_TOO_LONG_SECONDS: Final = 10.0
"""A look that takes so long is trouble of its own."""


class HealthBar:
    """Reads the health once a second at most, in its own thread, for all requests.

    No request waits for a slow inbox: a share that hangs would block every page.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: tuple[float, Health] | None = None
        self._waiting = WaitingList(files=[], never=[])
        self._began: float | None = None
        self._seen = threading.Condition()

    def health(self) -> Health:
        """Return the health now, or that of a moment ago."""
        with self._seen:
            now = self._site.clock.monotonic()
            good = _KEPT_SECONDS if self._began is None else _STILL_GOOD_SECONDS
            if self._kept is not None and now - self._kept[0] <= good:
                return self._kept[1]
            if self._began is None:
                self._began = now
                threading.Thread(target=self._look, name="health", daemon=True).start()
            began = self._began
            left = began + _PATIENCE_SECONDS - now
            if left > 0:
                self._seen.wait_for(lambda: self._began != began, timeout=left)
            if self._began != began and self._kept is not None:
                return self._kept[1]
            return self._meanwhile(self._site.clock.monotonic() - began)

    def waiting(self) -> WaitingList:
        """Return the contents of the inbox now, or those of a moment ago."""
        self.health()
        return self._waiting

    def _look(self) -> None:
        health = None
        try:
            health = current_health(self._site)
            if health.listing is not None:
                self._waiting = waiting_in(health.listing, health)
        finally:
            with self._seen:
                self._began = None
                if health is not None:
                    self._kept = (self._site.clock.monotonic(), health)
                self._seen.notify_all()

    def _meanwhile(self, lasts: float) -> Health:
        """Return the last health while the next one is being read."""
        slow = Problem(what="inbox", reason=f"The inbox was not listed within {lasts:.0f} s.")
        if self._kept is None:
            now = self._site.clock.now()
            nothing = Health(at=now, alive=False, root_id="", scanned=False, health_file=None)
            unknown = Problem(what="service", reason="It is not known yet whether one runs.")
            return replace(nothing, problems=(unknown, slow))
        health = self._kept[1]
        if lasts < _TOO_LONG_SECONDS:
            return health
        return replace(health, problems=(*health.problems, slow))
