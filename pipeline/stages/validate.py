"""The canonical manifest judged by pandera: every fault of every row in one pass."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pan
from pandera.errors import SchemaErrors

from schemas.codes import Code
from schemas.courier import Profile
from schemas.manifest import ID_KIND, ID_NUMBER, manifest_schema
from schemas.rules import Rules
from schemas.vocabulary import Role

_ROLES = {ID_KIND: Role.ORDER_ID, ID_NUMBER: Role.ORDER_ID}

Verdicts = Mapping[tuple[Code, Role], npt.NDArray[np.int64]]
"""(code, role) → positions in the block, ascending."""


def validate(frame: pd.DataFrame, profile: Profile, rules: Rules) -> Verdicts:
    """Judge a frame from ``normalise`` with ``schemas.manifest``.

    Returns the positions that fail each named check, in the order of the schema's columns. A
    failure that is not one of the schema's named checks is a bug and raises ``SchemaErrors``.
    """
    try:
        manifest_schema(profile, rules).validate(frame, lazy=True, inplace=True)
    except SchemaErrors as failed:
        return _collect(failed)
    return {}


def make_ready() -> None:
    """Have pandera load what judges frames: it does so for the first one, which may wait for us."""
    pan.DataFrameSchema({}).validate(pd.DataFrame(), lazy=True)


def _collect(failed: SchemaErrors) -> Verdicts:
    found: dict[tuple[Code, Role], npt.NDArray[np.int64]] = {}
    for error in failed.schema_errors:
        name = str(getattr(error.check, "name", None))
        if name not in Code.__members__:
            raise failed
        column = str(error.schema.name)
        role = _ROLES.get(column) or Role(column)
        rows = error.failure_cases["index"].to_numpy(dtype=np.int64)
        key = (Code[name], role)
        found[key] = np.union1d(found[key], rows) if key in found else np.sort(rows)
    return _told_once(found)


def _told_once(
    found: dict[tuple[Code, Role], npt.NDArray[np.int64]],
) -> dict[tuple[Code, Role], npt.NDArray[np.int64]]:
    """A damaged id is in the right column and past suspicion: neither invalid nor suspect too."""
    damaged = found.get((Code.ID_DAMAGED, Role.ORDER_ID))
    for code in (Code.ID_INVALID, Code.ID_SUSPECT):
        if damaged is not None and (code, Role.ORDER_ID) in found:
            found[code, Role.ORDER_ID] = np.setdiff1d(found[code, Role.ORDER_ID], damaged)
    return found
