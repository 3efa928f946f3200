"""Drops on their way to be planned: read in batches, planned in their order.

Planning keeps to the order of claims, so that a drop that shares orders with an earlier one sees
it; the turn of a large one comes when it was read. One thread plans, and two have the next files
read meanwhile, small files and large ones, which other processes do.
"""

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from pipeline.core.errors import Tried, as_exception
from pipeline.core.model import Drop, Facts
from pipeline.core.shipment import Step
from pipeline.reading.drop_reader import ClaimedFiles
from pipeline.service.drop_states import BEFORE_SENDING, DropEntry, DropStates, SchedulerState
from pipeline.service.planner import Planner
from pipeline.storage.memory import trim

_LEAST = 64 * 1024
"""Bytes that a file counts for at least: opening, planning and reporting it cost something too."""


_LARGE = 4 * 1024 * 1024
_TOGETHER_BYTES = 512 * 1024
"""Largest file that is read with others; a larger one is read alone."""

_UNPACKS = 8
_PACKED = (".xlsx", ".xlsm", ".xlsb", ".ods", ".zip")


class DropsToRead:
    """Claimed drops that wait to be read, in two queues.

    A courier's files keep their order: behind its large file, its small files wait in the queue of
    large ones. The inbox itself is no courier's: small files in it pass.
    """

    def __init__(self) -> None:
        self._small, self._large = FairQueue(), FairQueue()
        self._large_file: Drop | None = None

    def append(self, drop: Drop) -> None:
        """Take a drop in."""
        behind = drop.folder and any(each.folder == drop.folder for each in self._large_now())
        (self._large if behind or is_large_file(drop) else self._small).append(drop)

    def next_batch(self, most: int) -> list[Drop]:
        """Give out the next of the small ones, so many at most that they can be read together."""
        drops: list[Drop] = []
        weight = 0
        while self._small and len(drops) < most:
            weight += weight_of(self._small.first)
            if drops and weight > _TOGETHER_BYTES:
                break
            drops.append(self._small.popleft())
        return drops

    def large_file(self) -> Drop | None:
        """Give out the next large file, unless one is under way: then not before ``ended``."""
        if self._large_file is None and self._large:
            self._large_file = self._large.popleft()
            return self._large_file
        return None

    def ended(self, drop: Drop) -> None:
        """Note that this drop is planned, or will not be: the next large file may be read."""
        if self._large_file is not None and self._large_file.drop_id == drop.drop_id:
            self._large_file = None

    def clear(self) -> None:
        """Forget all that wait."""
        self._small.clear()
        self._large.clear()

    def _large_now(self) -> Iterator[Drop]:
        yield from self._large
        if self._large_file is not None:
            yield self._large_file

    def __len__(self) -> int:
        return len(self._small) + len(self._large)

    def __iter__(self) -> Iterator[Drop]:
        yield from self._small
        yield from self._large


def is_large_file(drop: Drop) -> bool:
    """Return whether reading it takes long."""
    return weight_of(drop) >= _LARGE


def weight_of(drop: Drop) -> int:
    """Return how many bytes there are to read, about.

    A workbook unpacks to several times its size.
    """
    packed = drop.source_file.casefold().endswith(_PACKED)
    return drop.size * (_UNPACKS if packed else 1)


class FairQueue:
    """Claimed drops that wait to be read. ``popleft`` is whose turn it is."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Drop]] = []
        self._last: dict[str, int] = {}
        self._now = 0
        self._count = 0

    def append(self, drop: Drop) -> None:
        """Take a drop in, behind those of its own folder."""
        start = max(self._now, self._last.get(drop.folder, 0))
        finish = start + max(drop.size, _LEAST)
        self._last[drop.folder] = finish
        self._count += 1
        heapq.heappush(self._heap, (finish, self._count, drop))

    @property
    def first(self) -> Drop:
        """Return the next one. Raises IndexError when none waits."""
        return self._heap[0][2]

    def popleft(self) -> Drop:
        """Give out the next one. Raises IndexError when none waits."""
        self._now, _, drop = heapq.heappop(self._heap)
        if not self._heap:
            self._last.clear()  # folders of couriers come and go: nothing is kept of them
        return drop

    def clear(self) -> None:
        """Forget all that wait."""
        self._heap.clear()
        self._last.clear()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Drop]:
        return (drop for _, _, drop in self._heap)


_BATCHES = 2
"""Batches that are handed to the threads that read and plan: while one is planned, the next one is
read. What is read waits in its spool."""

_FILES_IN_BATCH = 16
"""Small files in a batch, when so many wait: by then most of what each costs is its own."""

PlanResult = Tried[Step | None]
"""Result of a drop's planning; None: it went back to waiting, or the service is to end."""


Post = Callable[[Callable[[], None]], None]
"""Posts work to the service's own thread, from any thread."""

_Result = TypeVar("_Result")


def when_done(
    post: Post, future: "Future[_Result]", act: "Callable[[Future[_Result]], None]"
) -> None:
    """Have the service's thread act on a future once it is done."""
    future.add_done_callback(lambda done: post(partial(act, done)))


def thread_named(name: str) -> Executor:
    """Make a thread that does one job after the other."""
    return ThreadPoolExecutor(1, thread_name_prefix=name)


class PlanningThreads:
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
        post: Post,
        planned: Callable[[Drop, PlanResult], None],
        room: Callable[[], int],
        thread: Callable[[str], Executor] = thread_named,
    ) -> None:
        self._files = files
        self._planner = planner
        self._post = post
        self._planned = planned
        self._room = room
        self._reads, self._large = thread("reads"), thread("large-files")
        self._planning = thread("planning")
        self._waiting = DropsToRead()
        self._drops = drops
        self._batches = 0
        self._stopping = threading.Event()

    def append(self, drop: Drop) -> DropEntry:
        """Take a drop in; ``start_reading`` begins with it."""
        self._waiting.append(drop)
        return self._drops.put(drop, SchedulerState.QUEUED)

    def start_reading(self) -> None:
        """Start reading waiting drops, as far as there is room; never wait for more."""
        if self._stopping.is_set():
            return
        while self._batches < _BATCHES:
            most = min(_FILES_IN_BATCH, self._room() - self._drops.count(*BEFORE_SENDING))
            if not (drops := self._waiting.next_batch(most)):
                break
            self._hand_out(drops)
            self._batches += 1
            read = self._reads.submit(self._files.read, drops)
            self._in_planning(partial(self._admit, drops, read), drops, batch=True)
        if self._room() > self._drops.count(*BEFORE_SENDING) and (
            large := self._waiting.large_file()
        ):
            self._read_beside(large)

    def run_in_planning_thread(self, job: Callable[[], Step | None], drop: Drop) -> None:
        """Run another job in the planning thread, so that no drop is planned at the same time."""
        self._drops.put(drop, SchedulerState.PLANNING)
        self._in_planning(lambda: [job()], [drop])

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()
        self._waiting.clear()
        self._drops.forget_all(SchedulerState.QUEUED)
        self._files.stop()

    def close(self) -> None:
        """Wait for the threads."""
        self._files.stop()
        self._reads.shutdown(wait=True, cancel_futures=True)
        self._large.shutdown(wait=True, cancel_futures=True)
        self._planning.shutdown(wait=True, cancel_futures=True)
        self._files.end()

    def _hand_out(self, drops: Sequence[Drop]) -> None:
        for drop in drops:
            self._drops.put(drop, SchedulerState.READING)

    def _read_beside(self, drop: Drop) -> None:
        """Read a large file beside the small ones; it is planned once it is read."""
        self._hand_out([drop])
        read = self._large.submit(self._files.read, [drop])
        job = partial(self._admit, [drop], read)
        when_done(self._post, read, lambda _: self._in_planning(job, [drop]))

    # -- in the thread ``planning`` --------------------------------------------------------------

    def _admit(
        self, drops: Sequence[Drop], read: "Future[list[Tried[Facts]]]"
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
        steps = self._planner.plan_read(drops, facts)
        trim(sum(each.total for each in facts if isinstance(each, Facts)))
        return steps

    def _in_planning(
        self, job: Callable[[], Sequence[PlanResult]], drops: Sequence[Drop], *, batch: bool = False
    ) -> None:
        future = self._planning.submit(job)
        when_done(self._post, future, lambda done: self._were_planned(drops, done, batch=batch))

    def _were_planned(
        self, drops: Sequence[Drop], done: "Future[Sequence[PlanResult]]", *, batch: bool
    ) -> None:
        if batch:
            self._batches -= 1
        error = done.exception()
        steps = done.result() if error is None else [as_exception(error)] * len(drops)
        for drop, step in zip(drops, steps, strict=True):
            self._waiting.ended(drop)
            self._planned(drop, step)
        self.start_reading()
