"""The inbox: what is ready, what waits, what is left alone."""

import io
import os
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import StorageError
from pipeline.inbox.scan import Inbox, Scan, WaitCause
from tests.fakes.manual_clock import ManualClock

ROWS = b"Order ID,Status\n1,Delivered\n"


def make_inbox(root: Path, clock: ManualClock, **options: object) -> Inbox:
    settings = {"settle_seconds": 2.0, "incomplete_seconds": 60.0, "done_marker": ""} | options
    return Inbox(root, monotonic=clock.monotonic, **settings)


def settled(inbox: Inbox, clock: ManualClock, seconds: float = 2.0) -> Scan:
    inbox.scan()
    clock.advance(seconds)
    return inbox.scan()


def names(files: tuple) -> list[str]:
    return [f"{one.folder}/{one.name}" if one.folder else one.name for one in files]


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", os.urandom(5000))
    return buffer.getvalue()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def powerless(tmp_path: Path) -> Iterator[Path]:
    """A folder of ours, while we are a user whom permissions bind (root is not)."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    opened = [one for one in (tmp_path, *tmp_path.parents) if one.stat().st_uid == 0]
    modes = {one: stat.S_IMODE(one.stat().st_mode) for one in opened}
    for one in opened:
        one.chmod(modes[one] | 0o711)
    os.chown(tmp_path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield tmp_path
    finally:
        os.seteuid(0)
        for one, mode in modes.items():
            one.chmod(mode)


def test_a_file_that_keeps_changing_has_waited_since_it_came(tmp_path, clock):
    inbox, path = make_inbox(tmp_path, clock), tmp_path / "a.csv"
    waited = []
    for number in range(4):
        path.write_bytes(b"x" * (number + 1))
        (waiting,) = inbox.scan().waiting
        waited.append(waiting.waits_seconds)
        clock.advance(1.5)
    assert waited == [0.0, 1.5, 3.0, 4.5]


def test_a_file_is_ready_only_after_it_was_seen_unchanged_for_the_settle_time(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    inbox = make_inbox(tmp_path, clock)
    first = inbox.scan()
    assert names(first.waiting) == ["x.csv"]
    assert "2 s" in first.waiting[0].reason
    clock.advance(1.9)
    assert names(inbox.scan().ready) == []
    clock.advance(0.1)
    ready = inbox.scan().ready
    status = (tmp_path / "x.csv").stat()
    assert names(ready) == ["x.csv"]
    assert (ready[0].folder, ready[0].name) == ("", "x.csv")
    assert ready[0].identity == (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
    )


def test_one_look_is_never_enough_however_old_the_file(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    os.utime(tmp_path / "x.csv", (0, 0))
    clock.advance(1e6)
    assert names(make_inbox(tmp_path, clock).scan().waiting) == ["x.csv"]


def test_a_modification_time_in_the_future_does_not_hold_a_file_up(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    os.utime(tmp_path / "x.csv", (4e9, 4e9))
    assert names(settled(make_inbox(tmp_path, clock), clock).ready) == ["x.csv"]


def test_settle_zero_is_ready_at_first_sight(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    assert names(make_inbox(tmp_path, clock, settle_seconds=0).scan().ready) == ["x.csv"]


def test_a_file_that_is_open_for_writing_waits_however_long_it_is_unchanged(tmp_path, clock):
    inbox = make_inbox(tmp_path, clock)
    with (tmp_path / "x.csv").open("wb", buffering=0) as upload:
        upload.write(ROWS)
        assert "must stay unchanged" in settled(inbox, clock, 1).waiting[0].reason
        for _ in range(3):
            clock.advance(3600)
            (waiting,) = inbox.scan().waiting
            assert waiting.cause is WaitCause.WRITTEN
        upload.write(b"2,Delivered\n")
        # It stays the reason while pieces come and go.
        assert inbox.scan().waiting[0].cause is WaitCause.WRITTEN
        assert "open for writing" in inbox.why(Path("x.csv"))
    (waiting,) = inbox.scan().waiting
    assert waiting.cause is WaitCause.UNSETTLED
    clock.advance(2)
    (ready,) = inbox.scan().ready
    with (tmp_path / "x.csv").open("ab"):
        assert inbox.scan().ready == (ready,)  # known to be closed; the claim looks once more
        inbox.doubt(ready)
        assert inbox.scan().ready == ()
    assert inbox.scan().ready == (ready,)


@pytest.mark.parametrize("settle", [0, 2])
def test_a_name_with_random_digits_behind_it_is_given_time_to_be_renamed(tmp_path, clock, settle):
    for name in ("a.csv.1a2B3c4D", "b.XLSX.deadbeef", "c.csv.20261127", "d.1a2B3c4D", "e.csv.1a2b"):
        (tmp_path / name).write_bytes(ROWS)
    (tmp_path / "b.XLSX.deadbeef").write_bytes(workbook())
    inbox = make_inbox(tmp_path, clock, settle_seconds=settle)
    scan = settled(inbox, clock, settle)
    assert names(scan.ready) == ["c.csv.20261127", "d.1a2B3c4D", "e.csv.1a2b"]
    (tmp_path / "a.csv.1a2B3c4D").rename(tmp_path / "a.csv")
    assert "rename it if it is" in scan.waiting[0].reason
    assert "a.csv" in names(settled(inbox, clock, settle).ready)
    clock.advance(20)
    assert "b.XLSX.deadbeef" in names(inbox.scan().ready)


def test_a_slow_upload_starts_anew_with_each_piece(tmp_path, clock):
    inbox = make_inbox(tmp_path, clock)
    with (tmp_path / "x.csv").open("wb", buffering=0) as upload:
        for _ in range(5):
            upload.write(ROWS)
            assert names(inbox.scan().ready) == []
            clock.advance(1.9)
        assert names(inbox.scan().ready) == []
    assert names(settled(inbox, clock).ready) == ["x.csv"]


def test_a_real_writer_is_never_read_before_its_last_byte(tmp_path, clock):
    inbox = make_inbox(tmp_path, clock)
    step = threading.Event()
    wrote = threading.Event()

    def write() -> None:
        with (tmp_path / "x.csv").open("wb", buffering=0) as upload:
            for _ in range(20):
                upload.write(ROWS)
                wrote.set()
                step.wait(10)
                step.clear()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(20):
        assert wrote.wait(10)
        wrote.clear()
        assert names(inbox.scan().ready) == []
        clock.advance(5)
        step.set()
    writer.join(10)
    ready = settled(inbox, clock).ready
    assert ready[0].identity[2] == 20 * len(ROWS)


def test_a_preallocated_copy_of_fixed_size_settles_by_its_mtime(tmp_path, clock):
    path = tmp_path / "x.csv"
    path.write_bytes(bytes(1000))
    os.utime(path, ns=(1, 1))
    inbox = make_inbox(tmp_path, clock)
    inbox.scan()
    clock.advance(5)
    with path.open("r+b") as upload:
        upload.write(ROWS)
    assert names(inbox.scan().ready) == []


def test_a_namesake_renamed_into_place_settles_anew_even_with_equal_size_and_time(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    os.utime(tmp_path / "x.csv", ns=(5, 5))
    inbox = make_inbox(tmp_path, clock)
    inbox.scan()
    clock.advance(5)
    (tmp_path / ".new").write_bytes(ROWS.swapcase())
    os.utime(tmp_path / ".new", ns=(5, 5))
    (tmp_path / ".new").replace(tmp_path / "x.csv")
    assert names(inbox.scan().waiting) == ["x.csv"]


def test_ready_files_come_oldest_first_then_by_name(tmp_path, clock):
    (tmp_path / "acme").mkdir()
    for name, when in [("b.csv", 50), ("a.csv", 50), ("old.csv", 10), ("acme/mid.csv", 30)]:
        (tmp_path / name).write_bytes(ROWS)
        os.utime(tmp_path / name, (when, when))
    scan = settled(make_inbox(tmp_path, clock), clock)
    assert names(scan.ready) == ["old.csv", "acme/mid.csv", "a.csv", "b.csv"]


def test_only_one_courier_folder_deep_is_looked_into(tmp_path, clock):
    (tmp_path / "acme" / "deeper").mkdir(parents=True)
    (tmp_path / "acme" / "x.csv").write_bytes(ROWS)
    (tmp_path / "acme" / "deeper" / "y.csv").write_bytes(ROWS)
    scan = settled(make_inbox(tmp_path, clock), clock)
    assert names(scan.ready) == ["acme/x.csv"]
    assert [(one.name, one.strange) for one in scan.left_alone] == [("deeper", True)]


def test_links_pipes_sockets_and_folders_are_neither_followed_nor_opened(tmp_path, clock):
    inbox_dir = tmp_path / "inbox"
    secrets = tmp_path / "secrets"
    inbox_dir.mkdir()
    secrets.mkdir()
    (secrets / "s.csv").write_bytes(ROWS)
    (inbox_dir / "link.csv").symlink_to(secrets / "s.csv")
    (inbox_dir / "acme").symlink_to(secrets)
    (inbox_dir / "dangling.csv").symlink_to("nowhere")
    os.mkfifo(inbox_dir / "pipe.csv")
    (inbox_dir / "folder.csv").mkdir()
    (inbox_dir / "folder.csv" / "in.csv").write_bytes(ROWS)
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(inbox_dir)  # a socket's path must be short
    try:
        listener.bind("sock.csv")
    finally:
        os.chdir(here)
    scan = make_inbox(inbox_dir, clock, settle_seconds=0).scan()
    listener.close()
    assert scan.ready == ()
    assert scan.waiting == ()
    assert sorted(one.name for one in scan.left_alone if one.strange) == [
        "acme",
        "dangling.csv",
        "folder.csv",
        "link.csv",
        "pipe.csv",
        "sock.csv",
    ]


def test_unfinished_files_are_left_alone_without_a_word(tmp_path, clock):
    for name in (".x.csv", "x.csv.part", "X.CSV.FILEPART", "~$x.xlsx", "Thumbs.db", "x.csv.done"):
        (tmp_path / name).write_bytes(ROWS)
    (tmp_path / ".stfolder").mkdir()
    (tmp_path / ".stfolder" / "x.csv").write_bytes(ROWS)
    scan = make_inbox(tmp_path, clock, settle_seconds=0).scan()
    assert scan.ready == ()
    assert len(scan.left_alone) == 7
    assert not any(one.strange for one in scan.left_alone)


@pytest.mark.parametrize("lock", ["~$x.xlsx", ".~lock.x.xlsx#"])
def test_a_workbook_open_in_a_spreadsheet_program_waits_until_it_is_closed(tmp_path, clock, lock):
    (tmp_path / "x.xlsx").write_bytes(workbook())
    (tmp_path / "y.xlsx").write_bytes(workbook())
    (tmp_path / lock).write_bytes(b"somebody")
    inbox = make_inbox(tmp_path, clock)
    scan = settled(inbox, clock)
    assert names(scan.ready) == ["y.xlsx"]
    assert lock in scan.waiting[0].reason
    (tmp_path / lock).unlink()
    assert names(inbox.scan().ready) == ["x.xlsx", "y.xlsx"]


def test_a_done_marker_is_waited_for_and_is_itself_no_manifest(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    inbox = make_inbox(tmp_path, clock, done_marker=".ok", settle_seconds=0)
    assert '"x.csv.ok"' in inbox.scan().waiting[0].reason
    (tmp_path / "x.csv.ok").touch()
    (tmp_path / "early.csv.ok").touch()
    scan = inbox.scan()
    assert names(scan.ready) == ["x.csv"]
    assert scan.waiting == ()


def test_a_truncated_workbook_waits_and_is_handed_over_once_it_will_never_change(tmp_path, clock):
    whole = workbook()
    path = tmp_path / "x.xlsx"
    path.write_bytes(whole[:-30])
    inbox = make_inbox(tmp_path, clock)
    scan = settled(inbox, clock, 59)
    assert "end of the workbook" in scan.waiting[0].reason
    clock.advance(1)
    assert names(inbox.scan().ready) == ["x.xlsx"]
    path.write_bytes(whole)
    assert names(settled(inbox, clock).ready) == ["x.xlsx"]


def test_a_truncated_workbook_is_handed_over_at_once_when_nothing_settles(tmp_path, clock):
    (tmp_path / "x.xlsx").write_bytes(workbook()[:-30])
    assert names(make_inbox(tmp_path, clock, settle_seconds=0).scan().ready) == ["x.xlsx"]


def test_a_tail_of_nuls_waits(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS + bytes(4096))
    scan = settled(make_inbox(tmp_path, clock), clock)
    assert "NUL" in scan.waiting[0].reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("whole.xlsx", workbook()),
        ("lying name.csv", workbook()),
        ("utf16.csv", ROWS.decode().encode("utf-16")),
        ("utf32.csv", ROWS.decode().encode("utf-32-le")),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)),
        ("empty.csv", b""),
        ("pk.csv", b"PK,Order ID\n1,2\n"),
        ("nul.csv", b"\0"),
    ],
)
def test_whole_files_of_every_kind_are_not_taken_for_incomplete(tmp_path, clock, name, content):
    (tmp_path / name).write_bytes(content)
    assert names(settled(make_inbox(tmp_path, clock), clock).ready) == [name]


@pytest.mark.parametrize(
    "name",
    [
        b"two\nlines.csv",
        b"-rf.csv",
        b"a # [b] *? {0} %s $HOME.csv",
        "ऑर्डर सूची.csv".encode(),
        b"caf\xe9\xff.csv",
        b"x" * 251 + b".CSV",
        b" .csv",
        b"a\\b.csv",
    ],
)
def test_any_name_linux_allows_is_picked_up(tmp_path, clock, name):
    (tmp_path / os.fsdecode(name)).write_bytes(ROWS)
    ready = settled(make_inbox(tmp_path, clock), clock).ready
    assert [os.fsencode(one.name) for one in ready] == [name]


def test_a_lost_inbox_is_an_error_and_never_read_as_all_files_are_gone(tmp_path, clock):
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "x.csv").write_bytes(ROWS)
    inbox = make_inbox(root, clock)
    inbox.scan()
    root.rename(tmp_path / "unmounted")
    clock.advance(2)
    with pytest.raises(StorageError, match="cannot be listed") as lost:
        inbox.scan()
    assert lost.value.hint
    (tmp_path / "unmounted").rename(root)
    assert names(inbox.scan().ready) == ["x.csv"]


def test_a_file_that_left_and_came_back_settles_anew(tmp_path, clock):
    (tmp_path / "x.csv").write_bytes(ROWS)
    inbox = make_inbox(tmp_path, clock)
    inbox.scan()
    (tmp_path / "x.csv").rename(tmp_path / ".x")
    clock.advance(2)
    inbox.scan()
    (tmp_path / ".x").rename(tmp_path / "x.csv")
    assert names(inbox.scan().waiting) == ["x.csv"]


def test_the_inbox_itself_may_be_a_link_to_a_share(tmp_path, clock):
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "x.csv").write_bytes(ROWS)
    (tmp_path / "inbox").symlink_to("share")
    assert names(settled(make_inbox(tmp_path / "inbox", clock), clock).ready) == ["x.csv"]


def test_a_file_we_may_not_read_waits_and_says_so(powerless, clock):
    path = powerless / "x.csv"
    path.write_bytes(ROWS)
    path.chmod(0)
    inbox = make_inbox(powerless, clock)
    scan = settled(inbox, clock, 100)
    assert "cannot be opened (Permission denied)" in scan.waiting[0].reason
    path.chmod(0o600)
    assert names(inbox.scan().ready) == ["x.csv"]


def test_a_courier_folder_we_may_not_open_stops_nobody_else_and_forgets_nothing(powerless, clock):
    locked = powerless / "locked"
    locked.mkdir()
    (locked / "in.csv").write_bytes(ROWS)
    (powerless / "x.csv").write_bytes(ROWS)
    inbox = make_inbox(powerless, clock)
    inbox.scan()
    locked.chmod(0)
    try:
        clock.advance(2)
        scan = inbox.scan()
    finally:
        locked.chmod(0o700)
    assert names(scan.ready) == ["x.csv"]
    assert [(one.name, one.strange) for one in scan.left_alone] == [("locked", True)]
    assert sorted(names(inbox.scan().ready)) == ["locked/in.csv", "x.csv"]


def test_hundreds_of_files_come_in_order_while_writers_are_at_work(tmp_path, clock):
    script = (
        "import pathlib, sys\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "for number in range(int(sys.argv[2]), int(sys.argv[2]) + 150):\n"
        "    part = root / f'f{number:04d}.csv.part'\n"
        "    part.write_bytes(b'Order ID,Status\\n')\n"
        "    part.rename(root / f'f{number:04d}.csv')\n"
    )
    inbox = make_inbox(tmp_path, clock)
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(start)])
        for start in (0, 150)
    ]
    while any(writer.poll() is None for writer in writers):
        assert inbox.scan().ready == ()
    assert [writer.wait() for writer in writers] == [0, 0]
    ready = settled(inbox, clock).ready
    assert len(ready) == 300
    keys = [(one.identity[3], one.name) for one in ready]
    assert keys == sorted(keys)


def test_why_tells_a_person_what_the_file_waits_for(tmp_path, clock, monkeypatch):
    root = tmp_path / "inbox"
    (root / "acme" / "deep").mkdir(parents=True)
    (root / ".sync").mkdir()
    for name in ("x.csv", "x.csv.part", "acme/y.csv", "acme/deep/z.csv", ".sync/s.csv"):
        (root / name).write_bytes(ROWS)
    (root / "link.csv").symlink_to("x.csv")
    (tmp_path / "other.csv").write_bytes(ROWS)
    inbox = make_inbox(root, clock)
    inbox.scan()
    (root / "late.csv").write_bytes(ROWS)
    assert "must stay unchanged for 2 s" in inbox.why(root / "x.csv")
    assert "must stay unchanged" in inbox.why(Path("acme/y.csv"))
    assert "end in .part" in inbox.why(Path("x.csv.part"))
    assert "symbolic link" in inbox.why(root / "link.csv")
    assert "too deep" in inbox.why(root / "acme" / "deep" / "z.csv")
    assert "begin with ." in inbox.why(root / ".sync" / "s.csv")
    assert "not been seen by a scan" in inbox.why(root / "late.csv")
    assert "courier's folder" in inbox.why(root / "acme")
    assert "picked up already" in inbox.why(root / "gone.csv")
    assert "is not in the inbox" in inbox.why(tmp_path / "other.csv")
    monkeypatch.chdir(root)
    clock.advance(2)
    inbox.scan()
    assert "is ready" in inbox.why(Path("x.csv"))
