"""People, programs and kernels do things to the inbox, and the service copes."""

import hashlib
import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, until


def health(root: Root) -> dict[str, Any]:
    try:
        return json.loads((root.path / "state/health.json").read_bytes())
    except FileNotFoundError:
        return {}


def serve(root: Root, **settings: object) -> Running:
    root.configure(**({"inbox__scan_seconds": 0.1} | settings))
    (root.path / "inbox").mkdir(exist_ok=True)
    service = root.start("run", "--log-format", "json")
    until(lambda: health(root).get("scanned_at"), what="the first scan")
    return service


def notes(root: Root, stem: str) -> list[Path]:
    return list(root.outbox.rglob(f"{stem}__*.WAITING.txt"))


def without_powers() -> tuple[str, ...]:
    """Root whom permissions bind, as they bind anybody else."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (Debian: util-linux)")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


# -- never forever waiting --------------------------------------------------------------------


def test_a_file_that_never_settles_is_told_of_and_taken_when_it_does(root: Root) -> None:
    service = serve(root, inbox__settle_seconds=0.5, inbox__late_seconds=1)
    path = root.inbox / "busy.csv"
    path.write_text("Order ID,Status\n")
    enough = threading.Event()

    def write() -> None:
        with path.open("a") as file:
            while not enough.wait(0.01):
                file.write(f"N{file.tell()},Delivered\n")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (note,) = until(lambda: notes(root, "busy"), what="the note")
        text = note.read_text()
        # It reads health.json, which is written a little later than the note.
        (found,) = until(
            lambda: [x for x in root.run("doctor", "--json").json if "busy.csv" in x["found"]],
            what="the doctor's word",
        )
        why = root.run("why", "busy.csv").out
    finally:
        enough.set()
        writer.join()
    rows = path.read_text().count("Delivered")
    assert "keeps changing" in text
    assert "Nothing of it was read or sent" in text
    assert "keeps changing" in why
    assert not found["fine"]
    until(lambda: root.delivered(), what="its summary")
    until(lambda: not notes(root, "busy"), what="the note to go away")
    ran = service.end()
    assert ran.code == 0
    (line,) = [line for line in ran.logs if line["event"] == "inbox.waiting"]
    assert (line["file"], line["cause"]) == ("busy.csv", "unsettled")
    root.of("busy").assert_sound(rows)


def test_files_that_cannot_be_opened_or_moved_are_told_of_and_do_not_stop_the_others(
    root: Root,
) -> None:
    root.prefix = without_powers()
    path = root.drop("closed.csv", orders(1))
    path.chmod(0)
    stuck = root.drop("stuck.csv", orders(1, prefix="S"), folder="locked")
    stuck.parent.chmod(0o555)
    try:
        service = serve(root, inbox__late_seconds=0.3)
        root.drop("fine.csv", orders(1, prefix="F"))
        until(lambda: root.delivered(), what="the other one")
        (note,) = until(lambda: notes(root, "closed"), what="the note")
        assert "Permission denied" in note.read_text()
        assert "Permission denied" in root.run("why", "closed.csv").out
        doctor = root.run("doctor", "--json")
        assert [e["fine"] for e in doctor.json if "closed.csv" in e["found"]] == [False]
        (note,) = until(lambda: notes(root, "stuck"), what="the other note")
        assert "cannot be moved" in note.read_text()
        path.chmod(0o600)
        until(lambda: len(root.delivered()) == 2, what="its summary")
        until(lambda: not notes(root, "closed"), what="the note to go away")
        assert service.end().code == 0
        assert stuck.exists()
    finally:
        stuck.parent.chmod(0o755)


def test_a_note_outlives_a_restart_and_not_its_file(root: Root) -> None:
    root.drop("~$open.xlsx", b"somebody")
    root.drop("open.xlsx", b"not looked into while it is open")
    service = serve(root, inbox__late_seconds=0.3)
    (note,) = until(lambda: notes(root, "open"), what="the note")
    service.kill()
    service = serve(root, inbox__late_seconds=3600)
    assert note.exists()
    (root.inbox / "open.xlsx").unlink()
    until(lambda: not note.exists(), what="the note to go away")
    assert service.end().code == 0


def test_a_marker_with_another_size_or_hash_than_its_file_holds_it_back(root: Root) -> None:
    content = orders(3)
    root.drop("size.csv", content)
    root.drop("size.csv.done", f"{len(content) + 1}\n")
    root.drop("hash.csv", content)
    root.drop("hash.csv.done", hashlib.sha256(b"other").hexdigest() + "  hash.csv\n")
    root.drop("good.csv", content)
    good = {"size": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    root.drop("good.csv.done", json.dumps(good))
    service = serve(root, inbox__done_marker=".done", inbox__late_seconds=0.3)
    until(lambda: notes(root, "size") and notes(root, "hash"), what="both notes")
    assert f"says {len(content) + 1} bytes" in notes(root, "size")[0].read_text()
    assert "SHA256" in notes(root, "hash")[0].read_text()
    until(lambda: root.delivered(), what="the good one")
    (root.inbox / "size.csv.done").write_text(str(len(content)))
    until(lambda: len(root.delivered()) == 2, what="the one whose marker was mended")
    assert service.end().code == 0
    assert root.files("inbox") == ["hash.csv", "hash.csv.done"]


# -- the watcher fails --------------------------------------------------------------------------


def test_without_any_inotify_instance_files_are_found_by_scanning(root: Root) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (Debian: util-linux)")
    # The limit holds for a user namespace of the test's own: nobody else goes deaf by it.
    none = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    root.prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", none, "sh")
    service = serve(root)
    root.drop("a.csv", orders(1))
    until(lambda: root.delivered(), what="its summary")
    assert "scanned at intervals only" in health(root)["trouble"]["events"]
    ran = service.end()
    assert ran.code == 0
    assert sum(line["event"] == "inbox.no_events" for line in ran.logs) == 1


def test_events_that_the_kernel_dropped_cost_no_file(root: Root, api: SandboxHandle) -> None:
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    queue = int(limit.read_text())
    if queue > 100_000:
        pytest.skip(f"the kernel's event queue ({limit}) is too long to fill")
    service = serve(root)
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        # Two names in turn: the kernel folds equal events that follow each other into one.
        for number in range(queue // 2 + 100):
            (root.inbox / f".{number % 2}.tmp").touch()
            (root.inbox / f".{number % 2}.tmp").unlink()
        root.drop("a.csv", orders(2))
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    until(lambda: root.delivered(), what="its summary")
    root.drop("b.csv", orders(2, prefix="B"))
    until(lambda: len(root.delivered()) == 2, what="a later one")
    assert service.end().code == 0


def test_an_inbox_directory_that_was_swapped_is_looked_into(root: Root) -> None:
    service = serve(root)
    root.inbox.rename(root.path / "old")
    root.inbox.mkdir()
    root.drop("a.csv", orders(1))
    until(lambda: root.delivered(), what="its summary")
    (root.path / "old" / "late.csv").write_text(orders(1, prefix="L"))
    root.inbox.rmdir()
    until(lambda: "cannot be listed" in health(root)["trouble"]["scan"], what="the trouble")
    (root.path / "old").rename(root.inbox)
    until(lambda: len(root.delivered()) == 2, what="what lay in the old one")
    ran = service.end()
    assert ran.code == 0
    assert sum(line["event"] == "inbox.scan_failed" for line in ran.logs) == 1


def test_health_tells_when_the_inbox_was_last_seen_and_doctor_when_nobody_is_there(
    root: Root,
) -> None:
    service = serve(root)
    before = health(root)["scanned_at"]
    told = {each["subject"]: each for each in root.run("doctor", "--json").json}
    assert f"process {service.process.pid} " in told["service"]["found"]
    seen = told["service"]["found"].split(" at ")[-1][: len(before)]
    assert before <= seen <= health(root)["scanned_at"]
    assert service.end().code == 0
    assert health(root)["stopped_at"]
    told = {each["subject"]: each for each in root.run("doctor", "--json").json}
    assert told["service"]["found"] == "not running"


# -- names --------------------------------------------------------------------------------------


def test_names_that_are_no_text_are_read_as_windows_wrote_them(root: Root) -> None:
    (root.path / "inbox").mkdir()
    for number, name in enumerate((b"caf\xe9.csv", b"caf\xe8.csv", "दिल्ली\udc81.csv")):
        raw = name if isinstance(name, bytes) else os.fsencode(name)
        Path(os.fsdecode(os.fsencode(root.inbox) + b"/" + raw)).write_text(
            orders(1, prefix=f"N{number}")
        )
    assert root.once().code == 0
    names = {each.summary["source_file"] for each in root.delivered()}
    assert names == {"café.csv", "cafè.csv", "दिल्ली\x81.csv"}
    assert {Path(kept).name for kept in root.files("archive")} == names
    assert root.files("inbox") == root.files("work") == []


def test_names_that_differ_little_collide_nowhere(root: Root) -> None:
    for round_ in range(2):
        for number, name in enumerate(("a.csv", "A.CSV", "a.Csv", "a.xlsx.csv", "CON.csv", "a")):
            root.drop(name, orders(1, prefix=f"R{round_}N{number}"))
        assert root.once().code == 0
    found = root.delivered()
    assert len(found) == 12
    written = [path.name.casefold() for path in root.outbox.iterdir()]
    assert len(set(written)) == len(written) == 12 * 3
    assert len(root.files("archive")) == 12


def test_courier_folders_whose_names_are_no_text_are_told_of(root: Root) -> None:
    (root.path / "inbox").mkdir()
    for name in (b"caf\xff", b"\xffx"):
        folder = os.fsencode(root.inbox) + b"/" + name
        os.mkdir(folder)  # noqa: PTH102 - a name that is bytes
        Path(os.fsdecode(folder + b"/x.csv")).write_text(orders(1))
    ran = root.once()
    assert ran.code == 0
    told = [line for line in ran.logs if line["event"] == "inbox.left_alone"]
    assert len(told) == 2
    assert all("another name" in line["reason"] for line in told)


def test_permissions_taken_from_the_inbox_are_told_and_given_back_it_goes_on(root: Root) -> None:
    root.prefix = without_powers()
    service = serve(root)
    root.inbox.chmod(0)
    try:
        until(lambda: "Permission denied" in health(root)["trouble"]["scan"], what="the trouble")
    finally:
        root.inbox.chmod(0o755)
    root.drop("a.csv", orders(1))
    until(lambda: root.delivered(), what="its summary")
    assert service.end().code == 0
