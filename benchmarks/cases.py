"""The measures, each a function from a bench to lines of the table."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

from benchmarks.bench import Bench, manifest
from benchmarks.data import write_manifest
from benchmarks.lookers import lookers
from benchmarks.measure import Ran, RunBrokeError, run
from benchmarks.pages import pages
from benchmarks.product import Setup
from benchmarks.reading import reading
from benchmarks.server import Server, serving
from benchmarks.table import Line, at_least, at_most, plain

ROWS_PER_CALL = 20

_WARM = 2
"""Small files that come first and do not count: they load what is loaded late."""


def big(bench: Bench) -> list[Line]:
    """A large file, an API that answers at once: the whole command against bare clients."""
    rows, case = bench.size(200_000), "big"
    ran: list[Ran] = []
    bare: list[float] = []
    bare_uvloop: list[float] = []
    script: list[float] = []
    with serving() as server:
        for _ in range(bench.repeat):
            setup, once = _whole_command(bench, server, case, rows)
            ran.append(once)
            bodies = _ready_bodies(bench, setup)
            arguments = (server.url, bodies, "8")
            bare.append(float(bench.rival("bare_aiohttp", *arguments).output))
            bare_uvloop.append(float(bench.rival("bare_aiohttp", *arguments, "uvloop").output))
        httpx = float(bench.rival("bare_httpx", *arguments).output)
        file = str(manifest(bench.base, rows))
        script.append(bench.rival("script", server.url, file).seconds)
    seconds, peak = median(r.seconds for r in ran), max(r.peak_mb for r in ran)
    bench.peaks[case], bench.seconds[case] = peak, seconds
    aiohttp, calls = median(bare), rows / ROWS_PER_CALL
    return [
        plain(case, f"{rows:,} rows, whole command", seconds, " s"),
        plain(case, "processor time of it", median(r.cpu for r in ran), " s"),
        plain(case, "calls per second of the whole", calls / seconds, "/s"),
        plain(case, "bare aiohttp, sending only", aiohttp, " s"),
        plain(case, "bare aiohttp on uvloop, sending only", median(bare_uvloop), " s"),
        plain(case, "bare httpx, sending only", httpx, " s"),
        plain(case, "plain script, whole", script[0], " s"),
        at_most(case, "against bare aiohttp (issue 2)", seconds / aiohttp, 5, "x"),
        at_most(case, "against bare aiohttp (issue 3)", seconds / aiohttp, 3, "x"),
        at_least(case, "faster than the script (issue 3)", script[0] / seconds, 1.8, "x"),
        at_most(case, "peak memory, RSS of the tree", peak, 500, " MB"),
    ]


def million(bench: Bench) -> list[Line]:
    """Five times as many rows: time grows with them, memory does not."""
    rows, case = bench.size(1_000_000), "million"
    with serving() as server:
        setup, ran = _whole_command(bench, server, case, rows)
        bare = float(
            bench.rival("bare_aiohttp", server.url, _ready_bodies(bench, setup), "8").output
        )
    bench.peaks[case] = ran.peak_mb
    lines = [
        plain(case, f"{rows:,} rows, whole command", ran.seconds, " s"),
        at_most(case, "against bare aiohttp (issue 3)", ran.seconds / bare, 3, "x"),
        at_most(case, "peak memory (issue 3)", ran.peak_mb, 600, " MB"),
    ]
    if "big" in bench.peaks:
        lines.append(
            at_most(case, "peak memory against big", ran.peak_mb / bench.peaks["big"], 2, "x")
        )
    return lines


def two_million(bench: Bench) -> list[Line]:
    """Twice as many again: the memory of a million rows within 15 %."""
    rows, case = bench.size(2_000_000), "two-million"
    with serving() as server:
        _, ran = _whole_command(bench, server, case, rows)
    lines = [
        plain(case, f"{rows:,} rows, whole command", ran.seconds, " s"),
        plain(case, "peak memory", ran.peak_mb, " MB"),
    ]
    if "million" in bench.peaks:
        against = ran.peak_mb / bench.peaks["million"]
        lines.append(at_most(case, "peak memory against million (issue 3)", against, 1.15, "x"))
    return lines


def latency(bench: Bench) -> list[Line]:
    """An API that takes 20 ms, 32 calls in flight."""
    rows, case, calls_out = bench.size(20_000), "latency", 32
    share = 10
    seconds: list[float] = []
    rates: list[float] = []
    bare_rates: list[float] = []
    with serving(latency_ms=20) as server:
        for _ in range(bench.repeat):
            setup, ran = _whole_command(bench, server, case, rows, concurrency=calls_out)
            seconds.append(ran.seconds)
            rates.append(_rate(server))
            bodies = _ready_bodies(bench, setup)
            server.reset()
            bench.rival("bare_aiohttp", server.url, bodies, str(calls_out))
            bare_rates.append(_rate(server))
        server.reset()
        file = str(manifest(bench.base, rows // share))
        script_whole = bench.rival("script", server.url, file).seconds
        script_sending = float(server.stats()["seconds"])
    # Only the sending grows with the rows; starting the interpreter does not.
    script = script_whole + (share - 1) * script_sending
    took = median(seconds)
    return [
        plain(case, f"{rows:,} rows, whole command", took, " s"),
        plain(case, f"plain script, from a {share}th of the rows", script, " s"),
        at_least(case, "faster than the script (issue 2)", script / took, 10, "x"),
        at_least(case, "faster than the script (issue 3)", script / took, 12, "x"),
        plain(case, "first call to last answer", median(rates), " calls/s"),
        plain(case, "the same, bare aiohttp", median(bare_rates), " calls/s"),
        at_least(
            case,
            "rate against bare aiohttp (issue 3)",
            100 * median(rates) / median(bare_rates),
            85,
            " %",
        ),
    ]


def small(bench: Bench) -> list[Line]:
    """A file of 20 rows, from its rename to its summary, in a service that runs."""
    case, files = "small", 10 if bench.quick else 30
    with serving() as server:
        setup = bench.fresh(case, server.url)
        with service(setup) as process:
            for number in range(_WARM):
                _one_small(process, setup, number)
            at_rest = [_one_small(process, setup, _WARM + n, pause=0.7) for n in range(files)]
            at_once = [_one_small(process, setup, _WARM + files + n) for n in range(files)]
    return [
        at_most(case, f"rename to summary, median of {files}", 1000 * median(at_rest), 150, " ms"),
        plain(case, "the same, 95th percentile", 1000 * quantiles(at_rest, n=20)[-1], " ms"),
        at_most(case, "straight after another file, median", 1000 * median(at_once), 150, " ms"),
        plain(case, "the same, 95th percentile", 1000 * quantiles(at_once, n=20)[-1], " ms"),
    ]


def dropped(bench: Bench) -> list[Line]:
    """A large file, from its rename to its summary, in a service that runs: the main mode."""
    rows, case = bench.size(200_000), "dropped"
    took: list[float] = []
    bare: list[float] = []
    with serving() as server:
        for number in range(bench.repeat):
            setup = bench.fresh(f"{case}-{number}", server.url)
            with service(setup) as process:
                for each in range(_WARM):
                    _one_small(process, setup, 500 + each)
                hidden = setup.inbox / ".large.part"
                os.link(manifest(bench.base, rows), hidden)
                took.append(_to_summary(process, setup, hidden, "large"))
            bare.append(
                float(
                    bench.rival("bare_aiohttp", server.url, _ready_bodies(bench, setup), "8").output
                )
            )
    seconds, aiohttp = median(took), median(bare)
    return [
        plain(case, f"{rows:,} rows, rename to summary", seconds, " s"),
        at_most(case, "against bare aiohttp", seconds / aiohttp, 2.6, "x"),
    ]


def flood(bench: Bench) -> list[Line]:
    """Many small files that wait at the start."""
    case, files = "flood", bench.size(1_000)
    with serving() as server:
        setup = bench.fresh(case, server.url)
        for number in range(files):
            write_manifest(setup.inbox / f"f{number:04}.csv", ROWS_PER_CALL, seed=number + 1)
        ran = setup.run_once(rows=files * ROWS_PER_CALL)
    return [
        plain(case, f"{files:,} files of 20 rows, whole command", ran.seconds, " s"),
        at_least(case, "files per second of the whole", files / ran.seconds, 50, "/s"),
        plain(case, "peak memory", ran.peak_mb, " MB"),
    ]


def ledger(bench: Bench) -> list[Line]:
    """Measure the ledger in ``big``: time in its transactions against the whole."""
    rows, case = bench.size(200_000), "ledger"
    ran: list[tuple[float, Mapping[str, list[float]]]] = []
    with serving() as server:
        for _ in range(bench.repeat):
            setup = bench.fresh(case, server.url)
            os.link(manifest(bench.base, rows), setup.inbox / "manifest.csv")
            once = setup.run_once(rows=rows, mode="ledger")
            ran.append((once.seconds, json.loads(once.output.strip().splitlines()[-1])))
    ran.sort(key=lambda pair: pair[0])
    seconds, times = ran[len(ran) // 2]
    wall = times["write"][0] + times["read"][0]
    cpu = times["write"][1] + times["read"][1]
    return [
        at_most(
            case, "in transactions and reads, of the whole wall", 100 * wall / seconds, 25, " %"
        ),
        plain(case, "processor time of that, of the whole wall", 100 * cpu / seconds, " %"),
        plain(case, "commits alone, of the whole wall", 100 * times["commit"][0] / seconds, " %"),
        plain(case, "commits", times["commit"][2]),
    ]


def startup(bench: Bench) -> list[Line]:
    """``shipdrop --help``."""
    case = "startup"
    command = [str(Path(sys.executable).with_name("shipdrop")), "--help"]
    waits = [run(command).seconds for _ in range(5 if bench.quick else 10)]
    return [at_most(case, f"shipdrop --help, median of {len(waits)}", median(waits), 0.4, " s")]


def rate(bench: Bench) -> list[Line]:
    """A rate limit of 50 calls a second."""
    case, limit = "rate", 50
    calls = limit * (3 if bench.quick else 10)
    with serving() as server:
        _whole_command(bench, server, case, calls * ROWS_PER_CALL, rate=limit)
        stats = server.stats()
    achieved = (calls - 1) / stats["arrival_seconds"]
    return [
        at_least(case, "asked for 50/s, achieved (issue 3)", achieved, 49, "/s"),
        at_most(case, "the same (issue 3)", achieved, limit, "/s"),
        at_most(case, "most arrivals within any second", stats["most_in_a_second"], limit),
        plain(case, "shortest time between two arrivals", 1000 * stats["shortest_gap"], " ms"),
    ]


def layers(bench: Bench) -> list[Line]:
    """Measure the layers of delivery over 10,000 calls, in processor time of one process."""
    case, rows = "layers", bench.size(200_000)
    with serving() as server:
        setup, _ = _whole_command(bench, server, case, rows)
        bodies = _ready_bodies(bench, setup)
        command = [sys.executable, "-m", "benchmarks.ladder", server.url, bodies, "8"]
        runs = [json.loads(run(command).output) for _ in range(bench.repeat)]
    lines, below = [], 0.0
    for rung in runs[0]:
        cpu = median(each[rung][1] for each in runs)
        lines.append(plain(case, f"{rung}: adds", cpu - below, " s"))
        below = cpu
    return [*lines, plain(case, f"{rows // ROWS_PER_CALL:,} calls, all of it", below, " s")]


def stages(bench: Bench) -> list[Line]:
    """Where the time of ``big`` goes: wall per step of one drop, and memory when it ended."""
    case, rows = "stages", bench.size(200_000)
    ran: list[tuple[float, Mapping[str, list[float]]]] = []
    with serving() as server:
        for _ in range(bench.repeat):
            setup = bench.fresh(case, server.url)
            os.link(manifest(bench.base, rows), setup.inbox / "manifest.csv")
            once = setup.run_once(rows=rows, mode="stages")
            ran.append((once.seconds, json.loads(once.output.strip().splitlines()[-1])))
    ran.sort(key=lambda pair: pair[0])
    seconds, times = ran[len(ran) // 2]
    lines = [
        Line(case=case, measure=label, result=f"{spent[0]:.2f} s", target=f"{spent[3]:.0f} MB")
        for label, spent in sorted(times.items())
    ]
    return [*lines, plain(case, "the whole process", seconds, " s")]


CASES: Mapping[str, Callable[[Bench], list[Line]]] = {
    "startup": startup,
    "big": big,
    "ledger": ledger,
    "latency": latency,
    "small": small,
    "dropped": dropped,
    "flood": flood,
    "rate": rate,
    "million": million,
    "two-million": two_million,
    "layers": layers,
    "stages": stages,
    "reading": lambda bench: reading(bench.base, quick=bench.quick, repeat=bench.repeat),
    "lookers": lookers,
    "pages": pages,
}


def _whole_command(
    bench: Bench, server: Server, case: str, rows: int, *, concurrency: int = 8, rate: float = 0
) -> tuple[Setup, Ran]:
    setup = bench.fresh(case, server.url, concurrency=concurrency, rate=rate)
    os.link(manifest(bench.base, rows), setup.inbox / "manifest.csv")
    server.reset()
    ran = setup.run_once(rows=rows)
    stats = server.stats()
    if stats["items"] != rows:
        raise RunBrokeError(f"The server took {stats['items']} updates instead of {rows}.")
    return setup, ran


def _ready_bodies(bench: Bench, setup: Setup) -> str:
    path = bench.base / "bodies"
    path.write_bytes(b"\0".join(setup.bodies()))
    return str(path)


def _rate(server: Server) -> float:
    stats = server.stats()
    return float(stats["calls"] / stats["seconds"])


@contextmanager
def service(setup: Setup) -> "Iterator[subprocess.Popen[bytes]]":
    """``shipdrop run`` for the length of the block."""
    process = subprocess.Popen(
        setup.command(once=False),
        env={**os.environ, **setup.env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _one_small(
    service: "subprocess.Popen[bytes]", setup: Setup, number: int, *, pause: float = 0
) -> float:
    """Rename a file into the inbox and wait for its summary; the seconds it took.

    ``pause``: how long the service has nothing to do before.
    """
    hidden = setup.inbox / f".s{number}.part"
    write_manifest(hidden, ROWS_PER_CALL, seed=number + 1)
    sleep(pause)
    return _to_summary(service, setup, hidden, f"s{number}")


def _to_summary(service: "subprocess.Popen[bytes]", setup: Setup, hidden: Path, name: str) -> float:
    """Rename a file into the inbox as ``name``; return the seconds until its summary is there."""
    outbox = setup.root / "outbox"
    begins, ends = f"{name}__", ".summary.json"
    began = perf_counter()
    hidden.rename(setup.inbox / f"{name}.csv")
    while perf_counter() - began < 60 and service.poll() is None:
        found = os.listdir(outbox) if outbox.exists() else []  # noqa: PTH208 - names are enough
        if any(each.startswith(begins) and each.endswith(ends) for each in found):
            return perf_counter() - began
        sleep(0.0005)
    raise RunBrokeError(f"No summary of {name}.csv within a minute, or the service ended.")
