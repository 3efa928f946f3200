"""Results of chunks that were refused to the last row, kept until it is known who is to blame.

They are booked as they are once the API has taken something, or when nothing is left that could
show it; when all sending is held, their rows have not failed: they stay unsent.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from pipeline.core.ports import Chunk, ChunkResult, ChunkState
from pipeline.delivery.drop_queue import DropQueue
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.mass_refusal import MassRefusal
from pipeline.delivery.row_outcomes import untouched

_Case = tuple[DropQueue, Chunk, ChunkResult]
Booked = list[tuple[DropQueue, ChunkResult]]


class HeldResults:
    """Keep the results that wait. Lives in the dispatcher's loop."""

    def __init__(
        self, mass_refusal: MassRefusal, limiter: Limiter, monotonic: Callable[[], float]
    ) -> None:
        self._mass_refusal = mass_refusal
        self._limiter = limiter
        self._monotonic = monotonic
        self._not_before = 0.0
        self._cases: list[_Case] = []
        self._adjourned: list[_Case] = []

    @property
    def waiting(self) -> int:
        """How many chunks wait."""
        return len(self._cases) + len(self._adjourned)

    def adjourn(self, queue: DropQueue, chunk: Chunk, result: ChunkResult) -> None:
        """Keep a chunk that was refused whole and not looked into: there is enough to tell."""
        self._adjourned.append((queue, chunk, result))

    def suspend(
        self, queue: DropQueue, chunk: Chunk, result: ChunkResult, what: str, *, whole: bool
    ) -> None:
        """Keep the result of a chunk that was refused with ``what``.

        ``whole``: to its last row; else sending was held while that was being found out.
        """
        self._cases.append((queue, chunk, result))
        if whole:
            words = result.verdicts[0].message if result.verdicts else ""
            self._mass_refusal.hear(queue.drop_seq, what, words)

    def judge(self, queues: Iterable[DropQueue]) -> Booked:
        """The results that can be booked by now."""
        if not self.waiting:
            return []
        if self._limiter.shut is None:
            if not self._mass_refusal.suspicious:
                self._send_again()
                return self.end()
            if not self.hold(queues):
                return []
        cases, self._cases, self._adjourned = [*self._cases, *self._adjourned], [], []
        return [(case[0], self._acquitted(*case)) for case in cases]

    def _send_again(self) -> None:
        """It was not everything: the chunks that were not looked into go once more."""
        for queue, chunk, result in self._adjourned:
            queue.put_back(replace(chunk, attempts=result.chunk.attempts))
        self._adjourned.clear()

    def hold(self, queues: Iterable[DropQueue]) -> bool:
        """Hold all sending if everything is refused; at once, or the next chunk would be tried."""
        if self.seconds_to_hear > 0:
            return False
        busy = (queue.drop_seq for queue in queues if not queue.exhausted)
        if (shut := self._mass_refusal.verdict(busy)) is not None:
            self._limiter.close(shut)
        return shut is not None

    @property
    def seconds_to_hear(self) -> float:
        """For how long nothing is held yet."""
        return max(0.0, self._not_before - self._monotonic())

    def hear_all_until(self, moment: float) -> None:
        """Hold nothing before this moment (monotonic seconds)."""
        self._not_before = moment

    def is_all_there_is(self, queues: Iterable[DropQueue]) -> bool:
        """Nothing else is out that could show whether it was the rows, and it is not for a hold."""
        out = sum(queue.out for queue in queues)
        return 0 < self.waiting == out and not self._mass_refusal.has_heard_enough

    def end(self) -> Booked:
        """Nothing more can show whether it was the rows: they have failed."""
        cases, self._cases = self._cases, []
        return [(queue, result) for queue, _, result in cases]

    def _acquitted(self, queue: DropQueue, chunk: Chunk, result: ChunkResult) -> ChunkResult:
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
