"""`ledger copy`: a root moves to PostgreSQL and still knows what it sent."""

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders
from tests.postgres import PrivatePostgres


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


def test_what_was_accepted_is_a_duplicate_afterwards_and_what_was_open_goes_on_but_only_once(
    root: Root, api: SandboxHandle, url: str
) -> None:
    root.drop("first.csv", orders(45))
    assert root.once().code == 0
    api.set_faults(status_all=503)
    root.configure(api__give_up_seconds=1)
    root.drop("second.csv", orders(30, prefix="NEW"))
    assert root.once().code == 5
    api.set_faults(status_all=0)
    copied = root.run("ledger", "copy", "--to", url, "--json")
    assert copied.code == 0
    counts = copied.json["copied"] | {"receipts": 0}
    assert {name: count for name, count in counts.items() if count} == {
        "drops": 2, "chunks": 5, "lines": 75,
    }  # fmt: skip
    again = root.run("ledger", "copy", "--to", url)
    assert again.code == 2, "it is not copied over"
    assert "holds drops already" in again.err
    root.configure(ledger__url=url)
    root.drop("again.csv", orders(45))
    assert root.once().code == 0
    assert root.of("again").counts == {"duplicate": 45}
    assert root.of("second").counts == {"accepted": 30}
    assert api.stats()["accepted"] == 75
    story = root.run("trace", "ORD000003", "--json").json
    assert [each["outcome"] for each in story] == ["accepted", "duplicate"]
    assert len(root.run("drops", "--json").json) == 3


def test_nothing_is_copied_while_the_root_runs(root: Root, url: str) -> None:
    running = root.start("run")
    try:
        while not (root.path / "state/lock.json").exists():
            assert running.process.poll() is None
        assert root.run("ledger", "copy", "--to", url).code == 75
    finally:
        running.kill()
