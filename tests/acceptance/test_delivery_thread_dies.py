"""A service that cannot send any more does not go on as if: it ends with 1, to be started anew."""

from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.crew import crew_on
from tests.acceptance.harness import Ran, Root, Running, orders
from tests.forked import code_forked
from tests.postgres import PrivatePostgres

SOON = 60.0

#: The command with a bug in one method, which shows after so many calls of it.
_WITH_A_BUG = """
import sys
from importlib import import_module
module, name, method, after = [sys.argv.pop(1) for _ in range(4)]
owner = getattr(import_module(module), name)
sound, called = getattr(owner, method), []
def broken(self, *arguments, **named):
    called.append(1)
    if len(called) > int(after):
        raise RuntimeError("a bug that nobody foresaw")
    return sound(self, *arguments, **named)
setattr(owner, method, broken)
from pipeline.cli.app import main
main()
"""
LEASE = ("pipeline.delivery.dispatcher", "Dispatcher", "_next_chunks", "2")
HAND_BACK = ("pipeline.delivery.dispatcher", "Dispatcher", "_hand_back", "1")
CLIENT = ("pipeline.delivery.api.client", "KonnectApi", "__init__", "0")


def run_with_a_bug(root: Root, bug: tuple[str, ...], *arguments: str) -> Ran:
    out, err = root.path / ".out", root.path / ".err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = code_forked(
            _WITH_A_BUG,
            [*bug, *arguments],
            env=root.environment(),
            cwd=root.path,
            out=stdout.fileno(),
            err=stderr.fileno(),
        )
    return Running(process, out, err).wait(SOON)


@pytest.mark.parametrize(
    ("command", "bug"),
    [
        pytest.param(("run",), LEASE, id="marking"),
        pytest.param(("run", "--once"), HAND_BACK, id="handing back"),
        pytest.param(("run", "--once"), LEASE, marks=pytest.mark.soak),
        pytest.param(("run",), HAND_BACK, marks=pytest.mark.soak),
    ],
)
def test_a_bug_in_booking_ends_the_process_with_1_and_the_next_one_goes_on(
    root: Root, api: SandboxHandle, command: tuple[str, ...], bug: tuple[str, ...]
) -> None:
    root.configure(api__concurrency=2, api__timeout_seconds=1)
    root.drop("a.csv", orders(400))
    root.drop("b.csv", orders(3, prefix="B"))
    ended = run_with_a_bug(root, bug, *command)
    assert ended.code == 1, ended.err
    assert "a bug that nobody foresaw" in ended.err
    assert root.once().code == 0
    root.of("a").assert_sound(400)
    assert root.of("a").counts == {"accepted": 400}
    assert root.of("b").counts == {"accepted": 3}
    assert api.stats()["repeats"] == 0


@pytest.mark.parametrize(
    "command", [("run",), pytest.param(("run", "--once"), marks=pytest.mark.soak)]
)
def test_a_client_that_cannot_be_made_ends_the_process_with_1(
    root: Root, api: SandboxHandle, command: tuple[str, ...]
) -> None:
    root.drop("a.csv", orders(3))
    ended = run_with_a_bug(root, CLIENT, *command)
    assert ended.code == 1, ended.err
    assert "a bug that nobody foresaw" in ended.err
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 3}


def test_a_worker_that_cannot_send_any_more_leaves_and_ends_with_1(
    tmp_path: Path, api: SandboxHandle, postgres: PrivatePostgres
) -> None:
    with crew_on(tmp_path / "crew", api.url, api.token, postgres.database()) as crew:
        crew.root.configure(api__timeout_seconds=2)  # as long as what it had sent is in doubt
        crew.root.drop("a.csv", orders(400))
        ended = run_with_a_bug(crew.root, LEASE, "worker")
        assert ended.code == 1, ended.err
        assert "a bug that nobody foresaw" in ended.err
        assert crew.names() == set(), "the others need not wait until it has fallen silent"
        crew.start()
        crew.closed(1)
        assert crew.root.of("a").counts == {"accepted": 400}
    assert api.stats()["repeats"] == 0
