"""A file that was read: what is told of it, and its numbers as they wait in the spool."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.adapters.spool import Spool
from pipeline.errors import StorageError
from pipeline.model import PREPARED, Disposition, Limits, Notice
from pipeline.stages.candidates import Orders
from pipeline.stages.choose import Choice
from pipeline.stages.plan import NO_TIME, PlanInput
from schemas.courier import Profile
from schemas.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read here: profiles by name, limits and rules from the settings."""

    profiles: Mapping[str, Profile]
    default: str
    limits: Limits
    rules: Rules


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file to prepare. ``named``: the courier somebody named; ``now``: when it was received."""

    path: Path
    name: str
    named: str | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Job:
    """A file to read, and the spool for its rows."""

    source: Source
    spool: Spool


@dataclass(frozen=True, kw_only=True)
class SheetFacts:
    """One sheet as it was read: ``roles`` maps a role to its column's index.

    ``matched``: role → how its heading was recognised (``mapping.Match``); ``unused``: the headings
    that stand for nothing.
    """

    name: str
    headers: tuple[str, ...]
    roles: Mapping[str, int]
    rows: int
    matched: Mapping[str, str]
    unused: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is told of a file that was read to its end; its rows are in the spool.

    ``courier``: the name of the profile it was read with, and ``why``. ``total``: data rows,
    footers not counted. ``id_bad``: rows whose id is missing or invalid.
    """

    sheets: tuple[SheetFacts, ...]
    courier: str
    why: str
    total: int
    id_bad: int
    rejected: int
    notices: tuple[Notice, ...]
    blank: int
    header: int
    footer: int
    parent: str | None
    kind: str


@dataclass(frozen=True, kw_only=True)
class Prepared(Facts):
    """A file as planning needs it: its facts, and a handful of numbers per row.

    ``sheet_of``: the sheet's number per row.
    """

    choice: Choice
    keys: PlanInput
    sheet_of: npt.NDArray[np.int16]


def load(facts: Facts, spool: Spool, profiles: Mapping[str, Profile]) -> Prepared:
    """Take up what reading left in the spool. Raises StorageError when that cannot be read."""
    sheets = [_columns(facts, number, spool) for number in range(len(facts.sheets))]
    whole = {
        name: np.concatenate([_EMPTY[name], *(sheet[name] for sheet in sheets)]) for name in _EMPTY
    }
    ids = pa.chunked_array([each for sheet in sheets for each in sheet["ids"]], pa.string())
    del sheets
    return Prepared(
        **{each.name: getattr(facts, each.name) for each in fields(facts)},
        choice=Choice(profile=profiles[facts.courier], why=facts.why),
        keys=PlanInput(
            orders=Orders.of(ids),
            row=whole["row"],
            status=whole["status"],
            event_ms=whole["event_ms"],
            disposition=whole["disposition"],
            auto=whole["auto"],
        ),
        sheet_of=whole["sheet"],
    )


def _columns(facts: Facts, number: int, spool: Spool) -> dict[str, Any]:
    """One sheet's columns by name, and ``ids`` in pieces.

    All are copies: a column of a batch keeps the memory of the whole batch.
    """
    parts: dict[str, list[Any]] = {name: [_EMPTY[name]] for name in _READ}
    ids: list[pa.Array] = []
    for batch in spool.blocks(number, ["order_id", *_READ]):
        for name in _READ:
            column = batch.column(name)
            filled = column.fill_null(NO_TIME) if name == "event_ms" else column
            parts[name].append(np.array(filled))
        ids.append(pa.concat_arrays([batch.column("order_id"), pa.array([], pa.string())]))
    found = {name: np.concatenate(each) for name, each in parts.items()}
    rows = len(found["row"])
    if rows != facts.sheets[number].rows:
        raise StorageError(f"The spool {spool.folder} does not hold what was read.")
    # A footer, one below the sheet's last data row, is skipped however it was judged.
    data = np.flatnonzero(~found["footer"])
    found["disposition"][data[-1] + 1 if len(data) else 0 :] = Disposition.SKIPPED
    return {**found, "ids": ids, "sheet": np.full(rows, number, dtype=np.int16)}


_READ = ("row", "status", "event_ms", "disposition", "footer", "auto")
_EMPTY: dict[str, npt.NDArray[Any]] = {
    "sheet": np.empty(0, np.int16),
    **{name: np.empty(0, PREPARED.field(name).type.to_pandas_dtype()) for name in _READ},
}
