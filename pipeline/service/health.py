"""The health of a service. ``HealthMonitor`` finds it out inside the service, which writes it down;
``current_health`` and ``problems_in`` read that for the page, ``/readyz``, metrics, notices,
``doctor`` and ``why``.
"""

import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from msgspec import Struct

from pipeline.core.clock import Clock
from pipeline.core.errors import ShipdropError, UsageError
from pipeline.core.model import stamp
from pipeline.core.shipment import Cause, OpenReason
from pipeline.inbox.late_files import Late, as_dicts
from pipeline.service.health_file import (
    Calls,
    HealthFile,
    HealthFileWriter,
    has_scanned,
    is_fresh,
)
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.listing import Listing, list_inbox

if TYPE_CHECKING:
    from pipeline.core.shipment import SendingStop
    from pipeline.service.wiring import Site


log = structlog.get_logger(__name__)

_OVER_SECONDS = 15.0
"""Storage that has not failed for this long is in order: it is tried every few seconds."""

_SAY_AGAIN_SECONDS = 600.0
"""A problem is logged once, and again after this long."""


class Problems:
    """Owned by the service's thread.

    ``late``: the files that wait for too long, as last seen; ``lying``: all that wait.
    ``resting``: drop id → why it is not finished; ``again_at``: when those that rest are tried
    again, monotonic seconds; ``busy``: drops are under way. ``scanned_at``: when the whole inbox
    was listed last, "" before the first time.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.scanned_at = ""
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
        self.scanned_at = stamp(self._clock.now())

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


_T = TypeVar("_T")

READY: Final = ("service", "inbox", "storage", "ledger", "api")
"""Checks of ``/readyz``: all have to be in order for files to be worked on."""
WATCHED: Final = (*READY, "events")
"""Each place that may be in trouble. Without events files are found all the same, a little
later."""

_PLACES: Final[Mapping[str, str]] = {
    "scan": "inbox",
    "storage": "storage",
    "events": "events",
    "api": "api",
}
"""Problem, as the health file names it → as ``WATCHED`` does."""
_MOST_LATE = 100
"""Files that wait for long and are listed one by one."""
_MOST_OPEN = 100
"""Resting drops that are listed one by one."""


class Problem(Struct, frozen=True, kw_only=True):
    """Hold one problem. ``what``: see ``WATCHED``; ``since``: ISO 8601, or ""."""

    what: str
    reason: str
    hint: str = ""
    since: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """The state of the service. Ages in seconds.

    ``alive``: a service, or a worker, was at work here a moment ago; ``scanned``: it could list
    the inbox. ``cluster``: the workers and what they do (``cluster_status``), None where the ledger
    is embedded. ``listing``: the files in the inbox, None where it could not be listed. ``unsent``:
    updates that were planned and not answered yet. ``problems``: the current ones.
    """

    at: datetime
    alive: bool
    root_id: str
    scanned: bool
    health_file: HealthFile | None
    listing: Listing | None = None
    unsent: int = 0
    problems: tuple[Problem, ...] = ()
    cluster: Mapping[str, Any] | None = None

    @property
    def waiting(self) -> int:
        """Return the files in the inbox."""
        return len(self.listing.files) if self.listing else 0

    @property
    def oldest(self) -> float:
        """Return how long the file that waits longest has been there."""
        changed = [file.identity[3] / 1e9 for file in self.listing.files] if self.listing else ()
        return max(0.0, self.at.timestamp() - min(changed)) if changed else 0.0

    @property
    def workers(self) -> int:
        """Return the workers of this root with a recent heartbeat."""
        return len(_at_work(self.cluster, self.root_id))

    @property
    def api(self) -> str:
        """Return ok, slowed, paused, held; "" where no service reports it."""
        return self.health_file.api if self.health_file and self.alive else ""

    def is_fine(self, what: str) -> bool:
        """Return whether there is no such trouble."""
        return all(each.what != what for each in self.problems)

    def problem(self, what: str) -> Problem | None:
        """Return the trouble there is with something, or None."""
        return next((each for each in self.problems if each.what == what), None)


def current_health(site: "Site") -> Health:
    """Look at a root now: its inbox, its ledger, and its service's own report."""
    now = site.clock.now()
    health_file = site.health_file()
    problems: list[Problem] = []
    listing = _guarded("inbox", lambda: _listing(site), None, problems)
    unsent = _guarded("ledger", lambda: _unsent(site), 0, problems)
    nobody: tuple[Mapping[str, Any] | None, str] = (None, "")
    cluster, root_id = _guarded("ledger", lambda: _cluster(site), nobody, problems)
    runs = health_file is not None and is_fresh(health_file, now)
    alive = runs or bool(_at_work(cluster, root_id))
    scanned = health_file is not None and has_scanned(health_file, now)
    if not alive:
        words = "No service runs on this root: nothing is taken or sent."
        problems.append(Problem(what="service", reason=words))
    if health_file is not None and runs:
        problems += problems_in(health_file, now)
    elif alive and not scanned:  # workers: none of them has taken over the inbox yet
        problems.append(_not_listed(health_file))
    if cluster is not None and cluster["shut"]:
        shut = cluster["shut"]
        problems.append(Problem(what="api", reason=shut["reason"], hint=shut["hint"]))
    return Health(
        at=now,
        alive=alive,
        root_id=root_id,
        cluster=cluster,
        scanned=scanned,
        health_file=health_file,
        listing=listing,
        unsent=unsent,
        problems=tuple({each.what: each for each in reversed(problems)}.values()),
    )


def problems_in(health_file: HealthFile, now: datetime) -> list[Problem]:
    """Return the problems that a service reports; one of them is that it stopped scanning."""
    problems = [
        Problem(
            what=_PLACES[where],
            reason=reason,
            hint=health_file.hint
            if where == "api"
            else "It goes on by itself once this is mended.",
            since=health_file.since.get(where, ""),
        )
        for where, reason in health_file.trouble.items()
        if reason and where in _PLACES
    ]
    if not has_scanned(health_file, now) and not health_file.trouble.get("scan"):
        problems.append(_not_listed(health_file))
    return problems


def _not_listed(health_file: HealthFile | None) -> Problem:
    since = health_file.scanned_at if health_file is not None else ""
    if not since:
        return Problem(what="service", reason="The service has not looked at the inbox yet.")
    return Problem(what="inbox", reason=f"The inbox was last listed at {since}.", since=since)


def _cluster(site: "Site") -> tuple[Mapping[str, Any] | None, str]:
    ledger = site.ledger
    if ledger.is_embedded:
        return None, ""
    stale = site.settings.cluster.stale_seconds
    return cluster_status(ledger, stale_seconds=stale), ledger.root_id


def workers_at_work(site: "Site") -> list[Mapping[str, Any]]:
    """Return the workers of this root with a recent heartbeat. Raises StorageError."""
    return _at_work(*_cluster(site))


def _unsent(site: "Site") -> int:
    site.check_ledger(thoroughly=False)
    return site.ledger.overview.waiting_updates()


def _listing(site: "Site") -> Listing | None:
    return list_inbox(site.inbox_path, site.settings.inbox.done_marker)


def _at_work(cluster: Mapping[str, Any] | None, root_id: str) -> list[Mapping[str, Any]]:
    workers = cluster["workers"] if cluster else ()
    return [each for each in workers if each["root"] == root_id and not each["stale"]]


def _guarded(what: str, look: Callable[[], _T], otherwise: _T, problems: list[Problem]) -> _T:
    try:
        return look()
    except ShipdropError as error:
        problems.append(Problem(what=what, reason=error.message, hint=error.hint))
        return otherwise


class HealthMonitor:
    """Determines the health of a service. Called in its thread.

    When nothing was taken for ``api.outage_seconds`` while calls were due, it is an outage.
    """

    def __init__(self, site: "Site", problems: Problems) -> None:
        self._delivery = site.delivery
        self._calls = site.calls
        self._clock = clock = site.clock
        self._every = site.settings.inbox.scan_seconds
        self._outage_seconds = site.settings.api.outage_seconds
        self._problems = problems
        self._started_at = stamp(clock.now())
        self._due = False
        self._idle_at = clock.monotonic()
        self._not_due: SendingStop | None = None
        self._pause_until: float | None = None

    def __call__(self) -> HealthFile:
        """Return the state of the service now."""
        problems, calls = self._problems, self._calls
        api, reason, hint, status = self._api(self._clock.monotonic())
        again_at = self._moment(problems.again_at)
        return HealthFile(
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self._started_at,
            at=stamp(self._clock.now()),
            scanned_at=problems.scanned_at,
            every=self._every,
            api=api,
            reason=reason,
            hint=hint,
            api_status=status,
            pause_until=self._moment(self._pause_until) or "",
            due=self._due,
            answered_at=self._moment(self._delivery.limiter.outage.answered) or "",
            calls=Calls(
                by_status=dict(calls.by_status), by_time=list(calls.by_time), seconds=calls.seconds
            ),
            trouble=problems.now(),
            since=problems.since(),
            waiting=as_dicts(problems.late[:_MOST_LATE]),
            waiting_long=len(problems.late),
            lying=as_dicts(problems.lying[:_MOST_LATE]),
            open=[
                {
                    "drop_id": drop_id,
                    "file": open_reason.file,
                    **open_reason.as_dict(),
                    "again_at": again_at,
                }
                for drop_id, open_reason in islice(problems.resting.items(), _MOST_OPEN)
            ],
            open_drops=len(problems.resting),
        )

    def _api(self, now: float) -> tuple[str, str, str, int | None]:
        """Return state, reason, hint and HTTP status of sending; note whether it is trouble.

        Sending that is tried again after a stop counts as stopped until a call is accepted.
        """
        limiter = self._delivery.limiter
        due, shut, outage = self._is_due(), limiter.shut, limiter.outage
        if not due:
            self._idle_at, self._not_due = now, outage.shut
        elif shut is None and outage.shut is not self._not_due:
            shut = outage.shut
        self._due = due
        self._note_pause(now)
        since = outage.since if due else None
        since = None if since is None else max(since, self._idle_at)
        is_outage = since is not None and now - since >= self._outage_seconds
        if shut is not None and shut.held:
            self._tell("api.held", shut.reason, shut.hint, since)
            return "held", shut.reason, shut.hint, shut.status
        if self._pause_until is not None:
            reason = f"The API asks for no calls until {self._moment(self._pause_until)}."
            hint = "From time to time one call tries whether it is ready sooner."
            self._tell("api.paused", reason, hint, since)
            return "paused", reason, hint, None
        if is_outage and (shut is None or not shut.ours):
            words = f" ({outage.words.rstrip('.')})" if outage.words else ""
            reason = f"The API has taken nothing since {self._moment(since)}{words}."
            hint = shut.hint if shut else "Nothing is lost; it is tried again and again."
            self._tell("api.outage", reason, hint, since)
            return "paused", reason, hint, None
        self._problems.clear("api")
        if shut is not None:
            return "paused", shut.reason, shut.hint, shut.status
        slowed = limiter.slowed
        return ("slowed", slowed, "", None) if slowed else ("ok", "", "", None)

    def _is_due(self) -> bool:
        """Return whether calls wait to go."""
        delivery = self._delivery
        return (
            delivery.has_work
            or delivery.limiter.shut is not None
            or any(
                open_reason.cause is Cause.API for open_reason in self._problems.resting.values()
            )
            or (self._due and self._problems.busy)  # being taken up again
        )

    def _note_pause(self, now: float) -> None:
        """Remember until when the API asked for a pause, where that is long."""
        left = self._delivery.limiter.pause_left
        if left <= 0:
            self._pause_until = None
        elif left > self._outage_seconds or self._pause_until is not None:
            self._pause_until = now + left

    def _tell(self, event: str, reason: str, hint: str, since: float | None) -> None:
        moment = self._moment(since) or ""
        self._problems.report("api", reason, hint=hint, event=event, since=moment, alike=event)

    def _moment(self, at: float | None) -> str | None:
        """Return a moment in monotonic seconds as a time for people, to the second."""
        if at is None:
            return None
        moment = self._clock.now() + timedelta(seconds=at - self._clock.monotonic())
        return stamp(moment)


def health_writer_of(site: "Site", problems: Problems) -> HealthFileWriter:
    """Return the writer of the health file, for the service or the worker that scans."""
    return HealthFileWriter(site.root / "state", HealthMonitor(site, problems), site.clock)


def cluster_status(ledger: SqlLedger, *, stale_seconds: float) -> dict[str, Any]:
    """Return workers, drops, segments, queues, and what all obey, as plain values.

    ``queues``: jobs that nobody has taken yet, by queue. ``stalled``: what silent workers hold.

    Raises UsageError for an embedded ledger, which has no workers.
    """
    if ledger.is_embedded:
        raise UsageError(
            "This ledger is embedded: it has no workers.",
            hint="`shipdrop ledger copy` moves it to PostgreSQL; set ledger.url then.",
        )
    known = ledger.workers.known_workers()
    signals = ledger.workers.signals()
    shut = {
        "seconds": signals.shut,
        "held": signals.held,
        "reason": signals.reason,
        "hint": signals.hint,
    }
    return {
        "workers": [
            {
                "id": each.id,
                "host": each.host,
                "pid": each.pid,
                "root": each.root,
                "silent_seconds": round(each.silent, 1),
                "stale": each.silent > stale_seconds,
                "draining": each.draining,
                "calls": each.calls,
                "rate": each.rate,
                "holds": list(each.holds),
            }
            for each in known
        ],
        "drops": {state.value: count for state, count in ledger.counts().items()},
        "segments": {
            "open": ledger.segments.count_open_segments(),
            "sending": sum(1 for each in known for key in each.holds if key.startswith("send:")),
        },
        "queues": ledger.workers.waiting_jobs(),
        "stalled": sum(len(each.holds) for each in known if each.silent > stale_seconds),
        "quiet_seconds": round(signals.quiet, 1),
        "shut": shut if signals.shut else None,
    }
