"""A retry knows what other drops have got through since, and never runs beside one of them."""

import json

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Delivered, Root, orders, sheet, until

PICKED, DONE, RTO = "Picked Up", "Delivered", "RTO Delivered"


def _unknown(root: Root, api: SandboxHandle, name: str, content: str) -> Delivered:
    """Drop a file whose answers all come to nothing. Over there nothing of it has happened."""
    api.set_faults(html_rate=1.0, html_status=(200,))
    root.drop(f"{name}.csv", content)
    assert root.once().code == 3
    api.reset()
    api.set_faults(html_rate=0.0)
    return root.of(name)


def _codes(drop: Delivered) -> set[tuple[str, str]]:
    return {(line["outcome"], line["codes"]) for line in drop.lines()}


@pytest.mark.parametrize("reconcile", ["true", "false"])
@pytest.mark.parametrize(
    ("since", "told"),
    [(PICKED, ("duplicate", "ALREADY_ACCEPTED")), (DONE, ("duplicate", "STALE"))],
)
def test_what_another_drop_got_through_since_is_not_sent_again(
    root: Root, api: SandboxHandle, reconcile: str, since: str, told: tuple[str, str]
) -> None:
    root.configure(api__reconcile="false")
    first = _unknown(root, api, "first", orders(3, status=PICKED))
    assert first.counts == {"unknown": 3}
    root.drop("second.csv", orders(3, status=since))
    assert root.once().code == 0
    second = root.of("second")
    assert second.counts == {"accepted": 3}
    before = api.stats()
    ran = root.run("retry", first.id, env={"SHIPDROP_API__RECONCILE": reconcile})
    assert ran.code == 0, ran.err
    after = api.stats()
    assert (after["calls"], after["info_calls"]) == (before["calls"], before["info_calls"])
    first = root.of("first")
    assert _codes(first) == {told}
    line = first.lines()[0]
    assert second.id in line["message"]
    assert second.lines()[0]["sent_at"] in line["message"]
    assert first.summary["state"] == "completed"


def test_what_contradicts_another_drop_is_for_a_person(root: Root, api: SandboxHandle) -> None:
    root.configure(api__reconcile="false")
    first = _unknown(root, api, "first", sheet([("A1", DONE)]))
    root.drop("second.csv", sheet([("A1", RTO)]))
    assert root.once().code == 0
    before = api.stats()["calls"]
    assert root.run("retry", first.id).code == 3
    assert _codes(root.of("first")) == {("rejected", "STATUS_CONFLICT")}
    assert api.stats()["calls"] == before


def test_a_cancelled_drop_can_be_sent_after_all_but_for_what_another_one_sent(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(status_all=403)
    root.drop("first.csv", orders(4, status=PICKED))
    assert root.once().code == 5
    first = root.of("first").id
    assert root.run("cancel", first).code == 0
    assert root.of("first").counts == {"unsent": 4}
    api.set_faults(status_all=0)
    root.drop("second.csv", orders(2, status=DONE))
    assert root.once().code == 0
    assert root.run("retry", first).code == 0
    assert root.of("first").counts == {"accepted": 2, "duplicate": 2}
    assert root.of("first").summary["state"] == "completed"
    assert root.run("retry", first).code == 2


def test_a_retry_waits_for_an_open_drop_with_the_same_orders(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__reconcile="false")
    first = _unknown(root, api, "first", orders(3, status=PICKED))
    api.set_faults(status_all=403)
    root.drop("second.csv", orders(3, status=DONE))
    assert root.once().code == 5
    second = root.of("second")
    api.set_faults(status_all=0)
    before = api.stats()["calls"]
    ran = root.run("retry", first.id)
    assert ran.code == 5
    assert second.id in ran.err
    assert api.stats()["calls"] == before, "it was planned before, and goes first"
    # Nobody need ask again: the next run does it, in the same breath.
    assert root.once().code == 0
    assert root.of("second").counts == {"accepted": 3}
    assert _codes(root.of("first")) == {("duplicate", "STALE")}
    assert api.stats()["calls"] == before + 1


def test_a_running_service_retries_beside_what_shares_no_order_and_after_what_does(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__reconcile="false", inbox__scan_seconds=0.1, api__concurrency=2)
    alone = _unknown(root, api, "alone", orders(1, prefix="X", status=PICKED))
    shared = _unknown(root, api, "shared", orders(1, status=PICKED))
    api.set_faults(latency_ms=700)
    service = root.start("run")
    before = api.stats()["calls"]
    root.drop("busy.csv", orders(1200, status=DONE))
    until(lambda: api.stats()["calls"] > before, what="that it is being sent")
    for drop in (alone, shared):
        assert root.run("retry", drop.id).code == 0
    until(lambda: root.of("alone").counts == {"accepted": 1}, what="the retry that need not wait")
    assert len(root.delivered()) == 2, "the other drop is still out"
    api.set_faults(latency_ms=0)
    until(lambda: len(root.delivered()) == 3, what="the end of what was out")
    until(lambda: _codes(root.of("shared")) == {("duplicate", "STALE")}, what="the other retry")
    assert service.end().code == 0
    story = json.loads(root.run("trace", "ORD000000", "--json").out)
    assert [each["outcome"] for each in story] == ["duplicate", "accepted"]


def test_a_drop_that_comes_while_a_retry_is_out_is_planned_after_it(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__reconcile="false", inbox__scan_seconds=0.1)
    first = _unknown(root, api, "first", orders(3, status=PICKED))
    api.set_faults(latency_ms=500)
    service = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    assert root.run("retry", first.id).code == 0
    until(lambda: api.stats()["calls"] > 0, what="the retry's call")
    root.drop("second.csv", orders(3, status=PICKED))
    until(lambda: len(root.delivered()) == 2, what="the second drop's end")
    assert root.of("first").counts == {"accepted": 3}
    assert _codes(root.of("second")) == {("duplicate", "ALREADY_ACCEPTED:status")}
    assert api.stats()["calls"] == 1
    assert service.end().code == 0


def test_a_drop_read_while_the_one_before_it_is_planned_waits_its_turn(
    root: Root, api: SandboxHandle
) -> None:
    # The second waits for the first. While the third, a long one, is being read, the first gets
    # through: now the second is to be planned, and the third must know that it comes before it.
    api.set_faults(latency_ms=250)
    root.drop("1.csv", sheet([("X1", PICKED)]))
    root.drop("2.csv", sheet([("X1", DONE), ("Y1", PICKED)]))
    third = [(f"Z{number:06}", "In Transit") for number in range(400_000)]
    root.drop("3.csv", sheet([*third, ("Y1", DONE)]))
    assert root.once().code == 0
    assert root.of("2").counts == {"accepted": 2}
    assert root.of("3").counts == {"accepted": 1, "ignored": 400_000}
    assert api.stats()["illegal"] == 0
