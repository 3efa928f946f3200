"""The JSON API of teaching a courier: the steps of the page, one verb each."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from msgspec.structs import asdict, replace
from pydantic import Field

from pipeline.core.draft import status_key
from pipeline.core.errors import UsageError
from pipeline.web.api_base import LATER, PROBLEMS, Answer, Order, Text
from pipeline.web.context import ByMachine, Ctx, Looker, NotPossible, WebContext
from pipeline.web.pages.teach import finish
from pipeline.web.teaching import taught_profile
from pipeline.web.teaching.profile_files import MEANS, profile_of
from pipeline.web.teaching.steps import SaidWord, Teaching, name_of
from schemas.courier import DAYS
from schemas.vocabulary import DATE_ROLES, Role

router = APIRouter(prefix="/api/v1", responses={**PROBLEMS, **LATER})

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,60}$")]
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
    """Tell what was said so far of a file."""

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
    """Say what is to be different; what is left out stays."""

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
    """Tell how the file would be read."""

    rows: dict[str, int] = Field(description="By outcome; unsent: would be sent.")
    refused: dict[str, Any] | None
    kinds: list[taught_profile.KindObject]
    first: list[dict[str, Any]] = Field(description="The first updates as they would be sent.")
    errors: list[dict[str, Any]]
    others: list[str] = Field(description="Refused drops that can be read with it.")


class SaveOrder(Order):
    """Save what was taught."""

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


@router.post("/teachings", status_code=201)
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
    return _object(ctx, made)


@router.get("/teachings/{teaching}")
def shown(ctx: Ctx, _visitor: Looker, teaching: Id) -> TeachingObject:
    """Show what was said so far."""
    return _object(ctx, ctx.teachings.get(teaching))


@router.patch("/teachings/{teaching}")
def change(ctx: Ctx, visitor: ByMachine, teaching: Id, said: Change) -> TeachingObject:
    """Say which courier it is, which column is which, and what words mean."""
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
    return _object(ctx, ctx.teachings.change(teaching, said.version, who, **values))


@router.get("/teachings/{teaching}/preview")
def preview(ctx: Ctx, _visitor: Looker, teaching: Id) -> PreviewObject:
    """Read the file with the profile as it would be saved, and send nothing."""
    found = _unfinished(ctx, teaching)
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


@router.post("/teachings/{teaching}/save")
def save(ctx: Ctx, visitor: ByMachine, teaching: Id, order: SaveOrder) -> SavedObject:
    """Save it as the courier's profile, once; the former one is kept."""
    now = ctx.teachings.get(teaching)
    if now.done:
        return SavedObject(courier=now.short, page=now.done)
    who = visitor.name or order.who
    days = tuple(day for day in DAYS if day in order.days)
    made = ctx.teachings.change(teaching, order.version, who, by=order.by, days=days)
    page = finish(ctx, made, who=who, note=order.note, send=order.send, others=list(order.others))
    return SavedObject(courier=made.short, page=page)


def _unfinished(ctx: WebContext, teaching: str) -> Teaching:
    found = ctx.teachings.get(teaching)
    if found.done:
        raise NotPossible("This was saved already.")
    return found


def _object(ctx: WebContext, teaching: Teaching) -> TeachingObject:
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
