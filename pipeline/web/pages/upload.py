"""Upload files: check them first or send them at once, then watch them."""

import threading
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query, Request, params
from pydantic import Field
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response

from pipeline.core.draft import Sample
from pipeline.core.errors import DropRefused, ReaderDied, UsageError
from pipeline.service.check import check_files
from pipeline.service.wiring import Site
from pipeline.validation.columns import fits
from pipeline.validation.profile_choice import choose_profile
from pipeline.web import drop_view, staging, uploads
from pipeline.web.access import Visitor
from pipeline.web.api_base import Answer, Problem, Responses, api_router
from pipeline.web.context import (
    Ctx,
    FilesByMachine,
    FormWithFiles,
    Looker,
    NotThere,
    Operator,
    WebContext,
    page,
    text_of,
)
from pipeline.web.health_bar import LATE_SECONDS
from pipeline.web.pages.drops import DropObject, drop_object
from schemas.codes import Code
from schemas.courier import GENERIC

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router)

_CHECKS: Final = threading.BoundedSemaphore(1)
"""One check at a time: it reads a whole file, and the service is to have the other processor."""


@router.get("/upload")
def upload_page(
    request: Request,
    ctx: Ctx,
    visitor: Operator,
    courier: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """Return the form. ``courier``: the one that is chosen in it."""
    return page(request, "upload.html", {**_form(ctx, ""), "chosen": courier}, visitor=visitor)


def _form(ctx: WebContext, wrong: str) -> dict[str, Any]:
    web = ctx.site.settings.web
    return {
        "couriers": [(name, p.title) for name, p in sorted(ctx.site.profiles.items())],
        "max_mb": web.max_upload_mb,
        "max_files": web.max_upload_files,
        "wrong": wrong,
        "chosen": "",
        "once": uploads.new_batch(),
    }


@router.post("/upload")
def upload_by_form(request: Request, ctx: Ctx, visitor: Operator, form: FormWithFiles) -> Response:
    """Take files: check them, or put them into the inbox."""
    try:
        kept = stage_form(ctx, form, visitor)
        if text_of(form, "what") == "check":
            check(ctx, kept)
            return went(request, f"/checks/{kept.batch}")
        once = text_of(form, "once")
        first = ctx.uploads_sent.first((once, kept.mark(ctx.site)), kept.batch)
        batch = first if once else kept.batch
        if batch == kept.batch:
            staging.send_once(ctx.site, batch)
            log.info("web.upload", user=visitor.name, batch=batch)
        else:  # the same form once more: a second click
            staging.discard(ctx.site, kept)
    except UsageError as error:
        values = _form(ctx, str(error))
        return page(request, "upload.html", values, visitor=visitor, status=422)
    return went(request, f"/uploads/{batch}")


def went(request: Request, target: str) -> Response:
    """Lead the browser on, with JavaScript or without."""
    if request.headers.get("hx-request"):
        return Response(headers={"hx-redirect": target})
    return RedirectResponse(target, status_code=303)


def stage_form(ctx: WebContext, form: FormData, visitor: Visitor) -> staging.Staged:
    """Keep the files of a form. Raises UsageError, StorageError."""
    files = [each for each in form.getlist("files") if isinstance(each, UploadFile)]
    files = [each for each in files if each.filename]
    if not files:
        raise UsageError("No file was chosen.", hint="Choose one or more files, then send.")
    return staging.stage(
        ctx.site,
        files,
        courier=text_of(form, "courier"),
        who=visitor.name or text_of(form, "who").strip()[:100],
        note=text_of(form, "note"),
    )


def check(ctx: WebContext, kept: staging.Staged) -> list[dict[str, Any]]:
    """Check the files of a form; keep the findings, and return them, an object per file."""
    checked = [check_one(ctx, kept, place) for place in range(len(kept.names))]
    staging.keep_check(ctx.site, kept, checked)
    return checked


def check_one(ctx: WebContext, kept: staging.Staged, place: int) -> dict[str, Any]:
    """Check one of the files. Raises StorageError."""
    path, courier = kept.paths(ctx.site)[place], kept.courier_of(place) or None
    with _CHECKS:
        (each,) = check_files(ctx.site, [path], courier=courier, out=None)
    return {
        "name": kept.names[place],
        "why": each.why,
        "summary": each.summary,
        "counts": {
            outcome: count
            for outcome, count in each.summary["rows"].items()
            if count and outcome != "total"
        },
        "statuses": each.more.get("statuses", ()),
        "first": each.more.get("first", ()),
        "faults": each.more.get("faults", ()),
        "may_be_of": may_be_of(ctx.site, path, kept.names[place], each.summary),
    }


@router.get("/uploads/{batch}")
def uploaded_page(
    request: Request,
    ctx: Ctx,
    visitor: Looker,
    batch: str,
    rest: Annotated[str, Query(pattern=r"^[0-9a-f]{0,60}$")] = "",
) -> Response:
    """Return the results of files that came together. ``rest``: the check of those left."""
    values = {**watched(ctx, batch), "rest": rest, "rest_files": _left(ctx, rest)}
    return page(request, "uploaded.html", values, visitor=visitor)


def _left(ctx: WebContext, rest: str) -> int:
    try:
        return len(staging.staged(ctx.site, rest).names) if rest else 0
    except NotThere:
        return 0


@router.get("/uploads/{batch}/live")
def uploaded_live(request: Request, ctx: Ctx, visitor: Looker, batch: str, v: str = "") -> Response:
    """Return only their list; 204 when nothing has changed."""
    values = watched(ctx, batch)
    if values["version"] == v:
        return Response(status_code=204)
    return page(request, "_uploaded.html", values, visitor=visitor)


def watched(ctx: WebContext, batch: str) -> dict[str, Any]:
    """Return the files of a batch, each with the drop it became. Raises NotThere."""
    found = uploads.batch_of(ctx.site, batch)
    if not found:
        raise NotThere("Nothing is known of this upload.", hint="Look among the files.")
    files = [_watched(ctx, upload_by_form) for upload_by_form in found]
    ended = all(view and view.drop.state.closed for _, view, _ in files)
    version = "-".join(
        f"{view.drop.state}.{view.progress.answered if view.progress else 0}"
        if view
        else f"waits.{zlib.crc32(why.encode())}"
        for _, view, why in files
    )
    return {"batch": batch, "files": files, "live": not ended, "version": version}


def _watched(
    ctx: WebContext, upload_by_form: uploads.Upload
) -> tuple[uploads.Upload, drop_view.DropView | None, str]:
    """Return a file, the drop it became, and why there is none yet."""
    drop = uploads.drop_of(ctx.site, upload_by_form)
    if drop is None:
        return upload_by_form, None, _why_not(ctx, upload_by_form)
    return upload_by_form, drop_view.view_of(ctx.site, drop), ""


def _why_not(ctx: WebContext, upload_by_form: uploads.Upload) -> str:
    """Return why a file is not taken, once that is worth a word."""
    at = datetime.fromisoformat(upload_by_form.at)
    if (ctx.site.clock.now() - at).total_seconds() < LATE_SECONDS and ctx.health_bar.health().alive:
        return ""
    files = ctx.health_bar.waiting().files
    stem = upload_by_form.name.rpartition(".")[0]
    numbered = f"{stem} ("  # a number is added to a name that is there already
    fits = [
        each
        for each in files
        if each.folder == upload_by_form.folder
        and each.size == upload_by_form.size
        and (each.name == upload_by_form.name or each.name.startswith(numbered))
    ]
    if not fits:
        return "It was taken out of the inbox just now, and is being read."
    return f"Not read yet. {fits[0].why}"


_MOST: Final = 4
"""Couriers that are offered; headings that fit more say nothing."""


def may_be_of(site: Site, path: Path, name: str, summary: Mapping[str, Any]) -> Sequence[str]:
    """Return the couriers that fit a file's headings, without the one that it was read as.

    Of a file whose columns were not recognised, those whose profiles cover all required columns.
    """
    refused = summary["refused"]
    if refused is None:
        headings: Sequence[str] = [
            heading
            for sheet in summary.get("columns") or ()
            for heading in (*(each["column"] for each in sheet["used"]), *sheet["unused"])
        ]
        choice = choose_profile(
            headings, file_name=name, named=None, profiles=site.profiles, default=GENERIC
        )
        found = [choice.profile.name]
    elif refused["code"] == Code.HEADER_NOT_FOUND:
        headings = _headings(site, path)
        found = [each.name for each in site.profiles.values() if fits(headings, each, guess=False)]
    else:
        return ()
    others = [each for each in found if each not in {GENERIC, summary.get("courier", "")}]
    return others if len(others) <= _MOST else ()


def _headings(site: Site, path: Path) -> Sequence[str]:
    try:
        draft = site.readers.draft(Sample(path=path, name="new", title="New"))
    except (DropRefused, ReaderDied, UsageError):
        return ()
    return [each.heading for each in draft.seen]


Batch = Annotated[str, params.Path(pattern=r"^[0-9a-f]{1,60}$")]
TOO_LARGE: Final[Responses] = {
    413: {"description": "Larger than web.max_upload_mb.", "content": {"text/plain": {}}},
    400: {"model": Problem, "description": "The body is not a form."},
}
UPLOAD_BODY: Final[dict[str, Any]] = {
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


@api.post("/drops", status_code=202, openapi_extra=UPLOAD_BODY, responses=TOO_LARGE)
def upload(ctx: Ctx, visitor: Operator, form: FilesByMachine) -> UploadObject:
    """Put files into the inbox; the service takes them at its next scan."""
    kept = stage_form(ctx, form, visitor)
    staging.send_once(ctx.site, kept.batch)
    return upload_object(ctx, kept.batch)


@api.get("/uploads/{upload}")
def uploaded(ctx: Ctx, _visitor: Looker, upload: Batch) -> UploadObject:
    """Return the results of files that were uploaded together."""
    return upload_object(ctx, upload)


def upload_object(ctx: WebContext, batch: str) -> UploadObject:
    """Return the files of a batch as the JSON API shows them. Raises NotThere."""
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
