"""Claim, release, outbox, archive, quarantine and submit: done or not done, and never lossy."""

import errno
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.errors import DropChanged, Fenced, StorageError, UsageError
from pipeline.core.file_names import as_text
from pipeline.core.model import ReadyFile
from pipeline.inbox.scan import Inbox
from pipeline.storage.durable_files import storing
from pipeline.storage.root_folders import Folders, PutAway
from tests.scratch import elsewhere

ROWS = b"Order ID,Status\n1,Delivered\n"
DROP = "d20261123t144123123k7qz"
DAY = date(2026, 3, 7)


def make_folders(root: Path, **options: Any) -> Folders:
    folders = Folders(root, root / "inbox", root / "outbox", **options)
    folders.prepare()
    return folders


def ready_file(root: Path, name: str, folder: str = "", content: bytes = ROWS) -> ReadyFile:
    path = root / "inbox" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return seen(path, folder)


def seen(path: Path, folder: str = "") -> ReadyFile:
    status = path.lstat()
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return ReadyFile(folder=folder, name=path.name, identity=identity)


def path_of(root: Path, ready: ReadyFile) -> Path:
    return root.joinpath("inbox", ready.folder, ready.name)


def claim_one(folders: Folders, ready: ReadyFile, drop_id: str) -> Path | None:
    """Return the file's place in work/, None for one that is not the same any more; or raise."""
    (claimed,) = folders.claim_all([(ready, drop_id)])
    if isinstance(claimed, Exception):
        raise claimed
    return claimed


def files_below(root: Path) -> list[str]:
    return sorted(str(one.relative_to(root)) for one in root.rglob("*") if not one.is_dir())


def listed(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def archived(folders, drop_id, name, day):
    return folders.put_away(PutAway(drop_id=drop_id, name=name, day=day))


def quarantined(folders, drop_id, name):
    return folders.put_away(PutAway(drop_id=drop_id, name=name, day=None))


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a second file system."""
    place = elsewhere(tmp_path)
    if place is None:
        pytest.skip("this machine has one file system only")
    folder = Path(tempfile.mkdtemp(dir=place))
    yield folder
    shutil.rmtree(folder)


def test_prepare_makes_every_folder_and_may_be_repeated(tmp_path):
    folders = make_folders(tmp_path / "new" / "root")
    folders.prepare()
    made = {one.name for one in (tmp_path / "new" / "root").iterdir()}
    assert made == {"inbox", "outbox", "work", "archive", "quarantine", "state"}
    assert folders.same_file_system


def test_prepare_says_what_stands_in_the_way(tmp_path):
    (tmp_path / "work").write_text("not a folder")
    with pytest.raises(StorageError, match="work") as refused:
        make_folders(tmp_path)
    assert "move it away" in refused.value.hint


def test_a_claim_moves_the_file_itself(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv", "acme")
    claimed = claim_one(folders, ready, DROP)
    assert claimed == tmp_path / "work" / DROP / "x.csv"
    assert claimed.stat().st_ino == ready.identity[1]
    assert folders.claimed_path(DROP, "x.csv") == claimed
    assert folders.leftovers() == [DROP]
    assert files_below(tmp_path) == [f"work/{DROP}/x.csv"]


@pytest.mark.parametrize(
    "name",
    [
        b"two\nlines.csv",
        b"-rf.csv",
        b"* [b] {0} %s ~ $HOME #.csv",
        "ऑर्डर.csv".encode(),
        b"caf\xe9\xff.csv",
        b"x" * 251 + b".CSV",
    ],
)
def test_any_name_linux_allows_makes_the_whole_way(tmp_path, name):
    folders = make_folders(tmp_path)
    dropped = os.fsdecode(name)
    text = as_text(dropped)
    claim_one(folders, ready_file(tmp_path, dropped), DROP)
    back = folders.release(DROP, text, "")
    assert back.name == text
    claim_one(folders, seen(back), DROP)
    kept = archived(folders, DROP, text, DAY)
    assert kept.read_bytes() == ROWS
    assert len(files_below(tmp_path)) == 1


def test_a_claim_comes_too_late_for_a_file_that_is_gone(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    path_of(tmp_path, ready).unlink()
    assert claim_one(folders, ready, DROP) is None
    assert folders.leftovers() == []


def test_a_claim_leaves_a_file_that_was_replaced_or_grew(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    with path_of(tmp_path, ready).open("ab") as upload:
        upload.write(b"2,Delivered\n")
    assert claim_one(folders, ready, DROP) is None
    assert path_of(tmp_path, ready).read_bytes() == ROWS + b"2,Delivered\n"
    assert folders.leftovers() == []


def test_a_claim_leaves_a_namesake_that_was_renamed_into_the_place(tmp_path):
    """As large as the file that was ready and as old: a courier that sends a day's file twice."""
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    times = path_of(tmp_path, ready).stat()
    namesake = tmp_path / "upload"
    namesake.write_bytes(ROWS.replace(b"1", b"2"))
    os.utime(namesake, ns=(times.st_atime_ns, times.st_mtime_ns))
    namesake.rename(path_of(tmp_path, ready))
    assert seen(path_of(tmp_path, ready)).identity[2:] == ready.identity[2:]
    assert claim_one(folders, ready, DROP) is None
    assert path_of(tmp_path, ready).read_bytes() == ROWS.replace(b"1", b"2")
    assert folders.leftovers() == []
    assert (
        claim_one(folders, seen(path_of(tmp_path, ready)), DROP) is not None
    )  # once it is ready itself


def test_a_link_put_in_the_place_of_a_ready_file_is_not_claimed(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    path_of(tmp_path, ready).unlink()
    path_of(tmp_path, ready).symlink_to("/etc/passwd")
    assert claim_one(folders, ready, DROP) is None
    assert path_of(tmp_path, ready).is_symlink()


def test_of_many_claimants_exactly_one_gets_the_file(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    got: list[Path | None] = []
    start = threading.Barrier(8)

    def claim(number: int) -> None:
        start.wait(10)
        got.append(claim_one(folders, ready, f"d{number}"))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len([path for path in got if path]) == 1
    assert len(folders.leftovers()) == 1


def test_a_claim_takes_the_done_marker_away_and_a_release_puts_it_back(tmp_path):
    folders = make_folders(tmp_path, done_marker=".done")
    ready = ready_file(tmp_path, "x.csv")
    (tmp_path / "inbox" / "x.csv.done").touch()
    claim_one(folders, ready, DROP)
    assert files_below(tmp_path) == [f"work/{DROP}/x.csv"]
    folders.release(DROP, "x.csv", "")
    assert files_below(tmp_path) == ["inbox/x.csv", "inbox/x.csv.done"]


def test_a_claim_across_file_systems_is_a_verified_copy(tmp_path, other_disk):
    content = os.urandom(3_000_001)
    folders = Folders(tmp_path, other_disk, tmp_path / "outbox")
    folders.prepare()
    assert not folders.same_file_system
    (other_disk / "x.csv").write_bytes(content)
    os.utime(other_disk / "x.csv", ns=(5, 5))
    claimed = claim_one(folders, seen(other_disk / "x.csv"), DROP)
    assert claimed is not None
    assert claimed.read_bytes() == content
    assert claimed.stat().st_mtime_ns == 5
    assert list(other_disk.iterdir()) == []
    assert files_below(tmp_path) == [f"work/{DROP}/x.csv"]


def test_a_release_across_file_systems_replaces_nothing_either(tmp_path, other_disk):
    folders = Folders(tmp_path, other_disk, tmp_path / "outbox")
    folders.prepare()
    (other_disk / "x.csv").write_bytes(ROWS)
    claim_one(folders, seen(other_disk / "x.csv"), DROP)
    (other_disk / "x.csv").write_bytes(b"a namesake")
    assert folders.release(DROP, "x.csv", "") == other_disk / "x (2).csv"
    assert files_below(other_disk) == ["x (2).csv", "x.csv"]
    assert (other_disk / "x.csv").read_bytes() == b"a namesake"
    assert folders.leftovers() == []


def test_a_kill_between_copy_and_unlink_across_file_systems_loses_nothing(tmp_path, other_disk):
    folders = Folders(tmp_path, other_disk, tmp_path / "outbox")
    folders.prepare()
    source = other_disk / "x.csv"
    source.write_bytes(ROWS)
    work = tmp_path / "work" / DROP
    work.mkdir()
    (work / ".copy.tmp").write_bytes(ROWS[:5])  # a half copy, and then
    shutil.copy2(source, work / "x.csv")  # a whole one: the source was not unlinked yet
    assert claim_one(folders, seen(source), DROP) == work / "x.csv"
    assert files_below(tmp_path) == [f"work/{DROP}/x.csv"]
    assert not source.exists()


def test_a_release_never_replaces_a_namesake(tmp_path):
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    ready_file(tmp_path, "x.csv", content=b"newer")
    ready_file(tmp_path, "x (2).csv", content=b"newest")
    assert folders.release(DROP, "x.csv", "").name == "x (3).csv"
    assert (tmp_path / "inbox" / "x.csv").read_bytes() == b"newer"
    assert (tmp_path / "inbox" / "x (3).csv").read_bytes() == ROWS


def test_a_release_makes_a_courier_folder_that_was_removed(tmp_path):
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv", "acme"), DROP)
    (tmp_path / "inbox" / "acme").rmdir()
    assert folders.release(DROP, "x.csv", "acme").read_bytes() == ROWS


def test_a_kill_between_link_and_unlink_of_a_release_leaves_one_file(tmp_path):
    folders = make_folders(tmp_path)
    claimed = claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    os.link(claimed, tmp_path / "inbox" / "x.csv")  # the first half
    assert folders.release(DROP, "x.csv", "") == tmp_path / "inbox" / "x.csv"
    assert folders.release(DROP, "x.csv", "") == tmp_path / "inbox" / "x.csv"
    assert files_below(tmp_path) == ["inbox/x.csv"]
    assert folders.leftovers() == []


def test_a_file_system_without_links_still_replaces_nothing(tmp_path, monkeypatch):
    def no_links(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    ready_file(tmp_path, "x.csv", content=b"newer")
    monkeypatch.setattr(os, "link", no_links)
    assert folders.release(DROP, "x.csv", "").name == "x (2).csv"
    (tmp_path / "mine.csv").write_bytes(b"mine")
    assert folders.put(tmp_path / "mine.csv", "", name="x.csv").name == "x (3).csv"
    assert files_below(tmp_path / "inbox") == ["x (2).csv", "x (3).csv", "x.csv"]
    assert (tmp_path / "inbox" / "x (2).csv").read_bytes() == ROWS


def test_a_digest_is_of_the_bytes(tmp_path):
    content = os.urandom(2_500_000)
    ready = ready_file(tmp_path, "x.csv", content=content)
    digest = Folders.digest(path_of(tmp_path, ready))
    assert digest.sha256 == hashlib.sha256(content).hexdigest()
    assert digest.size == len(content)


def test_a_file_that_is_open_for_writing_is_neither_claimed_nor_hashed(tmp_path):
    folders = make_folders(tmp_path)
    ready = ready_file(tmp_path, "x.csv")
    with path_of(tmp_path, ready).open("ab"):
        assert claim_one(folders, ready, DROP) is None
    assert folders.leftovers() == []
    claimed = claim_one(folders, ready, DROP)
    with claimed.open("ab"), pytest.raises(DropChanged, match="still being written"):
        folders.digest(claimed)
    digest = folders.digest(claimed)
    with claimed.open("ab") as upload:
        upload.write(b"2,Delivered\n")
    assert folders.digest(claimed) != digest
    claimed.unlink()
    with pytest.raises(DropChanged):
        folders.digest(claimed)


def test_a_file_that_changes_while_it_is_hashed_goes_back_to_waiting(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(bytes(64_000_000))
    stop = threading.Event()
    started = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as upload:
            while not stop.is_set():
                upload.write(b"x")
                started.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(10)
        with pytest.raises(DropChanged):
            Folders.digest(path)
    finally:
        stop.set()
        writer.join()


def test_a_digest_follows_no_link_and_waits_for_no_pipe(tmp_path):
    (tmp_path / "x.csv").write_bytes(ROWS)
    (tmp_path / "link.csv").symlink_to("x.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("link.csv", "pipe.csv"):
        with pytest.raises(StorageError):
            Folders.digest(tmp_path / name)
    with pytest.raises(DropChanged):
        Folders.digest(tmp_path / "gone.csv")


def test_the_outbox_mirrors_the_courier_folders_and_shows_whole_files_only(tmp_path):
    folders = make_folders(tmp_path)
    beside: list[list[str]] = []

    def chunks() -> Iterator[bytes]:
        yield b"one,"
        beside.append([one for one in listed(tmp_path / "outbox" / "acme") if one[0] != "."])
        yield b"two"

    path = folders.outbox.write("acme", f"x__{DROP}.results.csv", chunks())
    assert path == tmp_path / "outbox" / "acme" / f"x__{DROP}.results.csv"
    assert path.read_bytes() == b"one,two"
    assert beside == [[]]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
    folders.outbox.write("acme", path.name, [b"replaced"])
    assert path.read_bytes() == b"replaced"
    assert listed(path.parent) == [path.name]
    folders.outbox.remove("acme", path.name)
    folders.outbox.remove("acme", path.name)
    assert listed(path.parent) == []


def test_a_report_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path):
    folders = make_folders(tmp_path)
    folders.outbox.write("", "x.csv", [b"old"])

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the row could not be told")

    with pytest.raises(RuntimeError, match="could not be told"):
        folders.outbox.write("", "x.csv", chunks())
    assert listed(tmp_path / "outbox") == ["x.csv"]
    assert (tmp_path / "outbox" / "x.csv").read_bytes() == b"old"


def test_what_a_kill_leaves_in_the_outbox_is_overwritten_not_piled_up(tmp_path):
    folders = make_folders(tmp_path)
    (tmp_path / "outbox" / ".x.csv.tmp").write_bytes(b"half of an earlier attempt")
    folders.outbox.write("", "x.csv", [b"whole"])
    assert listed(tmp_path / "outbox") == ["x.csv"]
    assert (tmp_path / "outbox" / "x.csv").read_bytes() == b"whole"


def test_a_file_too_large_for_the_disk_is_a_storage_error_and_leaves_no_half(tmp_path):
    make_folders(tmp_path)
    script = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from pipeline.storage.root_folders import Folders, PutAway
        from pipeline.core.errors import StorageError

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        root = Path(sys.argv[1])
        folders = Folders(root, root / "inbox", root / "outbox")
        try:
            folders.outbox.write("", "x.csv", [bytes(60_000)] * 3)
        except StorageError as error:
            print(error)
    """)
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "Cannot write" in run.stdout
    assert listed(tmp_path / "outbox") == []


def test_a_full_disk_says_what_to_do(tmp_path):
    def fill() -> None:
        with (
            storing("write", tmp_path / "a\nb.csv"),
            Path("/dev/full").open("wb", buffering=0) as full,
        ):
            full.write(b"x")

    with pytest.raises(StorageError, match=r"a\\nb.csv: No space left") as refused:
        fill()
    assert "free some space" in refused.value.hint


def test_an_archived_file_lies_under_its_day_and_its_work_is_cleared(tmp_path):
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    kept = archived(folders, DROP, "x.csv", DAY)
    assert kept == tmp_path / "archive" / "2026" / "03" / "07" / DROP / "x.csv"
    assert kept.read_bytes() == ROWS
    assert folders.leftovers() == []
    assert archived(folders, DROP, "x.csv", DAY) == kept
    assert files_below(tmp_path) == [f"archive/2026/03/07/{DROP}/x.csv"]


def test_a_quarantined_file_keeps_its_name_under_its_drop(tmp_path):
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv", "acme"), DROP)
    kept = quarantined(folders, DROP, "x.csv")
    assert kept == tmp_path / "quarantine" / DROP / "x.csv"
    assert quarantined(folders, DROP, "x.csv") == kept
    assert files_below(tmp_path) == [f"quarantine/{DROP}/x.csv"]


def test_an_archive_on_another_disk_gets_a_verified_copy(tmp_path, other_disk):
    (tmp_path / "archive").symlink_to(other_disk)
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    assert archived(folders, DROP, "x.csv", DAY).read_bytes() == ROWS
    assert files_below(other_disk) == [f"2026/03/07/{DROP}/x.csv"]
    assert folders.leftovers() == []


def test_what_we_do_not_know_in_a_work_folder_is_never_deleted(tmp_path):
    folders = make_folders(tmp_path)
    claim_one(folders, ready_file(tmp_path, "x.csv"), DROP)
    archived(folders, DROP, "another name.csv", DAY)
    assert folders.claimed_path(DROP, "x.csv").read_bytes() == ROWS


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "", "nul\0"])
def test_no_name_leads_out_of_the_root(tmp_path, name):
    folders = make_folders(tmp_path)
    (tmp_path / "mine.csv").write_bytes(ROWS)
    attempts = [
        lambda: folders.claimed_path(name, "x.csv"),
        lambda: folders.claimed_path(DROP, name),
        lambda: folders.release(DROP, name, ""),
        lambda: archived(folders, name, "x.csv", DAY),
        lambda: quarantined(folders, DROP, name),
        lambda: folders.outbox.write("", name, [b""]),
        lambda: folders.outbox.remove("", name),
        lambda: folders.put(tmp_path / "mine.csv", "", name=name),
    ]
    if name:  # "" is the inbox itself
        attempts.append(lambda: folders.outbox.write(name, "x", [b""]))
        attempts.append(lambda: folders.put(tmp_path / "mine.csv", name))
        attempts.append(lambda: folders.release(DROP, "x.csv", name))
    for attempt in attempts:
        with pytest.raises(UsageError):
            attempt()
    assert files_below(tmp_path) == ["mine.csv"]


class GivenUp:
    """The presence of a worker that was silent for too long."""

    name = "host-a1b2c3"

    def require_valid(self) -> None:
        raise Fenced("This worker was given up.")


def test_a_worker_that_was_given_up_changes_nothing_when_it_wakes(tmp_path):
    before = make_folders(tmp_path, done_marker=".done")
    claim_one(before, ready_file(tmp_path, "mine.csv", "acme"), DROP)
    before.outbox.write("acme", "mine.json", [b"as it was"])
    waiting = ready_file(tmp_path, "waiting.csv", "acme")
    (tmp_path / "inbox" / "acme" / "waiting.csv.done").touch()
    folders = make_folders(tmp_path, done_marker=".done", presence=GivenUp())
    there = {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)}
    thing = PutAway(drop_id=DROP, name="mine.csv", day=DAY)
    for act in (
        lambda: folders.claim_all([(waiting, "d2")]),
        lambda: folders.release(DROP, "mine.csv", "acme"),
        lambda: folders.put_away(thing),
        lambda: archived(folders, DROP, "mine.csv", DAY),
        lambda: quarantined(folders, DROP, "mine.csv"),
        lambda: folders.outbox.write("acme", "mine.json", [b"another"]),
        lambda: folders.outbox.write("acme", "more.json", [b"another"]),
        lambda: folders.outbox.remove("acme", "mine.json"),
    ):
        with pytest.raises(Fenced):
            act()
        now = {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)}
        assert now == there
    (failed,) = folders.put_away_all([thing])
    assert isinstance(failed, Fenced)
    assert {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)} == there


def test_free_space_is_what_the_file_system_leaves_us(tmp_path):
    folders = make_folders(tmp_path)
    status = os.statvfs(tmp_path)
    for _ in range(100):  # others write there as well: until nothing changed in between
        before, free, after = os.statvfs(tmp_path), folders.free_bytes(), os.statvfs(tmp_path)
        if before.f_bavail == after.f_bavail:
            break
    assert free == after.f_bavail * status.f_frsize  # not what only root may use


def test_free_space_is_that_of_the_fullest_place(tmp_path, other_disk):
    """The outbox on a share of its own, and a file system that has no free inode left."""
    folders = Folders(tmp_path, tmp_path / "inbox", other_disk)
    folders.prepare()

    def bytes_of(path: Path) -> int:
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    least = min((tmp_path, other_disk), key=bytes_of)
    assert folders.free_bytes() == pytest.approx(bytes_of(least), abs=64 << 20)


def test_without_a_free_inode_there_is_no_space(tmp_path, monkeypatch):
    folders = make_folders(tmp_path)
    real = os.statvfs(tmp_path)
    fields = {name: getattr(real, name) for name in dir(real) if name.startswith("f_")}

    def full(**values: int) -> SimpleNamespace:
        return SimpleNamespace(**fields | values)

    monkeypatch.setattr(os, "statvfs", lambda _: full(f_files=10, f_favail=0, f_ffree=3))
    assert folders.free_bytes() == 0
    monkeypatch.setattr(os, "statvfs", lambda _: full(f_files=0, f_favail=0, f_bavail=7))
    assert folders.free_bytes() == 7 * real.f_frsize  # it does not count them


def test_a_submitted_file_appears_whole_and_replaces_nothing(tmp_path):
    folders = make_folders(tmp_path)
    ready_file(tmp_path, "x.csv", "acme", b"waiting")
    (tmp_path / "x.csv").write_bytes(ROWS)
    assert folders.put(tmp_path / "x.csv", "acme") == tmp_path / "inbox" / "acme" / "x (2).csv"
    assert folders.put(tmp_path / "x.csv", "acme", name="y.csv").read_bytes() == ROWS
    assert (tmp_path / "inbox" / "acme" / "x.csv").read_bytes() == b"waiting"
    assert (tmp_path / "x.csv").read_bytes() == ROWS
    assert len(listed(tmp_path / "inbox" / "acme")) == 3


def test_a_submitted_file_is_marked_done_where_markers_are_waited_for(tmp_path):
    folders = make_folders(tmp_path, done_marker=".ok")
    (tmp_path / "x.csv").write_bytes(ROWS)
    folders.put(tmp_path / "x.csv", "")
    inbox = Inbox(
        tmp_path / "inbox",
        settle_seconds=0,
        incomplete_seconds=60,
        done_marker=".ok",
        monotonic=lambda: 0.0,
    )
    assert [one.name for one in inbox.scan().ready] == ["x.csv"]
    with pytest.raises(UsageError, match="mark a finished upload"):
        folders.put(tmp_path / "x.csv", "", name="y.ok")


def test_a_kill_between_link_and_unlink_of_a_submission_shows_the_file_once(tmp_path):
    make_folders(tmp_path)
    temporary = tmp_path / "inbox" / ".shipdrop-0123456789abcdef.tmp"
    temporary.write_bytes(ROWS)
    os.link(temporary, tmp_path / "inbox" / "x.csv")
    inbox = Inbox(
        tmp_path / "inbox",
        settle_seconds=0,
        incomplete_seconds=60,
        done_marker="",
        monotonic=lambda: 0.0,
    )
    assert [one.name for one in inbox.scan().ready] == ["x.csv"]


def test_what_cannot_be_submitted_is_refused_before_anything_is_copied(tmp_path):
    folders = make_folders(tmp_path)
    (tmp_path / "x.csv").write_bytes(ROWS)
    (tmp_path / "x.csv.part").write_bytes(ROWS)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UsageError, match="never be picked up"):
        folders.put(tmp_path / "x.csv.part", "")
    with pytest.raises(UsageError, match="not scanned"):
        folders.put(tmp_path / "x.csv", "x.csv")
    with pytest.raises(UsageError, match="Not a regular file"):
        folders.put(tmp_path / "pipe.csv", "")
    with pytest.raises(UsageError, match="No such file"):
        folders.put(tmp_path / "gone.csv", "")
    with pytest.raises(UsageError, match="cannot be read"):
        folders.put(tmp_path, "")
    assert files_below(tmp_path / "inbox") == []


def test_many_submissions_under_one_name_all_arrive(tmp_path):
    folders = make_folders(tmp_path)
    sources = []
    for number in range(20):
        sources.append(tmp_path / f"{number}.csv")
        sources[-1].write_bytes(b"%d" % number)
    threads = [
        threading.Thread(target=folders.put, args=(source, ""), kwargs={"name": "x.csv"})
        for source in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrived = {one.read_bytes() for one in (tmp_path / "inbox").iterdir()}
    assert arrived == {b"%d" % number for number in range(20)}


def test_a_kill_in_the_middle_of_the_moves_loses_no_file_and_doubles_none(tmp_path):
    make_folders(tmp_path)
    for number in range(300):
        ready_file(tmp_path, f"f{number:03d}.csv", content=b"%d" % number)
    script = textwrap.dedent("""
        import sys
        from datetime import date
        from pathlib import Path
        from pipeline.storage.root_folders import Folders, PutAway
        from pipeline.inbox.scan import Inbox

        root = Path(sys.argv[1])
        folders = Folders(root, root / "inbox", root / "outbox")
        inbox = Inbox(root / "inbox", settle_seconds=0, incomplete_seconds=60, done_marker="",
                      monotonic=lambda: 0.0)
        for number, ready in enumerate(inbox.scan().ready):
            drop_id = f"d{number:03d}"
            folders.claim_all([(ready, drop_id)])
            if number % 3 == 0:
                day = date(2026, 3, 7)
                folders.put_away(PutAway(drop_id=drop_id, name=ready.name, day=day))
            elif number % 3 == 1:
                folders.release(drop_id, ready.name, "")
            print(number, flush=True)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as run:
        for _ in range(40):
            assert run.stdout.readline()
        run.send_signal(signal.SIGKILL)
    places: dict[bytes, set[int]] = {}
    for name in files_below(tmp_path):
        path = tmp_path / name
        places.setdefault(path.read_bytes(), set()).add(path.stat().st_ino)
    assert set(places) == {b"%d" % number for number in range(300)}
    assert all(len(inodes) == 1 for inodes in places.values())
