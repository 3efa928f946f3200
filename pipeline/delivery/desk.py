"""The desk: hands chunks of all drops to the callers in turn, and books what comes back.

Outcomes of the last calls and the marks of the next go into the ledger in one commit; a call leaves
only after its mark is on disk, and a slot never waits for a commit as long as marked chunks remain.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial

import structlog

from pipeline.codes import Code
from pipeline.delivery.gate import Gate, Shut
from pipeline.delivery.lane import Handback, Lane, Shipment
from pipeline.delivery.parcel import Parcel
from pipeline.delivery.passage import Passage, Tools
from pipeline.errors import StorageError
from pipeline.model import Outcome, stamp
from pipeline.ports import Chunk, ChunkResult, ChunkState, SendBook

log = structlog.get_logger(__name__)

_GATHER_SECONDS = 0.004
"""Answers that come within this time share a commit."""

_SPLITS_PER_CHUNK = 10
"""Calls that halving may add, per chunk of the drop, before the rest is refused as it stands."""


class Desk:
    """Runs in one event loop; ``submit``, ``cancel`` and ``stop`` are called inside it."""

    def __init__(self, tools: Tools, ledger: SendBook, bookkeeper: Executor) -> None:
        self._tools = tools
        self._ledger = ledger
        self._bookkeeper = bookkeeper
        self._lanes: deque[Lane] = deque()
        self._ready: asyncio.Queue[tuple[Lane, Chunk]] = asyncio.Queue()
        self._back: list[tuple[Lane, ChunkResult]] = []
        self._kick = asyncio.Event()
        self._stopping = False
        self._ahead = max(16, 2 * tools.policy.concurrency)
        self._calling = 0

    @property
    def gate(self) -> Gate:
        """The gate all calls pass."""
        return self._tools.gate

    def submit(self, shipment: Shipment, future: "Future[Handback]") -> None:
        """Take a planned drop in."""
        self._lanes.append(Lane.of(shipment, future))
        self._kick.set()

    def cancel(self, drop_seq: int) -> None:
        """Send nothing more of this drop; what is out is answered and booked."""
        for lane in self._lanes:
            if lane.shipment.drop_seq == drop_seq:
                lane.cancelled = True
        self._kick.set()

    def progress(self) -> tuple[int, int]:
        """Updates answered and in all; read from other threads, so only counted, never changed."""
        lanes = tuple(self._lanes)
        return sum(lane.rows_done for lane in lanes), sum(lane.rows for lane in lanes)

    def stop(self) -> None:
        """Hand everything back as soon as the calls that are out have been answered."""
        self._stopping = True
        self.gate.close(Shut(held=False, reason="Shipdrop is stopping."))
        self._kick.set()

    async def run(self) -> None:
        """Work until stopped. A ledger that fails ends the lanes with StorageError."""
        async with asyncio.TaskGroup() as group:
            callers = [
                group.create_task(self._caller()) for _ in range(self._tools.policy.concurrency)
            ]
            try:
                await self._book()
            finally:
                for caller in callers:
                    caller.cancel()
                self._abandon()

    # -- callers -------------------------------------------------------------------------------

    async def _caller(self) -> None:
        """One of ``concurrency`` loops: take a marked chunk, see it through, lay the result down."""
        while True:
            lane, chunk = await self._ready.get()
            self._calling += 1
            try:
                result = await self._pass(lane, chunk)
            except Exception as error:  # noqa: BLE001 - a bug must cost this drop, not the room
                log.exception("delivery.passage_failed", chunk=chunk.no)
                lane.broken = error
                result = ChunkResult(chunk=replace(chunk, state=ChunkState.SENDING))
            finally:
                self._calling -= 1
            self._back.append((lane, result))
            self._kick.set()

    async def _pass(self, lane: Lane, chunk: Chunk) -> ChunkResult:
        if self.gate.shut is not None or lane.cancelled or lane.broken:
            return _untouched(chunk, self.gate.shut)
        body = lane.shipment.body(chunk.offset, chunk.length)
        passage = Passage(
            chunk,
            Parcel(body, chunk.size),
            self._tools,
            known=lane.known.get(chunk.no, ()),
            earlier=lane.earlier,
            may_split=partial(_within_budget, lane),
        )
        return await passage.run()

    # -- books ---------------------------------------------------------------------------------

    async def _book(self) -> None:
        """The one loop that writes: book what came back, mark and hand out what is next."""
        while not (self._stopping and not self._lanes):
            await self._kick.wait()
            if 0 < len(self._back) < self._ahead // 2 and self._calling and self._ready.qsize():
                await asyncio.sleep(_GATHER_SECONDS)
            self._kick.clear()
            back, self._back = self._back, []
            lease = self._lease(len(back))
            if back or lease:
                try:
                    await self._exchange(back, lease)
                except StorageError as error:
                    self._fail(error)
                    continue
            self._hand_back()

    def _lease(self, coming_back: int) -> list[tuple[Lane, Chunk]]:
        """Chunks to mark now, one of each drop in turn, up to what callers can soon take."""
        if self.gate.shut is not None:
            return []
        room = self._ahead + self._tools.policy.concurrency
        out = sum(lane.out for lane in self._lanes) - coming_back
        leased: list[tuple[Lane, Chunk]] = []
        idle = 0
        while out + len(leased) < room and idle < len(self._lanes):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            chunk = lane.next()
            if chunk is None:
                idle += 1
                continue
            idle = 0
            lane.out += 1
            leased.append((lane, chunk))
        return leased

    async def _exchange(
        self, back: Sequence[tuple[Lane, ChunkResult]], lease: Sequence[tuple[Lane, Chunk]]
    ) -> None:
        done = [result for _, result in back]
        marks = [chunk for _, chunk in lease]
        at = stamp(self._tools.clock.now())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._bookkeeper, partial(self._ledger.exchange, done, marks, at=at)
        )
        for lane, result in back:
            lane.finish(result)
        for lane, chunk in lease:
            self._ready.put_nowait((lane, chunk))
        if any(lane.next_is_free for lane, _ in back):
            self._kick.set()

    def _hand_back(self) -> None:
        """End the lanes that are through, or that the shut gate keeps from going on."""
        shut = self.gate.shut
        staying: deque[Lane] = deque()
        for lane in self._lanes:
            if lane.out == 0 and lane.broken is not None:
                lane.future.set_exception(lane.broken)
            elif lane.exhausted or (shut is not None and lane.out == 0):
                lane.future.set_result(lane.handback(shut))
            else:
                staying.append(lane)
        self._lanes = staying

    def _abandon(self) -> None:
        """The room closes under lanes that are not through: their owners must not wait."""
        while self._lanes:
            self._lanes.popleft().future.set_exception(
                StorageError("The delivery room was closed; what was out is in doubt.")
            )

    def _fail(self, error: StorageError) -> None:
        """The ledger cannot be written: no call may leave, and nothing pretends to be done."""
        log.error("delivery.ledger_failed", reason=error.message)
        self.gate.close(Shut(held=False, reason=error.message, hint=error.hint))
        lanes, self._lanes = self._lanes, deque()
        while not self._ready.empty():
            self._ready.get_nowait()
        for lane in lanes:
            lane.future.set_exception(error)


def _untouched(chunk: Chunk, shut: Shut | None) -> ChunkResult:
    """A marked chunk that never left: as it was before, so that it is no more in doubt than then."""
    if chunk.state is ChunkState.SENDING:
        return ChunkResult(chunk=replace(chunk, outcome=Outcome.UNKNOWN))
    reason = shut.reason if shut else "The drop was stopped."
    return ChunkResult(
        chunk=replace(
            chunk,
            state=ChunkState.PLANNED,
            outcome=Outcome.UNSENT,
            code=str(Code.NOT_SENT),
            message=f"Not sent yet. {reason}",
        )
    )


def _within_budget(lane: Lane) -> bool:
    lane.splits += 1
    return lane.splits <= _SPLITS_PER_CHUNK * max(10, lane.chunks // 10)
