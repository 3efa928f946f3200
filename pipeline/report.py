"""What a drop's files are made of, and the results lines of several drops made at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pipeline.adapters.spool import Spool
from pipeline.attempts import attempt
from pipeline.model import Drop, ResultBlock
from pipeline.stages.report_fix_sheet import Advice
from pipeline.stages.report_results import Part, results_header, results_lines
from pipeline.stages.settle import Settled, result_block

_SMALL_ROWS = 1_000
"""Drops of so many rows at most have their lines made together."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a drop's files are made of.

    ``facts``: ``pipeline.planning.facts_of``; ``advice``: how to fix what each code says;
    ``statuses``: what the courier's status column may hold; ``whole_file``: the file is refused
    for too many rejects, and the rejects file replaces it. ``kept``, ``lines``: what ``gathered``
    made of it beforehand.
    """

    drop: Drop
    facts: Mapping[str, Any]
    settled: Settled
    spool: Spool
    advice: Mapping[str, Advice]
    statuses: tuple[str, ...] = ()
    whole_file: bool = False
    kept: tuple[ResultBlock, ...] | None = None
    lines: tuple[bytes, ...] | None = None

    def blocks(self) -> Iterator[ResultBlock]:
        """The drop's rows with their outcomes, block by block; may be gone through again."""
        if self.kept is not None:
            yield from self.kept
            return
        start = 0
        for number, sheet in enumerate(self.facts["sheets"]):
            for batch in self.spool.blocks(number):
                yield result_block(
                    batch,
                    start,
                    self.settled,
                    sheet=sheet["name"],
                    headers=tuple(sheet["headers"]),
                )
                start += batch.num_rows

    @property
    def role_columns(self) -> dict[tuple[str, ...], dict[str, int]]:
        """For each header of the file: role → index of its column."""
        return {tuple(sheet["headers"]): sheet["roles"] for sheet in self.facts["sheets"]}


def gathered(reports: Sequence[Report]) -> list[Report]:
    """The reports, with the results lines of the small ones made at once.

    Where that fails they are as they were: each then fails, or not, by itself.
    """
    if len(reports) == 1:
        return list(reports)
    small = {at: kept for at, each in enumerate(reports) if (kept := _kept(each)) is not None}
    parts = [
        Part(block=block, drop_id=each.drop.drop_id, source_file=each.drop.source_file)
        for at, blocks in small.items()
        for each in (reports[at],)
        for block in blocks
    ]
    made = attempt(results_lines, parts) if parts else []
    if isinstance(made, Exception):
        return list(reports)
    lines = iter(made)
    done = list(reports)
    for at, kept in small.items():
        done[at] = replace(done[at], kept=kept, lines=(results_header(), *islice(lines, len(kept))))
    return done


def _kept(report: Report) -> tuple[ResultBlock, ...] | None:
    if len(report.settled.outcome) > _SMALL_ROWS:
        return None
    blocks = attempt(lambda: tuple(report.blocks()))
    return None if isinstance(blocks, Exception) else blocks
