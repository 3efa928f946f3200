"""Move drops through reading, planning, sending and reporting.

A step's thread takes all drops that wait for it, up to a limit; none waits for a batch to fill.
``service.planning_threads`` has the drops until they are planned, the delivery thread sends them,
and one thread reports.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from pipeline.core.chunks import Chunk
from pipeline.core.errors import StorageError, Tried, as_exception
from pipeline.core.model import Drop, DropState
from pipeline.core.shipment import (
    Closed,
    DeliveryResult,
    OpenReason,
    Ready,
    Released,
    Reopened,
    RetryPostponed,
    StillOpen,
    reason_after,
    reason_of,
)
from pipeline.reading.drop_reader import MAX_TRIES, ClaimedFiles
from pipeline.service.drop_states import (
    AFTER_PLANNING,
    UNDER_WAY,
    Dependencies,
    DropEntry,
    DropStates,
    SchedulerState,
    after_looking,
    after_reporting,
    after_taking,
)
from pipeline.service.drop_steps import DropSteps
from pipeline.service.planner import Planner
from pipeline.service.planning_threads import (
    PlanningThreads,
    PlanResult,
    Post,
    thread_named,
    when_done,
)

if TYPE_CHECKING:
    from pipeline.delivery.thread import DeliveryThread

_SENT_AHEAD = 64
"""Drops that are planned and not yet reported at a time; a further one is not read before."""

_REPORTED_AT_ONCE = 32
"""Drops reported at once, when so many wait."""

log = structlog.get_logger(__name__)


class Scheduler:
    """Takes drops from where they are to their end.

    Owned by the service's thread: every method is called there.

    ``post`` takes what the service's thread is to do. ``open``: drop id → why it is not
    finished, for the drops that rest. ``storage_error``: the last failure of a folder or the
    ledger; the loop resets it. ``retries``: closed drop → the open drops that its retry waits for.

    ``drop_states`` alone knows where each drop is. Some rows of a drop may wait for other drops:
    when one of those ends or makes progress, the drop is released as soon as no other step is at
    work on it.
    """

    def __init__(
        self,
        files: ClaimedFiles,
        planner: Planner,
        steps: DropSteps,
        delivery: "DeliveryThread",
        post: Post,
        thread: Callable[[str], Executor] = thread_named,
    ) -> None:
        self._steps = steps
        self._delivery = delivery
        self._post = post
        self._reports = thread("reports")
        self._drops = DropStates()
        self._planning = PlanningThreads(
            files,
            planner,
            drops=self._drops,
            post=post,
            planned=self._planned,
            room=self._room_to_plan,
            thread=thread,
        )
        self._dependencies = Dependencies()
        self._to_report: list[tuple[Drop, DeliveryResult]] = []
        self._is_reporting = False
        self._progress_count = 0
        self._stopping = False
        self._ended: list[Closed] = []
        self._not_reopened: set[str] = set()
        self.retries: dict[str, tuple[str, ...]] = {}
        self.open: dict[str, OpenReason] = {}
        self.storage_error: StorageError | None = None

    @property
    def under_way(self) -> int:
        """Return drops that are claimed and neither finished nor resting."""
        return self._drops.count(*UNDER_WAY)

    @property
    def busy(self) -> bool:
        """Return True while a step is due for any drop."""
        return self.under_way > 0

    def knows(self, drop_id: str) -> bool:
        """Return True when the scheduler has the drop, at whatever step."""
        return self._drops.is_in(drop_id, *UNDER_WAY, SchedulerState.WAITING)

    def forget(self, drop_id: str) -> None:
        """Forget a resting drop whose file went back into the inbox."""
        self.open.pop(drop_id, None)
        self._drops.forget(drop_id)

    def take(self, drop: Drop) -> None:
        """Take a claimed drop, or one found unfinished at the start."""
        self.take_all([drop])

    def take_all(self, drops: Sequence[Drop]) -> None:
        """Take several drops, in this order."""
        for drop in drops:
            self.open.pop(drop.drop_id, None)
            known = self._drops.find(drop.drop_id)
            cancelled = known is not None and known.cancelled
            self._go_to(after_taking(drop, cancelled=cancelled), drop)
        self._planning.start_reading()

    def _go_to(self, state: SchedulerState, drop: Drop) -> None:
        """Begin a drop's next step."""
        match state:
            case SchedulerState.QUEUED:
                self._planning.append(drop).seen = self._progress_count
            case SchedulerState.PLANNING:
                self._release(drop)
            case SchedulerState.SENDING:
                self._deliver(drop)
            case _:
                self._drops.put(drop, state)

    def retry(self, drop: Drop) -> None:
        """Take up the rest of a closed drop; it is planned in its turn, alone."""
        self.retries.pop(drop.drop_id, None)
        self._planning.run_in_planning_thread(
            lambda: self._steps.reopen(drop, rests=self._rests), drop
        )

    def _rests(self, drop_id: str) -> bool:
        """Return True for an idle drop of this root; asked in any thread."""
        return not self.knows(drop_id) and self._steps.is_ours(drop_id)

    def retry_again(self) -> None:
        """Forget why retries were postponed, so that the next look tries them again."""
        self.retries.clear()
        while self._not_reopened:
            self.forget(self._not_reopened.pop())

    def cancel(self, drop: Drop) -> None:
        """Send nothing more of a drop, at whatever step it is."""
        entry = self._drops.find(drop.drop_id) or self._drops.put(drop, SchedulerState.RESTING)
        entry.cancelled = True
        if entry.state is SchedulerState.SENDING:
            self._delivery.cancel(drop.seq)
        elif entry.state is SchedulerState.WAITING:
            self._deliver(entry.drop)

    def stop(self) -> None:
        """Begin nothing new; calls in flight are answered and reported."""
        self._stopping = True
        self._planning.stop()
        self._delivery.stop()

    def look_for_ends(self, drop_ids: Sequence[str] | None = None) -> None:
        """Ask the ledger which of these drops, or of all that others wait for, have ended.

        Drops of other roots, and removed ones, end without an event here. Raises StorageError.
        """
        awaited = self._dependencies.awaited if drop_ids is None else drop_ids
        if awaited:
            open_still = set(self._steps.not_closed(awaited))
            for drop_id in awaited:
                if drop_id not in open_still:
                    self._wake(drop_id)

    def take_closed(self) -> list[Closed]:
        """Return the drops that were closed since the last time this was asked."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Wait for the threads."""
        self._planning.close()
        self._reports.shutdown(wait=True)

    # -- results of planning ---------------------------------------------------------------------

    def _room_to_plan(self) -> int:
        return _SENT_AHEAD - self._drops.count(*AFTER_PLANNING)

    def _planned(self, drop: Drop, result: PlanResult) -> None:
        """Note that a drop was planned, or was not."""
        match result:
            case Exception() as error:
                self._not_planned(drop, error)
            case Ready(drop=planned, chunks=chunks):
                self._wait(planned)
                self._deliver(planned, chunks)
            case Released(drop=open_one, progressed=progressed):
                entry = self._wait(open_one)
                rests = open_one.drop_id in self.open
                state = after_looking(
                    entry, progressed=progressed, rests=rests, stopping=self._stopping
                )
                if state is SchedulerState.SENDING:
                    self.open.pop(open_one.drop_id, None)
                self._go_to(state, open_one)
            case Closed() as closed:
                self._closed(closed)
            case Reopened(drop=reopened):
                self.open.pop(reopened.drop_id, None)
                self._deliver(reopened)
            case RetryPostponed(drop=closed_one, behind=behind):
                self._drops.forget(closed_one.drop_id)
                self.retries[closed_one.drop_id] = behind
                log.info("drop.retry_waits", drop=closed_one.drop_id, behind=behind)
            case None:
                self._drops.forget(drop.drop_id)

    def _not_planned(self, drop: Drop, error: Exception) -> None:
        if drop.state.closed:
            self._not_reopened.add(drop.drop_id)
        if isinstance(error, StorageError):
            self.rest(drop, error)
            return
        if self._stopping or drop.state is not DropState.CLAIMED:
            self.rest(drop, error)
            return
        log.error("drop.bug", drop=drop.drop_id, exc_info=error)
        # Once more from the start; the count of tries ends it (MAX_TRIES).
        log.warning("drop.again", drop=drop.drop_id, at_most=MAX_TRIES)
        self._go_to(SchedulerState.QUEUED, drop)

    # -- wait for other drops --------------------------------------------------------------------

    def _wait(self, drop: Drop) -> DropEntry:
        """Note which drops the rows of a drop wait for, as found when it was planned."""
        entry = self._drops.put(drop, SchedulerState.PLANNING)
        self._dependencies.wait(drop.drop_id, drop.waits_for)
        awaited = [self._drops.find(each) for each in drop.waits_for]
        if any(each is not None and each.progressed_at > entry.seen for each in awaited):
            entry.look_again = True  # one was sent on since
        with suppress(StorageError):  # else the next look at the inbox asks
            self.look_for_ends(drop.waits_for)  # they may have ended since
        return entry

    def _wake(self, drop_id: str) -> None:
        """Release the drops that wait for this one: it has ended, or made progress."""
        for each in self._dependencies.awaited_by(drop_id):
            entry = self._drops.find(each)
            if entry is not None and entry.state is SchedulerState.WAITING and not self._stopping:
                self._release(entry.drop)
            elif entry is not None:
                entry.look_again = True

    def _release(self, drop: Drop) -> None:
        """Have the waiting rows of a drop released, in the planning thread."""
        entry = self._drops.put(drop, SchedulerState.PLANNING)
        entry.look_again, entry.seen = False, self._progress_count
        self._planning.run_in_planning_thread(lambda: self._steps.release(drop.drop_id), drop)

    # -- deliver -------------------------------------------------------------------------------

    def _deliver(self, drop: Drop, fresh: Sequence[Chunk] | None = None) -> None:
        """Have a drop sent; ``fresh``: the chunks of a plan that was frozen just now."""
        cancelled = self._drops.put(drop, SchedulerState.SENDING).cancelled
        stack = ExitStack()
        try:
            shipment = self._steps.shipment(drop, stack, fresh, cancelled=cancelled)
            future = self._delivery.submit(shipment)
        except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
            stack.close()
            back = DeliveryResult(drop_seq=drop.seq, complete=False, broken=error, progressed=False)
            if cancelled:
                back = DeliveryResult(drop_seq=drop.seq, complete=False, cancelled=True)
            self._report(drop, back)
            return
        when_done(self._post, future, lambda done: self._came_back(drop, done, stack))

    def _came_back(self, drop: Drop, done: "Future[DeliveryResult]", stack: ExitStack) -> None:
        stack.close()
        error = done.exception()
        if error is None:
            self._report(drop, done.result())
            return
        broken = as_exception(error)
        self._report(
            drop, DeliveryResult(drop_seq=drop.seq, complete=False, broken=broken, progressed=False)
        )

    def _report(self, drop: Drop, handback: "DeliveryResult") -> None:
        """Have a drop reported, unless nothing changed since its last report."""
        if handback.broken is not None:
            self._tell_broken(drop, handback.broken)
        entry = self._drops.put(drop, SchedulerState.REPORTING)
        news = handback.progressed or handback.cancelled or handback.complete
        if (
            entry.reported is not None
            and entry.reported[0] == reason_of(drop, handback)
            and not news
        ):
            self.open[drop.drop_id] = entry.reported[1]
            self._drops.put(drop, SchedulerState.RESTING)
            self._planning.start_reading()
            return
        self._to_report.append((drop, handback))
        self._report_next()

    def _report_next(self) -> None:
        """Report the next drops, unless others are being reported."""
        if self._is_reporting or not self._to_report:
            return
        self._is_reporting = True
        some, self._to_report = (
            self._to_report[:_REPORTED_AT_ONCE],
            self._to_report[_REPORTED_AT_ONCE:],
        )
        future = self._reports.submit(self._steps.finish, some)
        when_done(self._post, future, lambda over: self._were_reported(some, over))

    def _were_reported(
        self,
        some: "Sequence[tuple[Drop, DeliveryResult]]",
        over: "Future[list[Tried[Closed | StillOpen]]]",
    ) -> None:
        self._is_reporting = False
        error = over.exception()
        results = [error] * len(some) if error is not None else over.result()
        for (drop, handback), result in zip(some, results, strict=True):
            match result:
                case Closed():
                    self._closed(result)
                case StillOpen():
                    self._left_open(result, reason_of(drop, handback))
                case _:
                    self.rest(drop, result)
        self._report_next()
        self._planning.start_reading()

    def _left_open(self, left: StillOpen, cut_off: OpenReason | None) -> None:
        """Go on with a drop that is still open after its report; ``cut_off``: why sending ended."""
        drop = left.drop
        entry = self._drops.put(drop, SchedulerState.REPORTING)
        entry.reported = cut_off, left.open_reason
        self.open[drop.drop_id] = left.open_reason
        if left.progressed:
            self._progress_count += 1
            entry.progressed_at = self._progress_count
            self._wake(drop.drop_id)
        waits = drop.drop_id in self._dependencies
        state = after_reporting(
            entry, only_waiting_left=left.only_waiting_left, waits=waits, stopping=self._stopping
        )
        self._go_to(state, drop)

    def rest(self, drop: Drop, error: BaseException) -> None:
        """Let a drop rest after a storage error or a bug; it is taken up again later."""
        self._tell_broken(drop, error)
        self._drops.put(drop, SchedulerState.RESTING)
        self.open[drop.drop_id] = reason_after(drop, error)

    def _tell_broken(self, drop: Drop, error: BaseException) -> None:
        """Log the error that keeps one drop from going on; a foreseen one without a traceback.

        Each error once: the drop is tried again every few seconds.
        """
        if isinstance(error, StorageError):
            self.storage_error = error
            entry = self._drops.find(drop.drop_id)
            known = self.open.get(drop.drop_id), *((entry and entry.reported) or ())
            if reason_after(drop, error) not in known:
                log.error("drop.storage_trouble", drop=drop.drop_id, reason=error.message)
        else:
            log.error("drop.bug", drop=drop.drop_id, exc_info=error)

    def _closed(self, closed: Closed) -> None:
        self._ended.append(closed)
        self.open.pop(closed.drop.drop_id, None)
        self._drops.forget(closed.drop.drop_id)
        self._dependencies.wait(closed.drop.drop_id, ())
        self._wake(closed.drop.drop_id)
