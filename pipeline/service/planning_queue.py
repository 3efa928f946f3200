"""Drops on their way to be planned: read in batches, planned in their order.

Planning keeps to the order of claims, so that a drop that shares orders with an earlier one sees
it; a giant's turn comes when it was read. One thread plans, and two have the next files read
meanwhile, small ones and giants, which other processes do.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from pipeline.core.file_facts import Facts
from pipeline.core.model import Drop
from pipeline.planning.results import Step
from pipeline.reading.drop_reader import ClaimedFiles
from pipeline.service.drop_states import BEFORE_SENDING, DropStates, State
from pipeline.service.fair_queue import Lanes
from pipeline.service.planner import Planner

_BATCHES = 2
"""Batches that are handed to the threads that read and plan: while one is planned, the next one is
read. What is read waits in its spool."""

_FILES_IN_BATCH = 16
"""Small files in a batch, when so many wait: by then most of what each costs is its own."""

PlanResult = Step | Exception | None
"""Result of a drop's planning; None: it went back to waiting, or the service is to end."""


class Event(Struct, frozen=True, kw_only=True):
    """Something ended in another thread; the service's own thread acts on it."""

    act: Callable[[], None]


def thread_named(name: str) -> Executor:
    """Make a thread that does one job after the other."""
    return ThreadPoolExecutor(1, thread_name_prefix=name)


class PlanningQueue:
    """Owned by the service's thread: every method is called there.

    ``drops`` learns where each drop is. ``files`` has them read, ``planner`` plans them.
    ``post`` is handed what other threads have to say. ``planned`` is called, in the service's
    thread, with the result of each drop. ``room``: how many more drops may be planned now.
    ``thread`` makes a thread by its name.
    """

    def __init__(
        self,
        files: ClaimedFiles,
        planner: Planner,
        *,
        drops: DropStates,
        post: Callable[[Event], None],
        planned: Callable[[Drop, PlanResult], None],
        room: Callable[[], int],
        thread: Callable[[str], Executor] = thread_named,
    ) -> None:
        self._files = files
        self._planner = planner
        self._post = post
        self._planned = planned
        self._room = room
        self._reads, self._giants = thread("reads"), thread("giants")
        self._planning = thread("planning")
        self._waiting = Lanes()
        self._drops = drops
        self._batches = 0
        self._stopping = threading.Event()

    def append(self, drops: Sequence[Drop]) -> None:
        """Take drops in; ``go_on`` begins with them."""
        for drop in drops:
            self._waiting.append(drop)
            self._drops.put(drop, State.QUEUED)

    def go_on(self) -> None:
        """Have read what waits, as far as there is room: whatever is there now, never more late."""
        if self._stopping.is_set():
            return
        while self._batches < _BATCHES:
            most = min(_FILES_IN_BATCH, self._room() - self._drops.count(*BEFORE_SENDING))
            if not (drops := self._waiting.some(most)):
                break
            self._hand_out(drops)
            self._batches += 1
            read = self._reads.submit(self._files.read, drops)
            self._in_planning(partial(self._admit, drops, read), drops, batch=True)
        if self._room() > self._drops.count(*BEFORE_SENDING) and (giant := self._waiting.giant()):
            self._read_beside(giant)

    def do(self, job: Callable[[], Step | None], drop: Drop) -> None:
        """Do a job of another kind where drops are planned, so that no drop is meanwhile."""
        self._drops.put(drop, State.PLANNING)
        self._in_planning(lambda: [job()], [drop])

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()
        self._waiting.clear()
        self._drops.forget_all(State.QUEUED)
        self._files.stop()

    def close(self) -> None:
        """Wait for the threads."""
        self._files.stop()
        self._reads.shutdown(wait=True, cancel_futures=True)
        self._giants.shutdown(wait=True, cancel_futures=True)
        self._planning.shutdown(wait=True, cancel_futures=True)
        self._files.end()

    def _hand_out(self, drops: Sequence[Drop]) -> None:
        for drop in drops:
            self._drops.put(drop, State.READING)

    def _read_beside(self, drop: Drop) -> None:
        """Read a giant in its own lane; its turn to be planned comes when it was read."""
        self._hand_out([drop])
        read = self._giants.submit(self._files.read, [drop], beside=True)
        job = partial(self._admit, [drop], read)
        act = partial(self._in_planning, job, [drop])
        read.add_done_callback(lambda _: self._post(Event(act=act)))

    # -- in the thread ``planning`` --------------------------------------------------------------

    def _admit(
        self, drops: Sequence[Drop], read: "Future[list[Facts | Exception]]"
    ) -> Sequence[PlanResult]:
        """Plan drops as soon as they are read."""
        if self._stopping.is_set():
            return [None] * len(drops)
        try:
            facts = read.result()
        except CancelledError:
            return [None] * len(drops)
        if self._stopping.is_set():  # while it was read
            return [None] * len(drops)
        return self._planner.plan_read(drops, facts)

    def _in_planning(
        self, job: Callable[[], Sequence[PlanResult]], drops: Sequence[Drop], *, batch: bool = False
    ) -> None:
        future = self._planning.submit(job)
        future.add_done_callback(
            lambda done: self._post(Event(act=lambda: self._were_planned(drops, done, batch=batch)))
        )

    def _were_planned(
        self, drops: Sequence[Drop], done: "Future[Sequence[PlanResult]]", *, batch: bool
    ) -> None:
        if batch:
            self._batches -= 1
        error = done.exception()
        steps = done.result() if error is None else [_as_exception(error)] * len(drops)
        for drop, step in zip(drops, steps, strict=True):
            self._waiting.ended(drop)
            self._planned(drop, step)
        self.go_on()


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(str(error))
