"""The JSON API of couriers: who there is, the words they were taught, reports of their days."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field

from pipeline.web.api_base import LATER, Answer, Order, api_router
from pipeline.web.context import ByMachine, Ctx, Looker
from pipeline.web.courier_view import expect
from pipeline.web.pages.reports import Courier, Days
from pipeline.web.reports import ReportObject, report_of
from pipeline.web.teaching.profile_files import Word, forget, learned, remember
from pipeline.web.totals import couriers
from schemas.courier import DAYS

router = api_router()

Name = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,60}$", examples=["delhivery"])]


class CourierObject(Answer):
    """A courier that has a profile. ``due``: the time that was missed."""

    name: str
    title: str
    late: bool
    due: datetime | None
    last_drop: str | None


class CourierList(Answer):
    """All couriers, the late ones first."""

    couriers: list[CourierObject]


class Taught(Order):
    """A word and its meaning."""

    said: str = Field(min_length=1, max_length=200, description="As the courier writes it.")
    means: str = Field(
        min_length=1,
        max_length=200,
        description="A status the courier's profile knows, a milestone, or no_milestone.",
    )
    who: str = Field(default="", max_length=100, description="Without users: who teaches it.")


class WordObject(Answer):
    """A word that somebody taught."""

    said: str
    order_status: str = Field(description="The milestone; empty: nothing is reported.")
    means: str = Field(description="The milestone, no_milestone, or ambiguous: rows come back.")
    who: str
    at: datetime


class WordList(Answer):
    """The words that people taught for a courier."""

    words: list[WordObject]


class Expected(Order):
    """When a courier's files are to come, in its own zone."""

    by: str = Field(default="", pattern=r"^$|^([01][0-9]|2[0-3]):[0-5][0-9]$")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], max_length=7, description="Empty: every day."
    )
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


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
    return report_of(ctx.site, ctx.totals, days, courier)
