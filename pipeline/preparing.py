"""The first half of the path for one file: read → map → validate → transform, into the spool."""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.adapters.spool import Spool
from pipeline.codes import Code
from pipeline.errors import StorageError
from pipeline.family import Family, parent_of, restored, unguarded
from pipeline.model import (
    Disposition,
    Limits,
    Manifest,
    Notice,
    ReadTally,
    Role,
    Sheet,
)
from pipeline.stages import comeback
from pipeline.stages.choose import Choice, ProfileHeaderFinder, candidates, choose_profile
from pipeline.stages.flags import DateKinds
from pipeline.stages.mapping import map_columns
from pipeline.stages.plan import NO_TIME, PlanInput
from pipeline.stages.prepare import prepare_block
from pipeline.stages.read import read_manifest
from pipeline.stages.report_summary import group_notices
from schemas.courier import Profile
from schemas.rules import Rules

_MAP_FROM = 8 * 1024 * 1024
"""Files from this size on are mapped into memory instead of read."""

_ID_BAD = f"{Code.ID_MISSING}:|{Code.ID_INVALID}:"


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
class Prepared:
    """A file that was read to its end. Its rows are in the spool, its numbers in ``keys``.

    ``sheet_of``: the sheet's number per row. ``total``: data rows, footers not counted.
    ``id_bad``: rows whose id is missing or invalid.
    """

    sheets: tuple[SheetFacts, ...]
    choice: Choice
    keys: PlanInput
    sheet_of: pa.Array
    total: int
    id_bad: int
    rejected: int
    notices: tuple[Notice, ...]
    blank: int
    header: int
    footer: int
    parent: str | None
    kind: str


@dataclass
class _Gathered:
    """What is collected on the way through the blocks."""

    keys: list[pa.Table] = field(default_factory=list)
    sheets: list[SheetFacts] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    sheet_of: list[pa.Array] = field(default_factory=list)
    tally: ReadTally = field(default_factory=ReadTally)
    dates: DateKinds = field(default_factory=DateKinds)
    mixed: frozenset[Role] = frozenset()
    footer: int = 0


def prepare(source: Source, reading: Reading, spool: Spool, family: Family) -> Prepared:
    """Read the file to its end into the spool.

    Raises DropRefused for a file that cannot be taken at all, StorageError when the file or the
    spool cannot be used. Nothing is sent from here.
    """
    finder = ProfileHeaderFinder(
        candidates(
            file_name=source.name,
            named=source.named,
            profiles=reading.profiles,
            default=reading.default,
        )
    )
    with _opened(source.path) as data:
        manifest = read_manifest(data, name=source.name, limits=reading.limits, header=finder)
        parent = parent_of(manifest, family)
        choice = _choose(source, reading, manifest, family, parent)
        gathered = _Gathered(notices=[*manifest.notices, *choice.notices])
        if choice.profile.strict_dates:
            gathered.mixed = _mixed_dates(manifest, choice.profile)
        for number, sheet in enumerate(manifest.sheets):
            _prepare_sheet(
                number, sheet, manifest, gathered, source, reading, choice, spool, family
            )
    gathered.notices += gathered.dates.notices()
    return _assemble(manifest, gathered, choice, parent)


def _mixed_dates(manifest: Manifest, profile: Profile) -> frozenset[Role]:
    """Which date columns a strict profile doubts: all must be read before a row is judged."""
    dates = DateKinds()
    for sheet in manifest.sheets:
        mapping = map_columns(_headers_of(sheet, manifest), profile)
        for block in sheet.blocks(ReadTally()):
            dates.see(block, mapping)
    return dates.mixed()


def _headers_of(sheet: Sheet, manifest: Manifest) -> tuple[str, ...]:
    if comeback.is_rejects_header(sheet.headers):
        return comeback.restore_headers(sheet.headers, comeback.origin(manifest.kind, sheet.name))
    return sheet.headers


@contextmanager
def _opened(path: Path) -> Iterator[bytes | mmap.mmap]:
    try:
        with path.open("rb") as file:
            if path.stat().st_size < _MAP_FROM:
                yield file.read()
            else:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    yield mapped
    except OSError as error:
        raise StorageError(f"{path.name} cannot be read: {error.strerror}.") from error


def _choose(
    source: Source, reading: Reading, manifest: Manifest, family: Family, parent: str | None
) -> Choice:
    """The parent's profile for a corrected rejects file, else in the contract's order."""
    of_parent = family.courier(parent) if parent else None
    if of_parent and of_parent in reading.profiles:
        return Choice(
            profile=reading.profiles[of_parent], why=f"as drop {parent}, which it corrects"
        )
    return choose_profile(
        _headers_of(manifest.sheets[0], manifest),
        file_name=source.name,
        named=source.named,
        profiles=reading.profiles,
        default=reading.default,
    )


def _prepare_sheet(
    number: int,
    sheet: Sheet,
    manifest: Manifest,
    gathered: _Gathered,
    source: Source,
    reading: Reading,
    choice: Choice,
    spool: Spool,
    family: Family,
) -> None:
    came_back = comeback.is_rejects_header(sheet.headers)
    headers = _headers_of(sheet, manifest)
    mapping = map_columns(headers, choice.profile)
    gathered.notices += mapping.notices
    rows = 0
    tables: list[pa.Table] = []
    with spool.rows_writer(number, len(headers)) as writer:
        for read in sheet.blocks(gathered.tally):
            block = read
            if came_back:
                block = restored(unguarded(read, sheet, manifest), headers, mapping, family)
            gathered.dates.see(block, mapping)
            prepared = prepare_block(
                block,
                mapping,
                choice.profile,
                now=source.now,
                rules=reading.rules,
                mixed=gathered.mixed,
            )
            writer.add(block, prepared)
            gathered.notices += prepared.notices
            rows += len(block)
            tables.append(prepared.table.drop_columns(["awb", "source_status", "message", "item"]))
    gathered.sheets.append(
        SheetFacts(
            name=sheet.name,
            headers=headers,
            roles={role.value: at for role, at in mapping.columns.items()},
            rows=rows,
            matched={role.value: match.value for role, match in mapping.matched.items()},
            unused=mapping.unused(),
        )
    )
    if tables:
        gathered.keys.append(_resolve_footers(pa.concat_tables(tables), gathered))
        gathered.sheet_of.append(pa.array(np.full(rows, number, dtype=np.int16)))


def _resolve_footers(table: pa.Table, gathered: _Gathered) -> pa.Table:
    """Rows that look like a footer are one only below the sheet's last data row (hazards.md E)."""
    footer = table.column("footer").to_numpy()
    last = np.flatnonzero(~footer)
    below = np.arange(len(footer)) > (last[-1] if len(last) else -1)
    skipped = footer & below
    if not skipped.any():
        return table
    gathered.footer += int(skipped.sum())
    disposition = table.column("disposition").to_numpy().copy()
    disposition[skipped] = Disposition.SKIPPED
    codes = table.column("codes").filter(pa.array(skipped)).to_pylist()
    _take_back(gathered.notices, list(chain.from_iterable(c.split(";") for c in codes if c)))
    index = table.schema.get_field_index("disposition")
    return table.set_column(index, table.schema.field(index), pa.array(disposition, pa.int8()))


def _take_back(notices: list[Notice], labels: list[str]) -> None:
    """Faults of a row that turned out to be a footer are none."""
    for label in labels:
        code, _, column = label.partition(":")
        for at in range(len(notices) - 1, -1, -1):
            notice = notices[at]
            if notice.code == code and notice.column == column:
                notices[at] = replace(notice, count=notice.count - 1)
                if not notices[at].count:
                    del notices[at]
                break


def _assemble(
    manifest: Manifest, gathered: _Gathered, choice: Choice, parent: str | None
) -> Prepared:
    if not gathered.keys:
        gathered.notices.append(
            Notice(code=Code.NO_ROWS, message="The file has a header and no data rows.")
        )
    table = pa.concat_tables(gathered.keys) if gathered.keys else _NO_KEYS
    disposition = table.column("disposition").to_numpy().astype(np.int64)
    data = disposition != Disposition.SKIPPED
    id_bad = pc.match_substring_regex(table.column("codes"), _ID_BAD).to_numpy() & data
    return Prepared(
        sheets=tuple(gathered.sheets),
        choice=choice,
        keys=PlanInput(
            order_id=table.column("order_id"),
            row=table.column("row").to_numpy().astype(np.int64),
            status=table.column("status").to_numpy().astype(np.int64),
            event_ms=table.column("event_ms").fill_null(NO_TIME).to_numpy(),
            disposition=disposition,
        ),
        sheet_of=pa.chunked_array(gathered.sheet_of, pa.int16()),
        total=int(data.sum()),
        id_bad=int(id_bad.sum()),
        rejected=int((disposition == Disposition.REJECTED).sum()),
        notices=group_notices(gathered.notices),
        blank=gathered.tally.blank,
        header=gathered.tally.header,
        footer=gathered.footer,
        parent=parent,
        kind=manifest.kind,
    )


_NO_KEYS = pa.table(
    {
        "row": pa.array([], pa.int32()),
        "order_id": pa.array([], pa.string()),
        "status": pa.array([], pa.int8()),
        "event_ms": pa.array([], pa.int64()),
        "disposition": pa.array([], pa.int8()),
        "codes": pa.array([], pa.string()),
    }
)
