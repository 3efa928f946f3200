"""Canonical rows into updates: the JSON text of each, built without a loop over rows."""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.model import Block
from pipeline.stages.dates import local_dates
from pipeline.stages.findings import Rows
from pipeline.stages.mapping import ColumnMap
from pipeline.stages.normalise import Canonical
from pipeline.stages.texts import joined, json_member, tidied, tidy_column
from schemas.courier import Profile
from schemas.folding import fold, is_absent
from schemas.rules import DAY_MS, Rules
from schemas.update import META_KEYS, REASON_SHAPE
from schemas.vocabulary import CellKind, Milestone, Role

_REASON = re.compile(REASON_SHAPE)
_NUMBERS = frozenset({"reasonCode"})
_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)], pa.string())


class Updates(Struct, frozen=True, kw_only=True):
    """The updates of some rows of a block, and what could not be taken over.

    ``items``: JSON text per row. ``cut``: role → which rows' text was cut. ``odd_reasons``: which
    rows have a reason that is no integer; it is kept in the remark.
    """

    items: pa.Array
    cut: Mapping[Role, npt.NDArray[np.bool_]]
    odd_reasons: npt.NDArray[np.bool_]


def transform(
    block: Block,
    rows: Rows,
    canonical: Canonical,
    mapping: ColumnMap,
    profile: Profile,
    rules: Rules,
    *,
    now_ms: npt.NDArray[np.int64],
) -> Updates:
    """Build the update of each position in ``rows``, as ``schemas.update`` describes it.

    ``now_ms``: when each of them was received.

    A row whose id or status is not sound gets an item too; the caller does not use it.
    """
    at = pa.array(rows)
    numbers, odd = _reasons(block, rows, mapping, profile)
    remarks, cut_remarks = tidy_column(
        _with_reason(_cells(block, Role.REMARK, mapping, at), odd), limit=rules.text_limit
    )
    places, cut_places = tidy_column(
        _cells(block, Role.LOCATION, mapping, at), limit=rules.text_limit
    )
    meta = {"remark": remarks, "reasonCode": numbers, "dpLocation": places}
    for role in (Role.PROMISED, Role.ESTIMATED):
        meta[role.value] = _days(canonical, role, rows, profile, rules, now_ms)
    statuses = _WIRE.take(pa.array(canonical.statuses.milestones()[rows]))
    return Updates(
        items=_items(canonical.ids.take(at), statuses, meta),
        cut={Role.REMARK: cut_remarks, Role.LOCATION: cut_places},
        odd_reasons=pc.not_equal(odd, "").to_numpy(zero_copy_only=False),
    )


def _cells(block: Block, role: Role, mapping: ColumnMap, at: pa.Array) -> pa.Array:
    column = mapping.columns.get(role)
    if column is None:
        return pa.repeat("", len(at))
    cells = block.cells[column].take(at)
    kinds = block.kinds.get(column)
    if kinds is not None and (kinds == CellKind.ERROR).any():
        errors = pa.array(kinds[at.to_numpy()] == CellKind.ERROR)
        return pc.if_else(errors, "", cells)
    return cells


def _reasons(
    block: Block, rows: Rows, mapping: ColumnMap, profile: Profile
) -> tuple[pa.Array, pa.Array]:
    """Split reasons into integers (as text) and others; "" where a cell has none of the kind."""
    encoded = _cells(block, Role.REASON_CODE, mapping, pa.array(rows)).dictionary_encode()
    numbers, odd = [], []
    for cell in encoded.dictionary.to_pylist():
        text = tidied(cell, limit=len(cell) + 1)[0]
        folded = fold(text)
        code = profile.reasons.get(folded)
        number = str(code) if code is not None else text if _REASON.fullmatch(text) else ""
        numbers.append(number)
        odd.append("" if number or is_absent(folded) else text)
    return tuple(pa.array(texts, pa.string()).take(encoded.indices) for texts in (numbers, odd))


def _with_reason(remarks: pa.Array, odd: pa.Array) -> pa.Array:
    """Put a reason that is no integer before the remark, where the cap cannot cut it off."""
    if not pc.any(pc.not_equal(odd, "")).as_py():
        return remarks
    same = pc.or_(pc.equal(remarks, ""), pc.equal(remarks, odd))
    joined = pc.if_else(same, odd, pc.binary_join_element_wise(odd, remarks, ": "))
    return pc.if_else(pc.equal(odd, ""), remarks, joined)


def _days(
    canonical: Canonical,
    role: Role,
    rows: Rows,
    profile: Profile,
    rules: Rules,
    now_ms: npt.NDArray[np.int64],
) -> pa.Array:
    """A delivery date as the API gets it, "" where it is absent, damaged or out of range."""
    times = canonical.times.get(role)
    if times is None:
        return pa.repeat("", len(rows))
    chosen = times.at(rows)
    far = np.abs(chosen.ms - now_ms) > rules.range_days * DAY_MS
    return local_dates(chosen.without(far), canonical.zone, profile.date_output)


def _items(ids: pa.Array, statuses: pa.Array, meta: Mapping[str, pa.Array]) -> pa.Array:
    members = [json_member(key, meta[key], quoted=key not in _NUMBERS) for key in META_KEYS]
    fields = [column for column in members if column.null_count < len(column)]
    head = ('{"orderId":"', ids, '","orderStatus":"', statuses)
    if not fields:
        return pc.binary_join_element_wise(*head, '"}', "")
    inner = joined(fields, ",")
    empty = pc.equal(inner, "")
    begun = pc.if_else(empty, '"', '","meta":{')
    ended = pc.if_else(empty, "}", "}}")
    return pc.binary_join_element_wise(*head, begun, inner, ended, "")
