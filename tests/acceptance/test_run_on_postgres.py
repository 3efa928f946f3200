"""`run` with its ledger in PostgreSQL: the same comes out, and one instance at a time."""

from pathlib import Path

import psycopg
import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.drops_compared import (
    drop_samples,
    histories,
    kinds_of,
    results_of,
    updates_of,
)
from tests.acceptance.harness import Root, orders, rooted, until
from tests.postgres import PrivatePostgres


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


def test_the_samples_come_out_as_with_an_embedded_ledger(
    root: Root, api: SandboxHandle, url: str, tmp_path: Path
) -> None:
    root.configure(ledger__url=url)
    with (
        running(SandboxConfig()) as other_api,
        rooted(tmp_path / "embedded", other_api.url, other_api.token) as embedded,
    ):
        embedded.inbox.mkdir(parents=True)
        count = drop_samples(embedded)
        assert drop_samples(root) == count
        codes = [each.once().code for each in (root, embedded)]
        assert codes[0] == codes[1]
        assert results_of(root) == results_of(embedded)
        assert kinds_of(root) == kinds_of(embedded)
        assert histories(api) == histories(other_api)
        assert updates_of(api) == updates_of(other_api)
    assert len(results_of(root)) > count / 2
    assert not (root.path / "state/ledger.db").exists()


def test_what_was_accepted_is_remembered_by_another_root_with_the_same_ledger(
    root: Root, api: SandboxHandle, url: str, tmp_path: Path
) -> None:
    root.configure(ledger__url=url)
    root.drop("a.csv", orders(45))
    assert root.once().code == 0
    with rooted(tmp_path / "other", api.url, api.token) as other:
        other.inbox.mkdir(parents=True)
        other.configure(ledger__url=url)
        other.drop("b.csv", orders(45))
        assert other.once().code == 0
        assert other.of("b").counts == {"duplicate": 45}
        (seen, again) = other.run("trace", "ORD000007", "--json").json
    assert (seen["outcome"], again["outcome"]) == ("accepted", "duplicate")
    assert api.stats()["accepted"] == 45


def test_one_run_per_ledger_though_the_roots_differ(
    root: Root, api: SandboxHandle, url: str, tmp_path: Path
) -> None:
    root.configure(ledger__url=url)
    first = root.start("run")
    until(lambda: b"service.watching" in first.err_path.read_bytes(), what="the first run")
    with rooted(tmp_path / "other", api.url, api.token) as other:
        other.inbox.mkdir(parents=True)
        other.configure(ledger__url=url)
        refused = other.once()
        assert refused.code == 75
        assert "ledger" in refused.err
        first.kill()
        assert other.once().code == 0


def test_killed_while_sending_nothing_is_lost_or_sent_twice(
    root: Root, api: SandboxHandle, url: str
) -> None:
    api.set_faults(latency_ms=500)  # until it is killed, long before the file's end
    root.configure(ledger__url=url, api__timeout_seconds=2)
    root.drop("big.csv", orders(400))
    first = root.start("run", "--once")
    until(lambda: api.stats()["calls"] >= 6, what="call 6")
    first.kill()
    assert api.stats()["accepted"] < 400
    api.set_faults(latency_ms=0)
    assert root.once().code == 0
    root.of("big").assert_sound(400)
    assert root.of("big").counts == {"accepted": 400}
    assert api.stats()["accepted"] == 400
    assert api.stats()["repeats"] == 0


def test_an_address_nobody_answers_at_is_told_in_one_line_without_the_password(root: Root) -> None:
    root.configure(ledger__url="postgresql://u:hush@127.0.0.1:1/none")
    ran = root.once()
    assert ran.code == 2
    assert "ledger cannot be read" in ran.err
    assert "hush" not in ran.err
    assert "Traceback" not in ran.err


def test_a_run_whose_ledger_another_has_taken_ends_with_what_supervisors_restart(
    root: Root, url: str
) -> None:
    root.configure(ledger__url=url)
    service = root.start("run")
    until(lambda: b"service.watching" in service.err_path.read_bytes(), what="the run")
    with psycopg.connect(url, autocommit=True) as other:
        holders = other.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchall()
        for (pid,) in holders:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        taken = "SELECT pg_try_advisory_lock(%s)"
        until(lambda: other.execute(taken, [0x5D1D0002]).fetchone() == (True,), what="the lock")
        assert service.wait().code == 75
