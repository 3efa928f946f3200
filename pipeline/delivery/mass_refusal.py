"""Mass refusal: does the API refuse these rows, or everything that is sent?

A chunk refused whole is halved until its bad rows stand alone. If *every* chunk is refused with the
same status, the API is at fault, not the rows, and sending is held instead of failing every row.
Only refusals since the last success count: each success clears the API.

One chunk is halved to its last row. Of those that are refused after it, three rows are sent alone,
which costs a tenth of the calls.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkResult, ChunkState, Receipt
from pipeline.core.shipment import SendingStop
from pipeline.delivery.chunk_queue import ChunkQueue
from pipeline.delivery.chunk_rows import untouched
from pipeline.delivery.limiter import Limiter

_ENOUGH = 3
"""Chunks refused alike, and with nothing taken between, that make a hold."""

Key = tuple[int, int]
"""A chunk among all: its drop and its number."""

_SAMPLE = 3
"""Rows of a chunk that are sent alone, where it need not be halved to its last row."""


class MassRefusal:
    """Refused chunks since the API last accepted a call, by key."""

    def __init__(self) -> None:
        self._seat_free = True
        self._queue: list[asyncio.Future[None]] = []
        self._alike: Counter[str] = Counter()
        self._counted: set[Key] = set()
        self._halved = False
        self._to_halve: set[Key] = set()
        self._refused_drops: set[int] = set()
        self._suspects: set[int] = set()
        self._at_fault: set[int] = set()
        self._words = ""

    @property
    def suspicious(self) -> bool:
        """Return whether a chunk was refused to the last row, and nothing has been taken since."""
        return bool(self._alike)

    @asynccontextmanager
    async def one_at_a_time(self) -> AsyncIterator[None]:
        """Wait until a refused chunk may be examined.

        One at a time, as long as nothing is taken: each success lets one more in. So isolation runs
        side by side where rows are bad, and costs few calls where everything is refused.
        """
        while not self._seat_free:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            await turn
        self._seat_free = False
        try:
            yield
        finally:
            self._free_a_seat()

    def _free_a_seat(self) -> None:
        self._seat_free = True
        queue, self._queue = self._queue, []
        for turn in queue:
            if not turn.done():
                turn.set_result(None)

    def took(self, drop_seq: int) -> None:
        """Note that the API understood a call of this drop, whatever it said of its rows.

        Drops that were refused alike to the point of a hold have bad rows, then: their refusals no
        longer count against the API, until one of their own calls is accepted.
        """
        self._at_fault |= self._suspects
        if self.limit_reached:
            self._at_fault |= self._refused_drops
        self._suspects.clear()
        self._at_fault.discard(drop_seq)
        self._alike.clear()
        self._refused_drops.clear()
        self._halved = False
        self._counted.clear()
        self._free_a_seat()

    def reopened(self) -> None:
        """Start sending again: one more refused chunk is enough to show that nothing changed."""
        if self.limit_reached:
            self._suspects |= self._refused_drops
        self._refused_drops.clear()
        self._alike = Counter({what: min(n, _ENOUGH - 1) for what, n in self._alike.items()})
        self._halved = False
        self._counted.clear()
        self._to_halve.clear()

    def record_refusal(self, key: Key, what: str, words: str) -> None:
        """Record that every row of a chunk was refused with ``what`` (say "422")."""
        self._refused_drops.add(key[0])
        self._halved = True
        self._words = words or self._words
        if key not in self._counted:
            self._counted.add(key)
            self._alike[what] += 1

    def sample_of(self, key: Key, rows: Sequence[int], rng: random.Random) -> Sequence[int]:
        """Return up to three rows of a refused chunk to send alone, or () if it is to be halved.

        Halved are the first refused chunk since the last success, chunks of drops that are known to
        have bad rows, and chunks that had their sample before (``halve``).
        """
        wanted = not self._halved or key[0] in self._at_fault or key in self._to_halve
        return () if wanted or len(rows) <= _SAMPLE else sorted(rng.sample(rows, _SAMPLE))

    def halve(self, key: Key) -> None:
        """Have this chunk halved to its last row when it is sent once more."""
        self._to_halve.add(key)

    def limit_reached_by(self, drop_seq: int) -> bool:
        """Return whether the limit is reached, and this drop was refused."""
        return drop_seq in self._refused_drops and self.limit_reached

    def is_at_fault(self, drop_seq: int) -> bool:
        """Return whether it has been shown that this drop's own rows are to blame."""
        return drop_seq in self._at_fault

    def forget(self, drop_seq: int) -> None:
        """Forget a drop that is finished."""
        self._at_fault.discard(drop_seq)
        self._suspects.discard(drop_seq)
        self._to_halve = {key for key in self._to_halve if key[0] != drop_seq}

    @property
    def limit_reached(self) -> bool:
        """Return whether enough chunks were refused alike for a hold."""
        return max(self._alike.values(), default=0) >= _ENOUGH

    def why_hold(self, under_way: Iterable[int]) -> SendingStop | None:
        """Return why sending is to be held, once there is enough to say so.

        ``under_way``: the drops with updates in flight or to send. Each must have been refused
        first: a file whose rows are all bad must not keep a sound one from showing that these rows
        are to blame.
        """
        if not self.limit_reached or not self._refused_drops.issuperset(under_way):
            return None
        what, _ = self._alike.most_common(1)[0]
        return SendingStop(
            held=True,
            arguable=True,
            status=int(what) if what.isdecimal() else None,
            reason=f"The API refuses every call with the same answer ({what}): "
            f"{self._words or 'it gives no reason'}",
            hint="Most likely it is not the rows: check api.base_url and any proxy. "
            "Nothing was rejected; what was not sent stays unsent. If it is the rows of one file "
            "after all, that shows as soon as another file gets through, or `shipdrop cancel` "
            "ends its drop.",
        )


_UNCLEAR_IN_A_ROW = 3
"""Unclear answers of one kind in a row, with nothing shown to be taken, that make a hold."""


class UnclearAnswers:
    """Count unclear answers since the last call that the API took.

    A log-in page under 200 is as much of an outage as a 503. One such answer may be anything; so
    many of a kind, with nothing taken between, are held like one.

    ``turn``: held while one of them is examined, so that no needless query is made.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._in_a_row: dict[str, int] = {}

    def forget(self) -> None:
        """Forget the unclear answers: the API took a call."""
        self._in_a_row.clear()

    def count(self, kind: str) -> bool:
        """Count an unclear answer to a call that is not shown to have been taken.

        Return whether there are enough of its kind to hold sending.
        """
        self._in_a_row[kind] = self._in_a_row.get(kind, 0) + 1
        return self._in_a_row[kind] >= _UNCLEAR_IN_A_ROW

    def reopened(self) -> None:
        """Start sending again: one more unclear answer is enough to show that nothing changed."""
        self._in_a_row = {kind: min(n, _UNCLEAR_IN_A_ROW - 1) for kind, n in self._in_a_row.items()}


class _Case(Struct, frozen=True):
    """A chunk's result that is not recorded yet."""

    queue: ChunkQueue
    chunk: Chunk
    result: ChunkResult

    @property
    def key(self) -> Key:
        """Return the key that identifies the chunk."""
        return (self.chunk.drop_seq, self.chunk.no)


Results = list[tuple[ChunkQueue, ChunkResult]]


class SuspectResults:
    """The results of chunks that were refused whole, until it is known what is to blame.

    They are recorded unchanged once the API has taken something, or when nothing is left that could
    show it; when all sending is held, their rows have not failed: they stay unsent. Lives in the
    dispatcher's loop. ``send_again`` is handed chunks of which not every row was asked for.
    ``in_grace``: sending was tried again just now, and is not held yet.
    """

    def __init__(
        self,
        mass_refusal: MassRefusal,
        limiter: Limiter,
        send_again: Callable[[ChunkQueue, Chunk, tuple[Receipt, ...]], None],
    ) -> None:
        self._mass_refusal = mass_refusal
        self._limiter = limiter
        self._resend = send_again
        self.in_grace = False
        self._kept: list[_Case] = []
        self._untested: list[_Case] = []

    @property
    def waiting(self) -> int:
        """Return how many chunks wait."""
        return len(self._kept) + len(self._untested)

    def add_untested(
        self, queue: ChunkQueue, chunk: Chunk, result: ChunkResult, what: str | None = None
    ) -> None:
        """Keep a chunk whose rows were not all tried alone; it is sent again if the API is cleared.

        ``what``: the status with which a sample of its rows was refused, if one was sent.
        """
        case = _Case(queue, chunk, result)
        self._untested.append(case)
        if what is not None and not self._mass_refusal.is_at_fault(queue.drop_seq):
            self._mass_refusal.record_refusal(case.key, what, _message_of(result))

    def add(
        self, queue: ChunkQueue, chunk: Chunk, result: ChunkResult, what: str, *, whole: bool
    ) -> None:
        """Keep a chunk whose rows were refused with the status ``what``.

        They fail if the API is cleared. ``whole``: every row was tried, and not only those before
        sending was held.
        """
        case = _Case(queue, chunk, result)
        self._kept.append(case)
        if whole:
            self._mass_refusal.record_refusal(case.key, what, _message_of(result))

    def to_record(self, queues: Iterable[ChunkQueue]) -> Results:
        """Return the results that can be recorded by now."""
        if not self.waiting:
            return []
        if self._limiter.shut is None:
            if not self._mass_refusal.suspicious:
                self._send_again()
                return self._failed()
            if not self.hold(queues):
                return []
        cases, self._kept, self._untested = [*self._kept, *self._untested], [], []
        return [(case.queue, self._cleared(case)) for case in cases]

    def _send_again(self) -> None:
        """Send the chunks that were not halved once more, and halve them now.

        Not everything was refused, or no other evidence can come.
        """
        cases, self._untested = self._untested, []
        for case in cases:
            self._mass_refusal.halve(case.key)
            chunk = replace(case.chunk, attempts=case.result.chunk.attempts)
            self._resend(case.queue, chunk, case.result.receipts)

    def hold(self, queues: Iterable[ChunkQueue]) -> bool:
        """Hold all sending if everything is refused; at once, or the next chunk would be tried."""
        if self.in_grace:
            return False
        busy = (queue.drop_seq for queue in queues if not queue.exhausted)
        if (shut := self._mass_refusal.why_hold(busy)) is not None:
            self._limiter.close(shut)
        return shut is not None

    def is_all_there_is(self, queues: Iterable[ChunkQueue]) -> bool:
        """Return whether only held results are in flight, so that nothing else can decide."""
        out = sum(queue.out for queue in queues)
        return 0 < self.waiting == out and not self._mass_refusal.limit_reached

    def end(self) -> Results:
        """Return the held results as failed: nothing more can show whether it was the rows.

        Not before each of the rows was asked for alone.
        """
        if not self._untested:
            return self._failed()
        self._send_again()
        return []

    def _failed(self) -> Results:
        cases, self._kept = self._kept, []
        return [(case.queue, case.result) for case in cases]

    def _cleared(self, case: _Case) -> ChunkResult:
        queue, chunk, result = case.queue, case.chunk, case.result
        reason = self._limiter.shut.reason if self._limiter.shut else ""
        before = untouched(chunk, queue.known.get(chunk.no, ()), reason)
        if chunk.state is not ChunkState.PLANNED:
            return replace(before, receipts=result.receipts)
        tried = replace(
            before.chunk,
            http_status=result.chunk.http_status,
            attempts=result.chunk.attempts,
            sent_at=result.chunk.sent_at,
        )
        return replace(before, chunk=tried, receipts=result.receipts)


def _message_of(result: ChunkResult) -> str:
    return result.verdicts[0].message if result.verdicts else ""
