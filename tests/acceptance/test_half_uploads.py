"""Uploads that pause: whoever has a file open for writing is waited for; every row goes once."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Delivered, Root, Running, orders, until

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
    root.configure(inbox__settle_seconds=SETTLE, inbox__scan_seconds=0.1, api__probe_seconds=0.3)


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
        assert f"held open by process {os.getpid()}" in told[0]["found"]
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
    assert any("CAP_LEASE" in each["found"] for each in root.run("doctor", "--json").json)
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


# -- taken all the same: nobody could tell that it was open -----------------------------------


def codes(drop: Delivered) -> set[str]:
    return drop.codes & {"FILE_CHANGED", "FILE_CONTINUED"}


def assert_the_rest_came_after(root: Root, *, first: str) -> None:
    """Two drops: of what was there when it was taken, and of the whole, which says so."""
    begun, whole = (d for d in root.delivered() if d.summary["source_file"] == "day.csv")
    assert (begun.summary["state"], whole.summary["state"]) == (first, "completed")
    assert (codes(begun), codes(whole)) == ({"FILE_CHANGED"}, {"FILE_CONTINUED"})
    assert (begun.summary["continues"], whole.summary["continues"]) == (None, begun.id)
    whole.assert_sound(HALF + REST)
    sent = begun.summary["rows"]["accepted"]
    assert whole.counts["accepted"] == HALF + REST - sent
    assert whole.counts.get("duplicate", 0) == sent
    kept = [path for path in root.path.glob("*/**/day.csv") if path.parent.name == whole.id]
    assert [path.read_text() for path in kept] == [orders(HALF + REST)]
    (kept_first,) = (p for p in root.path.glob("*/**/day.csv") if p.parent.name == begun.id)
    assert orders(HALF + REST).startswith(kept_first.read_text())
    assert kept_first.stat().st_size == begun.summary["size"]
    assert not {begun.id, f"back/{begun.id}"} & set(root.files("state/late-writes"))


@contextmanager
def being_sent(
    root: Root, api: SandboxHandle, *command: str, rows: int = HALF
) -> Iterator[tuple[Path, Running]]:
    """The place of a file with the first rows, which the API takes after this only."""
    api.set_faults(status_all=503)
    root.drop("day.csv", orders(rows))
    running = root.start(*(command or ("run", "--log-format", "json")))
    until(lambda: api.stats()["calls"], what="the first call")
    (claimed,) = root.path.glob("work/*/day.csv")
    yield claimed, running
    api.set_faults(status_all=0)


def test_what_is_written_while_the_first_half_is_sent_comes_back_and_both_say_so(
    root: Root, api: SandboxHandle
) -> None:
    with being_sent(root, api) as (claimed, service), claimed.open("a") as file:
        file.write(orders(HALF + REST)[len(orders(HALF)) :])
    until(lambda: len(root.delivered()) == 2, what="the summary of the rest")
    until(lambda: not root.files("state/late-writes/back"), what="the end of it")
    ran = service.end()
    assert ran.code == 0
    assert_the_rest_came_after(root, first="completed")
    assert_each_row_went_once(root, api, besides=0)
    (told,) = (line for line in ran.logs if line["event"] == "drop.file_changed")
    assert told["file"] == "day.csv"


@pytest.mark.parametrize("cut", ["in a row", pytest.param("between rows", marks=pytest.mark.soak)])
def test_what_an_unseen_writer_adds_after_the_drop_was_closed_comes_back(
    root: Root, api: SandboxHandle, cut: str
) -> None:
    whole = orders(HALF + REST)
    at = len(orders(HALF)) + (5 if cut == "in a row" else 0)
    with written_by_another(root.inbox / "day.csv") as file:
        file.write(whole[:at])
        file.flush()
        # Nobody heard it being written, and the kernel does not tell us who has it open.
        service = serve(root, may_ask=False)
        until(lambda: root.delivered(), what="the first half")
        until(lambda: not list(root.path.glob("work/*")), what="its file put away")
        file.write(whole[at:])
    until(lambda: len(root.delivered()) == 2, what="the summary of the rest")
    until(lambda: not root.files("state/late-writes/back"), what="the end of it")
    assert service.end().code == 0
    assert_the_rest_came_after(root, first="refused" if cut == "in a row" else "completed")
    assert_each_row_went_once(root, api, besides=0)


def test_once_leaves_what_came_back_to_the_next_run_also_where_it_has_settled(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(inbox__settle_seconds=0.1, inbox__scan_seconds=0.1)
    root.configure(api__chunk_size=1, api__rate_per_second=4)
    # Takes three seconds, in which day.csv would settle.
    other = root.drop("other.csv", orders(12, prefix="OTHER"))
    os.utime(other, (time.time() + 60,) * 2)  # so that day.csv is claimed, and sent, first
    with (
        being_sent(root, api, "run", "--once", rows=2) as (claimed, running),
        claimed.open("a") as file,
    ):
        file.write(orders(3)[len(orders(2)) :])
    ran = running.wait()
    assert ran.code == 3
    assert "written to after it was taken" in ran.err
    assert root.files("inbox") == ["day.csv"]
    assert [drop.counts["accepted"] for drop in root.delivered()] == [2, 12]


def test_once_gives_back_what_grew_and_the_next_run_sends_the_rest(
    root: Root, api: SandboxHandle
) -> None:
    # What came back must not settle before the run ends, on however slow a machine.
    root.configure(inbox__settle_seconds=4)
    with (
        being_sent(root, api, "run", "--once") as (claimed, running),
        claimed.open("a") as file,
    ):
        file.write(orders(HALF + REST)[len(orders(HALF)) :])
    ran = running.wait()
    assert ran.code == 3
    assert "written to after it was taken" in ran.err
    assert root.files("inbox") == ["day.csv"]
    assert codes(root.of("day")) == {"FILE_CHANGED"}
    root.configure(inbox__settle_seconds=SETTLE)
    assert root.once().code == 0
    assert_the_rest_came_after(root, first="completed")
    assert_each_row_went_once(root, api, besides=0)


def test_a_file_that_changes_without_end_goes_round_no_faster_than_it_settles(
    root: Root, api: SandboxHandle
) -> None:
    enough = threading.Event()
    numbers = count(HALF)

    def write(there: Path) -> None:
        # Opened anew for each row, and closed: nobody can hear that more is to come.
        while not enough.wait(2 * SETTLE):
            with there.open("a") as again:
                again.write(f"ORD{next(numbers):06},Delivered\n")

    with written_by_another(root.inbox / "day.csv") as file:
        file.write(orders(HALF))
        file.flush()
        service = serve(root, may_ask=False)
        until(lambda: root.delivered(), what="the first half")
        until(lambda: not list(root.path.glob("work/*")), what="its file put away")
        writer = threading.Thread(target=write, args=[Path(f"/proc/self/fd/{file.fileno()}")])
        writer.start()
        try:
            until(lambda: root.files("inbox") == ["day.csv"], what="the file in the inbox")
            path = root.inbox / "day.csv"
            until(lambda: path.read_text().count("ORD") >= HALF + 6, what="some more rows")
            assert claims_of(service, "day.csv") == 1
        finally:
            enough.set()
            writer.join()
    until(lambda: len(root.delivered()) == 2, what="its summary")
    assert service.end().code == 0
    whole = root.delivered()[-1]
    assert codes(whole) == {"FILE_CONTINUED"}
    assert whole.summary["rows"]["total"] == next(numbers)
    assert api.stats()["repeats"] == api.stats()["duplicates"] == 0
    assert api.stats()["accepted"] == whole.summary["rows"]["total"]


def claims_of(service: Running, name: str) -> int:
    lines = service.err_path.read_text().splitlines()
    return sum('"drop.claimed"' in line and f'"{name}"' in line for line in lines)


def codes_told(root: Root) -> set[str]:
    return {code for drop in root.delivered() for code in codes(drop)}


def test_a_file_that_is_only_touched_or_replaced_in_the_inbox_does_not_come_back(
    root: Root, api: SandboxHandle
) -> None:
    with being_sent(root, api) as (claimed, service):
        os.utime(claimed)
    until(lambda: root.delivered(), what="its summary")
    passed_by(root, "later")
    assert service.end().code == 0
    assert codes_told(root) == set()
    assert api.stats()["accepted"] == HALF + 1
    assert root.files("state/late-writes") == root.files("inbox") == []


def test_a_namesake_that_came_meanwhile_is_not_replaced(root: Root, api: SandboxHandle) -> None:
    with written_by_another(root.inbox / "day.csv") as file:
        file.write(orders(HALF))
        file.flush()
        service = serve(root, may_ask=False)
        until(lambda: root.delivered(), what="the first half")
        until(lambda: not list(root.path.glob("work/*")), what="its file put away")
        root.drop(".~lock.day.csv#", "somebody")
        root.drop("day.csv", orders(3, prefix="N"))
        file.write(orders(HALF + REST)[len(orders(HALF)) :])
    until(lambda: root.files("inbox").count("day (2).csv"), what="the file that came back")
    (root.inbox / ".~lock.day.csv#").unlink()
    until(lambda: len(root.delivered()) == 3, what="both summaries")
    assert service.end().code == 0
    (back,) = (d for d in root.delivered() if d.summary["source_file"] == "day (2).csv")
    assert back.summary["continues"] == root.delivered()[0].id
    assert_each_row_went_once(root, api, besides=3)


def test_a_file_that_cannot_be_compared_keeps_no_drop_open(root: Root, api: SandboxHandle) -> None:
    if os.geteuid() == 0:
        root.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    with being_sent(root, api) as (claimed, service):
        claimed.chmod(0)
    until(lambda: root.delivered(), what="its summary")
    passed_by(root, "later")
    assert service.end().code == 0
    assert root.of("day").counts == {"accepted": HALF}
    assert root.files("work") == []
