"""``/healthz`` and ``/readyz`` while 45 pages are open and the inbox lies on a slow share.

A bare uvicorn that has nothing else to do is asked in turn with them: what it takes is the machine.

``python -m benchmarks.alive ROOT SECONDS`` is the page of such a root: whoever asks where its inbox
is waits so long, as whoever lists a slow share does.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import Any
from urllib.request import urlopen

import httpx

from benchmarks.bench import Bench, manifest
from benchmarks.lookers import crowd_of, free_port, gone
from benchmarks.measure import RunBrokeError
from benchmarks.pages import wait_for
from benchmarks.product import Setup
from benchmarks.server import serving
from benchmarks.table import Line, at_most, plain

PAGES, SLOW_SECONDS, TARGET = 45, 2.0, 50
ROWS, CALLS_PER_SECOND, LOOKS = 100_000, 50, 100
PROBES = ("bare", "/healthz", "/readyz")


async def bare(scope: Any, _receive: Any, send: Any) -> None:
    """Answer at once, whatever is asked."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def alive(bench: Bench) -> list[Line]:
    """Probes come ten times a second, each on a connection of its own, while rows go out."""
    case, looks = "alive", bench.size(LOOKS)
    with serving() as server:
        setup = bench.fresh(case, server.url, rate=CALLS_PER_SECOND)
        os.link(manifest(bench.base, ROWS), setup.inbox / "manifest.csv")
        command = setup.command(once=False)
        with (
            _running([*command, "--quiet"], setup.env),
            _page(setup) as (address, page),
            _bare() as its_bare,
        ):
            asked = {path: (f"{address}{path}", page) for path in PROBES} | {"bare": its_bare}
            alone = _probed(asked, looks)
            crowd = crowd_of(address, PAGES)
            sleep(10)  # until each page has been opened
            beside = _probed(asked, looks)
            seen = gone(crowd)
    if seen["failed"]:
        raise RunBrokeError(f"Pages failed: {seen}")
    lines = [plain(case, f"{PAGES} pages, answers per second", seen["per_second"], "/s")]
    for path in PROBES:
        for name, found in (("alone", alone[path]), (f"beside {PAGES} pages", beside[path])):
            for what, values in zip(("seconds that passed", "processor"), found, strict=True):
                told = f"{path} {name}, {what}: median, 95 of 100, most"
                few = (median(values), quantiles(values, n=20)[-1], max(values))
                words = " / ".join(f"{each:.1f}" for each in few)
                lines.append(Line(case=case, measure=told, result=f"{words} ms"))
    most = max(beside["/healthz"][1])
    return [
        *lines,
        at_most(case, "/healthz beside the pages, processor (issue 19)", most, TARGET, " ms"),
    ]


def _probed(
    asked: Mapping[str, tuple[str, int]], looks: int
) -> Mapping[str, tuple[list[float], list[float]]]:
    """Milliseconds of each answer: those that passed, and its process' processor time meanwhile.

    One thread of the page runs at a time, so on a machine with nothing else to do no more passes.
    """
    found: dict[str, tuple[list[float], list[float]]] = {path: ([], []) for path in asked}
    for _ in range(looks):
        for path, (passed, processor) in found.items():
            address, pid = asked[path]
            before, began = _processor(pid), perf_counter()
            code = _status_of(address)
            passed.append(1000 * (perf_counter() - began))
            processor.append(_processor(pid) - before)
            if code != 200:
                raise RunBrokeError(f"{path} answered {code}")
        sleep(0.1)
    return found


def _processor(pid: int) -> float:
    """Milliseconds of processor time that a process has had, all its threads together."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def _status_of(address: str) -> int:
    """As a supervisor asks; making a client of httpx takes longer than the answer."""
    with urlopen(address, timeout=30) as answer:
        return int(answer.status)


@contextmanager
def _page(setup: Setup) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.alive", str(setup.root), str(SLOW_SECONDS)]
    with _running(command, {**setup.env, "SHIPDROP_WEB__PORT": str(port)}) as pid:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=30) as client:
            wait_for(client, "/healthz")
            wait_for(client, "/readyz")
        yield address, pid


@contextmanager
def _bare() -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.alive:bare", "--port", str(port)]
    quiet = ["--no-access-log", "--log-level", "error", "--loop", "asyncio", "--http", "h11"]
    with _running([*command, *quiet], {}) as pid:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_for(client, "/")
        yield f"http://127.0.0.1:{port}/", pid


@contextmanager
def _running(command: list[str], env: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen(command, env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    with process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def _serve(root: Path, seconds: float) -> int:
    from pipeline.service.settings import load
    from pipeline.service.wiring import Site
    from pipeline.web.server import serve

    class SlowShare(Site):
        @property
        def inbox_path(self) -> Path:
            sleep(seconds)
            return super().inbox_path

    return serve(SlowShare(root, load(root)))


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1]), float(sys.argv[2])))
