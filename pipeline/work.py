"""Drops under way: read and planned one after the other, delivered side by side, reported.

Planning keeps to the order of claims, so that a drop that shares orders with an earlier one sees
it; a giant's turn comes when it was read. One thread plans, one reports, and two have the next
files read meanwhile, small ones and giants, which other processes do; the delivery room has its
own.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import structlog

from pipeline.closing import Closed
from pipeline.delivery.lane import Handback
from pipeline.delivery.room import DeliveryRoom
from pipeline.errors import StorageError
from pipeline.exits import Cause, Rest
from pipeline.model import Drop, DropState
from pipeline.ports import Chunk
from pipeline.prepared import Facts
from pipeline.runner import (
    MAX_TRIES,
    Blocked,
    Later,
    Ready,
    Reopened,
    Runner,
    Step,
    sharing,
)
from pipeline.turns import Lanes

_READ_AHEAD = 8
"""Drops that are handed to the threads that read and plan; what is read waits in its spool."""

_BUG = "Shipdrop failed on it, a bug; the log says how. It is tried again."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something ended in another thread; the service's own thread acts on it."""

    act: Callable[[], None]


class Work:
    """Implements ``ports.Dispatcher`` in this process.

    Owned by the service's thread: every method is called there.

    ``post`` is handed what other threads have to say; the service calls it back in its own thread.
    ``open``: drop id → why it is not through, for the drops that rest. ``trouble``: the failure of
    a folder or the ledger that nobody has answered yet. ``retries``: closed drop → those with the
    same orders that its retry waits for.
    """

    def __init__(self, runner: Runner, room: DeliveryRoom, post: Callable[[Event], None]) -> None:
        self._runner = runner
        self._room = room
        self._post = post
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="reads")
        self._giants = ThreadPoolExecutor(1, thread_name_prefix="giants")
        self._stages = ThreadPoolExecutor(1, thread_name_prefix="stages")
        self._reports = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._waiting = Lanes()
        self._reading: dict[str, Drop] = {}
        self._blocked: list[Blocked] = []
        self._unplanned: dict[str, Blocked] = {}
        self._delivering: dict[str, Drop] = {}
        self._reporting: set[str] = set()
        self._cancelled: set[str] = set()
        self._told: set[str] = set()
        self._stopping = False
        self._ended: list[Closed] = []
        self._not_reopened: set[str] = set()
        self.retries: dict[str, tuple[str, ...]] = {}
        self.open: dict[str, Rest] = {}
        self.trouble: StorageError | None = None

    @property
    def under_way(self) -> int:
        """Drops that are claimed and neither through nor resting."""
        return (
            len(self._waiting) + len(self._reading) + len(self._delivering) + len(self._reporting)
        )

    @property
    def blocked(self) -> int:
        """Drops that wait for earlier ones with the same orders."""
        return len(self._blocked)

    @property
    def busy(self) -> bool:
        """True while something will still happen by itself."""
        return bool(self._waiting or self._reading or self._delivering or self._reporting)

    def knows(self, drop_id: str) -> bool:
        """True when the drop is in our hands, at whatever step."""
        return (
            drop_id in self._reading
            or drop_id in self._delivering
            or drop_id in self._reporting
            or any(drop.drop_id == drop_id for drop in self._waiting)
            or any(each.drop.drop_id == drop_id for each in self._blocked)
        )

    def take(self, drop: Drop) -> None:
        """A claimed drop, or one found unfinished at the start."""
        self.open.pop(drop.drop_id, None)
        if drop.state is DropState.OPEN:
            self._deliver(drop)
        else:
            self._waiting.append(drop)
            self._read_next()

    def retry(self, drop: Drop) -> None:
        """Take up what a closed drop left; planned in its turn, so that no other is meanwhile."""
        self.retries.pop(drop.drop_id, None)
        self._in_stages(partial(self._runner.reopen, drop), drop)

    def retry_again(self) -> None:
        """Retries that storage kept from beginning may be tried once more."""
        while self._not_reopened:
            self.open.pop(self._not_reopened.pop(), None)

    def cancel(self, drop: Drop) -> None:
        """Send nothing more of a drop, at whatever step it is."""
        self._cancelled.add(drop.drop_id)
        if drop.drop_id in self._delivering:
            self._room.cancel(drop.seq)
        for each in self._blocked:
            if each.drop.drop_id == drop.drop_id:
                self._blocked.remove(each)
                self._in_stages(partial(self._runner.cancel_blocked, each), each.drop)
                break

    def stop(self) -> None:
        """Begin nothing new; what is out is answered and reported."""
        self._stopping = True
        self._waiting.clear()
        self._runner.stop_reading()
        self._room.stop()

    def finish_blocked(self, reason: str) -> None:
        """Report the drops that wait for others which will not get through now."""
        blocked, self._blocked = self._blocked, []
        for each in blocked:
            self._unplanned.pop(each.drop.drop_id, None)
            self._report_blocked(each, reason)
            self.open[each.drop.drop_id] = Rest(reason=f"It waits for {', '.join(each.behind)}.")

    def _report_blocked(self, blocked: Blocked, reason: str) -> None:
        try:
            self._runner.report_blocked(blocked, reason)
        except StorageError as error:
            log.error(  # noqa: TRY400 - its sentence says more than a traceback
                "drop.storage_trouble", drop=blocked.drop.drop_id, reason=error.message
            )

    def report_stuck(self) -> None:
        """Report, once, the drops that wait for others which rest."""
        for each in self._blocked:
            if each.drop.drop_id not in self._told and not self.open.keys().isdisjoint(each.behind):
                self._told.add(each.drop.drop_id)
                self._report_blocked(each, "")

    def take_closed(self) -> list[Closed]:
        """The drops that were closed since the last time this was asked."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Wait for the threads."""
        self._runner.stop_reading()
        self._reads.shutdown(wait=True, cancel_futures=True)
        self._giants.shutdown(wait=True, cancel_futures=True)
        self._stages.shutdown(wait=True, cancel_futures=True)
        self._runner.end_reading()
        self._reports.shutdown(wait=True)

    # -- read and plan -------------------------------------------------------------------------

    def _read_next(self) -> None:
        if self._stopping:
            return
        while len(self._reading) < _READ_AHEAD and (drop := self._waiting.small()):
            read = self._reads.submit(self._runner.read, drop)
            self._in_stages(partial(self._admit, drop, read), drop)
        if giant := self._waiting.giant():
            self._read_beside(giant)

    def _read_beside(self, drop: Drop) -> None:
        """Read a giant in its own lane; its turn to be planned comes when it was read."""
        self._reading[drop.drop_id] = drop
        read = self._giants.submit(self._runner.read, drop, beside=True)
        job = partial(self._admit, drop, read)
        read.add_done_callback(lambda _: self._post(Event(act=lambda: self._in_stages(job, drop))))

    def _admit(self, drop: Drop, read: "Future[Facts]") -> Step | None:
        """In the thread ``stages``: plan it as soon as it is read."""
        if self._stopping:
            return None
        try:
            return self._runner.admit(drop, read.result, self._ahead_of)
        except CancelledError:
            return None

    def _was_read(self, drop: Drop, done: "Future[Step | None]") -> None:
        del self._reading[drop.drop_id]
        self._waiting.ended(drop)
        error = done.exception()
        if error is None:
            self._route(done.result())
        else:
            self._not_read(drop, error)
        self._read_next()

    def _route(self, step: Step | None) -> None:
        match step:
            case Ready(drop=drop, chunks=chunks):
                self._deliver(drop, chunks)
            case Blocked() as blocked:
                self._blocked.append(blocked)
                if blocked.drop.drop_id in self._cancelled:
                    self.cancel(blocked.drop)
                else:
                    self._plan_unblocked()
            case Closed() as closed:
                self._closed(closed)
            case Reopened(drop=drop):
                self.open.pop(drop.drop_id, None)
                self._deliver(drop)
            case Later(drop=drop, behind=behind):
                self.retries[drop.drop_id] = behind
                log.info("drop.retry_waits", drop=drop.drop_id, behind=behind)
            case None:
                pass

    def _not_read(self, drop: Drop, error: BaseException) -> None:
        if drop.state.closed:
            self._not_reopened.add(drop.drop_id)
        if isinstance(error, StorageError):
            self.trouble = error
            self.open[drop.drop_id] = Rest(reason=error.message, cause=Cause.STORAGE)
            log.error("drop.storage_trouble", drop=drop.drop_id, reason=error.message)
            return
        log.error("drop.bug", drop=drop.drop_id, exc_info=error)
        if self._stopping or drop.state.closed:
            self.open[drop.drop_id] = Rest(reason=_BUG, cause=Cause.BUG)
            return
        # Once more from the start; the count of tries ends it (MAX_TRIES).
        log.warning("drop.again", drop=drop.drop_id, at_most=MAX_TRIES)
        self._waiting.append(drop)

    # -- deliver -------------------------------------------------------------------------------

    def _deliver(self, drop: Drop, fresh: Sequence[Chunk] | None = None) -> None:
        if drop.drop_id in self._cancelled:
            self._report(drop, Handback(drop_seq=drop.seq, complete=False, cancelled=True))
            return
        held = ExitStack()
        self._delivering[drop.drop_id] = drop
        try:
            future = self._room.submit(self._runner.shipment(drop, held, fresh))
        except StorageError as error:
            held.close()
            del self._delivering[drop.drop_id]
            self.trouble = error
            self.open[drop.drop_id] = Rest(reason=error.message, cause=Cause.STORAGE)
            return
        future.add_done_callback(
            lambda done: self._post(Event(act=lambda: self._came_back(drop, done, held)))
        )

    def _came_back(self, drop: Drop, done: "Future[Handback]", held: ExitStack) -> None:
        held.close()
        del self._delivering[drop.drop_id]
        error = done.exception()
        if error is not None:
            log.error("drop.delivery_failed", drop=drop.drop_id, exc_info=error)
            self._failed(drop, error)
            return
        self._report(drop, done.result())

    def _report(self, drop: Drop, handback: Handback) -> None:
        self._reporting.add(drop.drop_id)
        future = self._reports.submit(self._runner.finish, drop, handback)
        future.add_done_callback(
            lambda over: self._post(Event(act=lambda: self._was_reported(drop, over)))
        )

    def _was_reported(self, drop: Drop, over: "Future[Closed | Drop]") -> None:
        self._reporting.discard(drop.drop_id)
        error = over.exception()
        if error is not None:
            log.error("drop.report_failed", drop=drop.drop_id, exc_info=error)
            self._failed(drop, error)
            return
        result = over.result()
        if isinstance(result, Closed):
            self._closed(result)
        else:
            shut = self._room.shut
            reason = shut.reason if shut else "Some rows were not sent; the log says why."
            self.open[drop.drop_id] = Rest(reason=reason)

    def _failed(self, drop: Drop, error: BaseException) -> None:
        """The drop rests: its storage failed, or we did. It is taken up again later."""
        if isinstance(error, StorageError):
            self.trouble = error
            self.open[drop.drop_id] = Rest(reason=error.message, cause=Cause.STORAGE)
        else:
            self.open[drop.drop_id] = Rest(reason=_BUG, cause=Cause.BUG)

    def _closed(self, closed: Closed) -> None:
        self._ended.append(closed)
        self.open.pop(closed.drop.drop_id, None)
        self._cancelled.discard(closed.drop.drop_id)
        self._told.discard(closed.drop.drop_id)
        self._plan_unblocked()

    def _plan_unblocked(self) -> None:
        """Plan the drops whose predecessors are through, oldest first."""
        unsettled = {*self._delivering, *self._reporting, *self._reading, *self.open}
        unsettled.update(drop.drop_id for drop in self._waiting)
        for blocked in sorted(self._blocked, key=lambda each: each.drop.seq):
            if unsettled.isdisjoint(blocked.behind):
                self._blocked.remove(blocked)
                unsettled.add(blocked.drop.drop_id)
                self._in_stages(
                    partial(self._runner.plan, blocked.drop, blocked.prepared, self._ahead_of),
                    blocked.drop,
                )

    def _ahead_of(self, drop: Drop, orders: pa.Array) -> Iterator[str]:
        """Earlier drops that were read, wait to be planned, and have one of these orders.

        In the thread ``stages``.
        """
        waiting = tuple(self._unplanned.values())
        return sharing(orders, [each for each in waiting if each.drop.seq < drop.seq])

    def _in_stages(self, job: Callable[[], Step | None], drop: Drop) -> None:
        self._reading[drop.drop_id] = drop
        future = self._stages.submit(self._noted, job, drop)
        future.add_done_callback(
            lambda done: self._post(Event(act=lambda: self._was_read(drop, done)))
        )

    def _noted(self, job: Callable[[], Step | None], drop: Drop) -> Step | None:
        """Do the job in the thread ``stages``.

        A drop that has to wait is known there at once: the next one is planned before the service
        hears of it.
        """
        step = None
        try:
            step = job()
        finally:
            if isinstance(step, Blocked):
                self._unplanned[drop.drop_id] = step
            else:
                self._unplanned.pop(drop.drop_id, None)
        return step
