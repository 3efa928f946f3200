"""Corrections: how many rows of a rejects file that came back are now sound."""

from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from pipeline.core.model import Block, ResultBlock
from pipeline.validation.rejects_file import is_rejects_header, references
from schemas.vocabulary import Outcome

_OPEN = frozenset({Outcome.REJECTED, Outcome.FAILED})
_SOUND = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.IGNORED})


class Corrections(Struct, frozen=True, kw_only=True):
    """Record numbers of the parent's rows that came back, and of those that are now sound.

    ``returned``: those that are not, each as (its row here, its row in the parent).
    """

    rows: frozenset[int]
    fixed: frozenset[int]
    returned: tuple[tuple[int, int], ...] = ()


def corrections(blocks: Iterable[ResultBlock], parent: str) -> Corrections:
    """Look through a drop's rows for those that say they correct ``parent``."""
    came: set[int] = set()
    fixed: set[int] = set()
    returned: list[tuple[int, int]] = []
    for block in blocks:
        if not is_rejects_header(block.headers):
            continue
        rows = block.table.column("row").to_numpy().astype(np.int32)
        known = references(Block(rows=rows, cells=block.cells), block.headers)
        outcomes = block.table.column("outcome").to_pylist()
        for row, reference, outcome in zip(rows.tolist(), known, outcomes, strict=True):
            if reference is not None and reference[0] == parent:
                came.add(reference[1])
                if outcome in _SOUND:
                    fixed.add(reference[1])
                elif outcome in _OPEN:
                    returned.append((row, reference[1]))
    return Corrections(rows=frozenset(came), fixed=frozenset(fixed), returned=tuple(returned))
