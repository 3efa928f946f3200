"""The dates of a sheet: which columns hold them, their orders of day and month, and mixed kinds.

A value such as 11/30/2026 is possible only month first. Where the courier's profile says day first,
its column is not what the profile says, and 10/11/2026 in it may be either; so in a column of
delivery dates that another column, or the events of its rows, speak against. Other columns complete
them: newer delivery dates, and times whose headings no profile lists.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.date_columns import read_times
from pipeline.core.free_text import are_alike
from pipeline.core.model import Block, Notice
from pipeline.validation.columns import ColumnMap, data_header
from pipeline.validation.evidence.cells import FEW
from schemas.codes import Code
from schemas.courier import DateRule, Profile
from schemas.date_headings import (
    TimeNearness,
    brings_up_to_date,
    concerned,
    event_meant,
    names_a_time,
    told_by,
)
from schemas.limits import DAY_MS
from schemas.normalise import kept
from schemas.vocabulary import DATE_ROLES, DELIVERY_DATES, CellKind, Role

Order = Literal["day", "month"]
Proof = tuple[int, Order, str]
"""Column, the order that one of its dates is only possible in, and that date's separator."""

_LONGEST = 10
_BEFORE = " '\u00a0\t"
_NUMERIC = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(?:20)?\d\d(?!\d)|(\d\d)(\d\d)20\d\d(?!\d)")
_DIGIT = re.compile("[0-9]")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Heads(Struct, frozen=True):
    """The beginnings of a column's cells: of many times, few are distinct.

    ``index``: into ``parts``, a value per row; ``parts``: of each, its two numbers and what stands
    between them, None where it is no such date.
    """

    index: npt.NDArray[np.int64]
    parts: Sequence[tuple[int, int, str] | None]

    @classmethod
    def of(cls, cells: pa.Array) -> "Heads":
        """Look at cells of text."""
        if len(cells) <= FEW:
            return cls(np.arange(len(cells)), [*map(_parts, map(_head, cells.to_pylist()))])
        if not are_alike(cells):
            cells = pc.utf8_slice_codeunits(pc.utf8_ltrim(cells, _BEFORE), 0, _LONGEST)
        encoded = cells.dictionary_encode()
        index = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(index, [*map(_parts, map(_head, encoded.dictionary.to_pylist()))])


def heads_of(block: Block, columns: Mapping[int, DateRule]) -> dict[int, Heads]:
    """Return the beginnings of the columns that hold dates as text."""
    return {at: Heads.of(block.cells[at]) for at, rule in columns.items() if rule.read_as == "text"}


def proofs(heads: Mapping[int, Heads], columns: Mapping[int, DateRule]) -> frozenset[Proof]:
    """Return the order of day and month that a block's dates prove, beyond the columns' rules."""
    found: set[Proof] = set()
    for column, dates in heads.items():
        rule = columns[column]
        for parts in dates.parts:
            if parts is not None:
                first, second, separator = parts
                day_first = rule.is_day_first(separator)
                if first > 12 and _is_day(first, second) and (rule.auto or not day_first):
                    found.add((column, "day", separator))
                elif second > 12 and _is_day(second, first) and (rule.auto or day_first):
                    found.add((column, "month", separator))
    return frozenset(found)


_CELLS = "cells"
"""Stands for the separator of date cells."""


def swapped_cells(block: Block, mapping: ColumnMap) -> frozenset[Proof]:
    """Return the date columns whose date cells a spreadsheet has probably read month first.

    All texts in them have a day past the 12th, which it could not read so, all date cells may be
    either, and most are nearer to the texts the other way round (the classic of a day-first file in
    a spreadsheet of the United States). At the beginning of a month sound ones may be either, too.
    """
    found: set[Proof] = set()
    for role in DATE_ROLES:
        at = mapping.columns.get(role, -1)
        kinds = block.kinds.get(at)
        if kinds is None or np.count_nonzero(kinds == CellKind.DATE) < _SOME_CELLS:
            continue
        texts = block.cells[at].filter(pa.array(kinds == CellKind.TEXT))
        told = [parts for parts in Heads.of(texts).parts if parts is not None]
        dates = block.cells[at].filter(pa.array(kinds == CellKind.DATE))
        either = pc.all(pc.match_substring_regex(dates, _EITHER)).as_py()
        past = told and all(first > _MONTHS for first, *_ in told)
        if past and either and _are_nearer_turned(dates, texts):
            found.add((at, "month", _CELLS))
    return frozenset(found)


def _are_nearer_turned(dates: pa.Array, texts: pa.Array) -> bool:
    """Return whether most ISO dates are nearer to day-first texts with day and month exchanged."""
    turned = pc.replace_substring_regex(dates, r"^([0-9]{4})-([0-9]{2})-([0-9]{2})", r"\1-\3-\2")
    typed, own, other = (
        read_times(cells, None, DateRule(day_first=True), _UTC) for cells in (texts, dates, turned)
    )
    if not typed.read.any():
        return False
    middle = np.median(typed.ms[typed.read])
    nearer = own.read & other.read & (abs(other.ms - middle) < abs(own.ms - middle))
    return bool(2 * nearer.sum() > len(dates))


def in_doubt(
    cells: pa.Array,
    kinds: npt.NDArray[np.int8] | None,
    column: int,
    proven: Collection[Proof],
) -> npt.NDArray[np.bool_]:
    """Return which dates of a column in doubt may be day or month first."""
    found = two_way(cells)
    if kinds is not None and (column, "month", _CELLS) in proven:
        found |= (kinds == CellKind.DATE) & _may_be_either(cells)
    return found


def _may_be_either(dates: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which ISO dates may have day and month exchanged; those of one number may not."""
    either = pc.match_substring_regex(dates, _EITHER)
    same = pc.equal(pc.utf8_slice_codeunits(dates, 5, 7), pc.utf8_slice_codeunits(dates, 8, 10))
    found: npt.NDArray[np.bool_] = pc.and_not(either, same).to_numpy(zero_copy_only=False)
    return found


_EITHER = r"^[0-9]{4}-[01][0-9]-(?:0[1-9]|1[0-2])"
_MONTHS, _SOME_CELLS = 12, 2


def turned_dates(
    block: Block, heads: Mapping[int, Heads], mapping: ColumnMap, profile: Profile, now_ms: int
) -> frozenset[Proof]:
    """Return the orders of delivery dates that are likely, against the profile, by other cells.

    Another column of the block proves that order, or most dates that may be either are far from
    the events of their rows, and near them the other way. ``now_ms``: when the file was received.
    """
    found: set[Proof] = set()
    for column, role in _delivery_dates(mapping):
        rule = profile.date_rule(role)
        if rule.read_as != "text" or rule.auto:
            continue
        dates = heads.get(column) or Heads.of(block.cells[column])
        index, every = dates.index, dates.parts
        for separator in {parts[2] for parts in every if parts is not None and _is_either(parts)}:
            mine = [parts for parts in every if parts is not None and parts[2] == separator]
            if _orders(mine):
                continue
            likely: Order = "month" if rule.is_day_first(separator) else "day"
            either = [p is not None and p[2] == separator and _is_either(p) for p in every]
            rows = np.flatnonzero(np.array([*either, False], dtype=np.bool_)[index])[:_ENOUGH]
            if likely in _orders_elsewhere(block, mapping, separator) or _are_turned(
                block.cells[column].take(pa.array(rows)),
                _bases(block, mapping, profile, rows, now_ms),
                day_first=rule.is_day_first(separator),
            ):
                found.add((column, likely, separator))
    return frozenset(found)


_ENOUGH = 256
_LATE_DAYS = 7
_NEAR_DAYS = 30
_UTC = ZoneInfo("UTC")


def _delivery_dates(mapping: ColumnMap) -> list[tuple[int, Role]]:
    found = [(mapping.columns[role], role) for role in DELIVERY_DATES if role in mapping.columns]
    more = [(newer(mapping, role), role) for role in DELIVERY_DATES]
    return [*found, *((at, role) for at, role in more if at is not None)]


def _is_either(parts: tuple[int, int, str]) -> bool:
    return parts[0] != parts[1] and min(parts[:2]) >= 1 and max(parts[:2]) <= 12


def _orders(some: Collection[tuple[int, int, str]]) -> set[Order]:
    """Return the orders that dates of one separator are only possible in."""
    found: set[Order] = set()
    for first, second, _ in some:
        if first > 12 and _is_day(first, second):
            found.add("day")
        elif second > 12 and _is_day(second, first):
            found.add("month")
    return found


def _orders_elsewhere(block: Block, mapping: ColumnMap, separator: str) -> set[Order]:
    """Return the orders that columns of other dates prove, each of them one order only."""
    own = {at for at, _ in _delivery_dates(mapping)}
    found: set[Order] = set()
    for at, heading in enumerate(mapping.headers):
        if at in own or not (at == mapping.columns.get(Role.EVENT_TIME) or names_a_time(heading)):
            continue
        every = Heads.of(block.cells[at]).parts
        orders = _orders([parts for parts in every if parts and parts[2] == separator])
        found |= orders if len(orders) == 1 else set()
    return found


def _bases(
    block: Block,
    mapping: ColumnMap,
    profile: Profile,
    rows: npt.NDArray[np.int64],
    now_ms: int,
) -> npt.NDArray[np.int64]:
    """Return when the events of rows were, the present where that is not told."""
    at = mapping.columns.get(Role.EVENT_TIME)
    if at is None:
        return np.full(len(rows), now_ms)
    cells = block.cells[at].take(pa.array(rows))
    event = read_times(cells, None, profile.date_rule(Role.EVENT_TIME), _UTC)
    return np.where(event.read, event.ms, now_ms)


def _are_turned(cells: pa.Array, base: npt.NDArray[np.int64], *, day_first: bool) -> bool:
    """Return whether most dates are far from their events, and near them with the month turned."""
    read, other = (
        read_times(cells, None, DateRule(day_first=each), _UTC)
        for each in (day_first, not day_first)
    )
    off, turned = (read.ms - base) / DAY_MS, (other.ms - base) / DAY_MS
    late = (off < -_LATE_DAYS) & (turned >= -1) & (turned <= _NEAR_DAYS)
    far = (abs(off) > _NEAR_DAYS) & (abs(turned) <= _NEAR_DAYS)
    return bool(2 * (read.read & other.read & (late | far)).sum() > len(cells))


def as_proven(rule: DateRule, column: int, proven: Collection[Proof]) -> tuple[DateRule, bool]:
    """Return the rule to read a column by, and whether its two-way dates are in doubt."""
    if rule.read_as != "text":
        return rule, False
    mine = [(order, separator) for at, order, separator in proven if at == column]
    if rule.auto:
        orders = {order for order, _ in mine}
        return replace(rule, day_first=orders != {"month"}), len(orders) != 1
    return rule, any((order == "month") == rule.is_day_first(sep) for order, sep in mine)


def two_way(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell of each date whether it is another one day first than month first."""
    heads = Heads.of(cells)
    both = [parts is not None and _is_either(parts) for parts in heads.parts]
    found: npt.NDArray[np.bool_] = np.array([*both, False], dtype=np.bool_)[heads.index]
    return found


def _head(cell: str) -> str:
    return cell.lstrip(_BEFORE)[:_LONGEST]


@kept
def _parts(head: str) -> tuple[int, int, str] | None:
    found = _NUMERIC.match(head)
    if found is None:
        return None
    if found[2]:
        return int(found[1]), int(found[3]), found[2]
    return int(found[4]), int(found[5]), ""


def _is_day(day: int, month: int) -> bool:
    return 1 <= month <= 12 and day <= _DAYS[month - 1]


_EVENT = "event "
_NEWER = "newer "


def with_dates(mapping: ColumnMap, profile: Profile) -> ColumnMap:
    """Return the columns of a sheet with those that complete its dates, among the helpers.

    Newer: "Updated EDD" beside "EDD". Events: columns whose heading speaks of the time of what
    happened, though no profile lists it; those that speak of any status first.
    """
    used = {*mapping.columns.values(), *mapping.helpers.values()}
    used |= {other for others in mapping.duplicates.values() for other in others}
    helpers = dict(mapping.helpers)
    events_at = []
    for at, heading in enumerate(mapping.headers):
        folded = data_header(heading)
        if at in used or not folded or folded in profile.nothing:
            continue
        for role in DELIVERY_DATES:
            if role in mapping.columns and brings_up_to_date(heading, profile.headers[role]):
                helpers.setdefault(f"{_NEWER}{role}", at)
        event = event_meant(heading)
        if at not in helpers.values() and event is not None:
            events_at.append((event, at))
    helpers |= {f"{_EVENT}{number}": at for number, (_, at) in enumerate(sorted(events_at))}
    return replace(mapping, helpers=helpers)


def newer(mapping: ColumnMap, role: Role) -> int | None:
    """Return the column with the newer dates of a role, None without one."""
    return mapping.helpers.get(f"{_NEWER}{role}")


def events(mapping: ColumnMap) -> Iterator[tuple[int, TimeNearness]]:
    """Give the columns that may hold a row's event time, and of which event."""
    for name, at in mapping.helpers.items():
        nearness = event_meant(mapping.headers[at]) if name.startswith(_EVENT) else None
        if nearness is not None:
            yield at, nearness


def own_times(mapping: ColumnMap, profile: Profile) -> list[int]:
    """Return the columns of no other role that have the time of one milestone: Delivered Date."""
    others = {at for name, at in mapping.helpers.items() if not name.startswith(_EVENT)}
    used = {*mapping.columns.values()} | others
    named = [data_header(heading) for heading in mapping.headers]
    return [
        at
        for at, name in enumerate(named)
        if at not in used and name not in profile.nothing and told_by(mapping.headers[at])[0]
    ]


def date_rules(mapping: ColumnMap, profile: Profile) -> dict[int, DateRule]:
    """Return all columns of a sheet that are read as dates, each with the rule for it."""
    columns = [(at, role) for role, at in mapping.columns.items() if role in DATE_ROLES]
    for role in DATE_ROLES:
        column = newer(mapping, role)
        columns += [] if column is None else [(column, role)]
    columns += [(at, Role.EVENT_TIME) for at, _ in events(mapping)]
    return {at: profile.date_rule(role) for at, role in columns}


def concerns(milestones: npt.NDArray[np.int8], nearness: TimeNearness) -> npt.NDArray[np.bool_]:
    """Return the rows for which a time counts; one of any event also for rows without milestone."""
    wanted = [int(each) for each in concerned(nearness)] + (
        [0] if nearness is TimeNearness.EVENT else []
    )
    found: npt.NDArray[np.bool_] = np.isin(milestones, wanted)
    return found


_FIRST = 64
SERIAL = r"^4[0-9]{4}(?:\.[0-9]+)?$"
"""A date of 2009 to 2036 as a spreadsheet stores it, where its format was lost."""


def holds_dates(cells: pa.Array) -> bool:
    """Return whether a cell of a column may be a date, by its digits."""
    shape = rf"\d\W+(?:\d|\w{{3,9}}\W+\d)|[A-Za-z]\W+\d|\d{{6}}|{SERIAL}"
    return bool(pc.any(pc.match_substring_regex(cells, shape)).as_py())


class DateKinds(Struct, kw_only=True):
    """The kinds of dates in a file's columns, gathered over its blocks.

    A column that mixes date cells with dates typed as text was probably opened by a spreadsheet in
    another locale, which swapped day and month where it could (hazards, section D). A block alone
    cannot tell: the two kinds may lie 50,000 rows apart.
    """

    _headers: dict[Role, str] = field(default_factory=dict)
    _first: dict[Role, int] = field(default_factory=dict)
    _count: dict[Role, int] = field(default_factory=dict)
    _typed: set[Role] = field(default_factory=set)

    def see(self, block: Block, mapping: ColumnMap) -> None:
        """Take a block's date columns into account."""
        for role in DATE_ROLES:
            column = mapping.columns.get(role)
            if column is None:
                continue
            kinds = block.kinds.get(column)
            dates = np.flatnonzero(kinds == CellKind.DATE) if kinds is not None else None
            if dates is not None and len(dates):
                self._headers.setdefault(role, mapping.header(role))
                self._first.setdefault(role, int(block.rows[dates[0]]))
                self._count[role] = self._count.get(role, 0) + len(dates)
            if role not in self._typed and _holds_typed_dates(block.cells[column], kinds):
                self._typed.add(role)

    def mixed(self) -> frozenset[Role]:
        """Return the date roles whose column holds both kinds."""
        return frozenset(role for role in self._count if role in self._typed)

    def notices(self) -> tuple[Notice, ...]:
        """Return a warning for each mixed column; the count is that of its date cells."""
        return tuple(
            Notice(
                code=Code.DATE_MIXED,
                column=role.value,
                count=self._count[role],
                example_row=self._first[role],
                message=f"Column {self._headers[role]} mixes date cells with dates typed as "
                "text: a spreadsheet has probably swapped day and month where it could. Compare "
                "the dates with their source, and format the column as text.",
            )
            for role in DATE_ROLES
            if role in self.mixed()
        )


def _holds_typed_dates(cells: pa.Array, kinds: npt.NDArray[np.int8] | None) -> bool:
    if kinds is not None:
        cells = cells.filter(pa.array(kinds == CellKind.TEXT))
    # A column of dates shows it by its first cells.
    if any(_DIGIT.search(cell.as_py()) for cell in cells.slice(0, _FIRST)):
        return True
    return bool(pc.any(pc.match_substring_regex(cells.slice(_FIRST), "[0-9]")).as_py())
