"""The health file: a running service writes it into ``state/``, pages and commands read it.

``state/health.json`` is the state of now, replaced every few seconds, and written over where the
disk is full: then it is what says so. ``state/minutes/DAY.jsonl`` gets a line for each minute in
which calls were made. Both may be lost without harm, so neither is put on the disk by force: that
would cost delivery more than it is worth.
"""

import os
import socket
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct, field
from msgspec.structs import asdict, replace

from pipeline.core.clock import Clock
from pipeline.core.model import stamp

FILE: Final = "health.json"
MINUTES: Final = "minutes"
LATENCY_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds, in seconds, of the classes that calls are counted in by how long they took."""

_EVERY_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 30.0
_ROOM: Final = 4096
"""Bytes by which the file's size grows; so many are left at its end."""


class Calls(Struct, frozen=True, kw_only=True):
    """Calls to the API since the service started.

    ``by_status``: HTTP status, or "no answer" → calls. ``by_time``: calls per class of
    ``LATENCY_BOUNDS``, one more at the end for the longer ones. ``seconds``: all together.
    """

    by_status: Mapping[str, int] = field(default_factory=dict)
    by_time: Sequence[int] = (0,) * (len(LATENCY_BOUNDS) + 1)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Return all calls."""
        return sum(self.by_status.values())

    def since(self, earlier: "Calls") -> "Calls":
        """Return what was added since."""
        return Calls(
            by_status={
                status: count - earlier.by_status.get(status, 0)
                for status, count in self.by_status.items()
                if count > earlier.by_status.get(status, 0)
            },
            by_time=[a - b for a, b in zip(self.by_time, earlier.by_time, strict=True)],
            seconds=self.seconds - earlier.seconds,
        )

    def slower_than(self, share: float) -> float | None:
        """Return the seconds that this share of the calls stayed within, by its class."""
        wanted, seen = share * sum(self.by_time), 0
        if not wanted:
            return None
        for bound, count in zip((*LATENCY_BOUNDS, LATENCY_BOUNDS[-1]), self.by_time, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return LATENCY_BOUNDS[-1]


class CallCount:
    """Calls since the start, as ``Calls`` has them; other threads may read it."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()
        self.by_time = [0] * (len(LATENCY_BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, status: str, seconds: float) -> None:
        """Count a call that took so long; ``status``: HTTP status or "no answer"."""
        self.by_status[status] += 1
        self.by_time[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.seconds += seconds


class HealthFile(Struct, frozen=True, kw_only=True):
    """A service as it is. Times are UTC, ISO 8601.

    ``scanned_at``: the last time the whole inbox could be listed, "" before the first; ``every``:
    seconds from scan to scan. ``api``: ok, slowed, paused
    (by the API or an outage) or held (it accepts no call), with ``reason`` and ``hint``;
    ``api_status``: the HTTP status that held us, if one did; ``pause_until``: until when the API
    asked for no calls, where that is long, else ""; ``due``: calls wait to go;
    ``answered_at``: when a call was last taken, or "". ``stopped_at``: when it ended in good order,
    else "".
    ``trouble``: scan, events, storage, api → the problem, "" is fine; ``since``: since when.
    ``waiting``: files that wait for long (folder, file, cause, reason, since), the first of
    ``waiting_long``; ``lying``: all that wait, late or not, as far as they are listed.
    ``open``: drops that rest (drop_id, file, reason, hint, cause, waits_for,
    again_at: when they are tried again), the first of ``open_drops``.
    """

    pid: int
    started_at: str
    at: str
    scanned_at: str = ""
    every: float = 2.0
    api: str = "ok"
    reason: str = ""
    hint: str = ""
    api_status: int | None = None
    pause_until: str = ""
    due: bool = False
    answered_at: str = ""
    calls: Calls = field(default_factory=Calls)
    host: str = ""
    stopped_at: str = ""
    trouble: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, str] = field(default_factory=dict)
    waiting: Sequence[Mapping[str, str]] = ()
    waiting_long: int = 0
    lying: Sequence[Mapping[str, str]] = ()
    open: Sequence[Mapping[str, Any]] = ()
    open_drops: int = 0

    @property
    def refuses_login(self) -> bool:
        """Return True when nothing is sent since we are not let in, or cannot get a token."""
        return self.token_is_refused or (self.api == "held" and self.api_status is None)

    @property
    def token_is_refused(self) -> bool:
        """Return True when the API said that it does not know or let us in."""
        return self.api == "held" and self.api_status in {401, 403, 407}


class HealthFileWriter:
    """Writes the health file of one service. Called in its thread only; never raises."""

    def __init__(
        self,
        state: Path,
        look: Callable[[], HealthFile],
        clock: Clock,
    ) -> None:
        """Take ROOT/state, and what tells how the service is."""
        self._state = state
        self._look = look
        self._clock = clock
        self._due = float("-inf")
        self._minute = ""
        self._counted = Calls()

    def beat(self) -> None:
        """Write, if it is time."""
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + _EVERY_SECONDS
        health_file = self._look()
        with suppress(OSError):  # a full disk is reported where it matters
            self._write(health_file)
            self._count(health_file.calls)

    def end(self) -> None:
        """Write for the last time: the service ends in good order."""
        health_file = replace(self._look(), stopped_at=stamp(self._clock.now()))
        with suppress(OSError):
            self._write(health_file)

    def _write(self, health_file: HealthFile) -> None:
        path, temporary = self._state / FILE, self._state / f".{FILE}.tmp"
        text = msgspec.json.encode(health_file)
        try:
            # With room at its end, for the words that a full disk needs.
            temporary.write_bytes(text.ljust((len(text) // _ROOM + 2) * _ROOM))
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            reason = f"{path} cannot be written: {error.strerror}."
            storage = health_file.trouble.get("storage") or reason
            trouble = {**health_file.trouble, "storage": storage}
            _write_over(path, msgspec.json.encode(replace(health_file, trouble=trouble)))

    def _count(self, calls: Calls) -> None:
        now = self._clock.now().astimezone(UTC)
        minute = now.strftime("%Y-%m-%dT%H:%MZ")
        if minute == self._minute:
            return
        made, counted_minute = calls.since(self._counted), self._minute
        self._minute, self._counted = minute, calls
        if counted_minute and made.total:
            folder = self._state / MINUTES
            folder.mkdir(exist_ok=True)
            line = {"minute": counted_minute, **asdict(made)}
            with (folder / f"{counted_minute[:10]}.jsonl").open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")


def _write_over(path: Path, text: bytes) -> None:
    """Write a text over a file, in one go and in the room that it has; else leave it."""
    file = os.open(path, os.O_WRONLY)
    try:
        room = os.fstat(file).st_size
        if len(text) <= room:
            os.pwrite(file, text.ljust(room), 0)
    finally:
        os.close(file)


def read_health_file(state: Path) -> HealthFile | None:
    """Return the state of the service; None where none ever ran, or its file is unreadable."""
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=HealthFile)
    except (OSError, msgspec.MsgspecError):
        return None


def is_fresh(health_file: HealthFile, now: datetime) -> bool:
    """Return whether the service was alive a moment ago."""
    return (
        not health_file.stopped_at
        and _is_recent(health_file.at, health_file, now)
        and not _is_gone(health_file)
    )


def _is_gone(health_file: HealthFile) -> bool:
    """Return True where its process should be visible and is not: it was killed."""
    if health_file.host != socket.gethostname():
        return False
    try:
        os.kill(health_file.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it is somebody else's, or no process number at all
    return False


def has_scanned(health_file: HealthFile, now: datetime) -> bool:
    """Return whether the service could list its inbox a moment ago."""
    return bool(health_file.scanned_at) and _is_recent(health_file.scanned_at, health_file, now)


def _is_recent(moment: str, health_file: HealthFile, now: datetime) -> bool:
    age = (now - datetime.fromisoformat(moment)).total_seconds()
    return age < max(_STALE_SECONDS, 3 * health_file.every)


def read_minutes(state: Path, day: date) -> list[tuple[datetime, Calls]]:
    """Return the minutes of a day (UTC) in which calls were made, oldest first."""
    found: list[tuple[datetime, Calls]] = []
    try:
        lines = (state / MINUTES / f"{day:%Y-%m-%d}.jsonl").read_bytes().splitlines()
    except OSError:
        return found
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):  # a line cut off by a crash
            fields: dict[str, Any] = orjson.loads(line)
            minute = datetime.fromisoformat(fields.pop("minute"))
            found.append((minute, Calls(**fields)))
    return found
