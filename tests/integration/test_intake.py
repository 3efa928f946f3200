"""The inbox as the loop uses it: claimed, passed over, told of; on a clock of the test's own."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.core.errors import StorageError
from pipeline.core.model import stamp
from pipeline.service.health import Problems
from pipeline.service.intake import Intake
from pipeline.service.settings import InboxSettings, Settings
from pipeline.service.wiring import Site
from pipeline.storage.ledger import SqlLedger, open_ledger
from tests.fakes.manual_clock import ManualClock

ROWS = "Order ID,Status\n1,Delivered\n"
LATE = 300.0
DATED = (
    'name = "acme"\nfile_time = "%Y%m%d_%H%M"\n'
    '[headers]\norder_id = ["Ref"]\nstatus = ["Scan"]\n[statuses]\ndelivery_done = ["DLV"]\n'
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger("sqlite:///state/ledger.db", root=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def problems(clock: ManualClock) -> Problems:
    return Problems(clock=clock)


Making = Callable[..., Intake]


@pytest.fixture
def make(tmp_path: Path, clock: ManualClock, problems: Problems) -> Iterator[Making]:
    sites: list[Site] = []
    (tmp_path / "couriers").mkdir()
    (tmp_path / "couriers" / "acme.toml").write_text(DATED)

    def made(*, settle: float = 0, marker: str = "", min_free: int = 0) -> Intake:
        inbox = InboxSettings(
            settle_seconds=settle, done_marker=marker, min_free_mb=min_free, late_seconds=LATE
        )
        site = Site(tmp_path, Settings(inbox=inbox), clock=clock)
        sites.append(site)
        site.folders.prepare()
        return Intake(site, problems, lambda: None)

    yield made
    for site in sites:
        site.close()


def drop(root: Path, name: str, content: str = ROWS, folder: str = "") -> Path:
    path = root / "inbox" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def notes(root: Path) -> list[str]:
    return sorted(path.name.partition("__")[0] for path in root.glob("outbox/**/*.WAITING.txt"))


def look(intake: Intake) -> None:
    intake.look(once=True)


def test_a_file_is_told_of_once_when_it_has_waited_too_long(tmp_path, clock, make, problems):
    intake = make(marker=".done")
    drop(tmp_path, "a.csv")
    look(intake)
    clock.advance(LATE - 1)
    look(intake)
    assert notes(tmp_path) == []
    with capture_logs() as logs:
        clock.advance(1)
        look(intake)
        clock.advance(3 * LATE)
        look(intake)
    assert notes(tmp_path) == ["a"]
    assert [entry["event"] for entry in logs].count("inbox.waiting") == 1
    (late,) = problems.late
    assert late.since == clock.now() - timedelta(seconds=4 * LATE)
    (tmp_path / "inbox" / "a.csv.done").touch()
    look(intake)
    assert notes(tmp_path) == []
    assert [claimed.source_file for claimed in intake.claim(9).drops] == ["a.csv"]


def test_a_wall_clock_that_jumps_makes_no_file_late_and_none_ready(tmp_path, clock, make, problems):
    intake = make(settle=2)
    drop(tmp_path, "a.csv")
    look(intake)
    clock.set_wall(clock.now() + timedelta(days=3650))
    look(intake)
    assert intake.ready == 0
    assert problems.late == ()
    clock.set_wall(clock.now() - timedelta(days=7300))
    clock.advance(2)
    look(intake)
    assert intake.ready == 1


def test_files_that_once_leaves_are_told_of_at_its_end_and_claimed_ones_no_more(
    tmp_path, clock, make
):
    drop(tmp_path, "a.csv")
    drop(tmp_path, "b.csv")
    intake = make(marker=".done")
    look(intake)
    assert [file.name for file in intake.left()] == ["a.csv", "b.csv"]
    assert notes(tmp_path) == ["a", "b"]
    (tmp_path / "inbox" / "a.csv.done").touch()
    later = make(marker=".done")
    look(later)
    assert len(later.claim(9).drops) == 1
    assert [file.name for file in later.left()] == ["b.csv"]
    assert notes(tmp_path) == ["b"]


def test_a_name_that_is_reused_all_day_is_not_late(tmp_path, clock, make, problems):
    intake = make(settle=2)
    for _ in range(5):
        drop(tmp_path, "status.csv")
        look(intake)
        assert problems.late == ()
        clock.advance(LATE / 2)
        look(intake)
        assert len(intake.claim(9).drops) == 1
    assert problems.late == ()


def test_two_files_of_one_stem_have_two_notes(tmp_path, clock, make):
    intake = make(marker=".done")
    for name in ("a.csv", "a.xlsx", "A.csv"):
        drop(tmp_path, name)
    drop(tmp_path, "a.csv", folder="acme")
    look(intake)
    clock.advance(LATE)
    look(intake)
    assert notes(tmp_path) == ["A", "a", "a", "a"]
    assert len(list((tmp_path / "outbox" / "acme").iterdir())) == 1


def test_with_too_little_space_nothing_is_claimed(tmp_path, make, ledger):
    drop(tmp_path, "a.csv")
    intake = make(min_free=shutil.disk_usage(tmp_path).free * 5 // 4 // 2**20)
    look(intake)
    with pytest.raises(StorageError, match="nearly full") as full:
        intake.claim(9)
    assert "inbox.min_free_mb" in full.value.hint
    assert (tmp_path / "inbox" / "a.csv").exists()
    assert ledger.recent(10) == []


def test_a_scan_that_fails_changes_nothing_and_is_no_good_scan(tmp_path, clock, make, problems):
    intake = make(marker=".done")
    drop(tmp_path, "a.csv")
    look(intake)
    clock.advance(LATE)
    look(intake)
    seen = problems.scanned_at
    (tmp_path / "inbox").rename(tmp_path / "away")
    clock.advance(5)
    intake.look(once=False)
    assert notes(tmp_path) == ["a"]
    assert [late.name for late in problems.late] == ["a.csv"]
    assert problems.scanned_at == seen
    assert "cannot be listed" in problems.now()["scan"]
    (tmp_path / "away").rename(tmp_path / "inbox")
    intake.look(once=False)
    intake.stop()
    assert problems.now()["scan"] == ""
    assert problems.scanned_at == stamp(clock.now())


def test_the_same_trouble_is_logged_once_and_its_end_too(clock, problems):
    with capture_logs() as logs:
        for _ in range(20):
            problems.report("storage", "full", event="service.storage_trouble")
            clock.advance(5)
        assert problems.now()["storage"] == "full"
        clock.advance(600)
        problems.report("storage", "full", event="service.storage_trouble")
        clock.advance(30)
        assert problems.now()["storage"] == ""
    told = [entry["event"] for entry in logs]
    assert told == [*["service.storage_trouble"] * 2, "service.trouble_over"]


def test_files_of_a_courier_that_dates_its_names_come_in_that_order(tmp_path, make):
    import os

    intake = make()
    for number, name in enumerate(("r_20261123_0930.csv", "other.csv", "r_20261122_2300.csv")):
        path = drop(tmp_path, name, folder="" if name == "other.csv" else "acme")
        os.utime(path, (100 + number, 100 + number))
    look(intake)
    claimed = [claimed.source_file for claimed in intake.claim(9).drops]
    assert claimed == ["r_20261122_2300.csv", "other.csv", "r_20261123_0930.csv"]
