"""Stop, cancel, kill, crash, a ledger that fails, a bug: what is known afterwards is the truth."""

import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.core.chunks import ChunkState
from pipeline.core.clock import Clock
from pipeline.core.errors import StorageError
from pipeline.core.model import stamp
from pipeline.core.shipment import DeliveryResult
from pipeline.delivery.dispatcher import Dispatcher
from pipeline.delivery.thread import DeliveryThread, DeliveryThreadDiedError
from pipeline.sandbox.config import OrderState, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from schemas.vocabulary import Outcome
from tests.fakes.manual_clock import ManualClock
from tests.integration.delivery_support import (
    RawServer,
    World,
    delivered,
    history,
    picked,
    saying,
    well,
    with_sandbox,
    world_of,
)

_POLL = threading.Event()


def _until_called(sandbox: SandboxHandle, calls: int) -> None:
    while sandbox.stats()["calls"] < calls:
        _POLL.wait(0.005)


def test_stop_answers_what_is_out_and_puts_the_rest_back(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, latency_ms=100) as (world, sandbox):
        drop = world.drop(picked(2000), delivered(2000))
        with world.room() as room:
            future = room.submit(world.shipment(drop))
            _until_called(sandbox, 20)
            room.stop()
            handback = future.result(timeout=60)
        assert not handback.complete
        assert world.states(drop) == {ChunkState.PLANNED, ChunkState.DONE}
        outcomes, applied = world.outcomes(drop), history(sandbox)
        assert {u for u, o in outcomes.items() if o is Outcome.ACCEPTED} == applied.keys()
        assert set(outcomes.values()) == {Outcome.ACCEPTED, Outcome.UNSENT}
        sandbox.set_faults(latency_ms=0)
        assert world.deliver(drop)[0].complete
        assert sandbox.stats()["info_calls"] == 0, "nothing was in doubt"
        assert set(history(sandbox).values()) == {1}
        assert world.counts(drop) == {Outcome.ACCEPTED: 4000}


def test_kill_leaves_in_doubt_what_was_out_and_the_next_start_settles_it(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, stall_rate=1.0, stall_seconds=30) as (world, sandbox):
        drop = world.drop(picked(400))
        with world.room() as room:
            future = room.submit(world.shipment(drop))
            _until_called(sandbox, 8)
            room.terminate()
            with pytest.raises(StorageError):
                future.result(timeout=60)
            room.join()
        chunks = world.ledger.chunks(drop.seq)
        doubtful = {chunk.no for chunk in chunks if chunk.state is ChunkState.SENDING}
        assert doubtful
        assert ChunkState.DONE not in world.states(drop)
        sandbox.set_faults(stall_rate=0.0)
        assert world.deliver(drop, timeout=0.5)[0].complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 400}
        assert set(history(sandbox).values()) == {1}
        codes = {(v.chunk_no in doubtful, v.code) for v in world.verdicts(drop).values()}
        assert codes >= {(True, "RECONCILED")}
        assert codes <= {(True, "RECONCILED"), (True, "RESENT"), (False, "")}


def test_after_a_crash_not_yet_is_believed_only_when_the_old_call_must_be_over(
    tmp_path: Path,
) -> None:
    orders = {f"{n:020}": OrderState.DP_ASSIGNED for n in range(20)}
    with (
        running(SandboxConfig(orders=orders)) as sandbox,
        world_of(tmp_path, sandbox.url) as world,
    ):
        drop = world.drop(picked(20))
        other = world.drop(picked(400, first=1000))
        crashed = Clock().now()
        world.crashed(drop, at=stamp(crashed))
        handbacks = world.deliver(drop, other, timeout=2.5, concurrency=1)
        assert all(each.complete for each in handbacks)
        puts = [call for call in sandbox.calls() if call["method"] == "PUT"]
        again = [call for call in puts if call["updates"][0][0] in orders]
        assert len(again) == 1
        assert again[0]["at"] >= crashed.timestamp() + 2.5
        assert puts.index(again[0]) == 20, "nobody else had to wait for that"
        assert world.counts(drop) == {Outcome.ACCEPTED: 20}


@pytest.mark.parametrize("info_status", [0, 404], ids=["it cannot tell", "it cannot be asked"])
def test_after_a_crash_nothing_that_cannot_be_told_is_sent_beside_the_old_call(
    tmp_path: Path, info_status: int
) -> None:
    with with_sandbox(tmp_path, info_status=info_status) as (world, sandbox):
        drop = world.drop(picked(20))  # of orders that nobody has told the API of
        clock = ManualClock()
        world.crashed(drop, at=stamp(clock.now()))
        with world.room(clock=clock, timeout=30.0) as room:
            clock.advance(29.8)  # nearly all of the old call's time has passed since the start
            began = Clock().now().timestamp()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        calls = sandbox.calls()
        asked = [call["at"] for call in calls if call["method"] == "GET"]
        (again,) = (call for call in calls if call["method"] == "PUT")
        assert again["at"] >= min(asked) >= began + 0.2, "asked and sent beside the old call"
        assert len(asked) == 20, "each order once"
        assert world.counts(drop) == {Outcome.ACCEPTED: 20}


def test_a_crash_long_ago_costs_no_waiting(tmp_path: Path) -> None:
    orders = {f"{n:020}": OrderState.DP_ASSIGNED for n in range(20)}
    with (
        running(SandboxConfig(orders=orders)) as sandbox,
        world_of(tmp_path, sandbox.url) as world,
    ):
        drop = world.drop(picked(20))
        world.crashed(drop)
        (handback,) = world.deliver(drop, timeout=600)
        assert handback.complete
        assert sandbox.stats()["info_calls"] == 20


def test_a_crash_in_the_second_wave_forgets_nothing_of_the_first(tmp_path: Path) -> None:
    bad = f"{5:020}"
    with with_sandbox(tmp_path, refuse_orders=frozenset({bad})) as (world, sandbox):
        drop = world.drop(picked(40), delivered(40))
        first = [chunk for chunk in world.ledger.chunks(drop.seq) if chunk.wave == 0]
        shipment = world.shipment(drop)
        with world.room() as room:
            room.submit(replace(shipment, chunks=tuple(first))).result(timeout=60)
        second = [chunk for chunk in world.ledger.chunks(drop.seq) if chunk.wave == 1]
        world.ledger.exchange([], second, at="2026-01-01T00:00:00.000Z")
        assert world.deliver(drop)[0].complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 78, Outcome.FAILED: 2}
        assert sandbox.stats()["illegal"] == 0


@pytest.mark.parametrize("first", ["it came first", "the other came first"])
def test_cancel_ends_a_drop_that_waits_out_a_pause_and_no_other(tmp_path: Path, first: str) -> None:
    """Whether its own calls wait for their turn, or it waits behind those of the other."""
    server = RawServer(saying("429 Slow", b"", "Retry-After: 600"))
    with world_of(tmp_path, server.url) as world:
        drop, other = world.drop(picked(100)), world.drop(picked(100, first=90_000))
        came = (drop, other) if first == "it came first" else (other, drop)
        with world.room(concurrency=2) as room:
            futures = {came[0].seq: room.submit(world.shipment(came[0]))}
            while not room.limiter.slowed:
                _POLL.wait(0.005)
            futures[came[1].seq] = room.submit(world.shipment(came[1]))
            while ChunkState.SENDING not in world.states(came[1]):
                _POLL.wait(0.005)
            room.cancel(drop.seq)
            cancelled = futures[drop.seq].result(timeout=30)
            assert not futures[other.seq].done()
            assert room.limiter.slowed.startswith("all calls pause")
        stopped = futures[other.seq].result(timeout=30)
        assert (cancelled.cancelled, stopped.cancelled) == (True, False)
        assert cancelled.shut is None
        for each, handback in ((drop, cancelled), (other, stopped)):
            assert not handback.complete
            assert Outcome.UNKNOWN not in world.counts(each)
    server.close()


def test_cancel_books_what_is_out_and_lets_the_other_drops_go_on(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, latency_ms=100) as (world, sandbox):
        drop, other = world.drop(picked(4000)), world.drop(picked(200, first=90_000))
        with world.room() as room:
            futures = [room.submit(world.shipment(each)) for each in (drop, other)]
            _until_called(sandbox, 10)
            room.cancel(drop.seq)
            cancelled, through = [future.result(timeout=60) for future in futures]
        assert cancelled.cancelled
        assert through.complete
        applied = history(sandbox)
        for each in (drop, other):
            for update, outcome in world.outcomes(each).items():
                assert applied[update] == (outcome is Outcome.ACCEPTED)


# -- a ledger that fails -------------------------------------------------------------------------


def _break(world: World) -> None:
    with sqlite3.connect(world.root / "state" / "ledger.db") as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE UPDATE ON chunks BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


def _mend(world: World) -> None:
    with sqlite3.connect(world.root / "state" / "ledger.db", timeout=30) as connection:
        connection.execute("DROP TRIGGER no")


def test_when_no_mark_can_be_written_no_call_leaves(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, sandbox):
        drop = world.drop(picked(400))
        _break(world)
        with world.room() as room:
            back = room.submit(world.shipment(drop)).result(timeout=60)
            assert isinstance(back.broken, StorageError)
            assert "full" in str(back.broken)
            assert not back.complete
            assert room.limiter.shut is not None
            assert sandbox.stats()["calls"] == 0
            _mend(world)
            room.reopen()
            assert room.submit(world.shipment(drop)).result(timeout=60).complete
        assert world.counts(drop) == {Outcome.ACCEPTED: 400}


def test_answers_that_cannot_be_booked_at_once_are_booked_when_the_ledger_is_back(
    tmp_path: Path,
) -> None:
    server = RawServer()
    with world_of(tmp_path, server.url) as world:
        drop = world.drop(picked(20))

        def fail_for_a_while(connection: object) -> bool:
            _break(world)
            threading.Timer(0.2, _mend, [world]).start()
            return well(connection)  # type: ignore[arg-type] - a socket

        server._acts = iter([fail_for_a_while])
        with world.room(concurrency=1) as room:
            back = room.submit(world.shipment(drop)).result(timeout=60)
        assert isinstance(back.broken, StorageError)
        assert world.counts(drop) == {Outcome.ACCEPTED: 20}
        assert world.deliver(drop, reconcile=False)[0].complete
        assert len(server.puts) == 1
    server.close()


def test_a_drop_is_not_given_back_while_a_call_of_it_is_out(tmp_path: Path) -> None:
    """The ledger fails under calls in flight: who takes the drop up again must not race them."""
    with with_sandbox(tmp_path, latency_ms=100) as (world, sandbox):
        drop = world.drop(picked(2000))
        with world.room(concurrency=4) as room:
            future = room.submit(world.shipment(drop))
            _until_called(sandbox, 6)
            _break(world)
            threading.Timer(0.3, _mend, [world]).start()
            assert isinstance(future.result(timeout=60).broken, StorageError)
            answered = sum(sandbox.stats()["status_codes"].values())
            assert sandbox.stats()["calls"] == answered, "a call was still out"


# -- bugs and closed doors -----------------------------------------------------------------------


def test_a_bug_costs_its_own_drop_and_not_the_room(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, _):
        broken, sound = world.drop(picked(200)), world.drop(picked(200, first=1000))
        shipment = world.shipment(broken)

        def body(offset: int, length: int) -> bytes:
            if offset:
                raise RuntimeError("the disk is gone")
            return shipment.body(offset, length)

        with world.room() as room:
            futures = [
                room.submit(replace(shipment, body=body)),
                room.submit(world.shipment(sound)),
            ]
            back = futures[0].result(timeout=60)
            assert isinstance(back.broken, RuntimeError)
            assert not back.complete
            assert futures[1].result(timeout=60).complete
        assert world.deliver(broken)[0].complete
        assert world.counts(broken) == {Outcome.ACCEPTED: 200}


def test_a_closed_room_takes_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, _):
        drop = world.drop(picked(20))
        with world.room() as room:
            pass
        with pytest.raises(StorageError):
            room.submit(world.shipment(drop)).result(timeout=10)
        assert world.counts(drop) == {Outcome.UNSENT: 20}


def test_a_body_that_fails_while_its_answer_is_booked_costs_its_own_drop(tmp_path: Path) -> None:
    """Remember in the second wave the rows that were refused in the first."""
    with with_sandbox(tmp_path, refuse_orders=(f"{0:020}",)) as (world, _):
        broken = world.drop(picked(20), delivered(20))
        sound = world.drop(picked(200, first=1000))
        shipment = world.shipment(broken)
        read: list[int] = []

        def body(offset: int, length: int) -> bytes:
            if offset in read:
                raise StorageError("Input/output error")
            read.append(offset)
            return shipment.body(offset, length)

        with world.room() as room:
            futures = [
                room.submit(replace(shipment, body=body)),
                room.submit(world.shipment(sound)),
            ]
            back = futures[0].result(timeout=60)
            assert isinstance(back.broken, StorageError)
            assert back.progressed
            assert futures[1].result(timeout=60).complete
            assert room.crash is None
        assert world.deliver(broken)[0].complete


def test_a_body_that_fails_while_a_drop_is_taken_up_keeps_nobody_waiting(tmp_path: Path) -> None:
    with with_sandbox(tmp_path, refuse_orders=(f"{0:020}",), latency_ms=1_000) as (world, sandbox):
        drop = world.drop(picked(20), delivered(20))
        with world.room() as room:
            going = room.submit(world.shipment(drop))
            _until_called(sandbox, 1)
            sandbox.set_faults(status_all=403)
            assert going.result(timeout=60).shut is not None
        shipment = world.shipment(drop)

        def body(_offset: int, _length: int) -> bytes:
            raise StorageError("Stale file handle")

        with world.room() as room, pytest.raises(StorageError, match="Stale"):
            room.submit(replace(shipment, body=body)).result(timeout=10)


@pytest.mark.parametrize("method", ["_next_chunks", "_hand_back"])
def test_a_thread_that_dies_says_so_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Dispatcher, method, fail)
    with with_sandbox(tmp_path) as (world, _):
        drop = world.drop(picked(20))
        died = threading.Event()
        with world.room() as room:
            room.on_crash = died.set
            future = room.submit(world.shipment(drop))
            with pytest.raises(StorageError):
                future.result(timeout=10)
            assert died.wait(10)
            assert repr(room.crash) == "RuntimeError('a bug')"
            with pytest.raises(StorageError):
                room.submit(world.shipment(drop)).result(timeout=10)


def test_a_room_that_cannot_open_takes_nothing(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, _):
        drop = world.drop(picked(20))
        with world.room() as room:
            good = room._make_api
        room = DeliveryThread(
            make_api=lambda: _no(good),
            ledger=world.ledger,
            policy=room._policy,
            clock=Clock(),
            rng=room._rng,
        )
        with pytest.raises(DeliveryThreadDiedError, match="no"):
            room.start()
        future: Future[DeliveryResult] = room.submit(world.shipment(drop))
        with pytest.raises(StorageError):
            future.result(timeout=10)
        room.join()


def _no(_good: object) -> None:
    raise RuntimeError("no")
