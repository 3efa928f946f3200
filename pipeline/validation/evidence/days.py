"""Columns that are a day each: 27-Nov, 28-Nov."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.cells import says_nothing, which
from schemas.tab_days import columns_of_days


def day_columns(mapping: ColumnMap) -> list[int]:
    """Return the columns of days that have no role."""
    used = {*mapping.columns.values(), *mapping.helpers.values()}
    return [at for at in columns_of_days(mapping.headers) if at not in used]


def days_passed(block: Block, days: Sequence[int]) -> dict[int, pa.Array]:
    """Return of each column of a day in which rows a later day's says something."""
    found, later = {}, pa.repeat(False, len(block))
    for at in reversed(days):
        found[at] = later
        later = pc.or_(later, pc.invert(which(block.cells[at], says_nothing)))
    return found
