"""Trouble at the start that passes: the service waits for its end, or systemd starts it again."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, until
from tests.acceptance.namespaces import Namespace, fill
from tests.acceptance.systemd import WORKER, Supervised
from tests.postgres import PrivatePostgres, missing, private_postgres

SOON = 30.0
"""Seconds after the trouble's end in which the service is at work."""


@pytest.fixture
def server() -> Iterator[PrivatePostgres]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    if why := missing():
        pytest.skip(why)
    with private_postgres() as made:
        yield made


def said(running: Running, words: str) -> bool:
    return words in running.err_path.read_text("utf-8")


def health(root: Root) -> dict[str, Any]:
    try:
        return json.loads((root.path / "state/health.json").read_bytes())
    except FileNotFoundError:
        return {}


@contextmanager
def in_trouble(
    root: Root, words: str, name: str = "systemd/shipdrop.service"
) -> Iterator[Supervised]:
    """Start the unit; the block ends the trouble. Then a file is through soon, and once."""
    root.drop("a.csv", orders(3))
    unit = Supervised(root, name)
    unit.until(lambda: said(unit.running, words), what=f"the service that says {words!r}")
    yield unit
    over = unit.now
    unit.until(lambda: list(root.outbox.glob("*.summary.json")), what="the file that waited")
    assert unit.now - over < SOON
    ran = unit.stop()
    assert ran.code == 0
    assert "Traceback" not in ran.err


def test_a_full_disk(root: Root, api: SandboxHandle, mounts: Namespace) -> None:
    mounts.tmpfs(root.path / "state", "1m")
    filler = fill(mounts.inside(root.path / "state"))
    with in_trouble(root, "full") as unit:
        filler.unlink()
    assert unit.ends == []
    assert api.stats()["accepted"] == 3


def test_a_read_only_outbox_is_told_by_doctor(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    (root.path / "work").mkdir()
    (root.path / "archive").mkdir()
    (root.path / "quarantine").mkdir()
    mounts.bind(root.outbox, root.outbox)
    mounts.remount(root.outbox, "bind,ro")
    with in_trouble(root, "service.waits"):
        until(lambda: health(root).get("trouble"), what="the trouble in health")
        found = {each["subject"]: each for each in root.run("doctor", "--json").json}
        assert not found["folders"]["fine"]
        mounts.remount(root.outbox, "bind,rw")
    assert not health(root)["trouble"]["storage"]
    assert api.stats()["accepted"] == 3


@pytest.mark.parametrize("folder", ["inbox", "outbox"])
def test_a_share_that_is_away(root: Root, api: SandboxHandle, tmp_path: Path, folder: str) -> None:
    """As an automounter leaves it: the name is there, and behind it nothing."""
    share = tmp_path / "share"
    (root.path / "here").symlink_to(share / folder)
    root.configure(**{f"{folder}__path": "here"})
    with in_trouble(root, "service.waits"):
        share.mkdir()
        if folder == "inbox":
            root.inbox.rename(share / folder)
        else:
            (share / folder).mkdir()
            root.outbox.symlink_to(share / folder)
    assert api.stats()["accepted"] == 3


def test_a_profile_that_lies_on_a_share_that_is_away(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    profile = tmp_path / "share/acme.toml"
    (root.path / "couriers").mkdir()
    (root.path / "couriers/acme.toml").symlink_to(profile)
    with in_trouble(root, "service.waits"):
        profile.parent.mkdir()
        profile.write_text('name = "acme"\n[statuses]\ndelivery_done = ["Done"]\n')
    assert api.stats()["accepted"] == 3


def test_an_archive_that_is_full_when_a_file_is_left_to_be_put_there(
    root: Root, api: SandboxHandle, mounts: Namespace
) -> None:
    archive = root.path / "archive"
    archive.mkdir()
    mounts.tmpfs(archive, "64k,nr_inodes=1")
    root.drop("old.csv", orders(2, prefix="OLD"))
    assert root.once().code == 0
    (left,) = (root.path / "work").rglob("old.csv")
    next(root.outbox.glob("*.summary.json")).unlink()
    with in_trouble(root, "storage_trouble"):
        mounts.remount(archive, "nr_inodes=100")
    assert not left.exists()
    assert api.stats()["accepted"] == 5


def test_postgresql_that_comes_up_later_and_what_waiting_costs(
    root: Root, api: SandboxHandle, server: PrivatePostgres
) -> None:
    root.configure(ledger__url=server.database())
    server.stop()
    with in_trouble(root, "service.waits") as unit:
        until(lambda: health(root).get("at"), what="its first word")
        process = psutil.Process(unit.running.process.pid)
        first, used = health(root)["at"], sum(process.cpu_times()[:2])
        until(lambda: health(root)["at"] > first, what="its next word")
        second = health(root)["at"]
        until(lambda: health(root)["at"] > second, what="the one after")
        assert sum(process.cpu_times()[:2]) - used < 0.06, "more than 1 % of a core"
        server.start()
    assert unit.ends == []
    assert api.stats()["accepted"] == 3


def test_a_worker_waits_for_postgresql(
    root: Root, api: SandboxHandle, server: PrivatePostgres
) -> None:
    root.configure(ledger__url=server.database(), inbox__scan_seconds=0.5)
    server.stop()
    with in_trouble(root, "worker.cannot_join", WORKER) as unit:
        server.start()
    assert unit.ends == []
    assert api.stats()["accepted"] == 3


@pytest.mark.parametrize(
    ("number", "code", "command"),
    [
        (signal.SIGINT, 130, "run"),
        (signal.SIGTERM, 0, "worker"),
        pytest.param(signal.SIGTERM, 0, "run", marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, 130, "worker", marks=pytest.mark.soak),
    ],
)
def test_who_waits_is_stopped_at_once(root: Root, number: int, code: int, command: str) -> None:
    root.configure(ledger__url="postgresql://u:hush@127.0.0.1:1/none")
    service = root.start(command)
    until(lambda: said(service, "service.waits") or said(service, "cannot_join"), what="waiting")
    service.send(number)
    ran = service.wait(5)
    assert ran.code == code
    assert "hush" not in ran.err
    assert "Traceback" not in ran.err


def test_another_run_that_holds_the_root_is_waited_for_by_systemd(
    root: Root, api: SandboxHandle
) -> None:
    other = root.start("run")
    until(lambda: health(root).get("scanned_at"), what="the other run")
    unit = Supervised(root)
    unit.until(lambda: len(unit.ends) >= 2, what="two tries")
    assert {ran.code for ran in unit.ends} == {75}
    assert other.end().code == 0
    over = unit.now
    root.drop("a.csv", orders(3))
    unit.until(lambda: root.delivered(), what="its summary")
    assert unit.now - over < SOON
    assert unit.stop().code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"inbox__setle_seconds": 3},
        {"api__base_url": "nowhere"},
        {"ledger__url": "mysql://here/ledger"},
        {"manifest__courier": "nobody"},
        {"api__token": ""},
    ],
    ids=str,
)
def test_what_no_waiting_mends_ends_it(root: Root, wrong: dict[str, object]) -> None:
    root.configure(**wrong)
    ran = root.run("run")
    assert ran.code == 2
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("what", ["retry", "cancel"])
def test_a_request_never_keeps_the_unit_from_starting(
    root: Root, api: SandboxHandle, what: str
) -> None:
    """A drop that takes long is retried while the unit is down; the unit is due meanwhile."""
    api.set_faults(status_all=401)
    root.configure(api__concurrency=1, api__timeout_seconds=5)
    root.drop("big.csv", orders(1_000, prefix="BIG"))
    assert root.once().code == 5
    api.reset()
    api.set_faults(status_all=0, latency_ms=400)
    asked = root.start(what, root.of("big").id)
    if what == "retry":
        until(lambda: api.stats()["calls"] >= 2, what="a call of the retry")
    unit = Supervised(root)
    root.drop("a.csv", orders(3))
    unit.until(lambda: asked.process.poll() is not None, what="the end of what was asked")
    ran, over = asked.wait(), unit.now
    assert ran.code == 0, ran.err
    if what == "retry":
        assert "noted" in ran.out
    api.set_faults(latency_ms=0)
    unit.until(lambda: root.delivered()[1:], what="the new file")
    assert unit.now - over < SOON
    done = {"retry": "completed", "cancel": "cancelled"}[what]
    unit.until(lambda: root.of("big").summary["state"] == done, what="what was asked for")
    assert unit.stop().code == 0
    if what == "retry":
        assert root.of("big").counts == {"accepted": 1_000}
        assert api.stats()["repeats"] == api.stats()["info_calls"] == 0
