"""Bad days over real sockets. Whatever happens: one outcome per row, none twice, none lost."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.chunks import ChunkState
from pipeline.sandbox.config import Faults, OrderState, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from schemas.vocabulary import Milestone, Outcome
from tests.fakes.scripted_api import scripted, stands
from tests.integration.delivery_support import (
    RawServer,
    chunked,
    delivered,
    history,
    picked,
    reset,
    saying,
    well,
    with_sandbox,
    world_of,
)

ORDERS = 400

#: name → faults, and whether an answer may be lost
BAD_DAYS: dict[str, tuple[dict[str, Any], bool]] = {
    "a good day": ({}, False),
    "500s": ({"fail_rate": 0.2}, False),
    "503s": ({"fail_rate": 0.2, "fail_status": (503,)}, False),
    "408 and 425": ({"fail_rate": 0.2, "fail_status": (408, 425)}, False),
    "429s": ({"fail_rate": 0.2, "fail_status": (429,)}, False),
    "the first ten fail": ({"fail_first": 10}, False),
    "502s": ({"fail_rate": 0.1, "fail_status": (502, 504)}, True),
    "resets": ({"reset_rate": 0.15}, True),
    "lost answers": ({"lose_rate": 0.15}, True),
    "cut off answers": ({"truncate_rate": 0.15}, True),
    "answers cut on the wire": ({"truncate_rate": 0.15, "truncate_form": "wire"}, True),
    "pages of a proxy": ({"html_rate": 0.15}, True),
    "a slow day": ({"latency_ms": 3, "jitter_ms": 10}, False),
    "everything": (
        {
            "fail_rate": 0.05,
            "fail_status": (500, 503, 429, 502),
            "reset_rate": 0.05,
            "lose_rate": 0.05,
            "html_rate": 0.03,
            "truncate_rate": 0.05,
            "jitter_ms": 3,
        },
        True,
    ),
}


def _nothing_went_wrong(sandbox: SandboxHandle, applied: Counter[Any], *, lossy: bool) -> None:
    stats = sandbox.stats()
    assert stats["illegal"] == 0, "an order's later status overtook its earlier one"
    assert stats["max_items"] <= 20
    if not lossy:
        assert stats["repeats"] == 0
    assert stats["duplicates"] == 0
    assert set(applied.values()) <= {1}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", BAD_DAYS)
def test_every_update_arrives_once_and_in_order(tmp_path: Path, name: str, seed: int) -> None:
    faults, lossy = BAD_DAYS[name]
    with with_sandbox(tmp_path, seed=seed, **faults) as (world, sandbox):
        drop = world.drop(picked(ORDERS), delivered(ORDERS))
        (handback,) = world.deliver(drop, max_attempts=30)
        assert handback.complete, handback
        assert world.counts(drop) == {Outcome.ACCEPTED: 2 * ORDERS}
        applied = history(sandbox)
        assert applied.keys() == world.outcomes(drop).keys()
        _nothing_went_wrong(sandbox, applied, lossy=lossy)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["lost answers", "pages of a proxy", "everything"])
@pytest.mark.parametrize("when_in_doubt", ["resend", "hold"])
def test_without_asking_nothing_is_called_what_it_is_not(
    tmp_path: Path, name: str, seed: int, when_in_doubt: str
) -> None:
    faults, _ = BAD_DAYS[name]
    with with_sandbox(tmp_path, seed=seed, **faults) as (world, sandbox):
        drop = world.drop(picked(ORDERS), delivered(ORDERS))
        world.deliver(drop, max_attempts=30, reconcile=False, when_in_doubt=when_in_doubt)
        applied, outcomes = history(sandbox), world.outcomes(drop)
        for update, outcome in outcomes.items():
            if outcome is Outcome.ACCEPTED:
                assert applied[update] == 1
            elif outcome is Outcome.UNSENT:
                assert applied[update] == 0
            else:
                assert outcome is Outcome.UNKNOWN, f"{update} was called {outcome}"
        assert Outcome.UNKNOWN in outcomes.values()
        assert sandbox.stats()["illegal"] == 0


def test_refused_rows_fail_by_name_and_take_their_later_status_with_them(tmp_path: Path) -> None:
    bad = {f"{n:020}" for n in range(0, ORDERS, 37)}
    for shape in ("data", "top", "strings", "index"):
        with with_sandbox(tmp_path / shape, refuse_orders=frozenset(bad), partial_shape=shape) as (
            world,
            sandbox,
        ):
            drop = world.drop(picked(ORDERS), delivered(ORDERS))
            (handback,) = world.deliver(drop)
            assert handback.complete
            for (order_id, _), verdict in world.verdicts(drop).items():
                expected = Outcome.FAILED if order_id in bad else Outcome.ACCEPTED
                assert verdict.outcome is expected
            codes = Counter(v.code for v in world.verdicts(drop).values())
            assert codes == {
                "": 2 * (ORDERS - len(bad)),
                "API_REFUSED": len(bad),
                "EARLIER_FAILED": len(bad),
            }
            assert sandbox.stats()["illegal"] == 0
            assert sandbox.stats()["refused"] == len(bad)


def test_failures_that_are_only_counted_are_settled_by_asking(tmp_path: Path) -> None:
    bad = frozenset({f"{7:020}", f"{31:020}"})
    with with_sandbox(tmp_path, refuse_orders=bad, partial_shape="counts") as (world, sandbox):
        drop = world.drop(picked(60))
        for asked, complete in ((40, False), (42, True)):
            (handback,) = world.deliver(drop, timeout=0.5)
            assert handback.complete is complete
            for (order_id, _), outcome in world.outcomes(drop).items():
                assert outcome is (Outcome.UNKNOWN if order_id in bad else Outcome.ACCEPTED)
            assert sandbox.stats()["info_calls"] == asked, "each order once in a pass"
        assert sandbox.stats()["calls"] == 3, "the API has no word on them: nobody sends them again"


def test_failures_that_are_only_counted_are_sent_again_alone_where_they_are_not_there(
    tmp_path: Path,
) -> None:
    bad = f"{7:020}"
    orders = {bad: OrderState.DP_ASSIGNED}
    faults = Faults(refuse_orders=frozenset({bad}), partial_shape="counts")
    config = SandboxConfig(orders=orders, faults=faults)
    with running(config) as sandbox, world_of(tmp_path, sandbox.url) as world:
        drop = world.drop(picked(20))
        assert not world.deliver(drop, timeout=0.5)[0].complete
        assert world.deliver(drop, timeout=0.5)[0].complete
        assert sandbox.calls()[-1]["updates"] == [[bad, "bag_picked"]]
        assert world.counts(drop) == {Outcome.ACCEPTED: 19, Outcome.FAILED: 1}


def test_an_unclear_2xx_is_never_sent_again_unless_asking_tells_or_a_person_retries(
    tmp_path: Path,
) -> None:
    with with_sandbox(tmp_path, html_rate=1.0, html_status=(200,), info_status=404) as (
        world,
        sandbox,
    ):
        drop = world.drop(picked(40))
        for _ in range(3):
            world.deliver(drop, timeout=0.5)
            assert world.counts(drop) == {Outcome.UNKNOWN: 40}
            assert world.states(drop) == {ChunkState.SENDING}
        assert sandbox.stats()["calls"] == 2
        sandbox.set_faults(html_rate=0.0)
        assert world.ledger.reopen(drop.seq) == 2
        world.deliver(drop, timeout=1)
        assert sandbox.stats()["calls"] > 2
        assert world.counts(drop) == {Outcome.UNKNOWN: 40}, "refused as repeated is not failed"
        sandbox.set_faults(info_status=0)
        world.deliver(drop, timeout=1)
        assert world.counts(drop) == {Outcome.ACCEPTED: 40}


def test_a_row_refused_when_sent_again_is_asked_about_and_accepted(tmp_path: Path) -> None:
    """Asking fails while the answer is lost, and works when the repeat has been refused."""
    with with_sandbox(tmp_path, lose_rate=1.0, info_status=404) as (world, sandbox):
        drop = world.drop(picked(20))
        world.deliver(drop, max_attempts=1, timeout=1)
        assert world.states(drop) == {ChunkState.SENDING}
        assert world.counts(drop) == {Outcome.UNKNOWN: 20}
        sandbox.set_faults(lose_rate=0.0)
        world.deliver(drop, timeout=1)
        assert world.counts(drop) == {Outcome.UNKNOWN: 20}
        assert sandbox.stats()["repeats"] == 20
        sandbox.set_faults(info_status=0)
        world.deliver(drop, timeout=1)
        assert {v.code for v in world.verdicts(drop).values()} == {"RECONCILED"}


def test_what_was_told_before_a_call_was_lost_says_nothing_of_that_call(tmp_path: Path) -> None:
    """It was not there when the first call was over; the second, lost as well, did it."""
    puts = iter([(502, {}), (502, {}), (422, {"message": "not in this state"})])
    states = iter(["PROCESSING", "PROCESSING", "TRANSIT"])
    with (
        scripted(lambda _items: next(puts), lambda order: stands(next(states))(order)) as api,
        world_of(tmp_path, api.url) as world,
    ):
        drop = world.drop(picked(1))
        world.deliver(drop, max_attempts=1)
        assert world.states(drop) == {ChunkState.SENDING}
        world.deliver(drop, timeout=0.5)
        assert len(api.calls) == 3
        (verdict,) = world.verdicts(drop).values()
        assert (verdict.outcome, verdict.code) == (Outcome.ACCEPTED, "RECONCILED")
        assert next(states, None) is None


def test_a_retry_leaves_what_was_accepted_in_peace_even_if_nobody_can_be_asked(
    tmp_path: Path,
) -> None:
    bad = f"{3:020}"
    with with_sandbox(
        tmp_path, refuse_orders=frozenset({bad}), partial_shape="counts", info_status=0
    ) as (world, sandbox):
        drop = world.drop(picked(20))
        for _ in range(2):
            world.deliver(drop, timeout=0.5)
        assert world.counts(drop) == {Outcome.ACCEPTED: 19, Outcome.UNKNOWN: 1}
        world.ledger.reopen(drop.seq)
        sandbox.set_faults(refuse_orders=[], partial_shape="data")
        (handback,) = world.deliver(drop, reconcile=False)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 20}
        last = sandbox.calls()[-1]
        assert last["updates"] == [[bad, "bag_picked"]]
        assert sandbox.stats()["repeats"] == 0


def test_drops_side_by_side_all_get_through(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, fail_rate=0.1) as (world, sandbox):
        drops = [world.drop(picked(100, first=1000 * n, size=7)) for n in range(6)]
        handbacks = world.deliver(*drops, max_attempts=30)
        assert all(each.complete for each in handbacks)
        assert all(world.counts(drop) == {Outcome.ACCEPTED: 100} for drop in drops)
        assert set(history(sandbox).values()) == {1}


def test_a_poisonous_500_stops_only_its_own_chunk(tmp_path: Path) -> None:
    """A chunk that the API always chokes on: the others go through, it stays unsent."""
    poison = f"{25:020}".encode()
    server = RawServer(choke_on=poison)
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(picked(200))
        for concurrency in (1, 2, 8):
            world.deliver(drop, concurrency=concurrency, max_attempts=4)
            counts = world.counts(drop)
            assert counts == {Outcome.ACCEPTED: 180, Outcome.UNSENT: 20}, concurrency
    assert sum(poison in body for body in server.puts) == 12
    assert len(server.puts) == 9 + 12
    server.close()


def test_waves_of_one_order_wait_for_each_other_across_three_steps(tmp_path: Path) -> None:
    orders = [f"{n:020}" for n in range(60)]
    steps = [Milestone.BAG_PICKED, Milestone.DELIVERY_DONE, Milestone.RETURN_BAG_IN_TRANSIT]
    with with_sandbox(tmp_path, lose_rate=0.1, fail_rate=0.2) as (world, sandbox):
        drop = world.drop(*(chunked([(order, step) for order in orders]) for step in steps))
        (handback,) = world.deliver(drop, max_attempts=30)
        assert handback.complete
        for order in sandbox.orders().values():
            assert [each["status"] for each in order["history"]] == [s.wire for s in steps]
        assert sandbox.stats()["illegal"] == 0


def test_a_later_status_waits_while_an_earlier_one_is_unknown(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, html_rate=1.0, html_status=(200,), info_status=500) as (
        world,
        sandbox,
    ):
        drop = world.drop(picked(20), delivered(20))
        (handback,) = world.deliver(drop, timeout=1)
        assert not handback.complete
        outcomes = world.outcomes(drop)
        assert {o for (_, m), o in outcomes.items() if m is Milestone.BAG_PICKED} == {
            Outcome.UNKNOWN
        }
        assert {o for (_, m), o in outcomes.items() if m is Milestone.DELIVERY_DONE} == {
            Outcome.UNSENT
        }
        sandbox.set_faults(html_rate=0.0, info_status=0)
        (handback,) = world.deliver(drop, timeout=1)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 40}


#: what ``shipment/info`` says → how the return's first step ends, and its second
AFTER_A_REFUSED_RESEND = {
    "RETURN_PROCESSING": (Outcome.UNKNOWN, Outcome.ACCEPTED),
    "PROCESSING": (Outcome.FAILED, Outcome.FAILED),
}


@pytest.mark.parametrize("state", AFTER_A_REFUSED_RESEND)
def test_a_step_lost_for_good_does_not_hold_back_the_next_for_ever(
    tmp_path: Path, state: str
) -> None:
    """Its answer was lost, sent again it was refused: nothing that happens by itself tells more."""
    refused = b'{"data": {"failedCount": 1, "errors": [{"orderId": "1", "code": "O400"}]}}'
    where = b'{"orders": [{"id": "1", "orderStatus": "%s"}]}' % state.encode()
    server = RawServer(reset, saying("200 OK", refused), well, info=saying("200 OK", where))
    steps = Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(*([[("1", step)]] for step in steps))
        (handback,) = world.deliver(drop)
        assert handback.complete
        ends = tuple(world.verdicts(drop)["1", step].outcome for step in steps)
        assert ends == AFTER_A_REFUSED_RESEND[state]
        assert len(server.puts) == (3 if ends[1] is Outcome.ACCEPTED else 2)
    server.close()


#: what ``shipment/info`` says → how the two steps end when nobody knows how the first one did
AFTER_AN_UNCLEAR_ANSWER = {
    "RETURN_PROCESSING": (Outcome.UNKNOWN, Outcome.ACCEPTED),
    "PROCESSING": (Outcome.ACCEPTED, Outcome.ACCEPTED),
}


@pytest.mark.parametrize("state", AFTER_AN_UNCLEAR_ANSWER)
def test_after_an_unclear_answer_the_next_step_waits_until_asking_has_settled_it_or_cannot(
    tmp_path: Path, state: str
) -> None:
    where = b'{"orders": [{"id": "1", "orderStatus": "%s"}]}' % state.encode()
    server = RawServer(saying("200 OK", b"<html>"), well, info=saying("200 OK", where))
    steps = Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(*([[("1", step)]] for step in steps))
        world.deliver(drop, timeout=0.5)
        assert len(server.puts) == 1
        assert world.outcomes(drop)["1", steps[1]] is Outcome.UNSENT
        (handback,) = world.deliver(drop, timeout=0.5)
        assert handback.complete
        ends = tuple(world.verdicts(drop)["1", step].outcome for step in steps)
        assert ends == AFTER_AN_UNCLEAR_ANSWER[state]
    server.close()


def test_what_the_api_refuses_behind_a_step_in_doubt_waits_and_is_not_sent_on_and_on(
    tmp_path: Path,
) -> None:
    refused = b'{"data": {"failedCount": 1, "errors": [{"orderId": "1", "code": "O400"}]}}'
    where = [b'{"orders": [{"id": "1", "orderStatus": "RETURN_PROCESSING"}]}']
    server = RawServer(
        saying("200 OK", b"<html>"),
        saying("200 OK", refused),
        well,
        info=lambda connection: saying("200 OK", where[0])(connection),
    )
    steps = Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(*([[("1", step)]] for step in steps))
        for puts in (1, 2, 2, 2):
            assert not world.deliver(drop, timeout=0.5)[0].complete
            assert len(server.puts) == puts
            later = world.verdicts(drop)["1", steps[1]]
            assert (later.outcome, later.code) == (Outcome.UNSENT, "EARLIER_OPEN")
        assert "O400" in later.message
        where[0] = where[0].replace(b"PROCESSING", b"DELIVERED")
        assert world.deliver(drop, timeout=0.5)[0].complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 2}
    server.close()


def test_where_nobody_is_to_be_asked_the_next_step_waits_for_a_person(tmp_path: Path) -> None:
    refused = b'{"data": {"failedCount": 1, "errors": [{"orderId": "1", "code": "O400"}]}}'
    server = RawServer(reset, saying("200 OK", refused), well)
    steps = Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(*([[("1", step)]] for step in steps))
        world.deliver(drop, reconcile=False)
        assert world.counts(drop) == {Outcome.UNKNOWN: 1, Outcome.UNSENT: 1}
        assert len(server.puts) == 2
    server.close()


def test_who_holds_what_is_in_doubt_holds_the_next_step_too(tmp_path: Path) -> None:
    where = b'{"orders": [{"id": "1", "orderStatus": "RETURN_PROCESSING"}]}'
    server = RawServer(reset, info=saying("200 OK", where))
    steps = Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(*([[("1", step)]] for step in steps))
        (handback,) = world.deliver(drop, when_in_doubt="hold")
        assert not handback.complete
        assert world.counts(drop) == {Outcome.UNKNOWN: 1, Outcome.UNSENT: 1}
        world.deliver(
            drop, when_in_doubt="hold"
        )  # the first step is over by now, and still unknown
        assert len(server.puts) == 1
    server.close()
