"""The JSON API: drops, uploads, results; described by OpenAPI at ``/api/v1/openapi.json``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from msgspec.structs import replace

from pipeline.core.model import DropState
from pipeline.core.ports import DropLine, Search
from pipeline.service.order_history import trace_order
from pipeline.web import drop_view, staging, uploads, words
from pipeline.web.api_models import (
    Asked,
    CheckChange,
    CheckedFile,
    CheckObject,
    DropList,
    DropObject,
    HealthObject,
    OrderObject,
    Problem,
    ProgressObject,
    RowList,
    RowObject,
    UploadedFile,
    UploadObject,
)
from pipeline.web.context import (
    ByMachine,
    Ctx,
    FilesByMachine,
    Looker,
    NotThere,
    Operator,
    WebContext,
)
from pipeline.web.correct_rows.table import line_of
from pipeline.web.pages.checks import leave, read_as
from pipeline.web.pages.upload import check, stage_form
from schemas.vocabulary import Outcome

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        401: "No token, or one that is not known.",
        403: "The right operate is missing, or another site sent this.",
        404: "There is no such thing.",
        422: "The request is wrong.",
        503: "A folder or the ledger cannot be used now.",
    }.items()
}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

DropId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,60}$", examples=["d20261123t144123123k7qz"])]
Batch = Annotated[str, Path(pattern=r"^[0-9a-f]{1,60}$")]
_TOO_LARGE: Final[dict[int | str, dict[str, Any]]] = {
    413: {"description": "Larger than web.max_upload_mb.", "content": {"text/plain": {}}},
    400: {"model": Problem, "description": "The body is not a form."},
}
LATER: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "The drop is finished: there is nothing left to do."}
}
_UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "additionalProperties": False,
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        },
                        "courier": {"type": "string", "description": "Empty: recognise it."},
                        "note": {"type": "string", "maxLength": 1000},
                        "who": {"type": "string", "maxLength": 100},
                    },
                }
            }
        },
    }
}


def drop_object(ctx: WebContext, drop: DropLine) -> DropObject:
    """Return a drop as the API tells it."""
    far = drop_view.progress_of(ctx.site, drop)
    return DropObject(
        drop_id=drop.drop_id,
        source_file=plain(drop.source_file),
        folder=plain(drop.folder),
        state=drop.state,
        courier=drop.courier,
        received_at=drop.received_at,
        finished_at=drop.finished_at,
        size=drop.size,
        sha256=drop.sha256,
        parent=drop.parent,
        same_as=drop.same_as,
        request=drop.request or None,
        read_again_as=drop.again_as,
        verdict=plain(words.headline(drop, far[0] if far else None)),
        progress=ProgressObject(answered=far[0].answered, total=far[0].total) if far else None,
        need=drop.need,
        corrected=drop.fixed,
        set_aside=drop.aside,
        summary=dict(drop.summary) if drop.summary else None,
        tidied_at=datetime.fromisoformat(drop.tidied_at) if drop.tidied_at else None,
    )


def plain(text: str) -> str:
    """Return the text as JSON can hold it: a file's name need not be UTF-8."""
    return text.encode("utf-8", "replace").decode()


@router.get("/drops")
def drops(
    ctx: Ctx,
    _visitor: Looker,
    *,
    q: Annotated[str, Query(max_length=200, description="In the file's name or drop id.")] = "",
    state: Annotated[DropState | Literal["under_way"] | None, Query()] = None,
    courier: Annotated[str, Query(max_length=60)] = "",
    needs: Annotated[Outcome | None, Query(description="An outcome it has rows of.")] = None,
    to_do: Annotated[bool, Query(description="Only with rows that need a person, or refused.")] = (
        False
    ),
    when: Annotated[
        str,
        Query(
            pattern=r"^(|today|yesterday|week|\d{4}-\d{2}-\d{2})$",
            description="Received then: today, yesterday, week (7 days), or a day.",
        ),
    ] = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DropList:
    """List drops, newest first."""
    since, until = ctx.totals.span_of(when)
    search = Search(
        words=q.replace("\x00", ""),
        state=state or "",
        courier=courier.replace("\x00", ""),
        needs=needs or "",
        since=since,
        until=until,
        to_do=to_do,
    )
    found = ctx.site.ledger.search(replace(search, before=before, limit=limit + 1))
    shown = found[:limit]
    more = shown[-1].seq if len(found) > limit else None
    return DropList(
        drops=[drop_object(ctx, drop) for drop in shown],
        next=more,
        hits=ctx.site.ledger.hits(search),
    )


@router.post("/drops", status_code=202, openapi_extra=_UPLOAD_BODY, responses=_TOO_LARGE)
def upload(ctx: Ctx, visitor: Operator, form: FilesByMachine) -> UploadObject:
    """Put files into the inbox; the service takes them at its next scan."""
    kept = stage_form(ctx, form, visitor)
    staging.send_once(ctx.site, kept.batch)
    return _upload(ctx, kept.batch)


@router.post("/checks", openapi_extra=_UPLOAD_BODY, responses=_TOO_LARGE)
def check_files(ctx: Ctx, visitor: Operator, form: FilesByMachine) -> CheckObject:
    """Check files: how each would be read and what would be sent. Nothing is sent."""
    kept = stage_form(ctx, form, visitor)
    return _check(kept, check(ctx, kept))


@router.get("/checks/{check}")
def checked(ctx: Ctx, _visitor: Operator, check: Batch) -> CheckObject:
    """Show again what a check found, as long as its files wait to be sent."""
    kept = staging.staged(ctx.site, check)
    return _check(kept, staging.check_of(ctx.site, kept))


@router.patch("/checks/{check}/files/{place}")
def change_check(
    ctx: Ctx,
    _visitor: ByMachine,
    check: Batch,
    place: Annotated[int, Path(ge=0, le=1000)],
    change: CheckChange,
) -> CheckObject:
    """Read a file of a check as another courier's, leave it out of what is sent, or put it back."""
    if change.left_out is not None:
        leave(ctx, check, place, out=change.left_out)
    if change.courier is not None:
        read_as(ctx, check, place, change.courier)
    kept = staging.staged(ctx.site, check)
    if place >= len(kept.names):
        raise NotThere("There is no such file in this check.")
    return _check(kept, staging.check_of(ctx.site, kept))


@router.post("/checks/{check}/send", status_code=202)
def send_checked(ctx: Ctx, _visitor: ByMachine, check: Batch) -> UploadObject:
    """Put files into the inbox that were checked; asked for again, it is done once."""
    staging.send_once(ctx.site, check)
    return _upload(ctx, check)


def _check(kept: staging.Staged, checked: Sequence[Mapping[str, Any]]) -> CheckObject:
    files = [
        CheckedFile(
            left_out=place in kept.left_out,
            name=plain(each["name"]),
            courier=each["summary"]["courier"] or "",
            why=plain(each["why"]),
            refused=each["summary"]["refused"],
            rows=each["summary"]["rows"],
            columns=each["summary"].get("columns") or [],
            statuses=list(each["statuses"]),
            first=list(each["first"]),
            errors=each["summary"]["errors"],
            warnings=each["summary"]["warnings"],
        )
        for place, each in enumerate(checked)
    ]
    return CheckObject(check=kept.batch, files=files)


@router.get("/uploads/{upload}")
def uploaded(ctx: Ctx, _visitor: Looker, upload: Batch) -> UploadObject:
    """Tell what became of files that were uploaded together."""
    return _upload(ctx, upload)


def _upload(ctx: WebContext, batch: str) -> UploadObject:
    found = uploads.batch_of(ctx.site, batch)
    if not found:
        raise NotThere("Nothing is known of this upload.")
    files = []
    for each in found:
        drop = uploads.drop_of(ctx.site, each)
        files.append(
            UploadedFile(
                name=each.name,
                sha256=each.sha256,
                at=datetime.fromisoformat(each.at),
                drop=drop_object(ctx, drop) if drop else None,
            )
        )
    return UploadObject(upload=batch, files=files)


@router.get("/drops/{drop_id}")
def drop(ctx: Ctx, _visitor: Looker, drop_id: DropId) -> DropObject:
    """Show one drop."""
    return drop_object(ctx, line_of(ctx, drop_id))


@router.get("/drops/{drop_id}/results")
def results(
    ctx: Ctx,
    _visitor: Looker,
    drop_id: DropId,
    outcome: Annotated[Outcome | None, Query()] = None,
    code: Annotated[str, Query(max_length=100, description="As in `codes`.")] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> RowList:
    """Show a drop's rows, a page at a time, as far as they were reported."""
    path = drop_view.outbox_file(ctx.site, line_of(ctx, drop_id), "results")
    if not path.is_file():
        raise NotThere("There is no results file of this drop in the outbox.")
    found = drop_view.rows_of(ctx.files, path, outcome=outcome or "", code=code, page=page)
    rows = [
        RowObject(
            row=int(row.number),
            sheet=row.sheet,
            order_id=row.order_id,
            awb=row.awb,
            source_status=row.source_status,
            order_status=row.order_status,
            outcome=Outcome(row.outcome),
            codes=list(row.codes),
            message=row.message,
            sent_at=row.sent_at,
        )
        for row in found.rows
    ]
    return RowList(rows=rows, total=found.total, page=found.page, pages=found.pages)


@router.post("/drops/{drop_id}/{wish}", status_code=202, responses=LATER)
def ask(
    ctx: Ctx, visitor: ByMachine, drop_id: DropId, wish: Literal["retry", "cancel", "again"]
) -> Asked:
    """Ask the service to send what is left, to stop sending it, or to read the file again."""
    found = line_of(ctx, drop_id)
    drop_view.ask(ctx.site, found, wish, visitor.name)
    return Asked(drop_id=found.drop_id, request=wish)


@router.get("/orders/{order_id}")
def order(
    ctx: Ctx, _visitor: Looker, order_id: Annotated[str, Path(min_length=1, max_length=100)]
) -> OrderObject:
    """Tell all that was read, sent and answered for an order, as `trace` does."""
    seen = trace_order(ctx.site, order_id)
    if not seen:
        raise NotThere("No file named this order.")
    return OrderObject(order_id=order_id, seen=seen)


@router.get("/health")
def health(ctx: Ctx, _visitor: Looker) -> HealthObject:
    """Tell how things stand."""
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
