"""A file that was read: what is told of it, and its numbers as they wait in the spool."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.adapters.spool import Spool
from pipeline.errors import StorageError
from pipeline.model import PREPARED, Disposition, Limits, Notice
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
    sheet_of: pa.ChunkedArray


def load(facts: Facts, spool: Spool, profiles: Mapping[str, Profile]) -> Prepared:
    """Take up what reading left in the spool. Raises StorageError when that cannot be read."""
    tables = [_EMPTY]
    dispositions, sheet_of = [_NONE], [pa.array([], pa.int16())]
    for number, sheet in enumerate(facts.sheets):
        table = pa.Table.from_batches(spool.blocks(number, _EMPTY.schema.names), _EMPTY.schema)
        if table.num_rows != sheet.rows:
            raise StorageError(f"The spool {spool.folder} does not hold what was read.")
        tables.append(table)
        dispositions.append(_dispositions(table))
        sheet_of.append(pa.array(np.full(sheet.rows, number, dtype=np.int16)))
    whole = pa.concat_tables(tables)
    return Prepared(
        **{each.name: getattr(facts, each.name) for each in fields(facts)},
        choice=Choice(profile=profiles[facts.courier], why=facts.why),
        keys=PlanInput(
            order_id=whole.column("order_id"),
            row=whole.column("row").to_numpy().astype(np.int64),
            status=whole.column("status").to_numpy().astype(np.int64),
            event_ms=whole.column("event_ms").fill_null(NO_TIME).to_numpy(),
            disposition=np.concatenate(dispositions),
            auto=whole.column("auto").to_numpy(),
        ),
        sheet_of=pa.chunked_array(sheet_of),
    )


def _dispositions(table: pa.Table) -> npt.NDArray[np.int64]:
    """As each row was judged; but a footer, one below the sheet's last data row, is skipped."""
    found: npt.NDArray[np.int64] = table.column("disposition").to_numpy().astype(np.int64)
    footer = table.column("footer").to_numpy()
    data = np.flatnonzero(~footer)
    end = data[-1] + 1 if len(data) else 0
    found[end:] = Disposition.SKIPPED
    return found


_NONE = np.empty(0, np.int64)
_EMPTY = pa.schema(
    [
        PREPARED.field(name)
        for name in ("row", "order_id", "status", "event_ms", "disposition", "footer", "auto")
    ]
).empty_table()
