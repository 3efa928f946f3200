"""A day as a page: per courier what came, printable, and as CSV."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.core.ports import Search
from pipeline.web.days import as_csv, couriers_on
from pipeline.web.front import AtFront, Looker, page
from pipeline.web.tally import day_named

router = APIRouter()

_MOST = 500
Day = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-28"])]


@router.get("/days/{day}")
def day_page(request: Request, front: AtFront, visitor: Looker, day: Day) -> Response:
    """Show a day: couriers, then its files."""
    named = day_named(day)
    since, until = front.tally.span_of(day)
    lines = couriers_on(front.site, front.tally, named)
    files = front.site.ledger.search(
        Search(since=since, until=until, limit=_MOST, families=True, backward=True)
    )
    today = front.tally.today()
    values = {
        "day": named,
        "lines": lines,
        "files": files,
        "hits": front.site.ledger.hits(Search(since=since, until=until, families=True)),
        "before": named - timedelta(days=1) if named.year > 1 else None,
        "after": named + timedelta(days=1) if named < today else None,
    }
    return page(request, "day.html", values, visitor=visitor)


@router.get("/days/{day}/couriers.csv")
def day_csv(front: AtFront, _visitor: Looker, day: Day) -> Response:
    """Give a day's couriers as CSV."""
    lines = couriers_on(front.site, front.tally, day_named(day))
    headers = {"content-disposition": f'attachment; filename="shipdrop-{day}.csv"'}
    return Response(as_csv(front.site, lines), media_type="text/csv", headers=headers)
