"""``ledger backup``, ``restore`` and ``check``: nothing is sent twice for a backup's sake."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, until


def test_a_backup_while_files_are_sent_is_whole_and_restored_sends_nothing_twice(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    root.drop("before.csv", orders(25, prefix="B"))
    assert root.once().code == 0
    api.set_faults(latency_ms=300)  # so that it is under way while the backup is made
    # What a killed run left in doubt is asked about when its calls can no longer be running.
    root.configure(api__concurrency=1, api__timeout_seconds=1)
    root.drop("under_way.csv", orders(1200, prefix="W"))
    service = root.start("run")
    until(lambda: api.stats()["calls"] > 4, what="calls")
    backup = tmp_path / "ledger.backup"
    made = root.run("ledger", "backup", backup, "--json")
    assert made.code == 0, made.err
    assert made.json == {**made.json, "drops": 2, "open": 1}
    api.set_faults(latency_ms=20)
    # Far beyond the calls that the ledger had marked as being sent when it was copied.
    until(lambda: api.stats()["calls"] > 45, what="calls after the backup")
    busy = root.run("ledger", "restore", backup)
    assert busy.code == 75, busy.err
    service.kill()
    api.set_faults(latency_ms=0)
    restored = root.run("ledger", "restore", backup, "--json")
    assert restored.code == 0, restored.err
    assert Path(restored.json["earlier"]).is_file()
    assert not list((root.path / "state").glob("ledger.db-*"))
    assert root.run("ledger", "check").code == 0
    assert root.once().code == 0
    assert root.of("under_way").counts == {"accepted": 1200}
    assert api.stats()["repeats"] == 0


def test_files_processed_since_the_backup_are_named(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    backup = tmp_path / "ledger.backup"
    root.drop("a.csv", orders(25, prefix="A"))
    assert root.once().code == 0
    assert root.run("ledger", "backup", backup).code == 0
    root.drop("b.csv", orders(25, prefix="B"))
    assert root.once().code == 0
    after = root.of("b").id
    restored = root.run("ledger", "restore", backup)
    assert restored.code == 0, restored.err
    assert "1 file was processed since" in restored.out
    (named,) = [line for line in restored.out.splitlines() if after in line]
    assert named.endswith("b.csv")
    assert root.of("a").id not in restored.out
    root.drop("a.csv", orders(25, prefix="A"))
    assert root.once().code == 0
    assert api.stats()["repeats"] == 0, "the restored ledger knows what it knew"


def test_a_drop_that_was_finished_after_the_backup_ends_by_itself_when_it_is_restored(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    backup = tmp_path / "ledger.backup"
    api.set_faults(latency_ms=200)
    root.configure(api__concurrency=1)
    root.drop("a.csv", orders(200, prefix="A"))
    service = root.start("run")
    until(lambda: api.stats()["calls"] > 3, what="calls")
    assert root.run("ledger", "backup", backup).code == 0
    until(lambda: [d for d in root.delivered() if d.summary["state"] == "completed"], what="end")
    assert service.end(signal.SIGTERM).code == 0
    calls = api.stats()["calls"]
    assert root.run("ledger", "restore", backup).code == 0
    again = root.once()
    assert again.code == 0, again.err
    assert root.of("a").summary["state"] == "completed"
    assert root.of("a").counts == {"accepted": 200}
    assert api.stats()["repeats"] == 0
    root.drop("again.csv", orders(200, prefix="A"))
    assert root.once().code == 0
    assert root.of("again").counts == {"duplicate": 200}
    assert api.stats()["calls"] == calls, "the restored ledger knows what was sent since"
    story = root.run("trace", "A000007", "--json").json
    assert [each["outcome"] for each in story] == ["accepted", "duplicate"]


@pytest.mark.parametrize("since", ["nothing", "all"])
def test_rows_that_wait_behind_an_outage_go_once_after_a_restore(
    root: Root, api: SandboxHandle, tmp_path: Path, since: str
) -> None:
    """Wait with two files for the API, and with the second for the first: they share orders.

    ``since``: what was sent between the backup and the restore.
    """
    backup = tmp_path / "ledger.backup"
    api.set_faults(status_all=503)
    root.configure(api__timeout_seconds=1, api__max_attempts=2)
    root.drop("first.csv", orders(60))
    assert root.once().code == 5
    root.drop("second.csv", orders(80))
    assert root.once().code == 5
    with closing(sqlite3.connect(root.path / "state/ledger.db")) as ledger:
        states = {row[0] for row in ledger.execute("SELECT state FROM chunks")}
    assert "waiting" in states
    assert root.run("ledger", "backup", backup).code == 0
    api.set_faults(status_all=0)
    if since == "all":
        assert root.once().code == 0
        assert api.stats()["accepted"] == 80
    assert root.run("ledger", "restore", backup).code == 0
    ran = root.once()
    assert ran.code == 0, ran.err
    assert root.of("first").counts == {"accepted": 60}
    assert root.of("second").counts == {"accepted": 20, "duplicate": 60}
    assert root.of("second").summary["state"] == "completed"
    assert (api.stats()["accepted"], api.stats()["repeats"]) == (80, 0)


def test_a_restore_that_was_sent_on_for_a_while_asks_about_what_waited(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    """Between backup and restore a run sent part of both files, and was killed."""
    backup = tmp_path / "ledger.backup"
    api.set_faults(status_all=503)
    root.configure(api__timeout_seconds=1, api__max_attempts=2, api__concurrency=1)
    root.drop("first.csv", orders(400))
    assert root.once().code == 5
    root.drop("second.csv", orders(500))
    assert root.once().code == 5
    assert root.run("ledger", "backup", backup).code == 0
    api.set_faults(status_all=0, latency_ms=60)
    service = root.start("run")
    until(lambda: api.stats()["accepted"] >= 120, what="part of it sent")
    service.kill()
    api.set_faults(latency_ms=0)
    assert root.run("ledger", "restore", backup).code == 0
    assert root.once().code == 0
    assert root.of("first").counts == {"accepted": 400}
    assert root.of("second").counts == {"accepted": 100, "duplicate": 400}
    assert (api.stats()["accepted"], api.stats()["repeats"]) == (500, 0)


def test_what_is_no_sound_ledger_is_not_restored(root: Root, tmp_path: Path) -> None:
    root.drop("a.csv", orders(500))
    assert root.once().code == 0
    sound, damaged, other = (tmp_path / name for name in ("sound", "damaged", "other"))
    assert root.run("ledger", "backup", sound).code == 0
    content = bytearray(sound.read_bytes())
    content[4096:12288] = b"\x17" * 8192
    damaged.write_bytes(content)
    sqlite3.connect(other).execute("CREATE TABLE x (y)").connection.commit()
    (tmp_path / "text").write_text("hello")
    for name in ("damaged", "other", "text", "missing"):
        ran = root.run("ledger", "restore", tmp_path / name)
        assert ran.code == 2, ran.err
        assert name in ran.err
        assert "Traceback" not in ran.err
        assert root.run("ledger", "check", tmp_path / name).code == 2
    assert json.loads(root.run("drops", "--json").out)[0]["state"] == "completed"


def test_a_damaged_ledger_takes_no_place_of_an_earlier_backup(root: Root, tmp_path: Path) -> None:
    root.drop("a.csv", orders(500))
    assert root.once().code == 0
    kept, ledger = tmp_path / "kept", root.path / "state/ledger.db"
    assert root.run("ledger", "backup", kept).code == 0
    before, content = kept.read_bytes(), bytearray(ledger.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 8192] = b"\x17" * 8192
    ledger.write_bytes(content)
    assert root.run("ledger", "backup", kept).code == 2
    assert kept.read_bytes() == before


def test_a_backup_never_replaces_the_ledger_nor_is_half_written(root: Root, tmp_path: Path) -> None:
    assert root.run("ledger", "backup", root.path / "state/ledger.db").code == 2
    assert root.run("ledger", "backup", tmp_path / "nowhere" / "x").code == 2
    assert root.run("ledger", "backup", tmp_path).code == 2
    (tmp_path / "notes.txt").write_text("not a ledger")
    assert root.run("ledger", "backup", tmp_path / "notes.txt").code == 2
    assert (tmp_path / "notes.txt").read_text() == "not a ledger"
    assert not list(tmp_path.glob(".*.part"))
