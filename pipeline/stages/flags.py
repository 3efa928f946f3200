"""Columns that say yes or no, and date columns that say it in two ways."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.milestones import Milestone
from pipeline.model import Block, CellKind, Role
from pipeline.stages.mapping import ColumnMap
from pipeline.stages.normalise import folded
from schemas.courier import Profile
from schemas.folding import FALSE_WORDS, TRUE_WORDS

_DATE_ROLES = (Role.EVENT_TIME, Role.PROMISED, Role.ESTIMATED)


def auto_dispatched(
    block: Block, mapping: ColumnMap, profile: Profile, milestones: npt.NDArray[np.int8]
) -> npt.NDArray[np.bool_]:
    """True for pickups that the API has already been told of by ``autoDispatch``.

    The row's own column goes before the profile's ``auto_dispatch``.
    """
    picked: npt.NDArray[np.bool_] = milestones == Milestone.BAG_PICKED
    column = mapping.columns.get(Role.AUTO_DISPATCH)
    if column is None or not picked.any():
        return picked & profile.auto_dispatch
    words = folded(block.cells[column])
    said = _among(words, TRUE_WORDS)
    if profile.auto_dispatch:
        said |= ~_among(words, FALSE_WORDS)
    flagged: npt.NDArray[np.bool_] = picked & said
    return flagged


def mixed_dates(block: Block, mapping: ColumnMap) -> dict[Role, npt.NDArray[np.int64]]:
    """Date roles whose column mixes date cells with dates typed as text → the date cells' rows.

    A spreadsheet in another locale has then probably swapped day and month where it could.
    """
    mixed = {}
    for role in _DATE_ROLES:
        column = mapping.columns.get(role)
        kinds = None if column is None else block.kinds.get(column)
        if column is None or kinds is None:
            continue
        dates = np.flatnonzero(kinds == CellKind.DATE)
        texts = pa.array(kinds == CellKind.TEXT)
        digits = pc.match_substring_regex(block.cells[column], "[0-9]")
        if len(dates) and pc.any(pc.and_(texts, digits)).as_py():
            mixed[role] = dates
    return mixed


def _among(words: pa.Array, known: frozenset[str]) -> npt.NDArray[np.bool_]:
    hits: npt.NDArray[np.bool_] = pc.is_in(
        words, value_set=pa.array(sorted(known), pa.string())
    ).to_numpy(zero_copy_only=False)
    return hits.copy()
