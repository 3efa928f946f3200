"""The JSON API of what there is to do: the list, leaving things aside, the inbox, days, orders."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from pipeline.core.errors import UsageError
from pipeline.web.api_base import LATER, Answer, Message, Order, api_router
from pipeline.web.context import ByMachine, Ctx, Looker
from pipeline.web.health_bar import WaitingList
from pipeline.web.order_search import AnswerObject, find
from pipeline.web.pages.reports import Day
from pipeline.web.reports import CourierOnDay, couriers_on
from pipeline.web.set_aside import leave_aside, take_back_thing
from pipeline.web.to_do import Kind, ToDoItem
from pipeline.web.totals import day_named

router = api_router()


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


class DayObject(Answer):
    """A day where the manifests come from."""

    day: str
    couriers: list[CourierOnDay]


class AnswerList(Answer):
    """Orders and AWBs that were found. ``missing``: texts that nothing is known of."""

    answers: list[AnswerObject]
    missing: list[str]
    like: list[str] = Field(description="Order ids that the one text is a part of.")
    back_to: datetime | None = Field(description="How far files were looked through for AWBs.")
    next: int | None = Field(description="Give it as `before` to look further back; null: no more.")


@router.get("/to-do")
def to_do(ctx: Ctx, _visitor: Looker) -> ToDoList:
    """List everything that somebody has to see to, the oldest of each kind first."""
    items = [each for some in ctx.to_do.items().values() for each in some]
    return ToDoList(count=ctx.to_do.count(), items=items)


@router.post("/to-do/set-aside", responses=LATER)
def set_aside(ctx: Ctx, visitor: ByMachine, order: ToDoOrder) -> Message:
    """Leave one thing of the list as it is: a file, or for this time a courier that is late."""
    leave_aside(ctx, visitor, order.kind, order.key, reason=order.reason, who=order.who)
    return Message(said="It is set aside.")


@router.delete("/to-do/set-aside", responses=LATER)
def put_back(
    ctx: Ctx,
    visitor: ByMachine,
    kind: Annotated[Kind, Query()],
    key: Annotated[str, Query(min_length=1, max_length=600)],
) -> Message:
    """Put a thing back on the list."""
    take_back_thing(ctx, visitor, kind, key)
    return Message(said="It is on the list again.")


@router.get("/waiting")
def waiting(ctx: Ctx, _visitor: Looker) -> WaitingList:
    """Tell what lies in the inbox: why each file waits, and what is never taken."""
    return ctx.to_do.waiting()


@router.get("/days/{day}")
def day_of(ctx: Ctx, _visitor: Looker, day: Day) -> DayObject:
    """Tell what came of each courier on a day, what was late, and what of it is left to do."""
    found = couriers_on(ctx.site, ctx.totals, day_named(day))
    return DayObject(day=day, couriers=found)


@router.get("/orders")
def orders(
    ctx: Ctx,
    _visitor: Looker,
    q: Annotated[str, Query(max_length=4_000, description="Order ids or AWBs, several at once.")],
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> AnswerList:
    """Tell what became of orders, by their ids or AWBs."""
    words = q.replace("\x00", "").strip()
    if not words:
        raise UsageError("Give an order id or an AWB.")
    found = find(ctx.site, words, before)
    return AnswerList(
        answers=[story.answer for story in found.stories],
        missing=found.missing,
        like=found.like,
        back_to=found.back_to,
        next=found.before,
    )
