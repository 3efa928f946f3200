"""The server: listen, answer, stop; with time limits for clients.

It is tied to the run that started it, if one did.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import h11
import structlog
import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from pipeline.core.errors import SettingsError
from pipeline.service.wiring import Site
from pipeline.web.access import check_listening
from pipeline.web.app import create_app
from pipeline.web.people import People
from pipeline.web.request_limits import HEADERS
from pipeline.web.templating import compile_all

log = structlog.get_logger(__name__)

_MALFORMED: Final = b"This is no request that can be understood.\n"


class ClientTimeouts(Struct, frozen=True, kw_only=True):
    """The time-outs for clients, in seconds.

    ``head``: until a request's head is whole; ``body``: until its body is, one second more for each
    ``bytes_a_second`` that came. ``most``: connections that may wait for their clients; of more the
    one that was silent longest is closed. ``every``: how often it is looked.
    """

    head: float = 10.0
    body: float = 30.0
    bytes_a_second: int = 10_000
    most: int = 500
    every: float = 1.0


def protocol_with(timeouts: ClientTimeouts) -> type[H11Protocol]:
    """Return uvicorn's protocol of HTTP/1.1 with these time limits."""

    class Protocol(_Connection):
        pass

    Protocol.crowd, Protocol.timeouts = _Crowd(timeouts), timeouts
    return Protocol


class _Connection(H11Protocol):
    """One connection. ``begun``: when what it is to send was begun; None: nothing is awaited."""

    crowd: "_Crowd"
    timeouts: ClientTimeouts
    begun: float | None = None
    last_byte_at: float = 0.0
    received: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.begun = self.last_byte_at = self.loop.time()
        self.crowd.join(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        self.last_byte_at = self.loop.time()
        self.received += len(data)
        super().data_received(data)
        if self.cycle is not before or self.begun is None:
            self.begun, self.received = self.last_byte_at, 0

    def on_response_complete(self) -> None:
        more, _ = self.conn.trailing_data
        self.begun = self.loop.time() if more else None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours are said
        """Answer an invalid request, with the headers of every answer."""
        head = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        head += [
            (b"cache-control", b"no-store"),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(_MALFORMED)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=head, reason=b"Bad Request"),
            h11.Data(data=_MALFORMED),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def _is_between(self) -> bool:
        """Return True before a first request, and between two."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn calls it never None
        return cycle is None or cycle.response_complete

    @property
    def awaits_body(self) -> bool:
        return not self._is_between and self.cycle.more_body

    @property
    def awaits_client(self) -> bool:
        """Return True where it is the client's turn."""
        if self._is_between:
            return True
        return self.awaits_body and not self.flow.read_paused

    def is_overdue(self, now: float) -> bool:
        if self.begun is None or not self.awaits_client:
            return False
        if self.awaits_body:
            more = self.received / self.timeouts.bytes_a_second
            return now - self.begun > self.timeouts.body + more
        return now - self.begun > self.timeouts.head

    def give_up(self) -> None:
        self.transport.abort()


class _Crowd:
    """All connections of a server. Used in its loop."""

    def __init__(self, timeouts: ClientTimeouts) -> None:
        self._patience = timeouts
        self._all: set[_Connection] = set()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: _Connection) -> None:
        self._all.add(connection)
        if len(self._all) > self._patience.most:
            waiting = (each for each in self._all if each.awaits_client and each is not connection)
            silent = min(waiting, key=lambda each: each.last_byte_at, default=None)
            if silent is not None:
                self._all.discard(silent)
                silent.give_up()
        if self._timer is None:
            self._look_again(connection.loop)

    def leave(self, connection: _Connection) -> None:
        self._all.discard(connection)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._patience.every, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for each in [each for each in self._all if each.is_overdue(now)]:
            each.give_up()
        if self._all:
            self._look_again(loop)


_GRACE_SECONDS: Final = 3
_IDLE_SECONDS: Final = 65
_BACKLOG: Final = 512


def serve(site: Site, *, tied: bool = False) -> int:
    """Answer until SIGINT or SIGTERM; with ``tied`` until stdin closes, too. The exit code.

    Raises:
        SettingsError: the settings do not permit to listen there, or the address is taken.
    """
    web = site.settings.web
    check_listening(web, People(site.root, web, site.clock).users())
    site.folders.prepare()
    listener = _listen(web.host, web.port)
    host, port = listener.getsockname()[:2]
    app = create_app(site)
    compile_all(app.state.ctx.templates)
    # Spare the collector of garbage all that stays: a look through it holds up every answer for
    # 0.1 s.
    gc.freeze()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=web.behind_proxy,
        forwarded_allow_ips=list(web.proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
        lifespan="off",
        ws="none",
        http=protocol_with(ClientTimeouts()),
    )
    server = _Server(config)
    if tied:
        threading.Thread(target=_end_with_parent, name="tether", daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    log.info("web.listening", address=f"http://{shown}:{port}/")
    server.run(sockets=[listener])
    return 130 if server.stopped_by == signal.SIGINT else 0


class _Server(uvicorn.Server):
    """Ends in good order on SIGINT and SIGTERM; the exit code is ours, as the contract has it."""

    stopped_by: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take over both signals while the server runs."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._stop) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or number
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # whoever read our address in the log may come at once
    except OSError as error:
        raise SettingsError(
            f"The web page cannot listen on {host} port {port}: {error.strerror or error}.",
            hint="Give another --port, or stop what listens there.",
        ) from error
    listener.set_inheritable(True)
    return listener


def _end_with_parent() -> None:
    """End with the run that started this page: its end of stdin closes however it ends."""
    while os.read(sys.stdin.fileno(), 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
