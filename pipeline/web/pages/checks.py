"""The page of a check: a card a file, read as another courier's, left out, or sent."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.core.drop_lines import DropLine
from pipeline.web import staging, words
from pipeline.web.context import (
    Ctx,
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
from pipeline.web.pages.upload import check_one, went
from pipeline.web.teaching.steps import can_be_taught
from schemas.codes import Code
from schemas.courier import GENERIC
from schemas.statuses import IN_WORDS

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

_SENDING: Final = threading.Lock()
"""A second click must not take apart what the first one is sending."""


@router.get("/checks/{batch}")
def checked_page(request: Request, ctx: Ctx, visitor: Operator, batch: str) -> Response:
    """Show what a check found, as long as its files are kept; then what became of them."""
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
    """Have a file of a check read as a courier's, "" for whichever it is, and check it again.

    Raises NotThere, UsageError, StorageError.
    """
    kept = _with_file(ctx, batch, place)
    kept = staging.as_courier(ctx.site, kept, place, courier)
    checked = list(staging.check_of(ctx.site, kept))
    checked[place] = check_one(ctx, kept, place)
    staging.keep_check(ctx.site, kept, checked)


def leave(ctx: WebContext, batch: str, place: int, *, out: bool) -> None:
    """Leave a file of a check out of what is sent, or put it back. Raises NotThere."""
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
