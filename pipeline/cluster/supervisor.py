"""Send a worker's heartbeat, and take up work that other workers left unfinished.

Runs in a thread of its own, so that no parsing and no slow answer makes a worker look dead.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum

import structlog

from pipeline.cluster.job_queue import Engine
from pipeline.cluster.lease import Lease
from pipeline.cluster.tasks import Tasks, plannable
from pipeline.core.errors import Fenced, StorageError
from pipeline.core.model import Drop, DropRequest, DropState
from pipeline.core.shipment import SendingStop
from pipeline.service.requests import to_honour
from pipeline.service.wiring import Site
from pipeline.storage.ledger.segments import sending
from pipeline.storage.ledger.workers import Allowance, WorkerInstructions

log = structlog.get_logger(__name__)

_HEARTBEAT_SECONDS = 0.5
"""Interval at which a busy worker reads pauses, its share, and requests to cancel."""

_LOOK_SECONDS = 2.0
"""Interval of looks for unfinished work; also the heartbeat of an idle worker."""

_TIDY_SECONDS = 30.0
_AT_ONCE = 500
"""Segments that one look queues at most."""


class Action(Enum):
    """A step of a worker about sending, after a heartbeat."""

    NOTHING = "nothing"
    REOPEN = "reopen"
    CLOSE = "close"
    PUBLISH = "publish"


def next_action(
    shut: SendingStop | None, *, refused: bool, signalled: bool, shared: bool, stopping: bool
) -> tuple[Action, bool]:
    """Return the next action, and whether our outage is then shared with all workers.

    ``shut``: why we send nothing; ``refused``: our lease had ended; ``signalled``: all workers are
    to send nothing; ``shared``: whether our outage was shared before.
    """
    if shut is None:
        return (Action.CLOSE, True) if signalled else (Action.NOTHING, shared)
    if shut.ours or refused:
        # Our own problem: the ledger was out of reach, or we sent no heartbeat. It is over now.
        return Action.NOTHING if stopping else Action.REOPEN, shared
    if signalled:
        return Action.NOTHING, True
    return (Action.REOPEN, False) if shared else (Action.PUBLISH, True)


class Supervisor:
    """Sends heartbeats until stopped; calls ``lost`` when others have removed this worker."""

    def __init__(
        self,
        site: Site,
        lease: Lease,
        tasks: Tasks,
        engine: Engine,
        *,
        stop: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._site = site
        self._ledger = site.ledger
        self._delivery = site.delivery
        self._lease = lease
        self._tasks = tasks
        self._engine = engine
        self._ask_to_stop = stop
        self._lost = lost
        self._end = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._outage_is_shared = False
        self._logged_shut = ""
        self._quiet_until = 0.0
        self._quiet_wanted = 0.0
        self._ledger_back_at = time.monotonic()
        self._look_at = 0.0
        self._tidy_at = 0.0
        self._failures = 0
        self._work = True
        self._silent = False
        api, cluster = site.settings.api, site.settings.cluster
        self._most = api.concurrency
        self._probe_seconds = api.probe_seconds
        self._allowed = Allowance(calls=cluster.concurrency, rate=api.rate_per_second)
        self._share = (-1, -1.0)

    def start(self) -> None:
        """Begin."""
        self._delivery.limiter.on_limited = self._limited
        self._tasks.on_begin = self.wake
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._end.set()
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def wake(self) -> None:
        """Send the next heartbeat at once."""
        self._wake.set()

    def _limited(self, seconds: float) -> None:
        self._quiet_wanted = max(self._quiet_wanted, time.monotonic() + seconds)
        self._wake.set()

    # -- the loop ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._heartbeat()
                if time.monotonic() >= self._look_at and not self._tasks.stopping:
                    self._look_after()
                    self._look_at = time.monotonic() + _LOOK_SECONDS
            except Fenced as error:
                if not self._end.is_set():
                    log.warning("worker.given_up", reason=error.message)
                    self._lost()
                return
            except StorageError as error:
                log.warning("worker.no_ledger", reason=error.message)
                self._ledger_back_at = time.monotonic()
            except Exception:  # a bug here must not make the worker look dead
                log.exception("supervisor.bug")
            busy = self._work or self._tasks.sending
            self._wake.wait(min(_HEARTBEAT_SECONDS if busy else _LOOK_SECONDS, self._lease.pause))
            self._wake.clear()

    def _heartbeat(self) -> None:
        begun = self._lease.begin_heartbeat()
        orders = self._ledger.workers.heartbeat(
            self._lease.name,
            wants=1 if self._tasks.sending else 0,
            most=self._most,
            allowed=self._allowed,
            lower=self._lower,
            stale_seconds=self._lease.stale_seconds,
        )
        self._work, self._silent = orders.work, orders.silent
        self._lease.renew(begun)
        self._obey(orders)
        wanted, self._quiet_wanted = self._quiet_wanted - time.monotonic(), 0.0
        if wanted > 0:
            self._quiet_until = time.monotonic() + wanted
            self._ledger.workers.ask_for_quiet(wanted)

    def _lower(self, calls: int, rate: float) -> int:
        self._share = (calls, rate)
        self._delivery.share(calls, rate)
        return self._delivery.limiter.in_flight

    def _obey(self, orders: WorkerInstructions) -> None:
        if orders.draining:
            self._ask_to_stop()
        if (orders.calls, orders.rate) != self._share:
            self._share = (orders.calls, orders.rate)
            self._delivery.share(orders.calls, orders.rate)
        until = time.monotonic() + orders.signals.quiet
        if orders.signals.quiet > 0 and until > self._quiet_until + _HEARTBEAT_SECONDS:
            self._quiet_until = until
            self._delivery.pause(orders.signals.quiet)
        self._open_or_shut(orders)

    def _open_or_shut(self, orders: WorkerInstructions) -> None:
        """Share with all workers that nothing can be sent, and reopen after the pause."""
        signals, shut = orders.signals, self._delivery.limiter.shut
        if self._delivery.limiter.outage.shut is None:
            self._logged_shut = ""
        refused, self._lease.refused = self._lease.refused, False
        action, self._outage_is_shared = next_action(
            shut,
            refused=refused,
            signalled=signals.shut > 0,
            shared=self._outage_is_shared,
            stopping=self._tasks.stopping,
        )
        match action:
            case Action.REOPEN:
                self._delivery.reopen()
            case Action.CLOSE:
                self._delivery.close(
                    SendingStop(held=signals.held, reason=signals.reason, hint=signals.hint)
                )
            case Action.PUBLISH if shut is not None:
                if shut.reason != self._logged_shut:  # once until a call is taken
                    log.warning("api.shut", reason=shut.reason, hint=shut.hint)
                self._logged_shut = shut.reason
                self._ledger.workers.shut(
                    self._probe_seconds, held=shut.held, reason=shut.reason, hint=shut.hint
                )

    # -- looking after -------------------------------------------------------------------------

    def _look_after(self) -> None:
        """Queue lost jobs again, and remove workers without a heartbeat."""
        stale, tidy = self._lease.stale_seconds, time.monotonic() >= self._tidy_at
        if self._silent and time.monotonic() - self._ledger_back_at > stale:
            # After an outage of the ledger, every worker gets time for a heartbeat first.
            for name in self._ledger.workers.give_up_the_silent(stale):
                log.warning("worker.gave_up_another", worker=name)
        if tidy or self._failures != self._ledger.failures:
            self._failures = self._ledger.failures
            self._tasks.tidy_posts()
        if tidy or self._work:
            unfinished, requested = self._ledger.unfinished(), self._ledger.requested()
            self._honour(requested)
            tasks = self._tasks
            if (
                plannable(unfinished) or tasks.retries(requested) or tasks.freed(unfinished)
            ) and not self._ledger.workers.posts(tasks.plan_post):
                tasks.call_plan()
            if self._delivery.limiter.shut is None:
                self._call_for_segments(unfinished)
        if tidy:
            self._engine.end_stale_jobs(3 * stale)
            self._site.closer.put_away_leftovers()
            self._tidy_at = time.monotonic() + _TIDY_SECONDS

    def _call_for_segments(self, unfinished: list[Drop]) -> None:
        laid_out = self._ledger.segments.laid_out(rested=self._probe_seconds)
        open_ones = {drop.seq: drop for drop in unfinished if drop.state is DropState.OPEN}
        # Also drops whose segments have all ended, after a pause.
        rested = {seq for seq, rests in laid_out.items() if rests}
        for seq in (open_ones.keys() - laid_out.keys()) | rested:
            if seq in open_ones:
                self._tasks.call_for(open_ones[seq])
            else:
                self._ledger.segments.forget_segments(seq)
        # With no job queued, those for idle segments were lost.
        idle = self._ledger.segments.idle_segments()
        if idle and not self._engine.waiting():
            self._tasks.call_send(idle[:_AT_ONCE])

    def _honour(self, requested: list[Drop]) -> None:
        """Act on requests of people for drops, on whatever machine."""
        for drop in requested:
            if to_honour(drop, busy=False) is DropRequest.CANCEL:
                self._delivery.cancel(drop.seq)
                if drop.state is DropState.OPEN and not self._ledger.workers.posts(
                    sending(drop.seq)
                ):
                    self._tasks.call_report(drop.seq)
