"""Uploads that pause: whoever has a file open for writing is waited for; every row goes once."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, until

SETTLE = 0.3
HALF, REST = 40, 60
"""Rows that are written before the pause, and after it."""


NOBODY = 65534


def serve(root: Root, *, may_ask: bool = True) -> Running:
    """A service that may ask the kernel who has a file of another user open, or may not."""
    if not may_ask:
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("needs root and setpriv (Debian: util-linux)")
        root.prefix = ("setpriv", "--bounding-set=-lease", "--inh-caps=-lease")
    running = root.start("run", "--log-format", "json")
    until(lambda: (root.path / "state/health.json").exists(), what="a service that listens")
    return running


@contextmanager
def written_by_another(path: Path) -> Iterator[IO[str]]:
    """A file of another user's, open for writing."""
    with path.open("w") as file:
        if os.geteuid() == 0:
            os.chown(file.fileno(), NOBODY, NOBODY)
        yield file


@pytest.fixture(autouse=True)
def _quick(root: Root) -> None:
    root.inbox.mkdir()
    root.configure(inbox__settle_seconds=SETTLE, inbox__scan_seconds=0.1)


def halves() -> tuple[str, str]:
    """A manifest, cut in the middle of a row."""
    content = orders(HALF + REST)
    cut = content.index(f"ORD{HALF:06}") + 5
    return content[:cut], content[cut:]


def passed_by(root: Root, name: str) -> None:
    """Wait until a file that came now is through: by then any other would have been taken."""
    root.drop(f"{name}.csv", orders(1, prefix=name.upper()))
    until(
        lambda: any(name == Path(d.summary["source_file"]).stem for d in root.delivered()),
        what="a file that came later",
    )


def assert_each_row_went_once(root: Root, api: SandboxHandle, *, besides: int) -> None:
    stats = api.stats()
    assert stats["accepted"] == HALF + REST + besides
    assert stats["repeats"] == stats["duplicates"] == stats["refused"] == 0
    assert root.files("inbox") == root.files("work") == []


@pytest.mark.parametrize("may_ask", [True, False], ids=["by lease", "by events"])
def test_a_file_is_not_taken_while_somebody_has_it_open_for_writing(
    root: Root, api: SandboxHandle, may_ask: bool
) -> None:
    first, second = halves()
    service = serve(root, may_ask=may_ask)
    with written_by_another(root.inbox / "day.csv") as file:
        file.write(first)
        file.flush()
        passed_by(root, "early")
        file.write(second)
        file.flush()
        passed_by(root, "later")
        assert [d.summary["source_file"] for d in root.delivered()] == ["early.csv", "later.csv"]
        assert not list(root.outbox.glob("day__*"))
    until(lambda: len(root.delivered()) == 3, what="its summary")
    assert service.end().code == 0
    root.of("day").assert_sound(HALF + REST)
    assert root.of("day").counts == {"accepted": HALF + REST}
    assert_each_row_went_once(root, api, besides=2)


def test_a_file_that_is_held_open_is_told_of_and_never_taken(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(inbox__late_seconds=1)
    service = serve(root)
    path = root.inbox / "day.csv"
    with path.open("w") as file:
        file.write(orders(HALF + REST))
        file.flush()
        (note,) = until(lambda: list(root.outbox.glob("day__*.WAITING.txt")), what="the note")
        text = note.read_text()
        why = root.run("why", "day.csv").out
        told = until(
            lambda: [x for x in root.run("doctor", "--json").json if "day.csv" in x["found"]],
            what="the doctor's word",
        )
        assert [each["fine"] for each in told] == [False]
        for words in (text, why, told[0]["found"]):
            assert "open for writing" in words
        assert "end the program" in text
        passed_by(root, "later")
        assert path.exists()
    until(lambda: len(root.delivered()) == 2, what="its summary")
    until(lambda: not note.exists(), what="the note to go away")
    ran = service.end()
    assert ran.code == 0
    assert [line["cause"] for line in ran.logs if line["event"] == "inbox.waiting"] == ["written"]
    root.of("day").assert_sound(HALF + REST)
    assert_each_row_went_once(root, api, besides=1)


def test_a_closing_that_was_not_heard_holds_no_file_back(root: Root, api: SandboxHandle) -> None:
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    queue = int(limit.read_text())
    if queue > 100_000:
        pytest.skip(f"the kernel's event queue ({limit}) is too long to fill")
    service = serve(root, may_ask=False)
    with written_by_another(root.inbox / "day.csv") as file:
        file.write(halves()[0])
        file.flush()
        passed_by(root, "early")
        os.kill(service.process.pid, signal.SIGSTOP)
        for number in range(queue // 2 + 100):
            (root.inbox / f".{number % 2}.tmp").touch()
            (root.inbox / f".{number % 2}.tmp").unlink()
        file.write(halves()[1])
    os.kill(service.process.pid, signal.SIGCONT)
    until(lambda: len(root.delivered()) == 2, what="its summary")
    assert service.end().code == 0
    assert_each_row_went_once(root, api, besides=1)
