"""The desk: hands chunks of all drops to the callers in turn, and books what comes back.

Outcomes of the last calls and the marks of the next go into the ledger in one commit; a call leaves
only after its mark is on disk, and a slot never waits for a commit as long as marked chunks remain.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from functools import partial

import structlog

from pipeline.core.chunk_body import Parcel
from pipeline.core.errors import StorageError
from pipeline.core.model import stamp
from pipeline.core.ports import Chunk, ChunkResult, ChunkState
from pipeline.delivery.context import Errand, Tools
from pipeline.delivery.drop_queue import Handback, Lane, Shipment
from pipeline.delivery.held_results import Trial
from pipeline.delivery.limiter import Gate, Shut
from pipeline.delivery.prefetch import Tray
from pipeline.delivery.reconcile import proof_from
from pipeline.delivery.row_outcomes import doubtful, untouched
from pipeline.delivery.send_chunk import Passage
from pipeline.storage.ledger import SqlLedger

log = structlog.get_logger(__name__)

_BOOK_AGAIN = (0.1, 0.5, 1.0, 2.0, 4.0)
"""Pauses before answers that could not be booked are booked again. What stays unbooked is in doubt
and must be asked about, so a short trouble of the ledger is worth waiting out."""

_STOPPED = "The drop was stopped."

_HEARING_SECONDS = 1.0
"""After sending was tried again it is not held for the rows of some drops before this time: drops
are handed in one after the other, and each must get its chance to be taken."""


class Desk:
    """Runs in one event loop; ``submit``, ``cancel`` and ``stop`` are called inside it."""

    def __init__(self, tools: Tools, ledger: SqlLedger, bookkeeper: Executor) -> None:
        self._tools = tools
        self._ledger = ledger
        self._bookkeeper = bookkeeper
        self._lanes: deque[Lane] = deque()
        self._tray: Tray[tuple[Lane, Chunk]] = Tray(tools.policy, tools.clock.monotonic)
        self._back: list[tuple[Lane, ChunkResult]] = []
        self._trial = Trial(tools.jury, tools.gate, tools.clock.monotonic)
        self._aside: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._kick = asyncio.Event()
        self._stopping = False
        self._calling = 0
        self._books_lost = False

    @property
    def gate(self) -> Gate:
        """The gate all calls pass."""
        return self._tools.gate

    def submit(self, shipment: Shipment, future: "Future[Handback]") -> None:
        """Take a planned drop in. What keeps it from being taken up, the future raises."""
        try:
            self._lanes.append(Lane.of(shipment, future))
        except Exception as error:  # noqa: BLE001 - it is this drop's, and told as such
            future.set_exception(error)
        self._kick.set()

    def cancel(self, drop_seq: int) -> None:
        """Send nothing more of this drop; what is out is answered and booked."""
        for lane in self._lanes:
            if lane.drop_seq == drop_seq:
                lane.cancelled = True
                self.gate.dismiss(lane)
        for marked in self._tray.empty():
            self._lay_out(*marked)
        self._kick.set()

    def progress(self) -> tuple[int, int]:
        """Updates answered and in all; read from other threads, so only counted, never changed."""
        lanes = tuple(self._lanes)
        return sum(lane.rows_done for lane in lanes), sum(lane.rows for lane in lanes)

    def close(self, shut: Shut) -> None:
        """Send nothing more until ``reopen``."""
        self.gate.close(shut)
        self._kick.set()

    def reopen(self) -> None:
        """Try again after a pause: one call at first."""
        self._tools.jury.reopened()
        self._tools.unclear.reopened()
        self._trial.hear_all_until(self._tools.clock.monotonic() + _HEARING_SECONDS)
        asyncio.get_running_loop().call_later(_HEARING_SECONDS, self._kick.set)
        self.gate.reopen()
        self._kick.set()

    def stop(self) -> None:
        """Hand everything back as soon as the calls that are out have been answered."""
        self._stopping = True
        self.gate.close(Shut(held=False, reason="Shipdrop is stopping.", ours=True))
        self._kick.set()

    async def run(self) -> None:
        """Work until stopped. A ledger that fails hands the drops back, broken."""
        async with self._group:
            callers = [
                self._group.create_task(self._caller())
                for _ in range(self._tools.policy.concurrency)
            ]
            try:
                await self._book()
            finally:
                for task in (*callers, *self._aside):
                    task.cancel()
                self.abandon()

    def abandon(self) -> None:
        """The room closes under lanes that are not through: their owners must not wait."""
        while self._lanes:
            future = self._lanes.popleft().future
            if not future.done():
                future.set_exception(
                    StorageError("The delivery room was closed; what was out is in doubt.")
                )

    # -- callers -------------------------------------------------------------------------------

    async def _caller(self) -> None:
        """One of ``concurrency`` loops: take a marked chunk, see it through, lay it down."""
        while True:
            lane, chunk = await self._tray.take()
            if self._must_wait(lane, chunk):
                # Its "not there yet" is no proof so soon; nobody else shall wait for that.
                task = self._group.create_task(self._serve(lane, chunk))
                self._aside.add(task)
                task.add_done_callback(self._aside.discard)
            else:
                self._calling += 1
                await self._serve(lane, chunk)
                self._calling -= 1

    async def _serve(self, lane: Lane, chunk: Chunk) -> None:
        try:
            result, suspect, adjourned = await self._pass(lane, chunk)
        except Exception as error:  # noqa: BLE001 - it costs its drop, which is told of it
            self._break(lane, error, chunk)
            result = doubtful(chunk, lane.known.get(chunk.no, ()))
            suspect, adjourned = None, False
        whole = result.chunk.state is ChunkState.DONE
        if adjourned:
            self._trial.adjourn(lane, chunk, result)
        elif suspect and not (whole and self._tools.jury.has_convicted(lane.drop_seq)):
            self._trial.suspend(lane, chunk, result, suspect, whole=whole)
            self._trial.hold(self._lanes)
        else:
            self._back.append((lane, result))
        self._kick.set()

    async def _pass(self, lane: Lane, chunk: Chunk) -> tuple[ChunkResult, str | None, bool]:
        known = lane.known.get(chunk.no, ())
        if (shut := self.gate.shut) is not None or lane.cancelled or lane.broken:
            reason = shut.reason if shut else _STOPPED
            return untouched(chunk, known, reason), None, False
        if self._tools.jury.has_heard_enough_of(lane.drop_seq):
            return untouched(chunk, known, ""), None, True
        try:
            parcel = Parcel(lane.body(chunk.offset, chunk.length), chunk.size)
        except StorageError as error:
            self._break(lane, error, chunk)
            return untouched(chunk, known, error.message), None, False
        passage = Passage(
            chunk,
            parcel,
            self._tools,
            known=known,
            earlier=lane.earlier_of(chunk),
            errand=Errand(
                owner=lane,
                key=(chunk.drop_seq, chunk.no),
                may_split=lane.may_split,
                cancelled=lane.is_cancelled,
                others=self._others,
                taken_up=lane.taken_up,
                leaves=lane.leaves,
                told=lane.told,
            ),
        )
        result = await passage.run()
        return result, passage.suspect, passage.adjourned

    def _break(self, lane: Lane, error: Exception, chunk: Chunk) -> None:
        """Send nothing more of a drop: its storage failed, or we did. The others go on."""
        lane.broken = lane.broken or error
        foreseen = isinstance(error, StorageError)
        log.error(
            "delivery.drop_broken",
            drop_seq=lane.drop_seq,
            chunk=chunk.no,
            reason=str(error),
            exc_info=None if foreseen else error,
        )

    def _must_wait(self, lane: Lane, chunk: Chunk) -> bool:
        if chunk.state is ChunkState.PLANNED or not self._tools.policy.reconcile:
            return False
        opened_at = lane.taken_up or self._tools.opened_at
        proof = proof_from(chunk, self._tools.policy, opened_at)
        return proof is not None and proof > self._tools.clock.now().timestamp()

    def _others(self) -> bool:
        """Chunks that nobody has tried yet are at hand."""
        return len(self._tray) > 0 or any(any(lane.waves) for lane in self._lanes)

    # -- books ---------------------------------------------------------------------------------

    async def _book(self) -> None:
        """The one loop that writes: book what came back, mark and hand out what is next."""
        while not (self._stopping and not self._lanes):
            await self._kick.wait()
            await self._tray.gather(len(self._back), calling=self._calling)
            self._kick.clear()
            self._back += self._trial.judge(self._lanes)
            back, self._back = self._back, []
            self._tray.keep_pace(len(back))
            lease = self._lease(len(back))
            if back or lease:
                await self._book_one(back, lease)
                if self._trial.waiting:
                    self._kick.set()  # what was booked just now may have been the last to speak
            elif self._trial.is_all_there_is(self._lanes):
                self._back += self._trial.end()
                self._kick.set()
            self._hand_back()

    def _lease(self, coming_back: int) -> list[tuple[Lane, Chunk]]:
        """Chunks to mark now, one of each drop in turn, up to what callers can soon take."""
        if self.gate.shut is not None:
            return []
        room = self._tray.room + len(self._aside) + self._trial.waiting
        out = sum(lane.out for lane in self._lanes) - coming_back
        leased: list[tuple[Lane, Chunk]] = []
        idle = 0
        while out + len(leased) < room and idle < len(self._lanes):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            chunk = None if self._tools.jury.has_heard_enough_of(lane.drop_seq) else lane.next()
            if chunk is None:
                idle += 1
                continue
            idle = 0
            lane.out += 1
            leased.append((lane, chunk))
        return leased

    async def _book_one(
        self, back: Sequence[tuple[Lane, ChunkResult]], lease: Sequence[tuple[Lane, Chunk]]
    ) -> None:
        """One commit. When it fails no call leaves, and no drop pretends to be through."""
        done = [result for _, result in back]
        try:
            await self._exchange(done, [chunk for _, chunk in lease])
        except Exception as error:  # noqa: BLE001 - whatever it was: nothing is on disk
            await self._fail(error, back, lease)
            return
        self._books_lost = False
        for lane, result in back:
            try:
                lane.finish(result)
            except Exception as error:  # noqa: BLE001 - it is booked; the drop is told of the rest
                self._break(lane, error, result.chunk)
        for marked in lease:
            self._lay_out(*marked)
        if any(lane.next_is_free for lane, _ in back):
            self._kick.set()

    def _lay_out(self, lane: Lane, chunk: Chunk) -> None:
        """Lay a marked chunk down for the callers; one of a stopped drop is done with.

        All callers may be waiting out a long pause with the chunks of others.
        """
        if lane.cancelled:
            result = untouched(chunk, lane.known.get(chunk.no, ()), _STOPPED)
            self._back.append((lane, result))
            self._kick.set()
        else:
            self._tray.put((lane, chunk))

    async def _exchange(self, done: Sequence[ChunkResult], marks: Sequence[Chunk]) -> None:
        at = stamp(self._tools.clock.now())
        loop = asyncio.get_running_loop()
        with self._tray.commit():
            await loop.run_in_executor(
                self._bookkeeper, partial(self._ledger.exchange, done, marks, at=at)
            )

    async def _fail(
        self,
        error: Exception,
        back: Sequence[tuple[Lane, ChunkResult]],
        lease: Sequence[tuple[Lane, Chunk]],
    ) -> None:
        """The ledger cannot be written: stop, save the answers if at all possible, end the lanes.

        A lane ends when its last call is answered, so that nobody takes its drop up before.
        """
        log.error("delivery.ledger_failed", exc_info=error)
        if not isinstance(error, StorageError):
            error = StorageError(f"The ledger cannot be written: {error}.")
        self.gate.close(Shut(held=False, reason=error.message, hint=error.hint, ours=True))
        for lane, _ in (*self._tray.empty(), *back, *lease):
            lane.out -= 1
        for lane in self._lanes:
            lane.broken = error
        patience = () if self._books_lost or not back else _BOOK_AGAIN
        self._books_lost = True
        for pause in patience:
            await asyncio.sleep(pause)
            try:
                await self._exchange([result for _, result in back], [])
            except Exception:  # noqa: BLE001, S112 - told above; the next pause is longer
                continue
            self._books_lost = False
            return

    def _hand_back(self) -> None:
        """End the lanes that are through, or that the shut gate keeps from going on."""
        shut = self.gate.shut
        staying: deque[Lane] = deque()
        for lane in self._lanes:
            stopped = shut is not None or lane.broken is not None
            if lane.exhausted or (stopped and lane.out == 0):
                if shut is None:
                    self._tools.jury.forget(lane.drop_seq)
                lane.future.set_result(lane.handback(shut))
            else:
                staying.append(lane)
        self._lanes = staying
