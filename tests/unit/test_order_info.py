"""Tests of ``parse_order_info``: where an order stands, from answers of ``shipment/info``."""

import json
from typing import Any

import pytest

from pipeline.core.ports import Reply
from pipeline.delivery.api.order_info import Reached, parse_order_info
from schemas.vocabulary import Milestone

ORDER = "ORDER-A1"


def _asked(body: object, status: int = 200) -> Reached | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Reply(status=status, headers={}, body=content)
    return parse_order_info(reply, ORDER, Milestone.DELIVERY_DONE)


def _item(state: str = "DELIVERED", **more: Any) -> dict[str, Any]:
    return {"id": ORDER, "orderStatus": state, **more}


THERE: tuple[object, ...] = (
    {"orders": [_item()]},
    {"data": {"orders": [_item("delivered ")]}},
    {"orders": [{"id": "OTHER", "orderStatus": "PROCESSING"}, _item()]},
    {"orders": [_item(orderId=ORDER), _item()], "success": True, "errors": []},
    b"\xef\xbb\xbf" + json.dumps({"orders": [_item()]}).encode(),
)
NO_WORD: tuple[object, ...] = (
    {"orders": []},
    {"orders": [_item("SHIPPED_TO_MARS")]},
    {"orders": [_item(), _item("PROCESSING")]},
    {"orders": [_item("PROCESSING"), _item()]},
    {"orders": [_item(orderId="OTHER-9")]},
    {"orders": [_item(error="stale")]},
)
NO_ANSWER: tuple[object, ...] = (
    {"success": False, "orders": [_item()]},
    {"error": "stale cache", "orders": [_item()]},
    {"data": {"orders": [_item()], "success": False}},
    {"status": "FAILED", "orders": [_item()]},
    {"orders": {"id": ORDER}},
    [_item()],
    b"<html>log in</html>",
)


@pytest.mark.parametrize("body", THERE, ids=str)
def test_an_order_at_the_status_is_there(body: object) -> None:
    assert _asked(body) is Reached.YES


@pytest.mark.parametrize("body", NO_WORD, ids=str)
def test_an_order_in_two_states_or_none_is_not_known(body: object) -> None:
    assert _asked(body) is Reached.NO_WORD


@pytest.mark.parametrize("body", NO_ANSWER, ids=str)
def test_a_failure_is_no_answer_whatever_it_lists(body: object) -> None:
    assert _asked(body) is None


def test_part_of_an_answer_is_no_answer() -> None:
    assert _asked({"orders": [_item()]}, status=206) is None
