"""Wake-ups: real events, and no harm where there are none."""

import contextlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify_c import InotifyFD
from watchdog.utils.delayed_queue import DelayedQueue

from pipeline.inbox.watcher import Watcher
from tests.acceptance.harness import until

PATIENCE = 10.0


class Bell:
    """Rings when woken."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def heard_after(self, act: Callable[[], object]) -> bool:
        self._rung.clear()
        act()
        return self._rung.wait(PATIENCE)


def kernel_watches(folder: Path) -> list[int]:
    """The event masks under which the kernel watches a folder for this process."""
    masks = []
    for info in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # the handle of this very listing is gone again
            for line in info.read_text().splitlines():
                fields = dict(part.split(":", 1) for part in line.split() if ":" in part)
                if line.startswith("inotify") and int(fields["ino"], 16) == folder.stat().st_ino:
                    masks.append(int(fields["mask"], 16))
    return masks


def observers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if isinstance(one, BaseObserver)]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def watcher(inbox: Path, bell: Bell) -> Iterator[Watcher]:
    watching = Watcher(inbox, bell.ring)
    watching.start()
    yield watching
    watching.stop()


def test_each_way_a_file_can_come_wakes(inbox, bell, watcher):
    assert watcher.trouble is None
    assert bell.heard_after(lambda: (inbox / "x.csv").write_bytes(b"1"))
    (inbox.parent / "y").write_bytes(b"1")
    assert bell.heard_after(lambda: (inbox.parent / "y").rename(inbox / "y.csv"))
    assert bell.heard_after(lambda: (inbox / "x.csv").rename(inbox / "z.csv"))
    assert bell.heard_after((inbox / "z.csv").unlink)


def test_a_file_that_is_written_is_unclosed_until_its_writer_closes_it(inbox, bell, watcher):
    (inbox / "acme").mkdir()
    watcher.ensure()
    assert not watcher.unclosed("acme", "x.csv")
    with (inbox / "acme" / "x.csv").open("wb", buffering=0) as upload:
        upload.write(b"1")
        until(lambda: watcher.unclosed("acme", "x.csv"), what="the write")
        assert bell.heard_after(lambda: (inbox / "acme" / "x.csv").rename(inbox / "acme" / "y.csv"))
        until(lambda: watcher.unclosed("acme", "y.csv"), what="the rename")
        assert not watcher.unclosed("acme", "x.csv")
    until(lambda: not watcher.unclosed("acme", "y.csv"), what="the end of it")


def test_what_was_renamed_or_linked_into_place_is_not_unclosed(inbox, bell, watcher):
    with (inbox / "x.csv").open("wb", buffering=0) as upload:
        upload.write(b"1")
        until(lambda: watcher.unclosed("", "x.csv"), what="the write")
        (inbox.parent / "whole").write_bytes(b"12")
        (inbox.parent / "whole").replace(inbox / "x.csv")
        (inbox.parent / "other").write_bytes(b"1")
        (inbox / "y.csv").hardlink_to(inbox.parent / "other")
        until(lambda: not watcher.unclosed("", "x.csv"), what="the file in its place")
        assert not watcher.unclosed("", "y.csv")


def test_a_watcher_that_begins_anew_knows_of_nothing(inbox, watcher):
    with (inbox / "x.csv").open("wb", buffering=0) as upload:
        upload.write(b"1")
        until(lambda: watcher.unclosed("", "x.csv"), what="the write")
        watcher.stop()
        watcher.start()
        assert not watcher.unclosed("", "x.csv")


def test_our_own_opening_and_reading_is_not_among_what_wakes_us(inbox, watcher):
    assert watcher.trouble is None
    opened, accessed, closed_unwritten = 0x20, 0x1, 0x10
    created, moved_in, closed_written, deleted = 0x100, 0x80, 0x8, 0x200
    (mask,) = kernel_watches(inbox)
    assert mask & (opened | accessed | closed_unwritten) == 0
    wanted = created | moved_in | closed_written | deleted
    assert mask & wanted == wanted


def test_a_courier_folder_that_appears_is_heard_too_but_nothing_below_it(inbox, bell, watcher):
    assert bell.heard_after((inbox / "acme").mkdir)
    watcher.ensure()
    assert bell.heard_after(lambda: (inbox / "acme" / "x.csv").write_bytes(b"1"))
    (inbox / "acme" / "deeper").mkdir()
    watcher.ensure()
    assert len(kernel_watches(inbox)) == 1
    assert len(kernel_watches(inbox / "acme")) == 1
    assert kernel_watches(inbox / "acme" / "deeper") == []


def test_a_swapped_inbox_does_not_stay_deaf(inbox, bell, watcher):
    inbox.rename(inbox.parent / "unmounted")
    inbox.mkdir()
    watcher.ensure()
    assert bell.heard_after(lambda: (inbox / "x.csv").write_bytes(b"1"))


def test_a_courier_folder_that_was_made_anew_does_not_stay_deaf(inbox, bell, watcher):
    (inbox / "acme").mkdir()
    watcher.ensure()
    (inbox / "acme").rename(inbox.parent / "old")
    (inbox / "acme").mkdir()
    watcher.ensure()
    assert bell.heard_after(lambda: (inbox / "acme" / "x.csv").write_bytes(b"1"))


def test_a_lost_inbox_is_told_and_heard_again_when_it_is_back(inbox, bell, watcher):
    inbox.rename(inbox.parent / "unmounted")
    watcher.ensure()
    assert "No events from the inbox" in watcher.trouble
    (inbox.parent / "unmounted").rename(inbox)
    watcher.ensure()
    assert watcher.trouble is None
    assert bell.heard_after(lambda: (inbox / "x.csv").write_bytes(b"1"))


def test_a_dead_observer_is_replaced(inbox, bell, watcher):
    (dead,) = observers()
    dead.stop()
    dead.join(PATIENCE)
    watcher.ensure()
    assert dead not in observers()
    assert bell.heard_after(lambda: (inbox / "x.csv").write_bytes(b"1"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "step"),
    [(DelayedQueue, "get"), (InotifyFD, "handle_event"), (DelayedQueue, "put")],
    ids=lambda each: each,
)
def test_each_thread_that_ended_by_an_error_is_replaced(
    inbox, bell, watcher, monkeypatch, kind, step
):
    """One waits for events of a folder, and another reads those of all folders.

    Whoever puts an event there may leave a lock behind that the end waits for.
    """
    before = set(threading.enumerate())

    def fail(its: object, *_: object, **__: object) -> None:
        if step == "put":
            its._lock.acquire()
        raise OSError("as after a jump of the clock")

    with monkeypatch.context() as broken:
        broken.setattr(kind, step, fail)
        (inbox / "x.csv").write_bytes(b"1")
        (inbox / "y.csv").write_bytes(b"1")
        until(lambda: not all(each.is_alive() for each in before), what="a thread that ended")
    watcher.ensure()
    assert watcher.trouble is None
    assert bell.heard_after(lambda: (inbox / "z.csv").write_bytes(b"1"))


def test_an_inbox_behind_a_link_is_heard(tmp_path, bell):
    (tmp_path / "share").mkdir()
    (tmp_path / "inbox").symlink_to("share")
    watching = Watcher(tmp_path / "inbox", bell.ring)
    watching.start()
    try:
        assert bell.heard_after(lambda: (tmp_path / "share" / "x.csv").write_bytes(b"1"))
    finally:
        watching.stop()


def test_nothing_changed_means_nothing_is_armed_again(watcher):
    before = observers()
    watcher.ensure()
    assert observers() == before


def test_no_descriptors_left_means_no_events_and_no_crash(inbox):
    script = textwrap.dedent("""
        import os, resource, sys
        from pathlib import Path
        from pipeline.inbox.watcher import Watcher

        watcher = Watcher(Path(sys.argv[1]), lambda: None)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            os.close(kept.pop())  # one is left: enough to list the inbox, not to watch it
        watcher.start()
        print(watcher.trouble)
        for handle in kept:
            os.close(handle)
        watcher.ensure()
        print(watcher.trouble)
        watcher.stop()
    """)
    run = subprocess.run(
        [sys.executable, "-c", script, str(inbox)], capture_output=True, text=True, check=True
    )
    told, later = run.stdout.splitlines()
    assert told.startswith("No events from the inbox (")
    assert later == "None"
