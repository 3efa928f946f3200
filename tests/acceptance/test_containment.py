"""A file is read in a process of its own: what it does there costs one refusal, nothing else."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, sheet, until
from tests.fakes import hostile_files


def readers(service: Running) -> list[psutil.Process]:
    """The processes that a service has read files in: below it, or forked for it in its folder."""
    began, here = service.process.pid, service.out_path.parent
    starter = psutil.Process(began).parent()
    assert starter
    below = starter.children(recursive=True)
    return [each for each in below if each.pid != began and stands_in(each, here)]


def stands_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def gone(process: psutil.Process) -> bool:
    """Return whether a process has ended with all its threads: until then its pipes are open."""
    try:
        if not process.is_running():
            return True
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def reads(process: psutil.Process, name: str) -> bool:
    try:
        return any(Path(file.path).name == name for file in process.open_files())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def at(service: Running, name: str, *, but: Sequence[int] = ()) -> psutil.Process:
    """The process that has this file open, as soon as there is one."""
    found = until(
        lambda: [each for each in readers(service) if each.pid not in but and reads(each, name)],
        what=f"a process that reads {name}",
    )
    return found[0]


def opened(pid: int) -> list[str]:
    """What a process has open, but for connections to the API and to the ledger, which it pools."""
    paths = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            paths.append(str(each.readlink()).partition(":")[0])
    return sorted(path for path in paths if path != "socket" and "/ledger" not in path)


def in_state(pid: int, root: Root) -> list[str]:
    """Return the files of a drop that it has open while it works on it."""
    return [path for path in opened(pid) if path.startswith(str(root.path / "state" / "drops"))]


def at_rest(*pids: int) -> list[list[str]] | None:
    """Return the files that these processes have open; None while that changes."""
    first = [opened(pid) for pid in pids]
    time.sleep(0.2)  # longer than it takes to write the pulse, which comes and goes
    return first if [opened(pid) for pid in pids] == first else None


def codes(root: Root) -> dict[str, str]:
    return {
        each.summary["source_file"]: (each.summary["refused"] or {"code": "read"})["code"]
        for each in root.delivered()
    }


def test_each_hostile_file_costs_one_refusal(root: Root, api: SandboxHandle) -> None:
    """Ten gigabytes of zeros, a native reader's abort, memory without end, time without end."""
    root.configure(inbox__read_memory_mb=400, inbox__read_seconds=1)
    root.drop("a.csv", orders(2, prefix="A"))
    root.drop("bomb.xlsx", hostile_files.bomb(10))
    root.drop("far.xlsb", hostile_files.far_apart_xlsb())
    root.drop("wide.ods", hostile_files.repeating_ods(200_000, 100))
    root.drop("long.xlsx", hostile_files.long_xlsx(12))
    root.drop("z.csv", orders(3, prefix="Z"))
    ran = root.once()
    assert ran.code == 4
    assert codes(root) == {
        "a.csv": "read",
        "bomb.xlsx": "UNSAFE_WORKBOOK",
        "far.xlsb": "PROCESSING_FAILED",
        "wide.ods": "READ_TOO_LARGE",
        "long.xlsx": "READ_TOO_LONG",
        "z.csv": "read",
    }
    assert root.of("a").counts == {"accepted": 2}
    assert root.of("z").counts == {"accepted": 3}
    died = [line["signal"] for line in ran.logs if line["event"] == "drop.reader_died"]
    assert died == [signal.SIGABRT] * 3, "a file that ends its reader is tried three times"
    assert "Traceback" not in ran.err
    assert root.files("inbox") == root.files("work") == []
    assert not [name for name in root.files("state/drops") if not name.endswith("bodies.json")]
    assert api.stats()["accepted"] == 5


def test_map_is_contained_as_well(root: Root) -> None:
    root.configure(inbox__read_memory_mb=400, inbox__read_seconds=1)
    files = {
        "far.xlsb": (hostile_files.far_apart_xlsb(), "failed"),
        "wide.ods": (hostile_files.repeating_ods(200_000, 100), "memory"),
    }
    for name, (content, told) in files.items():
        root.path.joinpath(name).write_bytes(content)
        ran = root.run("map", name, "--courier", "acme")
        assert ran.code == 4, ran.err
        assert told in ran.err
        assert "Traceback" not in ran.err
        assert not root.path.joinpath("acme.toml").exists()


def test_check_is_contained_as_well(root: Root) -> None:
    files = {
        "far.xlsb": hostile_files.far_apart_xlsb(),
        "wide.ods": hostile_files.repeating_ods(200_000, 100),
        "fine.csv": orders(2).encode(),
    }
    for name, data in files.items():
        (root.path / name).write_bytes(data)
    ran = root.run("check", "--json", *files, env={"SHIPDROP_INBOX__READ_MEMORY_MB": "400"})
    assert ran.code == 4
    refused = [(each["refused"] or {"code": ""})["code"] for each in ran.json]
    assert refused == ["PROCESSING_FAILED", "READ_TOO_LARGE", ""]


def test_a_reader_that_is_killed_costs_a_try(root: Root, api: SandboxHandle) -> None:
    root.configure(inbox__max_rows=20_000)  # so that no report is as long
    service = root.start("run")
    root.drop("slow.xlsx", hostile_files.long_xlsx(1))
    first = at(service, "slow.xlsx")
    first.kill()
    at(service, "slow.xlsx", but=[first.pid])
    root.drop("other.csv", orders(2))
    until(lambda: len(root.delivered()) == 2, what="both summaries")
    assert codes(root) == {"slow.xlsx": "TOO_MANY_ROWS", "other.csv": "read"}
    ran = service.end()
    assert ran.code == 0
    assert [x["signal"] for x in ran.logs if x["event"] == "drop.reader_died"] == [signal.SIGKILL]


def test_no_reader_outlives_the_service_however_it_ends(root: Root) -> None:
    root.drop("slow.xlsx", hostile_files.long_xlsx(16))
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        # Start in full: the reader is to be a child of the service, as outside of tests.
        root.new_interpreter = number == signal.SIGKILL
        service = root.start("run")
        reader = at(service, "slow.xlsx")
        service.send(number)
        until(lambda reader=reader: gone(reader), what=f"the end of the reader after {number}")
        assert service.wait().code == code
        assert not root.delivered()
        last_sheet = list(root.path.glob("state/drops/*/rows-15.arrow"))
        assert not last_sheet, "it read on to the file's end, and ended only then"
    (tries,) = root.path.glob("state/drops/*/tries")
    assert tries.stat().st_size == 1, "only the kill might have been the file's fault"


def test_the_reader_holds_nothing_of_ours_and_signals_for_us_do_not_disturb_it(root: Root) -> None:
    """A supervisor signals all processes of a service, and a terminal those of its group."""
    service = root.start("run")
    root.drop("first.csv", orders(1))
    until(root.delivered, what="its summary")
    (reader,) = readers(service)
    assert not [name for name in reader.environ() if name.startswith("SHIPDROP_")]
    assert not [file.path for file in reader.open_files()]
    assert not reader.net_connections()
    assert os.getpgid(reader.pid) != os.getpgid(service.process.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        reader.send_signal(number)
    root.drop("second.csv", orders(1, prefix="B"))
    until(lambda: len(root.delivered()) == 2, what="its summary")
    assert [each.pid for each in readers(service)] == [reader.pid]
    reader.kill()  # between two files
    until(lambda: gone(reader), what="its end")
    root.drop("third.csv", orders(1, prefix="C"))
    until(lambda: len(root.delivered()) == 3, what="its summary")
    assert codes(root) == {f"{name}.csv": "read" for name in ("first", "second", "third")}
    ran = service.end()
    assert "Traceback" not in ran.err
    assert not [line for line in ran.logs if line["event"] == "drop.reader_died"]


def test_many_files_are_read_by_one_process_and_nothing_piles_up(root: Root) -> None:
    service = root.start("run")
    root.drop("first.csv", orders(1, prefix="FIRST"))
    until(lambda: root.files("archive") and not root.files("work"), what="its place in the archive")
    until(lambda: not in_state(service.process.pid, root), what="nothing of it is open")
    (reader,) = readers(service)
    before = until(lambda: at_rest(service.process.pid, reader.pid), what="its rest")
    for number in range(40):
        root.drop(f"f{number}.csv", orders(2, prefix=f"F{number}-"))
    until(lambda: len(list(root.outbox.glob("*.summary.json"))) == 41, what="all summaries")
    assert [each.pid for each in readers(service)] == [reader.pid]
    for number in range(3):
        readers(service)[0].kill()
        root.drop(f"g{number}.csv", orders(2, prefix=f"G{number}-"))
        last = f"g{number}__*.summary.json"
        until(lambda last=last: any(root.outbox.glob(last)), what="its summary")
    (reader,) = readers(service)
    after: list[list[list[str]] | None] = []

    def as_before() -> bool:
        after.append(at_rest(service.process.pid, reader.pid))
        return after[-1] == before

    with contextlib.suppress(AssertionError):  # the next line shows what is open instead
        until(as_before, what="the same open files as before")
    assert after[-1] == before
    assert service.end().code == 0


def test_what_lies_in_the_current_folder_is_not_taken_for_a_program(tmp_path: Path) -> None:
    """Whoever checks a file where it was received stands among files of strangers."""
    (tmp_path / "fine.csv").write_text(orders(2))
    for module in ("pandas", "pandera", "orjson", "pipeline", "resource"):
        (tmp_path / f"{module}.py").write_text("open('executed', 'w').close()")
    shipdrop = Path(sys.executable).with_name("shipdrop")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SHIPDROP")}
    ran = subprocess.run(
        [shipdrop, "check", "fine.csv"], cwd=tmp_path, env=ours, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr
    assert not (tmp_path / "executed").exists()


def test_drops_that_share_orders_keep_their_order_although_read_ahead(root: Root) -> None:
    """Later files are read while earlier ones are planned; what is sent follows the claims."""
    steps = ("Picked Up", "Delivered")
    for number in range(12):
        status = steps[0] if number < 6 else steps[1]
        root.drop(f"n{number:02}.csv", sheet([f"S{n}", status] for n in range(10)))
    assert root.once().code == 0
    first, *others = root.delivered()
    assert first.counts == {"accepted": 10}
    assert [each.counts for each in others] == [
        {"accepted" if number == 6 else "duplicate": 10} for number in range(1, 12)
    ]
