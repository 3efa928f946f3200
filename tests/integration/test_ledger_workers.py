"""Workers in the ledger: their posts, their shares, and that a worker given up writes no more."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.core.chunks import ChunkResult, ChunkState
from pipeline.core.errors import Fenced, RootBusy, StorageError
from pipeline.core.model import DropState
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.ledger.segments import Load, Segment
from pipeline.storage.ledger.workers import PLANNING, Allowance, WorkerInstructions
from schemas.vocabulary import Outcome
from tests.acceptance.harness import until
from tests.fakes.ledger_plans import AT, NOW, begun, frozen_plan
from tests.postgres import PrivatePostgres


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


@pytest.fixture
def run(tmp_path: Path, url: str) -> Iterator[SqlLedger]:
    """The connections of somebody who is no worker."""
    opened = open_ledger(url, root=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def ledgers(tmp_path: Path, url: str) -> Iterator[dict[str, SqlLedger]]:
    """Three workers' connections to one ledger, on one root."""
    with ExitStack() as held:
        opened = {}
        for me in "abc":
            opened[me] = open_ledger(url, root=tmp_path)
            held.callback(opened[me].close)
            opened[me].workers.join(me, host="h", pid=1, root=opened[me].root_id)
        yield opened


def word(
    ledger: SqlLedger, me: str, allowed: Allowance, *, wants: int = 1, out: int = 0
) -> WorkerInstructions:
    return ledger.workers.heartbeat(
        me,
        wants=wants,
        most=8,
        allowed=allowed,
        lower=lambda _calls, _rate: out,
        stale_seconds=60,
    )


def taken(ledger: SqlLedger, me: str, each: Segment) -> Load | None:
    return ledger.segments.take_segment(me, drop_seq=each.drop_seq, wave=each.wave, no=each.no)


def planned(ledger: SqlLedger, rows: int, drop_id: str = "d1", *, held: int = 0):
    drop = begun(ledger, drop_id=drop_id, folder="", source_file="a.csv", received_at=NOW)
    drop = replace(drop, state=DropState.OPEN)
    plan = frozen_plan(drop.seq, rows)
    chunks = plan.chunks()
    free, waiting = chunks[: len(chunks) - held], chunks[len(chunks) - held :]
    waiting = [replace(chunk, state=ChunkState.WAITING) for chunk in waiting]
    ledger.freeze(drop, replace(plan, chunks=lambda: [*free, *waiting]))
    return drop


class TestPosts:
    def test_one_worker_holds_a_post_until_it_leaves_it(self, ledgers):
        assert ledgers["a"].workers.take_post("a", "x")
        assert not ledgers["b"].workers.take_post("b", "x")
        ledgers["b"].workers.leave_post("b", "x")
        assert not ledgers["b"].workers.take_post("b", "x")
        ledgers["a"].workers.leave_post("a", "x")
        assert ledgers["b"].workers.take_post("b", "x")
        assert [w.holds for w in ledgers["c"].workers.known_workers()] == [(), ("x",), ()]

    def test_whoever_falls_silent_loses_all_and_writes_no_more(self, ledgers):
        drop = planned(ledgers["a"], 40)
        first, second = ledgers["a"].chunks(drop.seq)
        assert ledgers["a"].workers.take_post("a", "x")
        assert ledgers["b"].workers.give_up_the_silent(60) == []
        with ledgers["b"]._db.write() as connection:
            connection.exec_driver_sql("UPDATE workers SET beat = beat - 100 WHERE id = 'a'")
        assert ledgers["b"].workers.give_up_the_silent(60) == ["a"]
        assert ledgers["b"].workers.take_post("b", "x")
        done = ChunkResult(chunk=replace(first, state=ChunkState.DONE, outcome=Outcome.ACCEPTED))
        for act in (
            lambda ledger: ledger.exchange([done], [second], at=AT),
            lambda ledger: ledger.save(replace(drop, state=DropState.COMPLETED)),
            lambda ledger: ledger.freeze(drop, frozen_plan(drop.seq, 20)),
            lambda ledger: ledger.workers.take_post("a", "y"),
            lambda ledger: word(ledger, "a", Allowance()),
        ):
            with pytest.raises(Fenced):
                act(ledgers["a"])
        assert ledgers["b"].chunks(drop.seq) == [first, second]
        assert ledgers["b"].drop_numbered(drop.seq).state is DropState.OPEN

    def test_a_worker_in_the_middle_of_a_transaction_is_not_given_up_before_its_end(self, ledgers):
        with ledgers["b"]._db.write() as connection:
            connection.exec_driver_sql("UPDATE workers SET beat = beat - 100 WHERE id = 'a'")
        with ledgers["a"]._db.write():
            assert ledgers["b"].workers.give_up_the_silent(60) == []
        assert ledgers["b"].workers.give_up_the_silent(60) == ["a"]


class TestOneRunOrWorkers:
    """A restart of the server takes the shared lock away; the workers' lines stay."""

    def test_a_run_does_not_go_where_a_worker_gives_word(self, ledgers, run):
        speaks, over = ledgers["a"], threading.Event()

        def speak() -> None:
            while not over.wait(0.1):
                word(speaks, "a", Allowance())

        with ThreadPoolExecutor(1) as thread:
            spoken = thread.submit(speak)
            try:
                with pytest.raises(RootBusy, match="Workers are using"), run.alone(stale_seconds=5):
                    pytest.fail("a run began beside workers")
            finally:
                over.set()
            spoken.result()

    def test_a_run_goes_when_all_have_been_silent_and_then_they_write_no_more(self, ledgers, run):
        with run.alone(stale_seconds=0.5):
            with pytest.raises(Fenced):
                word(ledgers["a"], "a", Allowance())
            assert run.workers.known_workers() == []


class TestShares:
    def test_all_together_never_exceed_what_is_allowed(self, ledgers):
        allowed = Allowance(calls=5, rate=30.0)
        told = {}
        for me in ("a", "a", "b", "c", "a", "b", "c", "a", "b", "c"):
            told[me] = word(ledgers[me], me, allowed)
            crew = ledgers["a"].workers.known_workers()
            assert sum(each.calls for each in crew) <= 5
            assert sum(each.rate for each in crew) <= 30.0 + 1e-9
        assert sorted(each.calls for each in told.values()) == [1, 2, 2]
        assert [each.rate for each in told.values()] == pytest.approx([10.0] * 3)

    def test_a_worker_with_nothing_to_send_leaves_its_share_to_others(self, ledgers):
        allowed = Allowance(calls=6, rate=30.0)
        assert word(ledgers["a"], "a", allowed).calls == 6
        assert word(ledgers["b"], "b", allowed).calls == 0
        assert word(ledgers["a"], "a", allowed, wants=0).calls == 0
        told = word(ledgers["b"], "b", allowed)
        assert (told.calls, told.rate) == (6, 30.0)

    def test_calls_that_are_still_out_count_until_they_are_answered(self, ledgers):
        allowed = Allowance(calls=4)
        assert word(ledgers["a"], "a", allowed).calls == 4
        word(ledgers["b"], "b", allowed)
        assert word(ledgers["a"], "a", allowed, out=4).calls == 2
        assert word(ledgers["b"], "b", allowed).calls == 0
        assert word(ledgers["a"], "a", allowed, out=1).calls == 2
        assert word(ledgers["b"], "b", allowed).calls == 2

    def test_without_bounds_each_sends_as_its_own_settings_say(self, ledgers):
        told = word(ledgers["a"], "a", Allowance())
        assert (told.calls, told.rate) == (8, 0.0)


class TestSegments:
    def test_a_wave_is_over_when_its_last_segment_ended_and_then_the_next_begins(self, ledgers):
        ledger = ledgers["a"]
        drop = planned(ledger, 2000)
        with ledger._db.write() as connection:
            connection.exec_driver_sql("UPDATE chunks SET wave = 1 WHERE no >= 50")
        first = ledger.segments.lay_out(drop.seq)
        assert [(s.wave, s.first, s.last) for s in first] == [(0, 0, 24), (0, 25, 49)]
        wave_1 = Segment(drop_seq=drop.seq, wave=1, no=0, first=50, last=74)
        assert ledgers["b"].segments.lay_out(drop.seq) is None
        assert taken(ledgers["b"], "b", wave_1) is None
        assert taken(ledgers["b"], "b", first[1]).segment == first[1]
        assert ledger.segments.end_segment(first[1]) == []
        assert taken(ledger, "a", first[1]) is None
        second = ledger.segments.end_segment(first[0])
        assert [(s.wave, s.first, s.last) for s in second] == [(1, 50, 74), (1, 75, 99)]
        assert ledger.segments.end_segment(second[0]) == []
        assert ledger.segments.end_segment(second[1]) is None

    def test_a_drop_is_through_when_all_ended_and_every_chunk_is_done_whoever_holds_what(
        self, ledgers
    ):
        ledger = ledgers["a"]
        drop = planned(ledger, 400)
        assert (
            ledger.segments.has_open_segments(drop.seq),
            ledger.segments.all_segments_done(drop.seq),
        ) == (
            True,
            False,
        )
        (only,) = ledger.segments.lay_out(drop.seq)
        assert ledgers["b"].workers.take_post("b", only.post)
        assert (
            ledger.segments.has_open_segments(drop.seq),
            ledger.segments.all_segments_done(drop.seq),
        ) == (
            True,
            False,
        )
        *most, last = [
            ChunkResult(chunk=replace(c, state=ChunkState.DONE, outcome=Outcome.ACCEPTED))
            for c in ledger.chunks(drop.seq)
        ]
        ledger.exchange(most, [last.chunk], at=AT)
        assert ledgers["b"].segments.end_segment(only) is None
        assert (
            ledger.segments.has_open_segments(drop.seq),
            ledger.segments.all_segments_done(drop.seq),
        ) == (
            False,
            False,
        )
        ledger.exchange([last], [], at=AT)
        assert ledger.segments.all_segments_done(drop.seq)
        assert ledger.segments.lay_out(drop.seq) == []

    def test_only_what_is_left_is_laid_out(self, ledgers):
        ledger = ledgers["a"]
        drop = planned(ledger, 600)
        done = [
            ChunkResult(chunk=replace(c, state=ChunkState.DONE, outcome=Outcome.ACCEPTED))
            for c in ledger.chunks(drop.seq)[:20]
        ]
        ledger.exchange(done, [], at=AT)
        (left,) = ledger.segments.lay_out(drop.seq)
        assert [c.no for c in taken(ledger, "a", left).chunks] == list(range(20, 30))

    def test_segments_that_nobody_has_taken_up_are_told_of(self, ledgers):
        ledger = ledgers["a"]
        drop = planned(ledger, 1000)
        one, two = ledger.segments.lay_out(drop.seq)
        assert taken(ledger, "a", one).segment == one
        assert taken(ledgers["b"], "b", one) is None
        assert ledgers["b"].segments.idle_segments() == [two]

    def test_what_waits_for_another_drop_is_laid_out_when_it_may_go(self, ledgers):
        ledger = ledgers["a"]
        drop = planned(ledger, 600, held=10)
        (one,) = ledger.segments.lay_out(drop.seq)
        assert (one.first, one.last) == (0, 19)
        done = [
            ChunkResult(chunk=replace(c, state=ChunkState.DONE, outcome=Outcome.ACCEPTED))
            for c in taken(ledger, "a", one).chunks
        ]
        ledger.exchange(done, [], at=AT)
        assert ledger.segments.end_segment(one) is None
        assert not ledger.segments.all_segments_done(drop.seq)
        assert ledger.segments.lay_out(drop.seq) == []
        ledger.let_go(drop, [20, 21, 29])
        (rest,) = ledger.segments.lay_out(drop.seq)
        assert [c.no for c in taken(ledger, "a", rest).chunks] == [20, 21, 29]


def test_a_turn_to_plan_that_could_not_be_given_back_keeps_nobody_from_planning(
    ledgers: dict[str, SqlLedger], postgres: PrivatePostgres
) -> None:
    """The database restarts while a worker plans: its post stays in the ledger, under its name.

    Its next turn must not wait for that post, nor all others with it.
    """
    mine = ledgers["a"]
    with pytest.raises(StorageError), mine.workers.planning_turn():
        postgres.stop()
    postgres.start()
    for ledger in (mine, ledgers["b"]):
        # The connection of before has rested for too short a time to be tried before it is used.
        until(partial(_is_planned_by_one, ledger), what="the ledger, and the post in it")
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(plan_once, mine).result(10)
        assert threads.submit(plan_once, ledgers["b"]).result(10)


def test_one_thread_of_a_worker_plans_at_a_time(ledgers: dict[str, SqlLedger]) -> None:
    """Beside the thread that plans, one that reports lets go what waited for its drop."""
    with ThreadPoolExecutor(1) as threads:
        with ledgers["a"].workers.planning_turn():
            second = threads.submit(plan_once, ledgers["a"])
            with pytest.raises(TimeoutError):
                second.result(0.3)
        assert second.result(10)


def _is_planned_by_one(ledger: SqlLedger) -> bool:
    try:
        return ledger.workers.posts(PLANNING) == [PLANNING]
    except StorageError:  # the first word of a connection that the restart ended
        return False


def plan_once(ledger: SqlLedger) -> bool:
    with ledger.workers.planning_turn():
        return True
