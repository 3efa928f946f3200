"""What supervisors and monitoring ask: alive, ready, and the measures."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from pipeline.web.front import AtFront, Looker

router = APIRouter()


@router.get("/healthz")
def healthz() -> Response:
    """Answered as long as the web page lives. Needs no log-in and tells nothing else."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
def readyz(front: AtFront) -> Response:
    """200 when files that are dropped are being worked on; 503 says by name what is not well."""
    health = front.strip.health()
    checks = {
        "service": health.alive,
        "inbox": health.inbox_is_fine and (health.scanned or not health.alive),
        "ledger": health.ledger_is_fine,
        "api": health.api != "held",
    }
    ready = all(checks.values())
    told = {"status": "ready" if ready else "not ready", "checks": checks}
    return JSONResponse(told, status_code=200 if ready else 503)


@router.get("/metrics")
def metrics(front: AtFront, _visitor: Looker) -> Response:
    """The measures, for Prometheus. Where there are users it needs the token of one."""
    return Response(front.measures.text(), media_type=CONTENT_TYPE_LATEST)
