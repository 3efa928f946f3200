"""Columns that say yes or no."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.free_text import folded
from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap
from schemas.courier import Profile
from schemas.folding import FALSE_WORDS, TRUE_WORDS
from schemas.vocabulary import Role


def auto_dispatched(block: Block, mapping: ColumnMap, profile: Profile) -> npt.NDArray[np.bool_]:
    """Return True for rows whose order was auto-dispatched, so that its pickup is known already.

    The row's own column goes before the profile's ``auto_dispatch`` (docs/konnect-api.md).
    """
    column = mapping.columns.get(Role.AUTO_DISPATCH)
    if column is None:
        return np.full(len(block), profile.auto_dispatch)
    words = folded(block.cells[column])
    said = _among(words, TRUE_WORDS)
    if profile.auto_dispatch:
        said |= ~_among(words, FALSE_WORDS)
    return said


def says_no(block: Block, mapping: ColumnMap, role: Role) -> npt.NDArray[np.bool_]:
    """Return True for rows whose cell for this role says no; for none without a column."""
    column = mapping.columns.get(role)
    if column is None:
        return np.zeros(len(block), dtype=np.bool_)
    return _among(folded(block.cells[column]), FALSE_WORDS)


def _among(words: pa.Array, known: frozenset[str]) -> npt.NDArray[np.bool_]:
    hits: npt.NDArray[np.bool_] = pc.is_in(
        words, value_set=pa.array(sorted(known), pa.string())
    ).to_numpy(zero_copy_only=False)
    return hits.copy()
