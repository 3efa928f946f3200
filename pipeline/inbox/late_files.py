"""Files that have waited too long in the inbox: named in the log and to their senders.

They are not given up: each is taken as soon as it is ready, and the note about it goes away.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo

import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.clock import Clock
from pipeline.core.errors import StorageError
from pipeline.core.file_names import as_text, stem_of
from pipeline.inbox.scan import WaitCause, Waiting
from pipeline.storage.outbox import Outbox
from schemas.display import clock_time, one_line, shown

log = structlog.get_logger(__name__)

NOTE = "WAITING.txt"

_Place = tuple[str, str]


class Late(Struct, frozen=True, kw_only=True):
    """A file that waits for too long. ``since``: when it was first seen, aware."""

    folder: str
    name: str
    cause: WaitCause
    reason: str
    since: datetime


class Latecomers:
    """Owned by the service's thread."""

    def __init__(self, *, outbox: Outbox, clock: Clock, after_seconds: float, zone: tzinfo) -> None:
        """Take the zone of the times in notes."""
        self._outbox = outbox
        self._clock = clock
        self._after = after_seconds
        self._zone = zone
        self._late: dict[_Place, Late] = {}
        self._lying: tuple[Late, ...] = ()
        self._noted: dict[_Place, WaitCause] = {}
        self._stale: set[_Place] | None = None

    @property
    def late(self) -> tuple[Late, ...]:
        """Return the files that are late now, the longest waiting first."""
        return tuple(sorted(self._late.values(), key=lambda each: each.since))

    @property
    def lying(self) -> tuple[Late, ...]:
        """Return all files that wait now, late or not, the longest waiting first."""
        return self._lying

    def look(
        self, waiting: Iterable[Waiting], lying: frozenset[_Place], *, at_once: bool = False
    ) -> None:
        """Report files that wait for too long; withdraw the notes of those that do not.

        ``lying``: folder and name of all files in the inbox, so that a note outlives a restart.
        ``at_once``: however short they have waited.
        """
        now = self._clock.now()
        files = [(each.waits_seconds, self._as_late(each, now)) for each in waiting]
        self._lying = tuple(sorted((late for _, late in files), key=lambda each: each.since))
        self._late = {
            (late.folder, late.name): late
            for seconds, late in files
            if at_once or seconds >= self._after
        }
        for place, late in self._late.items():
            if self._noted.get(place) is not late.cause:
                self._tell(late, now)
                self._noted[place] = late.cause
        self._forget(lying)

    def _as_late(self, each: Waiting, now: datetime) -> Late:
        late = Late(
            folder=each.folder,
            name=each.name,
            cause=each.cause,
            reason=each.reason,
            since=now - timedelta(seconds=each.waits_seconds),
        )
        if each.cause is WaitCause.UNSETTLED:
            # "So far 0.4 s" would be out of date when it is read.
            words = "it keeps changing: let the program that writes it finish"
            return replace(late, reason=words)
        return late

    def _tell(self, late: Late, now: datetime) -> None:
        log.warning(
            "inbox.waiting",
            file=shown(late.name),
            folder=shown(late.folder),
            cause=late.cause.value,
            reason=late.reason,
            seconds=round((now - late.since).total_seconds()),
        )
        try:
            note = _note_of(late, now, self._zone)
            self._outbox.write(late.folder, note_name(late.name), [note])
        except StorageError as error:
            # The log has it; a full outbox is reported elsewhere and must not stop the inbox.
            log.warning("inbox.note_failed", file=shown(late.name), reason=error.message)

    def _forget(self, lying: frozenset[_Place]) -> None:
        """Remove the notes about files that were taken, or are no longer late."""
        over = {place for place in self._noted if place not in self._late}
        try:
            if self._stale is None:
                found = self._outbox.names()
                self._stale = {each for each in found if each[1].endswith(f".{NOTE}")}
            kept = {(folder, note_name(name)) for folder, name in lying} if self._stale else set()
            gone = {(folder, note_name(name)) for folder, name in over} | self._stale - kept
            for folder, name in gone:
                self._outbox.remove(folder, name)
        except StorageError:
            return  # looked for again at the next look
        self._stale -= gone
        for place in over:
            del self._noted[place]


def note_name(name: str) -> str:
    """Return the name of the note about a file of this name in the outbox.

    ``<stem>__w<8 hex digits>.WAITING.txt``: like every other name there, with what tells names of
    the same stem apart in place of a drop id.
    """
    mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{stem_of(as_text(name))}__w{mark}.{NOTE}"


def as_dicts(late: Iterable[Late]) -> list[Mapping[str, str]]:
    """Return them as dictionaries, for machines."""
    return [
        {
            "folder": as_text(each.folder),
            "file": as_text(each.name),
            "cause": each.cause.value,
            "reason": each.reason,
            "since": each.since.isoformat(timespec="seconds"),
        }
        for each in late
    ]


def _note_of(late: Late, now: datetime, zone: tzinfo) -> bytes:
    """Return the note as UTF-8 with CRLF: that the file waits and why, then the details.

    Control and direction characters are escaped; times are shown in ``zone``.
    """
    lines = (
        "This file has not been picked up yet. Nothing of it was read or sent.",
        "",
        f"Why, and what to do: {one_line(late.reason)}.",
        "",
        "Shipdrop takes the file as soon as it is ready, and removes this note.",
        "",
        f"File:     {one_line(as_text(late.name))}",
        f"Waiting:  since {clock_time(late.since, zone)} at the latest",
        f"Written:  {clock_time(now, zone)}",
        "",
    )
    return "\r\n".join(lines).encode()
