"""Notify people when something changes: refused files, rows that need them, late files, the API
paused and back. Changes close together go out as one message; nothing is announced twice.

Runs in a thread beside the service and looks only at what everybody can see: the ledger and the
service's health file. Notices that were sent are recorded in ``state/notices.json``, so that a
restart repeats none.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct, field

from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import ShipdropError
from pipeline.core.model import DropState
from pipeline.service.health import Problem, problems_in
from pipeline.service.health_file import HealthFile, has_scanned, is_fresh, read_health_file
from pipeline.service.settings import NotifySettings
from pipeline.service.wiring import Site
from pipeline.storage.durable_files import storing
from pipeline.web.totals import DropTotals, couriers
from pipeline.web.words import headline, in_plain_words, on_page
from schemas.display import counted, shown

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 5.0
"""At most; where things are announced sooner than that, as often as they are."""
_SHORTEST_LOOK: Final = 0.5
_MOST_LINES: Final = 40
_LOOKED_THROUGH: Final = 1_000
"""Ends of drops that need nobody, until it is kept how far they were looked through."""
_WORDS: Final[Mapping[str, str]] = {
    "inbox": "the inbox",
    "storage": "storage",
    "api": "Fynd",
}
"""Trouble that is announced → its name."""


class Kind(StrEnum):
    """The weight of a message, as apprise names it; the later, the more."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Event(Struct, frozen=True):
    """One change to announce. ``place``: the page about it, such as ``/drops/ID``."""

    words: str
    kind: Kind
    place: str = "/"


Send = Callable[[str, str, Kind], bool]
"""Title, text and kind → whether it was taken."""


class NoticeMemory(Struct):
    """The memory of notices: the last closed drop, couriers' deadlines, troubles.

    ``troubles``: trouble that was announced and is not over → since when it was there.
    """

    closing: int
    late: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


class Notices:
    """Gathers changes and sends notices. Called in one thread."""

    def __init__(self, site: Site, send: Send) -> None:
        self._site = site
        self._send = send
        self._digest = site.settings.notify.digest_seconds
        self._totals = DropTotals(site)
        self._path = site.root / "state" / "notices.json"
        self._memory = self._read()
        self._kept = self._memory.closing
        self._waiting: list[Event] = []
        self._pages = site.settings.web.url.rstrip("/")
        self._first_at = 0.0
        self._at_once = False
        self._outage_seconds = site.settings.api.outage_seconds
        self._idle_at: float | None = None

    def look(self) -> None:
        """Note the changes since the last look. Raises StorageError."""
        before = len(self._waiting)
        self._waiting += [*self._ends(), *self._late()]
        if troubles := [*self._troubles()]:
            self._waiting += troubles
            self._at_once = True
        if not before and self._waiting:
            self._first_at = self._site.clock.monotonic()
        if not self._waiting and self._memory.closing - self._kept >= _LOOKED_THROUGH:
            self._write()

    def tell(self, *, at_once: bool = False) -> None:
        """Send the noted events when they are due; keep those that cannot be sent."""
        waited = self._site.clock.monotonic() - self._first_at
        if not self._waiting or not (at_once or self._at_once or waited >= self._digest):
            return
        self._at_once = False
        first, more = self._waiting[:_MOST_LINES], len(self._waiting) - _MOST_LINES
        lines = [
            *map(self._line, first),
            *([f"And {counted(more, 'more event')}."] if more > 0 else []),
        ]
        title = first[0].words if len(self._waiting) == 1 else counted(len(self._waiting), "event")
        kind = max((each.kind for each in self._waiting), key=[*Kind].index)
        if not self._send(f"Shipdrop ({self._site.root.name}): {title}", "\n".join(lines), kind):
            log.warning("notices.not_sent", events=len(self._waiting))
            self._first_at = self._site.clock.monotonic()
            return
        self._waiting = []
        self._write()

    def _line(self, event: Event) -> str:
        return f"{event.words} {self._pages}{event.place}" if self._pages else event.words

    def _ends(self) -> Iterator[Event]:
        """Yield drops that ended since, and were refused or have rows that need a person."""
        for drop in self._site.ledger.overview.ended(self._memory.closing):
            self._memory.closing = drop.closing
            if drop.state.closed and (words := _ended(drop)):
                if self._pages:
                    words = on_page(words, "Correct them on the page of the file.")
                refused = drop.state is DropState.REFUSED
                kind = Kind.FAILURE if refused else Kind.WARNING
                yield Event(words, kind, f"/drops/{drop.drop_id}")

    def _late(self) -> Iterator[Event]:
        titles = {each.name: each.title for each in self._site.profiles.values()}
        late = {
            each.profile.name: each.due
            for each in couriers(self._site, self._totals)
            if each.late and each.due is not None
        }
        missing = {name: due.isoformat() for name, due in late.items()}
        for name, due in missing.items():
            if self._memory.late.get(name) != due:
                by = f"{late[name]:%H:%M %Z}"
                words = f"Late: no file of {titles[name]} has come; it was expected by {by}."
                yield Event(words, Kind.WARNING, f"/couriers/{name}")
        for name in self._memory.late.keys() - missing.keys():
            yield Event(
                f"The late file of {titles.get(name, name)} has come.",
                Kind.SUCCESS,
                f"/couriers/{name}",
            )
        self._memory.late = missing

    def _troubles(self) -> Iterator[Event]:
        """Yield trouble that has lasted, once, and its end. A service that is away says nothing."""
        health_file = self._site.health_file()
        at = self._site.clock.now()
        if health_file is None or not is_fresh(health_file, at):
            return
        now = {each.what: each for each in problems_in(health_file, at) if each.what in _WORDS}
        for what, trouble in now.items():
            lasted = what == "api" and health_file.api == "held"
            if what not in self._memory.troubles and (lasted or self._lasts(trouble.since)):
                self._memory.troubles[what] = trouble.since
                yield Event(self._plain(_begins(trouble, health_file)), Kind.FAILURE)
        for what, since in list(self._memory.troubles.items()):
            if what not in now and (words := self._over(what, since, health_file)):
                del self._memory.troubles[what]
                yield Event(words, Kind.SUCCESS)

    def _plain(self, said: str) -> str:
        return in_plain_words(said, self._site.zone, self._site.clock.now())

    def _lasts(self, since: str) -> bool:
        seconds = (self._site.clock.now() - datetime.fromisoformat(since)).total_seconds()
        return seconds >= self._outage_seconds

    def _over(self, what: str, since: str, health_file: HealthFile) -> str:
        """Return that a trouble that was announced is over, if that is certain, else "".

        A service that has just started knows of no trouble yet.
        """
        if what != "api":
            words = f"Over: {_WORDS[what]} is in order again."
            return words if self._lasts(health_file.started_at) else ""
        if health_file.answered_at > since:
            return "Sending goes on: Fynd answers again."
        monotonic = self._site.clock.monotonic()
        if health_file.due:
            self._idle_at = None
            return ""
        if self._idle_at is None:
            self._idle_at = monotonic
        idle = monotonic - self._idle_at >= self._outage_seconds
        return "Nothing waits for Fynd any more; it was not asked again." if idle else ""

    def _read(self) -> NoticeMemory:
        last = self._site.ledger.overview.last_closing()
        try:
            memory = msgspec.json.decode(self._path.read_bytes(), type=NoticeMemory)
        except (OSError, msgspec.MsgspecError):
            return NoticeMemory(closing=last)
        memory.closing = min(memory.closing, last)  # the ledger may be one that was restored
        return memory

    def _write(self) -> None:
        with storing("write", self._path):
            self._path.write_bytes(msgspec.json.encode(self._memory))
        self._kept = self._memory.closing


def _ended(drop: DropLine) -> str:
    summary: Mapping[str, Any] = drop.summary or {}
    name = shown(drop.source_file, 80)
    if drop.state is DropState.REFUSED:
        refused = summary.get("refused") or {}
        return f"Refused: {name}. {refused.get('message', '')}"
    if not drop.need:
        return ""
    return f"To do: {name}. {headline(drop, None)}"


def _begins(trouble: Problem, health_file: HealthFile) -> str:
    words = _WORDS[trouble.what]
    if trouble.what == "api":
        held = "refuses our login" if health_file.refuses_login else "takes nothing"
        words = f"Fynd {held if health_file.api == 'held' else 'is not answering'}"
    else:
        words = f"Trouble with {words}"
    said = f"{words}: {trouble.reason} {trouble.hint}".strip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


def sender(settings: NotifySettings) -> Send:
    """Make what sends a message to all addresses of the settings."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may name addresses
    service = apprise.Apprise()
    for url in settings.urls:
        service.add(url.get_secret_value())

    def send(title: str, text: str, kind: Kind) -> bool:
        notify_type = apprise.NotifyType(kind.value)
        return bool(service.notify(title=title, body=text, notify_type=notify_type))

    return send


@contextmanager
def telling(site: Site, *, once: bool, may: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Send notices while the context lasts; with ``once`` only at its end.

    ``may``: asked before each look; among workers another may have taken over meanwhile.
    """
    notify = site.settings.notify
    notices = Notices(site, sender(notify)) if notify.urls else None
    over = threading.Event()
    beside = threading.Thread(target=_beside, args=(site, notices, over, may), name="notices")
    wanted = not once and (notices is not None or notify.ping_url is not None)
    if wanted:
        beside.start()
    try:
        yield
    finally:
        over.set()
        if wanted:
            beside.join()
        if notices is not None and may():
            with suppress(ShipdropError):
                notices.look()
                notices.tell(at_once=True)


def _beside(
    site: Site, notices: Notices | None, over: threading.Event, may: Callable[[], bool]
) -> None:
    ping_due = 0.0
    digest = site.settings.notify.digest_seconds
    pause = min(_LOOK_SECONDS, max(_SHORTEST_LOOK, digest)) if notices else 1.0
    while not over.wait(pause):
        if not may():
            continue
        try:
            if notices is not None:
                notices.look()
                notices.tell()
            if site.settings.notify.ping_url and site.clock.monotonic() >= ping_due:
                ping_due = site.clock.monotonic() + site.settings.notify.ping_seconds
                _ping(site, site.root / "state")
        except ShipdropError as error:
            log.warning("notices.trouble", reason=error.message)
        except Exception:  # sending notices must never end the run
            log.exception("notices.bug")


def _ping(site: Site, state: Path) -> None:
    """Ping that the inbox was listed a moment ago; silence raises the alarm."""
    import httpx

    health_file, url = read_health_file(state), site.settings.notify.ping_url
    if url is None or health_file is None or not has_scanned(health_file, site.clock.now()):
        return
    try:
        httpx.get(url.get_secret_value(), timeout=10.0).raise_for_status()
    except httpx.HTTPError as error:
        log.warning("notices.ping_failed", reason=type(error).__name__)
