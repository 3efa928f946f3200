"""``python -m benchmarks.cluster [--quick]``: workers on a private PostgreSQL, and one run beside.

Needs Debian's PostgreSQL. On a machine that does something else at the same time only the
processor time per chunk means anything.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.data import write_manifest
from benchmarks.measure import RunBrokeError
from benchmarks.product import Setup
from benchmarks.server import Server, serving
from tests.postgres import PrivatePostgres, private_postgres

_PATIENCE = 300.0
_SMALL = 25


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Chunks a second between the first call and the last answer; processor seconds of all."""

    rate: float
    cpu: float
    chunks: int

    def __str__(self) -> str:
        each = self.cpu / self.chunks * 1e6
        return f"{self.rate:,.0f} chunks/s, {each:,.0f} µs of processor a chunk, all processes"


def main() -> None:
    """Print each measure as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the rows")
    parser.add_argument("--only", default="", help="slow, fast or takeover")
    chosen = parser.parse_args()
    part = 4 if chosen.quick else 1
    with tempfile.TemporaryDirectory(prefix="shipdrop-bench-") as base, private_postgres() as pg:
        bench = _Bench(base=Path(base), postgres=pg)
        if chosen.only in {"", "slow"}:
            _slow(bench, 60_000 // part)
        if chosen.only in {"", "fast"}:
            _fast(bench, 200_000 // part)
        if chosen.only in {"", "takeover"}:
            _takeover(bench)
    print(f"load at the end: {os.getloadavg()[0]:.1f}")


@dataclass(frozen=True, kw_only=True)
class _Bench:
    base: Path
    postgres: PrivatePostgres

    def setup(self, server: Server) -> Setup:
        """A root of its own."""
        return Setup.fresh(self.base, f"root{len(list(self.base.iterdir()))}", server.url)


def _slow(bench: _Bench, rows: int) -> None:
    """A server that takes 20 ms, 8 calls in flight for each worker."""
    with serving(20) as server:
        one = _by_workers(bench, server, rows, 1)
        two = _by_workers(bench, server, rows, 2)
    print(f"20 ms, 8 in flight each, one worker:  {one}")
    print(f"20 ms, 8 in flight each, two workers: {two}; {two.rate / one.rate:.2f}× (target 1.8×)")


def _fast(bench: _Bench, rows: int) -> None:
    """A server that answers at once: what engine and ledger cost."""
    with serving(0) as server:
        alone = _by_run(bench, server, rows)
        one = _by_workers(bench, server, rows, 1)
        two = _by_workers(bench, server, rows, 2)
    print(f"at once, embedded:    {alone}")
    print(f"at once, one worker:  {one}; {one.rate / alone.rate:.2f}× (target 0.5×)")
    print(f"at once, two workers: {two}; {two.rate / alone.rate:.2f}×")


def _takeover(bench: _Bench) -> None:
    """From kill -9 of the one that sends to the next call, at default settings."""
    with serving(1500) as server, ExitStack() as held:
        setup = bench.setup(server)
        env = setup.env | {"SHIPDROP_LEDGER__URL": bench.postgres.database()}
        env |= {"SHIPDROP_API__CONCURRENCY": "2"}
        victim = held.enter_context(_worker(setup, env))
        write_manifest(setup.inbox / "small.csv", _SMALL * 20)
        _until(lambda: server.stats()["calls"] >= 4, "calls")
        held.enter_context(_worker(setup, env))
        victim.kill()
        before, began = server.stats()["calls"], time.perf_counter()
        _until(lambda: server.stats()["calls"] > before, "a call of the other worker")
        print(f"taken over {time.perf_counter() - began:.1f} s after kill -9 (target 30 s)")


def _by_workers(bench: _Bench, server: Server, rows: int, count: int) -> Sent:
    setup = bench.setup(server)
    env = setup.env | {"SHIPDROP_LEDGER__URL": bench.postgres.database()}
    server.reset()
    with ExitStack() as held:
        workers = [held.enter_context(_worker(setup, env)) for _ in range(count)]
        before = _cpu(bench, workers)
        write_manifest(bench.base / "rows.csv", rows)
        (bench.base / "rows.csv").rename(setup.inbox / "rows.csv")
        _until(lambda: bool(setup.summaries()), "the summary")
        cpu = _cpu(bench, workers) - before
    return _sent(setup, server, rows, cpu)


def _by_run(bench: _Bench, server: Server, rows: int) -> Sent:
    setup = bench.setup(server)
    write_manifest(setup.inbox / "rows.csv", rows)
    server.reset()
    ran = setup.run_once(rows=rows)
    return _sent(setup, server, rows, ran.cpu)


def _sent(setup: Setup, server: Server, rows: int, cpu: float) -> Sent:
    accepted = sum(summary["rows"]["accepted"] for summary in setup.summaries())
    if accepted != rows:
        raise RunBrokeError(f"{accepted} of {rows} rows were accepted: {setup.summaries()[:1]}")
    told = server.stats()
    return Sent(rate=told["calls"] / told["seconds"], cpu=cpu, chunks=told["calls"])


@contextmanager
def _worker(setup: Setup, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    log = setup.root / f"worker{len(list(setup.root.glob('worker*')))}.log"
    command = [sys.executable, "-m", "pipeline", "worker", "--root", str(setup.root)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=out, stderr=out)
    try:
        _until(lambda: b"worker.joined" in log.read_bytes() or process.poll(), "a worker")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)


def _cpu(bench: _Bench, workers: "list[subprocess.Popen[bytes]]") -> float:
    """Processor seconds of the workers and of PostgreSQL so far, of those that still live."""
    trees = [psutil.Process(each.pid) for each in workers]
    trees += psutil.Process(bench.postgres.pid).children(recursive=True)
    total = 0.0
    for each in trees:
        try:
            times = each.cpu_times()
        except psutil.Error:  # a connection that just ended
            continue
        total += times.user + times.system
    return total


def _until(condition, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RunBrokeError(f"never came: {what}")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
