"""Couriers: their files, their profiles, and empty manifests to fill in."""

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.core.drop_lines import Search
from pipeline.reporting.template_xlsx import template
from pipeline.web import words
from pipeline.web.context import (
    Ctx,
    Form,
    Looker,
    Operator,
    lead,
    page,
    text_of,
    told_once,
)
from pipeline.web.courier_view import columns_of, expect, facts_of, next_due, words_in, words_used
from pipeline.web.teaching.profile_files import forget, last_saved, profile_of, remember
from pipeline.web.totals import couriers
from schemas.courier import DAYS, GENERIC

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

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
    zone = ctx.site.settings.manifest.timezone
    used = words_used(ctx.site, name)
    listed = words_in(ctx.site, profile, used)
    values = {
        "courier": courier,
        "facts": facts_of(profile, zone, ctx.site.clock.now()),
        "columns": columns_of(profile),
        "taught": [each for each in listed if each.at or not each.means],
        "words": [each for each in listed if not each.at and each.means],
        "used": used,
        "meanings": words.MEANINGS,
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
        message = f'"{made.said}" now means: {words.MEANINGS[made.means]}.'
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
