"""Couriers: what came of each and when, their profiles, and empty manifests to fill in."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from pipeline.core.ports import Search
from pipeline.reporting.template_xlsx import template
from pipeline.web import words
from pipeline.web.front import (
    AtFront,
    Front,
    Looker,
    NotThere,
    Operator,
    page,
    read_form,
    text_of,
)
from pipeline.web.lateness import couriers
from pipeline.web.remember import forget, learned, remember
from pipeline.web.templating import address
from schemas.courier import Profile
from schemas.description import describe_profile

log = structlog.get_logger(__name__)

router = APIRouter()

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/couriers")
def couriers_page(request: Request, front: AtFront, visitor: Looker) -> Response:
    """All couriers, the late ones first."""
    found = couriers(front.site, front.tally)
    return page(request, "couriers.html", {"couriers": found}, visitor=visitor)


@router.get("/couriers/{name}")
def courier_page(
    request: Request,
    front: AtFront,
    visitor: Looker,
    name: str,
    said: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """One courier: how its files are read, what it was taught, where to drop them, what came."""
    profile = _profile(front, name)
    (courier,) = (c for c in couriers(front.site, front.tally) if c.profile.name == name)
    described = describe_profile(profile)
    values = {
        "courier": courier,
        "described": {heading: lines for heading, lines in described.items() if lines},
        "folder": f"{front.site.inbox_path.name}/{name}/",
        "learned": learned(front.site, name),
        "meanings": words.MILESTONES,
        "said": said,
        "recent": front.site.ledger.search(Search(courier=name, limit=10)),
    }
    return page(request, "courier.html", values, visitor=visitor)


@router.post("/couriers/{name}/words")
async def change_word(request: Request, front: AtFront, visitor: Operator, name: str) -> Response:
    """Give a word that was taught another meaning, or forget it."""
    form = await read_form(request, front, visitor)
    word = text_of(form, "word")
    if text_of(form, "go") == "forget":
        await run_in_threadpool(forget, front.site, name, word, who=visitor.name)
        told = f'"{word}" is forgotten. Rows that were sent with it are not changed.'
    else:
        means, who = text_of(form, "means"), visitor.name or text_of(form, "who").strip()
        made = await run_in_threadpool(remember, front.site, name, said=word, means=means, who=who)
        told = f'"{made.said}" now means: {words.MILESTONES[made.means]}.'
    log.info("web.word_changed", courier=name, user=visitor.name)
    target = address(f"/couriers/{name}", said=told)
    return RedirectResponse(f"{target}#learned", status_code=303)


@router.get("/couriers/{name}/template.xlsx")
def courier_template(front: AtFront, _visitor: Looker, name: str) -> Response:
    """An empty manifest to fill in."""
    profile = _profile(front, name)
    return Response(
        template(profile, created=front.site.clock.now()),
        media_type=_XLSX,
        headers={"content-disposition": f'attachment; filename="{profile.name}-manifest.xlsx"'},
    )


def _profile(front: Front, name: str) -> Profile:
    profile = front.site.profiles.get(name)
    if profile is None:
        raise NotThere("There is no courier of that name.")
    return profile
