"""The transport: connections kept alive, requests as bytes, httpx's interface and error classes."""

import asyncio
import socket
import ssl

import httpx
from aiohappyeyeballs import start_connection

from pipeline.adapters.wire.connection import Connection

_KEEP_SECONDS = 15.0
"""A connection idle for longer is not trusted: servers and gateways close theirs after 60 s or so,
and a request that meets the closing is in doubt."""

_TRY_NEXT_SECONDS = 0.25
"""After this time a host's next address is tried as well (RFC 8305: IPv6 that leads nowhere)."""

_BODILESS = frozenset({"GET", "HEAD"})
_FORBIDDEN = frozenset("\r\n\0")


class WireTransport(httpx.AsyncBaseTransport):
    """An ``httpx.AsyncBaseTransport`` for HTTP/1.1 without a proxy; belongs to one event loop.

    One request is written once: a connection that dies is never tried again from here. Errors are
    truthful about doubt: httpx.ConnectError and ConnectTimeout mean that nothing has left; any
    other TransportError that the request may have been read. ``trust``: None for the system's, made
    when it is first needed. ``longest``: see ``Connection``.
    """

    def __init__(self, *, trust: ssl.SSLContext | None, longest: int) -> None:
        self._trust = trust
        self._longest = longest
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._head: tuple[httpx.Headers, httpx.URL, bytes] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` (its body is read whole) and wait for the whole answer.

        Of ``request.extensions["timeout"]`` only ``connect`` is looked at: the caller has one
        deadline over the whole, and cancels.
        """
        body = await request.aread()
        head = self._head_of(request)
        if body or request.method not in _BODILESS:
            head += b"content-length: %d\r\n" % len(body)
        connection = self._take() or await self._connect(request)
        try:
            status, headers, content = await connection.exchange(head + b"\r\n", body)
        except BaseException:
            # Also when the caller's time is up: an answer that comes later is nobody's.
            self._all.discard(connection)
            connection.abort()
            raise
        self._keep(connection)
        return httpx.Response(
            status, headers=headers, stream=httpx.ByteStream(content), request=request
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()

    # -- connections ---------------------------------------------------------------------------

    def _take(self) -> Connection | None:
        """The connection used last, if it is fresh: the others may grow old and be dropped."""
        fresh = asyncio.get_running_loop().time() - _KEEP_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > fresh:
                return connection
            self._all.discard(connection)
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if connection.usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._all.discard(connection)

    async def _connect(self, request: httpx.Request) -> Connection:
        url = request.url
        secure = url.scheme == "https"
        host, port = url.raw_host.decode("ascii"), url.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect")):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                reached = await start_connection(found, happy_eyeballs_delay=_TRY_NEXT_SECONDS)
                reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _, connection = await loop.create_connection(
                    lambda: Connection(self._longest),
                    sock=reached,
                    ssl=(self._trust or True) if secure else None,
                    server_hostname=host if secure else None,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        self._all.add(connection)
        return connection

    # -- requests ------------------------------------------------------------------------------

    def _head_of(self, request: httpx.Request) -> bytes:
        """Request line and headers but for the length; made once for requests that share them."""
        known = self._head
        if known and known[0] is request.headers and known[1] is request.url:
            return known[2]
        head = _head_of(request)
        self._head = (request.headers, request.url, head)
        return head


def _head_of(request: httpx.Request) -> bytes:
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.pop("content-length", None)
    headers.pop("transfer-encoding", None)
    headers.setdefault("host", request.url.netloc.decode("ascii"))
    for name, value in headers.items():
        if _FORBIDDEN & {*name, *value}:
            raise httpx.LocalProtocolError(f'The header "{name}" holds a line break.')
    lines = [f"{request.method} {request.url.raw_path.decode('ascii')} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")
