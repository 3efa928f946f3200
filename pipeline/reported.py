"""What a drop's files are made of: its rows with their outcomes, piece by piece."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from pipeline.adapters.spool import Spool
from pipeline.model import Drop, ResultBlock
from pipeline.stages.report_fix_sheet import Advice
from pipeline.stages.report_results import results_header, results_lines
from pipeline.stages.settle import Settled, result_block

_AT_ONCE = 2
"""Pieces of the results that are made beside the one that is written."""

_PIECE = 10_000
"""Rows of a piece: some 6 MB while it is made."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a drop's files are made of.

    ``facts``: ``pipeline.planning.facts_of``; ``advice``: how to fix what each code says;
    ``statuses``: what the courier's status column may hold; ``whole_file``: the file is refused
    for too many rejects, and the rejects file replaces it.
    """

    drop: Drop
    facts: Mapping[str, Any]
    settled: Settled
    spool: Spool
    advice: Mapping[str, Advice]
    statuses: tuple[str, ...] = ()
    whole_file: bool = False

    def blocks(self) -> Iterator[ResultBlock]:
        """The drop's rows with their outcomes, block by block; may be gone through again."""
        return (make() for make in self.makers())

    def makers(self) -> Iterator[Callable[[], ResultBlock]]:
        """The same, each still to be made, in any thread."""
        start = 0
        for number, sheet in enumerate(self.facts["sheets"]):
            for batch in self.spool.blocks(number):
                headers = tuple(sheet["headers"])
                for at in range(0, batch.num_rows, _PIECE):
                    part = batch.slice(at, _PIECE)
                    yield partial(
                        result_block,
                        part,
                        start,
                        self.settled,
                        sheet=sheet["name"],
                        headers=headers,
                    )
                    start += part.num_rows

    @property
    def role_columns(self) -> dict[tuple[str, ...], dict[str, int]]:
        """For each header of the file: role → index of its column."""
        return {tuple(sheet["headers"]): sheet["roles"] for sheet in self.facts["sheets"]}


class Again:
    """Blocks that can be gone through more than once without being kept."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __iter__(self) -> Iterator[ResultBlock]:
        return self._report.blocks()


def results_pieces(report: Report) -> Iterator[bytes]:
    """The results file piece by piece: while one is written the next two are made.

    Nearly all of it is Arrow's own work, outside the interpreter's lock. A block needs no thread.
    """
    yield results_header()
    drop = report.drop

    def lines(make: Callable[[], ResultBlock]) -> bytes:
        return results_lines(make(), drop_id=drop.drop_id, source_file=drop.source_file)

    makers = report.makers()
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
