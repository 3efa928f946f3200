"""Teaching a courier on the page: its columns, its words, a look at real rows, and saving."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Request
from msgspec.structs import replace
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.drop_lines import Search
from pipeline.core.errors import ShipdropError, UsageError
from pipeline.core.model import DropState
from pipeline.web import drop_view, staging, uploads
from pipeline.web.context import (
    Ctx,
    Elsewhere,
    Form,
    FormWithFiles,
    Looker,
    Operator,
    WebContext,
    lead,
    not_possible,
    page,
    text_of,
    whole_number,
)
from pipeline.web.pages.upload import check, stage_form
from pipeline.web.set_aside import NO_MANIFEST
from pipeline.web.teaching import taught_profile
from pipeline.web.teaching.profile_files import MEANS
from pipeline.web.teaching.steps import MOST_WORDS, NOTHING, Teaching, name_of
from pipeline.web.words import FIELDS, MEANINGS, ROLES
from schemas.courier import DAYS, GENERIC
from schemas.display import counted
from schemas.normalise import fold_header
from schemas.parcels import ALL, ANY
from schemas.vocabulary import DATE_ROLES, Role

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

_FIRST_ROLES: Final = (Role.ORDER_ID, Role.STATUS, Role.AWB, Role.EVENT_TIME, Role.REMARK)
_ROLES: Final = {
    role.value: ROLES[role.value]
    for role in (*_FIRST_ROLES, *(each for each in Role if each not in _FIRST_ROLES))
}
_SHAPES: Final = {Role.ORDER_ID.value: "order_id", Role.AWB.value: "awb"} | {
    role.value: "date" for role in DATE_ROLES
}
_CALLED: Final = {"order_id": "order ids", "awb": "AWBs", "date": "dates"}
_RECENT: Final = 500
_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


@router.post("/teach")
def start(ctx: Ctx, visitor: Operator, form: FormWithFiles) -> Response:
    """Begin to teach: from a drop, from a file that was checked, or from one that comes along."""
    drop, batch = text_of(form, "drop"), text_of(form, "check")
    place = whole_number(text_of(form, "place")) or 0
    with not_possible():
        if not drop and not batch:
            batch = stage_form(ctx, form, visitor).batch
        made = ctx.teachings.start(
            drop=drop,
            check=batch if not drop else "",
            place=place if not drop else 0,
            courier=text_of(form, "teach"),
            who=visitor.name,
        )
    return RedirectResponse(f"/teach/{made.id}", status_code=303)


def unfinished(ctx: Ctx, _visitor: Looker, teaching: str) -> Teaching:
    """Return the teaching under this address. Raises NotThere; Elsewhere once it is saved."""
    found = ctx.teachings.get(teaching)
    if found.done:
        raise Elsewhere(found.done)
    return found


Unfinished = Annotated[Teaching, Depends(unfinished)]


@router.get("/teach/{teaching}")
def columns_page(request: Request, ctx: Ctx, visitor: Looker, found: Unfinished) -> Response:
    """Ask which courier it is, where its headings are, and which column is which."""
    return page(request, "teach.html", _columns(ctx, found, ()), visitor=visitor)


def _columns(ctx: WebContext, teaching: Teaching, wrong: Any) -> dict[str, Any]:  # noqa: ANN401 - sentences
    draft = ctx.teachings.surveyed(teaching)
    roles = ctx.teachings.roles(teaching)
    evidence = {fold_header(each.column): each.evidence for each in draft.columns}
    known = [fold_header(each.heading) for each in draft.seen]
    fits = {
        name: sum(any(each in profile.headers.get(role, ()) for each in known) for role in Role)
        for name, profile in ctx.site.profiles.items()
        if name != GENERIC
    }
    return {
        "teaching": teaching,
        "draft": draft,
        "wrong": wrong,
        "columns": [
            {
                "at": at,
                "heading": each.heading,
                "cells": each.cells,
                "role": roles.get(at, ""),
                "looks": _looks(each.looks, each.filled, each.distinct, roles.get(at, "")),
                "evidence": evidence.get(fold_header(each.heading), ""),
                "dates": bool(each.looks.get("date")),
                "order": each.order,
                "day_first": teaching.day_first.get(roles.get(at, "")),
            }
            for at, each in enumerate(draft.seen)
        ],
        "roles": _ROLES,
        "chosen": set(roles.values()),
        "couriers": [
            (name, ctx.site.profiles[name].title, fits[name])
            for name in sorted(fits, key=lambda name: (-fits[name], name))
        ],
        **_called(ctx, teaching),
        "refused": _is_refused(ctx, teaching.drop),
        "no_manifest": NO_MANIFEST,
        "step": 1,
    }


def _is_refused(ctx: WebContext, drop_id: str) -> bool:
    """Tell whether it is a drop that was refused, and that nobody has seen to."""
    return any(
        each.state is DropState.REFUSED and each.to_do
        for each in ctx.site.ledger.overview.lines([drop_id] if drop_id else [])
    )


def _looks(looks: Mapping[str, int], filled: int, distinct: int | None, role: str) -> str:
    """Say how its cells look, and how many do not look like what was chosen."""
    shape = _SHAPES.get(role)
    if shape and looks.get(shape, 0) < filled:
        return f"{filled - looks.get(shape, 0)} of {filled} do not look like {_CALLED[shape]}"
    if shape:
        return f"{filled} of {filled} look like {_CALLED[shape]}"
    if role == Role.STATUS.value and distinct is not None:
        return f"{counted(distinct, 'word')} in {counted(filled, 'row')}"
    for each, count in looks.items():
        if filled and count == filled:
            return f"all look like {_CALLED[each]}"
    return "empty" if not filled else ""


def _called(ctx: WebContext, teaching: Teaching) -> dict[str, int]:
    """Count the recent files whose names fit the new courier's, and those read as another's."""
    recent = ctx.site.ledger.overview.search(Search(limit=_RECENT)) if teaching.file_names else ()
    called = [
        each.courier
        for each in recent
        if any(fnmatchcase(each.source_file.casefold(), name) for name in teaching.file_names)
    ]
    others = sum(courier not in {"", teaching.courier} for courier in called)
    return {"files_called": len(called), "files_of_others": others}


@router.post("/teach/{teaching}")
def columns(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, found: Unfinished
) -> Response:
    """Keep what was said of courier, headings and columns; go on where nothing is missing."""
    values = _said_of_columns(form, found)
    if "sheet" in values:
        ctx.teachings.surveyed(replace(found, **values))  # there is such a sheet
    who = visitor.name or text_of(form, "who").strip()
    made = ctx.teachings.change(found.id, _version(form), who, **values)
    if text_of(form, "go") != "words":
        return RedirectResponse(f"/teach/{made.id}", status_code=303)
    if wrong := _wrong(ctx, made):
        values = _columns(ctx, made, wrong)
        return page(request, "teach.html", values, visitor=visitor, status=422)
    return RedirectResponse(f"/teach/{made.id}/words", status_code=303)


def _wrong(ctx: WebContext, teaching: Teaching) -> list[str]:
    try:
        if faults := ctx.teachings.faults(teaching):
            return faults
        taught_profile.build_profile(ctx.site, ctx.teachings, teaching)
    except ShipdropError as error:
        return [f"{error.message} {error.hint}".strip()]
    return []


def _said_of_columns(form: FormData, before: Teaching) -> dict[str, Any]:
    courier = text_of(form, "courier")
    title = " ".join(text_of(form, "title").split())[:60]
    values: dict[str, Any] = {
        "courier": courier,
        "title": title,
        "name": name_of(title) if title else "",
        "nothing": _listed(text_of(form, "nothing")),
        "file_names": tuple(each.casefold() for each in _listed(text_of(form, "file_names"))),
        "parcels": text_of(form, "parcels") if text_of(form, "parcels") in {ALL, ANY} else "",
    }
    sheet = text_of(form, "sheet", before.sheet)[:200]
    if text_of(form, "go") == "sheet" and sheet != before.sheet:
        return {**values, "sheet": sheet, "heading": None, "roles": None, "words": {}}
    heading = text_of(form, "heading")
    if heading.isdecimal() and len(heading) < 4 and int(heading) != before.heading:
        return {**values, "heading": int(heading), "roles": None, "words": {}}
    roles = {
        name.removeprefix("role-"): value
        for name, value in form.items()
        if name.startswith("role-")
        and name.removeprefix("role-").isdecimal()
        and isinstance(value, str)
        and value in {*_ROLES, NOTHING, ""}
    }
    orders = {"day": True, "month": False}
    days = {
        roles[at]: orders[text_of(form, f"day-{at}")]
        for at in roles
        if text_of(form, f"day-{at}") in orders and roles[at] in set(DATE_ROLES)
    }
    return {**values, "roles": roles or None, "day_first": days}


def _listed(text: str) -> tuple[str, ...]:
    found = (" ".join(each.split())[:100] for each in text[:2000].split(","))
    return tuple(dict.fromkeys(each for each in found if each))[:20]


def _version(form: FormData) -> int:
    given = whole_number(text_of(form, "version"))
    return -1 if given is None else given


@router.get("/teach/{teaching}/words")
def words_page(request: Request, ctx: Ctx, visitor: Looker, found: Unfinished) -> Response:
    """Ask which word means what."""
    if _wrong(ctx, found):
        return RedirectResponse(f"/teach/{found.id}", status_code=303)
    return page(request, "teach_words.html", _words(ctx, found), visitor=visitor)


def _words(ctx: WebContext, teaching: Teaching) -> dict[str, Any]:
    words = ctx.teachings.words(teaching)
    shown, more = words[:MOST_WORDS], words[MOST_WORDS:]
    left = [each for each in shown if not each.means]
    return {
        "teaching": teaching,
        "courier": _title(ctx, teaching),
        "words": shown,
        "more": more,
        "meanings": MEANINGS,
        "left": len(left),
        "left_rows": sum(each.rows for each in left),
        "suggested": sum(bool(each.suggestion) for each in left),
        "step": 2,
    }


def _title(ctx: WebContext, teaching: Teaching) -> str:
    profile = ctx.site.profiles.get(teaching.courier)
    return profile.title if profile else teaching.title


@router.post("/teach/{teaching}/words")
def say_words(ctx: Ctx, visitor: Operator, form: Form, found: Unfinished) -> Response:
    """Keep what the words mean, and go on or back."""
    go = text_of(form, "go")
    said = _said_of_words(ctx, found, form, suggestions=go == "suggestions")
    ctx.teachings.change(found.id, _version(form), visitor.name or found.who, words=said)
    step = {"back": "", "suggestions": "/words"}.get(go, "/look")
    return RedirectResponse(f"/teach/{found.id}{step}", status_code=303)


def _said_of_words(
    ctx: WebContext, teaching: Teaching, form: FormData, *, suggestions: bool
) -> dict[str, str]:
    said = {}
    for each in ctx.teachings.words(teaching)[:MOST_WORDS]:
        word = text_of(form, f"word-{each.mark}")
        if suggestions and not word:
            word = each.suggestion
        if word in MEANS and word != each.known:
            said[each.key] = word
    return said


@router.get("/teach/{teaching}/look")
def look_page(request: Request, ctx: Ctx, visitor: Looker, found: Unfinished) -> Response:
    """Show how the file would be read now, row for row, and offer to save it."""
    if _wrong(ctx, found):
        return RedirectResponse(f"/teach/{found.id}", status_code=303)
    return page(request, "teach_look.html", _look(ctx, found), visitor=visitor)


def _look(ctx: WebContext, teaching: Teaching) -> dict[str, Any]:
    seen = taught_profile.preview(ctx.site, ctx.teachings, teaching)
    return {
        "teaching": teaching,
        "courier": _title(ctx, teaching),
        "preview": seen,
        "summary": seen.checked.summary,
        "first": seen.checked.more.get("first", ()),
        "meanings": MEANINGS,
        "fields": FIELDS,
        "total": sum(seen.counts.values()),
        "left": [
            each.status for each in ctx.teachings.words(teaching)[:MOST_WORDS] if not each.means
        ],
        "days": DAYS,
        "files": _files(ctx, teaching),
        "step": 3,
    }


def _files(ctx: WebContext, teaching: Teaching) -> int:
    """Count the files of the check that would be sent with this one."""
    return len(staging.staged(ctx.site, teaching.check).left_in) if teaching.check else 1


@router.post("/teach/{teaching}/save")
def save(request: Request, ctx: Ctx, visitor: Operator, form: Form, found: Unfinished) -> Response:
    """Save the profile, once, and have this file and others read with it."""
    who = visitor.name or text_of(form, "who").strip()[:100]
    days = tuple(day for day in DAYS if text_of(form, f"on-{day}"))
    by = text_of(form, "by")
    expected = {
        "by": by if _CLOCK.fullmatch(by) else "",
        "days": () if len(days) == len(DAYS) else days,
    }
    made = ctx.teachings.change(found.id, _version(form), who, **expected)
    others = [name.removeprefix("other-") for name in form if name.startswith("other-")][:20]
    send = text_of(form, "go") == "send"
    target = finish(ctx, made, who=who, note=text_of(form, "note"), send=send, others=others)
    saved = ctx.site.profiles.get(target.removeprefix("/couriers/"))
    return lead(request, target, f"{saved.title} is saved." if saved else "")


def finish(
    ctx: WebContext, teaching: Teaching, *, who: str, note: str, send: bool, others: list[str]
) -> str:
    """Save the profile; with ``send`` have the file, and others that were refused, read with it.

    Return the page that it leads to. Raises NotPossible, NotThere, StorageError.
    """
    site = ctx.site
    made = taught_profile.save(site, ctx.teachings, teaching, who=who, note=note)
    profile, batch = made.profile, uploads.new_batch()
    target = f"/couriers/{profile.name}"
    if teaching.check:
        target = _sent(ctx, teaching, profile.name, send=send)
    drops = [teaching.drop, *others] if send and teaching.drop else others if send else []
    for line in site.ledger.overview.lines([each for each in drops if each]):
        folder = taught_profile.folder_of(site.profiles, profile, line.source_file, line.folder)
        try:
            drop_view.again(site, line, who, batch=batch, folder=folder, note=note)
        except UsageError as error:
            log.info("web.not_read_again", drop=line.drop_id, why=error.message)
        else:
            target = f"/uploads/{batch}" if not teaching.check else target
    ctx.teachings.end(teaching, target)
    return target


def _sent(ctx: WebContext, teaching: Teaching, courier: str, *, send: bool) -> str:
    """Send the file of a check as the courier's where it is alone, else check all again."""
    kept = staging.staged(ctx.site, teaching.check)
    kept = staging.as_courier(ctx.site, kept, teaching.place, courier)
    if send and kept.left_in == [teaching.place]:
        staging.send_once(ctx.site, kept.batch)
        return f"/uploads/{kept.batch}"
    check(ctx, kept)
    return f"/checks/{kept.batch}"
