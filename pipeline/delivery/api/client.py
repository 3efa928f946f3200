"""Fynd Konnect over httpx: one call out, one reply back, or ``Transient`` when none came.

httpx is used at its transport seam, prepared requests and all: its own client and connection pool
cost many times the call at this rate (decisions 3 and 41, benchmarks/README.md).
"""

import zlib
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

import httpx

from pipeline.core.errors import Held, Transient
from pipeline.core.ports import Reply
from pipeline.delivery.api.auth import Credentials, Masks, Tokens, token_in
from pipeline.delivery.api.transport import ReqwestTransport, proxy_for

STATUS_PATH = "/oms/v3/shipment/status"
INFO_PATH = "/oms/v3/shipment/info"
TOKEN_PATH = "/aggregator/v1/token"  # noqa: S105 - a path, not a secret
_LONGEST_ANSWER = 4 * 1024 * 1024

_COMMON = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "shipdrop",
}
_INFLATED = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""Content codings that are understood, and zlib's word for each."""

__all__ = ["Credentials", "KonnectApi"]


class _Put(httpx.Request):
    """A PUT of which only the body is new: httpx would prepare its headers for each call."""

    def __init__(self, url: httpx.URL, headers: httpx.Headers, body: bytes) -> None:
        self.method = "PUT"
        self.url = url
        self.headers = headers
        self.extensions = {}
        self.stream = httpx.ByteStream(body)
        self._content = body


class KonnectApi:
    """Implements ``ports.StatusApi``. Belongs to the event loop that first uses it."""

    def __init__(self, *, base_url: str, credentials: Credentials, timeout: float) -> None:
        self._base_url = base_url
        self._transport = ReqwestTransport(
            base_url,
            seconds=timeout,
            longest=_LONGEST_ANSWER,
            proxy=proxy_for(base_url),
        )
        self._tokens = Tokens(credentials, self._fetch_token)
        self._masks = Masks()
        self._masks.learn(credentials.password or "")
        self._headers = httpx.Headers()
        self._headers_token = ""
        self._status_url = httpx.URL(base_url + STATUS_PATH)

    async def put_status(self, body: bytes) -> Reply:
        """Send one chunk: a JSON array of up to 20 updates. Raises Transient, Held (no token)."""
        token = await self._current_token()
        if token != self._headers_token:
            self._headers = httpx.Headers(
                {**_COMMON, "content-type": "application/json", "x-access-token": token},
                encoding="ascii",
            )
            self._headers_token = token
        return self._masks.cover(await self._call(_Put(self._status_url, self._headers, body)))

    async def order_info(self, order_id: str) -> Reply:
        """Ask where an order is now. Raises Transient, Held (no token)."""
        url = f"{self._base_url}{INFO_PATH}?orderId={quote(order_id, safe='')}"
        return self._masks.cover(
            await self._get(url, {"x-access-token": await self._current_token()})
        )

    async def _current_token(self) -> str:
        token = await self._tokens.current()
        self._masks.learn(token)
        return token

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
        return await self._call(httpx.Request("GET", url, headers={**_COMMON, **headers}))

    async def _call(self, request: httpx.Request) -> Reply:
        """Make a call: the one place where the client library's errors become ours."""
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise _transient(error) from error
        headers = {
            k.lower().decode("latin-1"): v.decode("latin-1") for k, v in response.headers.raw
        }
        body = await _whole(response)
        if (coding := headers.get("content-encoding", "").strip().lower()) in _INFLATED:
            body = _inflate(body, coding)
        return Reply(status=response.status_code, headers=headers, body=body)


async def _whole(response: httpx.Response) -> bytes:
    """Return the body, which is there whole. ``Response.aread`` costs several times as much."""
    stream = cast("httpx.AsyncByteStream", response.stream)
    return b"".join([piece async for piece in stream])


def _inflate(body: bytes, coding: str) -> bytes:
    """Return the body of a gateway that compresses though it was asked not to; cut like any other.

    What cannot be inflated stays as it is: it is no JSON then, and its rows are asked about.
    """
    try:
        return zlib.decompressobj(_INFLATED[coding]).decompress(body, _LONGEST_ANSWER)
    except zlib.error:
        return body


def _transient(error: httpx.TransportError) -> Transient:
    """Return the error as ours: the transport's class shows whether anything has left."""
    kinds = httpx.ConnectError | httpx.ConnectTimeout | httpx.LocalProtocolError
    never_left = isinstance(error, kinds)
    return Transient(_words(error), in_doubt=not never_left)


def _words(error: httpx.TransportError) -> str:
    """Return a short reason without addresses or bodies."""
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({error})"
    return f"connection lost ({error})"
