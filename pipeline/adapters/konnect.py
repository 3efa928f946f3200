"""Fynd Konnect over httpx: one call out, one reply back, or ``Transient`` when none came.

httpx runs on the aiohttp transport and is used at its transport seam, prepared requests and all:
its own connection pool costs several times the call at this rate (benchmarks/README.md).
"""

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pipeline.adapters.tokens import Credentials, Tokens, token_in
from pipeline.errors import Held, Transient
from pipeline.ports import Reply

STATUS_PATH = "/oms/v3/shipment/status"
INFO_PATH = "/oms/v3/shipment/info"
TOKEN_PATH = "/aggregator/v1/token"  # noqa: S105 - a path, not a secret
_MAX_ANSWER = 4 * 1024 * 1024
_CONNECT_SHARE = 0.8
"""Of the time for a whole call, how much may go into the connection."""

__all__ = ["Credentials", "KonnectApi"]


class _Put(httpx.Request):
    """A PUT of which only the body is new: httpx would prepare the same headers for each call."""

    def __init__(
        self, url: httpx.URL, headers: httpx.Headers, body: bytes, extensions: dict[str, Any]
    ) -> None:
        self.method = "PUT"
        self.url = url
        self.headers = headers
        self.extensions = extensions
        self.stream = httpx.ByteStream(body)
        self._content = body


class KonnectApi:
    """Implements ``ports.StatusApi``. Belongs to the event loop that first uses it."""

    def __init__(
        self, *, base_url: str, credentials: Credentials, timeout: float, connections: int
    ) -> None:
        self._base_url = base_url
        self._timeout = timeout
        # Made here and once: it takes long, and the first call would leave with the second.
        trust = ssl.create_default_context()
        self._transport = AiohttpTransport(
            verify=trust,
            client=self._session_factory(connections, trust),
            proxy=_proxy_for(base_url),
        )
        self._tokens = Tokens(credentials, self._fetch_token)
        self._headers = httpx.Headers()
        self._headers_token = ""
        self._status_url = httpx.URL(base_url + STATUS_PATH)
        # A connection that cannot be made must be known before the whole call's time is up: then
        # it is certain that nothing has left.
        connect = timeout * _CONNECT_SHARE
        self._extensions = {
            "timeout": {"connect": connect, "read": timeout, "write": timeout, "pool": connect}
        }

    @staticmethod
    def _session_factory(
        connections: int, trust: ssl.SSLContext
    ) -> Callable[[], aiohttp.ClientSession]:
        def make() -> aiohttp.ClientSession:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=connections + 2,
                    keepalive_timeout=15,
                    ssl=trust,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # aiohttp repeats a PUT by itself when a kept-alive connection turns out dead. Whether
            # an update is sent twice is for us to decide; a test proves that it stays off.
            session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch
            return session

        return make

    async def put_status(self, body: bytes) -> Reply:
        """Send one chunk: a JSON array of up to 20 updates. Raises Transient, Held (no token)."""
        token = await self._tokens.current()
        if token != self._headers_token:
            self._headers = httpx.Headers(
                {
                    "content-type": "application/json",
                    "accept": "application/json",
                    "x-access-token": token,
                },
                encoding="ascii",
            )
            self._headers_token = token
        return await self._call(_Put(self._status_url, self._headers, body, self._extensions))

    async def order_info(self, order_id: str) -> Reply:
        """Ask where an order is now. Raises Transient, Held (no token)."""
        url = f"{self._base_url}{INFO_PATH}?orderId={quote(order_id, safe='')}"
        return await self._get(url, {"x-access-token": await self._tokens.current()})

    @property
    def token_generation(self) -> int:
        """Grows with every token, so that a late 401 for an old one asks for nothing."""
        return self._tokens.generation

    async def renew_token(self, generation: int) -> bool:
        """Get one new token for all who wait; False when there is no way to a new one.

        ``generation`` is that of the token which was refused. Raises Transient, Held.
        """
        return await self._tokens.renew(generation)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _fetch_token(self, username: str, password: str) -> str:
        user, word = quote(username, safe=""), quote(password, safe="")
        url = f"{self._base_url}{TOKEN_PATH}?username={user}&password={word}"
        reply = await self._get(url, {})
        if reply.status in {408, 425, 429} or reply.status >= 500:
            raise Transient(f"no token: the API answered {reply.status}", in_doubt=False)
        token = token_in(reply.body) if reply.status < 300 else None
        if token is None:
            raise Held(
                f"The API gave no token for api.username (answer {reply.status}).",
                hint="Check api.username and api.password.",
            )
        return token

    async def _get(self, url: str, headers: Mapping[str, str]) -> Reply:
        return await self._call(
            httpx.Request("GET", url, headers=dict(headers), extensions=self._extensions)
        )

    async def _call(self, request: httpx.Request) -> Reply:
        """The one place where the client library's errors become ours."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._transport.handle_async_request(request)
                body = await _body_of(response)
        except TimeoutError as error:
            raise Transient("no answer in time", in_doubt=True) from error
        except httpx.TransportError as error:
            raise _transient(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(_words(error), in_doubt=_may_have_left(error)) from error
        headers = {
            k.lower().decode("latin-1"): v.decode("latin-1") for k, v in response.headers.raw
        }
        return Reply(status=response.status_code, headers=headers, body=body)


async def _body_of(response: httpx.Response) -> bytes:
    """The body as it came, cut once it is longer than any answer; the response is closed.

    Read from the transport's stream: ``Response.aiter_raw`` does the same at twice the price.
    """
    stream = cast("httpx.AsyncByteStream", response.stream)
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in stream:
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_ANSWER:
                break
    finally:
        await stream.aclose()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _proxy_for(base_url: str) -> httpx.Proxy | None:
    """The environment's proxy for this address, looked up once: aiohttp's own way (trust_env)
    looks it up for every call, in another thread, at several times the cost of the call.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    found = getproxies().get(parts.scheme)
    return httpx.Proxy(found) if found and not proxy_bypass(host) else None


def _transient(error: httpx.TransportError) -> Transient:
    cause = error.__cause__
    return Transient(_words(cause or error), in_doubt=cause is None or _may_have_left(cause))


def _may_have_left(cause: BaseException) -> bool:
    """False only when no connection was made: httpx-aiohttp's own classes cannot tell (ADR 3)."""
    return not isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _words(error: BaseException) -> str:
    """A short reason without addresses or bodies."""
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = os.strerror(error.os_error.errno) if error.os_error.errno else ""
        return f"no connection ({reason or type(error).__name__})"
    if isinstance(error, aiohttp.ServerTimeoutError):
        return "no answer in time"
    return f"connection lost ({type(error).__name__})"
