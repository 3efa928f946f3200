"""Totals of the last days: per day, courier and problem; and one day, with what came late."""

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.core.drop_lines import Search
from pipeline.service.health_file import Calls, read_minutes
from pipeline.service.wiring import Site
from pipeline.web.totals import Counted, DropTotals, Sums, newest
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.vocabulary import Outcome

_PROBLEMS: Final = 15
_HOURS: Final = 48
_OF_FILES: Final = {Kind.REFUSE, Kind.NOTICE}


class Totals(Struct, frozen=True, kw_only=True):
    """Files and their rows by outcome."""

    files: int
    rows: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return all its rows."""
        return sum(self.rows.values())

    @property
    def to_correct_percent(self) -> float:
        """Return per cent of its rows that had to be corrected."""
        total = self.total
        return 100 * self.rows.get(Outcome.REJECTED.value, 0) / total if total else 0.0


class DayTotals(Totals, frozen=True, kw_only=True):
    """A day's files and rows by outcome; ``seconds``: how long each file took from its arrival."""

    day: date
    seconds: Sequence[float]

    @property
    def typical_seconds(self) -> float | None:
        """Return the median of ``seconds``."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def longest_seconds(self) -> float | None:
        """Return the longest of ``seconds``."""
        return max(self.seconds, default=None)


class CourierTotals(Totals, frozen=True, kw_only=True):
    """A courier's files and rows by outcome."""

    courier: str


class Problem(Struct, frozen=True, kw_only=True):
    """A fault in words. ``count``: rows, or files where the whole file has it.

    ``drops``: files that have it, the newest first.
    """

    code: str
    said: str
    count: int
    of: Literal["rows", "files"]
    drops: Sequence[Counted]


class Report(Totals, frozen=True, kw_only=True):
    """The last days, the newest first, and the same number of days before."""

    days: Sequence[DayTotals]
    couriers: Sequence[CourierTotals]
    problems: Sequence[Problem]
    earlier: Totals
    named: frozenset[str]


class Hour(Struct, frozen=True, kw_only=True):
    """Calls of an hour. ``most_ms``: 95 % were faster."""

    at: datetime
    calls: int
    mean_ms: float
    most_ms: float
    errors: int


def report_of(totals: DropTotals, days: int, courier: str = "") -> Report:
    """Return the counts of the last days, of one courier or of all."""
    today = totals.today()
    begin, earlier = today - timedelta(days=days - 1), today - timedelta(days=2 * days - 1)
    everything = [each for each in totals.sums() if each.day >= earlier]
    wanted = [each for each in everything if courier in {"", each.courier}]
    now = [each for each in wanted if each.day >= begin]
    before = [each for each in wanted if each.day < begin]
    by_day: dict[date, list[Sums]] = defaultdict(list)
    for each in now:
        by_day[each.day].append(each)
    dates = (today - timedelta(days=back) for back in range(days))
    return Report(
        days=[_of_day(day, by_day.get(day, ())) for day in dates],
        couriers=_by_courier(now),
        problems=_problems(now),
        rows=_rows(now),
        files=_files(now),
        earlier=Totals(files=_files(before), rows=_rows(before)),
        named=frozenset(each.courier for each in everything if each.courier),
    )


def _files(some: Iterable[Sums]) -> int:
    return sum(each.files for each in some)


def _rows(some: Iterable[Sums]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for each in some:
        found.update(each.rows)
    return found


def _of_day(day: date, its: Sequence[Sums]) -> DayTotals:
    seconds = [second for each in its for second in each.seconds]
    return DayTotals(day=day, files=_files(its), rows=_rows(its), seconds=seconds)


def _by_courier(some: Sequence[Sums]) -> list[CourierTotals]:
    by_name: dict[str, list[Sums]] = defaultdict(list)
    for each in some:
        by_name[each.courier].append(each)
    found = [
        CourierTotals(courier=name, files=_files(its), rows=_rows(its))
        for name, its in by_name.items()
    ]
    return sorted(found, key=lambda each: -each.total)


def _problems(some: Sequence[Sums]) -> list[Problem]:
    counts: Counter[str] = Counter()
    drops: dict[str, list[Counted]] = defaultdict(list)
    for each in some:
        counts.update(each.codes)
        for code, its in each.examples.items():
            drops[code] += its
    found = []
    for code, count in counts.most_common(_PROBLEMS):
        known = Code.__members__.get(code)
        found.append(
            Problem(
                code=code,
                said=known.what if known else code,
                count=count,
                of="files" if known is not None and known.kind in _OF_FILES else "rows",
                drops=newest(drops[code]),
            )
        )
    return found


def hours_of(site: Site) -> list[Hour]:
    """Return the calls of the last two days by the hour, the newest first."""
    zone = ZoneInfo(site.settings.manifest.timezone)
    now = site.clock.now()
    parts: dict[datetime, list[Calls]] = defaultdict(list)
    for back in range(_HOURS // 24, -1, -1):
        for minute, calls in read_minutes(site.root / "state", (now - timedelta(days=back)).date()):
            if now - minute < timedelta(hours=_HOURS):
                local = minute.astimezone(zone)
                parts[local.replace(minute=0, second=0, microsecond=0)].append(calls)
    return [_hour(at, parts[at]) for at in sorted(parts, reverse=True)]


def _hour(at: datetime, parts: Sequence[Calls]) -> Hour:
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.by_status)
    together = Calls(
        by_status=statuses,
        by_time=[sum(column) for column in zip(*(part.by_time for part in parts), strict=True)],
        seconds=sum(part.seconds for part in parts),
    )
    total = together.total
    return Hour(
        at=at,
        calls=total,
        mean_ms=1000 * together.seconds / total if total else 0.0,
        most_ms=1000 * (together.slower_than(0.95) or 0.0),
        errors=sum(n for status, n in statuses.items() if not status.startswith("2")),
    )


_MOST: Final = 100_000
COUNTS: Final = ("files", "rows", *(outcome.value for outcome in Outcome))
HEAD: Final = (
    *("courier", "files", "first_file", "expected_by", "late", "rows"),
    *(outcome.value for outcome in Outcome),
    "left_to_do",
)


class CourierDay(Totals, frozen=True, kw_only=True):
    """A courier on a day. ``late``: no file had come by the time it was expected.

    ``left_to_do``: rows of that day's files that need a person now.
    """

    courier: str
    title: str
    first_file_at: datetime | None
    expected_by: datetime | None
    late: bool
    left_to_do: int


def couriers_on(site: Site, totals: DropTotals, day: date) -> list[CourierDay]:
    """Return every courier that sent something on a day, or should have."""
    by_courier: dict[str, list[Sums]] = defaultdict(list)
    for each in totals.sums():
        if each.day == day:
            by_courier[each.courier].append(each)
    since, until = totals.span_of(day.isoformat())
    search = Search(since=since, until=until, to_do=True, limit=_MOST)
    left: Counter[str] = Counter()
    for line in site.ledger.overview.search(search):
        left[line.courier] += line.need
    found = []
    for name in sorted(
        {*by_courier, *(n for n, p in site.profiles.items() if p.expect is not None)}
    ):
        one = _of_courier(site, name, day, by_courier.get(name, ()), left[name])
        if one.files or one.expected_by is not None:
            found.append(one)
    return found


def _of_courier(site: Site, name: str, day: date, its: Sequence[Sums], left: int) -> CourierDay:
    profile = site.profiles.get(name)
    first = min((each.first for each in its if each.first), default=None)
    expected = _expected(site, profile, day) if profile is not None else None
    over = expected is not None and site.clock.now() > expected
    return CourierDay(
        courier=name,
        title=profile.title if profile else name,
        files=_files(its),
        first_file_at=first,
        expected_by=expected,
        late=over and expected is not None and (first is None or first > expected),
        rows=_rows(its),
        left_to_do=left,
    )


def _expected(site: Site, profile: Profile, day: date) -> datetime | None:
    expect = profile.expect
    if expect is None or day.weekday() not in expect.days:
        return None
    zone = ZoneInfo(profile.zone or site.settings.manifest.timezone)
    return datetime.combine(day, expect.by, zone)


def as_csv(lines: Iterable[Sequence[object]]) -> bytes:
    """Return a table as a spreadsheet opens it."""
    made = io.StringIO()
    csv.writer(made).writerows(lines)
    return made.getvalue().encode("utf-8-sig")


def counts_of(totals: Totals) -> Sequence[int]:
    """Return the cells of ``COUNTS``."""
    return totals.files, totals.total, *(totals.rows.get(each.value, 0) for each in Outcome)


def day_as_csv(site: Site, lines: Sequence[CourierDay]) -> bytes:
    """Return a day as a spreadsheet opens it; times are those of the page."""
    zone = ZoneInfo(site.settings.manifest.timezone)
    found: list[Sequence[object]] = [HEAD]
    for each in lines:
        times = (
            f"{when.astimezone(zone):%Y-%m-%d %H:%M}" if when else ""
            for when in (each.first_file_at, each.expected_by)
        )
        late = "yes" if each.late else ("no" if each.expected_by else "")
        files, *rows = counts_of(each)
        found.append((each.courier, files, *times, late, *rows, each.left_to_do))
    return as_csv(found)
