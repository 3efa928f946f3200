"""The JSON API of reports: what the last days came to, as the page and its CSV show it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from pipeline.web.api_models import (
    CourierReport,
    DayReport,
    HourReport,
    ProblemReport,
    ReportObject,
    TotalsObject,
)
from pipeline.web.front import AtFront, Looker
from pipeline.web.pages.api import PROBLEMS, plain
from pipeline.web.pages.reports import Courier, Days
from pipeline.web.reports import Totals, hours_of, report_of

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get("/reports")
def reports(
    front: AtFront, _visitor: Looker, days: Days = 14, courier: Courier = ""
) -> ReportObject:
    """Tell what the last days came to, of all couriers or one."""
    report = report_of(front.tally, days, courier.replace("\x00", ""))
    return ReportObject(
        total=TotalsObject(**_totals(report)),
        before=TotalsObject(**_totals(report.earlier)),
        days=[
            DayReport(
                **_totals(each),
                day=each.day,
                typical_seconds=each.typical,
                longest_seconds=max(each.seconds, default=None),
            )
            for each in report.days
        ],
        couriers=[
            CourierReport(**_totals(each), courier=plain(each.courier)) for each in report.couriers
        ],
        problems=[
            ProblemReport(
                code=each.code,
                said=each.said,
                count=each.count,
                of="files" if each.of_files else "rows",
                drops=[drop.drop_id for drop in each.drops],
            )
            for each in report.problems
        ],
        hours=[
            HourReport(
                at=each.at,
                calls=each.calls,
                mean_ms=round(each.mean, 1),
                most_ms=round(each.most, 1),
                errors=each.errors,
            )
            for each in hours_of(front.site)
        ],
    )


def _totals(of: Totals) -> Mapping[str, Any]:
    share = round(of.share, 2)
    return {"files": of.files, "rows": dict(of.rows), "to_correct_percent": share}
