"""Outcomes of rows whose chunks are records, as a test writes them."""

from collections.abc import Sequence

import pyarrow as pa

from pipeline.core.chunks import Chunk, ChunkEnds, ChunkState, Verdict
from pipeline.reporting import row_outcomes
from pipeline.reporting.row_outcomes import DropOutcomes, Remark


def outcomes_of(
    planned: pa.Table, chunks: Sequence[Chunk], verdicts: Sequence[Verdict], *, waiting: Remark
) -> DropOutcomes:
    """See ``row_outcomes.outcomes_of``."""
    ends = ChunkEnds.of(
        no=[each.no for each in chunks],
        sending=[each.state is ChunkState.SENDING for each in chunks],
        outcome=[each.outcome for each in chunks],
        http_status=[each.http_status for each in chunks],
        attempts=[each.attempts for each in chunks],
        sent_at=[each.sent_at for each in chunks],
        code=[each.code for each in chunks],
        message=[each.message for each in chunks],
    )
    return row_outcomes.outcomes_of(planned, ends, verdicts, waiting=waiting)
