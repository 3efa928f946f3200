"""The API of the benchmarks: takes every call at once, and counts.

A bare protocol on uvloop, so that the server is never what is measured. Loopback only. As a
program: ``python -m benchmarks.server LATENCY_MS`` prints its port and serves until its stdin
closes, so it cannot outlive the benchmark.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import uvloop

_ANSWER = (
    b'{"data":{"payloadCount":20,"successCount":20,"failedCount":0,"status":"SUCCESS",'
    b'"errors":[]},"meta":{}}'
)
_MAX_BODY = 4 * 1024 * 1024
_MAX_HEAD = 64 * 1024
_MAX_TIMES = 4_000_000
"""Arrivals remembered; calls beyond are counted only."""


class Tally:
    """Calls since the last reset. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.calls = 0
        self.items = 0
        self.arrivals = array("d")
        self.last_answer = 0.0
        self.in_flight = 0
        self.most_in_flight = 0

    def came(self, items: int) -> None:
        """Count a call."""
        self.calls += 1
        self.items += items
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if len(self.arrivals) < _MAX_TIMES:
            self.arrivals.append(time.perf_counter())

    def answered(self) -> None:
        """Count an answer."""
        self.in_flight -= 1
        self.last_answer = time.perf_counter()

    def as_dict(self) -> dict[str, Any]:
        """The numbers, as ``/stats`` gives them."""
        times = self.arrivals
        span = self.last_answer - times[0] if times else 0.0
        return {
            "calls": self.calls,
            "items": self.items,
            "seconds": span,
            "first": times[0] if times else 0.0,
            "arrival_seconds": times[-1] - times[0] if times else 0.0,
            "most_in_flight": self.most_in_flight,
            "most_in_a_second": _most_within(times, 1.0),
            "shortest_gap": min((b - a for a, b in pairwise(times)), default=0),
        }


def _most_within(times: "array[float]", seconds: float) -> int:
    most, start = 0, 0
    for at, moment in enumerate(times):
        while moment - times[start] >= seconds:
            start += 1
        most = max(most, at - start + 1)
    return most


class Api(asyncio.Protocol):
    """One connection: HTTP/1.1, kept alive, bodies by Content-Length."""

    def __init__(self, tallies: list[Tally], latency: float) -> None:
        self._tallies = tallies
        self._latency = latency
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what came; answer every call that is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._take_one():
            pass

    def _take_one(self) -> bool:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            self._bound(len(self._buffer), _MAX_HEAD)
            return False
        head = self._buffer[:head_end]
        length = _content_length(head)
        self._bound(length, _MAX_BODY)
        stop = head_end + 4 + length
        if len(self._buffer) < stop:
            return False
        body, self._buffer = self._buffer[head_end + 4 : stop], self._buffer[stop:]
        self._act(head, body)
        return True

    def _bound(self, size: int, limit: int) -> None:
        if size > limit and self._transport is not None:
            self._transport.abort()

    def _act(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"PUT "):
            tally = self._tallies[-1]
            tally.came(body.count(b'"orderId"'))
            if self._latency:
                loop = asyncio.get_running_loop()
                loop.call_later(self._latency, self._answer, _ANSWER, tally)
            else:
                self._answer(_ANSWER, tally)
            return
        if head.startswith(b"GET /stats "):
            self._answer(json.dumps(self._tallies[-1].as_dict()).encode())
        elif head.startswith(b"GET /reset "):
            self._tallies[-1] = Tally()
            self._answer(b"{}")
        else:
            self._answer(b"{}", status=b"404 Not Found")

    def _answer(self, body: bytes, tally: Tally | None = None, status: bytes = b"200 OK") -> None:
        if tally is not None:
            tally.answered()
        if self._transport is not None and not self._transport.is_closing():
            head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self._transport.write(head % (status, len(body)) + body)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at + 2)
    return int(head[at + 17 : end if end > 0 else len(head)])


@dataclass(frozen=True)
class Server:
    """A server that runs in its own process."""

    port: int

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forget what was counted."""
        self._get("/reset")

    def stats(self) -> dict[str, Any]:
        """Return the counts since the last reset."""
        found: dict[str, Any] = self._get("/stats")
        return found

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def serving(latency_ms: float = 0) -> Iterator[Server]:
    """A server in its own process, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", str(latency_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield Server(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


async def _serve(latency: float, ready: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    tallies = [Tally()]
    server = await loop.create_server(lambda: Api(tallies, latency), "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def _tell(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]) / 1000, _tell))
