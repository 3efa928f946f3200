"""The rules, without a server: moves, repeats, unknown orders, and what is refused whole."""

from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.config import BEFORE, COARSE, MOVES, OrderState, SandboxConfig
from pipeline.sandbox.core import CallRefusedError, Sandbox


class StillClock:
    """A clock that stands still."""

    def now(self) -> float:
        return 1_000.0

    def monotonic(self) -> float:
        return 0.0


def sandbox(**config: object) -> Sandbox:
    return Sandbox(SandboxConfig(**cast("dict[str, Any]", config)), StillClock())


def item(order_id: str = "1", status: str = "bag_picked", **meta: object) -> dict[str, object]:
    return {"orderId": order_id, "orderStatus": status} | ({"meta": meta} if meta else {})


def codes(box: Sandbox, *items: object, refuse: frozenset[str] = frozenset()) -> list[str]:
    return [error.code for error in box.apply(list(items), refuse=refuse).errors]


LEGAL = {
    ("dp_assigned", "bag_picked"),
    ("bag_picked", "delivery_done"),
    ("bag_picked", "rto_bag_delivered"),
    ("delivery_done", "return_bag_in_transit"),
    ("return_dp_assigned", "return_bag_in_transit"),
    ("return_bag_in_transit", "return_bag_delivered"),
}


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("status", list(BEFORE))
def test_only_published_moves_are_taken(state: OrderState, status: OrderState) -> None:
    box = sandbox(orders={"1": state})
    taken = not codes(box, item(status=status))
    assert taken == ((state, status) in LEGAL)
    order = box.order("1")
    assert order is not None
    assert order.state == (status if taken else state)


def test_tables_cover_every_state() -> None:
    assert set(MOVES) == set(COARSE) == set(OrderState)


@pytest.mark.parametrize(
    "flow",
    [
        ["bag_picked", "delivery_done", "return_bag_in_transit", "return_bag_delivered"],
        ["bag_picked", "rto_bag_delivered"],
        ["return_bag_in_transit", "return_bag_delivered"],
        ["delivery_done"],
        ["rto_bag_delivered"],
        ["return_bag_delivered"],
    ],
)
def test_an_unseen_order_stands_where_its_first_update_needs_it(flow: list[str]) -> None:
    box = sandbox()
    for status in flow:
        assert codes(box, item(status=status)) == []
    assert box.tally.accepted == len(flow)


def test_unknown_orders_can_be_assigned_or_refused() -> None:
    assert codes(sandbox(unknown_orders="dp_assigned"), item(status="delivery_done")) == ["D422"]
    assert codes(sandbox(unknown_orders="dp_assigned"), item()) == []
    refusing = sandbox(unknown_orders="refuse", orders={"1": "dp_assigned"})
    assert codes(refusing, item("1"), item("2")) == ["O404"]
    assert refusing.order("2") is None


def test_a_refused_update_creates_no_order() -> None:
    box = sandbox(unknown_orders="dp_assigned")
    box.apply([item(status="delivery_done")])
    assert len(box) == 0


def test_repeats_are_refused_or_counted_as_duplicates() -> None:
    refusing = sandbox()
    assert codes(refusing, item()) == []
    assert codes(refusing, item()) == ["O400"]
    assert (refusing.tally.repeats, refusing.tally.illegal, refusing.tally.duplicates) == (1, 0, 0)
    accepting = sandbox(repeat="accept")
    assert codes(accepting, item()) == codes(accepting, item()) == []
    assert (accepting.tally.accepted, accepting.tally.duplicates) == (2, 1)


def test_orders_that_take_no_update() -> None:
    box = sandbox(orders={"1": "cancelled", "2": "not_self_ship"})
    assert codes(box, item("1"), item("2"), item("3")) == ["O400", "D422"]
    assert box.tally.refused == 2


def test_orders_refused_or_poisoned_on_request() -> None:
    box = sandbox()
    assert codes(box, item("1"), item("2"), refuse=frozenset({"1"})) == ["D422"]
    with pytest.raises(CallRefusedError) as refused:
        box.apply([item("3"), item("4")], poison=frozenset({"4"}))
    assert refused.value.status == 422
    assert "4" not in refused.value.message.replace("422", "")
    assert box.order("3") is None


def test_history_keeps_call_time_and_meta() -> None:
    box = sandbox()
    box.apply([item(remark="Picked", reasonCode=0)], call=7)
    order = box.order("1")
    assert order is not None
    assert order.history == [("bag_picked", 7, 1_000.0, '{"remark":"Picked","reasonCode":0}')]
    without = sandbox(keep_meta=False)
    without.apply([item(remark="Picked")])
    order = without.order("1")
    assert order is not None
    assert order.history[0].meta is None


@given(st.lists(st.sampled_from(list(BEFORE)), max_size=12))
def test_no_sequence_of_updates_leaves_the_table(statuses: list[OrderState]) -> None:
    box = sandbox(orders={"1": "dp_assigned"})
    for status in statuses:
        box.apply([item(status=status)])
    order = box.order("1")
    assert order is not None
    walked = [OrderState.DP_ASSIGNED, *(update.status for update in order.history)]
    for before, after in pairwise(walked):
        assert after in MOVES[before]


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ({}, "array"),
        (None, "array"),
        ("x", "array"),
        ([], "1 to 20"),
        ([item(str(n)) for n in range(21)], "1 to 20"),
        ([item(), 3], "item 1: must be an object"),
        ([item(), item("2") | {"awb": "x"}], "item 1: awb is unknown"),
        ([{"orderStatus": "bag_picked"}], "item 0: orderId"),
        ([item() | {"orderId": 17}], "item 0: orderId"),
        ([item() | {"orderId": " "}], "item 0: orderId"),
        ([{"orderId": "1"}], "item 0: orderStatus"),
        ([item(status="dp_assigned")], "item 0: orderStatus"),
        ([item(status="BAG_PICKED")], "item 0: orderStatus"),
        ([item() | {"orderStatus": ["bag_picked"]}], "item 0: orderStatus"),
        ([item() | {"meta": None}], "item 0: meta"),
        ([item() | {"meta": []}], "item 0: meta"),
        ([item(colour="red")], "item 0: meta.colour"),
        ([item(remark=None)], "item 0: meta.remark"),
        ([item(remark="")], "item 0: meta.remark"),
        ([item(dpLocation="nan")], "item 0: meta.dpLocation"),
        ([item(estimated_delivery_date="NaN")], "item 0: meta.estimated_delivery_date"),
        ([item(promised_delivery_date=20261125)], "item 0: meta.promised_delivery_date"),
        ([item(reasonCode="0")], "item 0: meta.reasonCode"),
        ([item(reasonCode=0.0)], "item 0: meta.reasonCode"),
        ([item(reasonCode=True)], "item 0: meta.reasonCode"),
        ([item("1"), item("2"), item("1")], "item 2: orderId repeats the order of item 0"),
    ],
)
def test_a_malformed_call_is_refused_whole(items: object, named: str) -> None:
    box = sandbox()
    with pytest.raises(CallRefusedError) as refused:
        box.apply(items)
    assert refused.value.status == 400
    assert named in refused.value.message
    assert len(box) == 0


def test_the_largest_and_the_smallest_call_are_taken() -> None:
    box = sandbox()
    assert codes(box, *(item(str(n)) for n in range(20))) == []
    assert codes(box, item("99") | {"meta": {}}) == []
    assert box.tally.accepted == 21
