"""Workbook (XLSX, XLSB, XLS, ODS) → manifest: every visible sheet that has the header."""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice, repeat
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace
from python_calamine import (
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from pipeline.core.errors import DropRefused
from pipeline.core.model import (
    BLOCK_ROWS,
    Block,
    Limits,
    ListedIds,
    Manifest,
    Notice,
    ReadTally,
    RowFacts,
    Sheet,
)
from pipeline.core.rejects_file import is_fix_header
from pipeline.reading.excel.cell_text import Column, column_of, joined, text_of
from pipeline.reading.excel.notes.locate import Notes, ShownNumbers, notes_of
from pipeline.reading.excel.notes.number_format import shown_as, shown_text
from pipeline.reading.excel.notes.sheet_notes import ByHand, Merged, SheetNotes, WordFormat
from pipeline.reading.excel.zip_check import check_ole2, check_zip, protected
from pipeline.reading.excel.zip_parts import Package
from pipeline.reading.file_type import Buffer, Nature, as_file
from pipeline.reading.header_row import (
    HeaderFinder,
    Record,
    check_width,
    find_header,
    is_blank,
    title_above,
)
from pipeline.reading.records import Heading, Parsed, Shaper
from schemas.codes import Code
from schemas.directions import DAMAGED
from schemas.display import counted, quoted
from schemas.headings import is_example, is_of_messages
from schemas.limits import EXACT_DIGITS
from schemas.notes import (
    ids_among,
    is_of_attempts,
    names_an_id,
    tells_against,
    tells_of_list,
    tells_of_one,
)
from schemas.vocabulary import CellKind

_Result = TypeVar("_Result")

#: Rows that are Python objects at a time: with more, the garbage collector takes its share.
_BATCH = 2_000


def read_excel(
    data: Buffer, nature: Nature, *, name: str, limits: Limits, header: HeaderFinder
) -> Manifest:
    """Open a workbook after its container has been looked through.

    Raises ``DropRefused``: what ``container`` raises, ``UNREADABLE``, ``EMPTY_FILE``, or one about
    the header. The blocks may raise ``UNREADABLE`` or ``TOO_MANY_ROWS``.
    """
    package: Package | None = None
    if nature is Nature.ZIP:
        package = check_zip(data, name=name, limits=limits)
        kind = package.kind
    else:
        kind = check_ole2(data, name=name)
    book = contained(lambda: CalamineWorkbook.from_filelike(as_file(data)), name)
    opened = _Opened(
        book=book, name=name, limits=limits, header=header, notes=notes_of(package, data)
    )
    examples = []
    for index, info in enumerate(book.sheets_metadata):
        if info.typ is not SheetTypeEnum.WorkSheet:
            continue
        if info.visible is SheetVisibleEnum.Visible and is_example(info.name):
            examples.append((index, info))
        else:
            opened.add(index, info)
    for index, info in examples:
        # Examples are read where nothing else is there: then it is but the name of the sheet.
        if opened.tables:
            opened.pass_over(index, info)
        else:
            opened.add(index, info)
    for sheet, head in opened.unread if opened.tables else ():
        opened.hear(sheet, head)
    if not opened.tables:
        raise header.refusal(opened.seen, opened.looked) if opened.seen else _empty(name)
    return Manifest(
        sheets=tuple(opened.tables),
        notices=tuple(opened.notices),
        kind=kind,
        lists=tuple(opened.lists),
    )


class _Opened(Struct, kw_only=True):
    """A workbook, and the tables in its sheets so far. ``seen``: rows at their tops.

    ``looked``: the sheets that these are of, and how many of each.
    """

    book: CalamineWorkbook
    name: str
    limits: Limits
    header: HeaderFinder
    notes: Notes
    tables: list[Sheet] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    lists: list[ListedIds] = field(default_factory=list)
    seen: list[list[str]] = field(default_factory=list)
    looked: list[tuple[str, int]] = field(default_factory=list)
    used: dict[int, int] = field(default_factory=dict)
    unread: list[tuple[CalamineSheet, list[Record]]] = field(default_factory=list)

    def add(self, index: int, info: SheetMetadata) -> None:
        """Look for a table in a sheet; a hidden one is only named."""
        sheet = contained(partial(self.book.get_sheet_by_index, index), self.name)
        if info.visible is not SheetVisibleEnum.Visible:
            self.notices.extend(_hidden(info, sheet))
            return
        head = _head(sheet, self.limits.header_search_rows, self.name)
        seen = [list(record.cells) for record in head if not is_blank(record.cells)]
        self.seen.extend(seen)
        self.looked.append((info.name, len(seen)))
        where = f"sheet {quoted(info.name)}"
        found = find_header(head, self.header, where=where)
        if found is None:
            self.unread.append((sheet, head))
            return
        check_width(found.cells, self.limits.max_columns, where=where)
        notes = self.notes.sheet(index)
        # The native reader gives the merged cells of XLSX and XLS; the notes have those of others.
        ranges = [
            (left, right, first + 1, last + 1)
            for (first, left), (last, right) in sheet.merged_cell_ranges or ()
        ]
        source = _SheetBlocks(
            sheet=sheet,
            file=self.name,
            heading=Heading(
                row=found.number,
                cells=tuple(found.cells),
                later=self.header.later(found.cells),
                where=where,
            ),
            max_rows=self.limits.max_rows,
            used=self.used,
            index=len(self.tables),
            notes=notes,
            shown=partial(self.notes.shown, index),
            merged=[each for each in ranges + notes.merged if found.number < each[2]],
            by_hand=self.notes.by_hand(index),
            table=self.notes.table(index, info.name, found.number),
            word_formats=self.notes.word_formats(index),
        )
        self.tables.append(source.as_sheet(info.name, title_above(head, found)))
        self.notices.extend(source.hidden_rows())

    def hear(self, sheet: CalamineSheet, head: Sequence[Record]) -> None:
        """Take what a sheet without a known header says of ids; tell of rows of shipments in it."""
        if any(is_fix_header(record.cells) or is_of_messages(record.cells) for record in head):
            return
        self.lists += _lists(sheet, self.name)
        statuses: dict[str, set[str]] = {}
        rows = 0
        for ids, status in _shipments(sheet, self.name, self.header):
            rows += 1
            statuses.setdefault(status, set()).update(ids)
        if not rows:
            return
        message = (
            f"The sheet {quoted(sheet.name)} was not read: no row of it is a heading row that we "
            f"know, though {counted(rows, 'row')} of it {'looks' if rows == 1 else 'look'} like "
            "shipments. Give it the heading row of the sheet that was read and upload it again."
        )
        self.notices.append(Notice(code=Code.SHEET_NOT_READ, message=message))
        top = " ".join(chain([sheet.name], *(record.cells for record in head[:1])))
        self.lists += (
            ListedIds(tab=sheet.name, words=status, ids=frozenset(ids))
            for status, ids in statuses.items()
            if tells_of_one(status) or (tells_against(status) and not is_of_attempts(top))
        )

    def pass_over(self, index: int, info: SheetMetadata) -> None:
        """Tell of a sheet with examples if there is a table in it."""
        sheet = contained(partial(self.book.get_sheet_by_index, index), self.name)
        head = _head(sheet, self.limits.header_search_rows, self.name)
        if any(self.header.fits(record.cells) for record in head):
            message = (
                f"The sheet {quoted(info.name)} was not read, as its name says that its rows are "
                "examples. If they are shipments, give it another name and upload the file again."
            )
            self.notices.append(Notice(code=Code.EXAMPLE_SHEET, message=message))
        else:
            self.lists += _lists(sheet, self.name)


def contained(call: Callable[[], _Result], name: str) -> _Result:
    """Run native code; whatever goes wrong in it comes out as a ``DropRefused``.

    A panic of the native reader is a ``BaseException`` that no ``except Exception`` would stop.
    """
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except PasswordError as error:
        raise protected(name) from error
    except BaseException as error:
        raise DropRefused(
            Code.UNREADABLE,
            f"{quoted(name)} looks like a workbook but cannot be read.",
            hint="Open it in a spreadsheet program, save it as XLSX and upload that.",
        ) from error


class _SheetBlocks(Struct, frozen=True, kw_only=True):
    """Read a sheet's rows.

    ``max_rows``: of all sheets together, of which each has ``used`` so many, by its place.
    ``merged``: its merged cells below the header. ``tops``: what stands in those of them that began
    so far, and its kind.
    """

    sheet: CalamineSheet
    file: str
    heading: Heading
    max_rows: int
    used: dict[int, int]
    index: int
    notes: SheetNotes
    shown: Callable[[int], ShownNumbers]
    merged: Sequence[Merged]
    by_hand: Sequence[ByHand]
    table: str
    word_formats: Sequence[WordFormat]
    known: dict[int, ShownNumbers] = field(default_factory=dict)
    tops: dict[Merged, tuple[str, int]] = field(default_factory=dict)

    @property
    def origin(self) -> int:
        """Return the sheet's first column that is not empty: the native reader begins with it."""
        return self.sheet.start[1] if self.sheet.start else 0

    def as_sheet(self, name: str, title: str) -> Sheet:
        columns = range(len(self.heading.cells))
        return Sheet(
            name=name,
            header_row=self.heading.row,
            headers=self.heading.cells,
            blocks=self,
            title=title,
            table=self.table,
            comments={
                at: text for _, at, text in self._marks(self.heading.row, self.heading.row + 1)
            },
            hidden=frozenset(at for at in columns if self.notes.hides(at + self.origin)),
        )

    def hidden_rows(self) -> Iterator[Notice]:
        """Tell that rows below the header are hidden."""
        rows = [row for row in self.notes.hidden_rows if row > self.heading.row]
        if rows:
            named = ", ".join(map(str, rows[:3])) + (", …" if len(rows) > 3 else "")
            what, they, them = (
                ("1 row", "it is", "it")
                if len(rows) == 1
                else (f"{len(rows):,} rows", "they are", "them")
            )
            yield Notice(
                code=Code.HIDDEN_ROWS,
                message=f"{what} of {self.heading.where} ({named}) cannot be seen there, perhaps "
                f"because of a filter; {they} read and sent like the others. If that is wrong, "
                f"delete {them}, or copy the visible rows into a new file.",
                example_row=rows[0],
            )

    def __call__(self, tally: ReadTally) -> Iterator[Block]:
        """Yield the data rows; see ``pipeline.core.model.Sheet``."""
        shaper = Shaper(
            self.heading,
            tally,
            limit=self.max_rows,
            before=sum(rows for at, rows in self.used.items() if at < self.index),
        )
        # The native reader ends with the last cell that it has a value for.
        more = max(0, self.notes.last_row - self.sheet.total_height)
        blank = repeat([""] * len(self.heading.cells), more)
        rows: Iterator[list[Any]] = islice(
            chain(self.sheet.iter_rows(), blank), self.heading.row, None
        )
        first = self.heading.row + 1
        while parsed := self._parsed(rows, first):
            yield from shaper.shape(parsed)
            first += len(parsed)
        self.used[self.index] = shaper.rows

    def _parsed(self, rows: Iterator[list[Any]], first: int) -> Parsed | None:
        """Read the next block; None at the end."""
        parts: list[list[Column]] = []
        start = first
        while first - start < BLOCK_ROWS:
            count = min(_BATCH, BLOCK_ROWS - (first - start))
            batch = _take(rows, count, self.file, self.sheet.name, first)
            if not batch:
                break
            parts.append([column_of(values) for values in zip(*batch, strict=True)])
            first += len(batch)
        if not parts:
            return None
        columns = [joined(pieces) for pieces in zip(*parts, strict=True)]
        columns = self.notes.put_into(columns, start, origin=self.origin)
        columns = self._with_merged(columns, start)
        facts: dict[int, RowFacts] = {}
        for at in self.heading.later.may_be_ids if self.heading.later else ():
            columns[at] = self._as_shown(at, columns[at], start, facts)
        self._put_shown_words(columns, start, facts)
        self._put_by_hand(start, first, facts)
        return Parsed(
            first=start,
            cells=tuple(texts for texts, _ in columns),
            kinds={at: kinds for at, (_, kinds) in enumerate(columns) if kinds is not None},
            facts=facts,
        )

    def _put_shown_words(
        self, columns: list[Column], start: int, facts: dict[int, RowFacts]
    ) -> None:
        """Put what formats show of texts, and in words of numbers: ``"RTO "@``, ``[=2]"RTO"``.

        A status is damaged by that: people see the one, we read the other. A way is what they see.
        """
        later = self.heading.later
        if later is None or not self.word_formats:
            return
        end = start + len(columns[0][0])
        found: dict[int, dict[int, str]] = {}
        begin, stop = (bisect_left(self.word_formats, (row,)) for row in (start, end))
        for row, column, code in self.word_formats[begin:stop]:
            place, at = row - start, column - self.origin
            if at not in {*later.may_be_ids, *later.statuses, *later.ways}:
                continue
            texts, kinds = columns[at]
            cell, kind = texts[place].as_py(), CellKind.TEXT if kinds is None else kinds[place]
            shown = _in_words(cell, kind, code)
            if shown is None or shown == cell.strip():
                continue
            if at not in later.may_be_ids:
                damaged = f"{shown} {DAMAGED} {cell}"
                found.setdefault(at, {})[place] = damaged if at in later.statuses else shown
            elif kind == CellKind.TEXT:
                before = facts.get(place, RowFacts())
                facts[place] = replace(before, shown={**before.shown, at: f"as {shown}"})
        for at, words in found.items():
            texts, kinds = columns[at]
            cells, marks = texts.to_pylist(), None if kinds is None else kinds.copy()
            for place, text in words.items():
                cells[place] = text
                if marks is not None:
                    marks[place] = CellKind.TEXT
            columns[at] = pa.array(cells, pa.string()), marks

    def _put_by_hand(self, start: int, end: int, facts: dict[int, RowFacts]) -> None:
        """Put which rows have an id, AWB, status or time that is crossed out or has a comment."""
        for row, _, text in self._marks(start, end):
            fact = facts.get(row - start, RowFacts())
            crossed_out, comment = fact.crossed_out or not text, f"{fact.comment}\n{text}"
            facts[row - start] = replace(fact, crossed_out=crossed_out, comment=comment.strip())

    def _marks(self, start: int, end: int) -> Iterator[ByHand]:
        """Give what was marked by hand in rows and speaks of them; columns as they are read."""
        kept = self.heading.later.marked if self.heading.later else ()
        for row, column, text in self.by_hand:
            if start <= row < end and column - self.origin in kept:
                yield row, column - self.origin, text

    def _with_merged(self, columns: list[Column], start: int) -> list[Column]:
        """Return the columns with merged cells in all of their rows and columns.

        Only in rows with an id: others are titles and footers. Ids and statuses say what is sent:
        they are neither filled, nor do they fill others.
        """
        later, end = self.heading.later, start + len(columns[0][0])
        near = [place for place in self.merged if place[2] < end and place[3] >= start]
        if not near or later is None:
            return columns
        rows = np.zeros(end - start, dtype=np.bool_)
        for at in later.may_be_ids:
            rows |= pc.greater(pc.binary_length(columns[at][0]), 0).to_numpy(zero_copy_only=False)
        for place in near:
            left, first = place[0] - self.origin, place[2]
            if first >= start and 0 <= left < len(columns):
                texts, kinds = columns[left]
                kind = CellKind.TEXT if kinds is None else int(kinds[first - start])
                self.tops[place] = texts[first - start].as_py(), kind
        kept = {*later.may_be_ids, *later.statuses}
        return [
            self._covered(at, column, near, np.flatnonzero(rows) + start, start, kept)
            for at, column in enumerate(columns)
        ]

    def _covered(
        self,
        at: int,
        column: Column,
        merged: Sequence[Merged],
        rows: npt.NDArray[np.int64],
        start: int,
        kept: Container[int],
    ) -> Column:
        """Return a column with what stands in merged cells where these cover its own.

        A covered cell that holds another text is damaged: people see the one, we read the other.
        """
        here = [place for place in merged if place[0] <= at + self.origin <= place[1]]
        if not here:
            return column
        texts, kinds = column[0].to_pylist(), column[1]
        marks = np.zeros(len(texts), np.int8) if kinds is None else kinds.copy()
        for place in here:
            left, first, last = place[0] - self.origin, place[2], place[3]
            top, kind = self.tops.get(place, ("", CellKind.TEXT))
            fills = at not in kept and left not in kept
            begin, end = np.searchsorted(rows, (first + (at == left), last + 1))
            for row in (rows[begin:end] - start).tolist():
                if texts[row] and texts[row] != top:
                    texts[row], marks[row] = f"{top} {DAMAGED} {texts[row]}", CellKind.TEXT
                elif fills:
                    texts[row], marks[row] = top, kind
        return pa.array(texts, pa.string()), marks if marks.any() else None

    def _as_shown(self, at: int, column: Column, start: int, facts: dict[int, RowFacts]) -> Column:
        """Return a column of ids with those numbers as text that the file has the shown text of.

        Where it has a number format only, the row's facts say what that shows. Numbers that have
        lost digits are left as they are.
        """
        texts, kinds = column
        if kinds is None or not (kinds == CellKind.NUMBER).any():
            return column
        if at not in self.known:
            self.known[at] = self.shown(at + self.origin)
        shown = self.known[at]
        if not shown.texts and not shown.formats:
            return column
        cells, marks = texts.to_pylist(), kinds.copy()
        for place in np.flatnonzero(kinds == CellKind.NUMBER).tolist():
            row, cell = start + place, cells[place]
            if len(cell) > EXACT_DIGITS:
                continue
            text = shown.texts.get(row) or cell
            if text != cell and shown.keeps(row, cell):
                cells[place], marks[place] = text, CellKind.TEXT
            elif differs := shown.differs(row, cell):
                before = facts.get(place, RowFacts())
                formats = {**before.formats, at: shown.formats.get(row, "")}
                facts[place] = replace(before, shown={**before.shown, at: differs}, formats=formats)
        return pa.array(cells, pa.string()), marks


def _in_words(cell: str, kind: int, code: str) -> str | None:
    """Return how a format shows a text, or a number where that is in words; else None."""
    if kind == CellKind.TEXT:
        return shown_text(cell, code).strip()
    shown = shown_as(cell, code) if kind == CellKind.NUMBER and cell.isdecimal() else None
    return shown.strip() if shown and any(map(str.isalpha, shown)) else None


def _take(
    rows: Iterator[list[Any]], count: int, file: str, sheet: str, first: int
) -> list[list[Any]]:
    """Take the next rows; a cell the native reader cannot express is reported with its row."""
    batch: list[list[Any]] = []
    try:
        batch.extend(islice(rows, count))
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise DropRefused(
            Code.UNREADABLE,
            f"Row {first + len(batch)} of sheet {quoted(sheet)} in {quoted(file)} holds a date or "
            "duration that cannot be.",
            hint="It shows as ##### in a spreadsheet: correct it and upload the file again.",
        ) from error
    return batch


def _head(sheet: CalamineSheet, count: int, file: str) -> list[Record]:
    rows = _take(iter(sheet.iter_rows()), count, file, sheet.name, 1)
    return [
        Record(number=number, cells=[text_of(value) for value in row])
        for number, row in enumerate(rows, start=1)
    ]


def _lists(sheet: CalamineSheet, file: str) -> Iterator[ListedIds]:
    """Give what a tab without a table says of ids: by its name of all on it, or line by line."""
    lines = _filled(sheet, file)
    if tells_of_list(sheet.name):
        ids = ids_among(chain.from_iterable(lines))
        yield ListedIds(tab=sheet.name, words=sheet.name, ids=ids)
        return
    for line in map(" ".join, islice(lines, _BATCH)):
        few = len(words := line.split()) <= _SHORT_LINE
        if few and (ids := ids_among(words)) and tells_of_one(line):
            yield ListedIds(tab=sheet.name, words=line, ids=ids)


def _filled(sheet: CalamineSheet, file: str) -> Iterator[list[str]]:
    """Yield the filled cells of each row of a tab, up to one with a cell that cannot be."""
    rows = iter(sheet.iter_rows())
    with suppress(DropRefused):  # nobody reads this tab
        while batch := _take(rows, _BATCH, file, sheet.name, 1):
            for row in batch:
                yield [text for value in row if (text := text_of(value).strip())]


def _shipments(
    sheet: CalamineSheet, file: str, header: HeaderFinder
) -> Iterator[tuple[frozenset[str], str]]:
    """Give the ids and the status of each row that has both, though no header is known."""
    for cells in islice(_filled(sheet, file), BLOCK_ROWS):
        ids = ids_among(filter(names_an_id, cells))
        status = next((cell for cell in cells if header.is_status(cell)), None) if ids else None
        if status is not None:
            yield ids, status


_SHORT_LINE = 8
"""Words of a line that says where one order is, and not more of it: FYA1003 is RTO."""


def _hidden(info: SheetMetadata, sheet: CalamineSheet) -> Iterator[Notice]:
    if sheet.height:
        message = (
            f"The hidden sheet {quoted(info.name)} was not read. If it holds shipments, unhide it "
            "and upload the file again."
        )
        yield Notice(code=Code.HIDDEN_SHEET, message=message)


def _empty(name: str) -> DropRefused:
    return DropRefused(
        Code.EMPTY_FILE,
        f"{quoted(name)} has no visible sheet with anything in it.",
        hint="Export the data again and upload the new file.",
    )
