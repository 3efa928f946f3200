"""Drops under way: read and planned one after the other, delivered side by side, reported.

What waits at a step when its thread comes to it is done together: nobody waits for a batch to
fill. ``pipeline.service.lineup`` has the drops until they are planned; the delivery thread has its
own thread, and one reports.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from pipeline.core.closed_drop import Closed, LeftOpen, Rest
from pipeline.core.errors import StorageError
from pipeline.core.model import Drop, DropState
from pipeline.core.ports import Chunk
from pipeline.planning.decisions import (
    Later,
    Ready,
    Released,
    Reopened,
    Step,
    rest_after,
    rest_of,
)
from pipeline.reading.drop_reader import MAX_TRIES, ClaimedFiles
from pipeline.service.dependencies import Dependencies
from pipeline.service.lineup import Came, Event, Lineup, thread_named
from pipeline.service.planner import Admission
from pipeline.service.steps import Runner

if TYPE_CHECKING:
    from pipeline.core.shipment import DeliveryResult
    from pipeline.delivery.thread import DeliveryThread

_SENT_AHEAD = 64
"""Drops that are planned and not yet reported at a time; a further one is not read before."""

_TOGETHER = 32
"""Drops reported at once, when so many wait."""

log = structlog.get_logger(__name__)


class Work:
    """Implements ``ports.DropConsumer`` in this process.

    Owned by the service's thread: every method is called there.

    ``post`` is handed what other threads have to say; the service calls it back in its own thread.
    ``open``: drop id → why it is not through, for the drops that rest. ``trouble``: the failure of
    a folder or the ledger that nobody has answered yet. ``retries``: closed drop → those with the
    same orders that its retry waits for.

    A drop some of whose rows wait for other drops is sent as far as it may go, and then it is
    ``_waiting``. Whenever one of those has ended, or has settled something, it is looked at again,
    as soon as nothing else is done with it.
    """

    def __init__(
        self,
        files: ClaimedFiles,
        admission: Admission,
        runner: Runner,
        delivery: "DeliveryThread",
        post: Callable[[Event], None],
        thread: Callable[[str], Executor] = thread_named,
    ) -> None:
        self._runner = runner
        self._delivery = delivery
        self._post = post
        self._reports = thread("reports")
        self._lineup = Lineup(
            files,
            admission,
            post=post,
            came=self._came,
            room=self._room_to_plan,
            thread=thread,
        )
        self._delivering: dict[str, Drop] = {}
        self._reporting: set[str] = set()
        self._to_report: list[tuple[Drop, DeliveryResult]] = []
        self._is_reporting = False
        self._cancelled: set[str] = set()
        self._reported: dict[str, tuple[Rest | None, Rest]] = {}
        self._dependencies = Dependencies()
        self._waiting: dict[str, Drop] = {}
        self._again: set[str] = set()
        self._moves = 0
        self._moved_at: dict[str, int] = {}
        self._begun_at: dict[str, int] = {}
        self._stopping = False
        self._ended: list[Closed] = []
        self._not_reopened: set[str] = set()
        self.retries: dict[str, tuple[str, ...]] = {}
        self.open: dict[str, Rest] = {}
        self.trouble: StorageError | None = None

    @property
    def under_way(self) -> int:
        """Drops that are claimed and neither through nor resting."""
        return len(self._lineup) + len(self._delivering) + len(self._reporting)

    @property
    def busy(self) -> bool:
        """True while something will still happen by itself."""
        return self.under_way > 0

    def knows(self, drop_id: str) -> bool:
        """True when the drop is in our hands, at whatever step."""
        return (
            drop_id in self._lineup
            or drop_id in self._delivering
            or drop_id in self._reporting
            or drop_id in self._waiting
        )

    def take(self, drop: Drop) -> None:
        """A claimed drop, or one found unfinished at the start."""
        self.take_all([drop])

    def take_all(self, drops: Sequence[Drop]) -> None:
        """The same for several, in this order."""
        waiting = []
        for drop in drops:
            self.open.pop(drop.drop_id, None)
            self._begun_at[drop.drop_id] = self._moves
            if drop.state is not DropState.OPEN:
                waiting.append(drop)
            elif drop.waits_for and drop.drop_id not in self._cancelled:
                self._release(drop)
            else:
                self._deliver(drop)
        self._lineup.append(waiting)
        self._lineup.go_on()

    def retry(self, drop: Drop) -> None:
        """Take up what a closed drop left; planned in its turn, so that no other is meanwhile."""
        self.retries.pop(drop.drop_id, None)
        self._lineup.do(lambda: self._runner.reopen(drop, rests=self._rests), drop)

    def _rests(self, drop_id: str) -> bool:
        """True for a drop of this root that nobody is working on; asked in any thread."""
        return not self.knows(drop_id) and self._runner.is_ours(drop_id)

    def retry_again(self) -> None:
        """Let retries be tried again that storage kept from beginning, or a drop that rests now."""
        self.retries.clear()
        while self._not_reopened:
            self.open.pop(self._not_reopened.pop(), None)

    def cancel(self, drop: Drop) -> None:
        """Send nothing more of a drop, at whatever step it is."""
        self._cancelled.add(drop.drop_id)
        if drop.drop_id in self._delivering:
            self._delivery.cancel(drop.seq)
        elif waiting := self._waiting.pop(drop.drop_id, None):
            self._deliver(waiting)

    def stop(self) -> None:
        """Begin nothing new; what is out is answered and reported."""
        self._stopping = True
        self._lineup.stop()
        self._delivery.stop()

    def look_for_ends(self, drop_ids: Sequence[str] | None = None) -> None:
        """Ask the ledger which of these drops, or of all that others wait for, have ended.

        One of another root, or one that is gone, nobody else tells of. Raises StorageError.
        """
        awaited = self._dependencies.awaited if drop_ids is None else drop_ids
        if awaited:
            open_still = set(self._runner.unsettled(awaited))
            for drop_id in awaited:
                if drop_id not in open_still:
                    self._wake(drop_id)

    def take_closed(self) -> list[Closed]:
        """The drops that were closed since the last time this was asked."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Wait for the threads."""
        self._lineup.close()
        self._reports.shutdown(wait=True)

    # -- what drops came to ----------------------------------------------------------------------

    def _room_to_plan(self) -> int:
        return _SENT_AHEAD - len(self._delivering) - len(self._reporting)

    def _came(self, drop: Drop, came: Came) -> None:
        """A drop was planned, or was not."""
        if isinstance(came, Exception):
            self._not_planned(drop, came)
        else:
            self._route(came)

    def _route(self, step: Step | None) -> None:
        match step:
            case Ready(drop=drop, chunks=chunks):
                self._wait(drop)
                self._deliver(drop, chunks)
            case Released(drop=drop, moved=moved):
                self._wait(drop)
                if moved or drop.drop_id not in self.open or drop.drop_id in self._cancelled:
                    self.open.pop(drop.drop_id, None)
                    self._deliver(drop)
                else:
                    self._let_wait(drop)
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
        self._lineup.append([drop])

    # -- wait for other drops --------------------------------------------------------------------

    def _wait(self, drop: Drop) -> None:
        """Note what some rows of a drop wait for, as it was seen when it was planned."""
        self._dependencies.wait(drop.drop_id, drop.waits_for)
        if not drop.waits_for:
            return
        begun = self._begun_at.get(drop.drop_id, 0)
        if any(self._moved_at.get(each, 0) > begun for each in drop.waits_for):
            self._again.add(drop.drop_id)  # one was sent on since
        with suppress(StorageError):  # else the next look at the inbox asks
            self.look_for_ends(drop.waits_for)  # they may have ended since

    def _wake(self, drop_id: str) -> None:
        """Look again at those that wait for this drop: it has ended, or settled something."""
        if self._stopping:
            return
        for each in self._dependencies.awaited_by(drop_id):
            if waiting := self._waiting.pop(each, None):
                self._release(waiting)
            else:
                self._again.add(each)

    def _release(self, drop: Drop) -> None:
        """Look what may go now; where drops are planned, so that none is meanwhile."""
        self._again.discard(drop.drop_id)
        self._begun_at[drop.drop_id] = self._moves
        self._lineup.do(lambda: self._runner.release(drop.drop_id), drop)

    def _let_wait(self, drop: Drop) -> None:
        """Nothing of a drop is left to do but what waits for others."""
        if drop.drop_id in self._again and not self._stopping:
            self._release(drop)
        else:
            self._waiting[drop.drop_id] = drop

    # -- deliver -------------------------------------------------------------------------------

    def _deliver(self, drop: Drop, fresh: Sequence[Chunk] | None = None) -> None:
        from pipeline.core.shipment import DeliveryResult  # loaded by now, or soon to be

        if drop.drop_id in self._cancelled:
            self._report(drop, DeliveryResult(drop_seq=drop.seq, complete=False, cancelled=True))
            return
        held = ExitStack()
        try:
            future = self._delivery.submit(self._runner.shipment(drop, held, fresh))
        except Exception as error:  # noqa: BLE001 - it is this drop's, and told as such
            held.close()
            back = DeliveryResult(drop_seq=drop.seq, complete=False, broken=error, moved=False)
            self._report(drop, back)
            return
        self._delivering[drop.drop_id] = drop
        future.add_done_callback(
            lambda done: self._post(Event(act=lambda: self._came_back(drop, done, held)))
        )

    def _came_back(self, drop: Drop, done: "Future[DeliveryResult]", held: ExitStack) -> None:
        from pipeline.core.shipment import DeliveryResult

        held.close()
        del self._delivering[drop.drop_id]
        error = done.exception()
        if error is None:
            self._report(drop, done.result())
            return
        broken = error if isinstance(error, Exception) else RuntimeError(str(error))
        self._report(
            drop, DeliveryResult(drop_seq=drop.seq, complete=False, broken=broken, moved=False)
        )

    def _report(self, drop: Drop, handback: "DeliveryResult") -> None:
        """Have a drop reported, unless it says what it said and rests as it did."""
        if handback.broken is not None:
            self._tell_broken(drop, handback.broken)
        told, known = self._reported.get(drop.drop_id, (None, None))
        news = handback.moved or handback.cancelled or handback.complete
        if known is not None and told == rest_of(drop, handback) and not news:
            self.open[drop.drop_id] = known
            self._lineup.go_on()
            return
        self._reporting.add(drop.drop_id)
        self._to_report.append((drop, handback))
        self._report_next()

    def _report_next(self) -> None:
        """Have those reported that wait for it, unless others are being reported now."""
        if self._is_reporting or not self._to_report:
            return
        self._is_reporting = True
        some, self._to_report = self._to_report[:_TOGETHER], self._to_report[_TOGETHER:]
        future = self._reports.submit(self._runner.finish, some)
        future.add_done_callback(
            lambda over: self._post(Event(act=lambda: self._were_reported(some, over)))
        )

    def _were_reported(
        self,
        some: "Sequence[tuple[Drop, DeliveryResult]]",
        over: "Future[list[Closed | LeftOpen | Exception]]",
    ) -> None:
        self._is_reporting = False
        error = over.exception()
        results = [error] * len(some) if error is not None else over.result()
        for (drop, handback), result in zip(some, results, strict=True):
            self._reporting.discard(drop.drop_id)
            if isinstance(result, LeftOpen):
                self._reported[drop.drop_id] = rest_of(drop, handback), result.rest
            self._was_reported(drop, result)
        self._report_next()
        self._lineup.go_on()

    def _was_reported(self, drop: Drop, result: Closed | LeftOpen | BaseException) -> None:
        if isinstance(result, Closed):
            self._closed(result)
        elif isinstance(result, LeftOpen):
            self.open[drop.drop_id] = result.rest
            if result.moved:
                self._moves += 1
                self._moved_at[drop.drop_id] = self._moves
                self._wake(drop.drop_id)
            if drop.drop_id in self._cancelled:
                self._deliver(drop)
            elif result.through and drop.drop_id in self._dependencies:
                self._let_wait(drop)
        else:
            self.rest(drop, result)

    def rest(self, drop: Drop, error: BaseException) -> None:
        """The drop rests: its storage failed, or we did. It is taken up again later."""
        self._tell_broken(drop, error)
        self.open[drop.drop_id] = rest_after(drop, error)

    def _tell_broken(self, drop: Drop, error: BaseException) -> None:
        """Say in the log what keeps one drop from going on; what is foreseen without a traceback.

        Each trouble once: it is tried again every few seconds.
        """
        if isinstance(error, StorageError):
            self.trouble = error
            known = self.open.get(drop.drop_id), *self._reported.get(drop.drop_id, ())
            if rest_after(drop, error) not in known:
                log.error("drop.storage_trouble", drop=drop.drop_id, reason=error.message)
        else:
            log.error("drop.bug", drop=drop.drop_id, exc_info=error)

    def _closed(self, closed: Closed) -> None:
        self._ended.append(closed)
        self.open.pop(closed.drop.drop_id, None)
        self._cancelled.discard(closed.drop.drop_id)
        self._reported.pop(closed.drop.drop_id, None)
        self._dependencies.wait(closed.drop.drop_id, ())
        self._again.discard(closed.drop.drop_id)
        self._moved_at.pop(closed.drop.drop_id, None)
        self._begun_at.pop(closed.drop.drop_id, None)
        self._wake(closed.drop.drop_id)
