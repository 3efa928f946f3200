"""Reports of the last days and of one day: charts, the tables they are drawn from, CSV, JSON."""

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, InstanceOf, PlainSerializer
from starlette.responses import RedirectResponse, Response

from pipeline.core.drop_lines import Search
from pipeline.service.health_file import Calls, read_minutes
from pipeline.service.wiring import Site
from pipeline.web.api_base import Answer, Text, api_router
from pipeline.web.context import Ctx, Looker, page
from pipeline.web.totals import Counted, DropTotals, Sums, day_named, newest
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.vocabulary import Outcome

router = APIRouter(include_in_schema=False)
api = api_router(router)

_PROBLEMS: Final = 15
_HOURS: Final = 48
_OF_FILES: Final = {Kind.REFUSE, Kind.NOTICE}
_MOST: Final = 100_000
COUNTS: Final = ("files", "rows", *(outcome.value for outcome in Outcome))
HEAD: Final = (
    *("courier", "files", "first_file", "expected_by", "late", "rows"),
    *(outcome.value for outcome in Outcome),
    "left_to_do",
)
Days = Annotated[int, Query(ge=1, le=366)]
Courier = Annotated[str, Query(max_length=60)]
_FILES: Final = 500
Day = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-28"])]


def _rounded(digits: int) -> PlainSerializer:
    return PlainSerializer(lambda number: round(number, digits), return_type=float)


class TotalsObject(Answer):
    """Files, their rows by outcome, and the share of rows that had to be corrected, in per cent."""

    files: int
    rows: dict[Outcome, int] = Field(description="Outcomes without rows are left out.")
    to_correct_percent: Annotated[float, _rounded(2)]

    @property
    def total(self) -> int:
        """Return all its rows."""
        return sum(self.rows.values())


class DayReport(TotalsObject):
    """One day. Seconds: from the arrival of a file to its end; null: no file was finished."""

    day: date
    typical_seconds: float | None
    longest_seconds: float | None


class CourierReport(TotalsObject):
    """One courier. ``courier``: empty where none was recognised."""

    courier: Text


class ProblemReport(Answer):
    """A fault, and how often it came. ``drops``: files that have it, the newest first."""

    code: str
    said: str
    count: int
    of: Literal["rows", "files"]
    drops: list[
        Annotated[InstanceOf[Counted], PlainSerializer(attrgetter("drop_id"), return_type=str)]
    ]


class HourReport(Answer):
    """The calls of an hour. ``most_ms``: 95 % were answered sooner."""

    at: datetime
    calls: int
    mean_ms: Annotated[float, _rounded(1)]
    most_ms: Annotated[float, _rounded(1)]
    errors: int


class ReportObject(Answer):
    """The last days: in all, and by day, courier and fault; and as many days before them."""

    total: TotalsObject
    before: TotalsObject = Field(description="As many days before.")
    days: list[DayReport] = Field(description="The newest first, also those without files.")
    couriers: list[CourierReport] = Field(description="The one with the most rows first.")
    problems: list[ProblemReport] = Field(description="The most frequent first.")
    hours: list[HourReport] = Field(description="Calls of the last two days, the newest first.")
    named: frozenset[Text] = Field(exclude=True)


def report_of(site: Site, totals: DropTotals, days: int, courier: str = "") -> ReportObject:
    """Return the counts of the last days, of one courier or of all."""
    courier = courier.replace("\x00", "")
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
    by_courier: dict[str, list[Sums]] = defaultdict(list)
    for each in now:
        by_courier[each.courier].append(each)
    couriers = [CourierReport(courier=name, **_totals(its)) for name, its in by_courier.items()]
    return ReportObject(
        total=TotalsObject(**_totals(now)),
        before=TotalsObject(**_totals(before)),
        days=[_of_day(day, by_day.get(day, ())) for day in dates],
        couriers=sorted(couriers, key=lambda each: -each.total),
        problems=_problems(now),
        hours=_hours(site),
        named=frozenset(each.courier for each in everything if each.courier),
    )


def _totals(some: Iterable[Sums]) -> dict[str, Any]:
    """Return the fields of ``TotalsObject``."""
    files, rows = 0, Counter[str]()
    for each in some:
        files += each.files
        rows.update(each.rows)
    total = rows.total()
    share = 100 * rows[Outcome.REJECTED.value] / total if total else 0.0
    return {"files": files, "rows": rows, "to_correct_percent": share}


def _of_day(day: date, its: Sequence[Sums]) -> DayReport:
    seconds = [second for each in its for second in each.seconds]
    return DayReport(
        day=day,
        typical_seconds=statistics.median(seconds) if seconds else None,
        longest_seconds=max(seconds, default=None),
        **_totals(its),
    )


def _problems(some: Sequence[Sums]) -> list[ProblemReport]:
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
            ProblemReport(
                code=code,
                said=known.what if known else code,
                count=count,
                of="files" if known is not None and known.kind in _OF_FILES else "rows",
                drops=list(newest(drops[code])),
            )
        )
    return found


def _hours(site: Site) -> list[HourReport]:
    """Return the calls of the last two days by the hour, the newest first."""
    now = site.clock.now()
    parts: dict[datetime, list[Calls]] = defaultdict(list)
    for back in range(_HOURS // 24, -1, -1):
        for minute, calls in read_minutes(site.root / "state", (now - timedelta(days=back)).date()):
            if now - minute < timedelta(hours=_HOURS):
                local = minute.astimezone(site.zone)
                parts[local.replace(minute=0, second=0, microsecond=0)].append(calls)
    return [_hour(at, parts[at]) for at in sorted(parts, reverse=True)]


def _hour(at: datetime, parts: Sequence[Calls]) -> HourReport:
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.by_status)
    together = Calls(
        by_status=statuses,
        by_time=[sum(column) for column in zip(*(part.by_time for part in parts), strict=True)],
        seconds=sum(part.seconds for part in parts),
    )
    total = together.total
    return HourReport(
        at=at,
        calls=total,
        mean_ms=1000 * together.seconds / total if total else 0.0,
        most_ms=1000 * (together.slower_than(0.95) or 0.0),
        errors=sum(n for status, n in statuses.items() if not status.startswith("2")),
    )


class CourierOnDay(Answer):
    """A courier on a day. ``late``: no file had come by the time it was expected."""

    courier: str
    title: str = Field(exclude=True)
    files: int
    first_file_at: datetime | None
    expected_by: datetime | None
    late: bool
    rows: dict[str, int] = Field(description="By outcome.")
    left_to_do: int

    @property
    def total(self) -> int:
        """Return all its rows."""
        return sum(self.rows.values())


def couriers_on(site: Site, totals: DropTotals, day: date) -> list[CourierOnDay]:
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


def _of_courier(site: Site, name: str, day: date, its: Sequence[Sums], left: int) -> CourierOnDay:
    profile = site.profiles.get(name)
    first = min((each.first for each in its if each.first), default=None)
    expected = _expected(site, profile, day) if profile is not None else None
    over = expected is not None and site.clock.now() > expected
    return CourierOnDay(
        courier=name,
        title=profile.title if profile else name,
        files=sum(each.files for each in its),
        first_file_at=first,
        expected_by=expected,
        late=over and expected is not None and (first is None or first > expected),
        rows=sum((each.rows for each in its), Counter[str]()),
        left_to_do=left,
    )


def _expected(site: Site, profile: Profile, day: date) -> datetime | None:
    expect = profile.expect
    if expect is None or day.weekday() not in expect.days:
        return None
    return datetime.combine(day, expect.by, site.zone_of(profile))


def counts_of(totals: TotalsObject | CourierOnDay) -> Sequence[int]:
    """Return the cells of ``COUNTS``."""
    return totals.files, totals.total, *(totals.rows.get(each, 0) for each in Outcome)


@router.get("/reports")
def reports_page(
    request: Request, ctx: Ctx, visitor: Looker, days: Days = 14, courier: Courier = ""
) -> Response:
    """Show the counts of the last days, of all couriers or one."""
    report = report_of(ctx.site, ctx.totals, days, courier)
    values: dict[str, Any] = {
        "days": days,
        "courier": courier,
        "couriers": sorted({*ctx.site.profiles, *report.named}),
        "report": report,
    }
    return page(request, "reports.html", values, visitor=visitor)


@router.get("/pictures")
def former_address(request: Request) -> Response:
    """Lead on to where the page is now."""
    return RedirectResponse(f"/reports?{request.url.query}".rstrip("?"), status_code=308)


@router.get("/reports/days.csv")
def days_csv(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> Response:
    """Give files and rows per day as CSV, the newest first."""
    report = report_of(ctx.site, ctx.totals, days, courier)
    lines = [
        (
            *(each.day.isoformat(), *counts_of(each)),
            "" if each.typical_seconds is None else f"{each.typical_seconds:.1f}",
        )
        for each in report.days
    ]
    return _csv("days", [("day", *COUNTS, "typical_seconds"), *lines])


@router.get("/reports/couriers.csv")
def couriers_csv(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> Response:
    """Give rows per courier as CSV."""
    report = report_of(ctx.site, ctx.totals, days, courier)
    lines = [(each.courier, *counts_of(each)) for each in report.couriers]
    return _csv("couriers", [("courier", *COUNTS), *lines])


def _csv(name: str, lines: Iterable[Sequence[object]]) -> Response:
    """Return a table as a spreadsheet opens it."""
    made = io.StringIO()
    csv.writer(made).writerows(lines)
    headers = {"content-disposition": f'attachment; filename="shipdrop-{name}.csv"'}
    return Response(made.getvalue().encode("utf-8-sig"), media_type="text/csv", headers=headers)


@router.get("/days/{day}")
def day_page(request: Request, ctx: Ctx, visitor: Looker, day: Day) -> Response:
    """Show a day: couriers, then its files."""
    named = day_named(day)
    since, until = ctx.totals.span_of(day)
    lines = couriers_on(ctx.site, ctx.totals, named)
    files = ctx.site.ledger.overview.search(
        Search(since=since, until=until, limit=_FILES, group_corrections=True, backward=True)
    )
    today = ctx.totals.today()
    values = {
        "day": named,
        "lines": lines,
        "files": files,
        "hits": ctx.site.ledger.overview.hits(
            Search(since=since, until=until, group_corrections=True)
        ),
        "before": named - timedelta(days=1) if named.year > 1 else None,
        "after": named + timedelta(days=1) if named < today else None,
    }
    return page(request, "day.html", values, visitor=visitor)


@router.get("/days/{day}/couriers.csv")
def day_csv(ctx: Ctx, _visitor: Looker, day: Day) -> Response:
    """Give a day's couriers as CSV; times are those of the page."""
    lines: list[Sequence[object]] = [HEAD]
    for each in couriers_on(ctx.site, ctx.totals, day_named(day)):
        times = (
            f"{when.astimezone(ctx.site.zone):%Y-%m-%d %H:%M}" if when else ""
            for when in (each.first_file_at, each.expected_by)
        )
        late = "yes" if each.late else ("no" if each.expected_by else "")
        files, *rows = counts_of(each)
        lines.append((each.courier, files, *times, late, *rows, each.left_to_do))
    return _csv(day, lines)


@api.get("/reports")
def reports(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> ReportObject:
    """Return the totals of the last days, of all couriers or one."""
    return report_of(ctx.site, ctx.totals, days, courier)


class DayObject(Answer):
    """A day where the manifests come from."""

    day: str
    couriers: list[CourierOnDay]


@api.get("/days/{day}")
def day_of(ctx: Ctx, _visitor: Looker, day: Day) -> DayObject:
    """Return a day by courier: files, rows, late files, and rows left to do."""
    found = couriers_on(ctx.site, ctx.totals, day_named(day))
    return DayObject(day=day, couriers=found)
