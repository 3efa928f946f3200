"""Couriers: their files, their profiles, and empty manifests to fill in."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from pipeline.core.ports import Search
from pipeline.reporting.template_xlsx import template
from pipeline.web import words
from pipeline.web.context import (
    Ctx,
    Looker,
    NotThere,
    Operator,
    WebContext,
    page,
    read_form,
    text_of,
)
from pipeline.web.courier_view import columns_of, expect, facts_of, next_due, words_in, words_used
from pipeline.web.profile_files import forget, last_saved, remember
from pipeline.web.templating import address
from pipeline.web.totals import couriers
from schemas.courier import DAYS, GENERIC, Profile

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

_RECENT = 20
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/couriers")
def couriers_page(request: Request, front: Ctx, visitor: Looker) -> Response:
    """Return all couriers, the late ones first."""
    found = couriers(front.site, front.totals)
    return page(request, "couriers.html", {"couriers": found}, visitor=visitor)


@router.get("/couriers/{name}")
def courier_page(
    request: Request,
    front: Ctx,
    visitor: Looker,
    name: str,
    said: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Show one courier: columns, status words, folder, files."""
    profile = _profile(front, name)
    (courier,) = (c for c in couriers(front.site, front.totals) if c.profile.name == name)
    zone = front.site.settings.manifest.timezone
    used = words_used(front.site, name)
    listed = words_in(front.site, profile, used)
    values = {
        "courier": courier,
        "facts": facts_of(profile, zone, front.site.clock.now()),
        "columns": columns_of(profile),
        "folder": f"{front.site.inbox_path.name}/{name}/",
        "taught": [each for each in listed if each.at or not each.means],
        "words": [each for each in listed if not each.at and each.means],
        "used": used,
        "meanings": words.MEANINGS,
        "said": said,
        "days": DAYS,
        "next_due": next_due(front.site, profile),
        "saved": last_saved(front.site, name),
        "can_learn": name != GENERIC,
        "recent": front.site.ledger.search(Search(courier=name, limit=_RECENT)),
    }
    return page(request, "courier.html", values, visitor=visitor)


@router.post("/couriers/{name}/words")
async def change_word(request: Request, front: Ctx, visitor: Operator, name: str) -> Response:
    """Give a word that was taught another meaning, or forget it."""
    form = await read_form(request, front, visitor)
    word = text_of(form, "word")
    if text_of(form, "go") == "forget":
        await run_in_threadpool(forget, front.site, name, word, who=visitor.name)
        message = f'"{word}" is forgotten. Rows that were sent with it are not changed.'
    else:
        means, who = text_of(form, "means"), visitor.name or text_of(form, "who").strip()
        made = await run_in_threadpool(remember, front.site, name, said=word, means=means, who=who)
        message = f'"{made.said}" now means: {words.MEANINGS[made.means]}.'
    log.info("web.word_changed", courier=name, user=visitor.name)
    target = address(f"/couriers/{name}", said=message)
    return RedirectResponse(f"{target}#learned", status_code=303)


@router.post("/couriers/{name}/expected")
async def change_expected(request: Request, front: Ctx, visitor: Operator, name: str) -> Response:
    """Say when the courier's files are to come."""
    form = await read_form(request, front, visitor)
    days = tuple(day for day in DAYS if text_of(form, f"on-{day}"))
    by, who = text_of(form, "by")[:5], visitor.name or text_of(form, "who").strip()
    made = await run_in_threadpool(expect, front.site, name, by=by, days=days, who=who)
    message = f"Files of {made.title} are expected by {by}." if by else "No time is set any more."
    log.info("web.expected", courier=name, user=visitor.name)
    target = address(f"/couriers/{name}", said=message)
    return RedirectResponse(f"{target}#expected", status_code=303)


@router.get("/couriers/{name}/template.xlsx")
def courier_template(front: Ctx, _visitor: Looker, name: str) -> Response:
    """Return an empty manifest to fill in."""
    profile = _profile(front, name)
    return Response(
        template(profile, created=front.site.clock.now()),
        media_type=_XLSX,
        headers={"content-disposition": f'attachment; filename="{profile.name}-manifest.xlsx"'},
    )


def _profile(front: WebContext, name: str) -> Profile:
    profile = front.site.profiles.get(name)
    if profile is None:
        raise NotThere("There is no courier of that name.")
    return profile
