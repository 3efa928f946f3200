"""Small files taken together: each comes out as if it had been alone, whatever the others do."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from pipeline.core.errors import DropRefused, StorageError
from pipeline.core.model import Drop, DropState, Facts, Limits, ReadingSettings, Source
from pipeline.core.shipment import Closed, DeliveryResult, Ready
from pipeline.reading.process.protocol import Job
from pipeline.reading.read_file import prepare, prepare_together
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.storage.spool import Spool
from schemas.codes import Code
from schemas.profile import builtin_profiles
from tests.acceptance.harness import orders, sheet
from tests.fakes import hostile_files, steps_by_hand
from tests.fakes.killed_between import accept_all
from tests.fakes.manual_clock import ManualClock
from tests.forked import ENVIRONMENT, code_forked

pytestmark = pytest.mark.usefixtures("forked_readers")

HOME = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class NoFamily:
    def courier(self, drop_id):
        return None

    def rejected_ids(self, drop_id):
        return {}

    def rejected(self, drop_id):
        return {}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "shipdrop.toml").write_text("[inbox]\nsettle_seconds = 0\nread_memory_mb = 400\n")
    with closing(Site(tmp_path, load(tmp_path))) as made:
        made.folders.prepare()
        yield made


def put(site: Site, name: str, content: str | bytes, folder: str = "") -> None:
    place = site.inbox_path / folder
    place.mkdir(exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    (place / name).write_bytes(data)
    number = len(list(site.inbox_path.rglob("*")))
    os.utime(place / name, (number, number))


def claimed(site: Site) -> list[Drop]:
    done = site.claimer.claim(site.inbox.scan().ready)
    assert done.trouble is None
    return list(done.drops)


KILLED_BETWEEN = """
import sys
from pathlib import Path
from tests.fakes.killed_between import main
step, place, every = sys.argv[1:]
sys.exit(main(step, Path(place), int(every)))
"""


@pytest.mark.parametrize(
    ("step", "every", "least"),
    [
        ("claim", 12, 20),
        ("plan", 12, 20),
        ("close", 12, 40),
        ("take back", 12, 20),
        ("restore", 3, 8),
    ],
)
def test_a_batch_that_is_killed_at_any_moment_is_taken_up(
    tmp_path: Path, step: str, every: int, least: int
) -> None:
    """Before every twelfth touch of the file system, while three files are claimed, planned, put
    away, and every third while a ledger is restored; before each of all in the soak."""
    words, told = [step, str(tmp_path), str(every)], tmp_path / "told"
    with told.open("wb") as out:
        files = {"out": out.fileno(), "err": out.fileno()}
        ran = code_forked(KILLED_BETWEEN, words, env=ENVIRONMENT, cwd=HOME, **files)
        code = ran.wait(120)
    assert code == 0, told.read_text()[-2000:]
    assert int(told.read_text().split()[-1]) >= least


def some_files(folder: Path) -> list[Path]:
    """Sound ones and such with every kind of fault, of several couriers and headers."""
    header = ("Order ID", "Status", "Status Date", "Remarks")
    today = NOW.strftime("%d-%m-%Y")
    texts = {
        "fine.csv": orders(30, prefix="F"),
        "fine2.csv": orders(3, prefix="G", status="Picked Up"),
        "bad_ids.csv": sheet([("", "Delivered"), ("1.2E+15", "Delivered"), ("A1", "Delivered")]),
        "bad_status.csv": sheet([("B1", "Nobody knows"), ("B2", ""), ("B3", "In Transit")]),
        "dates.csv": sheet([("C1", "Delivered", today, ""), ("C2", "Delivered", "x", "")], header),
        "future.csv": sheet([("D1", "Delivered", "01-01-2031", "é")], header),
        "ragged.csv": "Order ID,Status\nE1,Delivered\nE2\nE3,Delivered,more\n",
        "ragged2.csv": "Order ID,Status,Remarks\nH1\nH2,Delivered\n",
        "total.csv": sheet([("K1", "Delivered"), ("Total 1", "")]),
        "none.csv": "Order ID,Status\n",
        "no_header.csv": "1,2\n3,4\n",
        "twins.csv": "Order ID,Status,Status\nT1,Delivered,RTO\n",
        "long.csv": sheet([("L1", "Delivered", today, "y" * 5000)], header),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    samples = [path for path in (HOME / "sample_drops").rglob("*") if path.is_file()]
    return [*(folder / name for name in texts), *sorted(samples)]


def test_files_read_together_come_out_as_each_would_alone(tmp_path: Path) -> None:
    files = some_files(tmp_path)
    reading = ReadingSettings(
        profiles=builtin_profiles(), default="generic", limits=Limits(), timezone="Asia/Kolkata"
    )

    def jobs(into: str) -> list[Job]:
        return [
            Job(
                source=Source(
                    path=path,
                    name=path.name,
                    named=None,
                    now=NOW + timedelta(days=400 * (number % 2)),  # each has its own today
                ),
                spool=Spool(tmp_path / into / str(number)),
            )
            for number, path in enumerate(files)
        ]

    together = prepare_together(jobs("together"), reading, NoFamily())
    assert sum(isinstance(one, Facts) for one in together) > 10
    for job, one, in_company in zip(jobs("alone"), together, jobs("together"), strict=True):
        if isinstance(one, Exception):
            with pytest.raises(type(one)) as refused:
                prepare(job.source, reading, job.spool, NoFamily())
            assert str(one) == str(refused.value)
            continue
        assert one == prepare(job.source, reading, job.spool, NoFamily())
        for number in range(len(one.sheets)):
            mine = [batch.to_pydict() for batch in job.spool.blocks(number)]
            assert mine == [batch.to_pydict() for batch in in_company.spool.blocks(number)]


def test_a_file_that_ends_the_reader_has_to_answer_for_it_and_the_others_are_read(
    site: Site,
) -> None:
    put(site, "a.csv", orders(3, prefix="A"))
    put(site, "poison.xlsb", hostile_files.far_apart_xlsb())
    put(site, "b.csv", orders(3, prefix="B"))
    put(site, "huge.ods", hostile_files.repeating_ods(200_000, 100))
    put(site, "c.csv", "Name\nnothing\n")
    drops = claimed(site)
    read = site.files.read(drops)
    assert [type(one) for one in read] == [Facts, DropRefused, Facts, DropRefused, DropRefused]
    codes = [one.code for one in read if isinstance(one, DropRefused)]
    assert codes == [Code.PROCESSING_FAILED, Code.READ_TOO_LARGE, Code.HEADER_NOT_FOUND]
    tries = {drop.source_file: site.spools.of(drop).tries.failed() for drop in drops}
    assert tries == {"a.csv": 0, "poison.xlsb": 3, "b.csv": 0, "huge.ods": 0, "c.csv": 0}
    steps = site.planner.plan_read(drops, read)
    assert [type(step) for step in steps] == [Ready, Closed, Ready, Closed, Closed]


def test_a_file_with_a_try_that_nobody_saw_the_end_of_is_read_alone(site: Site) -> None:
    for name in "abc":
        put(site, f"{name}.csv", orders(3, prefix=name))
    drops = claimed(site)
    suspect = site.spools.of(drops[1])
    for _ in range(10):
        suspect.tries.begin()
    read = site.files.read(drops)
    assert [type(one) for one in read] == [Facts, DropRefused, Facts]


def test_drops_of_a_batch_that_share_orders_are_planned_one_after_the_other(site: Site) -> None:
    put(site, "a.csv", sheet([("S1", "Picked Up"), ("S2", "Picked Up")]))
    put(site, "b.csv", orders(3, prefix="B"))
    put(site, "c.csv", sheet([("S2", "Delivered"), ("C1", "Delivered")]))
    put(site, "d.csv", sheet([("C1", "Delivered")]))
    drops = claimed(site)
    steps = site.planner.plan_read(drops, site.files.read(drops))
    assert [type(step) for step in steps] == [Ready] * 4
    a, _, c, d = drops
    waits = [step.drop.waits_for for step in steps if isinstance(step, Ready)]
    assert waits == [(), (), (a.drop_id,), (c.drop_id,)]
    assert {drop.state for drop in site.ledger.unfinished()} == {DropState.OPEN}
    told = [(chunk.state.value, a.drop_id in chunk.message) for chunk in site.ledger.chunks(c.seq)]
    assert told == [("planned", False), ("waiting", True)], "C1 goes, S2 waits"
    assert [chunk.state.value for chunk in site.ledger.chunks(d.seq)] == ["waiting"]


def test_a_drop_of_a_batch_knows_what_an_earlier_one_tells_of_auto_dispatch(tmp_path: Path) -> None:
    (tmp_path / "shipdrop.toml").write_text(
        "[inbox]\nsettle_seconds = 0\n[manifest]\nfill_missing_pickup = true\n"
    )
    header = ("Order ID", "Status", "Auto Dispatch")
    with closing(Site(tmp_path, load(tmp_path))) as site:
        site.folders.prepare()
        put(site, "a.csv", sheet([("X1", "Picked Up", "yes")], header))
        put(site, "b.csv", sheet([("X1", "Delivered"), ("Y1", "Delivered")]))
        drops = claimed(site)
        steps = site.planner.plan_read(drops, site.files.read(drops))
        first, second = steps
        assert isinstance(first, Ready)
        assert len(first.chunks) == 0
        assert isinstance(second, Ready)
        with site.spools.of(second.drop).body_reader() as body:
            sent = [orjson.loads(body(each.offset, each.length)) for each in second.chunks]
    told = sorted((item["orderId"], item["orderStatus"]) for items in sent for item in items)
    assert told == [("X1", "delivery_done"), ("Y1", "bag_picked"), ("Y1", "delivery_done")]


def test_a_file_that_is_gone_or_changed_when_it_is_claimed_holds_up_no_other(site: Site) -> None:
    for name in "abc":
        put(site, f"{name}.csv", orders(3, prefix=name))
    ready = site.inbox.scan().ready
    (site.inbox_path / "a.csv").unlink()
    (site.inbox_path / "b.csv").write_text("Order ID,Status\nchanged,Delivered\n")
    done = site.claimer.claim(ready)
    assert [drop.source_file for drop in done.drops] == ["c.csv"]
    assert (done.refused, done.trouble) == ((), None)
    assert [drop.source_file for drop in site.ledger.unfinished()] == ["c.csv"]
    assert (site.inbox_path / "b.csv").exists()


def test_a_receipt_that_cannot_be_written_keeps_the_rest_of_the_batch_for_later(
    site: Site,
) -> None:
    put(site, "a.csv", orders(3, prefix="A"))
    put(site, "b.csv", orders(3, prefix="B"), folder="acme")
    put(site, "c.csv", orders(3, prefix="C"))
    (site.outbox_path / "acme").write_text("in the way")
    done = site.claimer.claim(site.inbox.scan().ready)
    assert [drop.source_file for drop in done.drops] == ["a.csv"]
    assert done.trouble is not None
    (site.outbox_path / "acme").unlink()
    left = [drop for drop in site.ledger.unfinished() if drop.state is DropState.CLAIMING]
    taken_up = [site.claimer.recover(drop) for drop in left]
    assert [drop and drop.source_file for drop in taken_up] == ["b.csv", "c.csv"]
    assert len(list(site.outbox_path.rglob("*.received.json"))) == 3


def test_a_file_is_archived_under_the_day_it_came_though_it_ended_on_the_next(
    tmp_path: Path,
) -> None:
    """The day is that of UTC, whatever the zone of a courier or of the machine."""
    clock = ManualClock(datetime(2026, 11, 23, 23, 59, 58, tzinfo=UTC))
    (tmp_path / "shipdrop.toml").write_text("[inbox]\nsettle_seconds = 0\n")
    with closing(Site(tmp_path, load(tmp_path), clock=clock)) as site:
        site.folders.prepare()
        put(site, "a.csv", orders(2))
        claimed(site)
        clock.advance(5)
        steps_by_hand.plan(site)
        steps_by_hand.finish(site)
    (kept,) = tmp_path.glob("archive/*/*/*/*/*")
    assert kept.relative_to(tmp_path / "archive").parts[:3] == ("2026", "11", "23")
    summary = orjson.loads(next(tmp_path.glob("outbox/*.summary.json")).read_bytes())
    assert summary["received_at"] == "2026-11-23T23:59:58.000Z"
    assert summary["finished_at"] == "2026-11-24T00:00:03.000Z"


def test_the_same_bytes_twice_in_a_batch_are_told_so(site: Site) -> None:
    for name in "abc":
        put(site, f"{name}.csv", orders(3))
    first, *others = claimed(site)
    assert first.same_as is None
    assert [drop.same_as for drop in others] == [first.drop_id] * 2


def test_storage_that_fails_for_one_plan_or_one_report_leaves_the_others_alone(site: Site) -> None:
    for name in "abc":
        put(site, f"{name}.csv", orders(3, prefix=name), folder=f"of_{name}")
    drops = claimed(site)
    read = site.files.read(drops)
    plan = site.spools.folder / drops[1].drop_id / "plan.arrow"
    plan.mkdir()
    steps = site.planner.plan_read(drops, read)
    assert [type(step) for step in steps] == [Ready, StorageError, Ready]
    plan.rmdir()
    (again,) = site.planner.plan_read(drops[1:2], read[1:2])
    assert isinstance(again, Ready)

    accept_all(site)
    blocked = site.outbox_path / "of_b"
    for path in blocked.iterdir():
        path.unlink()
    blocked.rmdir()
    blocked.write_text("in the way")
    through = [
        (drop, DeliveryResult(drop_seq=drop.seq, complete=True, cancelled=False))
        for drop in site.ledger.unfinished()
    ]
    ended = site.drop_steps.finish(through)
    assert [type(one) for one in ended] == [Closed, StorageError, Closed]
    (left,) = site.ledger.unfinished()
    assert left.source_file == "b.csv"
    blocked.unlink()
    (closed,) = site.drop_steps.finish(through[1:2])
    assert isinstance(closed, Closed)
    assert site.folders.leftovers() == []


def test_a_ledger_that_cannot_be_written_stops_a_whole_batch_and_costs_no_try(site: Site) -> None:
    for name in "abc":
        put(site, f"{name}.csv", orders(3, prefix=name))
    drops = claimed(site)
    read = site.files.read(drops)
    site.ledger.close()
    ledger = site.root / "state" / "ledger.db"
    kept = ledger.rename(site.root / "kept.db")
    ledger.mkdir()
    steps = site.planner.plan_read(drops, read)
    assert [type(step) for step in steps] == [StorageError] * 3
    ledger.rmdir()
    kept.rename(ledger)
    assert [site.spools.of(drop).tries.failed() for drop in drops] == [0] * 3
    steps = site.planner.plan_read(drops, read)
    assert [type(step) for step in steps] == [Ready] * 3
