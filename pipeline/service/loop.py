"""The main loop: scan the inbox, claim files, give their drops to the scheduler.

At a start it resumes unfinished drops. It runs in one thread; others post events and wake it.
Nothing here waits for a call to the API.
"""

from collections import deque
from collections.abc import Callable

import structlog

from pipeline.core.errors import LedgerLost, StorageError
from pipeline.core.model import Drop, DropState
from pipeline.core.shipment import Cause, Closed, OpenReason
from pipeline.service.health import Problems, health_writer_of
from pipeline.service.intake import Intake
from pipeline.service.requests import Requests
from pipeline.service.run_outcome import RunOutcome, rows_for_a_person
from pipeline.service.scan_timer import Bell, ScanTimer
from pipeline.service.scheduler import Scheduler
from pipeline.service.wiring import Site

log = structlog.get_logger(__name__)

_AHEAD = 10_000
"""Drops claimed and not finished at a time: further files wait in the inbox, not in memory.

So many, because the inbox gives files out by age alone, and couriers take turns only once theirs
are claimed: one who brings thousands at once must not keep the others waiting in the inbox.
"""

_TROUBLE_SECONDS = 5.0
"""Pause of claiming after a folder or the ledger could not be written."""


class Service:
    """Watches one root. ``run`` returns when stopped, or with ``once`` when all is finished."""

    def __init__(
        self, site: Site, on_closed: Callable[[Closed], None] = lambda _closed: None
    ) -> None:
        """Take the root, and the function to call with each drop that is closed.

        Raises SettingsError when sending is not configured.
        """
        site.folders.prepare()
        self._bell = Bell()
        self._problems = Problems(clock=site.clock)
        self._health_file = health_writer_of(site, self._problems)
        self._intake = Intake(site, self._problems, self.wake)
        self._retention = site.retention
        self._ledger = site.ledger
        self._claimer = site.claimer
        self._closer = site.closer
        self._delivery = site.delivery
        self._delivery.on_crash = self._bell.ring
        self._clock = site.clock
        inbox = site.settings.inbox
        self._once_timeout = max(30.0, 10 * inbox.settle_seconds)
        self._probe_seconds = site.settings.api.probe_seconds
        self._scan_timer = ScanTimer(scan=inbox.scan_seconds, settle=inbox.settle_seconds)
        self._on_closed = on_closed
        self._events: deque[Callable[[], None]] = deque()
        self._scheduler = Scheduler(
            site.files, site.planner, site.drop_steps, self._delivery, self._post
        )
        self._requests = Requests(
            ledger=self._ledger,
            delivery=self._delivery,
            scheduler=self._scheduler,
            take=self._take,
        )
        self._stop = False
        self._refused = self._for_a_person = 0
        self._only: str | None = None
        self._troubled = False
        self._logged_shut = ""
        self._once = False
        self._resume_at: float | None = None
        self._tried_all = False

    # -- from other threads and signal handlers ----------------------------------------------------

    def stop(self) -> None:
        """Ask the loop to end: calls in flight are answered, the rest stays for the next start."""
        self._stop = True
        self._bell.ring()

    def wake(self) -> None:
        """Wake the loop: something happened in the inbox."""
        self._scan_timer.wake()
        self._bell.ring()

    def _post(self, act: Callable[[], None]) -> None:
        self._events.append(act)
        self._bell.ring()

    # -- the loop ------------------------------------------------------------------------------

    def run(self, *, once: bool, only: str | None = None) -> RunOutcome:
        """Process until stopped; with ``once``, until what its first scan saw is finished.

        ``only``: a drop id; then that drop is taken up and nothing else is touched.
        """
        self._once = once
        self._only = only
        if only is None and not once:
            self._intake.start()
        began = self._clock.monotonic()
        try:
            self._delivery.start()
            self._begin(began)
            while not self._stop:
                self._handle_events()
                now = self._clock.monotonic()
                self._turn(now)
                if once and self._is_finished(late=now - began >= self._once_timeout):
                    break
                if self._delivery.crash is not None:
                    log.critical("service.cannot_send", reason=repr(self._delivery.crash))
                    break
                self._bell.wait(
                    self._scan_timer.plan_next(
                        now, settling=self._intake.settling, listens=not once
                    )
                )
            return self._wind_up()
        finally:
            self._intake.stop()
            self._retention.stop()
            self._delivery.stop()
            self._scheduler.close()
            self._delivery.join()
            self._health_file.end()

    def _begin(self, now: float) -> None:
        """Take up unfinished drops; after a storage error a service tries again later."""
        try:
            self._take_up()
        except StorageError as error:
            if self._once or isinstance(error, LedgerLost):
                raise
            self._storage_problem(error, now)
            self._troubled = True

    def _take_up(self) -> None:
        """Take up the drops that an earlier run left, by the same steps as new files."""
        if self._only is not None:
            self._requests.honour(only=self._only)
            return
        self._closer.put_away_leftovers(self._scheduler.knows)
        self._take_unfinished()

    def _handle_events(self) -> None:
        while self._events:
            self._events.popleft()()
        for closed in self._scheduler.take_closed():
            if self._scheduler.retries:
                self._scan_timer.at_once()  # it may be what a retry waits for
            self._on_closed(closed)
            if self._once:  # counted, not kept: a run may have ten thousand files
                self._refused += closed.drop.state is DropState.REFUSED
                self._for_a_person += rows_for_a_person(closed)

    def _turn(self, now: float) -> None:
        """Take one turn: scan if due, claim files if there is room, retry open drops."""
        try:
            if self._scan_timer.is_due(now):
                self._look(now)
            self._claim()
            if not self._once:
                self._retry_open_drops(now)
                self._retention.start_if_due(lambda: not self._scheduler.busy)
        except StorageError as error:
            if self._once or isinstance(error, LedgerLost):
                raise
            self._storage_problem(error, now)
            self._troubled = True
        failure, self._scheduler.storage_error = self._scheduler.storage_error, None
        if isinstance(failure, LedgerLost):
            raise failure
        if failure is not None:
            # One drop's storage: that drop rests, the others go on.
            self._storage_problem(failure, now)
        if self._delivery.limiter.outage.shut is None:
            self._logged_shut = ""
        self._problems.busy = self._scheduler.busy
        self._problems.resting, self._problems.again_at = self._scheduler.open, self._resume_at
        self._health_file.beat()

    def _storage_problem(self, error: StorageError, now: float) -> None:
        self._problems.report(
            "storage", error.message, hint=error.hint, event="service.storage_trouble"
        )
        self._resume_after(now, _TROUBLE_SECONDS)

    def _look(self, now: float) -> None:
        """Honour requests, and scan the inbox.

        A busy inbox is not scanned again for each finished file.
        """
        self._scan_timer.begins(now)
        self._requests.honour(only=self._only)
        self._scheduler.look_for_ends()
        if self._only is not None:
            return
        self._intake.look(once=self._once)
        self._scan_timer.ended(now, self._clock.monotonic())

    def _claim(self) -> None:
        """Claim the oldest files, if there is room and storage works."""
        self._scan_timer.more = False
        room = _AHEAD - self._scheduler.under_way
        if room <= 0 or self._resting_from_trouble:
            return
        if self._intake.hand_on(self._scheduler.take_all, room):
            self._scan_timer.claimed(self._clock.monotonic())
        self._scan_timer.more = self._intake.ready > 0

    def _is_finished(self, *, late: bool) -> bool:
        """Return, with ``once``, whether no step is due and no file of the first scan awaited."""
        if self._scheduler.busy or self._events:
            return False
        shut = self._delivery.limiter.shut
        if shut is not None and shut.held and not shut.arguable:
            return True
        if self._intake.ready or not (late or not self._intake.awaited()):
            return False
        return shut is None or not shut.arguable or not self._try_all_drops()

    def _try_all_drops(self) -> bool:
        """Reopen sending, once in a run, and try the other drops: bad rows of one may be to blame.

        Without it, a file whose rows are all bad would keep the others waiting at every start.
        Return False when there is nothing left to try.
        """
        if self._tried_all or len(self._scheduler.open) < 2:
            return False
        self._tried_all = True
        self._delivery.reopen()
        self._take_unfinished()
        return True

    # -- retries, outages ----------------------------------------------------------------------

    @property
    def _resting_from_trouble(self) -> bool:
        return self._troubled and self._delivery.limiter.shut is None

    def _resume_after(self, now: float, seconds: float) -> None:
        if self._resume_at is None:
            self._resume_at = now + seconds

    def _retry_open_drops(self, now: float) -> None:
        """Try again after an outage, a pause or full storage."""
        shut = self._delivery.limiter.shut
        # Behind a closed limiter all drops come to rest; otherwise single ones may.
        still = shut is None or not self._scheduler.busy
        if self._resume_at is None and still and (shut is not None or self._scheduler.open):
            if shut is not None and shut.reason != self._logged_shut:
                self._logged_shut = shut.reason
                log.warning("api.shut", reason=shut.reason, hint=shut.hint)
            self._resume_after(now, self._probe_seconds)
        if self._resume_at is None or now < self._resume_at or not still:
            return
        self._resume_at, self._troubled = None, False
        if shut is not None:
            self._delivery.reopen()
        self._scheduler.retry_again()
        self._closer.put_away_leftovers(self._scheduler.knows)
        self._take_unfinished()

    def _take_unfinished(self) -> None:
        """Take up the unfinished drops that no step is at work on."""
        for drop in self._ledger.unfinished():
            if not self._scheduler.knows(drop.drop_id):
                self._take(drop)

    def _take(self, drop: Drop) -> None:
        """Take up an unfinished drop where it was left; a storage error affects only this drop."""
        try:
            recovered = self._claimer.recover(drop)
        except StorageError as error:
            if self._once:
                raise
            self._scheduler.rest(drop, error)
            return
        if recovered is None:
            self._scheduler.forget(drop.drop_id)
            return
        log.info("drop.taken_up", drop=drop.drop_id, state=recovered.state.value)
        self._scheduler.take(recovered)

    # -- the end -------------------------------------------------------------------------------

    def _wind_up(self) -> RunOutcome:
        """Wait for calls in flight, report open drops, and return the run's result."""
        if self._stop:
            log.info("service.stopping", under_way=self._scheduler.under_way)
        shut = self._delivery.limiter.shut
        self._scheduler.stop()
        while self._scheduler.busy:
            self._bell.wait(0.5)
            self._handle_events()
        left = self._intake.left() if self._once else ()
        if self._once and self._only is None and not self._stop:
            self._retention.run_if_due()
        waiting = {
            drop_id: OpenReason(
                reason=f"The retry of {drop_id} waits for {', '.join(behind)}.",
                cause=Cause.EARLIER,
                waits_for=behind,
            )
            for drop_id, behind in self._scheduler.retries.items()
        }
        return RunOutcome(
            refused=self._refused,
            for_a_person=self._for_a_person,
            open=waiting | self._scheduler.open,
            left=left,
            shut=shut,
            died=repr(self._delivery.crash) if self._delivery.crash is not None else "",
        )
