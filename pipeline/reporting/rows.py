"""Yield a drop's rows with their outcomes, piece by piece: the content of its files."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import attempt
from pipeline.core.model import Drop, ResultBlock
from pipeline.reporting.results_csv import Part, results_header, results_lines
from pipeline.reporting.row_outcomes import OF_RESULTS, DropOutcomes, result_block
from pipeline.storage.spool import Spool
from schemas.courier import Profile

_AT_ONCE = 2
"""Pieces of the results that are made beside the one that is written."""

_SMALL_ROWS = 1_000
"""Drops of so many rows at most have their lines made together."""

_PIECE = 10_000
"""Rows of a piece: some 6 MB while it is made."""


class Report(Struct, frozen=True, kw_only=True):
    """Everything a drop's files are made of.

    ``profile``: the courier's, None where there is none any more; ``whole_file``: the file is
    refused for too many rejects, and the rejects file replaces it; ``open``: why it is not
    finished, None when it is. ``lines``: those of its results, where ``gathered`` made them.
    """

    drop: Drop
    outcomes: DropOutcomes
    spool: Spool
    profile: Profile | None = None
    whole_file: bool = False
    open: Mapping[str, Any] | None = None
    lines: tuple[bytes, ...] | None = None

    def blocks(self) -> Iterator[ResultBlock]:
        """Yield the drop's rows with their outcomes, block by block; may be read again."""
        return (make() for make in self.makers(cells=True))

    def __iter__(self) -> Iterator[ResultBlock]:
        return self.blocks()

    def makers(self, *, cells: bool) -> Iterator[Callable[[], ResultBlock]]:
        """Yield a function per block that makes it, in any thread; ``cells``: the file's with it.

        The results need none of them, and they are most of what lies in the spool.
        """
        start = 0
        for number, sheet in enumerate(self.drop.facts.sheets):
            headers = sheet.headers if cells else ()
            columns = [*OF_RESULTS, *(f"c{n}" for n in range(len(headers)))]
            for batch in self.spool.blocks(number, columns):
                for at in range(0, batch.num_rows, _PIECE):
                    part = batch.slice(at, _PIECE)
                    yield partial(
                        result_block,
                        part,
                        start,
                        self.outcomes,
                        sheet=sheet.name,
                        headers=headers,
                    )
                    start += part.num_rows

    @property
    def several(self) -> bool:
        """Return True when the file has several sheets: a row's number may be that of others."""
        return len(self.drop.facts.sheets) > 1

    @property
    def role_columns(self) -> dict[tuple[str, ...], Mapping[str, int]]:
        """Return for each header of the file: role → index of its column."""
        return {sheet.headers: sheet.roles for sheet in self.drop.facts.sheets}


def results_pieces(report: Report) -> Iterator[bytes]:
    """Yield the results file piece by piece: while one is written the next two are made.

    Nearly all of it is Arrow's own work, outside the interpreter's lock. A block needs no thread.
    """
    yield results_header()
    drop = report.drop

    def lines(make: Callable[[], ResultBlock]) -> bytes:
        part = Part(block=make(), drop_id=drop.drop_id, source_file=drop.source_file)
        return results_lines([part])[0]

    makers = report.makers(cells=False)
    first, second = next(makers, None), next(makers, None)
    if first is None or second is None:
        yield from (lines(make) for make in (first,) if make is not None)
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="results") as pool:
        waiting: deque[Future[bytes]] = deque()
        for make in chain((first, second), makers):
            waiting.append(pool.submit(lines, make))
            if len(waiting) > _AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def gathered(reports: Sequence[Report]) -> list[Report]:
    """Return the reports, with the results lines of the small ones made at once.

    Where that fails they are as they were: each then fails, or not, by itself.
    """
    if len(reports) == 1:
        return list(reports)
    small = {at: some for at, each in enumerate(reports) if (some := _small(each)) is not None}
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
    for at, blocks in small.items():
        done[at] = replace(done[at], lines=(results_header(), *islice(lines, len(blocks))))
    return done


def _small(report: Report) -> tuple[ResultBlock, ...] | None:
    if len(report.outcomes.outcome) > _SMALL_ROWS:
        return None
    blocks = attempt(lambda: tuple(make() for make in report.makers(cells=False)))
    return None if isinstance(blocks, Exception) else blocks
