"""Reports of the last days and of one day: pages, the tables they are drawn from, CSV, JSON."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from pipeline.core.drop_lines import Search
from pipeline.web.api_base import Answer, api_router
from pipeline.web.context import Ctx, Looker, page
from pipeline.web.reports import (
    COUNTS,
    CourierOnDay,
    ReportObject,
    as_csv,
    counts_of,
    couriers_on,
    day_as_csv,
    report_of,
)
from pipeline.web.totals import day_named

router = APIRouter(include_in_schema=False)
api = api_router(router)

Days = Annotated[int, Query(ge=1, le=366)]
Courier = Annotated[str, Query(max_length=60)]


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
    return _csv("days", as_csv([("day", *COUNTS, "typical_seconds"), *lines]))


@router.get("/reports/couriers.csv")
def couriers_csv(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> Response:
    """Give rows per courier as CSV."""
    report = report_of(ctx.site, ctx.totals, days, courier)
    lines = [(each.courier, *counts_of(each)) for each in report.couriers]
    return _csv("couriers", as_csv([("courier", *COUNTS), *lines]))


def _csv(name: str, text: bytes) -> Response:
    headers = {"content-disposition": f'attachment; filename="shipdrop-{name}.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


_MOST = 500
Day = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-28"])]


@router.get("/days/{day}")
def day_page(request: Request, ctx: Ctx, visitor: Looker, day: Day) -> Response:
    """Show a day: couriers, then its files."""
    named = day_named(day)
    since, until = ctx.totals.span_of(day)
    lines = couriers_on(ctx.site, ctx.totals, named)
    files = ctx.site.ledger.overview.search(
        Search(since=since, until=until, limit=_MOST, group_corrections=True, backward=True)
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
    """Give a day's couriers as CSV."""
    return _csv(day, day_as_csv(ctx.site, couriers_on(ctx.site, ctx.totals, day_named(day))))


@api.get("/reports")
def reports(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> ReportObject:
    """Tell what the last days came to, of all couriers or one."""
    return report_of(ctx.site, ctx.totals, days, courier)


class DayObject(Answer):
    """A day where the manifests come from."""

    day: str
    couriers: list[CourierOnDay]


@api.get("/days/{day}")
def day_of(ctx: Ctx, _visitor: Looker, day: Day) -> DayObject:
    """Tell what came of each courier on a day, what was late, and what of it is left to do."""
    found = couriers_on(ctx.site, ctx.totals, day_named(day))
    return DayObject(day=day, couriers=found)
