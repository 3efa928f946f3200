"""Couriers: their files, their profiles, empty manifests to fill in; what they were taught."""

import csv
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import structlog
import tomlkit
from fastapi import APIRouter, Query, Request, params
from msgspec import Struct
from pydantic import Field
from starlette.responses import Response

from pipeline.core.drop_lines import Search
from pipeline.reporting.template_xlsx import template
from pipeline.service.wiring import Site
from pipeline.web import drop_view
from pipeline.web.api_base import LATER, Answer, Order, api_router
from pipeline.web.context import (
    ByMachine,
    Ctx,
    Form,
    Looker,
    NotPossible,
    Operator,
    lead,
    page,
    text_of,
    told_once,
)
from pipeline.web.teaching.profile_files import (
    PROFILES,
    Word,
    forget,
    last_saved,
    learned,
    profile_of,
    remember,
    source_of,
    understood,
    word_of,
    write_profile,
)
from pipeline.web.totals import couriers
from pipeline.web.words import MEANINGS, ROLES
from schemas.courier import DAYS, GENERIC, Profile
from schemas.normalise import fold
from schemas.statuses import WILDCARD, Direction, Meaning
from schemas.vocabulary import DATE_ROLES

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router)

COUNTED_DAYS: Final = 90
_FILES: Final = 300
_BYTES: Final = 24 * 1024 * 1024
"""Files and bytes of results that are looked through for one page, the newest first."""
_WAYS: Final[Mapping[Direction, str]] = {
    Direction.BLANK: "without a direction",
    Direction.FORWARD: "on the way to the customer",
    Direction.RETURN: "on a customer's return",
    Direction.RTO: "on the way back to us",
}
_RECENT = 20
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Name = Annotated[str, params.Path(pattern=r"^[a-z0-9_-]{1,60}$", examples=["delhivery"])]


class Used(Struct, frozen=True, kw_only=True):
    """Rows by folded word, in ``files`` results files. ``whole``: all of the last days were."""

    rows: Counter[str]
    sent: Counter[str]
    files: int
    whole: bool


def words_used(site: Site, courier: str) -> Used:
    """Count the words of a courier's files of the last days, as far as their results are there."""
    since = site.clock.now() - timedelta(days=COUNTED_DAYS)
    rows, sent, files, left = Counter[str](), Counter[str](), 0, _BYTES
    drops = site.ledger.overview.search(Search(courier=courier, limit=_FILES))
    for drop in drops:
        path = drop_view.outbox_file(site, drop, "results")
        if drop.received_at < since or not path.is_file():
            continue
        status = path.stat()
        left -= status.st_size
        if left < 0:
            break
        of_file, of_sent = _counted(path, status.st_mtime_ns, status.st_size)
        rows.update(of_file)
        sent.update(of_sent)
        files += 1
    whole = left >= 0 and len(drops) < _FILES
    return Used(rows=rows, sent=sent, files=files, whole=whole)


@lru_cache(maxsize=2_000)
def _counted(path: Path, _changed: int, _size: int) -> tuple[Counter[str], Counter[str]]:
    """Count one results file; the arguments identify one state of it."""
    rows, sent = Counter[str](), Counter[str]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.DictReader(file):
                word = fold(line.get("source_status") or "")
                rows[word] += 1
                sent[word] += line.get("outcome") == "accepted"
    except (OSError, ValueError, csv.Error):
        return Counter(), Counter()
    return rows, sent


class WordLine(Struct, frozen=True, kw_only=True):
    """A status word of a courier. ``means``: "" where unknown. ``beside``: what it goes with.

    ``rows``, ``sent``: of the last days. ``who``, ``at``: who taught it, "" where it came with the
    profile.
    """

    said: str
    means: str
    beside: str
    rows: int
    sent: int
    who: str = ""
    at: str = ""


def columns_of(profile: Profile) -> list[dict[str, Any]]:
    """Return a line per role that the profile has headings for."""
    found = []
    for role, headings in profile.shown_headers.items():
        if not headings:
            continue
        note = ""
        if role in DATE_ROLES:
            rule = profile.date_rule(role)
            note = "day before month" if rule.day_first else "month before day"
            note = "the file's own dates show the order" if rule.auto else note
        found.append(
            {
                "role": ROLES[role.value],
                "needed": role in profile.required,
                "headings": list(headings),
                "own": role in profile.orders,
                "note": note,
            }
        )
    return sorted(found, key=lambda each: (not each["needed"], not each["own"]))


def words_in(site: Site, profile: Profile, used: Used) -> list[WordLine]:
    """Return the words of the profile itself, those that were taught and the most used first."""
    taught = {fold(each.said): each for each in learned(site, profile.name)}
    table = profile.statuses
    found: list[WordLine] = []
    tables: list[tuple[str, Mapping[str, Meaning], bool]] = [
        ("", table.base, True),
        *((_WAYS.get(way, str(way)), each, False) for way, each in table.by_direction.items()),
        *(
            (f"with {table.shown_types.get(kind, kind)}", each, False)
            for kind, each in table.by_type.items()
        ),
    ]
    for beside, entries, base in tables:
        for key, meaning in entries.items():
            word = taught.get(key) if base else None
            found.append(
                WordLine(
                    said=word.said
                    if word
                    else "any other word"
                    if key == WILDCARD
                    else table.shown.get(key, key),
                    means=word_of(meaning),
                    beside=beside,
                    rows=used.rows[key],
                    sent=used.sent[key],
                    who=word.who if word else "",
                    at=word.at if word else "",
                )
            )
    return sorted(found, key=lambda each: (not each.at, bool(each.means), -each.rows))


def next_due(site: Site, profile: Profile) -> datetime | None:
    """Return when the next file is to be here; None: no time is set."""
    if profile.expect is None:
        return None
    now = site.clock.now().astimezone(site.zone_of(profile))
    for ahead in range(8):
        due = profile.expect.last_due(now + timedelta(days=ahead))
        if due is not None and due > now:
            return due
    return profile.expect.last_due(now + timedelta(days=8))


def expect(site: Site, courier: str, *, by: str, days: tuple[str, ...], who: str) -> Profile:
    """Set the time by which a courier's files are expected; "" for none.

    Raises NotThere, NotPossible.
    """
    profile_of(site, courier)
    if courier == GENERIC:
        raise NotPossible("Which courier? The general rules are those of every one.")
    with PROFILES:
        path, text = source_of(site, courier)
        document = tomlkit.parse(text)
        document.pop("expect", None)
        if by:
            section = tomlkit.table()
            section["by"] = by
            if days and len(days) < len(DAYS):
                section["days"] = list(days)
            document["expect"] = section
        with understood("It cannot be saved"):
            return write_profile(site, path, tomlkit.dumps(document), who=who)


@router.get("/couriers")
def couriers_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Return all couriers, the late ones first."""
    found = couriers(ctx.site, ctx.totals)
    return page(request, "couriers.html", {"couriers": found}, visitor=visitor)


@router.get("/couriers/{name}")
def courier_page(request: Request, ctx: Ctx, visitor: Looker, name: str) -> Response:
    """Show one courier: columns, status words, folder, files."""
    profile = profile_of(ctx.site, name)
    (courier,) = (c for c in couriers(ctx.site, ctx.totals) if c.profile.name == name)
    used = words_used(ctx.site, name)
    listed = words_in(ctx.site, profile, used)
    values = {
        "courier": courier,
        "zone": f"{ctx.site.clock.now().astimezone(ctx.site.zone_of(profile)):%Z}",
        "columns": columns_of(profile),
        "taught": [each for each in listed if each.at or not each.means],
        "words": [each for each in listed if not each.at and each.means],
        "used": used,
        "meanings": MEANINGS,
        "said": told_once(request),
        "days": DAYS,
        "next_due": next_due(ctx.site, profile),
        "saved": last_saved(ctx.site, name),
        "can_learn": name != GENERIC,
        "recent": ctx.site.ledger.overview.search(Search(courier=name, limit=_RECENT)),
    }
    return page(request, "courier.html", values, visitor=visitor)


@router.post("/couriers/{name}/words")
def change_word(request: Request, ctx: Ctx, visitor: Operator, form: Form, name: str) -> Response:
    """Give a word that was taught another meaning, or forget it."""
    word = text_of(form, "word")
    if text_of(form, "go") == "forget":
        forget(ctx.site, name, word, who=visitor.name)
        message = f'"{word}" is forgotten. Rows that were sent with it are not changed.'
    else:
        means, who = text_of(form, "means"), visitor.name or text_of(form, "who").strip()
        made = remember(ctx.site, name, said=word, means=means, who=who)
        message = f'"{made.said}" now means: {MEANINGS[made.means]}.'
    log.info("web.word_changed", courier=name, user=visitor.name)
    return lead(request, f"/couriers/{name}#learned", message)


@router.post("/couriers/{name}/expected")
def change_expected(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, name: str
) -> Response:
    """Set the time by which the courier's files are expected."""
    days = tuple(day for day in DAYS if text_of(form, f"on-{day}"))
    by, who = text_of(form, "by")[:5], visitor.name or text_of(form, "who").strip()
    made = expect(ctx.site, name, by=by, days=days, who=who)
    message = f"Files of {made.title} are expected by {by}." if by else "No time is set any more."
    log.info("web.expected", courier=name, user=visitor.name)
    return lead(request, f"/couriers/{name}#expected", message)


@router.get("/couriers/{name}/template.xlsx")
def courier_template(ctx: Ctx, _visitor: Looker, name: str) -> Response:
    """Return an empty manifest to fill in."""
    profile = profile_of(ctx.site, name)
    return Response(
        template(profile, created=ctx.site.clock.now()),
        media_type=_XLSX,
        headers={"content-disposition": f'attachment; filename="{profile.name}-manifest.xlsx"'},
    )


class CourierObject(Answer):
    """A courier that has a profile. ``due``: the time that was missed."""

    name: str
    title: str
    late: bool
    due: datetime | None
    last_drop: str | None


class CourierList(Answer):
    """All couriers, the late ones first."""

    couriers: list[CourierObject]


class Taught(Order):
    """A word and its meaning."""

    said: str = Field(min_length=1, max_length=200, description="As the courier writes it.")
    means: str = Field(
        min_length=1,
        max_length=200,
        description="A status the courier's profile knows, a milestone, or no_milestone.",
    )
    who: str = Field(default="", max_length=100, description="Without users: who teaches it.")


class WordObject(Answer):
    """A word that was taught."""

    said: str
    order_status: str = Field(description="The milestone; empty: nothing is reported.")
    means: str = Field(description="The milestone, no_milestone, or ambiguous: rows come back.")
    who: str
    at: datetime


class WordList(Answer):
    """The words that people taught for a courier."""

    words: list[WordObject]


class Expected(Order):
    """When a courier's files are expected, in its own zone."""

    by: str = Field(default="", pattern=r"^$|^([01][0-9]|2[0-3]):[0-5][0-9]$")
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], max_length=7, description="Empty: every day."
    )
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


@api.get("/couriers")
def all_couriers(ctx: Ctx, _visitor: Looker) -> CourierList:
    """List the couriers, the late ones first."""
    found = couriers(ctx.site, ctx.totals)
    return CourierList(
        couriers=[
            CourierObject(
                name=each.profile.name,
                title=each.profile.title,
                late=each.late,
                due=each.due,
                last_drop=each.last.drop_id if each.last else None,
            )
            for each in found
        ]
    )


@api.get("/couriers/{name}/words")
def words(ctx: Ctx, _visitor: Looker, name: Name) -> WordList:
    """List the status words that people taught for a courier, the newest first."""
    return WordList(words=[_word_object(each) for each in learned(ctx.site, name)])


@api.put("/couriers/{name}/words", responses=LATER)
def teach(ctx: Ctx, visitor: ByMachine, name: Name, word: Taught) -> WordObject:
    """Teach a word, or give one that was taught another meaning."""
    who = visitor.name or word.who
    return _word_object(remember(ctx.site, name, said=word.said, means=word.means, who=who))


@api.delete("/couriers/{name}/words", responses=LATER)
def unteach(
    ctx: Ctx,
    visitor: ByMachine,
    name: Name,
    said: Annotated[str, Query(min_length=1, max_length=200)],
) -> WordObject:
    """Forget a word that was taught; rows that were sent with it are not changed."""
    return _word_object(forget(ctx.site, name, said, who=visitor.name))


@api.put("/couriers/{name}/expected", responses=LATER)
def expected(ctx: Ctx, visitor: ByMachine, name: Name, when: Expected) -> Expected:
    """Set the time by which a courier's files are expected; an empty `by`: none."""
    days = tuple(day for day in DAYS if day in when.days)
    expect(ctx.site, name, by=when.by, days=days, who=visitor.name or when.who)
    return when


def _word_object(word: Word) -> WordObject:
    wire = "" if word.means in {"no_milestone", "ambiguous"} else word.means
    at = datetime.fromisoformat(word.at)
    return WordObject(said=word.said, order_status=wire, means=word.means, who=word.who, at=at)
