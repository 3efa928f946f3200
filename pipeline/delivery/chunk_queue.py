"""The chunks of one drop that are still to be sent, wave by wave."""

from collections import ChainMap, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime

from msgspec import Struct, field

from pipeline.core.chunks import Chunk, ChunkBody, ChunkResult, ChunkState, Verdict
from pipeline.core.shipment import DeliveryResult, EarlierStep, EarlierSteps, SendingStop, Shipment
from pipeline.delivery.api.order_info import Reached
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

_HELD_BACK = frozenset({Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNSENT})

_SPLITS_AT_LEAST = 100
"""Halvings (two calls each) that any drop may add; a large one, as many as it has chunks."""


def _said(chunk: Chunk, verdicts: Iterable[Verdict]) -> tuple[object, ...]:
    """Return the parts of a chunk that a report shows; not when and how often it was tried."""
    outcome = chunk.outcome or Outcome.UNSENT
    code = chunk.code or (Code.NOT_SENT if outcome is Outcome.UNSENT else "")
    return outcome, code, {(each.pos, each.outcome, each.code) for each in verdicts}


class ChunkQueue(Struct, eq=False):
    """The chunks of one drop that are still to be sent. Only the event loop touches it."""

    drop_seq: int
    body: Callable[[int, int], bytes]
    future: "Future[DeliveryResult]"
    waves: deque[deque[Chunk]] = field(default_factory=deque)
    out: int = 0
    marked: dict[int, Chunk] = field(default_factory=dict)
    undone: bool = False
    cancelled: bool = False
    multi_wave: bool = False
    splits: int = 0
    broken: Exception | None = None
    progressed: bool = False
    known: dict[int, list[Verdict]] = field(default_factory=dict)
    earlier: dict[str, EarlierStep] = field(default_factory=dict)
    chunks: int = 0
    rows: int = 0
    rows_done: int = 0
    taken_up: datetime | None = None
    doubts: Mapping[int, EarlierSteps] = field(default_factory=dict)
    note_call: Callable[[int], None] | None = None
    reached: dict[tuple[str, Milestone], Reached] = field(default_factory=dict)

    @classmethod
    def of(cls, shipment: Shipment, future: "Future[DeliveryResult]") -> "ChunkQueue":
        """Queue the chunks still to be sent, with the rows that earlier waves left behind."""
        queue = cls(drop_seq=shipment.drop_seq, body=shipment.body, future=future)
        queue.taken_up, queue.doubts = shipment.taken_up, shipment.doubts
        queue.note_call = shipment.note_call
        for verdict in shipment.verdicts:
            queue.known.setdefault(verdict.chunk_no, []).append(verdict)
        queue.chunks = len(shipment.chunks)
        queue._take_up(shipment)
        if shipment.cancelled:
            queue.cancel()
        return queue

    def _take_up(self, shipment: Shipment) -> None:
        """Queue the chunks to be sent, and the rest of chunks that were sent in part."""
        self.rows = sum(chunk.size for chunk in shipment.chunks)
        self.multi_wave = any(chunk.wave for chunk in shipment.chunks)
        for chunk in shipment.before:
            self.remember(chunk, self.known.pop(chunk.no, ()))
        waves: dict[int, list[Chunk]] = {}
        for chunk in shipment.chunks:
            if chunk.state is ChunkState.DONE and not self.is_doubtful(chunk):
                self.remember(chunk, self.known.pop(chunk.no, ()))
                self.rows_done += chunk.size
            else:
                waves.setdefault(chunk.wave, []).append(chunk)
        for number in sorted(waves):
            # Chunks that were tried in vain before do not block others.
            self.waves.append(deque(sorted(waves[number], key=lambda chunk: chunk.attempts)))

    def is_doubtful(self, chunk: Chunk) -> bool:
        """Return whether a chunk has rows whose outcome is unknown."""
        return any(v.outcome is Outcome.UNKNOWN for v in self.known.get(chunk.no, ()))

    def cancel(self) -> None:
        """Send nothing more; chunks that are in doubt are still asked about."""
        self.cancelled = True
        for at, chunks in enumerate(self.waves):
            # One that was marked and never left is still to be recorded as such.
            marked = deque(each for each in chunks if each.sent_at or not self.is_unsent(each))
            self.waves[at] = marked
            self.undone = self.undone or len(marked) < len(chunks)

    def is_unsent(self, chunk: Chunk) -> bool:
        """Return whether no update of a chunk can have arrived unknown to us."""
        return chunk.state is not ChunkState.SENDING and not self.is_doubtful(chunk)

    def earlier_of(self, chunk: Chunk) -> EarlierSteps:
        """Return the outcomes of failed earlier steps of a chunk's orders."""
        others = self.doubts.get(chunk.no)
        return ChainMap({}, self.earlier, dict(others)) if others else self.earlier

    def next(self) -> Chunk | None:
        """Return the next chunk that may leave now; None while its wave waits for answers."""
        while self.waves and not self.waves[0]:
            if self.out:
                return None
            self.waves.popleft()
        if self.broken or not self.waves:
            return None
        chunk = self.waves[0].popleft()
        self.marked[chunk.no] = chunk
        return chunk

    @property
    def next_is_free(self) -> bool:
        """Return True when a new wave may begin."""
        return self.out == 0 and any(self.waves)

    def may_split(self) -> bool:
        """Count a halving; False when the drop's budget is used up."""
        self.splits += 1
        return self.splits <= max(_SPLITS_AT_LEAST, self.chunks)

    def finish(self, result: ChunkResult) -> None:
        """Note that a chunk came back and is recorded."""
        self.out -= 1
        no = result.chunk.no
        before, known = self.marked.pop(no, None), self.known.pop(no, ())
        if not self.progressed:
            said = _said(result.chunk, result.verdicts)
            self.progressed = before is None or _said(before, known) != said
        if result.chunk.state is ChunkState.DONE:
            self.rows_done += result.chunk.size
        else:
            self.undone = True
        self.remember(result.chunk, result.verdicts)

    def remember(self, chunk: Chunk, verdicts: Iterable[Verdict]) -> None:
        """Keep, for later waves, which orders did not get through."""
        if not self.multi_wave:
            return
        given = {v.pos: v for v in verdicts}
        bad = {pos: v.outcome for pos, v in given.items() if v.outcome in _HELD_BACK}
        if chunk.outcome in _HELD_BACK:
            bad |= {pos: chunk.outcome for pos in range(chunk.size) if pos not in given}
        if not bad:
            return
        ended = chunk.state is ChunkState.DONE
        chunk_body = ChunkBody(self.body(chunk.offset, chunk.length), chunk.size)
        for pos, outcome in bad.items():
            order_id, milestone = chunk_body.head(pos)
            code = given[pos].code if ended and pos in given else ""
            self.earlier[order_id] = EarlierStep(milestone=milestone, outcome=outcome, code=code)

    @property
    def exhausted(self) -> bool:
        """Return whether no chunk is left to send and no call is in flight."""
        return self.out == 0 and not any(self.waves)

    def result_of_drop(self, shut: SendingStop | None) -> DeliveryResult:
        """Return the result of the drop's delivery, as the scheduler gets it."""
        left = any(self.waves)
        return DeliveryResult(
            drop_seq=self.drop_seq,
            complete=not left and not self.undone and self.broken is None,
            cancelled=self.cancelled,
            shut=shut,
            broken=self.broken,
            progressed=self.progressed,
        )
