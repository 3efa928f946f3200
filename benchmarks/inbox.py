"""The measures of the inbox: a flood that waits, a service with nothing to do, the first call."""

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from time import perf_counter, sleep

import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.cases import ROWS_PER_CALL, Bench, service
from benchmarks.data import write_manifest
from benchmarks.measure import RunBrokeError
from benchmarks.product import Setup
from benchmarks.server import Server, serving
from benchmarks.table import Line, at_least, at_most, plain

_ARCHIVED = 50_000
_IGNORED = 1_000


def waiting(bench: Bench) -> list[Line]:
    """Ten thousand small files that wait at the start; memory against a tenth of them."""
    case, files = "waiting", bench.size(10_000)
    with serving() as server:
        few = _flood(bench, server, case, files // 10)
        many = _flood(bench, server, case, files)
    return [
        plain(case, f"{files:,} files of 20 rows, whole command", many[0], " s"),
        at_least(case, "files per second of the whole (issue 5)", files / many[0], 80, "/s"),
        plain(case, "processor time of it", many[1], " s"),
        plain(case, "peak memory", many[2], " MB"),
        at_most(case, f"peak memory against {files // 10:,} files", many[2] / few[2], 1.15, "x"),
    ]


def idle(bench: Bench) -> list[Line]:
    """A full archive, ignored files in the inbox, and nothing to do."""
    case, seconds = "idle", 5 if bench.quick else 30
    with serving() as server:
        setup = bench.fresh(case, server.url)
        _fill(setup, bench.size(_ARCHIVED), bench.size(_IGNORED))
        with service(setup) as process:
            watched = psutil.Process(process.pid)
            _until_it_rests(watched)
            before, began = _spent(watched), perf_counter()
            sleep(seconds)
            spent, passed = _spent(watched) - before, perf_counter() - began
    share = 100 * spent / passed
    words = f"{bench.size(_ARCHIVED):,} archived, {bench.size(_IGNORED):,} ignored"
    return [at_most(case, f"of one core, {words} (issue 5)", share, 1, " %")]


def outage(bench: Bench) -> list[Line]:
    """A service behind an outage, and drops that wait for one another there."""
    case, seconds, files = "outage", 5 if bench.quick else 30, bench.size(200)
    setup = bench.fresh(case, "http://127.0.0.1:9")  # nobody listens
    for number in range(files):
        write_manifest(setup.inbox / f"f{number:05}.csv", ROWS_PER_CALL, seed=1)
    with service(setup) as process:
        watched = psutil.Process(process.pid)
        deadline = perf_counter() + 300
        while len(setup.summaries()) < files:
            if perf_counter() > deadline:
                raise RunBrokeError("Not every file was reported within five minutes.")
            sleep(0.5)
        _until_it_rests(watched)
        before, began = _spent(watched), perf_counter()
        sleep(seconds)
        spent, passed = _spent(watched) - before, perf_counter() - began
    words = f"of one core, {files:,} drops with the same orders, two probes in {seconds} s"
    return [at_most(case, words, 100 * spent / passed, 1, " %")]


def first_call(bench: Bench) -> list[Line]:
    """A file of 20 rows, from its rename to the arrival of its first call, at an idle service."""
    case, files = "first-call", 10 if bench.quick else 30
    took: list[float] = []
    with serving() as server:
        setup = bench.fresh(case, server.url)
        with service(setup):
            for number in range(files + 2):
                seconds = _one(setup, server, number)
                if number >= 2:
                    took.append(1000 * seconds)
    return [
        at_most(
            case, f"rename to first call, median of {files} (issue 5)", median(took), 100, " ms"
        ),
        plain(case, "the same, 95th percentile", quantiles(took, n=20)[-1], " ms"),
    ]


INBOX_CASES: Mapping[str, Callable[[Bench], list[Line]]] = {
    "waiting": waiting,
    "idle": idle,
    "first-call": first_call,
    "outage": outage,
}


def _flood(bench: Bench, server: Server, case: str, files: int) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak MB of ``run --once`` over so many files."""
    setup = bench.fresh(case, server.url)
    for number in range(files):
        write_manifest(setup.inbox / f"f{number:05}.csv", ROWS_PER_CALL, seed=number + 1)
    ran = setup.run_once(rows=files * ROWS_PER_CALL)
    return ran.seconds, ran.cpu, ran.peak_mb


def _fill(setup: Setup, archived: int, ignored: int) -> None:
    for number in range(archived):
        day = setup.root / "archive" / "2026" / f"{number % 12 + 1:02}" / f"{number % 28 + 1:02}"
        folder = day / f"d20260101t000000000{number:05}"
        folder.mkdir(parents=True)
        (folder / "a.csv").touch()
    for number in range(ignored):
        (setup.inbox / f"upload-{number}.csv.part").touch()


def _spent(process: psutil.Process) -> float:
    """Processor seconds of a process and its children."""
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


def _until_it_rests(process: psutil.Process) -> None:
    """Wait for the end of its start: hardly any processor time within a second."""
    for _ in range(60):
        before = _spent(process)
        sleep(1)
        if _spent(process) - before < 0.05:
            return
    raise RunBrokeError("The service did not come to rest within a minute.")


def _one(setup: Setup, server: Server, number: int) -> float:
    hidden = setup.inbox / f".c{number}.part"
    write_manifest(hidden, ROWS_PER_CALL, seed=number + 1)
    sleep(0.7)
    server.reset()
    began = perf_counter()
    hidden.rename(setup.inbox / f"c{number}.csv")
    deadline = began + 60
    while not (stats := server.stats())["calls"]:
        if perf_counter() > deadline:
            raise RunBrokeError(f"No call for c{number}.csv within a minute.")
        sleep(0.02)
    # One clock for all processes of a machine: what perf_counter is on Linux.
    return float(stats["first"]) - began
