"""Couriers: their files, their profiles, empty manifests to fill in; what they were taught."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from pipeline.core.drop_lines import Search
from pipeline.reporting.template_xlsx import template
from pipeline.web.api_base import LATER, Answer, Order, api_router
from pipeline.web.context import (
    ByMachine,
    Ctx,
    Form,
    Looker,
    Operator,
    lead,
    page,
    text_of,
    told_once,
)
from pipeline.web.courier_view import columns_of, expect, next_due, words_in, words_used
from pipeline.web.teaching.profile_files import (
    Word,
    forget,
    last_saved,
    learned,
    profile_of,
    remember,
)
from pipeline.web.totals import couriers
from pipeline.web.words import MEANINGS
from schemas.courier import DAYS, GENERIC

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router)

_RECENT = 20
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/couriers")
def couriers_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Return all couriers, the late ones first."""
    found = couriers(ctx.site, ctx.totals)
    return page(request, "couriers.html", {"couriers": found}, visitor=visitor)


@router.get("/couriers/{name}")
def courier_page(request: Request, ctx: Ctx, visitor: Looker, name: str) -> Response:
    """Show one courier: columns, status words, folder, files."""
    profile = profile_of(ctx.site, name)
    (courier,) = (c for c in couriers(ctx.site, ctx.totals) if c.profile.name == name)
    zone = ZoneInfo(profile.zone or ctx.site.settings.manifest.timezone)
    used = words_used(ctx.site, name)
    listed = words_in(ctx.site, profile, used)
    values = {
        "courier": courier,
        "zone": f"{ctx.site.clock.now().astimezone(zone):%Z}",
        "columns": columns_of(profile),
        "taught": [each for each in listed if each.at or not each.means],
        "words": [each for each in listed if not each.at and each.means],
        "used": used,
        "meanings": MEANINGS,
        "said": told_once(request),
        "days": DAYS,
        "next_due": next_due(ctx.site, profile),
        "saved": last_saved(ctx.site, name),
        "can_learn": name != GENERIC,
        "recent": ctx.site.ledger.overview.search(Search(courier=name, limit=_RECENT)),
    }
    return page(request, "courier.html", values, visitor=visitor)


@router.post("/couriers/{name}/words")
def change_word(request: Request, ctx: Ctx, visitor: Operator, form: Form, name: str) -> Response:
    """Give a word that was taught another meaning, or forget it."""
    word = text_of(form, "word")
    if text_of(form, "go") == "forget":
        forget(ctx.site, name, word, who=visitor.name)
        message = f'"{word}" is forgotten. Rows that were sent with it are not changed.'
    else:
        means, who = text_of(form, "means"), visitor.name or text_of(form, "who").strip()
        made = remember(ctx.site, name, said=word, means=means, who=who)
        message = f'"{made.said}" now means: {MEANINGS[made.means]}.'
    log.info("web.word_changed", courier=name, user=visitor.name)
    return lead(request, f"/couriers/{name}#learned", message)


@router.post("/couriers/{name}/expected")
def change_expected(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, name: str
) -> Response:
    """Say when the courier's files are to come."""
    days = tuple(day for day in DAYS if text_of(form, f"on-{day}"))
    by, who = text_of(form, "by")[:5], visitor.name or text_of(form, "who").strip()
    made = expect(ctx.site, name, by=by, days=days, who=who)
    message = f"Files of {made.title} are expected by {by}." if by else "No time is set any more."
    log.info("web.expected", courier=name, user=visitor.name)
    return lead(request, f"/couriers/{name}#expected", message)


@router.get("/couriers/{name}/template.xlsx")
def courier_template(ctx: Ctx, _visitor: Looker, name: str) -> Response:
    """Return an empty manifest to fill in."""
    profile = profile_of(ctx.site, name)
    return Response(
        template(profile, created=ctx.site.clock.now()),
        media_type=_XLSX,
        headers={"content-disposition": f'attachment; filename="{profile.name}-manifest.xlsx"'},
    )


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


@api.get("/couriers")
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


@api.get("/couriers/{name}/words")
def words(ctx: Ctx, _visitor: Looker, name: Name) -> WordList:
    """List the status words that people taught for a courier, the newest first."""
    return WordList(words=[_word_object(each) for each in learned(ctx.site, name)])


@api.put("/couriers/{name}/words", responses=LATER)
def teach(ctx: Ctx, visitor: ByMachine, name: Name, word: Taught) -> WordObject:
    """Teach a word, or give one that was taught another meaning."""
    who = visitor.name or word.who
    return _word_object(remember(ctx.site, name, said=word.said, means=word.means, who=who))


@api.delete("/couriers/{name}/words", responses=LATER)
def unteach(
    ctx: Ctx,
    visitor: ByMachine,
    name: Name,
    said: Annotated[str, Query(min_length=1, max_length=200)],
) -> WordObject:
    """Forget a word that was taught; rows that were sent with it are not changed."""
    return _word_object(forget(ctx.site, name, said, who=visitor.name))


@api.put("/couriers/{name}/expected", responses=LATER)
def expected(ctx: Ctx, visitor: ByMachine, name: Name, when: Expected) -> Expected:
    """Say when a courier's files are to come; an empty `by`: at no set time."""
    days = tuple(day for day in DAYS if day in when.days)
    expect(ctx.site, name, by=when.by, days=days, who=visitor.name or when.who)
    return when


def _word_object(word: Word) -> WordObject:
    wire = "" if word.means in {"no_milestone", "ambiguous"} else word.means
    at = datetime.fromisoformat(word.at)
    return WordObject(said=word.said, order_status=wire, means=word.means, who=word.who, at=at)
