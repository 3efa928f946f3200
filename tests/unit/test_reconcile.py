"""Proofs of shipment/info about a milestone, and their limits."""

import orjson
import pytest

from pipeline.core.ports import Reply
from pipeline.delivery.api.order_info import Reached, parse_order_info
from schemas.vocabulary import Milestone

Y, N, X, NONE = Reached.YES, Reached.NO, Reached.CANNOT_TELL, Reached.NO_WORD


def _told(state: object, milestone: Milestone, **more: object) -> Reached | None:
    body = orjson.dumps({"orders": [{"id": "7", "orderStatus": state}], **more})
    return parse_order_info(Reply(status=200, headers={}, body=body), "7", milestone)


@pytest.mark.parametrize(
    ("state", "told"),
    [  # bag_picked, delivery_done, rto, return in transit, return delivered
        ("PROCESSING", (N, N, N, N, N)),
        ("TRANSIT", (Y, N, N, N, N)),
        ("DELIVERED", (Y, Y, X, N, N)),
        ("RETURN_PROCESSING", (Y, X, N, X, N)),
        ("RETURN_DELIVERED", (Y, X, Y, Y, Y)),
        ("CANCELLED", (NONE, NONE, NONE, NONE, NONE)),
        ("", (NONE, NONE, NONE, NONE, NONE)),
        (None, (NONE, NONE, NONE, NONE, NONE)),
        (3, (NONE, NONE, NONE, NONE, NONE)),
    ],
)
def test_each_state_seen_from_each_milestone(state: object, told: tuple[Reached, ...]) -> None:
    assert tuple(_told(state, milestone) for milestone in Milestone) == told


def test_case_and_spaces_do_not_matter() -> None:
    assert _told(" transit ", Milestone.BAG_PICKED) is Y


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b"7",
        b'{"orders": {"id": "7"}}',
        b'{"orders": [{"id": "7"',
        b'{"data": 3}',
        b'{"code": 401, "message": "Please log in"}',
    ],
)
def test_what_is_not_in_its_shape_is_no_answer(body: bytes) -> None:
    reply = Reply(status=200, headers={}, body=body)
    assert parse_order_info(reply, "7", Milestone.BAG_PICKED) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"orders": []}',
        b'{"orders": ["7"]}',
        b'{"orders": [{"id": "8", "orderStatus": "DELIVERED"}]}',
    ],
)
def test_an_answer_without_this_order_has_no_word_on_it(body: bytes) -> None:
    reply = Reply(status=200, headers={}, body=body)
    assert parse_order_info(reply, "7", Milestone.BAG_PICKED) is NONE


@pytest.mark.parametrize("status", [301, 401, 404, 500])
def test_an_error_is_no_answer_even_with_a_sound_body(status: int) -> None:
    body = b'{"orders": [{"id": "7", "orderStatus": "DELIVERED"}]}'
    assert (
        parse_order_info(Reply(status=status, headers={}, body=body), "7", Milestone.BAG_PICKED)
        is None
    )


def test_the_order_is_found_among_others_inside_data_and_with_a_number_for_an_id() -> None:
    body = orjson.dumps(
        {
            "data": {
                "orders": [
                    {"id": "8", "orderStatus": "PROCESSING"},
                    {"id": 7, "orderStatus": "TRANSIT"},
                ]
            }
        }
    )
    assert (
        parse_order_info(Reply(status=200, headers={}, body=body), "7", Milestone.BAG_PICKED) is Y
    )
