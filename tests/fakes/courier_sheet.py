"""A small sheet as the reader would hand it over, prepared with a built-in profile."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.model import Block, Notice, RowFacts
from pipeline.validation.block import Wanted, prepare_blocks
from pipeline.validation.columns import map_columns
from pipeline.validation.sheet_dates import DateKinds
from schemas.courier import Profile
from schemas.profile import builtin_profiles
from schemas.vocabulary import CellKind

NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The prepared rows as dictionaries, and the block's notices."""

    rows: list[dict[str, Any]]
    notices: tuple[Notice, ...]

    @property
    def one(self) -> dict[str, Any]:
        """The only row."""
        (row,) = self.rows
        return row

    @property
    def update(self) -> dict[str, Any]:
        """The only row's item, read back as JSON."""
        read: dict[str, Any] = json.loads(self.one["item"])
        return read


def sheet(
    headers: Sequence[str],
    *rows: Sequence[str],
    courier: str | Profile = "generic",
    kinds: Mapping[int, Sequence[CellKind]] | None = None,
    extra: Mapping[int, tuple[str, ...]] | None = None,
    facts: Mapping[int, RowFacts] | None = None,
    now: datetime = NOW,
) -> Prepared:
    """Prepare rows; the first one is record 2 of its file."""
    profile = builtin_profiles()[courier] if isinstance(courier, str) else courier
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(headers)
    block = Block(
        rows=np.arange(2, len(rows) + 2, dtype=np.int32),
        cells=tuple(pa.array(list(column), pa.string()) for column in columns),
        kinds={at: np.array(kind, dtype=np.int8) for at, kind in (kinds or {}).items()},
        extra=extra or {},
        facts=facts or {},
    )
    mapping = map_columns(headers, profile)
    dates = DateKinds()
    dates.see(block, mapping)
    wanted = Wanted(
        block=block,
        mapping=mapping,
        profile=profile,
        now=now,
        mixed=dates.mixed() if profile.strict_dates else frozenset(),
    )
    (done,) = prepare_blocks([wanted], "Asia/Kolkata")
    return Prepared(rows=done.table.to_pylist(), notices=(*done.notices, *dates.notices()))


def one_id(cell: str, kind: CellKind | None = None) -> dict[str, Any]:
    """Prepare a delivered row whose order id cell is ``cell``."""
    kinds = None if kind is None else {0: [kind]}
    return sheet(["Order ID", "Status"], [cell, "Delivered"], kinds=kinds).one


def one_status(status: str, courier: str = "generic", **columns: str) -> dict[str, Any]:
    """Prepare a row with this status; further columns by header (``_`` for a space)."""
    headers = ["Order ID", "Status", *(name.replace("_", " ") for name in columns)]
    return sheet(headers, ["A1", status, *columns.values()], courier=courier).one
