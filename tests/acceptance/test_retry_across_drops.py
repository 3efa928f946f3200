"""A retry knows what other drops have got through since, and never runs beside one of them."""

import json
from collections.abc import Iterator

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Delivered, Root, orders, rooted, sheet, until

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


class Since:
    """A file whose answers all were lost, a later one that got the same orders on, for each case.

    Case → the drop of the first and of the second file. Nothing has been retried yet.
    """

    def __init__(self, root: Root, api: SandboxHandle) -> None:
        self.root = root
        self.api = api
        root.configure(api__reconcile="false", api__when_in_doubt="hold")
        for case in CASES:
            # Over there the first step was made, where a later one is to follow.
            api.set_faults(lose_rate=case[0] == "D", reset_rate=case[0] != "D")
            root.drop(f"{case} first.csv", orders(3, prefix=case, status=PICKED))
            assert root.once().code == 3
        root.drop("R first.csv", sheet([("R1", DONE)]))
        api.set_faults(lose_rate=0.0, reset_rate=1.0)
        assert root.once().code == 3
        api.set_faults(reset_rate=0.0)
        root.configure(api__when_in_doubt="resend", api__reconcile="true")
        for case in (*CASES, "R"):
            assert set(root.of(f"{case} first").counts) == {"unknown"}
        for case, (_, since, _) in CASES.items():
            root.drop(f"{case} second.csv", orders(3, prefix=case, status=since))
        root.drop("R second.csv", sheet([("R1", RTO)]))
        assert root.once().code == 0
        for case in (*CASES, "R"):
            assert set(root.of(f"{case} second").counts) == {"accepted"}

    def retried(self, case: str, **env: str) -> Delivered:
        """The first drop after its retry, which must not have called the API."""
        before = self.api.stats()
        ran = self.root.run("retry", self.root.of(f"{case} first").id, env=env)
        assert ran.code == (3 if case == "R" else 0), ran.err
        after = self.api.stats()
        assert (after["calls"], after["info_calls"]) == (before["calls"], before["info_calls"])
        return self.root.of(f"{case} first")


#: case → whether the retry may ask, what the later file told, what becomes of the first one's rows
CASES = {
    "PA": ("true", PICKED, ("duplicate", "ALREADY_ACCEPTED")),
    "PN": ("false", PICKED, ("duplicate", "ALREADY_ACCEPTED")),
    "DA": ("true", DONE, ("duplicate", "STALE")),
    "DN": ("false", DONE, ("duplicate", "STALE")),
}


@pytest.fixture(scope="module")
def since(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Since]:
    place = tmp_path_factory.mktemp("since")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        yield Since(root, api)


@pytest.mark.parametrize("case", CASES)
def test_what_another_drop_got_through_since_is_not_sent_again(since: Since, case: str) -> None:
    reconcile, _, told = CASES[case]
    first = since.retried(case, SHIPDROP_API__RECONCILE=reconcile)
    second = since.root.of(f"{case} second")
    assert second.counts == {"accepted": 3}
    assert _codes(first) == {told}
    line = first.lines()[0]
    assert second.id in line["message"]
    assert second.lines()[0]["sent_at"] in line["message"]
    assert first.counts == {"duplicate": 3}
    assert first.summary["state"] == "completed"


def test_what_contradicts_another_drop_is_for_a_person(since: Since) -> None:
    assert _codes(since.retried("R")) == {("rejected", "STATUS_CONFLICT")}


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
    root.drop("second.csv", orders(3, status=PICKED))
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
    assert _codes(root.of("first")) == {("duplicate", "ALREADY_ACCEPTED")}
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
    root.drop("busy.csv", orders(1200, status=PICKED))
    until(lambda: api.stats()["calls"] > before, what="that it is being sent")
    for drop in (alone, shared):
        assert root.run("retry", drop.id).code == 0
    until(lambda: root.of("alone").counts == {"accepted": 1}, what="the retry that need not wait")
    assert len(root.delivered()) == 2, "the other drop is still out"
    api.set_faults(latency_ms=0)
    until(lambda: len(root.delivered()) == 3, what="the end of what was out")
    told = {("duplicate", "ALREADY_ACCEPTED")}
    until(lambda: _codes(root.of("shared")) == told, what="the other retry")
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
    # Its rows wait for the retry, so a report of it is there before its end.
    until(
        lambda: [each.summary["state"] for each in root.delivered()] == ["completed"] * 2,
        what="the second drop's end",
    )
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
    third = [(f"Z{number:06}", "In Transit") for number in range(150_000)]
    root.drop("3.csv", sheet([*third, ("Y1", DONE)]))
    assert root.once().code == 0
    assert root.of("2").counts == {"accepted": 2}
    assert root.of("3").counts == {"accepted": 1, "ignored": 150_000}
    assert api.stats()["illegal"] == 0


def test_what_is_through_or_refused_cannot_be_asked_for_again(root: Root) -> None:
    root.drop("fine.csv", orders(2))
    root.drop("refused.csv", "a,b\n1,2\n")
    root.drop("too_many.csv", sheet([[f"T{n}", "Nonesuch"] for n in range(30)]))
    assert root.once().code == 4
    for name, state in (("fine", "completed"), ("refused", "refused"), ("too_many", "refused")):
        for wish in ("retry", "cancel"):
            ran = root.run(wish, root.of(name).id)
            assert ran.code == 2
            assert f"is {state}: there is nothing left to" in ran.err
