"""The dispatcher: hands chunks of all drops to the senders in turn, and records the results.

Outcomes of the last calls and the marks of the next go into the ledger in one commit; a call leaves
only after its mark is on disk, and a slot never waits for a commit as long as marked chunks remain.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial

import structlog
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkBody, ChunkResult, ChunkState, Receipt
from pipeline.core.errors import StorageError
from pipeline.core.model import stamp
from pipeline.core.shipment import DeliveryResult, SendingStop, Shipment
from pipeline.delivery.chunk_queue import ChunkQueue
from pipeline.delivery.chunk_rows import doubtful, untouched
from pipeline.delivery.context import Tools
from pipeline.delivery.mass_refusal import SuspectResults
from pipeline.delivery.prefetch import PrefetchBuffer
from pipeline.delivery.reconcile import proof_from
from pipeline.delivery.send_chunk import ChunkOutcome, ChunkSender
from pipeline.storage.ledger import SqlLedger

log = structlog.get_logger(__name__)

_RECORD_AGAIN = (0.1, 0.5, 1.0, 2.0, 4.0)
"""Pauses between attempts to record answers that the ledger did not take. A call whose answer is
not recorded is in doubt and must be asked about, so a short outage is worth waiting for."""

_STOPPED = "The drop was stopped."

_GRACE_SECONDS = 1.0
"""Seconds after a reopening in which sending is not held because of refusals: drops are handed in
one after the other, and each must get its chance to be accepted."""


class Dispatcher:
    """Runs in one event loop; ``submit``, ``cancel`` and ``stop`` are called inside it."""

    def __init__(self, tools: Tools, ledger: SqlLedger, committer: Executor) -> None:
        self._tools = tools
        self.limiter = tools.limiter
        self._ledger = ledger
        self._committer = committer
        self._queues: deque[ChunkQueue] = deque()
        self._prefetch: PrefetchBuffer[tuple[ChunkQueue, Chunk]] = PrefetchBuffer(
            tools.policy, tools.clock.monotonic
        )
        self._back: list[tuple[ChunkQueue, ChunkResult]] = []
        self._suspect_results = SuspectResults(tools.mass_refusal, tools.limiter, self._serve_aside)
        self._grace: asyncio.TimerHandle | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._kick = asyncio.Event()
        self._stopping = False
        self._calling = 0
        self._unrecorded = False

    @property
    def has_work(self) -> bool:
        """Return True while drops are here; read from other threads."""
        return bool(self._queues)

    def submit(self, shipment: Shipment, future: "Future[DeliveryResult]") -> None:
        """Queue a planned drop. Its future raises the error that keeps the drop from being sent."""
        try:
            self._queues.append(ChunkQueue.of(shipment, future))
        except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
            future.set_exception(error)
        self._kick.set()

    def cancel(self, drop_seq: int) -> None:
        """Send nothing more of this drop.

        Calls in flight are answered and recorded, and rows in doubt are asked about.
        """
        for queue in self._queues:
            if queue.drop_seq == drop_seq:
                queue.cancel()
                self.limiter.dismiss(queue)
        for marked in self._prefetch.empty():
            self._lay_out(*marked)
        self._kick.set()

    def progress(self) -> tuple[int, int]:
        """Return updates answered and in all.

        Read from other threads, so only counted, never changed.
        """
        queues = tuple(self._queues)
        return sum(queue.rows_done for queue in queues), sum(queue.rows for queue in queues)

    def close(self, shut: SendingStop) -> None:
        """Send nothing more until ``reopen``."""
        self.limiter.close(shut)
        self._kick.set()

    def reopen(self) -> None:
        """Try again after a pause: one call at first."""
        self._tools.mass_refusal.reopened()
        self._tools.unclear.reopened()
        if self._grace is not None:
            self._grace.cancel()
        self._suspect_results.in_grace = True
        self._grace = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._end_grace)
        self.limiter.reopen()
        self._kick.set()

    def _end_grace(self) -> None:
        """Look again whether sending is to be held: nothing else would."""
        self._suspect_results.in_grace = False
        self._kick.set()

    def stop(self) -> None:
        """Hand all drops back as soon as the calls in flight have been answered."""
        self._stopping = True
        self.limiter.close(SendingStop(held=False, reason="Shipdrop is stopping.", ours=True))
        self._kick.set()

    async def run(self) -> None:
        """Work until stopped. When the ledger fails, hand the drops back as broken."""
        async with self._group:
            callers = [
                self._group.create_task(self._caller())
                for _ in range(self._tools.policy.concurrency)
            ]
            try:
                await self._record_results()
            finally:
                for task in (*callers, *self._aside):
                    task.cancel()
                self.abandon()

    def abandon(self) -> None:
        """Fail the unfinished queues, because the thread ends."""
        while self._queues:
            future = self._queues.popleft().future
            if not future.done():
                future.set_exception(
                    StorageError(
                        "The delivery thread was closed; calls that were out are in doubt."
                    )
                )

    # -- callers -------------------------------------------------------------------------------

    async def _caller(self) -> None:
        """Take marked chunks and send them; one of ``concurrency`` such loops."""
        while True:
            queue, chunk = await self._prefetch.take()
            if self._must_wait(queue, chunk):
                # "Not there yet" proves nothing so soon; other chunks must not wait for it.
                self._serve_aside(queue, chunk)
            else:
                self._calling += 1
                await self._serve(queue, chunk)
                self._calling -= 1

    def _serve_aside(
        self, queue: ChunkQueue, chunk: Chunk, receipts: tuple[Receipt, ...] = ()
    ) -> None:
        """Send a marked chunk beside the callers; ``receipts``: of its calls so far."""
        task = self._group.create_task(self._serve(queue, chunk, receipts))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _serve(
        self, queue: ChunkQueue, chunk: Chunk, receipts: tuple[Receipt, ...] = ()
    ) -> None:
        try:
            outcome = await self._send(queue, chunk)
        except Exception as error:  # noqa: BLE001 - it costs this drop, which is failed
            self._break(queue, error, chunk)
            outcome = ChunkOutcome(result=doubtful(chunk, queue.known.get(chunk.no, ())))
        result, refused_with = outcome.result, outcome.refused_with
        if receipts:
            result = replace(result, receipts=(*receipts, *result.receipts))
        whole = result.chunk.state is ChunkState.DONE
        if outcome.held_back:
            self._suspect_results.add_untested(queue, chunk, result, refused_with)
            self._suspect_results.hold(self._queues)
        elif refused_with and not (whole and self._tools.mass_refusal.is_at_fault(queue.drop_seq)):
            self._suspect_results.add(queue, chunk, result, refused_with, whole=whole)
            self._suspect_results.hold(self._queues)
        else:
            self._back.append((queue, result))
        self._kick.set()

    async def _send(self, queue: ChunkQueue, chunk: Chunk) -> ChunkOutcome:
        known = queue.known.get(chunk.no, ())
        unwanted = queue.cancelled and queue.is_unsent(chunk)
        if (shut := self.limiter.shut) is not None or unwanted or queue.broken:
            reason = shut.reason if shut else _STOPPED
            return ChunkOutcome(result=untouched(chunk, known, reason))
        if self._tools.mass_refusal.limit_reached_by(queue.drop_seq):
            return ChunkOutcome(result=untouched(chunk, known, ""), held_back=True)
        try:
            chunk_body = ChunkBody(queue.body(chunk.offset, chunk.length), chunk.size)
        except StorageError as error:
            self._break(queue, error, chunk)
            return ChunkOutcome(result=untouched(chunk, known, error.message))
        return await ChunkSender(chunk, chunk_body, self._tools, queue, self._others).run()

    def _break(self, queue: ChunkQueue, error: Exception, chunk: Chunk) -> None:
        """Send nothing more of a drop: its storage failed, or we did. The others go on."""
        queue.broken = queue.broken or error
        foreseen = isinstance(error, StorageError)
        log.error(
            "delivery.drop_broken",
            drop_seq=queue.drop_seq,
            chunk=chunk.no,
            reason=str(error),
            exc_info=None if foreseen else error,
        )

    def _must_wait(self, queue: ChunkQueue, chunk: Chunk) -> bool:
        if chunk.state is ChunkState.PLANNED or not self._tools.policy.reconcile:
            return False
        opened_at = queue.taken_up or self._tools.opened_at
        proof = proof_from(chunk, self._tools.policy, opened_at)
        return proof is not None and proof > self._tools.clock.now().timestamp()

    def _others(self) -> bool:
        """Return whether there are chunks that have not been tried yet."""
        return len(self._prefetch) > 0 or any(any(queue.waves) for queue in self._queues)

    # -- records -------------------------------------------------------------------------------

    async def _record_results(self) -> None:
        """Record results, mark the next chunks and hand them out: the only loop that writes."""
        while not (self._stopping and not self._queues):
            await self._kick.wait()
            await self._prefetch.gather(len(self._back), calling=self._calling)
            self._kick.clear()
            self._back += self._suspect_results.to_record(self._queues)
            back, self._back = self._back, []
            self._prefetch.keep_pace(len(back))
            marked = self._next_chunks(len(back))
            if back or marked:
                await self._record_once(back, marked)
                if self._suspect_results.waiting:
                    self._kick.set()  # what was recorded just now may decide about those
            elif self._suspect_results.is_all_there_is(self._queues):
                self._back += self._suspect_results.end()
                self._kick.set()
            self._hand_back()

    def _next_chunks(self, coming_back: int) -> list[tuple[ChunkQueue, Chunk]]:
        """Return the chunks to mark now, one of each drop in turn, as many as callers soon need."""
        if self.limiter.shut is not None:
            return []
        room = self._prefetch.room + len(self._aside) + self._suspect_results.waiting
        out = sum(queue.out for queue in self._queues) - coming_back
        chosen: list[tuple[ChunkQueue, Chunk]] = []
        idle = 0
        while out + len(chosen) < room and idle < len(self._queues):
            queue = self._queues[0]
            self._queues.rotate(-1)
            chunk = (
                None if self._tools.mass_refusal.limit_reached_by(queue.drop_seq) else queue.next()
            )
            if chunk is None:
                idle += 1
                continue
            idle = 0
            queue.out += 1
            chosen.append((queue, chunk))
        return chosen

    async def _record_once(
        self,
        back: Sequence[tuple[ChunkQueue, ChunkResult]],
        marked: Sequence[tuple[ChunkQueue, Chunk]],
    ) -> None:
        """Make one commit. When it fails no call leaves, and no drop counts as finished."""
        done = [result for _, result in back]
        try:
            await self._exchange(done, [chunk for _, chunk in marked])
        except Exception as error:  # noqa: BLE001 - whatever it was: nothing is on disk
            await self._fail(error, back, marked)
            return
        self._unrecorded = False
        for queue, result in back:
            try:
                queue.finish(result)
            except Exception as error:  # noqa: BLE001 - it is recorded; the drop fails for the rest
                self._break(queue, error, result.chunk)
        for each in marked:
            self._lay_out(*each)
        if any(queue.next_is_free for queue, _ in back):
            self._kick.set()

    def _lay_out(self, queue: ChunkQueue, chunk: Chunk) -> None:
        """Offer a marked chunk to the callers, or end it at once if its drop was cancelled.

        All callers may be in a long pause, each with a chunk of another drop.
        """
        if queue.cancelled and queue.is_unsent(chunk):
            result = untouched(chunk, queue.known.get(chunk.no, ()), _STOPPED)
            self._back.append((queue, result))
            self._kick.set()
        else:
            self._prefetch.put((queue, chunk))

    async def _exchange(self, done: Sequence[ChunkResult], marks: Sequence[Chunk]) -> None:
        at = stamp(self._tools.clock.now())
        loop = asyncio.get_running_loop()
        with self._prefetch.commit():
            await loop.run_in_executor(
                self._committer, partial(self._ledger.exchange, done, marks, at=at)
            )

    async def _fail(
        self,
        error: Exception,
        back: Sequence[tuple[ChunkQueue, ChunkResult]],
        marked: Sequence[tuple[ChunkQueue, Chunk]],
    ) -> None:
        """Stop, since the ledger cannot be written: save the answers if possible, end the queues.

        A queue ends when its last call is answered, so that nobody takes its drop up before.
        """
        foreseen = isinstance(error, StorageError)
        log.error("delivery.ledger_failed", reason=str(error), exc_info=None if foreseen else error)
        if not isinstance(error, StorageError):
            error = StorageError(f"The ledger cannot be written: {error}.")
        self.limiter.close(
            SendingStop(held=False, reason=error.message, hint=error.hint, ours=True)
        )
        for queue, _ in (*self._prefetch.empty(), *back, *marked):
            queue.out -= 1
        for queue in self._queues:
            queue.broken = error
        pauses = () if self._unrecorded or not back else _RECORD_AGAIN
        self._unrecorded = True
        for pause in pauses:
            await asyncio.sleep(pause)
            with suppress(Exception):  # the failure is logged; the next pause is longer
                await self._exchange([result for _, result in back], [])
                self._unrecorded = False
                return

    def _hand_back(self) -> None:
        """End the queues that are finished, or that a hold keeps from going on."""
        shut = self.limiter.shut
        staying: deque[ChunkQueue] = deque()
        for queue in self._queues:
            stopped = shut is not None or queue.broken is not None
            if queue.exhausted or (stopped and queue.out == 0):
                if shut is None:
                    self._tools.mass_refusal.forget(queue.drop_seq)
                queue.future.set_result(queue.result_of_drop(shut))
            else:
                staying.append(queue)
        self._queues = staying
