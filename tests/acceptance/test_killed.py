"""kill -9 at any moment and start again: every row in one line, nothing applied twice."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, orders, rooted, sheet, until

ROWS = 400


@pytest.fixture
def api() -> Iterator[SandboxHandle]:
    with running(SandboxConfig(faults=Faults(latency_ms=40, jitter_ms=40))) as handle:
        yield handle


@pytest.fixture
def root(tmp_path: Path, api: SandboxHandle) -> Iterator[Root]:
    with rooted(tmp_path, api.url, api.token) as made:
        # "Not yet" proves nothing before the old call has timed out: keep that wait short.
        made.configure(api__timeout_seconds=2)
        yield made


def assert_all_accepted_once(root: Root, api: SandboxHandle, rows: int) -> None:
    found = root.of("big")
    found.assert_sound(rows)
    assert set(found.counts) <= {"accepted", "ignored"}
    assert found.summary["state"] == "completed"
    stats = api.stats()
    assert stats["accepted"] == found.counts["accepted"] == stats["orders"]
    assert stats["repeats"] == stats["duplicates"] == stats["refused"] == 0
    assert root.files("inbox") == root.files("work") == []
    (kept,) = root.files("archive")
    assert Path(kept).name == "big.csv"
    assert found.path("received.json").is_file()
    assert not [p for p in root.outbox.rglob("*") if p.name.startswith(".")]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_killed_while_sending(root: Root, api: SandboxHandle, seed: int) -> None:
    api.set_faults(latency_ms=500)  # until it is killed, long before the file's end
    root.drop("big.csv", orders(ROWS))
    running_ = root.start("run", "--once")
    after = random.Random(seed).randrange(1, ROWS // 20)
    until(lambda: api.stats()["calls"] >= after, what=f"call {after}")
    running_.kill()
    assert api.stats()["accepted"] < ROWS
    api.set_faults(latency_ms=40)
    ran = root.once()
    assert ran.code == 0
    assert_all_accepted_once(root, api, ROWS)
    assert any(line["event"] == "drop.in_doubt" and line["calls"] > 0 for line in ran.logs)


def test_what_a_killed_run_had_sent_is_not_told_as_never_sent(
    root: Root, api: SandboxHandle
) -> None:
    """The API takes the calls and does not answer: each is asked about afterwards."""
    api.set_faults(stall_rate=1.0, stall_seconds=60)
    root.drop("big.csv", orders(40))
    running_ = root.start("run", "--once")
    until(lambda: api.stats()["accepted"] == 40, what="both calls taken")
    running_.kill()
    (story,) = root.run("trace", "ORD000000", "--json").json
    assert story["outcome"] == "unknown", "nobody may say that it was not sent"
    api.set_faults(stall_rate=0.0)
    assert root.once().code == 0
    assert_all_accepted_once(root, api, 40)
    lines = root.of("big").lines()
    assert {line["codes"] for line in lines} == {"RECONCILED"}
    (story,) = root.run("trace", lines[0]["order_id"], "--json").json
    assert "nothing was sent for this row" not in story["story"]
    assert any("asked: 200" in line for line in story["story"])


def test_killed_twice_while_sending(root: Root, api: SandboxHandle) -> None:
    root.drop("big.csv", orders(ROWS))
    for after in (3, 9):
        running_ = root.start("run", "--once")
        until(lambda after=after: api.stats()["calls"] >= after, what=f"call {after}")
        running_.kill()
    assert root.once().code == 0
    assert_all_accepted_once(root, api, ROWS)


def test_without_asking_only_what_was_in_flight_is_sent_again(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__reconcile="false", api__concurrency=2)
    root.drop("big.csv", orders(ROWS))
    running_ = root.start("run", "--once")
    until(lambda: api.stats()["calls"] >= 8, what="call 8")
    running_.kill()
    root.once()
    found = root.of("big")
    found.assert_sound(ROWS)
    assert set(found.counts) <= {"accepted", "unknown"}
    stats = api.stats()
    assert stats["info_calls"] == 0
    # What the API had and our books had not: never sent blindly as if it were new, never failed.
    assert stats["repeats"] == found.counts.get("unknown", 0) < ROWS // 2
    assert stats["accepted"] == ROWS


def exists(pattern: str) -> Callable[[Root], bool]:
    """True as soon as something below the root has such a path."""
    return lambda root: next(root.path.glob(pattern), None) is not None


def claimed_away(root: Root) -> bool:
    return not os.path.lexists(root.inbox / "big.csv")


MOMENTS = {
    "the file left the inbox": claimed_away,
    "the receipt is there": exists("outbox/*.received.json"),
    "its rows are being read": exists("state/drops/*/rows-*.arrow"),
    "the bodies are written": exists("state/drops/*/bodies.json"),
    "results are being written": exists("outbox/.*.results.csv.tmp"),
    "results are there": exists("outbox/*.results.csv"),
    "the summary is there": exists("outbox/*.summary.json"),
    "the archive has it": exists("archive/*/*/*/*/big.csv"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_as_soon_as(root: Root, api: SandboxHandle, moment: str) -> None:
    api.set_faults(latency_ms=0, jitter_ms=0)
    scans = sheet([f"S{number:06}", "In Transit"] for number in range(20_000))
    root.drop("big.csv", scans + orders(60).partition("\n")[2])
    running_ = root.start("run", "--once")
    until(lambda: MOMENTS[moment](root) or running_.process.poll() is not None, what=moment)
    running_.kill()
    assert root.once().code == 0
    assert_all_accepted_once(root, api, 20_060)


def test_a_stale_lock_and_a_lost_claim_hinder_nobody(root: Root, api: SandboxHandle) -> None:
    running_ = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    running_.kill()
    assert (root.path / "state/lock.json").exists()
    root.drop("big.csv", orders(2))
    assert root.once().code == 0
    assert_all_accepted_once(root, api, 2)
