"""Each fault is seen to act, and to have or not to have applied the update."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.answers import UNCLEAR
from pipeline.sandbox.backend import TokenStore
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.core import CallRefusedError
from pipeline.sandbox.faults import Fault, FaultInjector, TokenBucket

Start = Callable[..., Any]


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return 1_000_000_000 + self.at

    def monotonic(self) -> float:
        return self.at


def test_a_lost_answer_leaves_the_update_applied(start: Start) -> None:
    api = start(faults={"lose_rate": 1})
    with pytest.raises(httpx.TransportError):
        api.pick()
    assert api.state("1") == "bag_picked"
    assert api.handle.stats()["status_codes"] == {"none": 1}
    assert api.handle.calls()[0]["fault"] == "lose"


def test_a_reset_leaves_nothing_applied(start: Start) -> None:
    api = start(faults={"reset_rate": 1})
    with pytest.raises(httpx.TransportError) as reset:
        api.pick()
    assert "reset" in str(reset.value).casefold()
    assert api.state("1") is None


def test_a_stalled_answer_comes_late_and_is_applied(start: Start) -> None:
    api = start(faults={"stall_rate": 1, "stall_seconds": 0.4})
    with pytest.raises(httpx.ReadTimeout):
        api.client.put(
            "/oms/v3/shipment/status",
            json=[{"orderId": "1", "orderStatus": "bag_picked"}],
            headers={"x-access-token": "sandbox-token"},
            timeout=0.1,
        )
    assert api.state("1") == "bag_picked"
    assert api.pick("2").status_code == 200


def test_stopping_does_not_wait_for_stalled_calls(start: Start) -> None:
    api = start(faults={"stall_rate": 1, "stall_seconds": 60})
    with ThreadPoolExecutor(1) as pool:
        stalled = pool.submit(api.pick)
        while api.state("1") is None:
            time.sleep(0.01)
        began = time.monotonic()
        api.handle.stop()
        assert time.monotonic() - began < 5
        assert isinstance(stalled.exception(), httpx.TransportError)


@pytest.mark.parametrize("status", [200, 502])
def test_html_instead_of_json(start: Start, status: int) -> None:
    api = start(faults={"html_rate": 1, "html_status": [status]})
    answers = [api.pick(str(number)) for number in range(12)]
    assert {answer.status_code for answer in answers} == {status}
    assert all("html" in answer.headers["content-type"] for answer in answers)
    applied = api.handle.stats()["accepted"]
    assert applied == 12 if status == 200 else 0 < applied < 12


def test_a_truncated_answer_was_applied(start: Start) -> None:
    api = start(faults={"truncate_rate": 1})
    answer = api.pick()
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    api.handle.set_faults(truncate_form="wire")
    with pytest.raises(httpx.RemoteProtocolError):
        api.pick("2")
    assert api.state("1") == api.state("2") == "bag_picked"


def test_the_first_calls_fail(start: Start) -> None:
    api = start(faults={"fail_first": 2, "fail_status": [503]})
    assert [api.pick().status_code for _ in range(3)] == [503, 503, 200]
    assert api.handle.stats()["faults"] == {"fail-first": 2}


def test_failures_follow_their_rate_and_their_seed(start: Start) -> None:
    faults = {"fail_rate": 0.5, "fail_status": [500, 502, 503, 504]}
    runs = []
    for _ in range(2):
        api = start(faults=faults, seed=7)
        runs.append([api.pick(str(number)).status_code for number in range(60)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500, 502, 503, 504}
    assert 15 < runs[0].count(200) < 45


@pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 404, 422, 500])
def test_one_status_for_every_call(start: Start, status: int) -> None:
    api = start(faults={"status_all": status})
    answer = api.pick()
    assert answer.status_code == status
    assert ("location" in answer.headers) == (status == 302)
    assert api.state("1") is None
    assert api.info("1").status_code == 200


def test_down_for_a_while(start: Start) -> None:
    clock = HandClock()
    api = start(faults={"down_seconds": [0, 50]}, clock=clock)
    assert api.pick().status_code == 503
    assert api.info("1").status_code == api.fetch_token().status_code == 503
    clock.at += 51
    assert api.pick().status_code == 200


def test_the_sibling_endpoints_can_fail_alone(start: Start) -> None:
    api = start(faults={"info_status": 500, "token_status": 403})
    assert api.pick().status_code == 200
    assert api.info("1").status_code == 500
    assert api.fetch_token().status_code == 403


def test_latency_is_waited_for(start: Start) -> None:
    api = start(faults={"latency_ms": 80, "jitter_ms": 40})
    began = time.monotonic()
    assert api.pick().status_code == 200
    assert 0.08 <= time.monotonic() - began < 1


def test_concurrency_is_seen(start: Start) -> None:
    api = start(faults={"latency_ms": 150})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: api.pick(str(number)), range(4)))
    assert api.handle.stats()["max_concurrency"] == 4


def test_refused_and_poisoned_orders(start: Start) -> None:
    api = start(faults={"refuse_orders": ["1"], "poison_orders": ["2"]})
    assert api.pick("1").json()["data"]["errors"][0]["orderId"] == "1"
    poisoned = api.put([{"orderId": order, "orderStatus": "bag_picked"} for order in ("3333", "2")])
    assert poisoned.status_code == 422
    assert "orderId" not in poisoned.text
    assert api.state("3333") is None
    assert api.pick("3333").json()["data"]["failedCount"] == 0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("data", {"orderId": "77", "code": "D422", "message": "order is refused on request"}),
        ("top", {"orderId": "77", "code": "D422", "message": "order is refused on request"}),
        ("strings", "D422: 77: order is refused on request"),
        ("index", {"index": 1, "code": "D422", "message": "order is refused on request"}),
        ("counts", None),
    ],
)
def test_shapes_of_a_partial_answer(start: Start, shape: str, expected: object) -> None:
    api = start(faults={"refuse_orders": ["77"], "partial_shape": shape})
    answer = api.put([{"orderId": order, "orderStatus": "bag_picked"} for order in ("1", "77")])
    facts = answer.json() if shape == "top" else answer.json()["data"]
    assert ("data" in answer.json()) == (shape != "top")
    assert (facts["failedCount"], facts["status"]) == (1, "PARTIAL")
    assert facts["errors"] == ([] if expected is None else [expected])


def test_a_fetched_token_expires(start: Start) -> None:
    clock = HandClock()
    api = start(faults={"token_ttl_seconds": 300}, clock=clock)
    token = api.fetch_token().json()["access_token"]
    body = [{"orderId": "1", "orderStatus": "bag_picked"}]
    assert api.put(body, token=token).status_code == 200
    clock.at += 299
    assert api.put(body, token=token).status_code == 200
    clock.at += 2
    assert api.put(body, token=token).status_code == 401
    assert api.put(body).status_code == 200  # the fixed one lasts


def test_all_tokens_die_once_and_the_fixed_one_is_revived_on_request(start: Start) -> None:
    api = start(faults={"expire_token_after": 2})
    old = api.fetch_token().json()["access_token"]
    assert [api.pick(str(number)).status_code for number in range(3)] == [200, 200, 401]
    body = [{"orderId": "9", "orderStatus": "bag_picked"}]
    assert api.put(body, token=old).status_code == 401
    assert api.info("0").status_code == 401
    new = api.fetch_token().json()["access_token"]
    assert [api.put(body, token=new).status_code for _ in range(4)] == [200] * 4
    api.client.post("/_sandbox/faults", json={"revive_token": True})
    assert api.pick("10").status_code == 200


def test_the_rate_limit_is_never_exceeded(start: Start) -> None:
    api = start(faults={"limit_per_second": 20, "limit_burst": 5})
    began = time.monotonic()
    answers: list[httpx.Response] = []
    while time.monotonic() - began < 1.2:
        answers.append(api.pick(str(len(answers))))
        time.sleep(0.002)  # only between two looks at the condition
    elapsed = time.monotonic() - began
    taken = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 15 <= len(taken) <= 5 + 20 * elapsed + 1
    assert len(taken) + len(refused) == len(answers)
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert api.handle.stats()["accepted"] == len(taken)


def test_retry_after_as_a_date_or_not_at_all(start: Start) -> None:
    api = start(faults={"limit_per_second": 0.1, "retry_after_form": "date"})
    api.pick()
    wait = parsedate_to_datetime(api.pick().headers["retry-after"]).timestamp() - time.time()
    assert 8 < wait <= 11
    api.handle.set_faults(retry_after_form="none")
    assert "retry-after" not in api.pick().headers


@given(
    rate=st.floats(0.5, 100),
    burst=st.integers(0, 20),
    gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=80),
)
def test_no_window_of_a_bucket_exceeds_burst_plus_rate(
    rate: float, burst: int, gaps: list[float]
) -> None:
    clock = HandClock()
    bucket = TokenBucket(rate, burst, clock)
    taken = []
    for gap in gaps:
        clock.at += gap
        if bucket.take() == 0:
            taken.append(clock.at)
    room = burst or max(1.0, rate)
    for first, start_at in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= room + rate * (taken[last] - start_at) + 1e-6


def test_a_fault_that_is_off_draws_no_luck() -> None:
    def fates(faults: Faults) -> list[Fault | None]:
        injector = FaultInjector(faults, HandClock(), random.Random(3))
        return [injector.decide().fault for _ in range(50)]

    lossy = fates(Faults(lose_rate=0.3))
    assert lossy == fates(Faults(lose_rate=0.3, reset_rate=0, stall_seconds=1))
    assert set(lossy) == {None, Fault.LOSE}


def test_tokens_stay_bounded_and_expire_by_the_clock() -> None:
    clock = HandClock()
    config = SandboxConfig(faults=Faults(token_ttl_seconds=10))
    store = TokenStore(config, clock, random.Random(0))
    tokens = [store.issue("u", "p")["access_token"] for _ in range(150)]
    store.admit(tokens[-1])
    clock.at = 9.9
    store.admit(tokens[-1])
    with pytest.raises(CallRefusedError):
        store.admit(tokens[0])  # it made room
    clock.at = 10
    with pytest.raises(CallRefusedError, match="expired"):
        store.admit(tokens[-1])


@pytest.mark.parametrize("shape", UNCLEAR)
def test_answers_that_do_not_say_whether_the_call_was_taken(start: Start, shape: str) -> None:
    api = start(faults={"unclear_rate": 1, "unclear_shape": [shape]})
    answer = api.pick()
    assert answer.status_code == (204 if shape == "no content" else 200)
    assert b"successCount" not in answer.content
    assert api.state("1") is None
    assert api.handle.stats()["faults"] == {"unclear": 1}
    assert "orders" in api.info("1").json()
    api.handle.set_faults(unclear_applied=1, unclear_info=True)
    assert api.pick().content == api.info("1").content == answer.content
    assert api.state("1") == "bag_picked"


def test_unclear_answers_come_in_every_shape_unless_told_otherwise(start: Start) -> None:
    api = start(faults={"unclear_rate": 1, "unclear_applied": 0.5}, seed=3)
    answers = [api.pick(str(number)) for number in range(200)]
    assert len({(answer.status_code, answer.content) for answer in answers}) == len(UNCLEAR)
    applied = sum(api.state(str(number)) is not None for number in range(200))
    assert 60 < applied < 140
