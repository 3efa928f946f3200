"""Canonical rows into updates: the JSON text of each, built without a loop over rows."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.free_text import joined, json_member, tidy_column
from pipeline.validation.canonical import Canonical
from pipeline.validation.date_columns import local_dates
from schemas.limits import TEXT_LENGTH
from schemas.update import META_KEYS
from schemas.vocabulary import Milestone, Role

_NUMBERS = frozenset({"reasonCode"})
_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)], pa.string())


def transform(
    canonical: Canonical,
    rows: npt.NDArray[np.int64],
    *,
    dropped: Mapping[Role, npt.NDArray[np.int64]],
    date_output: str,
) -> pa.Array:
    """Build the update of each position in ``rows`` as JSON text (see ``schemas.update``).

    ``dropped``: for each delivery date the positions of rows that go without it. ``date_output``:
    how the API gets dates (``strftime``). A row whose id or status is not sound gets an item too;
    the caller does not use it.
    """
    at = pa.array(rows)
    remarks, places = (
        tidy_column(canonical.texts[role].take(at), limit=TEXT_LENGTH)
        for role in (Role.REMARK, Role.LOCATION)
    )
    meta = {"remark": remarks, "reasonCode": canonical.reasons.take(at), "dpLocation": places}
    for role in (Role.PROMISED, Role.ESTIMATED):
        meta[role.value] = _days(canonical, role, rows, dropped.get(role), date_output)
    statuses = _WIRE.take(pa.array(canonical.statuses.milestones()[rows]))
    return _items(canonical.ids.take(at), statuses, meta)


def _days(
    canonical: Canonical,
    role: Role,
    rows: npt.NDArray[np.int64],
    dropped: npt.NDArray[np.int64] | None,
    date_output: str,
) -> pa.Array:
    """Return a delivery date as the API gets it, "" where the row goes without one."""
    times = canonical.times.get(role)
    if times is None:
        return pa.repeat("", len(rows))
    chosen = times if dropped is None else times.without(dropped)
    return local_dates(chosen.at(rows), canonical.zone, date_output)


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
