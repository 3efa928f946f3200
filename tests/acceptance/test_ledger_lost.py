"""A ledger that is gone, or damaged: nothing is sent before a person has restored it."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Ran, Root, orders, until
from tests.postgres import PrivatePostgres

STATE = ("ledger.db", "ledger.db-wal", "ledger.db-shm")


def vanish(root: Root) -> None:
    for name in STATE:
        (root.path / "state" / name).unlink(missing_ok=True)


def empty(root: Root) -> None:
    vanish(root)
    (root.path / "state/ledger.db").touch()


def anew(root: Root) -> None:
    """As another Shipdrop, or a page, would have made it."""
    vanish(root)
    assert root.run("drops").code == 0


def with_past(root: Root) -> None:
    """A root in which one file was sent, one was refused, and a third is dropped again."""
    root.drop("a.csv", orders(25))
    root.drop("bad.csv", "a,b\n1,2\n")
    assert root.once().code == 4
    root.drop("again.csv", orders(25))


def keep_only(root: Root, folder: str) -> None:
    """Remove all signs of the past but this folder."""
    for each in ("outbox", "archive", "quarantine", "work", "state/drops"):
        if each != folder:
            shutil.rmtree(root.path / each, ignore_errors=True)


def assert_refused(ran: Ran, api: SandboxHandle, calls: int) -> None:
    assert ran.code == 2, ran.err
    assert "knows no drop" in ran.err
    assert "backup" in ran.err
    assert "Traceback" not in ran.err
    assert api.stats()["calls"] == calls


@pytest.mark.parametrize("lose", [vanish, empty, anew], ids=lambda each: each.__name__)
def test_a_root_whose_ledger_is_lost_sends_nothing_until_it_is_restored(
    root: Root, api: SandboxHandle, tmp_path: Path, lose: Callable[[Root], None]
) -> None:
    with_past(root)
    backup = tmp_path / "backup.db"
    with sqlite3.connect(root.path / "state/ledger.db") as source:
        source.backup(sqlite3.connect(backup))
    calls = api.stats()["calls"]
    lose(root)
    assert_refused(root.once(), api, calls)
    assert_refused(root.run("run"), api, calls)
    (found,) = (each for each in root.run("doctor", "--json").json if each["subject"] == "ledger")
    assert not found["fine"]
    assert "backup" in found["advice"]
    assert root.files("inbox") == ["again.csv"]
    vanish(root)
    shutil.copy(backup, root.path / "state/ledger.db")
    assert root.once().code == 0
    assert root.of("again").counts == {"duplicate": 25}
    assert api.stats()["calls"] == calls


def test_each_folder_shows_a_past_by_itself(root: Root, api: SandboxHandle, tmp_path: Path) -> None:
    with_past(root)
    calls = api.stats()["calls"]
    vanish(root)
    for number, folder in enumerate(("outbox", "archive", "quarantine", "state/drops")):
        copy = Root(shutil.copytree(root.path, tmp_path / str(number)), dict(root.env))
        keep_only(copy, folder)
        assert_refused(copy.once(), api, calls)


def test_a_file_in_work_shows_one(root: Root, api: SandboxHandle) -> None:
    api.set_faults(status_all=401)
    root.drop("a.csv", orders(25))
    assert root.once().code == 5
    assert len(root.files("work")) == 1
    calls = api.stats()["calls"]
    vanish(root)
    keep_only(root, "work")
    assert_refused(root.once(), api, calls)


def test_a_new_ledger_is_begun_on_purpose(root: Root, api: SandboxHandle) -> None:
    assert root.run("ledger", "new").code == 2, "nothing is lost"
    with_past(root)
    refused = root.run("ledger", "new")
    assert refused.code == 2
    assert "not lost" in refused.err
    vanish(root)
    assert root.once().code == 2
    ran = root.run("ledger", "new")
    assert ran.code == 0
    assert root.run("doctor").code == 0
    assert root.once().code == 0, "they are sent once more, and are there already"
    assert root.of("again").counts == {"duplicate": 25}


def test_a_root_without_a_past_is_begun_without_a_word(root: Root, api: SandboxHandle) -> None:
    """Also where what others left lies about, and where a first file went back to its sender."""
    assert root.run("init", root.path).code == 0
    (root.outbox / "acme").mkdir()
    (root.outbox / "acme/read me.txt").write_text("hello")
    (root.outbox / "a__w0123abcd.WAITING.txt").write_text("waits")
    (root.outbox / "a__d20261123t144141123k7qz.received.json").write_text("{}")
    (root.path / "archive/2026/11/23").mkdir(parents=True)
    (root.path / "state/drops/d20261123t144141123k7qz").mkdir(parents=True)
    (root.path / "work/d20261123t144141123k7qz").mkdir()
    (root.path / "a.csv").write_text(orders(2))
    assert root.run("check", "a.csv", "--out", root.outbox).code == 0
    assert root.run("doctor").code == 0
    assert root.once().code == 0
    root.drop("a.csv", orders(2))
    assert root.once().code == 0


def test_a_new_database_beside_an_old_root_is_filled_by_a_copy(
    root: Root, api: SandboxHandle, postgres: PrivatePostgres
) -> None:
    with_past(root)
    calls = api.stats()["calls"]
    url = postgres.database()
    old = dict(root.env)
    root.configure(ledger__url=url)
    ran = root.once()
    assert_refused(ran, api, calls)
    assert "ledger copy" in ran.err
    worker = root.run("worker")
    assert_refused(worker, api, calls)
    root.env = old
    assert root.run("ledger", "copy", "--to", url).code == 0
    root.configure(ledger__url=url)
    assert root.once().code == 0
    assert root.of("again").counts == {"duplicate": 25}


def test_two_roots_with_one_ledger_and_one_outbox_do_not_take_each_other_for_the_past(
    root: Root, api: SandboxHandle, postgres: PrivatePostgres, tmp_path: Path
) -> None:
    root.configure(ledger__url=postgres.database(), outbox__path=tmp_path / "share")
    root.drop("a.csv", orders(3))
    assert root.once().code == 0
    other = Root(tmp_path / "other", dict(root.env))
    other.path.mkdir()
    other.inbox.mkdir()
    other.drop("b.csv", orders(3))
    assert other.once().code == 0
    assert api.stats()["calls"] == 1


def scribble(root: Root) -> None:
    """Every page but the first of the ledger is noise, as a bad disk leaves it."""
    with (root.path / "state/ledger.db").open("r+b") as file:
        size = file.seek(0, 2)
        for start in range(4096, size, 4096):
            file.seek(start)
            file.write(b"\xa5" * 64)


def scribble_over_calls(root: Root) -> None:
    """One page that nobody looks at for as long as there is nothing to send is noise."""
    path = root.path / "state/ledger.db"
    with sqlite3.connect(path) as ledger:
        (page,) = ledger.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'receipts'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 64)


@pytest.mark.parametrize("damage", [scribble, scribble_over_calls])
def test_a_damaged_ledger_is_found_at_the_start_after_a_crash(
    root: Root, api: SandboxHandle, damage: Callable[[Root], None]
) -> None:
    with_past(root)
    calls = api.stats()["calls"]
    service = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the run")
    until(lambda: len(root.delivered()) == 3, what="its work")
    service.kill()
    assert root.run("ledger", "copy", "--to", "sqlite:///state/other.db").code == 0
    with sqlite3.connect(root.path / "state/ledger.db") as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    service = root.start("run")
    until(lambda: (root.path / "state/health.json").exists(), what="the run")
    until(lambda: b"watching" in service.err_path.read_bytes(), what="at work")
    service.kill()
    damage(root)
    for command in (["run", "--once"], ["run"]):  # the second would go on for ever
        ran = root.run(*command)
        assert ran.code == 2
        assert "damaged" in ran.err
        assert "backup" in ran.err
        assert "Traceback" not in ran.err
    (found,) = (each for each in root.run("doctor", "--json").json if each["subject"] == "ledger")
    assert not found["fine"]
    assert "backup" in found["advice"]
    assert api.stats()["calls"] == calls


def test_a_file_that_is_no_ledger_names_the_backup(root: Root, api: SandboxHandle) -> None:
    with_past(root)
    vanish(root)
    (root.path / "state/ledger.db").write_bytes(b"this is not a database, but long enough" * 300)
    for ran in (root.once(), root.run("run"), root.run("drops")):
        assert ran.code == 2
        assert "not a database" in ran.err
        assert "backup" in ran.err


def test_a_ledger_of_a_newer_shipdrop_ends_a_service(root: Root) -> None:
    root.inbox.mkdir()
    assert root.once().code == 0
    with sqlite3.connect(root.path / "state/ledger.db") as ledger:
        ledger.execute("INSERT INTO schema_version VALUES (99)")
    ran = root.run("run")
    assert ran.code == 2
    assert "newer Shipdrop" in ran.err


def test_a_new_ledger_names_the_files_that_nobody_takes_up(root: Root, api: SandboxHandle) -> None:
    root.configure(api__max_attempts=1)
    api.set_faults(status_all=503)
    root.drop("a.csv", orders(3))
    assert root.once().code == 5
    (left,) = (root.path / "work").iterdir()
    for path in (root.path / "state").glob("ledger.db*"):
        path.unlink()
    assert root.run("ledger", "new", "--json").json == {"begun": True, "left": [str(left)]}
