"""Workers, their locks, and the waiting jobs, as ``shipdrop cluster status``."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.web.front import AtFront, Looker, NotThere, page

router = APIRouter()


@router.get("/workers")
def workers_page(request: Request, front: AtFront, visitor: Looker) -> Response:
    """Return all workers of the ledger, the oldest first."""
    health = front.strip.health()
    if health.cluster is None:
        raise NotThere("This ledger is embedded: it has no workers.")
    values = {"cluster": health.cluster, "root_id": health.root_id}
    return page(request, "workers.html", values, visitor=visitor)
