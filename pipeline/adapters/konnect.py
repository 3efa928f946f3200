"""Fynd Konnect over httpx: one call out, one reply back, or ``Transient`` when none came.

httpx runs on the aiohttp transport and is used at its transport seam, prepared requests and all:
its own connection pool costs several times the call at this rate (benchmarks/README.md).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from pipeline.errors import Held, Transient
from pipeline.ports import Reply

STATUS_PATH = "/oms/v3/shipment/status"
INFO_PATH = "/oms/v3/shipment/info"
TOKEN_PATH = "/aggregator/v1/token"  # noqa: S105 - a path, not a secret
_MAX_ANSWER = 4 * 1024 * 1024
_TOKEN_NAMES = ("access_token", "accessToken", "token")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to get a token: fixed, from a file that is read again when it changes, or fetched."""

    token: str | None = None
    token_file: Path | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class KonnectApi:
    """Implements ``ports.StatusApi``. Belongs to the event loop that first uses it."""

    def __init__(
        self, *, base_url: str, credentials: Credentials, timeout: float, connections: int
    ) -> None:
        self._base_url = base_url
        self._credentials = credentials
        self._timeout = timeout
        self._transport = AiohttpTransport(
            client=self._session_factory(connections), proxy=_proxy_for(base_url)
        )
        self._token = credentials.token or ""
        self._token_file_stamp: tuple[int, int] | None = None
        self._generation = 0
        self._renewal: asyncio.Task[bool] | None = None
        self._status_url = httpx.URL(base_url + STATUS_PATH)
        self._extensions = {
            "timeout": {"connect": timeout, "read": timeout, "write": timeout, "pool": timeout}
        }

    @staticmethod
    def _session_factory(connections: int) -> Callable[[], aiohttp.ClientSession]:
        def make() -> aiohttp.ClientSession:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=connections + 2,
                    keepalive_timeout=15,
                    ssl=ssl.create_default_context(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # aiohttp repeats a PUT by itself when a kept-alive connection turns out dead. Whether
            # an update is sent twice is for us to decide; a test proves that it stays off.
            session._retry_connection = False
            return session

        return make

    async def put_status(self, body: bytes) -> Reply:
        """Send one chunk: a JSON array of up to 20 updates. Raises Transient, Held (no token)."""
        headers = httpx.Headers(
            {
                "content-type": "application/json",
                "accept": "application/json",
                "x-access-token": await self._current_token(),
            },
            encoding="ascii",
        )
        return await self._call(
            httpx.Request(
                "PUT", self._status_url, headers=headers, content=body, extensions=self._extensions
            )
        )

    async def order_info(self, order_id: str) -> Reply:
        """Ask where an order is now. Raises Transient, Held (no token)."""
        url = f"{self._base_url}{INFO_PATH}?orderId={quote(order_id, safe='')}"
        return await self._get(url, {"x-access-token": await self._current_token()})

    @property
    def token_generation(self) -> int:
        """Grows with every token, so that a late 401 for an old one asks for nothing."""
        return self._generation

    async def renew_token(self, generation: int) -> bool:
        """Get one new token for all who wait; False when there is no way to a new one.

        ``generation`` is that of the token which was refused. Raises Transient.
        """
        if generation != self._generation:
            return True
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(self._token))
        return await asyncio.shield(self._renewal)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _renew(self, old: str) -> bool:
        self._token_file_stamp = None
        if self._credentials.token_file is not None:
            renewed = await self._current_token() != old
            self._generation += renewed
            return renewed
        if self._credentials.username is None:
            return False
        self._token = ""
        try:
            await self._current_token()
        except Held:
            return False
        self._generation += 1
        return True

    async def _current_token(self) -> str:
        if self._credentials.token_file is not None:
            self._read_token_file(self._credentials.token_file)
        if not self._token and self._credentials.username is not None:
            self._token = await self._fetch_token()
        if not self._token:
            raise Held("There is no token for the API.", hint="Set api.token or api.token_file.")
        return self._token

    def _read_token_file(self, path: Path) -> None:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp != self._token_file_stamp:
                self._token = path.read_text(encoding="ascii").strip()
                self._token_file_stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise Held(
                f"The token file {path} cannot be read: {type(error).__name__}.",
                hint="Put the token into it, readable for this service.",
            ) from None

    async def _fetch_token(self) -> str:
        user = quote(self._credentials.username or "", safe="")
        password = quote(self._credentials.password or "", safe="")
        url = f"{self._base_url}{TOKEN_PATH}?username={user}&password={password}"
        reply = await self._get(url, {})
        if reply.status in {408, 425, 429} or reply.status >= 500:
            raise Transient(f"No token: the API answered {reply.status}.", in_doubt=False)
        token = _token_in(reply.body) if reply.status < 300 else None
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
                try:
                    body = bytearray()
                    async for piece in response.aiter_raw():
                        body += piece
                        if len(body) > _MAX_ANSWER:
                            break
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise Transient("no answer in time", in_doubt=True) from error
        except httpx.TransportError as error:
            raise _transient(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(_words(error), in_doubt=_may_have_left(error)) from error
        return Reply(
            status=response.status_code,
            headers={k.lower(): v for k, v in response.headers.items()},
            body=bytes(body),
        )


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
        return f"no connection ({error.os_error.strerror or type(error).__name__})"
    if isinstance(error, aiohttp.ServerTimeoutError):
        return "no answer in time"
    return f"connection lost ({type(error).__name__})"


def _token_in(body: bytes) -> str | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for level in (found, found.get("data") if isinstance(found, dict) else None):
        if isinstance(level, dict):
            for name in _TOKEN_NAMES:
                if isinstance(level.get(name), str) and level[name]:
                    return str(level[name])
    return None
