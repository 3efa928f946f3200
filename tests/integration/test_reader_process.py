"""Our end of the process that reads, on real files and with real limits."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from pipeline.core.errors import DropRefused, ReadingStopped, StorageError
from pipeline.core.model import Disposition, Facts, Source
from pipeline.planning.plan_input import load
from pipeline.reading.process.protocol import answer_of
from pipeline.reading.process.reader_process import ReaderPool
from pipeline.service.settings import Settings
from pipeline.service.wiring import Site
from pipeline.storage.spool import Spool
from schemas.profile import builtin_profiles
from tests.acceptance.harness import sheet
from tests.forked import forked_and_alive, run_code

CORPORA = Path(
    os.environ.get("SHIPDROP_CORPORA") or Path(__file__).parents[2].parent / "shared" / "corpora"
)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MOST = 500 * 1024 * 1024


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[ReaderPool]:
    with closing(Site(tmp_path, Settings())) as site:
        yield site.readers


def read(reader: ReaderPool, path: Path, spool: Spool) -> Facts:
    source = Source(path=path, name=path.name, named=None, now=NOW)
    return reader.read(source, spool, lambda _: None)


def started() -> list[psutil.Process]:
    """The processes below this one, and those that were forked for it."""
    return [*psutil.Process().children(recursive=True), *map(psutil.Process, forked_and_alive())]


def our_readers() -> set[int]:
    return {each.pid for each in started() if lives(each)}


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def forked(request: pytest.FixtureRequest) -> None:
    """Fork the readers, from a process that is there before anybody counts."""
    run_code("")
    request.getfixturevalue("forked_readers")


def read_and_meanwhile(reader: ReaderPool, folder: Path, act: Callable[[], object]) -> None:
    """Read a file, and do something while it is read: when its reader asks for an earlier drop."""

    def earlier(_: str) -> None:
        act()

    path = folder / "comes_back.csv"
    header = ("_reject_row", "_reject_codes", "_reject_message", "_reject_drop")
    rows = [("2", "ID_MISSING", "", "d20261120-abcdef", "A1", "Delivered")]
    path.write_text(sheet(rows, header=(*header, "Order ID", "Status")))
    source = Source(path=path, name=path.name, named=None, now=NOW)
    reader.read(source, Spool(folder / "back"), earlier)


def put(folder: Path, *rows: tuple[str, ...]) -> Path:
    path = folder / "x.csv"
    path.write_text(sheet(rows))
    return path


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not here")
@pytest.mark.timeout(120)
def test_one_process_outlives_all_real_files_within_the_memory_it_may_take(
    reader: ReaderPool, tmp_path: Path
) -> None:
    before = {each.pid for each in started()}
    endings = set()
    for number, path in enumerate(each for each in CORPORA.rglob("*") if each.is_file()):
        try:
            read(reader, path, Spool(tmp_path / str(number)))
            endings.add("")
        except DropRefused as refusal:
            endings.add(refusal.code.value)
    (process,) = (each for each in started() if each.pid not in before)
    assert int(_status(process.pid, "VmHWM")) * 1024 < MOST
    assert {"HEADER_NOT_FOUND", "UNSAFE_WORKBOOK", "PASSWORD_PROTECTED"} < endings
    assert not {"READ_TOO_LONG", "READ_TOO_LARGE"} & endings


def _status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field))


def test_the_process_limits_itself_as_well(reader: ReaderPool, tmp_path: Path) -> None:
    before = {each.pid for each in started()}
    read(reader, put(tmp_path, ("A1", "Delivered")), Spool(tmp_path / "s"))
    (process,) = (each for each in started() if each.pid not in before)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert 0 < process.rlimit(psutil.RLIMIT_DATA)[0] < 4 * 1024**3
    assert 0 < process.rlimit(psutil.RLIMIT_CPU)[0] < 120
    assert 0 < process.rlimit(psutil.RLIMIT_FSIZE)[0] <= 8 * 1024**3
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) > 0


@pytest.mark.usefixtures("forked")
def test_what_was_read_is_found_in_the_spool(reader: ReaderPool, tmp_path: Path) -> None:
    rows = [("A1", "Delivered"), ("", "Picked Up"), ("Total", ""), ("A3", "Delivered")]
    footer = [("Total", ""), ("", "")]
    spool = Spool(tmp_path / "s")
    facts = read(reader, put(tmp_path, *rows, *footer), spool)
    assert (facts.total, facts.id_bad, facts.rejected, facts.footer) == (4, 1, 2, 1)
    codes = {str(each.code) for each in facts.notices}
    assert codes == {"ID_MISSING", "STATUS_MISSING", "NO_EVENT_TIME"}
    assert all(each.count == 1 for each in facts.notices)
    prepared = load(
        facts, spool, builtin_profiles(), lambda _drops: {}, lambda _drop: {}, source_file=""
    )
    assert prepared.keys.orders.of_rows(slice(None)).to_pylist() == [
        "A1",
        "",
        "Total",
        "A3",
        "Total",
    ]
    sent, rejected, skipped = Disposition.SEND, Disposition.REJECTED, Disposition.SKIPPED
    assert prepared.keys.disposition.tolist() == [sent, rejected, rejected, sent, skipped]
    assert prepared.sheet_of.tolist() == [0] * 5


@pytest.mark.usefixtures("forked")
def test_a_spool_that_holds_something_else_is_not_believed(
    reader: ReaderPool, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "s")
    facts = read(reader, put(tmp_path, ("A1", "Delivered")), spool)
    other = replace(facts, sheets=(replace(facts.sheets[0], rows=2),))
    with pytest.raises(StorageError):
        load(other, spool, builtin_profiles(), lambda _drops: {}, lambda _drop: {}, source_file="")


def test_after_stop_nothing_is_read_and_no_process_started(
    reader: ReaderPool, tmp_path: Path
) -> None:
    before = len(started())
    reader.stop()
    with pytest.raises(ReadingStopped):
        read(reader, put(tmp_path, ("A1", "Delivered")), Spool(tmp_path / "s"))
    assert len(started()) == before


@pytest.mark.usefixtures("forked")
def test_the_process_that_is_there_reads_the_next_file_whoever_asks(
    reader: ReaderPool, tmp_path: Path
) -> None:
    before = our_readers()
    read(reader, put(tmp_path, ("A1", "Delivered")), Spool(tmp_path / "s"))
    first = our_readers() - before
    seen: list[set[int]] = []
    read_and_meanwhile(reader, tmp_path, lambda: seen.append(our_readers() - before))
    assert seen == [first]
    assert len(first) == 1


def test_the_process_outlives_the_thread_that_needed_it_first(
    reader: ReaderPool, tmp_path: Path
) -> None:
    """The kernel ties a child to a thread, and those of the page come and go."""
    before = our_readers()
    path = put(tmp_path, ("A1", "Delivered"))
    asking = threading.Thread(target=read, args=(reader, path, Spool(tmp_path / "s")))
    asking.start()
    asking.join()
    (first,) = our_readers() - before
    assert read(reader, path, Spool(tmp_path / "again")).total == 1
    assert our_readers() - before == {first}


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("in_service", [False, True])
def test_two_files_are_read_at_once_and_one_process_stays(
    reader: ReaderPool, tmp_path: Path, in_service: bool
) -> None:
    before = our_readers()
    if in_service:
        reader.keep_ready()
    small = put(tmp_path, ("A1", "Delivered"))
    seen: list[int] = []

    def another() -> None:
        seen.append(len(our_readers() - before))
        assert read(reader, small, Spool(tmp_path / "s")).total == 1
        seen.append(len(our_readers() - before))

    read_and_meanwhile(reader, tmp_path, another)
    assert seen == [1, 2], "a second process is started when a second file wants it"
    assert len(our_readers() - before) == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b'{"facts": {"total": 1}}', "missing required field `sheets`"),
        (b'{"refused": {"code": "NONE", "message": "", "hint": ""}}', "Invalid enum value 'NONE'"),
        (b'{"refused": {"code": "UNREADABLE", "message": 7, "hint": ""}}', "Expected `str`"),
        (b'{"more": 1}', "unknown field `more`"),
        (b'{"facts": {"sheets": [{"more": 1}]}}', "unknown field `more`"),
        (b'{"ask": "%s"}' % (b"x" * 100_001), "length <= 100000"),
        (b'{"bug": "\xff"}', "can't decode byte 0xff"),
        (b"[]", "Expected `object`, got `array`"),
        (b"\x80\x04K\x01.", "malformed"),
    ],
    ids=[
        "facts that lack most",
        "a code that is none",
        "a number for words",
        "a word more",
        "a word more in a sheet",
        "too long a name",
        "no text",
        "no object",
        "a pickle",
    ],
)
def test_an_answer_of_another_form_is_not_believed(said: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        answer_of(said)
