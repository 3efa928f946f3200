"""Find orders across files: the page, and its answers as JSON."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from pipeline.core.errors import UsageError
from pipeline.service.order_history import trace_order
from pipeline.web.api_base import Answer, api_router
from pipeline.web.context import Ctx, Looker, NotThere, page
from pipeline.web.order_search import AnswerObject, find
from pipeline.web.words import FIELDS

router = APIRouter(include_in_schema=False)
api = api_router(router)


@router.get("/find")
def find_page(
    request: Request,
    ctx: Ctx,
    visitor: Looker,
    q: Annotated[str, Query(max_length=4_000)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Response:
    """Return the form, and what was found."""
    words = q.replace("\x00", "").strip()
    found = find(ctx.site, words, before) if words else None
    return page(
        request, "find.html", {"q": words, "found": found, "fields": FIELDS}, visitor=visitor
    )


class AnswerList(Answer):
    """Orders and AWBs that were found. ``missing``: texts that are unknown."""

    answers: list[AnswerObject]
    missing: list[str]
    like: list[str] = Field(description="Order ids that the one text is a part of.")
    back_to: datetime | None = Field(description="How far files were looked through for AWBs.")
    next: int | None = Field(description="Give it as `before` to look further back; null: no more.")


@api.get("/orders")
def orders(
    ctx: Ctx,
    _visitor: Looker,
    q: Annotated[str, Query(max_length=4_000, description="Order ids or AWBs, several at once.")],
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> AnswerList:
    """Return the outcomes of orders, by their ids or AWBs."""
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


class OrderObject(Answer):
    """Everything known of one order, oldest first: an object per row that named it."""

    order_id: str
    seen: list[dict[str, Any]]


@api.get("/orders/{order_id}")
def order(
    ctx: Ctx, _visitor: Looker, order_id: Annotated[str, Path(min_length=1, max_length=100)]
) -> OrderObject:
    """Return everything that was read, sent and answered for an order, as `trace` does."""
    seen = trace_order(ctx.site, order_id)
    if not seen:
        raise NotThere("No file named this order.")
    return OrderObject(order_id=order_id, seen=seen)
