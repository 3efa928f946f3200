"""Done markers: a file's size or hash."""

import hashlib
from pathlib import Path

import pytest

from pipeline.inbox.scan import Inbox, WaitCause, parse_marker
from tests.fakes.manual_clock import ManualClock

ROWS = b"Order ID,Status\n1,Delivered\n"
SHA = hashlib.sha256(ROWS).hexdigest()
MD5 = hashlib.md5(ROWS).hexdigest()


@pytest.mark.parametrize(
    ("content", "size", "hashes"),
    [
        (b"", None, ()),
        (b"28\n", 28, ()),
        (b"28 x.csv\n", 28, ()),
        (b"size=28", 28, ()),
        (b'{"bytes": 28, "sha256": "%s"}' % SHA.encode(), 28, (("sha256", SHA),)),
        (f"{SHA}  x.csv\n".encode(), None, (("sha256", SHA),)),
        (f"MD5 (x.csv) = {MD5.upper()}".encode(), None, (("md5", MD5),)),
        (b"2026-11-23 10:00:00", None, ()),
        (b"uploaded 3 files", None, ()),
        (b"OK", None, ()),
        (b"\xff\xfe\x00", None, ()),
        (b"\xef\xbb\xbf28\r\n", 28, ()),
    ],
)
def test_size_and_hash_are_found_as_tools_write_them(content, size, hashes):
    marked = parse_marker(content, "x.csv")
    assert (marked.size, marked.hashes) == (size, hashes)


def make(root: Path, clock: ManualClock, settle: float = 2.0) -> Inbox:
    return Inbox(
        root,
        settle_seconds=settle,
        incomplete_seconds=60,
        done_marker=".ok",
        monotonic=clock.monotonic,
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("29", "says 29 bytes, and it has 28"),
        ("27", "says 27 bytes, and it has 28"),
        ("0" * 64, "SHA256"),
        ("0" * 32, "MD5"),
    ],
)
def test_a_file_that_is_not_what_its_marker_says_waits(tmp_path, content, words):
    clock = ManualClock()
    (tmp_path / "x.csv").write_bytes(ROWS)
    (tmp_path / "x.csv.ok").write_text(content)
    inbox = make(tmp_path, clock, settle=0)
    (waiting,) = inbox.scan().waiting
    assert waiting.cause is WaitCause.MARKER
    assert words in waiting.reason
    clock.advance(10_000)
    assert inbox.scan().ready == ()
    (tmp_path / "x.csv.ok").write_text(SHA)
    assert len(inbox.scan().ready) == 1


def test_a_marker_counts_only_when_two_looks_saw_the_same_in_it(tmp_path):
    clock = ManualClock()
    (tmp_path / "x.csv").write_bytes(ROWS[:-5])
    inbox = make(tmp_path, clock)
    inbox.scan()
    clock.advance(5)
    (tmp_path / "x.csv.ok").touch()
    assert inbox.scan().ready == ()
    (tmp_path / "x.csv.ok").write_text(str(len(ROWS)))
    inbox.scan()
    assert "bytes" in inbox.scan().waiting[0].reason


def test_a_marker_that_cannot_be_read_is_no_marker(tmp_path):
    (tmp_path / "x.csv").write_bytes(ROWS)
    (tmp_path / "x.csv.ok").mkdir()
    (waiting,) = make(tmp_path, ManualClock(), settle=0).scan().waiting
    assert waiting.cause is WaitCause.UNREADABLE


def test_a_hash_is_not_computed_again_at_each_look(tmp_path):
    clock = ManualClock()
    path = tmp_path / "x.csv"
    path.write_bytes(ROWS)
    (tmp_path / "x.csv.ok").write_text(SHA)
    inbox = make(tmp_path, clock, settle=0)
    assert len(inbox.scan().ready) == 1
    before = path.stat()
    with path.open("r+b") as file:  # the same state to a look, other bytes: only reading would see
        file.write(b"X")
    import os

    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(inbox.scan().ready) == 1
