"""Who has a file open for writing, as the kernel tells it."""

import os
import threading
from pathlib import Path

import pytest

from pipeline.storage.file_systems import Writer, sees_all_files, system_of, writer_of, writers_of
from pipeline.storage.listing import open_regular, open_writers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_bytes(b"Order ID,Status\n")
    return path


@pytest.mark.parametrize("mode", ["ab", "r+b", "wb"])
def test_somebody_who_has_it_open_for_writing_is_seen_until_it_is_closed(file, mode):
    assert open_writers(file) is Writer.NOBODY
    with file.open(mode):
        assert open_writers(file) is Writer.SOMEBODY
    assert open_writers(file) is Writer.NOBODY
    with file.open("rb"):
        assert open_writers(file) is Writer.NOBODY


def test_a_file_that_is_gone_has_nobody_and_one_that_is_renamed_still_has_its_writer(file):
    with file.open("ab"):
        there = file.rename(file.with_name("y.csv"))
        assert open_writers(there) is Writer.SOMEBODY
    assert open_writers(file) is Writer.NOBODY


def test_whoever_opens_it_for_writing_waits_until_the_look_is_over(file):
    opened = threading.Event()

    def write() -> None:
        with file.open("ab"):
            opened.set()

    with open_regular(file) as held:
        assert writer_of(held.fileno()) is Writer.NOBODY
        writer = threading.Thread(target=write)
        writer.start()
        assert not opened.wait(0.3)
    assert opened.wait(10)  # and the kernel's signal about it has not ended us
    writer.join()


def test_it_is_not_told_to_those_who_neither_own_the_file_nor_may_ask(file):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else for a moment")
    with open_regular(file) as held, file.open("ab"):
        os.seteuid(65534)
        try:
            assert writer_of(held.fileno()) is Writer.UNKNOWN
        finally:
            os.seteuid(0)
        assert writer_of(held.fileno()) is Writer.SOMEBODY


def test_a_file_system_is_known_by_its_device_number():
    assert system_of(Path("/proc").stat().st_dev) == "proc"
    assert system_of(0) == ""


def test_those_who_write_are_named_and_those_who_read_are_not(file):
    assert writers_of(file) == writers_of(file.with_name("none.csv")) == []
    with file.open("rb"):
        assert writers_of(file) == []
        with file.open("r+b"):
            (named,) = writers_of(file)
    assert named.startswith(f"process {os.getpid()} (")


def test_whether_a_process_is_told_of_all_files_is_seen_by_its_capability():
    assert sees_all_files(os.getpid()) is (os.geteuid() == 0)
    assert sees_all_files(2**22 + 1) is None
