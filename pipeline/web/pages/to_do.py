"""Things to do, as page and as JSON: the list, setting things aside, the inbox."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from pipeline.web.api_base import LATER, Answer, Message, Order, api_router
from pipeline.web.context import (
    ByMachine,
    Ctx,
    Form,
    Looker,
    Operator,
    lead,
    page,
    text_of,
    told_once,
)
from pipeline.web.health_bar import WaitingList
from pipeline.web.set_aside import OF_DROPS, REASONS, REASONS_OF_FILES, leave_aside, take_back_thing
from pipeline.web.to_do import MOST, Kind, ToDoItem

router = APIRouter(include_in_schema=False)
api = api_router(router)


@router.get("/")
def to_do_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Show all things to do, the oldest first.

    An address of the list, from before it had one of its own, leads there.
    """
    if set(request.query_params) - {"said"}:
        return RedirectResponse(f"/drops?{request.url.query}", status_code=307)
    items = ctx.to_do.items()
    values = {
        "cards": items,
        "count": ctx.to_do.count(),
        "files": ctx.to_do.files(),
        "most": MOST,
        "put_off": ctx.to_do.put_off(),
        "last": max(ctx.totals.last_of().values(), key=lambda each: each.received_at, default=None),
        "reasons": {kind: REASONS_OF_FILES if kind == "refused" else REASONS for kind in items},
        "said": told_once(request),
    }
    return page(request, "to_do.html", values, visitor=visitor)


@router.get("/next")
def next_to_do(
    ctx: Ctx, _visitor: Looker, after: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """Lead to the next file to see to, or to the list of all there is."""
    found = ctx.to_do.after(after)
    return RedirectResponse(f"/drops/{found.drop_id}" if found else "/", status_code=303)


@router.post("/to-do/aside")
def aside(request: Request, ctx: Ctx, visitor: Operator, form: Form) -> Response:
    """Set one thing aside, or take it back."""
    kind, key, reason = (text_of(form, name) for name in ("kind", "key", "reason"))
    if text_of(form, "go") != "back":
        leave_aside(ctx, visitor, kind, key, reason=reason, who=text_of(form, "who"))
        return lead(request, "/", "It is set aside.")
    take_back_thing(ctx, visitor, kind, key)
    if kind in OF_DROPS:
        return lead(request, f"/drops/{key}")
    return lead(request, "/", "It is on the list again.")


@router.get("/waiting")
def waiting_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Show the files in the inbox: why each waits, what to do, and those that are never taken."""
    values = {"waiting": ctx.health_bar.waiting()}
    return page(request, "waiting.html", values, visitor=visitor)


class ToDoList(Answer):
    """Everything there is to do; of files the 50 oldest. ``count``: all of it."""

    count: int
    items: list[ToDoItem]


class ToDoOrder(Order):
    """A thing of the list about which nothing is to be done."""

    kind: Literal["rows", "api", "refused", "waiting", "late"]
    key: str = Field(min_length=1, max_length=600)
    reason: Literal["not a manifest", "already delivered", "not ours", "duplicate", "other"] = (
        Field(description="not a manifest: of a refused file alone.")
    )
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


@api.get("/to-do")
def to_do(ctx: Ctx, _visitor: Looker) -> ToDoList:
    """List all things to do, the oldest of each kind first."""
    items = [each for some in ctx.to_do.items().values() for each in some]
    return ToDoList(count=ctx.to_do.count(), items=items)


@api.post("/to-do/set-aside", responses=LATER)
def set_aside(ctx: Ctx, visitor: ByMachine, order: ToDoOrder) -> Message:
    """Leave one thing of the list as it is: a file, or for this time a courier that is late."""
    leave_aside(ctx, visitor, order.kind, order.key, reason=order.reason, who=order.who)
    return Message(said="It is set aside.")


@api.delete("/to-do/set-aside", responses=LATER)
def put_back(
    ctx: Ctx,
    visitor: ByMachine,
    kind: Annotated[Kind, Query()],
    key: Annotated[str, Query(min_length=1, max_length=600)],
) -> Message:
    """Put a thing back on the list."""
    take_back_thing(ctx, visitor, kind, key)
    return Message(said="It is on the list again.")


@api.get("/waiting")
def waiting(ctx: Ctx, _visitor: Looker) -> WaitingList:
    """List the files in the inbox: why each waits, and those that are never taken."""
    return ctx.health_bar.waiting()
