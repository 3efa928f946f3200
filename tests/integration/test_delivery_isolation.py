"""A call that is refused whole: the bad rows stand alone, unless it is not the rows at all."""

from pathlib import Path

import pytest

from pipeline.core.chunks import ChunkState
from pipeline.core.clock import Clock
from pipeline.core.model import Drop, stamp
from pipeline.core.shipment import DeliveryResult
from pipeline.storage.ledger.tables import receipts
from schemas.vocabulary import Outcome
from tests.integration.delivery_support import (
    World,
    chunked,
    history,
    picked,
    with_sandbox,
)


def _order(number: int) -> str:
    return f"{number:020}"


@pytest.mark.parametrize("bad", [(0,), (19,), (7,), (0, 19), (3, 4, 5), (1, 5, 9, 13, 17)])
def test_the_sound_rows_go_through_within_ten_calls_per_bad_one(
    tmp_path: Path, bad: tuple[int, ...]
) -> None:
    poison = frozenset(_order(40 + n) for n in bad)
    with with_sandbox(tmp_path, poison_orders=poison) as (world, sandbox):
        drop = world.drop(picked(200))
        (handback,) = world.deliver(drop)
        assert handback.complete
        for (order_id, _), verdict in world.verdicts(drop).items():
            assert verdict.outcome is (Outcome.FAILED if order_id in poison else Outcome.ACCEPTED)
            assert ("422" in verdict.message) is (order_id in poison)
        assert sandbox.stats()["calls"] - 10 <= 10 * len(bad)
        assert set(history(sandbox).values()) == {1}


def test_a_bad_row_in_every_chunk_is_not_taken_for_an_outage(tmp_path: Path) -> None:
    poison = frozenset(_order(20 * n + n) for n in range(10))
    with with_sandbox(tmp_path, poison_orders=poison) as (world, sandbox):
        drop = world.drop(picked(200))
        (handback,) = world.deliver(drop)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 190, Outcome.FAILED: 10}
        assert sandbox.stats()["calls"] <= 10 + 100


class SlowClock(Clock):
    """A clock that is behind the event loop's."""

    def monotonic(self) -> float:
        return super().monotonic() * 0.98


def test_sending_that_is_tried_again_ends_whichever_clock_is_ahead(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, status_all=422) as (world, _):
        drop = world.drop(picked(100))
        with world.room(concurrency=1, clock=SlowClock()) as room:
            assert not room.submit(world.shipment(drop)).result(timeout=60).complete
            room.reopen()
            again = room.submit(world.shipment(drop)).result(timeout=20)
            assert again.shut is not None


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_when_every_chunk_is_refused_alike_it_is_not_the_rows(
    tmp_path: Path, status: int, concurrency: int
) -> None:
    with with_sandbox(tmp_path, status_all=status) as (world, sandbox):
        drop = world.drop(picked(600))
        with world.room(concurrency=concurrency) as room:
            handback = room.submit(world.shipment(drop)).result(timeout=60)
            assert not handback.complete
            assert handback.shut is not None
            assert handback.shut.held
            assert str(status) in handback.shut.reason
            assert world.counts(drop) == {Outcome.UNSENT: 600}
            assert world.states(drop) == {ChunkState.PLANNED}
            first = sandbox.stats()["calls"]
            assert first <= 39 + 2 * 4 + concurrency, "one chunk halved, of two a few rows sent"
            room.reopen()
            room.submit(world.shipment(drop)).result(timeout=60)
            assert world.counts(drop) == {Outcome.UNSENT: 600}
            assert sandbox.stats()["calls"] - first <= 39 + 2 * concurrency
            sandbox.set_faults(status_all=0)
            room.reopen()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 600}


def test_a_file_in_which_nearly_all_is_bad_has_each_row_s_own_end(tmp_path: Path) -> None:
    """A few rows of a chunk may tell too much of it: what is sound in it goes at a later try."""
    poison = frozenset(_order(n) for n in range(120) if n not in {25, 47, 110})
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _), world.room() as room:
        drop, tries = world.drop(picked(120)), 0
        while world.counts(drop).get(Outcome.ACCEPTED, 0) < 3:
            assert tries < 30
            tries += 1
            room.reopen()
            room.submit(world.shipment(drop)).result(timeout=60)
        # Bad rows alone are left; another file shows that.
        sound = world.drop(picked(100, first=1000))
        room.reopen()
        for each in [room.submit(world.shipment(each)) for each in (drop, sound)]:
            assert each.result(timeout=60).complete
        for (order_id, _), verdict in world.verdicts(drop).items():
            assert verdict.outcome is (Outcome.FAILED if order_id in poison else Outcome.ACCEPTED)


def test_no_row_is_failed_that_was_not_sent_alone_or_it_says_so(tmp_path: Path) -> None:
    poison = frozenset(_order(n) for n in range(600) if n % 20)
    with with_sandbox(tmp_path, poison_orders=poison) as (world, sandbox):
        drop = world.drop(picked(600))
        world.deliver(drop, concurrency=1)
        told = [call["updates"] for call in sandbox.calls()]
        alone = {updates[0][0] for updates in told if len(updates) == 1}
        for (order_id, _), verdict in world.verdicts(drop).items():
            if verdict.outcome is Outcome.FAILED:
                assert ("not sent alone" in verdict.message) is (order_id not in alone)


def receipts_of(world: World, drop: Drop) -> list[object]:
    """Return all that the ledger tells of the drop's calls."""
    with world.ledger._db.read() as connection:
        kept = receipts.select().where(receipts.c.drop_seq == drop.seq)
        return list(connection.execute(kept).all())


def test_calls_that_found_out_about_a_chunk_are_told_with_it(tmp_path: Path) -> None:
    """Rows are sent alone, then nothing is left that could tell: the chunk is halved after all."""
    with with_sandbox(tmp_path, status_all=422) as (world, sandbox):
        drop = world.drop(picked(40))
        (handback,) = world.deliver(drop, concurrency=1)
        assert handback.complete
        told = receipts_of(world, drop)
        assert len(told) == sandbox.stats()["calls"] == 39 + 4 + 39
        assert sum(chunk.attempts for chunk in world.ledger.chunks(drop.seq)) == len(told)


@pytest.mark.parametrize("rows", [1, 20, 40])
def test_a_small_file_whose_rows_are_all_refused_has_failed(tmp_path: Path, rows: int) -> None:
    with with_sandbox(tmp_path, status_all=422) as (world, _):
        drop = world.drop(picked(rows))
        (handback,) = world.deliver(drop)
        assert handback.complete
        assert world.counts(drop) == {Outcome.FAILED: rows}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_chunk_of_bad_rows_fails_once_the_api_has_taken_another(
    tmp_path: Path, concurrency: int
) -> None:
    poison = frozenset(_order(n) for n in range(40))
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _):
        drop = world.drop(picked(200))
        (handback,) = world.deliver(drop, concurrency=concurrency)
        assert handback.complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 160, Outcome.FAILED: 40}


def test_a_file_of_bad_rows_does_not_keep_a_sound_one_from_going(tmp_path: Path) -> None:
    poison = frozenset(_order(n) for n in range(400))
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _):
        bad = world.drop(picked(400))
        sound = world.drop(picked(100, first=1000))
        for _ in range(3):
            _deliver_both(world)
        assert world.counts(sound) == {Outcome.ACCEPTED: 100}
        assert set(world.counts(bad)) <= {Outcome.FAILED, Outcome.UNSENT}


def _deliver_both(world: World) -> list[DeliveryResult]:
    return world.deliver(*world.drops.values(), concurrency=2)


def test_the_budget_of_a_drop_bounds_the_extra_calls(tmp_path: Path) -> None:
    poison = frozenset(_order(n) for n in range(600) if n % 20)
    with with_sandbox(tmp_path, poison_orders=poison) as (world, sandbox):
        drop = world.drop(picked(600))
        (handback,) = world.deliver(drop, concurrency=1)
        assert handback.complete
        counts = world.counts(drop)
        assert counts[Outcome.ACCEPTED] + counts[Outcome.FAILED] == 600
        assert counts[Outcome.ACCEPTED] >= 5
        assert sandbox.stats()["calls"] <= 30 + 2 * 100


def test_an_outage_in_the_middle_of_isolation_fails_no_row(tmp_path: Path) -> None:
    poison = frozenset({_order(3)})
    with with_sandbox(tmp_path, poison_orders=poison) as (world, sandbox):
        sound = world.drop(picked(20, first=5000))
        drop = world.drop(chunked([u for chunk in picked(20) for u in chunk]))
        world.deliver(sound)
        sandbox.set_faults(fail_rate=0.5, fail_status=[503])
        for _ in range(8):
            world.deliver(drop, max_attempts=2)
            found = world.outcomes(drop)
            assert {o for (i, _), o in found.items() if i not in poison} <= {
                Outcome.ACCEPTED,
                Outcome.UNSENT,
            }
        sandbox.set_faults(fail_rate=0.0)
        world.deliver(drop)
        assert world.counts(drop) == {Outcome.ACCEPTED: 19, Outcome.FAILED: 1}
        assert set(history(sandbox).values()) == {1}


# -- a room that has been taken before -------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_after_a_morning_of_success_refusing_everything_alike_holds_and_rejects_nothing(
    tmp_path: Path, concurrency: int
) -> None:
    with with_sandbox(tmp_path) as (world, sandbox), world.room(concurrency=concurrency) as room:
        morning = world.drop(picked(200))
        assert room.submit(world.shipment(morning)).result(timeout=60).complete
        sandbox.set_faults(status_all=400)
        before = sandbox.stats()["calls"]
        afternoon = world.drop(picked(1000, first=1000))
        handback = room.submit(world.shipment(afternoon)).result(timeout=60)
        assert handback.shut is not None
        assert handback.shut.held
        assert "400" in handback.shut.reason
        assert world.counts(afternoon) == {Outcome.UNSENT: 1000}
        assert world.states(afternoon) == {ChunkState.PLANNED}
        assert sandbox.stats()["calls"] - before <= (3 + concurrency) * 39
        sandbox.set_faults(status_all=0)
        room.reopen()
        assert room.submit(world.shipment(afternoon)).result(timeout=60).complete
        assert world.counts(afternoon) == {Outcome.ACCEPTED: 1000}


def test_small_files_refused_alike_one_after_the_other_hold_at_the_third(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, sandbox), world.room() as room:
        morning = world.drop(picked(20))
        room.submit(world.shipment(morning)).result(timeout=60)
        sandbox.set_faults(status_all=400)
        files = [world.drop(picked(20, first=100 * n)) for n in range(1, 6)]
        for each in files:
            room.submit(world.shipment(each)).result(timeout=60)
        counted = [world.counts(each) for each in files]
        assert counted == [{Outcome.FAILED: 20}] * 2 + [{Outcome.UNSENT: 20}] * 3


@pytest.mark.parametrize("size", [1, 20])
def test_a_file_of_bad_rows_alone_holds_until_another_file_shows_that_it_is_its_rows(
    tmp_path: Path, size: int
) -> None:
    poison = frozenset(_order(n) for n in range(200))
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _), world.room() as room:
        room.submit(world.shipment(world.drop(picked(20, first=5000)))).result(timeout=60)
        bad = world.drop(
            [[u] for chunk in picked(200) for u in chunk] if size == 1 else picked(200)
        )
        shut = room.submit(world.shipment(bad)).result(timeout=60).shut
        assert shut is not None
        assert shut.arguable
        assert world.counts(bad) == {Outcome.UNSENT: 200}
        # The sound file comes while all is held; at the next try the bad one goes first.
        sound = world.drop(picked(100, first=1000))
        room.reopen()
        futures = [room.submit(world.shipment(each)) for each in (bad, sound)]
        assert [future.result(timeout=60).complete for future in futures] == [True, True]
        assert world.counts(sound) == {Outcome.ACCEPTED: 100}
        assert world.counts(bad) == {Outcome.FAILED: 200}


def test_a_file_with_a_bad_row_in_each_chunk_is_heard_beside_one_of_nothing_else(
    tmp_path: Path,
) -> None:
    mixed_bad = {_order(1000 + 20 * n) for n in range(5)}
    poison = frozenset({_order(n) for n in range(200)} | mixed_bad)
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _), world.room() as room:
        bad = world.drop([[u] for chunk in picked(200) for u in chunk])
        assert room.submit(world.shipment(bad)).result(timeout=60).shut is not None
        mixed = world.drop(picked(100, first=1000))
        room.reopen()
        futures = [room.submit(world.shipment(each)) for each in (bad, mixed)]
        assert [future.result(timeout=60).complete for future in futures] == [True, True]
        assert world.counts(mixed) == {Outcome.ACCEPTED: 95, Outcome.FAILED: 5}
        assert world.counts(bad) == {Outcome.FAILED: 200}


def test_bad_rows_are_failed_though_the_last_word_was_a_question(tmp_path: Path) -> None:
    poison = frozenset(_order(n) for n in range(20))
    with with_sandbox(tmp_path, poison_orders=poison) as (world, _):
        asked = world.drop(picked(20, first=1000))
        world.deliver(asked)
        world.crashed(asked, at=stamp(Clock().now()))
        bad = world.drop(picked(20))
        assert [each.complete for each in world.deliver(bad, asked, timeout=0.5)] == [True, True]
        assert world.counts(bad) == {Outcome.FAILED: 20}
        assert world.counts(asked) == {Outcome.ACCEPTED: 20}
