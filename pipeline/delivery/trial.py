"""The trial: results of chunks that were refused to the last row, kept until the jury has spoken.

They are booked as they are once the API has taken something, or when nothing is left that could
show it; when all sending is held, their rows have not failed: they stay unsent.
"""

from dataclasses import replace

from pipeline.delivery.gate import Gate
from pipeline.delivery.jury import Jury
from pipeline.delivery.lane import Lane
from pipeline.delivery.outcomes import untouched
from pipeline.ports import Chunk, ChunkResult, ChunkState

_Case = tuple[Lane, Chunk, ChunkResult]
Booked = list[tuple[Lane, ChunkResult]]


class Trial:
    """The cases that wait. Lives in the desk's loop."""

    def __init__(self, jury: Jury, gate: Gate) -> None:
        self._jury = jury
        self._gate = gate
        self._cases: list[_Case] = []

    @property
    def waiting(self) -> int:
        """How many chunks wait."""
        return len(self._cases)

    def suspend(self, lane: Lane, chunk: Chunk, result: ChunkResult, what: str) -> None:
        """Keep the result of a chunk that was refused to the last row with ``what``."""
        self._cases.append((lane, chunk, result))
        words = result.verdicts[0].message if result.verdicts else ""
        self._jury.hear(what, words, self._gate)

    def judge(self) -> Booked:
        """The results that can be booked by now."""
        if not self._cases:
            return []
        if self._jury.taken:
            return self.end()
        if self._gate.shut is None:
            return []
        cases, self._cases = self._cases, []
        return [(case[0], self._acquitted(*case)) for case in cases]

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
