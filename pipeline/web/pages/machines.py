"""Addresses for supervisors and monitoring: alive, ready, measures, and the page of workers."""

from datetime import datetime

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.responses import JSONResponse, Response

from pipeline.service.health import READY
from pipeline.web.api_base import Answer, api_router
from pipeline.web.context import Ctx, Looker, NotThere, page

router = APIRouter(include_in_schema=False)
api = api_router(router)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> Response:
    """Answer as long as the web page lives. Needs no log-in and waits for nothing."""
    return JSONResponse({"status": "ok"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(ctx: Ctx) -> Response:
    """Return 200 when files that are dropped are being worked on.

    503 names the check that failed.
    """
    health = ctx.health_bar.health()
    checks = {what: health.is_fine(what) for what in READY}
    ready = all(checks.values())
    answer = {"status": "ready" if ready else "not ready", "checks": checks}
    return JSONResponse(answer, status_code=200 if ready else 503)


@router.get("/metrics")
def metrics(ctx: Ctx, _visitor: Looker) -> Response:
    """Return the measures, for Prometheus. Where there are users it needs the token of one."""
    return Response(ctx.measures.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/workers")
def workers_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Return all workers of the ledger, the oldest first."""
    health = ctx.health_bar.health()
    if health.cluster is None:
        raise NotThere("This ledger is embedded: it has no workers.")
    values = {"cluster": health.cluster, "root_id": health.root_id}
    return page(request, "workers.html", values, visitor=visitor)


class HealthObject(Answer):
    """The state of the service. Ages in seconds."""

    service_is_alive: bool
    last_scan_at: datetime | None
    api: str = Field(description="ok, slowed, paused, held, or empty when no service reports it.")
    reason: str
    waiting_files: int
    oldest_waiting_seconds: float
    unsent_updates: int


@api.get("/health")
def health(ctx: Ctx, _visitor: Looker) -> HealthObject:
    """Return the state of the service."""
    found = ctx.health_bar.health()
    health_file = found.health_file
    return HealthObject(
        service_is_alive=found.alive,
        last_scan_at=datetime.fromisoformat(health_file.scanned_at)
        if health_file and health_file.scanned_at
        else None,
        api=found.api,
        reason=health_file.reason if health_file else "",
        waiting_files=found.waiting,
        oldest_waiting_seconds=found.oldest,
        unsent_updates=found.unsent,
    )
