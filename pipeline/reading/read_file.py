"""The first half of the path for one file: read → map → validate → transform, into the spool.

It runs in a process of its own (``pipeline.reading.process.child_main``), which alone loads the
native readers.
"""

import mmap
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa
from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.core.file_facts import Facts, Reading, SheetFacts, Source
from pipeline.core.model import Block, Manifest, Notice, PreparedBlock, ReadTally, Sheet
from pipeline.core.notices import group_notices
from pipeline.reading.file_counts import Gathered, ending_of, take_back_footers
from pipeline.reading.file_type import Buffer, let_go
from pipeline.reading.open_manifest import read_manifest
from pipeline.reading.process.job import Job
from pipeline.storage.spool import Spool
from pipeline.validation import rejects_file
from pipeline.validation.batch import Wanted, judge, read_together
from pipeline.validation.boolean_columns import DateKinds
from pipeline.validation.columns import Match, map_columns
from pipeline.validation.date_helpers import date_rules, events, with_dates
from pipeline.validation.date_orders import Proof, proofs
from pipeline.validation.evidence import Evidence, around
from pipeline.validation.profile_by_name import Choice
from pipeline.validation.profile_choice import ProfileHeaderFinder, candidates, choose_profile
from pipeline.validation.returned_rejects import Family, parent_of, restored, unguarded
from schemas.codes import Code
from schemas.courier import GENERIC, Profile
from schemas.vocabulary import Role

_MAP_FROM = 8 * 1024 * 1024
"""Files from this size on are mapped into memory instead of read."""

_JUDGES = 2
"""Blocks judged at a time: each holds some 20 MB."""


def prepare(source: Source, reading: Reading, spool: Spool, family: Family) -> Facts:
    """Read the file to its end into the spool.

    Raises DropRefused for a file that cannot be taken at all, StorageError when the file or the
    spool cannot be used. Nothing is sent from here.
    """
    (ended,) = prepare_together([Job(source=source, spool=spool)], reading, family)
    if isinstance(ended, Exception):
        raise ended
    return ended


def prepare_together(
    jobs: Sequence[Job], reading: Reading, family: Family
) -> list[Facts | Exception]:
    """Read files to their ends into their spools, each as it would be alone.

    Returned is, in their order, what ``prepare`` would return or raise. All of them are in memory
    at once: they should be small.
    """
    return read_together([_read(job, reading, family) for job in jobs], reading.timezone)


def _read(job: Job, reading: Reading, family: Family) -> Generator[Wanted, PreparedBlock, Facts]:
    source = job.source
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
        strict = choice.profile.strict_dates
        mixed = _mixed_dates(manifest, choice.profile, data) if strict else frozenset()
        proven: dict[int, frozenset[Proof]] = {}
        late = True
        while late:  # once more where dates of a later block speak against rows judged before
            notices = [*manifest.notices, *choice.notices]
            gathered = Gathered(notices=notices, mixed=mixed, proven=proven)
            for number, sheet in enumerate(manifest.sheets):
                yield from _prepare_sheet(
                    number, sheet, manifest, gathered, job, reading, choice, family, data
                )
            proven, late = gathered.proven, gathered.late
    gathered.notices += gathered.dates.notices()
    return _assemble(manifest, gathered, choice, parent)


def _mixed_dates(manifest: Manifest, profile: Profile, data: Buffer) -> frozenset[Role]:
    """Which date columns a strict profile doubts: all must be read before a row is judged."""
    dates = DateKinds()
    for sheet in manifest.sheets:
        mapping = map_columns(_headers_of(sheet, manifest), profile, hidden=sheet.hidden)
        for block in sheet.blocks(ReadTally()):
            dates.see(block, mapping)
            let_go(data)
    return dates.mixed()


def _headers_of(sheet: Sheet, manifest: Manifest) -> tuple[str, ...]:
    if rejects_file.is_rejects_header(sheet.headers):
        return rejects_file.restore_headers(
            sheet.headers, rejects_file.origin(manifest.kind, sheet.name)
        )
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
    # A courier without a profile was read with care; so is what comes back into its folder.
    careful = of_parent == GENERIC and source.named is not None
    if of_parent and of_parent in reading.profiles and not careful:
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
    gathered: Gathered,
    job: Job,
    reading: Reading,
    choice: Choice,
    family: Family,
    data: Buffer,
) -> Generator[Wanted, PreparedBlock]:
    came_back = rejects_file.is_rejects_header(sheet.headers)
    headers = _headers_of(sheet, manifest)
    mapping = map_columns(headers, choice.profile, hidden=sheet.hidden)
    mapping = replace(mapping, around=around(sheet.name, job.source.name, choice.profile, mapping))
    mapping = with_dates(mapping, choice.profile)
    dates = date_rules(mapping, choice.profile)
    evidence = Evidence(mapping, choice.profile, title=sheet.title)
    gathered.notices += mapping.notices
    rows = 0
    ending: list[pa.Table] = []

    def blocks() -> Iterator[Block]:
        for at, read in enumerate(sheet.blocks(gathered.tally)):
            block = read
            if came_back:
                block = restored(unguarded(read, sheet, manifest), headers, mapping, family)
            gathered.dates.see(block, mapping)
            gathered.prove(number, proofs(block, dates), first=at == 0)
            let_go(data)
            yield evidence.put_into(block)

    def wanted(block: Block) -> Wanted:
        return Wanted(
            block=block,
            mapping=mapping,
            profile=choice.profile,
            now=job.source.now,
            mixed=gathered.mixed,
            proven=gathered.proven.get(number, frozenset()),
        )

    found = blocks()
    first, second = next(found, None), next(found, None)
    judged: Iterable[tuple[Block, PreparedBlock]]
    if first is None or second is None:
        # A file of one block may be judged with others.
        judged = [(first, (yield wanted(first)))] if first is not None else []
    else:
        every = chain((first, second), found)
        judged = _side_by_side(every, lambda block: judge([wanted(block)], reading.timezone)[0])
    with job.spool.rows_writer(number, len(headers)) as writer:
        for block, prepared in judged:
            writer.add(block, prepared)
            gathered.notices += prepared.notices
            rows += len(block)
            gathered.time(prepared.table.column("disposition"), prepared.table.column("event_ms"))
            table = prepared.table.select(["codes", "disposition", "footer"])
            gathered.data.add(table.column("codes"), table.column("disposition"))
            ending = ending_of(ending, table)
    columns, matched = dict(mapping.columns), dict(mapping.matched)
    told = next(events(mapping), None)
    if told is not None and Role.EVENT_TIME not in columns:
        columns[Role.EVENT_TIME], matched[Role.EVENT_TIME] = told[0], Match.EVIDENCE
    gathered.sheets.append(
        SheetFacts(
            name=sheet.name,
            headers=headers,
            roles={role.value: at for role, at in columns.items()},
            rows=rows,
            matched={role.value: match.value for role, match in matched.items()},
            unused=mapping.unused(),
            heard=evidence.heard,
        )
    )
    for table in ending:
        take_back_footers(table, gathered)


def _side_by_side(
    blocks: Iterator[Block], judging: Callable[[Block], PreparedBlock]
) -> Iterator[tuple[Block, PreparedBlock]]:
    """The blocks in their order, each with what ``judging`` makes of it.

    While one is written and the next one read, another is judged: nearly all of it is Arrow's own
    work, outside the interpreter's lock.
    """
    with ThreadPoolExecutor(_JUDGES, thread_name_prefix="judge") as judges:
        waiting: deque[tuple[Block, Future[PreparedBlock]]] = deque()
        for block in blocks:
            waiting.append((block, judges.submit(judging, block)))
            if len(waiting) > _JUDGES:
                done, prepared = waiting.popleft()
                yield done, prepared.result()
        for done, prepared in waiting:
            yield done, prepared.result()


def _assemble(manifest: Manifest, gathered: Gathered, choice: Choice, parent: str | None) -> Facts:
    if not any(sheet.rows for sheet in gathered.sheets):
        gathered.notices.append(
            Notice(code=Code.NO_ROWS, message="The file has a header and no data rows.")
        )
    if gathered.sends and not gathered.timed:
        gathered.notices.append(
            Notice(
                code=Code.NO_EVENT_TIME,
                message="No event time was read: nothing tells whether what this file reports is "
                "old, or has not happened yet. Compare its dates with what it reports.",
            )
        )
    return Facts(
        sheets=tuple(gathered.sheets),
        courier=choice.profile.name,
        why=choice.why,
        total=gathered.data.rows,
        id_bad=gathered.data.id_bad,
        rejected=gathered.data.rejected,
        notices=group_notices(gathered.notices),
        blank=gathered.tally.blank,
        header=gathered.tally.header,
        footer=gathered.footer,
        parent=parent,
        kind=manifest.kind,
    )
