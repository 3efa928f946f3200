"""People who look at the page while rows go out: ``python -m benchmarks.lookers URL PEOPLE``.

Each has the list of drops open, or the drop that is under way, and the health strip; asks as the
page does, at its intervals, and now and then loads a whole page. Runs until its stdin closes and
prints how many answers it got, how long the slow ones took, and how many were no answer.
"""

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from statistics import quantiles

import httpx

from benchmarks.bench import Bench, manifest
from benchmarks.measure import Ran, RunBrokeError, run
from benchmarks.server import Server, serving
from benchmarks.table import Line, at_most, plain

PEOPLE, CALLS_PER_SECOND, ROWS = 50, 100, 100_000


def lookers(bench: Bench) -> list[Line]:
    """50 people look while 100,000 rows go to an API that is called 100 times a second."""
    case, rows = "lookers", bench.size(ROWS)
    with serving() as server:
        alone = _sent(bench, server, rows, people=0)
        looked_at = _sent(bench, server, rows, people=PEOPLE)
    cost = 100 * (looked_at.seconds / alone.seconds - 1)
    return [
        plain(
            case, f"{rows:,} rows at {CALLS_PER_SECOND} calls/s, nobody looks", alone.seconds, " s"
        ),
        plain(case, f"the same, {PEOPLE} people look", looked_at.seconds, " s"),
        at_most(case, "what looking costs delivery (issue 6)", cost, 5, " %"),
        plain(case, "pages and parts answered, per second", looked_at.per_second, "/s"),
        plain(case, "95 of 100 of them within", 1000 * looked_at.within, " ms"),
        plain(case, "processor time of the run alone", alone.cpu, " s"),
        plain(case, "processor time of run and page", looked_at.cpu, " s"),
    ]


class Sent:
    """The duration of the calls, from the first to the last, and of the lookers' pages."""

    def __init__(self, seconds: float, ran: Ran, seen: dict[str, float]) -> None:
        self.seconds = seconds
        self.cpu = ran.cpu
        self.per_second = seen.get("per_second", 0.0)
        self.within = seen.get("within", 0.0)


def _sent(bench: Bench, server: Server, rows: int, *, people: int) -> Sent:
    setup = bench.fresh("lookers", server.url, rate=CALLS_PER_SECOND)
    os.link(manifest(bench.base, rows), setup.inbox / "manifest.csv")
    server.reset()
    port = free_port()
    env = {**setup.env, "SHIPDROP_WEB__PORT": str(port)}
    command = [*setup.command(once=True), "--web"]
    crowd = crowd_of(f"http://127.0.0.1:{port}", people) if people else None
    ran = run(command, env=env)
    seen = gone(crowd) if crowd else {}
    stats = server.stats()
    if stats["items"] != rows or seen.get("failed"):
        raise RunBrokeError(f"The server took {stats['items']} of {rows} updates; seen: {seen}.")
    return Sent(stats["arrival_seconds"], ran, seen)


def crowd_of(url: str, people: int) -> "subprocess.Popen[str]":
    """Let so many people look at a page until ``gone``."""
    command = [sys.executable, "-m", "benchmarks.lookers", url, str(people)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def gone(crowd: "subprocess.Popen[str]") -> dict[str, float]:
    """Send the people away; return how many answers they got, and how long they took."""
    out, _ = crowd.communicate(timeout=60)
    found: dict[str, float] = json.loads(out)
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Person:
    """One window of a browser. Three look at the list for two that look at a drop."""

    def __init__(self, client: httpx.AsyncClient, number: int, waits: list[float]) -> None:
        self._client = client
        self._at_drop = number % 5 >= 3
        self._waits = waits
        self._dice = random.Random(number)
        self.failed = 0

    async def look(self) -> None:
        """Open the page, then keep it up to date as its script does."""
        await asyncio.sleep(2 * self._dice.random())
        while True:
            text = await self._get("/drops")
            found = re.search(r"/drops/(d2\w+)", text)
            pace, part = 2.0, "/drops/list"
            if self._at_drop and found:
                await self._get(f"/drops/{found[1]}")
                pace, part = 1.0, f"/drops/{found[1]}/live"
            for turn in range(20):
                await asyncio.sleep(pace)
                await self._get(part)
                if turn % round(5 / pace) == 0:
                    await self._get("/strip")

    async def _get(self, path: str) -> str:
        began = time.perf_counter()
        try:
            answer = await self._client.get(path)
        except httpx.TransportError:  # the page is not there yet, or not any more
            return ""
        self._waits.append(time.perf_counter() - began)
        self.failed += answer.status_code >= 400
        return answer.text


async def _look(url: str, people: int) -> dict[str, float]:
    waits: list[float] = []
    limits = httpx.Limits(max_connections=people, max_keepalive_connections=people)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        crowd = [Person(client, number, waits) for number in range(people)]
        began = time.perf_counter()
        tasks = [asyncio.create_task(person.look()) for person in crowd]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    seconds = time.perf_counter() - began
    return {
        "per_second": len(waits) / seconds,
        "within": quantiles(waits, n=20)[-1] if len(waits) > 1 else 0.0,
        "failed": sum(person.failed for person in crowd),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_look(sys.argv[1], int(sys.argv[2])))))
