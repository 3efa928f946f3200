"""Outages, limits and dead tokens: nothing is rejected or lost, and it goes on by itself."""

import socket
from pathlib import Path

import pytest

from pipeline.core.chunks import ChunkState
from schemas.vocabulary import Outcome
from tests.integration.delivery_support import (
    RawServer,
    delivered,
    history,
    picked,
    saying,
    silence,
    with_sandbox,
    world_of,
)


@pytest.mark.parametrize("status", [500, 503, 408, 425])
def test_an_api_that_is_down_leaves_everything_unsent_after_few_calls(
    tmp_path: Path, status: int
) -> None:
    with with_sandbox(tmp_path, status_all=status) as (world, sandbox):
        drop = world.drop(picked(2000), delivered(2000))
        with world.room(max_attempts=4) as room:
            handback = room.submit(world.shipment(drop)).result(timeout=60)
            assert not handback.complete
            assert handback.shut is not None
            assert not handback.shut.held
            assert world.counts(drop) == {Outcome.UNSENT: 4000}
            assert world.states(drop) == {ChunkState.PLANNED}
            assert sandbox.stats()["calls"] <= 8 * 4
            sandbox.set_faults(status_all=0)
            room.reopen()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 4000}
        assert sandbox.stats()["repeats"] == 0


def test_a_gateway_that_answers_for_a_dead_api_leaves_doubt_and_no_failure(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, status_all=502, info_status=502) as (world, sandbox):
        drop = world.drop(picked(400))
        world.deliver(drop, max_attempts=3, timeout=1)
        assert set(world.counts(drop)) <= {Outcome.UNSENT, Outcome.UNKNOWN}
        sandbox.set_faults(status_all=0, info_status=0)
        assert world.deliver(drop, timeout=1)[0].complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 400}
        assert set(history(sandbox).values()) == {1}


def test_a_host_that_refuses_connections_leaves_no_doubt(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with world_of(tmp_path, url) as world:
        drop = world.drop(picked(400))
        (handback,) = world.deliver(drop, max_attempts=3)
        assert handback.shut is not None
        assert not handback.shut.held
        assert world.counts(drop) == {Outcome.UNSENT: 400}
        assert world.states(drop) == {ChunkState.PLANNED}


def test_the_time_to_give_up_counts_also_for_429(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, status_all=429) as (world, sandbox):
        drop = world.drop(picked(100))
        (handback,) = world.deliver(drop, give_up_after=0.2, max_attempts=2)
        assert handback.shut is not None
        assert not handback.shut.held
        assert world.counts(drop) == {Outcome.UNSENT: 100}
        assert sandbox.stats()["calls"] > 2, "a 429 is no attempt"


def test_asked_to_wait_longer_than_we_may_we_give_up_at_once(tmp_path: Path) -> None:
    server = RawServer(*[saying("429 Slow", b"", "Retry-After: 5000")] * 3)
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(picked(100))
        (handback,) = world.deliver(drop, concurrency=1)
        assert handback.shut is not None
        assert not handback.shut.held
        assert world.counts(drop) == {Outcome.UNSENT: 100}
        assert len(server.puts) == 1, "the API asked for quiet"
    server.close()


def test_who_asks_after_the_start_hears_of_a_429_as_well(tmp_path: Path) -> None:
    """As a worker does: the others are to keep quiet, too."""
    heard: list[float] = []
    with with_sandbox(tmp_path, limit_per_second=60, limit_burst=2) as (world, sandbox):
        drop = world.drop(picked(100))
        with world.room(longest_pause=0.5) as delivery:
            delivery.limiter.on_limited = heard.append
            assert delivery.submit(world.shipment(drop)).result(timeout=30).complete
        assert sandbox.stats()["status_codes"]["429"] == len(heard) > 0


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_a_rate_limit_is_met_few_times_and_costs_no_row(tmp_path: Path, form: str) -> None:
    with with_sandbox(tmp_path, limit_per_second=60, limit_burst=10, retry_after_form=form) as (
        world,
        sandbox,
    ):
        drop = world.drop(picked(400))
        (handback,) = world.deliver(drop, max_attempts=2, longest_pause=0.5)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 400}
        assert set(history(sandbox).values()) == {1}


def test_a_rate_asked_for_is_kept_by_questions_too(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, lose_rate=1.0) as (world, sandbox):
        drop = world.drop(picked(60))
        (handback,) = world.deliver(drop, rate=100)
        assert handback.complete
        assert sandbox.stats()["info_calls"] == 60
        times = sorted(call["at"] for call in sandbox.calls())
        assert times[-1] - times[0] >= (len(times) - 2) / 100


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 405, 407])
def test_an_api_that_will_not_take_us_is_held_at_once(tmp_path: Path, status: int) -> None:
    with with_sandbox(tmp_path, status_all=status) as (world, sandbox):
        drop = world.drop(picked(1000))
        (handback,) = world.deliver(drop)
        assert handback.shut is not None
        assert handback.shut.held
        assert str(status) in handback.shut.reason
        assert world.counts(drop) == {Outcome.UNSENT: 1000}
        assert world.states(drop) == {ChunkState.PLANNED}
        assert sandbox.stats()["calls"] <= 8


def test_a_token_that_dies_is_renewed_once_and_no_row_notices(tmp_path: Path) -> None:
    login = {"username": "u", "password": "p"}
    with with_sandbox(tmp_path, credentials=login, expire_token_after=9) as (world, sandbox):
        drop = world.drop(picked(600))
        (handback,) = world.deliver(drop, max_attempts=1)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 600}
        assert sandbox.stats()["token_calls"] == 2
        assert set(history(sandbox).values()) == {1}


def test_a_dead_token_that_cannot_be_renewed_holds_until_there_is_another(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, expire_token_after=4) as (world, sandbox):
        drop = world.drop(picked(600))
        with world.room() as room:
            handback = room.submit(world.shipment(drop)).result(timeout=60)
            assert handback.shut is not None
            assert handback.shut.held
            assert "401" in handback.shut.reason
            assert world.counts(drop) == {Outcome.ACCEPTED: 80, Outcome.UNSENT: 520}
            sandbox.set_faults(revive_token=True)
            room.reopen()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 600}
        assert set(history(sandbox).values()) == {1}


def test_a_token_endpoint_that_refuses_holds_with_one_question(tmp_path: Path) -> None:
    login = {"username": "u", "password": "p"}
    with with_sandbox(tmp_path, credentials=login, token_status=403) as (world, sandbox):
        drop = world.drop(picked(600))
        (handback,) = world.deliver(drop)
        assert handback.shut is not None
        assert handback.shut.held
        assert world.counts(drop) == {Outcome.UNSENT: 600}
        assert sandbox.stats()["calls"] == 0
        assert sandbox.stats()["token_calls"] <= 2


def test_fresh_tokens_that_are_refused_again_and_again_hold_all_sending(tmp_path: Path) -> None:
    login = {"username": "u", "password": "p"}
    dead = {"token_ttl_seconds": 1e-9}
    with with_sandbox(tmp_path, credentials=login, **dead) as (world, sandbox):
        drop = world.drop(picked(600))
        with world.room() as room:
            handback = room.submit(world.shipment(drop)).result(timeout=10)
            assert handback.shut is not None
            assert handback.shut.held
            assert "401" in handback.shut.reason
            assert world.counts(drop) == {Outcome.UNSENT: 600}
            assert sandbox.stats()["token_calls"] <= 4
            sandbox.set_faults(token_ttl_seconds=0)
            room.reopen()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        assert set(history(sandbox).values()) == {1}


def test_a_token_file_that_vanishes_holds_and_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("stale")
    with with_sandbox(tmp_path, credentials={"token_file": path}) as (world, _):
        drop = world.drop(picked(40))
        (handback,) = world.deliver(drop)
        assert handback.shut is not None
        assert handback.shut.held
        path.unlink()
        (handback,) = world.deliver(drop)
        assert handback.shut is not None
        assert "token" in handback.shut.reason
        path.write_text("sandbox-token")
        assert world.deliver(drop)[0].complete


def test_an_api_that_never_answers_is_given_up_with_everything_sent_in_doubt(
    tmp_path: Path,
) -> None:
    server = RawServer(*[silence] * 50)
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(picked(400))
        (handback,) = world.deliver(drop, timeout=0.5, max_attempts=2, concurrency=2)
        assert not handback.complete
        counts = world.counts(drop)
        assert set(counts) == {Outcome.UNKNOWN, Outcome.UNSENT}
        assert counts[Outcome.UNKNOWN] <= 80
        in_doubt = [c for c in world.ledger.chunks(drop.seq) if c.state is ChunkState.SENDING]
        assert sum(c.size for c in in_doubt) == counts[Outcome.UNKNOWN]
    server.close()
