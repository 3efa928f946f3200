"""Reports of the last days: charts, the tables they are drawn from, and CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pipeline.web.front import AtFront, Looker, page
from pipeline.web.reports import hours_of, report_of
from schemas.vocabulary import Outcome

router = APIRouter()

Days = Annotated[int, Query(ge=1, le=366)]
Courier = Annotated[str, Query(max_length=60)]


@router.get("/reports")
def reports_page(
    request: Request, front: AtFront, visitor: Looker, days: Days = 14, courier: Courier = ""
) -> Response:
    """Show the counts of the last days, of all couriers or one."""
    courier = courier.replace("\x00", "")
    report = report_of(front.tally, days, courier)
    values: dict[str, Any] = {
        "days": days,
        "courier": courier,
        "couriers": sorted({*front.site.profiles, *report.named}),
        "report": report,
        "hours": hours_of(front.site),
    }
    return page(request, "reports.html", values, visitor=visitor)


@router.get("/pictures")
def former_address(request: Request) -> Response:
    """Lead on to where the page is now."""
    return RedirectResponse(f"/reports?{request.url.query}".rstrip("?"), status_code=308)


@router.get("/reports/days.csv")
def days_csv(front: AtFront, _visitor: Looker, days: Days = 14, courier: Courier = "") -> Response:
    """Give files and rows per day as CSV, the newest first."""
    report = report_of(front.tally, days, courier.replace("\x00", ""))
    head = ("day", "files", "rows", *(outcome.value for outcome in Outcome), "typical_seconds")
    lines = [
        (
            each.day.isoformat(),
            each.files,
            each.total,
            *(each.rows.get(outcome.value, 0) for outcome in Outcome),
            "" if each.typical is None else f"{each.typical:.1f}",
        )
        for each in report.days
    ]
    return _csv("days", head, lines)


@router.get("/reports/couriers.csv")
def couriers_csv(
    front: AtFront, _visitor: Looker, days: Days = 14, courier: Courier = ""
) -> Response:
    """Give rows per courier as CSV."""
    report = report_of(front.tally, days, courier.replace("\x00", ""))
    head = ("courier", "files", "rows", *(outcome.value for outcome in Outcome))
    lines = [
        (
            each.courier,
            each.files,
            each.total,
            *(each.rows.get(outcome.value, 0) for outcome in Outcome),
        )
        for each in report.couriers
    ]
    return _csv("couriers", head, lines)


def _csv(name: str, head: Sequence[str], lines: Sequence[Sequence[object]]) -> Response:
    made = io.StringIO()
    csv.writer(made).writerows([head, *lines])
    headers = {"content-disposition": f'attachment; filename="shipdrop-{name}.csv"'}
    return Response(made.getvalue().encode("utf-8-sig"), media_type="text/csv", headers=headers)
