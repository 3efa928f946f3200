"""Scan the inbox in a cluster: one worker at a time does, and any worker plans what it claims.

The worker that holds the scan post also writes ``state/health.json``, sends notices and removes
old data. The next scanner finishes claims that a killed worker left; such a claim is kept for
an hour, in case its file still arrives in ``work``.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import structlog

from pipeline.cluster.lease import SCAN, Lease
from pipeline.cluster.tasks import Tasks, plannable
from pipeline.core.errors import Fenced, StorageError
from pipeline.core.model import Drop, DropState
from pipeline.service.health import Problems, health_writer_of
from pipeline.service.intake import Intake
from pipeline.service.wiring import Site

log = structlog.get_logger(__name__)

_AHEAD = 1_000
"""Drops claimed and not planned at a time: files beyond wait in the inbox."""

_CALL_EVERY_SECONDS = 0.2
_RECOVER_LOOKS = 15
_TROUBLE_SECONDS = 5.0
_FAILING_PAUSES = 3
"""Pauses of the lease for which the inbox cannot be listed before another worker may try."""
_LONGEST_AWAY_SECONDS = 20.0
_LOST_CLAIM = timedelta(hours=1)


Background = Callable[..., AbstractContextManager[None]]
"""Work beside the scanning, while the context lasts and ``may``, a function, says yes."""


class Scanner:
    """Scans the inbox while no other worker of the root does."""

    def __init__(self, site: Site, lease: Lease, tasks: Tasks, beside: Background) -> None:
        self._site = site
        self._beside = beside
        self._held = ExitStack()
        self._ledger = site.ledger
        self._lease = lease
        self._tasks = tasks
        self._called_at = 0.0
        self._plan_pending = False
        self._bell = threading.Event()
        self._end = threading.Event()
        self._post = f"{SCAN}{site.ledger.root_id}"
        self._mine = False
        self._looks = 0
        self._failing_since: float | None = None
        self._away = 0.0
        self._away_until = float("-inf")
        self._leaving = False
        self._problems = problems = Problems(clock=site.clock)
        self._health_file = health_writer_of(site, problems)
        self._intake = Intake(site, problems, self._bell.set)
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._end.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        try:
            while not self._end.is_set():
                try:
                    pause = self._turn()
                except Fenced as error:
                    # If the other workers removed this one, its supervisor ends it.
                    log.warning("scanner.pauses", reason=error.message)
                    pause = self._lease.pause
                except StorageError as error:
                    log.error(  # noqa: TRY400 - its sentence says more than a traceback
                        "scanner.storage_trouble", reason=error.message, hint=error.hint
                    )
                    pause = _TROUBLE_SECONDS
                except Exception:  # a bug with one file must not end the scanning
                    log.exception("scanner.bug")
                    pause = _TROUBLE_SECONDS
                self._bell.wait(pause)
                self._bell.clear()
        finally:
            self._intake.stop()
            self._held.close()
            if self._mine:
                self._site.retention.stop()
            if self._mine and self._lease.holds:
                self._health_file.end()

    def _turn(self) -> float:
        """Scan and claim, if this worker has the post; return the seconds to wait."""
        self._lease.require_valid()
        settings = self._site.settings.inbox
        if not self._mine:
            self._leave_post()
            if (left := self._away_until - time.monotonic()) > 0:
                return left
            self._mine = self._ledger.workers.take_post(self._lease.name, self._post)
            if not self._mine:
                return max(settings.scan_seconds, self._lease.pause)
            log.info("scanner.begins", inbox=str(self._site.inbox_path))
            self._intake.start()
            self._held.enter_context(self._beside(may=lambda: self._lease.holds))
        if self._looks % _RECOVER_LOOKS == 0:
            self._recover()
        self._looks += 1
        self._intake.look(once=False)
        room = _AHEAD - len(plannable(self._ledger.unfinished())) if self._intake.ready else 0
        while self._intake.ready and room > 0 and not self._end.is_set():
            room -= self._intake.hand_on(self._claimed, room)
        self._call_plan()
        self._lease.require_valid()
        self._health_file.beat()
        self._site.retention.start_if_due(lambda: False)
        if self._fails_for_long():
            return self._give_back()
        settle = settings.settle_seconds
        return max(0.05, settle / 4) if self._intake.settling and settle else settings.scan_seconds

    def _fails_for_long(self) -> bool:
        """Return whether this worker cannot list the inbox, and others are there who might."""
        if not self._problems.now()["scan"]:
            self._failing_since, self._away = None, 0.0
            return False
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since < _FAILING_PAUSES * self._lease.pause:
            return False
        return any(
            each.root == self._ledger.root_id
            and each.id != self._lease.name
            and each.silent < self._lease.stale_seconds
            for each in self._ledger.workers.known_workers()
        )

    def _give_back(self) -> float:
        """Leave the post for a worker that sees the inbox; return how long to stay away from it.

        Longer each time, so that workers none of which sees it do not hand it round and round.
        """
        log.warning("scanner.gives_back", reason=self._problems.now()["scan"])
        least = 2 * max(self._site.settings.inbox.scan_seconds, self._lease.pause)
        self._away = max(least, min(2 * self._away, _LONGEST_AWAY_SECONDS))
        self._away_until = time.monotonic() + self._away
        self._mine, self._failing_since, self._leaving = False, None, True
        self._intake.stop()
        self._held.close()
        self._leave_post()
        return self._away

    def _leave_post(self) -> None:
        """Give the post back in the ledger, if that is still to be done."""
        if self._leaving:
            self._ledger.workers.leave_post(self._lease.name, self._post)
            self._leaving = False

    def _recover(self) -> None:
        """Finish claims that another worker, or this one, did not finish."""
        for drop in self._ledger.unfinished():
            if drop.state is not DropState.CLAIMING:
                continue
            there = self._site.folders.claimed_path(drop.drop_id, drop.source_file)
            if there is None and self._site.clock.now() - drop.received_at < _LOST_CLAIM:
                continue
            if self._site.claimer.recover(drop) is not None:
                self._claimed([drop])

    def _claimed(self, drops: Sequence[Drop]) -> None:
        """Have claimed drops planned, by one job at most every 0.2 s; the ledger has the drops."""
        log.debug("drops.handed_on", count=len(drops))
        self._plan_pending = True
        if time.monotonic() - self._called_at > _CALL_EVERY_SECONDS:
            self._call_plan()

    def _call_plan(self) -> None:
        """Queue one job for the drops claimed since the last one: any worker may plan them."""
        if self._plan_pending:
            self._plan_pending, self._called_at = False, time.monotonic()
            self._tasks.call_plan()
