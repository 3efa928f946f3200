"""The JSON API of couriers: who there is, the words they were taught, reports of their days."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from pipeline.web.api_models import (
    CourierList,
    CourierObject,
    CourierReport,
    DayReport,
    Expected,
    HourReport,
    ProblemReport,
    ReportObject,
    Taught,
    TotalsObject,
    WordList,
    WordObject,
)
from pipeline.web.context import ByMachine, Ctx, Looker
from pipeline.web.courier_view import expect
from pipeline.web.pages.api import LATER, PROBLEMS, plain
from pipeline.web.pages.reports import Courier, Days
from pipeline.web.profile_files import Word, forget, learned, remember
from pipeline.web.reports import Totals, hours_of, report_of
from pipeline.web.totals import couriers
from schemas.courier import DAYS

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,60}$", examples=["delhivery"])]


@router.get("/couriers")
def all_couriers(ctx: Ctx, _visitor: Looker) -> CourierList:
    """List the couriers, the late ones first."""
    found = couriers(ctx.site, ctx.totals)
    return CourierList(
        couriers=[
            CourierObject(
                name=each.profile.name,
                title=each.profile.title,
                late=each.late,
                due=each.due,
                last_drop=each.last.drop_id if each.last else None,
            )
            for each in found
        ]
    )


@router.get("/couriers/{name}/words")
def words(ctx: Ctx, _visitor: Looker, name: Name) -> WordList:
    """List the status words that people taught for a courier, the newest first."""
    return WordList(words=[_word_object(each) for each in learned(ctx.site, name)])


@router.put("/couriers/{name}/words", responses=LATER)
def teach(ctx: Ctx, visitor: ByMachine, name: Name, word: Taught) -> WordObject:
    """Teach a word, or give one that was taught another meaning."""
    who = visitor.name or word.who
    return _word_object(remember(ctx.site, name, said=word.said, means=word.means, who=who))


@router.delete("/couriers/{name}/words", responses=LATER)
def unteach(
    ctx: Ctx,
    visitor: ByMachine,
    name: Name,
    said: Annotated[str, Query(min_length=1, max_length=200)],
) -> WordObject:
    """Forget a word that was taught; rows that were sent with it are not changed."""
    return _word_object(forget(ctx.site, name, said, who=visitor.name))


@router.put("/couriers/{name}/expected", responses=LATER)
def expected(ctx: Ctx, visitor: ByMachine, name: Name, when: Expected) -> Expected:
    """Say when a courier's files are to come; an empty `by`: at no set time."""
    days = tuple(day for day in DAYS if day in when.days)
    expect(ctx.site, name, by=when.by, days=days, who=visitor.name or when.who)
    return when


def _word_object(word: Word) -> WordObject:
    wire = "" if word.means in {"no_milestone", "ambiguous"} else word.means
    at = datetime.fromisoformat(word.at)
    return WordObject(said=word.said, order_status=wire, means=word.means, who=word.who, at=at)


@router.get("/reports")
def reports(ctx: Ctx, _visitor: Looker, days: Days = 14, courier: Courier = "") -> ReportObject:
    """Tell what the last days came to, of all couriers or one."""
    report = report_of(ctx.totals, days, courier.replace("\x00", ""))
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
            for each in hours_of(ctx.site)
        ],
    )


def _totals(of: Totals) -> Mapping[str, Any]:
    share = round(of.share, 2)
    return {"files": of.files, "rows": dict(of.rows), "to_correct_percent": share}
