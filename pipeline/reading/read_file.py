"""Bring one file into its spool: read, map columns, validate, transform.

It runs in a process of its own (``pipeline.reading.process.child_main``), which alone loads the
native readers.
"""

import mmap
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.errors import DropRefused, StorageError, Tried, attempt
from pipeline.core.model import (
    Block,
    Facts,
    Limits,
    Manifest,
    Notice,
    PreparedBlock,
    ReadingSettings,
    ReadTally,
    Sheet,
    SheetFacts,
    Source,
    group_notices,
)
from pipeline.core.profile_by_name import Choice, decided
from pipeline.core.rejects_file import is_rejects_header
from pipeline.reading.csv.reader import read_csv
from pipeline.reading.excel.reader import read_excel
from pipeline.reading.file_counts import Gathered, ending_of, take_back_footers
from pipeline.reading.file_type import Buffer, Nature, let_go, nature_of
from pipeline.reading.header_row import HeaderFinder
from pipeline.reading.process.protocol import Job
from pipeline.storage.arrow_files import RowsWriter
from pipeline.storage.spool import Spool
from pipeline.validation import returned_rejects
from pipeline.validation.block import Wanted, prepare_blocks, prepare_each
from pipeline.validation.columns import ColumnMap, Match, map_columns
from pipeline.validation.evidence.collector import Evidence
from pipeline.validation.evidence.names import around
from pipeline.validation.evidence.traits import Traits
from pipeline.validation.odd_ids import OddIds, mark_odd_ids
from pipeline.validation.profile_choice import (
    ProfileHeaderFinder,
    careful,
    choose_profile,
    possible_profiles,
)
from pipeline.validation.returned_rejects import (
    EarlierDrops,
    couriers,
    parent_of,
    restored,
    unguarded,
)
from pipeline.validation.sheet_dates import (
    DateKinds,
    date_rules,
    events,
    heads_of,
    holds_dates,
    newer,
    proofs,
    swapped_cells,
    turned_dates,
    with_dates,
)
from schemas.codes import Code
from schemas.courier import CAREFUL, GENERIC, DateRule, Profile
from schemas.display import quoted
from schemas.vocabulary import DELIVERY_DATES, Role

__all__ = ["Buffer", "HeaderFinder", "read_manifest"]


def read_manifest(data: Buffer, *, name: str, limits: Limits, header: HeaderFinder) -> Manifest:
    """Open a manifest by its content; ``name`` only appears in messages.

    ``data``: the whole file, best as a memory map (then a CSV of any size takes the same memory).
    It must stay open and unchanged while blocks are read.

    Returns the sheets that have a header. Their rows are read as ``Sheet.blocks(tally)`` is
    iterated, any number of times; several sheets in their order, because the row limit counts
    over all of them.

    Raises ``DropRefused``, here or while blocks are iterated, so exhaust all blocks before
    anything is sent. Codes: ``EMPTY_FILE``, ``FILE_TOO_LARGE``, ``UNSUPPORTED_TYPE``,
    ``PASSWORD_PROTECTED``, ``UNSAFE_WORKBOOK``, ``UNREADABLE``, ``TRUNCATED``, ``CSV_BROKEN``,
    ``TOO_MANY_ROWS``, ``HEADER_NOT_FOUND``, ``HEADER_AMBIGUOUS``.
    """
    if len(data) > limits.max_bytes:
        raise DropRefused(
            Code.FILE_TOO_LARGE,
            f"{quoted(name)} has {len(data) / 1e6:,.0f} MB; "
            f"at most {limits.max_bytes / 1e6:,.0f} MB are read.",
            hint="Split it into several files, or raise inbox.max_file_mb.",
        )
    nature = nature_of(data, name=name)
    if nature is Nature.TEXT:
        return read_csv(data, name=name, limits=limits, header=header)
    return read_excel(data, nature, name=name, limits=limits, header=header)


_MAP_FROM = 8 * 1024 * 1024
"""Files from this size on are mapped into memory instead of read."""

_JUDGES = 2
"""Blocks judged at a time: each holds some 20 MB."""


def prepare(source: Source, reading: ReadingSettings, spool: Spool, earlier: EarlierDrops) -> Facts:
    """Read the file to its end into the spool.

    Raises DropRefused for a file that cannot be taken at all, StorageError when the file or the
    spool cannot be used. Nothing is sent from here.
    """
    with _open(Job(source=source, spool=spool), reading, earlier) as file:
        return file.read()


def prepare_together(
    jobs: Sequence[Job], reading: ReadingSettings, earlier: EarlierDrops
) -> list[Tried[Facts]]:
    """Read files to their ends into their spools, each as it would be alone.

    Return, in their order, what ``prepare`` would return or raise. All of them are in memory at
    once, so they should be small: blocks of files with one block each are judged together.
    """
    if len(jobs) == 1:
        return [attempt(prepare, jobs[0].source, reading, jobs[0].spool, earlier)]
    begun = [attempt(_begun, job, reading, earlier) for job in jobs]
    single = [each for each in begun if isinstance(each, _OnlyBlock)]
    prepared = prepare_each([each.wanted for each in single], reading.timezone)
    ended = iter([attempt(one.end, block) for one, block in zip(single, prepared, strict=True)])
    return [next(ended) if isinstance(each, _OnlyBlock) else each for each in begun]


def _begun(job: Job, reading: ReadingSettings, earlier: EarlierDrops) -> "_OnlyBlock | Facts":
    """Read a small file up to its only block; one with more of them to its end."""
    with _open(job, reading, earlier) as file:
        return file.only_block() or file.read()


@contextmanager
def _open(job: Job, reading: ReadingSettings, earlier: EarlierDrops) -> "Iterator[_File]":
    with _naming_the_folder(job.source, reading), _opened(job.source.path) as data:
        finder = ProfileHeaderFinder(
            possible_profiles(
                file_name=job.source.name,
                named=job.source.named,
                profiles=reading.profiles,
                default=reading.default,
            )
        )
        manifest = read_manifest(data, name=job.source.name, limits=reading.limits, header=finder)
        parent = parent_of(manifest, earlier)
        choice = _choose(job.source, reading, manifest, earlier, parent)
        strict = choice.profile.strict_dates
        yield _File(
            job=job,
            reading=reading,
            earlier=earlier,
            data=data,
            manifest=manifest,
            parent=parent,
            choice=choice,
            mixed=_mixed_dates(manifest, choice.profile, data) if strict else frozenset(),
        )


@contextmanager
def _naming_the_folder(source: Source, reading: ReadingSettings) -> Iterator[None]:
    """Have a refusal say as well which profile a misspelt folder was taken for."""
    try:
        yield
    except DropRefused as error:
        choice = decided(source.name, source.named, reading.profiles)
        if choice is None or not choice.notices:
            raise
        words = " ".join([error.hint, *(notice.message for notice in choice.notices)])
        raise DropRefused(error.code, error.message, hint=words.strip()) from error


def _mixed_dates(manifest: Manifest, profile: Profile, data: Buffer) -> frozenset[Role]:
    """Return which date columns a strict profile doubts.

    All must be read before a row is judged.
    """
    dates = DateKinds()
    for sheet in manifest.sheets:
        mapping = _mapping_of(_headers_of(sheet, manifest), profile, sheet.hidden)
        for block in sheet.blocks(ReadTally()):
            dates.see(block, mapping)
            let_go(data)
    return dates.mixed()


def _headers_of(sheet: Sheet, manifest: Manifest) -> tuple[str, ...]:
    if is_rejects_header(sheet.headers):
        return returned_rejects.restore_headers(
            sheet.headers, returned_rejects.origin(manifest.kind, sheet.name)
        )
    return sheet.headers


@lru_cache(maxsize=64)  # a courier's files have the headings of yesterday
def _mapping_of(headers: tuple[str, ...], profile: Profile, hidden: frozenset[int]) -> ColumnMap:
    return with_dates(map_columns(headers, profile, hidden=hidden), profile)


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
    source: Source,
    reading: ReadingSettings,
    manifest: Manifest,
    earlier: EarlierDrops,
    parent: str | None,
) -> Choice:
    """Return the parent's profile for a corrected rejects file, else in the contract's order."""
    of_parent = earlier.courier(parent) if parent else None
    # Rejects in their courier's folder are read anew: there may be a profile by now.
    anew = of_parent in {GENERIC, CAREFUL} and source.named is not None
    profile = _profile(of_parent or "", reading)
    if profile is not None and not anew:
        return Choice(profile=profile, why=f"as drop {parent}, which it corrects")
    return choose_profile(
        _headers_of(manifest.sheets[0], manifest),
        file_name=source.name,
        named=source.named,
        profiles=reading.profiles,
        default=reading.default,
    )


def _profile(name: str, reading: ReadingSettings) -> Profile | None:
    """Return the profile that an earlier drop was read with, None where there is none now."""
    return careful(reading.profiles) if name == CAREFUL else reading.profiles.get(name)


class _File(Struct, frozen=True, kw_only=True):
    """One file, open, on its way into its spool."""

    job: Job
    reading: ReadingSettings
    earlier: EarlierDrops
    data: Buffer
    manifest: Manifest
    parent: str | None
    choice: Choice
    mixed: frozenset[Role]

    def read(self) -> Facts:
        """Read all sheets."""
        gathered = self._gathered()
        while True:
            for number in range(len(self.manifest.sheets)):
                self._read_sheet(number, gathered)
            if not gathered.late:
                return self.assemble(gathered)
            gathered = self._gathered(gathered)

    def only_block(self) -> "_OnlyBlock | None":
        """Read up to the file's only block; None where it has another number of them."""
        (sheet, *others), gathered = self.manifest.sheets, self._gathered()
        if others or is_rejects_header(sheet.headers):
            return None
        rules = self._rules_of(0, self.choice.profile, gathered)
        blocks = list(islice(sheet.blocks(gathered.tally), 2))
        if len(blocks) != 1:
            return None
        block = rules.seen(blocks[0], first=True)
        return _OnlyBlock(file=self, rules=rules, block=block, wanted=rules.wanted(block))

    def _gathered(self, before: Gathered | None = None) -> Gathered:
        """Begin to gather, with what is known of whole sheets when they were read before."""
        gathered = Gathered(
            notices=[*self.manifest.notices, *self.choice.notices], mixed=self.mixed
        )
        if before is not None:
            gathered.proven = before.proven
            gathered.odd_ids = OddIds(before=before.odd_ids)
            gathered.traits = {sheet: each.again() for sheet, each in before.traits.items()}
        return gathered

    def _rules_of(self, number: int, profile: Profile, gathered: Gathered) -> "CourierRules":
        sheet, source = self.manifest.sheets[number], self.job.source
        headers = _headers_of(sheet, self.manifest)
        mapping = _mapping_of(headers, profile, sheet.hidden)
        tabs = [each.name for each in self.manifest.sheets]
        said = around(sheet, source.name, source.named, profile, headers, tabs=tabs)
        mapping = replace(mapping, around=said)
        return CourierRules(
            number=number,
            mapping=mapping,
            profile=profile,
            dates=date_rules(mapping, profile),
            evidence=Evidence(
                mapping,
                profile,
                title=sheet.title,
                traits=gathered.traits.setdefault((number, profile.name), Traits()),
                lists=self.manifest.lists,
                only_sheet=len(tabs) == 1,
            ),
            now=source.now,
            gathered=gathered,
        )

    def _read_sheet(self, number: int, gathered: Gathered) -> None:
        sheet = self.manifest.sheets[number]
        main = self._rules_of(number, self.choice.profile, gathered)
        with self.taking(main) as taken:
            if is_rejects_header(sheet.headers):
                self._check_returned(sheet, main, taken)
            else:
                self._check(sheet.blocks(gathered.tally), main, taken)

    @contextmanager
    def taking(self, main: "CourierRules") -> "Iterator[_Taken]":
        """Take a sheet's judged blocks into the spool; its facts are gathered in the end."""
        mapping, gathered = main.mapping, main.gathered
        gathered.notices += mapping.notices
        headers = mapping.headers
        with self.job.spool.rows_writer(main.number, len(headers)) as writer:
            timeless = [at for at, _ in events(mapping)]
            taken = _Taken(writer=writer, gathered=gathered, timeless=timeless)
            yield taken
        columns, matched = dict(mapping.columns), dict(mapping.matched)
        for role in DELIVERY_DATES:
            if (column := newer(mapping, role)) is not None:
                columns[role] = column
        told = sorted(events(mapping), key=lambda each: each[0] in taken.timeless)
        if told and Role.EVENT_TIME not in columns:
            columns[Role.EVENT_TIME], matched[Role.EVENT_TIME] = told[0][0], Match.EVIDENCE
        gathered.sheets.append(
            SheetFacts(
                name=self.manifest.sheets[main.number].name,
                headers=headers,
                roles={role.value: at for role, at in columns.items()},
                rows=taken.rows,
                matched={role.value: match.value for role, match in matched.items()},
                unused=mapping.unused(),
                heard=main.evidence.heard,
            )
        )
        for table in taken.ending:
            take_back_footers(table, gathered)

    def _check(self, blocks: Iterator[Block], rules: "CourierRules", taken: "_Taken") -> None:
        """Judge the rows of a sheet with one courier's profile."""

        def seen() -> Iterator[Block]:
            for at, block in enumerate(blocks):
                let_go(self.data)
                yield rules.seen(block, first=at == 0)

        found = seen()
        some = list(islice(found, 2))
        check = partial(self._checked, rules)
        if len(some) < 2:  # threads would cost more than they save
            for block in some:
                taken.take(block, check(block))
            return
        together = chain(some, found)
        del some
        for block, prepared in _side_by_side(together, check):
            taken.take(block, prepared)
            del block, prepared  # else they stay until the next ones come

    def _check_returned(self, sheet: Sheet, main: "CourierRules", taken: "_Taken") -> None:
        """Judge the rows of a rejects file, each as the drop was read that it came from."""
        rules_by_courier = {main.profile.name: main}
        for at, read in enumerate(sheet.blocks(main.gathered.tally)):
            whole = restored(
                unguarded(read, sheet, self.manifest),
                main.mapping.headers,
                main.mapping,
                self.earlier,
            )
            let_go(self.data)
            named = couriers(whole, main.mapping.headers, self.earlier)
            of = self._couriers_of(named, main.profile.name)
            parts, places = [], []
            for name in dict.fromkeys(of):
                profile = _profile(name, self.reading)
                if name not in rules_by_courier and profile is not None:
                    rules_by_courier[name] = self._rules_of(main.number, profile, main.gathered)
                rows = np.flatnonzero([each == name for each in of])
                part = rules_by_courier[name].seen(whole.only(rows), first=not at)
                parts.append(self._checked(rules_by_courier[name], part))
                places.append(rows)
            taken.take(whole, _in_order(parts, np.concatenate(places)))

    def _couriers_of(self, named: Sequence[str | None], parent: str) -> list[str]:
        """Return for each row the profile to read it with.

        A row whose drop nobody knows is one of the parent's, or of the folder's; among rows of
        several couriers in no folder it may be anybody's.
        """
        known = {name for name in named if name and _profile(name, self.reading)}
        unclear = known - {parent} and not self.job.source.named
        others = CAREFUL if unclear else parent
        return [name if name and name in known else others for name in named]

    def _checked(self, rules: "CourierRules", block: Block) -> PreparedBlock:
        return prepare_blocks([rules.wanted(block)], self.reading.timezone)[0]

    def assemble(self, gathered: Gathered) -> Facts:
        """Return the facts of the file, once all of its rows are in the spool."""
        gathered.notices += gathered.dates.notices()
        if not any(sheet.rows for sheet in gathered.sheets):
            gathered.notices.append(
                Notice(code=Code.NO_ROWS, message="The file has a header and no data rows.")
            )
        if gathered.sends and not gathered.timed:
            gathered.notices.append(
                Notice(
                    code=Code.NO_EVENT_TIME,
                    message="No event time was read: nothing shows whether what this file reports "
                    "is old, or still to come. Compare its dates with what it reports.",
                )
            )
        return Facts(
            sheets=tuple(gathered.sheets),
            courier=self.choice.profile.name,
            why=self.choice.why,
            total=gathered.data.rows,
            id_bad=gathered.data.id_bad,
            rejected=gathered.data.rejected,
            notices=group_notices(gathered.notices),
            blank=gathered.tally.blank,
            header=gathered.tally.header,
            footer=gathered.footer,
            parent=self.parent,
            kind=self.manifest.kind,
        )


class _OnlyBlock(Struct, frozen=True, kw_only=True):
    """The only block of a small file, to be judged with those of others."""

    file: _File
    rules: "CourierRules"
    block: Block
    wanted: Wanted

    def end(self, prepared: Tried[PreparedBlock]) -> Facts:
        """Take the judged block and return the file's facts; raise what kept it from that."""
        with _naming_the_folder(self.file.job.source, self.file.reading):
            if isinstance(prepared, Exception):
                raise prepared
            with self.file.taking(self.rules) as taken:
                taken.take(self.block, prepared)
            return self.file.assemble(self.rules.gathered)


class CourierRules(Struct, frozen=True, kw_only=True):
    """The rules for rows of a sheet that are one courier's."""

    number: int
    mapping: ColumnMap
    profile: Profile
    dates: Mapping[int, DateRule]
    evidence: Evidence
    now: datetime
    gathered: Gathered

    def seen(self, block: Block, *, first: bool) -> Block:
        """Gather the facts of a block, and return it with its evidence."""
        self.gathered.dates.see(block, self.mapping)
        heads = heads_of(block, self.dates)
        proven = proofs(heads, self.dates)
        now_ms = round(self.now.timestamp() * 1000)
        proven |= swapped_cells(block, self.mapping)
        proven |= turned_dates(block, heads, self.mapping, self.profile, now_ms)
        self.gathered.prove(self._key, proven, first=first)
        columns = self.mapping.columns
        awbs = columns.get(Role.AWB)
        block = mark_odd_ids(block, self.gathered.odd_ids, columns[Role.ORDER_ID], awbs)
        return self.evidence.put_into(block)

    def wanted(self, block: Block) -> Wanted:
        """Return the block as it is to be judged."""
        return Wanted(
            block=block,
            mapping=self.mapping,
            profile=self.profile,
            now=self.now,
            mixed=self.gathered.mixed,
            proven=self.gathered.proven.get(self._key, frozenset()),
        )

    @property
    def _key(self) -> tuple[int, str]:
        return self.number, self.profile.name


class _Taken(Struct):
    """Add a sheet's judged rows up, on their way into the spool.

    ``timeless``: the columns that may hold the time of an event in which none was seen so far.
    """

    writer: RowsWriter
    gathered: Gathered
    timeless: list[int]
    rows: int = 0
    ending: list[pa.Table] = field(default_factory=list)

    def take(self, block: Block, prepared: PreparedBlock) -> None:
        """Write a block and count it."""
        table = prepared.table
        self.writer.add(block, prepared)
        self.gathered.notices += prepared.notices
        self.rows += len(block)
        self.timeless = [at for at in self.timeless if not holds_dates(block.cells[at])]
        self.gathered.time(table.column("disposition"), table.column("event_ms"))
        self.gathered.data.add(table.column("codes"), table.column("disposition"))
        self.ending = ending_of(self.ending, table.select(["codes", "disposition", "footer"]))


def _in_order(parts: Sequence[PreparedBlock], places: npt.NDArray[np.int64]) -> PreparedBlock:
    """Put rows that were judged apart together again; ``places``: of their rows, part by part."""
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables([each.table for each in parts]).take(np.argsort(places))
    return PreparedBlock(table=table, notices=tuple(one for each in parts for one in each.notices))


def _side_by_side(
    blocks: Iterator[Block], judging: Callable[[Block], PreparedBlock]
) -> Iterator[tuple[Block, PreparedBlock]]:
    """Yield the blocks in their order, each with what ``judging`` makes of it.

    While one is written and the next one read, another is judged: nearly all of it is Arrow's own
    work, outside the interpreter's lock.
    """
    with ThreadPoolExecutor(_JUDGES, thread_name_prefix="judge") as judges:
        waiting: deque[tuple[Block, Future[PreparedBlock]]] = deque()
        for block in blocks:
            waiting.append((block, judges.submit(judging, block)))
            if len(waiting) >= _JUDGES:
                yield _ended(*waiting.popleft())
        while waiting:
            yield _ended(*waiting.popleft())


def _ended(block: Block, judged: Future[PreparedBlock]) -> tuple[Block, PreparedBlock]:
    return block, judged.result()
