"""Disks that fill up, turn read-only or vanish: nothing is lost, nothing is sent twice."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.server import SandboxHandle
from pipeline.service.health_file import read_health_file
from tests.acceptance.harness import Root, Running, orders, until
from tests.acceptance.namespaces import Namespace, fill
from tests.scratch import elsewhere


def health(root: Root) -> dict[str, Any]:
    try:
        return json.loads((root.path / "state/health.json").read_bytes())
    except FileNotFoundError:
        return {}


def trouble(root: Root, where: str) -> str:
    return str(health(root).get("trouble", {}).get(where, ""))


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the root: a share to be mounted."""
    place = elsewhere(tmp_path)
    if place is None:
        pytest.skip("there is one file system only")
    folder = Path(tempfile.mkdtemp(dir=place))
    yield folder
    shutil.rmtree(folder)


def serve(root: Root) -> Running:
    service = root.start("run", "--log-format", "json")
    until(lambda: health(root).get("scanned_at"), what="the first scan")
    return service


def assert_sent_once(root: Root, api: SandboxHandle, stem: str, rows: int) -> None:
    root.of(stem).assert_sound(rows)
    assert root.of(stem).counts == {"accepted": rows}
    stats = api.stats()
    assert stats["accepted"] == stats["orders"] == rows
    assert stats["repeats"] == stats["duplicates"] == stats["refused"] == 0


def test_a_report_for_which_the_outbox_has_no_room_is_written_later_and_nothing_is_sent_again(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    mounts.tmpfs(root.outbox, "256k")
    outbox = mounts.inside(root.outbox)
    api.set_faults(latency_ms=1_000)
    root.configure(api__concurrency=1)
    service = serve(root)
    root.drop("a.csv", orders(100))
    until(lambda: api.stats()["calls"] >= 1, what="call 1")
    filler = fill(outbox)
    api.set_faults(latency_ms=0)
    until(lambda: api.stats()["accepted"] == 100, what="the last answer")
    until(lambda: "No space left" in trouble(root, "storage"), what="the full outbox in health")
    assert not list(outbox.glob("*.summary.json"))
    calls = api.stats()["calls"]
    filler.unlink()
    until(lambda: list(outbox.glob("*.summary.json")), what="the report")
    assert service.end().code == 0
    shutil.copytree(outbox, root.path / "seen")
    (summary,) = (root.path / "seen").glob("*.summary.json")
    assert json.loads(summary.read_bytes())["rows"]["accepted"] == 100
    stats = api.stats()
    assert (stats["calls"], stats["repeats"], stats["info_calls"]) == (calls, 0, 0)
    assert not list(outbox.glob(".*")), "no half files"


def test_a_ledger_whose_disk_is_full_stops_sending_and_goes_on_without_sending_twice(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    mounts.tmpfs(root.path / "state", "4m")
    state = mounts.inside(root.path / "state")
    api.set_faults(latency_ms=300)
    # "Not there yet" proves nothing before the old call has timed out: keep that wait short.
    root.configure(api__concurrency=2, api__timeout_seconds=1)
    service = root.start("run", "--log-format", "json")
    root.drop("a.csv", orders(400))
    until(lambda: api.stats()["calls"] >= 3, what="call 3")
    filler = fill(state)
    until(lambda: "ledger_failed" in service.err_path.read_text(), what="the failing ledger")
    # The health file is written over in its own place: no room is needed for that.
    until(
        lambda: (told := read_health_file(state)) and told.trouble["storage"],
        what="the full disk in health",
    )
    filler.unlink()
    api.set_faults(latency_ms=0)
    until(lambda: root.delivered() and root.of("a").summary["state"] == "completed", what="the end")
    ended = service.end()
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert_sent_once(root, api, "a", 400)


def test_a_read_only_outbox_gets_its_report_when_it_can_be_written_again(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    mounts.bind(root.outbox, root.outbox)
    api.set_faults(latency_ms=2_000)  # so long there is no report yet
    service = serve(root)
    root.drop("a.csv", orders(20))
    until(lambda: api.stats()["calls"] >= 1, what="the call")
    mounts.remount(root.outbox, "bind,ro")
    until(lambda: "Read-only" in trouble(root, "storage"), what="the read-only outbox in health")
    root.drop("b.csv", orders(20, prefix="B"))
    mounts.remount(root.outbox, "bind,rw")
    until(lambda: len(root.delivered()) == 2, what="both reports")
    assert service.end().code == 0
    assert api.stats()["calls"] == 2
    assert api.stats()["repeats"] == 0


def test_an_inbox_that_is_unmounted_is_not_read_as_empty_and_is_found_again(
    root: Root, api: SandboxHandle, mounts: Namespace, share: Path
) -> None:
    root.configure(inbox__settle_seconds=0.5, inbox__late_seconds=0.5)
    mounts.bind(share, root.inbox)
    # What waits is not taken for gone: the note about it stays.
    (share / "never.csv").write_bytes(b"")
    (share / "~$never.csv").write_bytes(b"")
    service = serve(root)
    until(lambda: list(root.outbox.glob("*.WAITING.txt")), what="the note")
    mounts.unmount(root.inbox)
    until(lambda: "not mounted any more" in trouble(root, "scan"), what="the trouble in health")
    seen = health(root)["scanned_at"]
    (share / "a.csv").write_text(orders(2))
    until(lambda: health(root)["at"] > seen, what="another beat")
    assert health(root)["scanned_at"] == seen
    assert list(root.outbox.glob("*.WAITING.txt"))
    mounts.bind(share, root.inbox)
    until(lambda: root.delivered(), what="its summary")
    until(lambda: trouble(root, "scan") == "", what="the end of the trouble")
    assert service.end().code == 0
    assert root.of("a").counts == {"accepted": 2}


def test_a_bound_folder_taken_away_and_brought_back_is_heard_again(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    share = root.path / "share"
    share.mkdir()
    mounts.bind(share, root.inbox)
    service = serve(root)
    mounts.unmount(root.inbox)
    until(lambda: not list(mounts.inside(root.inbox).iterdir()), what="the empty folder")
    (share / "a.csv").write_text(orders(1))
    mounts.bind(share, root.inbox)
    until(lambda: root.delivered(), what="its summary")
    (share / "b.csv").write_text(orders(1, prefix="B"))
    until(lambda: len(root.delivered()) == 2, what="the summary of a later one")
    assert service.end().code == 0


def test_nothing_is_written_below_an_outbox_that_is_not_mounted(
    root: Root, api: SandboxHandle, mounts: Namespace, share: Path
) -> None:
    mounts.bind(share, root.outbox)
    api.set_faults(latency_ms=2_000)  # so long there is no report yet
    service = serve(root)
    root.drop("a.csv", orders(20))
    until(lambda: api.stats()["calls"] >= 1, what="the call")
    mounts.unmount(root.outbox)
    until(lambda: "not mounted any more" in trouble(root, "storage"), what="the trouble")
    assert list(root.outbox.iterdir()) == []
    mounts.bind(share, root.outbox)
    until(lambda: list(share.glob("*.summary.json")), what="the summary on the share")
    assert service.end().code == 0
    assert api.stats()["calls"] == 1
    assert list(root.outbox.iterdir()) == []


def test_a_state_folder_that_cannot_be_written_stops_the_start_with_one_sentence(
    root: Root, mounts: Namespace
) -> None:
    mounts.bind(root.path / "state", root.path / "state")
    mounts.remount(root.path / "state", "bind,ro")
    root.drop("a.csv", orders(1))
    ran = root.once()
    assert ran.code == 2
    assert "Read-only file system" in ran.err
    assert "Traceback" not in ran.err
    assert root.files("inbox") == ["a.csv"]


def test_a_giant_without_room_waits_and_small_files_pass_it(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    mounts.tmpfs(root.path / "state", "24m")
    root.configure(inbox__min_free_mb=2)
    service = root.start("run", "--log-format", "json")
    root.drop("giant.csv", orders(1) + "G,Delivered\n" * 700_000)
    root.drop("small.csv", orders(2, prefix="S"))
    until(lambda: root.delivered(), what="the small one")
    # Long before it waits for long: the service knows it, and no scan of a command.
    until(lambda: "MiB of free disk" in root.run("why", "giant.csv").out, what="why to say so")
    assert "ready to be picked up" not in root.run("why", "giant.csv").out
    assert service.end().code == 0
    root.configure(inbox__late_seconds=0.2)
    service = root.start("run", "--log-format", "json")
    (note,) = until(lambda: list(root.outbox.glob("giant__*.WAITING.txt")), what="the note")
    assert "MiB of free disk" in note.read_text()
    assert service.end().code == 0
    assert root.files("inbox") == ["giant.csv"]
    assert root.of("small").counts == {"accepted": 2}


def test_doctor_says_of_a_disk_that_is_nearly_full_what_to_do(
    root: Root, mounts: Namespace
) -> None:
    for name in ("work", "archive", "quarantine"):
        (root.path / name).mkdir()
    mounts.tmpfs(root.outbox, "1m")
    told = {each["subject"]: each for each in root.run("doctor", "--json").json}
    assert not told["disk"]["fine"]
    assert "Make space" in told["disk"]["advice"]
    assert told["disk"]["found"] == "1 MiB free" or told["disk"]["found"] == "0 MiB free"
    assert told["folders"]["fine"]
    mounts.tmpfs(root.outbox, "30m")  # a small one that works
    root.configure(inbox__min_free_mb=1)
    told = {each["subject"]: each for each in root.run("doctor", "--json").json}
    assert told["disk"]["fine"]
    assert told["disk"]["found"] in {"29 MiB free", "30 MiB free"}
