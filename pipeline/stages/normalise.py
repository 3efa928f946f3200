"""Text cells into the canonical manifest that pandera judges. Nothing is judged here."""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.model import Block
from pipeline.stages.dates import ABSENT, Times, read_times
from pipeline.stages.ids import canonical_ids
from pipeline.stages.mapping import ColumnMap
from pipeline.stages.statuses import Statuses, resolve_statuses
from schemas.courier import Profile
from schemas.folding import fold
from schemas.manifest import ID_KIND, ID_NUMBER, UNREADABLE
from schemas.rules import Rules
from schemas.vocabulary import CellKind, Role

_DATE_ROLES = (Role.EVENT_TIME, Role.PROMISED, Role.ESTIMATED)


class Canonical(Struct, frozen=True, kw_only=True):
    """A block in canonical form.

    ``ids``: order ids with their wrappers off. ``statuses``: the resolved combinations. ``times``:
    the instants of each date role that has a column. ``zone``: where times without a zone are.
    ``frame``: the same as the columns of ``schemas.manifest``.
    """

    ids: pa.Array
    statuses: Statuses
    times: dict[Role, Times]
    zone: ZoneInfo
    frame: pd.DataFrame


def normalise(
    block: Block,
    mapping: ColumnMap,
    profile: Profile,
    *,
    now_ms: npt.NDArray[np.int64],
    rules: Rules,
) -> Canonical:
    """Bring every mapped column into canonical form; no row is dropped, no cell is judged.

    ``now_ms``: when each row was received.
    """
    zone = ZoneInfo(profile.zone or rules.timezone)
    at_id = mapping.columns[Role.ORDER_ID]
    ids = canonical_ids(block.cells[at_id], block.kinds.get(at_id))
    statuses = resolve_statuses(block, mapping, profile)
    times = {
        role: read_times(
            _date_cells(block, mapping, role),
            block.kinds.get(mapping.columns[role]),
            profile.date_rule(role),
            zone,
        )
        for role in _DATE_ROLES
        if role in mapping.columns
    }
    columns = {Role.ORDER_ID.value: ids, **_id_cells(block, at_id, ids)}
    columns[Role.STATUS.value] = statuses.keys
    columns.update({role.value: _ages(each, now_ms) for role, each in times.items()})
    if Role.SELF_SHIP in mapping.columns:
        columns[Role.SELF_SHIP.value] = folded(block.cells[mapping.columns[Role.SELF_SHIP]])
    frame = pd.DataFrame(
        {name: pd.arrays.ArrowExtensionArray(cells) for name, cells in columns.items()},
        copy=False,
    )
    return Canonical(ids=ids, statuses=statuses, times=times, zone=zone, frame=frame)


def folded(cells: pa.Array) -> pa.Array:
    """Fold a column of strings (see ``schemas.folding.fold``)."""
    encoded = cells.dictionary_encode()
    words = [fold(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _id_cells(block: Block, at: int, ids: pa.Array) -> dict[str, pa.Array]:
    """What the type of a spreadsheet's id cells adds: a 20-digit number keeps 15 digits."""
    kinds = block.kinds.get(at)
    if kinds is None:
        return {}
    numbers = pc.if_else(pa.array(kinds == CellKind.NUMBER), ids, pa.scalar(None, pa.string()))
    return {ID_KIND: pa.array(kinds, pa.int8()), ID_NUMBER: numbers}


def _date_cells(block: Block, mapping: ColumnMap, role: Role) -> pa.Array:
    """A date column; an event's date is completed by the time of day in a column beside it."""
    cells = block.cells[mapping.columns[role]]
    clock = mapping.helpers.get("clock")
    if role is not Role.EVENT_TIME or clock is None:
        return cells
    # HHMM loses its leading zeros in a spreadsheet: 930 is 09:30.
    digits = pc.utf8_trim_whitespace(block.cells[clock])
    packed = pc.match_substring_regex(digits, r"^[0-9]{1,4}$")
    padded = pc.if_else(packed, pc.utf8_lpad(digits, width=4, padding="0"), digits)
    joined = pc.binary_join_element_wise(cells, padded, "T")
    alone = pc.or_(pc.equal(digits, ""), pc.equal(cells, ""))
    return pc.if_else(alone, cells, joined)


def _ages(times: Times, now_ms: npt.NDArray[np.int64]) -> pa.Array:
    ages = np.where(times.ms == UNREADABLE, UNREADABLE, times.ms - now_ms)
    return pa.array(ages, pa.int64(), mask=times.ms == ABSENT)
