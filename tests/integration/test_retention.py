"""Old things go, by the test's own clock; whatever keeps an order from going twice stays."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkResult, ChunkState, Receipt, Verdict
from pipeline.core.model import Drop, DropFacts, DropState, SetAside, stamp
from pipeline.service.retention import Retention, RetentionFiles, Swept
from pipeline.service.settings import RetentionSettings
from pipeline.storage.ledger import SqlLedger, migrations, open_ledger, tables
from pipeline.storage.ledger.drops import facts_from
from pipeline.storage.ledger.tables import chunks, lines, receipts, verdicts
from pipeline.storage.outbox import Outbox
from schemas.vocabulary import Milestone, Outcome
from tests.acceptance.harness import until
from tests.fakes.ledger_plans import AT, begun, frozen_plan
from tests.fakes.manual_clock import ManualClock

PICKED, DONE = Milestone.BAG_PICKED, Milestone.DELIVERY_DONE
KINDS = ("received.json", "results.csv", "rejects.csv", "rejects.xlsx", "summary.json")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger("sqlite:///state/ledger.db", root=tmp_path)
    yield opened
    opened.close()


class Place:
    """A root with drops in it."""

    def __init__(self, root: Path, ledger: SqlLedger, clock: ManualClock) -> None:
        self.root, self.ledger, self.clock = root, ledger, clock
        self.outbox = Outbox(root / "outbox")
        (root / "quarantine").mkdir()
        (root / "archive").mkdir()
        (root / "state" / "drops").mkdir()
        self.outbox.prepare(root)

    def retention(self, **days: int) -> Retention:
        keep = {"archive_days": 0, "outbox_days": 0, "rows_days": 0} | days
        return Retention(
            keep=RetentionSettings.model_construct(**keep),
            files=RetentionFiles(self.root, self.outbox),
            ledger=self.ledger,
            clock=self.clock,
        )

    def sweep(self, **days: int) -> Swept:
        return self.retention(**days).sweep()

    def drop(self, age_days: float, state: DropState = DropState.COMPLETED, rows: int = 0) -> Drop:
        """A drop that came, and was closed if it was, so many days ago, with all it left."""
        at = self.clock.now() - timedelta(days=age_days)
        drop_id = f"d{at:%Y%m%dt%H%M%S}000{'abcd'}"
        drop = begun(self.ledger, drop_id=drop_id, folder="", source_file="a.csv", received_at=at)
        if rows:
            self.ledger.freeze(
                replace(drop, state=DropState.OPEN), frozen_plan(drop.seq, rows, prefix=drop_id)
            )
        drop = replace(drop, state=state, finished_at=at if state.closed else None)
        self.ledger.save(drop)
        self._leave(drop, at.date())
        return drop

    def _leave(self, drop: Drop, day: date) -> None:
        shelf = self.root / "archive" / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"
        if drop.state is DropState.REFUSED:
            shelf = self.root / "quarantine"
        (shelf / drop.drop_id).mkdir(parents=True)
        (shelf / drop.drop_id / "a.csv").write_text("rows")
        for kind in KINDS:
            (self.root / "outbox" / f"a__{drop.drop_id}.{kind}").write_text("report")
        (self.root / "state" / "drops" / drop.drop_id).mkdir()
        (self.root / "state" / "drops" / drop.drop_id / "bodies.json").write_text("[]")

    def originals(self) -> set[str]:
        found = [*self.root.glob("archive/*/*/*/*"), *self.root.glob("quarantine/*")]
        return {path.name for path in found}

    def reports(self) -> set[str]:
        return {path.name.split("__")[1].split(".")[0] for path in self.root.glob("outbox/*")}

    def spools(self) -> set[str]:
        return {path.name for path in self.root.glob("state/drops/*")}


@pytest.fixture
def place(tmp_path: Path, ledger: SqlLedger, clock: ManualClock) -> Place:
    return Place(tmp_path, ledger, clock)


@pytest.mark.parametrize("state", [DropState.COMPLETED, DropState.REFUSED, DropState.CANCELLED])
def test_only_what_is_older_than_its_days_goes(place, state):
    """To the hour: 30 days are 30 times 24 hours from the end of a drop, not 29 and not 31."""
    old, young = place.drop(30.1, state, rows=2), place.drop(29.9, state, rows=2)
    both = {old.drop_id, young.drop_id}
    assert place.sweep(archive_days=30) == Swept(originals=1)
    assert (place.originals(), place.reports(), place.spools()) == ({young.drop_id}, both, both)
    assert place.sweep(outbox_days=30) == Swept(reports=len(KINDS))
    assert (place.reports(), place.spools()) == ({young.drop_id}, both)
    assert place.sweep(rows_days=30) == Swept(drops=1)
    assert place.spools() == {young.drop_id}
    assert count(place, lines) == 2
    left = [path.name for path in place.root.rglob("a.csv")]
    assert left == ["a.csv"]
    assert place.sweep(archive_days=30, outbox_days=30, rows_days=30) == Swept()


@pytest.mark.parametrize("hour", [0.01, 12, 23.99])
def test_an_original_goes_by_its_moment_and_not_by_its_day(place, clock, hour):
    """The archive is looked through by days; whatever the hour, nothing goes early or late."""
    clock.set_wall(clock.now().replace(hour=0, minute=0) + timedelta(hours=hour))
    kept = {place.drop(age).drop_id for age in (28.95, 29.05, 29.5, 29.95)}
    for age in (30.05, 30.5, 30.95, 31.05):
        place.drop(age)
    assert place.sweep(archive_days=30) == Swept(originals=4)
    assert place.originals() == kept


def many_drops(place: Place, count: int, facts: dict[str, str]) -> None:
    """Write drops that were closed 35 days ago into the ledger, without files."""
    at = (place.clock.now() - timedelta(days=35)).isoformat()
    some = [
        {
            "drop_id": f"d20261001t{number:09}abcd",
            "folder": "",
            "source_file": "a.csv",
            "state": DropState.COMPLETED.value,
            "received_at": at,
            "finished_at": at,
            "sha256": f"{number:064}",
            "closing": number,
            "facts": facts,
            "root": place.ledger.root_id,
        }
        for number in range(count)
    ]
    with place.ledger._db.write() as connection:
        connection.execute(tables.drops.insert(), some)


def test_a_sweep_leaves_nothing_for_the_next_day_however_many_files_there_were(place):
    """More files a day than one step takes: what a sweep leaves is never caught up with."""
    many_drops(place, 10_001, {})
    days = {"archive_days": 30, "outbox_days": 30, "rows_days": 30, "drops_days": 30}
    assert place.sweep(**days) == Swept(drops=10_001, forgotten=10_000)
    assert len(known(place)) == 1, "the newest stays"


def test_what_stays_of_old_drops_takes_less_of_the_disk(place):
    """SQLite would leave each shortened line alone on the page that it had filled."""
    many_drops(place, 600, {"headings": "a long heading, " * 200})
    file = place.root / "state" / "ledger.db"
    before = size_of(place, file)
    assert before > 600 * 3_200
    assert place.sweep(rows_days=30) == Swept(drops=600)
    assert size_of(place, file) < before / 4
    assert len(known(place)) == 50


def size_of(place: Place, file: Path) -> int:
    with place.ledger._db.alone() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    return file.stat().st_size


def test_a_whole_drop_stays_while_anybody_needs_it(place):
    """It goes when nobody has to see to it, no other hangs on it, and a newer one was closed."""
    days = {"archive_days": 10, "outbox_days": 10, "rows_days": 10, "drops_days": 30}
    gone, refused = place.drop(50, rows=2), place.drop(49, DropState.REFUSED)
    parent, asked = place.drop(48, rows=2), place.drop(47, rows=2)
    first, young = place.drop(46, rows=2), place.drop(29.9, rows=2)
    child, copied = place.drop(21, rows=2), place.drop(20, rows=2)
    place.ledger.save(replace(refused, sha256="bad"))
    place.ledger.save(replace(first, sha256="f00d"))
    place.ledger.save(replace(child, parent=parent.drop_id))
    place.ledger.save(replace(copied, sha256="f00d"))
    place.ledger.request(asked.drop_id, "retry")
    assert place.sweep(**days).forgotten == 1
    left = [refused, parent, asked, first, young, child, copied]
    assert known(place) == {each.drop_id for each in left}
    assert gone.drop_id not in known(place)
    note = ("seen to", "asha", "")
    assert place.ledger.change_facts(refused.seq, lambda facts: replace(facts, put_off=note))
    assert place.sweep(**days).forgotten == 1
    assert known(place) == {each.drop_id for each in left[1:]}
    # A year without a file: the newest stays, since numbers go on from it, and the first with its
    # bytes.
    place.clock.advance(400 * 24 * 3600)
    place.ledger.request(asked.drop_id, "")
    assert place.sweep(**days).forgotten == 4
    assert known(place) == {first.drop_id, copied.drop_id}


def test_the_drop_with_the_highest_number_stays_where_another_was_closed_after_it(place):
    """A copy of the ledger goes on from it: its number is that of accepted statuses."""
    retried, last = place.drop(50, rows=2), place.drop(49, rows=2)
    place.ledger.save(replace(retried, state=DropState.OPEN))
    place.ledger.save(retried)
    days = {"archive_days": 10, "outbox_days": 10, "rows_days": 10, "drops_days": 30}
    assert place.sweep(**days).forgotten == 0
    assert known(place) == {retried.drop_id, last.drop_id}


def test_a_file_that_was_read_again_goes_with_the_drop_that_it_became(place):
    """Else the first one would be to do again, for good."""
    days = {"archive_days": 10, "outbox_days": 10, "rows_days": 10, "drops_days": 30}
    refused, again = place.drop(50, DropState.REFUSED), place.drop(49, rows=2)
    newest = place.drop(20, rows=2)
    place.ledger.save(replace(refused, sha256="f00d"))
    place.ledger.save(replace(again, sha256="f00d", same_as=refused.drop_id))
    assert place.sweep(**days).forgotten == 2
    assert known(place) == {newest.drop_id}


def known(place) -> set[str]:
    return {each.drop_id for each in place.ledger.recent(50)}


def test_zero_days_keep_everything(place):
    drop = place.drop(10_000, rows=3)
    assert place.sweep() == Swept()
    assert place.originals() == place.reports() == place.spools() == {drop.drop_id}
    assert len(place.ledger.overview.sightings(f"{drop.drop_id}0000000")) == 1


@pytest.mark.parametrize("state", [DropState.CLAIMING, DropState.CLAIMED, DropState.OPEN])
def test_nothing_of_a_drop_that_is_not_closed_goes_however_old(place, state):
    drop = place.drop(5_000, state, rows=3)
    assert place.sweep(archive_days=1, outbox_days=1, rows_days=1) == Swept()
    assert place.originals() == place.reports() == place.spools() == {drop.drop_id}
    assert [each.open for each in asked(place, f"{drop.drop_id}0000000")] == [True]
    place.ledger.save(replace(drop, finished_at=drop.received_at))  # one that was opened again
    assert place.sweep(archive_days=1, outbox_days=1, rows_days=1) == Swept()


def test_a_drop_that_came_long_ago_and_was_closed_lately_is_kept(place):
    drop = place.drop(400, rows=2)
    place.ledger.save(replace(drop, finished_at=place.clock.now() - timedelta(days=1)))
    assert place.sweep(archive_days=30, outbox_days=30, rows_days=30) == Swept()


def test_what_the_ledger_does_not_know_is_never_removed(place, tmp_path):
    stranger = tmp_path / "archive" / "2020" / "01" / "01" / "d20200101t000000000abcd"
    stranger.mkdir(parents=True)
    for name in ("notes.txt", "b__d20200101t000000000abcd.summary.json", "x__d2.summary.json"):
        (tmp_path / "outbox" / name).write_text("mine")
    (tmp_path / "archive" / "2020" / "99" / "77" / "d1").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    known = begun(
        place.ledger, drop_id="d1", folder="", source_file="a", received_at=place.clock.now()
    )
    place.ledger.save(
        replace(known, state=DropState.REFUSED, finished_at=datetime(2020, 1, 1, tzinfo=UTC))
    )
    (tmp_path / "quarantine" / "d1").symlink_to(outside)
    assert place.sweep(archive_days=1, outbox_days=1) == Swept()
    assert stranger.exists()
    assert (outside / "precious").exists()
    assert len(list((tmp_path / "outbox").iterdir())) == 3


def asked(place: Place, *orders: str) -> list:
    return place.ledger.order_histories(orders, except_seq=1 << 62)


def send(place: Place, drop: Drop, *results: ChunkResult) -> None:
    place.ledger.exchange(results, [], at=AT)


def ended(drop: Drop, no: int, outcome: Outcome, **more: object) -> ChunkResult:
    chunk = Chunk(
        drop_seq=drop.seq,
        no=no,
        wave=0,
        offset=0,
        length=1,
        size=20,
        state=ChunkState.DONE,
        outcome=outcome,
        attempts=1,
        sent_at=AT,
    )
    return ChunkResult(chunk=chunk, **more)


def refused(no: int, pos: int) -> Verdict:
    return Verdict(chunk_no=no, pos=pos, outcome=Outcome.FAILED, code="API_REFUSED", message="no")


def count(place: Place, table: sa.Table) -> int:
    with place.ledger._db.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_of_old_rows_what_was_accepted_stays_known_and_nothing_else(place):
    drop = place.drop(181, rows=60)
    call = Receipt(chunk_no=1, at=AT, kind="put", http_status=503, note="busy")
    send(
        place,
        drop,
        ended(drop, 0, Outcome.ACCEPTED, verdicts=(refused(0, 3),)),
        ended(drop, 1, Outcome.FAILED, receipts=(call,)),
        ended(drop, 2, Outcome.ACCEPTED),
    )
    orders = [f"{drop.drop_id}{n:07}" for n in range(60)]
    before = {(each.order_id, each.status) for each in asked(place, *orders)}
    assert len(before) == 39
    assert place.sweep(rows_days=180) == Swept(drops=1)
    after = asked(place, *orders)
    assert {(each.order_id, each.status) for each in after} == before
    assert {(each.drop_id, each.open, each.outcome) for each in after} == {
        (drop.drop_id, False, Outcome.ACCEPTED)
    }
    assert {each.at for each in after} == {stamp(place.clock.now() - timedelta(days=181))}
    assert [count(place, table) for table in (lines, chunks, verdicts, receipts)] == [0] * 4
    assert place.spools() == set()
    (sighting,) = place.ledger.overview.sightings(orders[0])
    closed = place.clock.now() - timedelta(days=181)
    assert (sighting.accepted_by, sighting.drop.drop_id) == (closed, drop.drop_id)
    assert place.ledger.overview.sightings(orders[3]) == []
    assert place.ledger.find(drop.drop_id) is not None
    assert place.sweep(rows_days=180) == Swept()


def test_drops_that_an_earlier_shipdrop_gave_up_are_tidied_as_well(place):
    drop = place.drop(300)
    aside = [2, "her name", "asha", "when"]
    facts = {"courier_why": "x" * 4000, "total": 3, "kind": "csv", "aside": [aside]}
    place.ledger.save(replace(drop, facts=facts_from(facts)))
    assert place.sweep(rows_days=180) == Swept(drops=1)
    with place.ledger._db.write() as connection:
        of_it = tables.drops.update().where(tables.drops.c.seq == drop.seq)
        connection.execute(of_it.values(facts=facts))
        migrations.take_step(connection, migrations._TIDY_AGAIN)
    assert place.sweep(rows_days=180) == Swept(drops=1)
    left = place.ledger.find(drop.drop_id).facts
    aside = (SetAside(2, "", "", "when"),)
    assert left == DropFacts(tidied=place.clock.now().isoformat(), total=3, aside=aside)
    assert place.sweep(rows_days=180) == Swept()


def test_rows_of_younger_drops_stay_as_they_were(place):
    old, new = place.drop(300, rows=30), place.drop(10, rows=30)
    for drop in (old, new):
        send(place, drop, *(ended(drop, no, Outcome.ACCEPTED) for no in range(2)))
    assert place.sweep(rows_days=180) == Swept(drops=1)
    assert count(place, lines) == 30
    assert count(place, chunks) == 2
    (sighting,) = place.ledger.overview.sightings(f"{new.drop_id}0000000")
    assert sighting.chunk is not None
    assert place.spools() == {new.drop_id}


def test_a_drop_with_rows_whose_end_nobody_knows_is_kept(place):
    doubtful, verdict_only = place.drop(300, rows=3), place.drop(301, rows=3)
    send(place, doubtful, ended(doubtful, 0, Outcome.UNKNOWN))
    unknown = replace(refused(0, 1), outcome=Outcome.UNKNOWN)
    send(place, verdict_only, ended(verdict_only, 0, Outcome.ACCEPTED, verdicts=(unknown,)))
    assert place.sweep(rows_days=180) == Swept()
    assert place.spools() == {doubtful.drop_id, verdict_only.drop_id}


def test_a_drop_that_somebody_asked_something_for_is_kept(place):
    drop = place.drop(300, DropState.CANCELLED, rows=3)
    place.ledger.request(drop.drop_id, "retry")
    assert place.sweep(rows_days=180) == Swept()
    assert place.spools() == {drop.drop_id}


def test_an_order_of_many_old_drops_keeps_each_status_once(place):
    for age, status in ((400, PICKED), (390, DONE), (380, DONE)):
        at = place.clock.now() - timedelta(days=age)
        drop = begun(
            place.ledger, drop_id=f"d{age}", folder="", source_file="a.csv", received_at=at
        )
        plan = frozen_plan(drop.seq, 1, prefix="same", status=status)
        place.ledger.freeze(replace(drop, state=DropState.OPEN), plan)
        place.ledger.save(replace(drop, state=DropState.COMPLETED, finished_at=at))
        send(place, drop, ended(drop, 0, Outcome.ACCEPTED))
    assert place.sweep(rows_days=180) == Swept(drops=3)
    found = asked(place, "same0000000")
    assert [(each.status, each.drop_id) for each in found] == [(PICKED, "d400"), (DONE, "d390")]


def test_a_walk_that_was_broken_off_anywhere_tells_the_same_and_is_ended_later(place, monkeypatch):
    from pipeline.storage.ledger import compaction

    monkeypatch.setattr(compaction, "_LINES_PER_STEP", 7)
    drops = [place.drop(300 + number, rows=40) for number in range(3)]
    for drop in drops:
        send(place, drop, *(ended(drop, no, Outcome.ACCEPTED) for no in range(2)))
    orders = [f"{drop.drop_id}{n:07}" for drop in drops for n in range(40)]

    def known() -> set[tuple[str, int]]:
        return {(each.order_id, each.status) for each in asked(place, *orders)}

    before = known()
    assert len(before) == 120
    now = place.clock.now()
    place.ledger.compaction.give_up(closed_before=now - timedelta(days=180), at=now)
    after: str | None = ""
    for _ in range(9):
        assert after is not None
        after = place.ledger.compaction.compact_orders(after)
        assert known() == before
    assert 0 < count(place, lines) < 120
    assert place.sweep(rows_days=180) == Swept(drops=3)
    assert known() == before
    assert count(place, lines) == count(place, chunks) == 0


@pytest.mark.parametrize("statement", range(1, 4))
def test_a_plan_misses_nothing_that_is_moved_while_it_asks(place, statement):
    """Rows are given up in another thread, after the n-th statement of a plan's question."""
    drop = place.drop(300, rows=3)
    send(place, drop, ended(drop, 0, Outcome.ACCEPTED))
    orders = [f"{drop.drop_id}{n:07}" for n in range(3)]
    me, seen = threading.get_ident(), []

    def moved(*_: object) -> None:
        if threading.get_ident() == me:
            seen.append(1)
            if len(seen) == statement:
                sweeping = threading.Thread(target=place.sweep, kwargs={"rows_days": 180})
                sweeping.start()
                sweeping.join()

    sa.event.listen(place.ledger._db.engine, "after_cursor_execute", moved)
    known = {(each.order_id, each.outcome) for each in asked(place, *orders)}
    assert len(seen) >= statement
    assert count(place, lines) == 0, "they were moved"
    assert known == {(order, Outcome.ACCEPTED) for order in orders}


@pytest.mark.parametrize("made_before", [False, True], ids=["new file", "older file"])
def test_the_ledger_s_file_shrinks(tmp_path, clock, made_before):
    if made_before:
        import sqlite3

        (tmp_path / "state").mkdir()
        old = sqlite3.connect(tmp_path / "state" / "ledger.db")
        old.execute("CREATE TABLE something (else_)")
        old.close()
    ledger = open_ledger("sqlite:///state/ledger.db", root=tmp_path)
    place = Place(tmp_path, ledger, clock)
    drop = place.drop(200, rows=60_000)
    send(place, drop, ended(drop, 0, Outcome.ACCEPTED))
    ledger.close()
    before = (tmp_path / "state" / "ledger.db").stat().st_size
    retention = place.retention(rows_days=180)
    retention._idle = lambda: made_before  # only an older file is written anew, when nobody minds
    retention.sweep()
    ledger.close()
    assert (tmp_path / "state" / "ledger.db").stat().st_size < before / 10
    assert len(asked(place, f"{drop.drop_id}0000000")) == 1
    ledger.close()


def test_a_sweep_is_due_at_the_start_and_a_day_after_the_last(place, clock):
    retention = place.retention(archive_days=30)
    drop = place.drop(31)
    retention.run_if_due()
    assert place.originals() == set()
    place.drop(32)
    clock.advance(3600 * 23.9)
    place.retention(archive_days=30).run_if_due()
    assert len(place.originals()) == 1
    clock.advance(3600 * 0.2)
    place.retention(archive_days=30).run_if_due()
    assert place.originals() == set()
    assert place.ledger.find(drop.drop_id) is not None


def test_a_clock_that_was_set_back_does_not_keep_it_from_being_due(place, clock):
    place.retention().run_if_due()
    assert not place.retention().is_due()
    clock.set_wall(datetime(2020, 1, 1, tzinfo=clock.now().tzinfo))
    assert place.retention().is_due()


def under_way() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "retention"]


def test_beside_other_work_it_runs_in_a_thread_of_its_own(place):
    old, young = place.drop(31), place.drop(29)
    retention = place.retention(archive_days=30)
    retention.start_if_due(lambda: True)
    until(lambda: not under_way(), what="the thread has ended")
    assert place.originals() == {young.drop_id}, f"{old.drop_id} is still there"
    assert not retention.is_due()
    place.drop(32)
    retention.start_if_due(lambda: True)  # not before a day has passed
    assert under_way() == []
    retention.stop()
    assert len(place.originals()) == 2


def test_a_service_that_ends_waits_for_it_and_it_leaves_off(place):
    drops = [place.drop(200 + number, rows=30) for number in range(3)]
    for drop in drops:
        send(place, drop, *(ended(drop, no, Outcome.ACCEPTED) for no in range(2)))
    retention = place.retention(rows_days=180)
    asked_for, go_on = threading.Event(), threading.Event()

    def idle() -> bool:
        """Asked in the thread, before the ledger's file is made smaller."""
        asked_for.set()
        return go_on.wait(30)

    retention.start_if_due(idle)
    assert asked_for.wait(30)
    stopping = threading.Thread(target=retention.stop)
    stopping.start()
    assert len(under_way()) == 1
    assert stopping.is_alive()
    go_on.set()
    stopping.join(30)
    assert not stopping.is_alive()
    assert under_way() == []


def aged(path: Path, clock: ManualClock, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    moment = (clock.now() - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_minutes_and_what_the_page_kept_of_uploads_go_with_the_rows(place, clock):
    state = place.root / "state"
    day = clock.now().date()
    old = [
        aged(state / "minutes" / f"{day - timedelta(days=181)}.jsonl", clock, 0),
        aged(state / "web" / "uploads" / "by-hash" / "ab" / "ab12-cd.json", clock, 181),
        aged(state / "web" / "uploads" / "by-batch" / "ef" / "ef34" / "ab12-cd.json", clock, 181),
        aged(state / "web" / "drafts" / "d1.json", clock, 181),
    ]
    young = [
        aged(state / "minutes" / f"{day - timedelta(days=179)}.jsonl", clock, 500),
        aged(state / "minutes" / f"{day - timedelta(days=180)}.jsonl", clock, 500),
        aged(state / "minutes" / "notes of ours.jsonl", clock, 500),
        aged(state / "web" / "uploads" / "by-hash" / "ab" / "ab34-cd.json", clock, 179),
        aged(state / "web" / "drafts" / "d2.json", clock, 179),
    ]
    assert place.sweep(archive_days=1, outbox_days=1) == Swept()
    assert place.sweep(rows_days=180) == Swept(aside=4)
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in young)
    left = {path.name for path in (state / "web" / "uploads").iterdir()}
    assert left == {"by-hash"}
    assert place.sweep(rows_days=180) == Swept()
