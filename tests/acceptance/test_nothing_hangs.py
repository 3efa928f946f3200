"""What waits, waits for something that ends: a run comes to its end, a service can be stopped."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, rooted, sheet, until
from tests.postgres import PrivatePostgres

PICKED, DONE = "Picked Up", "Delivered"
SOON = 60.0
"""Seconds in which a command ends that has nothing to wait for, on a busy machine."""

_TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def drop_chain(root: Root) -> None:
    """Each shares an order with the one before it: A{1} ← B{1,2} ← C{2} ← D{2,3} ← E{3}."""
    root.drop("a.csv", sheet([("C1", PICKED)]))
    root.drop("b.csv", sheet([("C1", DONE), ("C2", PICKED)]))
    root.drop("c.csv", sheet([("C2", DONE)]))
    root.drop("d.csv", sheet([("C2", DONE), ("C3", PICKED)]))
    root.drop("e.csv", sheet([("C3", DONE)]))


CHAIN = {
    "a": {"accepted": 1},
    "b": {"accepted": 2},
    "c": {"accepted": 1},
    "d": {"accepted": 1, "duplicate": 1},
    "e": {"accepted": 1},
}


def states(root: Root) -> dict[str, str]:
    """File → the state of its drop, as its summary has it."""
    return {Path(d.summary["source_file"]).stem: d.summary["state"] for d in root.delivered()}


def counts(root: Root) -> dict[str, dict[str, int]]:
    return {Path(d.summary["source_file"]).stem: d.counts for d in root.delivered()}


def processor_seconds(command: Running) -> float:
    """Processor time that the process, without its children, has used so far."""
    fields = Path(f"/proc/{command.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def test_a_chain_of_drops_behind_an_outage_ends_a_single_run_and_is_sent_by_the_next(
    root: Root, api: SandboxHandle, nobody: str
) -> None:
    root.configure(api__max_attempts=1, api__base_url=nobody)
    drop_chain(root)
    assert root.start("run", "--once").wait(SOON).code == 5
    assert states(root) == dict.fromkeys("abcde", "open")
    root.configure(api__base_url=api.url)
    assert root.start("run", "--once").wait(SOON).code == 0
    assert counts(root) == CHAIN
    assert api.stats()["repeats"] == api.stats()["illegal"] == 0


def test_a_chain_of_drops_behind_an_outage_is_sent_by_the_same_service_when_it_is_over(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(status_all=503)
    root.configure(api__max_attempts=1, api__probe_seconds=0.3, inbox__scan_seconds=0.1)
    service = root.start("run")
    drop_chain(root)
    until(lambda: len(states(root)) == 5, what="five reports", seconds=SOON)
    seen = api.stats()["calls"]
    until(lambda: api.stats()["calls"] > seen, what="another try", seconds=SOON)
    api.set_faults(status_all=0)
    until(lambda: set(states(root).values()) == {"completed"}, what="the end", seconds=SOON)
    assert counts(root) == CHAIN
    assert service.end().code == 0
    assert api.stats()["repeats"] == api.stats()["illegal"] == 0


def test_files_of_two_couriers_with_one_order_are_sent_one_after_the_other(
    root: Root, api: SandboxHandle
) -> None:
    """Turns among couriers have the third file read before the second: it waits for it still."""
    for name, folder, status in (("1", "b", PICKED), ("2", "b", DONE), ("3", "a", DONE)):
        at = root.drop(f"{name}.csv", sheet([("T1", status)]), folder)
        os.utime(at, (time.time() - 9 + int(name), time.time() - 9 + int(name)))
    assert root.start("run", "--once").wait(SOON).code == 0
    assert counts(root) == {"1": {"accepted": 1}, "2": {"accepted": 1}, "3": {"duplicate": 1}}
    assert api.stats()["repeats"] == api.stats()["illegal"] == 0


def test_a_service_that_waits_behind_an_outage_rests_and_can_be_stopped(
    root: Root, nobody: str
) -> None:
    root.configure(api__max_attempts=1, api__base_url=nobody)
    service = root.start("run")
    drop_chain(root)
    until(lambda: len(states(root)) == 5, what="five reports", seconds=SOON)
    began, used = time.monotonic(), processor_seconds(service)
    time.sleep(4)  # what is measured is what happens while nothing happens
    share = (processor_seconds(service) - used) / (time.monotonic() - began)
    assert share < 0.02, "it sees to its inbox, and else it sleeps"
    service.send(signal.SIGTERM)
    assert service.wait(SOON).code == 0


def test_drops_of_another_root_that_are_open_keep_nobody_from_ending(
    root: Root, api: SandboxHandle, nobody: str, postgres: PrivatePostgres, tmp_path: Path
) -> None:
    url = postgres.database()
    root.configure(ledger__url=url, inbox__scan_seconds=0.1)
    with rooted(tmp_path / "other", nobody, api.token) as other:
        other.inbox.mkdir(parents=True)
        other.configure(ledger__url=url, api__max_attempts=1)
        other.drop("first.csv", sheet([("F1", PICKED)]))
        assert other.once().code == 5
        root.drop("second.csv", sheet([("F1", DONE), ("F2", PICKED)]))
        root.drop("third.csv", sheet([("F2", DONE)]))
        root.drop("free.csv", orders(3))
        ended = root.start("run", "--once").wait(SOON)
        assert ended.code == 5, ended.err
        assert other.of("first").id in ended.err
        assert root.of("free").counts == {"accepted": 3}
        service = root.start("run")
        until(lambda: b"service.watching" in service.err_path.read_bytes(), what="the service")
        service.send(signal.SIGTERM)
        assert service.wait(SOON).code == 0
        other.configure(api__base_url=api.url)
        assert other.once().code == 0
        assert root.start("run", "--once").wait(SOON).code == 0
    assert counts(root)["second"] == {"accepted": 2}
    assert counts(root)["third"] == {"accepted": 1}
    assert api.stats()["repeats"] == api.stats()["illegal"] == 0
