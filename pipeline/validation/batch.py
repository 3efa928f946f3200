"""Blocks of several small files, judged at once.

A file that is being read is a generator: it yields each block that it wants judged, is sent what
became of it, and returns its facts. Whoever reads one file runs one; the way is the same.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from pipeline.core.file_facts import Facts
from pipeline.core.model import Block, PreparedBlock
from pipeline.validation.block import prepare_blocks
from pipeline.validation.columns import ColumnMap
from pipeline.validation.date_orders import Proof
from schemas.courier import Profile
from schemas.vocabulary import Role


class Wanted(Struct, frozen=True, kw_only=True, eq=False):
    """A block that is to be judged, and by what."""

    block: Block
    mapping: ColumnMap
    profile: Profile
    now: datetime
    mixed: frozenset[Role]
    proven: frozenset[Proof] = frozenset()

    @property
    def company(self) -> object:
        """Blocks for which this is the same are judged together."""
        return (
            self.mapping.headers,
            self.mapping.hidden,
            tuple(self.mapping.around.items()),
            self.profile,
            self.mixed,
            self.proven,
            frozenset(self.block.kinds),
        )


Reading = Generator[Wanted, PreparedBlock, Facts]
"""A file on its way through the first half of the path."""


def judge(wanted: Sequence[Wanted], timezone: str) -> list[PreparedBlock]:
    """Judge blocks of the same company. Raises as ``prepare_block``."""
    first = wanted[0]
    return prepare_blocks(
        [each.block for each in wanted],
        first.mapping,
        first.profile,
        nows=[each.now for each in wanted],
        timezone=timezone,
        mixed=first.mixed,
        proven=first.proven,
    )


def read_together(readings: Sequence[Reading], timezone: str) -> list[Facts | Exception]:
    """Run readings to their ends; each comes to what it would come to alone.

    Returned is, in their order, what each came to: its facts or what it raised.
    """
    ended: dict[int, Facts | Exception] = {}
    open_: dict[int, Wanted] = {}

    def go_on(at: int, step: Callable[[], Wanted]) -> None:
        open_.pop(at, None)
        try:
            open_[at] = step()
        except StopIteration as end:
            ended[at] = end.value
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this file's
            ended[at] = error

    for at, reading in enumerate(readings):
        go_on(at, partial(next, reading))
    while open_:
        for group in _companies(open_):
            for at, prepared in _judged(group, open_, timezone):
                if isinstance(prepared, Exception):
                    go_on(at, partial(readings[at].throw, prepared))
                else:
                    go_on(at, partial(readings[at].send, prepared))
    return [ended[at] for at in range(len(readings))]


def _companies(wanted: dict[int, Wanted]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for at, each in wanted.items():
        groups.setdefault(each.company, []).append(at)
    return list(groups.values())


def _judged(
    group: Sequence[int], wanted: dict[int, Wanted], timezone: str
) -> Iterable[tuple[int, PreparedBlock | Exception]]:
    """What became of these; where judging them together fails, each alone, to see which it was."""
    try:
        return list(zip(group, judge([wanted[at] for at in group], timezone), strict=True))
    except Exception as error:  # noqa: BLE001 - one of them has it, told below or by its own
        if len(group) == 1:
            return [(group[0], error)]
    return [one for at in group for one in _judged([at], wanted, timezone)]
