"""A manifest before it is bytes, with what may be sent of each of its rows."""

import csv
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import openpyxl
from openpyxl.utils import get_column_letter

from tests.fakes.courier_days import Day


@dataclass(frozen=True)
class Special:
    """A cell of a workbook that is an error (``#N/A``) or a formula without a result (``=A1``)."""

    text: str


Cell = str | int | float | bool | datetime | Special

AGAIN = Special("the headings once more")
"""A row above a line that stands for the headings, whatever order they get."""


@dataclass
class Line:
    """A data row: its cells, and what may be sent of it: its order, its AWB, these statuses.

    ``above``: rows that stand right above it, such as titles. ``shift``: a cell too many, and where
    (True: the one there is lacking).
    """

    cells: list[Cell]
    order: str
    awb: str
    status: str
    when: datetime
    may: set[str]
    above: list[list[Cell]] = field(default_factory=list)
    hidden: bool = False
    shift: tuple[int, str | bool] | None = None


@dataclass
class Mutant:
    """A manifest. ``keys`` name the columns for mutations: ``id``, ``awb``, ``status``, ``type``.

    ``done``: the mutations, ``sound``: all of them are harmless, so nothing may be held.
    ``turned``: from this row on it is a second table, whose columns have another order.
    ``elsewhere``: what further tables, which are written as they are, say of orders of their own.
    ``named_after_rtos``: the file's name says that its shipments went back to the seller.
    """

    rng: random.Random
    seed: int
    number: int
    courier: str
    day: Day
    keys: list[str]
    headings: list[str]
    lines: list[Line]
    folder: str
    stem: str
    book: bool
    done: list[str] = field(default_factory=list)
    sound: bool = True
    named_after_rtos: bool = False
    top: list[list[Cell]] = field(default_factory=list)
    below_headings: list[Cell] = field(default_factory=list)
    bottom: list[list[Cell]] = field(default_factory=list)
    turned: int | None = None
    # Of a workbook.
    tab: str = "Sheet1"
    second_tab: str = ""
    second_hidden: bool = False
    second: list[Line] = field(default_factory=list)
    elsewhere: list[Line] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    id_format: str = ""
    origin: tuple[int, int] = (0, 0)
    # Of a CSV file.
    delimiter: str = ","
    encoding: str = "utf-8"
    mark: bytes = b""
    ends: str = "\r\n"
    quoting: int = csv.QUOTE_MINIMAL
    space: bool = False
    first: str = ""
    trailing: bool = False
    spoil: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file's name; the number keeps it apart from all others."""
        return f"{self.number:05} {self.stem}.{'xlsx' if self.book else 'csv'}"

    @property
    def all_lines(self) -> list[Line]:
        return [*self.lines, *self.second]

    def at(self, key: str) -> int | None:
        """Return the place of a column, None without it."""
        return self.keys.index(key) if key in self.keys else None

    def has(self, heading: str) -> bool:
        """Tell whether a column is called so."""
        return _folded(heading) in map(_folded, self.headings)

    def insert(self, heading: str, cells: Callable[[Line], Cell], *, at: int | None = None) -> str:
        """Add a column; return its key."""
        place = self.rng.randrange(len(self.headings) + 1) if at is None else at
        key = f"more {len(self.keys)}"
        self.keys.insert(place, key)
        self.headings.insert(place, heading)
        if self.below_headings:
            self.below_headings.insert(place, "")
        for line in self.all_lines:
            line.cells.insert(place, cells(line))
        return key

    def reorder(self, places: Sequence[int]) -> None:
        """Put the columns into another order."""
        self.keys = [self.keys[at] for at in places]
        self.headings = [self.headings[at] for at in places]
        self.below_headings = [self.below_headings[at] for at in places if self.below_headings]
        for line in self.all_lines:
            line.cells = [line.cells[at] for at in places]

    def grid(self, lines: Sequence[Line]) -> Iterator[tuple[list[Cell], bool]]:
        """Return the rows of a table from its titles to its footers, and whether each is hidden."""
        yield from ((row, False) for row in self.top)
        yield [*self.headings], False
        if self.below_headings:
            yield self.below_headings, False
        for number, line in enumerate(lines):
            yield from (([*self.headings] if row == [AGAIN] else row, False) for row in line.above)
            places = [*range(len(self.headings))]
            if self.turned is not None and number >= self.turned:
                random.Random(self.number).shuffle(places)
            if number == self.turned:
                yield [self.headings[at] for at in places], False
            yield _shifted([line.cells[at] for at in places], line.shift), line.hidden
        yield from ((row, False) for row in self.bottom)

    def data(self) -> bytes:
        """Return the file."""
        data = self._book() if self.book else self._text()
        for spoil in self.spoil:
            data = spoil(data)
        return data

    def _text(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(
            out, delimiter=self.delimiter, lineterminator=self.ends, quoting=self.quoting
        )
        out.write(self.first)
        for row, _ in self.grid(self.lines):
            texts = [_shown(cell) for cell in row]
            if self.trailing:
                texts.append("")
            if not self.space:
                writer.writerow(texts)
                continue
            quoted = (f'"{text.replace(chr(34), chr(34) * 2)}"' for text in texts)
            out.write(f"{self.delimiter} ".join(quoted) + self.ends)
        return self.mark + out.getvalue().encode(self.encoding, "replace")

    def _book(self) -> bytes:
        book = openpyxl.Workbook()
        self._fill(book.active, self.tab, self.lines)
        if self.second:
            sheet = book.create_sheet()
            self._fill(sheet, self.second_tab, self.second)
            if self.second_hidden:
                sheet.sheet_state = "hidden"
        data = io.BytesIO()
        book.save(data)
        return data.getvalue()

    def _fill(
        self, sheet: openpyxl.worksheet.worksheet.Worksheet, tab: str, lines: list[Line]
    ) -> None:
        sheet.title = tab
        down, right = self.origin
        of_ids = self.at("id")
        for row, (cells, hidden) in enumerate(self.grid(lines), start=1 + down):
            sheet.row_dimensions[row].hidden = hidden
            for column, value in enumerate(cells):
                if value != "":
                    cell = sheet.cell(row=row, column=1 + right + column)
                    _put(cell, value, self.id_format if column == of_ids else "")
        for column, key in enumerate(self.keys):
            if key in self.hidden:
                letter = get_column_letter(1 + right + column)
                sheet.column_dimensions[letter].hidden = True


def _shifted(cells: list[Cell], shift: tuple[int, str | bool] | None) -> list[Cell]:
    if shift is None:
        return cells
    at, more = min(shift[0], len(cells) - 1), shift[1]
    return [*cells[:at], *([] if more is True else [more]), *cells[at + (more is True) :]]


def _put(cell: openpyxl.cell.cell.Cell, value: Cell, number_format: str) -> None:
    cell.value = value.text if isinstance(value, Special) else value
    if isinstance(value, str):
        cell.data_type = "s"
    elif isinstance(value, Special) and not value.text.startswith("="):
        cell.data_type = "e"
    elif number_format and isinstance(value, int):
        cell.number_format = number_format


def _shown(cell: Cell) -> str:
    if isinstance(cell, Special):
        return cell.text
    return f"{cell:%Y-%m-%d %H:%M:%S}" if isinstance(cell, datetime) else str(cell)


def _folded(heading: str) -> str:
    return " ".join(heading.casefold().replace("_", " ").split())
