"""The endpoints over a real socket: answers, tokens, info, and the looks inside."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.core import CallRefusedError
from pipeline.sandbox.server import running

Start = Callable[..., Any]


def items(count: int, status: str = "bag_picked") -> list[dict[str, object]]:
    return [{"orderId": str(number), "orderStatus": status} for number in range(count)]


def test_a_full_call_is_taken(start: Start) -> None:
    answer = start().put(items(20))
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {
            "payloadCount": 20,
            "successCount": 20,
            "failedCount": 0,
            "status": "SUCCESS",
            "errors": [],
        },
        "meta": {"requestId": "sandbox-00000001"},
    }


def test_twenty_one_items_are_refused_whole(start: Start) -> None:
    api = start()
    assert api.put(items(21)).status_code == 400
    stats = api.handle.stats()
    assert (stats["max_items"], stats["calls_refused"], stats["orders"]) == (21, 1, 0)


def test_partial_and_failed_answers_name_their_orders(start: Start) -> None:
    api = start(orders={"0": "delivery_done"})
    partial = api.put(items(2)).json()["data"]
    assert (partial["status"], partial["successCount"], partial["failedCount"]) == ("PARTIAL", 1, 1)
    assert partial["errors"] == [
        {
            "orderId": "0",
            "code": "D422",
            "message": "order cannot move from delivery_done to bag_picked",
        }
    ]
    assert api.put(items(2)).json()["data"]["status"] == "FAILED"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff[]", b'[{"orderId": NaN}]'])
def test_a_body_that_is_no_json(start: Start, body: bytes) -> None:
    api = start()
    answer = api.client.put(
        "/oms/v3/shipment/status", content=body, headers={"x-access-token": "sandbox-token"}
    )
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["message"]


def test_a_body_over_a_megabyte(start: Start) -> None:
    api = start()
    answer = api.put([{"orderId": "1", "orderStatus": "x" * 1_000_001}])
    assert answer.status_code == 413
    assert api.update("1", "bag_picked").status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_tokens_that_are_turned_away(start: Start, token: str | None) -> None:
    api = start()
    assert api.put(items(1), token=token).status_code == 401
    assert api.info("0", token or "").status_code == 401
    assert api.handle.stats()["orders"] == 0


def test_a_fetched_token_works(start: Start) -> None:
    api = start(username="me", password="secret")
    assert api.fetch_token("me", "wrong").status_code == 401
    token = api.fetch_token("me", "secret").json()["access_token"]
    assert api.put(items(1), token=token).status_code == 200
    assert api.handle.stats()["token_calls"] == 2
    assert all("secret" not in str(call) for call in api.handle.calls())


@pytest.mark.parametrize(
    ("field", "path"), [("token", ["token"]), ("data.accessToken", ["data", "accessToken"])]
)
def test_the_token_can_be_called_and_nested_at_will(
    start: Start, field: str, path: list[str]
) -> None:
    answer = start(token_field=field).fetch_token().json()
    for key in path:
        answer = answer[key]
    assert answer.startswith("sbx-")


@pytest.mark.parametrize(
    ("state", "coarse"),
    [
        ("dp_assigned", "PROCESSING"),
        ("bag_picked", "TRANSIT"),
        ("delivery_done", "DELIVERED"),
        ("return_bag_in_transit", "RETURN_PROCESSING"),
        ("rto_bag_delivered", "RETURN_DELIVERED"),
        ("return_bag_delivered", "RETURN_DELIVERED"),
    ],
)
def test_info_says_where_an_order_is(start: Start, state: str, coarse: str) -> None:
    api = start(orders={"1": state})
    assert api.info("1").json() == {"orders": [{"id": "1", "orderStatus": coarse}]}
    unknown = api.info("2")
    assert (unknown.status_code, unknown.json()) == (200, {"orders": []})


def test_the_looks_inside_agree_over_http_and_by_handle(start: Start) -> None:
    api = start()
    api.update("1", "bag_picked")
    api.update("1", "bag_picked")
    api.info("1")
    get = api.client.get
    assert get("/_sandbox/stats").json() == api.handle.stats()
    assert get("/_sandbox/orders").json() == {"orders": api.handle.orders()}
    assert get("/_sandbox/orders", params={"orderId": "9"}).json() == {"orders": {}}
    assert get("/_sandbox/calls", params={"since": 1}).json() == {"calls": api.handle.calls(1)}
    assert get("/_sandbox/calls", params={"since": "x"}).status_code == 400
    stats = api.handle.stats()
    assert (stats["calls"], stats["info_calls"], stats["repeats"]) == (2, 1, 1)
    assert stats["status_codes"] == {"200": 2}
    history = api.handle.orders("1")["1"]["history"]
    assert [(update["status"], update["call"]) for update in history] == [("bag_picked", 1)]
    first = api.handle.calls()[0]
    assert first["updates"] == [["1", "bag_picked"]]
    assert (first["number"], first["method"], first["status"]) == (1, "PUT", 200)


def test_the_call_log_is_bounded_and_can_be_off(start: Start) -> None:
    short, off = start(call_log=3), start(call_log=0)
    for number in range(5):
        short.update(str(number), "bag_picked")
        off.update(str(number), "bag_picked")
    assert [call["number"] for call in short.handle.calls()] == [3, 4, 5]
    assert off.handle.calls() == []
    assert off.handle.stats()["calls"] == 5


def test_a_reset_goes_back_to_the_start(start: Start) -> None:
    api = start(orders={"1": "dp_assigned"}, faults={"fail_first": 1})
    first_token = api.fetch_token().json()["access_token"]
    api.update("1", "bag_picked")
    api.update("1", "bag_picked")
    assert api.client.post("/_sandbox/reset").status_code == 200
    assert api.state("1") == "dp_assigned"
    assert api.handle.stats()["calls"] == 0
    assert api.put(items(1)).status_code == 500
    assert api.put(items(1), token=first_token).status_code == 401
    assert api.fetch_token().json()["access_token"] == first_token  # the same luck again


def test_faults_change_while_running(start: Start) -> None:
    api = start()
    answer = api.client.post("/_sandbox/faults", json={"status_all": 500, "down_seconds": [0, 1]})
    assert answer.json()["faults"]["status_all"] == 500
    assert answer.json() == api.client.get("/_sandbox/faults").json()
    assert api.update("1", "bag_picked").status_code == 500
    api.handle.set_faults(status_all=0, down_seconds=None)
    assert api.update("1", "bag_picked").status_code == 200


@pytest.mark.parametrize(
    "change", [{"fail_rat": 1}, {"fail_rate": 2}, {"status_all": 99}, {"revive_token": "x"}, []]
)
def test_wrong_faults_are_refused_and_change_nothing(start: Start, change: object) -> None:
    api = start()
    answer = api.client.post("/_sandbox/faults", json=change)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert api.update("1", "bag_picked").status_code == 200


def test_the_handle_passes_errors_on_and_answers_after_its_end(start: Start) -> None:
    api = start()
    with pytest.raises(CallRefusedError, match="fail_rate"):
        api.handle.set_faults(fail_rate=2)
    api.update("1", "bag_picked")
    api.handle.stop()
    api.handle.stop()
    assert api.handle.stats()["accepted"] == 1


def test_an_address_in_use_is_an_error() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        running(SandboxConfig(port=taken.getsockname()[1])),
    ):
        pytest.fail("it must not start")
