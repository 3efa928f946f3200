"""Through a proxy: aiohttp's client, with error classes that are truthful about doubt."""

import ssl

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

_PIECE = 64 * 1024


class ProxiedTransport(httpx.AsyncBaseTransport):
    """As ``WireTransport``, over a proxy (CONNECT, credentials and all); slower, and rarely used.

    ``longest``: bytes of an answer that are kept.
    """

    def __init__(self, *, proxy: httpx.Proxy, trust: ssl.SSLContext, longest: int) -> None:
        self._longest = longest
        self._inner = AiohttpTransport(
            verify=trust, client=lambda: _session(trust), proxy=proxy, trust_env=False
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and wait for the whole answer. Raises as ``WireTransport`` does."""
        try:
            response = await self._inner.handle_async_request(request)
            content = await self._content_of(response)
        except httpx.TransportError as error:
            raise _truthful(error, error.__cause__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _truthful(error, error) from error
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=httpx.ByteStream(content),
            request=request,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _content_of(self, response: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in response.aiter_raw(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > self._longest:
                    break
        finally:
            await response.aclose()
        return b"".join(pieces)


def _session(trust: ssl.SSLContext) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=["User-Agent", "Accept-Encoding"],
    )
    # aiohttp repeats a PUT by itself when a kept-alive connection turns out dead. Whether an update
    # is sent twice is for us to decide; a test proves that it stays off.
    session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch
    return session


def _truthful(error: Exception, cause: BaseException | None) -> httpx.TransportError:
    """httpx-aiohttp gives a lost answer the class of a refused connection (decision 3)."""
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return httpx.ConnectError(str(error))
    return httpx.ReadError(str(error))
