"""A check, one card per file: read as another courier's, left out, or sent; page and JSON."""

import threading
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from pipeline.core.drop_lines import DropLine
from pipeline.web import staging, words
from pipeline.web.api_base import Answer, Order, api_router, plain
from pipeline.web.context import (
    ByMachine,
    Ctx,
    FilesByMachine,
    Form,
    NotPossible,
    NotThere,
    Operator,
    WebContext,
    not_possible,
    page,
    text_of,
    whole_number,
)
from pipeline.web.pages.upload import (
    TOO_LARGE,
    UPLOAD_BODY,
    Batch,
    UploadObject,
    check,
    check_one,
    stage_form,
    upload_object,
    went,
)
from pipeline.web.teaching.steps import can_be_taught
from schemas.codes import Code
from schemas.courier import GENERIC
from schemas.statuses import IN_WORDS

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router)

_SENDING: Final = threading.Lock()
"""A second click must not divide the batch that the first one is sending."""


@router.get("/checks/{batch}")
def checked_page(request: Request, ctx: Ctx, visitor: Operator, batch: str) -> Response:
    """Show the findings of a check while its files are kept; then the results of the files."""
    if staging.was_sent(ctx.site, batch):
        return RedirectResponse(f"/uploads/{batch}", status_code=303)
    return page(request, "checked.html", _values(ctx, batch), visitor=visitor)


def _values(ctx: WebContext, batch: str) -> dict[str, Any]:
    kept = staging.staged(ctx.site, batch)
    checked = staging.check_of(ctx.site, kept)
    files = [_card(ctx, kept, place, each) for place, each in enumerate(checked)]
    sound = [each["place"] for each in files if each["sends"] and not each["left_out"]]
    return {
        "kept": kept,
        "files": files,
        "sound": sound,
        "left": len(files) - len(sound),
        "couriers": [
            (name, profile.title)
            for name, profile in sorted(ctx.site.profiles.items())
            if name != GENERIC
        ],
        "meanings": IN_WORDS,
        "roles": words.ROLES,
        "fields": words.FIELDS,
    }


def _card(
    ctx: WebContext, kept: staging.Staged, place: int, checked: Mapping[str, Any]
) -> dict[str, Any]:
    summary = checked["summary"]
    refused = summary["refused"]
    courier = kept.courier_of(place)
    return {
        **checked,
        "place": place,
        "courier": courier,
        "why": words.WHY.get(checked["why"], checked["why"]),
        "left_out": place in kept.left_out,
        "sends": not refused,
        "teachable": bool(refused) and can_be_taught(refused),
        "correctable": bool(refused) and refused["code"] == Code.TOO_MANY_REJECTS,
        "same": _same(ctx, summary.get("same_as")),
        "faults": _faults(checked.get("faults", ()), summary),
    }


def _same(ctx: WebContext, drop_id: str | None) -> DropLine | None:
    return next(iter(ctx.site.ledger.overview.lines([drop_id])), None) if drop_id else None


def _faults(
    columns: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the faults with the first values that have them, the most frequent first."""
    examples = {
        (code["code"], column["role"]): code["examples"]
        for column in columns
        for code in column["codes"]
    }
    return [
        {**fault, "examples": examples.get((fault["code"], fault["column"]), ())}
        for fault in sorted(summary["errors"], key=lambda fault: -int(fault["count"]))
    ]


@router.post("/checks/{batch}/files/{place}")
def change(
    request: Request, ctx: Ctx, _visitor: Operator, form: Form, batch: str, place: str
) -> Response:
    """Read a file of the check as another courier's, leave it out, or put it back."""
    number, go = whole_number(place), text_of(form, "go")
    at = -1 if number is None else number
    with not_possible():
        if go in {"leave", "back"}:
            leave(ctx, batch, at, out=go == "leave")
        else:
            read_as(ctx, batch, at, text_of(form, "courier"))
    return went(request, f"/checks/{batch}#file-{at}")


def read_as(ctx: WebContext, batch: str, place: int, courier: str) -> None:
    """Read a file of a check as a courier's ("": recognise it), and check it again.

    Raises NotThere, UsageError, StorageError.
    """
    kept = _with_file(ctx, batch, place)
    kept = staging.as_courier(ctx.site, kept, place, courier)
    checked = list(staging.check_of(ctx.site, kept))
    checked[place] = check_one(ctx, kept, place)
    staging.keep_check(ctx.site, kept, checked)


def leave(ctx: WebContext, batch: str, place: int, *, out: bool) -> None:
    """Leave a file of a check out, or put it back. Raises NotThere."""
    kept = _with_file(ctx, batch, place)
    staging.keep_out(
        ctx.site, kept, {*kept.left_out} | {place} if out else {*kept.left_out} - {place}
    )


def _with_file(ctx: WebContext, batch: str, place: int) -> staging.Staged:
    kept = staging.staged(ctx.site, batch)
    if not 0 <= place < len(kept.names):
        raise NotThere("There is no such file in this check.")
    return kept


@router.post("/upload/{batch}/send")
def send(request: Request, ctx: Ctx, visitor: Operator, form: Form, batch: str) -> Response:
    """Put files of a check into the inbox, those that can be read; asked again, it is done once."""
    with not_possible(), _SENDING:
        done = staging.was_sent(ctx.site, batch)
        rest = "" if done else _send(ctx, batch, text_of(form, "only"))
    log.info("web.upload", user=visitor.name, batch=batch)
    return went(request, f"/uploads/{batch}" + (f"?rest={rest}" if rest else ""))


def _send(ctx: WebContext, batch: str, only: str) -> str:
    """Send what can be read, or the one file that is named; return the check of the rest, or ""."""
    kept = staging.staged(ctx.site, batch)
    checked = staging.check_of(ctx.site, kept)
    wanted = [
        place
        for place in range(len(kept.names))
        if (only == str(place))
        or (not only and place not in kept.left_out and not checked[place]["summary"]["refused"])
    ]
    if not wanted:
        raise NotPossible("None of these files can be sent.", hint="Teach Shipdrop one of them.")
    rest = staging.split(ctx.site, kept, wanted)
    staging.send_once(ctx.site, batch)
    return rest


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
    """A change to a file of a check."""

    courier: str | None = Field(default=None, max_length=60, description="Empty: recognise it.")
    left_out: bool | None = Field(default=None, description="Whether it is not to be sent.")


class CheckObject(Answer):
    """Files that were checked together. ``check``: the name to send them by."""

    check: str
    files: list[CheckedFile]


@api.post("/checks", openapi_extra=UPLOAD_BODY, responses=TOO_LARGE)
def check_files(ctx: Ctx, visitor: Operator, form: FilesByMachine) -> CheckObject:
    """Check files: how each would be read and what would be sent. Nothing is sent."""
    kept = stage_form(ctx, form, visitor)
    return _check(kept, check(ctx, kept))


@api.get("/checks/{check}")
def checked(ctx: Ctx, _visitor: Operator, check: Batch) -> CheckObject:
    """Show the findings of a check again, as long as its files wait to be sent."""
    kept = staging.staged(ctx.site, check)
    return _check(kept, staging.check_of(ctx.site, kept))


@api.patch("/checks/{check}/files/{place}")
def change_check(
    ctx: Ctx,
    _visitor: ByMachine,
    check: Batch,
    place: Annotated[int, Path(ge=0, le=1000)],
    change: CheckChange,
) -> CheckObject:
    """Read a file of a check as another courier's, leave it out, or put it back."""
    if change.left_out is not None:
        leave(ctx, check, place, out=change.left_out)
    if change.courier is not None:
        read_as(ctx, check, place, change.courier)
    kept = _with_file(ctx, check, place)
    return _check(kept, staging.check_of(ctx.site, kept))


@api.post("/checks/{check}/send", status_code=202)
def send_checked(ctx: Ctx, _visitor: ByMachine, check: Batch) -> UploadObject:
    """Put files into the inbox that were checked; asked for again, it is done once."""
    staging.send_once(ctx.site, check)
    return upload_object(ctx, check)


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
