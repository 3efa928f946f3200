"""A receiving API that breaks its connections in every way, by seed, and keeps a record.

Raw asyncio streams, no HTTP library: what a library would never send is the point. The rules it
judges updates by are those of ``tests.fakes.published_rules``.
"""

import asyncio
import json
import random
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from tests.fakes.published_rules import COARSE, MOST_ORDERS, Orders

_PATIENCE = 60.0
"""Seconds until a server that stalls is sure that nobody waits any more."""


@dataclass
class Seen:
    """A PUT that was read whole: what it carried, what became of it, what the caller was told.

    ``verdicts``: per update ``legal``, ``repeat`` or ``illegal`` where the call was carried out,
    else empty. ``told``: a whole and clear answer was sent. Times in seconds since the epoch.

    ``landing``: of a call that was carried out later than it came there are two records: one
    without verdicts where it came, and one that is a landing where it was carried out.
    """

    number: int
    arrived: float
    updates: list[tuple[str, str]]
    verdicts: tuple[str, ...] = ()
    told: bool = False
    status: int | None = None
    fault: str = ""
    ended: float | None = None
    landing: bool = False


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class _Broken(Exception):
    """The connection is of no use any more."""


_MANY = 1_000_000

UNREAD = ("accepts and closes", "resets before reading")
"""Faults that come before the request was read."""

BEGUN = (
    "half a head",
    "half a body",
    "promises more than it sends",
    "sends more than it promised",
    "stalls in mid-answer",
)
"""Faults of an answer that has begun: whoever begins to say "200" has done it."""

LOST = ("closes after reading", "resets after reading", "half a status line", "stalls")
"""Faults after which nobody but the server can tell: a coin decides whether it was done."""

LATE = ("hangs up and lands later", "lands after the time-out")
"""Nobody hears of these calls any more, and all the same they are carried out, in the end."""

REFUSED = ("500", "503", "429")
FAULTS = (*UNREAD, *LOST, *BEGUN, *LATE, *REFUSED)


class TreacherousApi:
    """Runs in a thread of its own from the start on. ``rates``: fault → its share of the PUTs.
    ``timeout``: how long its callers wait, in seconds.

    Of what is read whole and then lost, a coin decides whether it is carried out. ``honest``:
    ``shipment/info`` answers by what was taken (``answered``: order → when); else it answers
    everything with 404.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        *,
        seed: int,
        token: str,
        honest: bool = True,
        timeout: float = 1.5,
    ) -> None:
        unknown = rates.keys() - set(FAULTS)
        assert not unknown, unknown
        self._rates = dict(rates)
        self._rng = random.Random(f"treachery {seed}")
        self._token = token
        self._honest = honest
        self._timeout = timeout
        self._landings: set[asyncio.Task[None]] = set()
        self._orders = Orders()
        self._number = 0
        self.seen: list[Seen] = []
        self.faults: Counter[str] = Counter()
        self.questions = 0
        self.answered: dict[str, list[float]] = defaultdict(list)
        self.taken: Counter[tuple[str, str]] = Counter()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="treacherous", daemon=True)
        self._thread.start()

    @property
    def calls(self) -> int:
        """Return the number of PUTs that were read whole so far."""
        return self._number

    @property
    def under_way(self) -> int:
        """Return the number of calls that are still to land."""
        return len(self._landings)

    def behave(self) -> None:
        """From now on, no more faults."""
        self._rates = {}

    def stop(self) -> None:
        """Drop everything."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, sock=self._listener)
        await self._over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    # -- one connection ------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(_Broken, ConnectionError, EOFError, asyncio.CancelledError):
            if self._strikes("accepts and closes"):
                raise _Broken
            # Closed after a few calls, or there would be few connections to accept and close.
            closes = "accepts and closes" in self._rates
            for _ in range(self._rng.randrange(3, 20) if closes else _MANY):
                request = await self._read(reader, writer)
                if request.method == "PUT":
                    await self._put(request, reader, writer)
                else:
                    self._ask(request, writer)
                await writer.drain()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Request:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if method == "PUT" and self._strikes("resets before reading"):
            _reset(writer)
            raise _Broken
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return _Request(method, target, headers, body)

    def _strikes(self, fault: str) -> bool:
        """For the faults that come before a request was read."""
        if self._rng.random() >= self._rates.get(fault, 0):
            return False
        self.faults[fault] += 1
        return True

    def _draw(self) -> str:
        """Draw the fate of a PUT that was read."""
        draw = self._rng.random()
        for fault, rate in self._rates.items():
            if fault in UNREAD:
                continue
            draw -= rate
            if draw < 0:
                self.faults[fault] += 1
                return fault
        return ""

    async def _put(
        self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert urlsplit(request.target).path == "/oms/v3/shipment/status", request.target
        items = json.loads(request.body)
        updates = [(item["orderId"], item["orderStatus"]) for item in items]
        self._number += 1
        seen = Seen(number=self._number, arrived=time.time(), updates=updates)
        self.seen.append(seen)
        seen.fault = fault = self._draw()
        try:
            if request.headers.get("x-access-token") != self._token:
                self._say(writer, seen, 401, {"message": "who are you?"})
            elif fault.isdecimal():
                self._say(writer, seen, int(fault), {"message": "not now"})
            elif fault in LATE:
                await self._land_later(seen, reader)
            else:
                await self._carry_out(seen, reader, writer)
        finally:
            seen.ended = time.time()

    async def _carry_out(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault = seen.fault
        if not fault or fault in BEGUN or self._rng.random() < 0.5:
            seen.verdicts = tuple(self._apply(*update) for update in seen.updates)
        answer = json.dumps(_answer(seen)).encode()
        if not fault:
            seen.told, seen.status = True, 200
            writer.write(_http(200, answer))
            return
        writer.write(_damaged(fault, answer))
        if fault == "sends more than it promised":
            return  # the connection stays open, with the rest of the body lying in it
        if fault == "resets after reading":
            _reset(writer)
            raise _Broken
        await writer.drain()
        if fault in {"stalls", "stalls in mid-answer"}:
            await _until_gone(reader)
        raise _Broken

    async def _land_later(self, seen: Seen, reader: asyncio.StreamReader) -> None:
        """The call goes on over here, and whoever made it does not hear of it."""
        hangs_up = seen.fault == LATE[0]
        share = self._rng.uniform(0.1, 0.8) if hangs_up else self._rng.uniform(1.1, 1.8)
        landing = asyncio.create_task(self._land(seen, share * self._timeout))
        self._landings.add(landing)
        landing.add_done_callback(self._landings.discard)
        if not hangs_up:
            await _until_gone(reader)
        raise _Broken

    async def _land(self, seen: Seen, after: float) -> None:
        await asyncio.sleep(after)
        verdicts = tuple(self._apply(*update) for update in seen.updates)
        self.seen.append(replace(seen, verdicts=verdicts, landing=True, ended=time.time()))

    def _apply(self, order: str, status: str) -> str:
        verdict = self._orders.apply(order, status)
        if verdict == "legal":
            self.taken[order, status] += 1
        return verdict

    def _ask(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(request.target)
        self.questions += 1
        if not self._honest or parts.path != "/oms/v3/shipment/info":
            writer.write(_http(404, b'{"message": "not found"}'))
            return
        (order,) = parse_qs(parts.query)["orderId"]
        self.answered[order].append(time.time())
        at = self._orders.at.get(order)
        orders = [] if at is None else [{"id": order, "orderStatus": COARSE[at]}]
        writer.write(_http(200, json.dumps({"orders": orders}).encode()))

    def _say(
        self, writer: asyncio.StreamWriter, seen: Seen, status: int, body: Mapping[str, str]
    ) -> None:
        seen.told, seen.status = True, status
        more = b"Retry-After: 1\r\n" if status == 429 else b""
        writer.write(_http(status, json.dumps(body).encode(), more=more))


def _damaged(fault: str, body: bytes) -> bytes:
    """Return the part of an answer that leaves."""
    whole = _http(200, body)
    return {
        "half a status line": whole[:10],
        "half a head": whole[:40],
        "half a body": whole[: -len(body) // 2],
        "promises more than it sends": _http(200, body, length=len(body) + 9),
        "sends more than it promised": _http(200, body, length=len(body) // 2),
        "stalls in mid-answer": whole[:-5],
    }.get(fault, b"")


def _answer(seen: Seen) -> object:
    """In the form of the sibling endpoints."""
    errors = [
        {"orderId": order, "code": "D422", "message": f"{verdict} move to {status}"}
        for (order, status), verdict in zip(seen.updates, seen.verdicts, strict=False)
        if verdict != "legal"
    ]
    size = len(seen.updates)
    assert size <= MOST_ORDERS
    return {
        "data": {
            "payloadCount": size,
            "successCount": size - len(errors),
            "failedCount": len(errors),
            "status": "PARTIAL" if errors else "SUCCESS",
            "errors": errors,
        },
        "meta": {},
    }


def _http(status: int, body: bytes, *, length: int | None = None, more: bytes = b"") -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n"
    return head.encode() + more + b"\r\n" + body


async def _until_gone(reader: asyncio.StreamReader) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_PATIENCE):
            await reader.read()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def treacherous(
    rates: Mapping[str, float],
    *,
    seed: int,
    token: str,
    honest: bool = True,
    timeout: float = 1.5,
) -> Iterator[TreacherousApi]:
    """A server for the length of a ``with`` block."""
    server = TreacherousApi(rates, seed=seed, token=token, honest=honest, timeout=timeout)
    try:
        yield server
    finally:
        server.stop()
