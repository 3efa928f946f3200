"""Couriers: what came of each and when, their profiles, and empty manifests to fill in."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.cli.text import describe_profile
from pipeline.core.ports import Search
from pipeline.reporting.template_xlsx import template
from pipeline.web.front import AtFront, Front, Looker, NotThere, page
from pipeline.web.lateness import couriers
from schemas.courier import Profile

router = APIRouter()

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/couriers")
def couriers_page(request: Request, front: AtFront, visitor: Looker) -> Response:
    """All couriers, the late ones first."""
    found = couriers(front.site, front.tally)
    return page(request, "couriers.html", {"couriers": found}, visitor=visitor)


@router.get("/couriers/{name}")
def courier_page(request: Request, front: AtFront, visitor: Looker, name: str) -> Response:
    """One courier: how its files are read, where to drop them, what came."""
    profile = _profile(front, name)
    (courier,) = (c for c in couriers(front.site, front.tally) if c.profile.name == name)
    described = describe_profile(profile)
    values = {
        "courier": courier,
        "described": {heading: lines for heading, lines in described.items() if lines},
        "folder": f"{front.site.inbox_path.name}/{name}/",
        "recent": front.site.ledger.search(Search(courier=name, limit=10)),
    }
    return page(request, "courier.html", values, visitor=visitor)


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
