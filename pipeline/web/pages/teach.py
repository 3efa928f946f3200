"""Teach a courier: its columns, its words, a look at real rows, and saving; pages and JSON."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Path, Request
from msgspec.structs import asdict, replace
from pydantic import Field
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.draft import status_key
from pipeline.core.drop_lines import Search
from pipeline.core.errors import ShipdropError, UsageError
from pipeline.core.model import DropState
from pipeline.web import drop_view, staging, uploads
from pipeline.web.api_base import LATER, PROBLEMS, Answer, Order, Text, api_router
from pipeline.web.context import (
    ByMachine,
    Ctx,
    Elsewhere,
    Form,
    FormWithFiles,
    Looker,
    NotPossible,
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
from pipeline.web.teaching.profile_files import MEANS, profile_of
from pipeline.web.teaching.steps import MOST_WORDS, NOTHING, SaidWord, Teaching, name_of
from pipeline.web.words import FIELDS, MEANINGS, ROLES
from schemas.courier import DAYS, GENERIC
from schemas.display import counted
from schemas.normalise import fold_header
from schemas.parcels import ALL, ANY
from schemas.vocabulary import DATE_ROLES, Role

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router, responses=PROBLEMS | LATER)

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
    """Return whether it is a refused drop that is still to do."""
    return any(
        each.state is DropState.REFUSED and each.to_do
        for each in ctx.site.ledger.overview.lines([drop_id] if drop_id else [])
    )


def _looks(looks: Mapping[str, int], filled: int, distinct: int | None, role: str) -> str:
    """Describe its cells, and count those that do not look like the chosen role."""
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
    """Keep the answers about courier, headings and columns; go on if none is missing."""
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
    """Show how the file would be read now, row by row, and offer to save the profile."""
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
def save_by_form(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, found: Unfinished
) -> Response:
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


TeachingId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,60}$")]
Version = Annotated[int, Field(ge=0, le=2**31, description="As it was answered last.")]
Short = Annotated[str, Field(max_length=100)]
_Role = Annotated[Role, Field(strict=False)]  # strict is an object of ours, which JSON has not
Chosen = _Role | Literal["nothing", ""]


class Beginning(Order):
    """The file that is taught from: a drop's, or one of a check."""

    drop: str = Field(default="", max_length=60, pattern=r"^[a-z0-9]*$")
    check: str = Field(default="", max_length=60, pattern=r"^[0-9a-f]*$")
    place: int = Field(default=0, ge=0, le=1000, description="Which file of the check, from 0.")
    courier: str = Field(default="", max_length=60, description="The profile that is to learn.")


class Column(Answer):
    """A column of the file. ``role``: as chosen, else as probably meant; empty: not read."""

    column: int
    heading: str
    cells: list[str] = Field(description="Its first different cells.")
    filled: int
    role: str


class TeachingObject(Answer):
    """The answers so far about a file."""

    teaching: str
    version: int
    file: Text
    courier: str = Field(description="The profile that learns; empty: a new one.")
    title: str
    name: str
    file_names: list[str]
    sheet: Text = Field(description="The sheet that `lines` are of; empty: a CSV.")
    sheets: list[Text] = Field(description="All sheets that have rows.")
    heading: int = Field(description="Which of `lines` has the headings, from 0.")
    lines: list[list[str]]
    columns: list[Column]
    words: list[SaidWord]
    faults: list[str] = Field(description="What keeps it from being saved, in sentences.")
    who: str
    done: str = Field(description="Where it led to, once it is saved.")


class Meant(Order):
    """A word and its meaning."""

    status: str = Field(max_length=500)
    status_type: str = Field(default="", max_length=500)
    direction: str = Field(default="", max_length=500)
    means: Literal[
        "bag_picked",
        "delivery_done",
        "rto_bag_delivered",
        "return_bag_in_transit",
        "return_bag_delivered",
        "no_milestone",
        "ambiguous",
        "",
    ]


class Change(Order):
    """Changes to the answers; fields that are left out stay."""

    version: Version
    courier: str | None = Field(default=None, max_length=60)
    title: str | None = Field(default=None, max_length=60)
    file_names: list[Short] | None = Field(default=None, max_length=20)
    sheet: str | None = Field(
        default=None, max_length=200, description="The sheet that has the headings."
    )
    heading: int | None = Field(default=None, ge=0, le=100)
    columns: dict[Annotated[str, Field(pattern=r"^\d{1,5}$")], Chosen] | None = Field(
        default=None, max_length=1000, description="Column → role; all others are not read."
    )
    day_first: dict[_Role, bool] | None = None
    nothing: list[Short] | None = Field(default=None, max_length=20)
    parcels: Literal["", "all", "any"] | None = None
    words: list[Meant] | None = Field(default=None, max_length=1000)
    who: Short = ""


class PreviewObject(Answer):
    """How the file would be read."""

    rows: dict[str, int] = Field(description="By outcome; unsent: would be sent.")
    refused: dict[str, Any] | None
    kinds: list[taught_profile.KindObject]
    first: list[dict[str, Any]] = Field(description="The first updates as they would be sent.")
    errors: list[dict[str, Any]]
    others: list[str] = Field(description="Refused drops that can be read with it.")


class SaveOrder(Order):
    """Save the profile."""

    version: Version
    who: Short = ""
    note: str = Field(default="", max_length=1000)
    send: bool = Field(default=False, description="Have the file read with it, and sent.")
    others: list[Annotated[str, Field(max_length=60)]] = Field(default=[], max_length=20)
    by: str = Field(default="", pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^$")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], max_length=7
    )


class SavedObject(Answer):
    """The profile is saved. ``page``: where the page leads to: an upload, a check, the courier."""

    courier: str
    page: str


@api.post("/teachings", status_code=201)
def begin(ctx: Ctx, visitor: ByMachine, beginning: Beginning) -> TeachingObject:
    """Begin to teach from a file, or go on with what was begun with it."""
    if bool(beginning.drop) == bool(beginning.check):
        raise UsageError("Name a drop or a check, one of them.")
    made = ctx.teachings.start(
        drop=beginning.drop,
        check=beginning.check,
        place=beginning.place,
        courier=beginning.courier,
        who=visitor.name,
    )
    return _teaching_object(ctx, made)


@api.get("/teachings/{teaching}")
def shown(ctx: Ctx, _visitor: Looker, teaching: TeachingId) -> TeachingObject:
    """Show the answers so far."""
    return _teaching_object(ctx, ctx.teachings.get(teaching))


@api.patch("/teachings/{teaching}")
def change(ctx: Ctx, visitor: ByMachine, teaching: TeachingId, said: Change) -> TeachingObject:
    """Answer which courier it is, which column is which, and what words mean."""
    now = ctx.teachings.get(teaching)
    values: dict[str, Any] = {
        name: value
        for name in ("courier", "heading", "parcels")
        if (value := getattr(said, name)) is not None
    }
    if courier := values.get("courier"):
        profile_of(ctx.site, courier)
    if said.sheet is not None and said.sheet != now.sheet:
        values |= {"sheet": said.sheet, "heading": said.heading, "roles": None, "words": {}}
        ctx.teachings.surveyed(replace(now, **values))  # there is such a sheet
    if said.title is not None:
        title = " ".join(said.title.split())
        values |= {"title": title, "name": name_of(title) if title else ""}
    if said.file_names is not None:
        values["file_names"] = tuple(each.casefold() for each in said.file_names if each.strip())
    if said.nothing is not None:
        values["nothing"] = tuple(each for each in said.nothing if each.strip())
    if said.columns is not None:
        values["roles"] = {str(int(at)): str(role) for at, role in said.columns.items()}
    if said.day_first is not None:
        if not set(said.day_first) <= set(DATE_ROLES):
            raise UsageError("Only columns of dates have an order of day and month.")
        values["day_first"] = {role.value: first for role, first in said.day_first.items()}
    if said.words is not None:
        changed = {
            status_key(each.status, each.status_type, each.direction): each.means
            for each in said.words
        }
        kept = {**values.get("words", now.words), **changed}
        values["words"] = {key: word for key, word in kept.items() if word in MEANS}
    who = visitor.name or said.who
    return _teaching_object(ctx, ctx.teachings.change(teaching, said.version, who, **values))


@api.get("/teachings/{teaching}/preview")
def preview(ctx: Ctx, _visitor: Looker, teaching: TeachingId) -> PreviewObject:
    """Read the file with the profile as it would be saved, and send nothing."""
    found = ctx.teachings.get(teaching)
    if found.done:
        raise NotPossible("This was saved already.")
    seen = taught_profile.preview(ctx.site, ctx.teachings, found)
    summary = seen.checked.summary
    return PreviewObject(
        rows=dict(summary["rows"]),
        refused=summary["refused"],
        kinds=list(seen.shown),
        first=list(seen.checked.more.get("first", ())),
        errors=list(summary["errors"]),
        others=[line.drop_id for line, _ in seen.others],
    )


@api.post("/teachings/{teaching}/save")
def save(ctx: Ctx, visitor: ByMachine, teaching: TeachingId, order: SaveOrder) -> SavedObject:
    """Save it as the courier's profile, once; the former one is kept."""
    now = ctx.teachings.get(teaching)
    if now.done:
        return SavedObject(courier=now.short, page=now.done)
    who = visitor.name or order.who
    days = tuple(day for day in DAYS if day in order.days)
    made = ctx.teachings.change(teaching, order.version, who, by=order.by, days=days)
    page = finish(ctx, made, who=who, note=order.note, send=order.send, others=list(order.others))
    return SavedObject(courier=made.short, page=page)


def _teaching_object(ctx: WebContext, teaching: Teaching) -> TeachingObject:
    draft = ctx.teachings.surveyed(teaching)
    roles = ctx.teachings.roles(teaching)
    faults = ctx.teachings.faults(teaching)
    words = [] if faults else ctx.teachings.words(teaching)
    columns = [
        {"column": at, "role": roles.get(at, ""), **asdict(each)}
        for at, each in enumerate(draft.seen)
    ]
    said = {
        **asdict(teaching),
        "teaching": teaching.id,
        "sheet": draft.sheet,
        "sheets": draft.sheets,
        "heading": draft.heading,
        "lines": draft.lines,
        "columns": columns,
        "words": words,
        "faults": faults,
    }
    return TeachingObject.model_validate(said)
