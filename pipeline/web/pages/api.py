"""The JSON API: drops, uploads, results; described by OpenAPI at ``/api/v1/openapi.json``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from msgspec.structs import replace
from pydantic import Field

from pipeline.core.drop_lines import DropLine, Search
from pipeline.core.model import DropState
from pipeline.service.order_history import trace_order
from pipeline.web import drop_view, staging, uploads
from pipeline.web.api_base import (
    LATER,
    Answer,
    DropId,
    Order,
    Problem,
    Responses,
    api_router,
    plain,
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
from pipeline.web.correct_rows.load import line_of
from pipeline.web.pages.checks import leave, read_as
from pipeline.web.pages.upload import check, stage_form
from schemas.vocabulary import Outcome

router = api_router()

Batch = Annotated[str, Path(pattern=r"^[0-9a-f]{1,60}$")]
_TOO_LARGE: Final[Responses] = {
    413: {"description": "Larger than web.max_upload_mb.", "content": {"text/plain": {}}},
    400: {"model": Problem, "description": "The body is not a form."},
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


class ProgressObject(Answer):
    """The progress of a drop that is being sent, in rows."""

    answered: int
    total: int


class DropObject(Answer):
    """One drop."""

    drop_id: str
    source_file: str
    folder: str = Field(description="The inbox sub-folder it was dropped into, or empty.")
    state: DropState
    courier: str
    received_at: datetime
    finished_at: datetime | None
    size: int = Field(description="Bytes.")
    sha256: str
    parent: str | None = Field(description="The drop that it corrects.")
    same_as: str | None = Field(description="An earlier drop with the same bytes.")
    request: str | None = Field(description="retry or cancel, while somebody asks for it.")
    read_again_as: str | None = Field(description="The drop that its file became when read again.")
    verdict: str = Field(description="The result, in one sentence.")
    progress: ProgressObject | None
    need: int = Field(description="Rows that need a person now: not corrected, not set aside.")
    corrected: int = Field(description="Its rows that were corrected since.")
    set_aside: int = Field(description="Its rows that somebody left as they are.")
    summary: dict[str, Any] | None = Field(description="As in summary.json.")
    tidied_at: datetime | None = Field(
        description="When its rows and details were removed, since it is old: of its summary only "
        "counts, codes and names are left."
    )


class DropList(Answer):
    """Drops, newest first."""

    drops: list[DropObject]
    next: int | None = Field(description="Give it as `before` for the older ones; null: no more.")
    hits: int = Field(description="How many there are in all.")


class UploadedFile(Answer):
    """One file of an upload, and the drop it became."""

    name: str = Field(description="As it lies in the inbox; a number may be added there.")
    sha256: str
    at: datetime
    drop: DropObject | None = Field(description="Null while it waits in the inbox.")


class UploadObject(Answer):
    """Files that were uploaded together."""

    upload: str
    files: list[UploadedFile]


class Asked(Answer):
    """A request to the service; it acts on it at its next scan."""

    drop_id: str
    request: str


class OrderObject(Answer):
    """Everything known of one order, oldest first: an object per row that named it."""

    order_id: str
    seen: list[dict[str, Any]]


class HealthObject(Answer):
    """The state of the service. Ages in seconds."""

    service_is_alive: bool
    last_scan_at: datetime | None
    api: str = Field(description="ok, slowed, paused, held, or empty when no service could tell.")
    reason: str
    waiting_files: int
    oldest_waiting_seconds: float
    unsent_updates: int


class CheckedFile(Answer):
    """One file as it would be read, and the updates that would be sent."""

    name: str
    left_out: bool = Field(description="True when it is not sent with the others.")
    courier: str
    why: str = Field(description="Why it is read as this courier's.")
    refused: dict[str, Any] | None = Field(description="Why it would be refused, if so.")
    rows: dict[str, int] = Field(description="By outcome; unsent: would be sent.")
    columns: list[dict[str, Any]] = Field(description="Headings read, and those not, per sheet.")
    statuses: list[dict[str, Any]] = Field(description="Each status word: meaning, outcome, rows.")
    first: list[dict[str, Any]] = Field(description="The first updates as they would be sent.")
    errors: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class CheckChange(Order):
    """Say what is to be different with a file of a check."""

    courier: str | None = Field(default=None, max_length=60, description="Empty: recognise it.")
    left_out: bool | None = Field(default=None, description="Whether it is not to be sent.")


class CheckObject(Answer):
    """Files that were checked together. ``check``: the name to send them by."""

    check: str
    files: list[CheckedFile]


def drop_object(ctx: WebContext, drop: DropLine) -> DropObject:
    """Return a drop as the API tells it."""
    view = drop_view.view_of(ctx.site, drop)
    far = view.progress
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
        verdict=plain(view.verdict()),
        progress=ProgressObject.model_validate(far) if far else None,
        need=drop.need,
        corrected=drop.fixed,
        set_aside=drop.aside,
        summary=dict(drop.summary) if drop.summary else None,
        tidied_at=datetime.fromisoformat(drop.tidied_at) if drop.tidied_at else None,
    )


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
    found = ctx.site.ledger.overview.search(replace(search, before=before, limit=limit + 1))
    shown = found[:limit]
    more = shown[-1].seq if len(found) > limit else None
    return DropList(
        drops=[drop_object(ctx, drop) for drop in shown],
        next=more,
        hits=ctx.site.ledger.overview.hits(search),
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
) -> drop_view.RowList:
    """Show a drop's rows, a page at a time, as far as they were reported."""
    path = drop_view.outbox_file(ctx.site, line_of(ctx, drop_id), "results")
    if not path.is_file():
        raise NotThere("There is no results file of this drop in the outbox.")
    return drop_view.rows_of(ctx.files, path, outcome=outcome or "", code=code, page=page)


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
