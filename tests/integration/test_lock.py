"""One run per root."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from pipeline.core.errors import RootBusy, StorageError
from pipeline.storage.root_lock import RootLock
from tests.fakes.manual_clock import ManualClock

HOLDER = textwrap.dedent("""
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from pipeline.storage.root_lock import RootLock

    with RootLock(Path(sys.argv[1]), now=lambda: datetime(2026, 11, 23, 14, 41, tzinfo=UTC)):
        print("held", flush=True)
        sys.stdin.read()
""")


def hold(root: Path) -> subprocess.Popen:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: subprocess.Popen) -> None:
    holder.stdin.close()
    holder.stdout.close()
    holder.wait(10)


def test_a_second_run_is_turned_away_and_told_who_holds_the_root(tmp_path):
    holder = hold(tmp_path)
    try:
        with pytest.raises(RootBusy) as busy, RootLock(tmp_path, now=ManualClock().now):
            pass
    finally:
        end(holder)
    assert f"process {holder.pid} on {os.uname().nodename}" in busy.value.message
    assert "since 2026-11-23T14:41:00+00:00" in busy.value.message
    assert "--root" in busy.value.hint


def test_a_lock_whose_holder_was_killed_hinders_nobody(tmp_path):
    holder = hold(tmp_path)
    holder.send_signal(signal.SIGKILL)
    end(holder)
    assert (tmp_path / "state" / "lock.json").exists()
    with RootLock(tmp_path, now=ManualClock().now):
        pass


def test_a_crash_is_told_to_the_next_holders_until_one_ends_in_good_order(tmp_path):
    holder = hold(tmp_path)
    holder.send_signal(signal.SIGKILL)
    end(holder)
    for _ in range(2):
        lock = RootLock(tmp_path, now=ManualClock().now)
        with pytest.raises(ValueError, match="damaged"), lock:
            raise ValueError("damaged")
        assert lock.was_left
        assert lock.holder() is None
    for left in (True, False):
        with RootLock(tmp_path, now=ManualClock().now) as lock:
            assert lock.was_left is left


def test_a_lock_is_let_go_at_the_end_and_after_an_error(tmp_path):
    lock = RootLock(tmp_path, now=ManualClock().now)
    with pytest.raises(ValueError, match="in the middle"), lock:
        raise ValueError("in the middle")
    assert not (tmp_path / "state" / "lock.json").exists()
    with lock, pytest.raises(RootBusy), RootLock(tmp_path, now=ManualClock().now):
        pass
    with lock:
        pass


def test_a_holder_that_left_no_name_is_still_a_holder(tmp_path):
    with RootLock(tmp_path, now=ManualClock().now):
        (tmp_path / "state" / "lock.json").write_text("{")
        with (
            pytest.raises(RootBusy, match=r"^Another run holds this root\."),
            RootLock(tmp_path, now=ManualClock().now),
        ):
            pass


def test_a_state_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "state").write_text("not a folder")
    with (
        pytest.raises(StorageError, match="Cannot lock"),
        RootLock(tmp_path, now=ManualClock().now),
    ):
        pass


def test_a_holder_that_gives_way_is_told_when_somebody_asks(tmp_path):
    now = ManualClock().now
    mine, wanted = RootLock(tmp_path, now=now, yields_to_service=True), RootLock(tmp_path, now=now)
    let_go = threading.Event()
    with mine, mine.on_release_request(let_go.set) as asked:
        with pytest.raises(RootBusy) as busy, wanted:
            pass
        assert busy.value.yields_to_service
        wanted.request_release()
        assert let_go.wait(10)
        assert asked.is_set()
    with wanted, pytest.raises(RootBusy) as busy, RootLock(tmp_path, now=now):
        pass
    assert not busy.value.yields_to_service


def test_what_was_asked_of_an_earlier_holder_is_not_heard_by_a_later_one(tmp_path):
    lock = RootLock(tmp_path, now=ManualClock().now, yields_to_service=True)
    with lock:
        lock.request_release()
    with lock, lock.on_release_request(lambda: pytest.fail("nobody asked")) as asked:
        assert not asked.wait(1)
