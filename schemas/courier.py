"""A courier's profile: the words of its files. Data only; one TOML file per courier."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta

from msgspec import Struct, field

from schemas.limits import ID_LENGTH
from schemas.normalise import fold, fold_header, is_absent, is_lost
from schemas.parcels import ALL
from schemas.statuses import Direction, StatusTable
from schemas.vocabulary import Role

GENERIC = "generic"
"""The profile of people's own sheets; the others take from it the headers they do not name."""

CAREFUL = "generic, with care"
"""How a file was read whose folder names a courier that nobody knows; no profile is called so."""

READ_AS = ("text", "epoch", "epoch_seconds", "epoch_millis", "serial")
"""Contents that a profile may declare a date column to have; ``epoch``: seconds or milliseconds."""


class DateRule(Struct, frozen=True, kw_only=True):
    """The formats in which a courier writes the dates of one column.

    ``day_first`` decides ``03/04/2024``, unless the separator is among ``month_first_with`` or
    ``day_first_with``. ``read_as`` is one of ``READ_AS``. ``auto``: the file's own dates decide;
    one that can be either is in doubt where none of its column proves the order.
    """

    day_first: bool = True
    day_first_with: frozenset[str] = frozenset()
    month_first_with: frozenset[str] = frozenset()
    read_as: str = "text"
    auto: bool = False

    def is_day_first(self, separator: str) -> bool:
        """Tell the order of a numeric date with this separator ("" for eight digits)."""
        if separator in self.day_first_with:
            return True
        return self.day_first and separator not in self.month_first_with


class IdRule(Struct, frozen=True, kw_only=True):
    """The shape of this courier's order ids, narrower than the general one."""

    digits_only: bool = False
    min_length: int = 1
    max_length: int = ID_LENGTH
    as_shown: frozenset[str] = frozenset()
    """Number formats of a spreadsheet that make the order id: it is what the cell shows."""


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Expectation(Struct, frozen=True, kw_only=True):
    """When a courier's file is to be here: ``by`` this time of day, on these ``days``.

    Days count from Monday, 0. Moments given are in the courier's zone.
    """

    by: time
    days: frozenset[int] = frozenset(range(7))

    def last_due(self, now: datetime) -> datetime | None:
        """Return the latest moment, not after ``now``, by which a file was to be here."""
        for back in range(8):
            day = now.date() - timedelta(days=back)
            due = datetime.combine(day, self.by, tzinfo=now.tzinfo)
            if day.weekday() in self.days and due <= now:
                return due
        return None

    def is_late(self, now: datetime, last: datetime | None) -> bool:
        """Return whether a file is missing; ``last``: when the newest one came.

        A file counts for the day on which it comes, however early.
        """
        due = self.last_due(now)
        if due is None:
            return False
        begin_of_day = datetime.combine(due.date(), time(), tzinfo=now.tzinfo)
        return last is None or last < begin_of_day


class Profile(Struct, frozen=True, kw_only=True, eq=False):
    """Everything we know about one courier's files.

    ``headers``: role → folded header aliases, the preferred one first. ``shown_headers``: the
    same as the profile writes them. ``helpers``: aliases of columns that only complete others:
    ``clock`` (a time of day beside a date) and ``rto_awb`` (a second AWB, on the way back).
    ``signature``: folded headers that only this courier writes; without any, a header alone never
    picks the profile. ``file_time``: how a time is written into file names (strptime), "" for not
    at all; it orders the courier's files. ``directions``: folded cell → direction;
    ``ways``: folded heading → folded cell → direction: what the courier's own words say in columns
    that are no direction. ``filled_rto_awb``: the direction of a row whose second AWB is
    filled. ``zone``: IANA name, "" for the configured one. ``reasons``: folded reason text → reason
    code. ``reason_codes``: what the courier's own codes look like, a regular expression, "" for
    none. ``date_output``: how the API gets dates.
    ``strict_dates``: reject rows when a column mixes date cells with text dates.
    ``auto_dispatch``: every order of this courier is pushed with ``autoDispatch``.
    ``unconfirmed_headers``: role → headers that ``shipdrop map`` guessed and nobody has confirmed;
    they stand for nothing. ``unconfirmed``: all that waits for a person, as messages name it.
    ``orders``: roles whose headings the profile lists itself: of several columns under these
    headings the first one in the list holds.
    ``nothing``: folded headings, tabs, titles and patterns of file names that say nothing about
    the direction, however they sound. ``parcels``: whether ``all`` parcels of an order must have
    come to a final status before it is the order's, or ``any`` of them.
    ``expect``: when its files are to come, None where nobody said. ``beside``: for a file that
    another courier's name decided on, the profile whose own heading it has, and that heading: a
    milestone counts only where both give it.
    """

    name: str
    title: str
    statuses: StatusTable
    headers: Mapping[Role, tuple[str, ...]]
    shown_headers: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    helpers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signature: frozenset[str] = frozenset()
    file_names: tuple[str, ...] = ()
    file_time: str = ""
    required: tuple[Role, ...] = (Role.ORDER_ID, Role.STATUS)
    directions: Mapping[str, Direction] = field(default_factory=dict)
    ways: Mapping[str, Mapping[str, Direction]] = field(default_factory=dict)
    filled_rto_awb: Direction = Direction.BLANK
    zone: str = ""
    dates: Mapping[Role, DateRule] = field(default_factory=dict)
    date_output: str = "%Y-%m-%d"
    strict_dates: bool = False
    ids: IdRule = field(default_factory=IdRule)
    reasons: Mapping[str, int] = field(default_factory=dict)
    reason_codes: str = ""
    auto_dispatch: bool = False
    unconfirmed_headers: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    unconfirmed: tuple[str, ...] = ()
    orders: frozenset[Role] = frozenset()
    nothing: frozenset[str] = frozenset()
    parcels: str = ALL
    expect: Expectation | None = None
    beside: tuple["Profile", str] | None = None

    def direction(self, cell: str, *, has_rto_awb: bool = False) -> Direction:
        """Read a direction cell, given as it stands in the file."""
        folded = fold(cell)
        read = self.directions.get(folded)
        if read is None and (not is_absent(folded) or is_lost(cell)):
            return Direction.UNREADABLE
        read = read or Direction.BLANK
        if has_rto_awb and self.filled_rto_awb and read in {Direction.BLANK, Direction.FORWARD}:
            return self.filled_rto_awb
        return read

    def means_nothing(self, heading: str) -> bool:
        """Return whether a heading says nothing beside its role; or a number format, of an id."""
        return fold_header(heading) in self.nothing or heading.casefold() in self.nothing

    def date_rule(self, role: Role) -> DateRule:
        """Return how this courier writes the dates of ``role``."""
        return self.dates.get(role, DateRule())

    def says(self, role: Role) -> str:
        """Return the heading this courier prefers for a role; the role's name where it has none."""
        shown = self.shown_headers.get(role)
        return shown[0] if shown else role.value


_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%b": r"[A-Za-z]{3}",
}
_PART = re.compile(r"%.|[^%]+")


def pattern_of(file_time: str) -> str:
    """Return a regular expression for times as ``file_time`` (``%Y%m%d_%H%M``) writes them.

    Raises:
        ValueError: it has another directive than ``%Y %y %m %d %H %M %S %b``, or no day.
    """
    parts = _PART.findall(file_time)
    if "".join(parts) != file_time or not {"%Y", "%y"} & {*parts} or "%d" not in parts:
        raise ValueError('must name year and day, e.g. "%Y%m%d_%H%M"')
    unknown = [part for part in parts if part.startswith("%") and part not in _DIRECTIVES]
    if unknown:
        raise ValueError(f"must be made of {' '.join(_DIRECTIVES)}, not {unknown[0]}")
    inner = "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)
    return rf"(?<!\d){inner}(?!\d)"
