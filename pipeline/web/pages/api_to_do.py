"""The JSON API of what there is to do: the list, leaving things aside, the inbox, days, orders."""

from typing import Annotated

from fastapi import APIRouter, Query

from pipeline.core.errors import UsageError
from pipeline.web.api_models import (
    AnswerList,
    AnswerObject,
    CourierOnDay,
    DayObject,
    Message,
    ToDoItem,
    ToDoList,
    ToDoOrder,
    WaitingList,
    WaitingObject,
)
from pipeline.web.context import ByMachine, Ctx, Looker
from pipeline.web.order_search import find
from pipeline.web.pages.api import LATER, PROBLEMS, plain
from pipeline.web.pages.reports import Day
from pipeline.web.reports import couriers_on
from pipeline.web.set_aside import leave_aside, take_back_thing
from pipeline.web.to_do import Kind
from pipeline.web.totals import day_named

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get("/to-do")
def to_do(ctx: Ctx, _visitor: Looker) -> ToDoList:
    """List everything that somebody has to see to, the oldest of each kind first."""
    return ToDoList(
        count=ctx.to_do.count(),
        items=[
            ToDoItem(
                kind=each.kind,
                key=plain(each.key),
                title=plain(each.title),
                said=plain(each.said),
                since=each.since,
                rows=each.rows,
                drop_id=each.drop.drop_id if each.drop else None,
            )
            for some in ctx.to_do.items().values()
            for each in some
        ],
    )


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
    waiting_now = ctx.to_do.waiting()
    return WaitingList(
        files=[
            WaitingObject.model_validate(each, from_attributes=True) for each in waiting_now.files
        ],
        never=[
            WaitingObject(folder=each.folder, name=each.name, size=None, since=None, why=each.why)
            for each in waiting_now.never
        ],
    )


@router.get("/days/{day}")
def day_of(ctx: Ctx, _visitor: Looker, day: Day) -> DayObject:
    """Tell what came of each courier on a day, what was late, and what of it is left to do."""
    return DayObject(
        day=day,
        couriers=[
            CourierOnDay(
                courier=each.courier,
                files=each.files,
                first_file_at=each.first,
                expected_by=each.expected,
                late=each.late,
                rows=dict(each.rows),
                left_to_do=each.left,
            )
            for each in couriers_on(ctx.site, ctx.totals, day_named(day))
        ],
    )


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
        answers=[
            AnswerObject(
                order_id=story.order_id,
                asked=story.asked,
                said=story.answer.said,
                outcome=story.answer.outcome,
                at=story.answer.at,
                drop_id=story.answer.drop_id or None,
            )
            for story in found.stories
        ],
        missing=found.missing,
        like=found.like,
        back_to=found.back_to,
        next=found.before,
    )
