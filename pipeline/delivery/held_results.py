"""The trial: results of chunks that were refused to the last row, kept until the jury has spoken.

They are booked as they are once the API has taken something, or when nothing is left that could
show it; when all sending is held, their rows have not failed: they stay unsent.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from pipeline.core.ports import Chunk, ChunkResult, ChunkState
from pipeline.delivery.drop_queue import Lane
from pipeline.delivery.limiter import Gate
from pipeline.delivery.mass_refusal import Jury
from pipeline.delivery.row_outcomes import untouched

_Case = tuple[Lane, Chunk, ChunkResult]
Booked = list[tuple[Lane, ChunkResult]]


class Trial:
    """The cases that wait. Lives in the desk's loop."""

    def __init__(self, jury: Jury, gate: Gate, monotonic: Callable[[], float]) -> None:
        self._jury = jury
        self._gate = gate
        self._monotonic = monotonic
        self._not_before = 0.0
        self._cases: list[_Case] = []
        self._adjourned: list[_Case] = []

    @property
    def waiting(self) -> int:
        """How many chunks wait."""
        return len(self._cases) + len(self._adjourned)

    def adjourn(self, lane: Lane, chunk: Chunk, result: ChunkResult) -> None:
        """Keep a chunk that was refused whole and not looked into: there is enough to tell."""
        self._adjourned.append((lane, chunk, result))

    def suspend(
        self, lane: Lane, chunk: Chunk, result: ChunkResult, what: str, *, whole: bool
    ) -> None:
        """Keep the result of a chunk that was refused with ``what``.

        ``whole``: to its last row; else the gate was shut while that was being found out.
        """
        self._cases.append((lane, chunk, result))
        if whole:
            words = result.verdicts[0].message if result.verdicts else ""
            self._jury.hear(lane.drop_seq, what, words)

    def judge(self, lanes: Iterable[Lane]) -> Booked:
        """The results that can be booked by now."""
        if not self.waiting:
            return []
        if self._gate.shut is None:
            if not self._jury.suspicious:
                self._send_again()
                return self.end()
            if not self.hold(lanes):
                return []
        cases, self._cases, self._adjourned = [*self._cases, *self._adjourned], [], []
        return [(case[0], self._acquitted(*case)) for case in cases]

    def _send_again(self) -> None:
        """It was not everything: the chunks that were not looked into go once more."""
        for lane, chunk, result in self._adjourned:
            lane.put_back(replace(chunk, attempts=result.chunk.attempts))
        self._adjourned.clear()

    def hold(self, lanes: Iterable[Lane]) -> bool:
        """Hold all sending if the jury says so; at once, or the next chunk would be looked into."""
        if self._monotonic() < self._not_before:
            return False
        busy = (lane.drop_seq for lane in lanes if not lane.exhausted)
        if (shut := self._jury.verdict(busy)) is not None:
            self._gate.close(shut)
        return shut is not None

    def hear_all_until(self, moment: float) -> None:
        """Hold nothing before this moment (monotonic seconds)."""
        self._not_before = moment

    def is_all_there_is(self, lanes: Iterable[Lane]) -> bool:
        """Nothing else is out that could show whether it was the rows, and it is not for a hold."""
        out = sum(lane.out for lane in lanes)
        return 0 < self.waiting == out and not self._jury.has_heard_enough

    def end(self) -> Booked:
        """Nothing more can show whether it was the rows: they have failed."""
        cases, self._cases = self._cases, []
        return [(lane, result) for lane, _, result in cases]

    def _acquitted(self, lane: Lane, chunk: Chunk, result: ChunkResult) -> ChunkResult:
        reason = self._gate.shut.reason if self._gate.shut else ""
        before = untouched(chunk, lane.known.get(chunk.no, ()), reason)
        if chunk.state is not ChunkState.PLANNED:
            return replace(before, receipts=result.receipts)
        tried = replace(
            before.chunk,
            http_status=result.chunk.http_status,
            attempts=result.chunk.attempts,
            sent_at=result.chunk.sent_at,
        )
        return replace(before, chunk=tried, receipts=result.receipts)
