"""Finding an order or AWB: its whole story across files."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pipeline.web.finding import find
from pipeline.web.front import AtFront, Looker, page
from pipeline.web.words import FIELDS

router = APIRouter()


@router.get("/find")
def find_page(
    request: Request,
    front: AtFront,
    visitor: Looker,
    q: Annotated[str, Query(max_length=4_000)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Response:
    """Return the form, and what was found."""
    words = q.replace("\x00", "").strip()
    found = find(front.site, words, before) if words else None
    return page(
        request, "find.html", {"q": words, "found": found, "fields": FIELDS}, visitor=visitor
    )
