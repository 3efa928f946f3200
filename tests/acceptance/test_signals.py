"""Ending in good order, and one run per root."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, orders, rooted, until


@pytest.fixture
def api() -> Iterator[SandboxHandle]:
    with running(SandboxConfig(faults=Faults(latency_ms=300))) as handle:
        yield handle


@pytest.fixture
def root(tmp_path: Path, api: SandboxHandle) -> Iterator[Root]:
    with rooted(tmp_path, api.url, api.token) as made:
        made.configure(api__concurrency=2)
        yield made


@pytest.mark.parametrize(
    ("number", "arguments", "code"),
    [
        (signal.SIGTERM, ["run"], 0),
        (signal.SIGINT, ["run"], 130),
        (signal.SIGINT, ["run", "--once"], 130),
    ],
)
def test_what_is_out_is_answered_and_the_next_start_goes_on(
    root: Root, api: SandboxHandle, number: int, arguments: list[str], code: int
) -> None:
    root.drop("a.csv", orders(400))
    service = root.start(*arguments)
    until(lambda: api.stats()["calls"] >= 3, what="call 3")
    ran = service.end(number)
    assert ran.code == code
    assert "Traceback" not in ran.err
    stopped = root.of("a")
    stopped.assert_sound(400)
    assert stopped.summary["state"] == "open"
    stats = api.stats()
    assert stats["status_codes"] == {"200": stats["calls"]}, "each call was heard to its end"
    assert stopped.counts["accepted"] == stats["accepted"]
    assert stopped.counts["unsent"] == 400 - stats["accepted"] > 0

    api.set_faults(latency_ms=0)
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 400}
    assert api.stats()["info_calls"] == 0, "nothing was in doubt"
    assert api.stats()["repeats"] == 0


def test_a_call_that_hangs_is_waited_for_no_longer_than_its_timeout_and_is_in_doubt(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(latency_ms=0, stall_rate=1.0, stall_seconds=60)
    root.configure(api__timeout_seconds=1)
    root.drop("a.csv", orders(3))
    service = root.start("run")
    until(lambda: api.stats()["calls"] >= 1, what="a call")
    ran = service.end()
    assert ran.code == 0
    assert "Traceback" not in ran.err
    stopped = root.of("a")
    stopped.assert_sound(3)
    assert stopped.summary["state"] == "open"
    assert stopped.counts == {"unknown": 3}, "nobody says that it was not sent"
    api.set_faults(stall_rate=0.0)
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 3}
    assert api.stats()["repeats"] == 0


def test_a_long_pause_does_not_keep_it_from_ending(root: Root, api: SandboxHandle) -> None:
    api.set_faults(latency_ms=0, limit_per_second=0.01, limit_burst=1)
    root.drop("a.csv", orders(60))
    service = root.start("run")
    until(lambda: "429" in api.stats()["status_codes"], what="a call too many")
    ran = service.end()
    assert ran.code == 0
    assert root.of("a").counts == {"accepted": 20, "unsent": 40}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_second_signal_ends_it_at_once_and_loses_nothing(
    root: Root, api: SandboxHandle, number: int, code: int
) -> None:
    api.set_faults(latency_ms=20_000)
    root.configure(api__timeout_seconds=60)
    root.drop("a.csv", orders(3))
    service = root.start("run")
    until(lambda: api.stats()["calls"] >= 1, what="a call")
    service.send(number)
    until(lambda: b"stopping" in service.err_path.read_bytes(), what="that it is stopping")
    service.send(number)
    assert service.wait().code == code

    api.reset()
    api.set_faults(latency_ms=0)
    root.configure(api__timeout_seconds=1)
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 3}


def test_a_second_run_names_who_holds_the_root(root: Root) -> None:
    service = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    ran = root.once()
    assert ran.code == 75
    assert f"process {service.process.pid}" in ran.err
    assert service.end().code == 0
    assert root.once().code == 0
