"""HTTP/1.1 for httpx on pyreqwest: errors that are truthful about doubt, answers cut at a limit."""

import asyncio
import os
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, PyreqwestError, RequestError, RequestTimeoutError
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import RequestBody, StreamRequest

from pipeline.core.errors import SettingsError

_KEEP = timedelta(seconds=15)
"""A connection idle for longer is not trusted: servers and gateways close theirs after 60 s or so,
and a request that meets the closing is in doubt."""

_CONNECT_SHARE = 0.5
"""How much of a call's time may go into the connection: that none can be made must be known before
the time is up, since then it is certain that nothing has left."""

_NOTHING_LEFT = "client error (Connect)"
"""A cause that the library gives when it got no connection, and only then."""

_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_MADE_BY_THE_LIBRARY = frozenset({"host", "content-length", "transfer-encoding"})


class ReqwestTransport(httpx.AsyncBaseTransport):
    """An ``httpx.AsyncBaseTransport`` on pyreqwest; belongs to one event loop.

    One request is written once: no second try, no redirect, no cookie. httpx.ConnectError,
    ConnectTimeout and LocalProtocolError mean that nothing has left; any other TransportError that
    the request may have been read. A call whose time is up is closed; one that is cancelled goes on
    unheard until then.

    Args:
        base_url: Where requests go; without https here or in ``proxy`` none can go to https.
        seconds: Time for a whole call.
        longest: Bytes of an answer's body that are kept; what is longer is cut.
        proxy: Address of a proxy, with its credentials; None for none, whatever the environment
            says.

    Raises:
        SettingsError: This machine has no certificates of authorities to trust.
    """

    def __init__(
        self, base_url: str, *, seconds: float, longest: int, proxy: str | None = None
    ) -> None:
        self._tls = any(url.startswith("https:") for url in (base_url, proxy or ""))
        self._client = _client(seconds, proxy, tls=self._tls)
        self._longest = longest
        self._prepared: tuple[httpx.Headers, httpx.URL, StreamRequest] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``, its body read whole, and return the whole answer."""
        body = await request.aread()
        call = StreamRequest.from_request_and_body(
            self._head_of(request), RequestBody.from_bytes(body) if body else None
        )
        try:
            async with call as answer:
                content = await answer.body_reader.read(self._longest)
        except PyreqwestError as error:
            failure = _truthful(error)
        else:
            _obey_cancel()
            return httpx.Response(
                answer.status,
                headers=_headers_of(answer.headers),
                stream=httpx.ByteStream(content.to_bytes() if content else b""),
                request=request,
            )
        _obey_cancel()
        # Outside, so that the library's error hangs on ours nowhere: its words hold the whole
        # address, and that of a token's request has the password in it.
        raise failure

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _head_of(self, request: httpx.Request) -> StreamRequest:
        """Return the request without its body; made once for requests that share their headers."""
        known = self._prepared
        if known and known[0] is request.headers and known[1] is request.url:
            return known[2]
        if request.url.scheme == "https" and not self._tls:
            raise httpx.UnsupportedProtocol("this transport was made for http")
        headers = [
            (name, value)
            for name, value in request.headers.multi_items()
            if name not in _MADE_BY_THE_LIBRARY
        ]
        try:
            builder = self._client.request(request.method, str(request.url)).headers(headers)
            head = builder.build_streamed()
        except ValueError as error:
            raise httpx.LocalProtocolError("a header or the address cannot be sent") from error
        self._prepared = (request.headers, request.url, head)
        return head


def _obey_cancel() -> None:
    """Raise CancelledError in a task that was cancelled while the library had an answer at hand.

    The library then returns the answer, and whoever cancelled would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _client(seconds: float, proxy: str | None, *, tls: bool) -> Client:
    builder = (
        ClientBuilder()
        .follow_redirects(enable=False)
        .referer(enable=False)
        .timeout(timedelta(seconds=seconds))
        .connect_timeout(timedelta(seconds=seconds * _CONNECT_SHARE))
        .pool_idle_timeout(_KEEP)
        .http1_lower_case_headers()
        # The caller asks for no coding and understands one that comes all the same.
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        # Sloppy gateways send these, and every browser takes them.
        .http1_allow_spaces_after_header_name_in_responses(value=True)
        .http1_allow_obsolete_multiline_headers_in_responses(value=True)
        .http1_ignore_invalid_headers_in_responses(value=True)
        .no_proxy()
    )
    if proxy:
        builder = builder.proxy(ProxyBuilder.all(proxy))
    if tls:
        for certificate in _certificates_of_the_other_default():
            builder = builder.add_root_certificate_der(certificate)
    else:
        # Nothing is encrypted: the client need not read the system's certificates, which takes
        # 20 ms, nor fail where there are none.
        builder = builder.danger_accept_invalid_certs(enable=True)
    try:
        return builder.build()
    except BuilderError as error:
        raise SettingsError(
            "This machine has no certificates to check the API's server against.",
            hint="Install the system's certificates (ca-certificates), or name a file with those "
            "of your authority in SSL_CERT_FILE.",
        ) from error


def _certificates_of_the_other_default() -> set[bytes]:
    """Return what OpenSSL trusts beside the one place that the environment names, as DER.

    The library reads SSL_CERT_FILE and SSL_CERT_DIR too, but takes one of them alone for all there
    is; OpenSSL keeps the system's default for the other.
    """
    paths = ssl.get_default_verify_paths()
    file, folder = (
        os.environ.get(name) for name in (paths.openssl_cafile_env, paths.openssl_capath_env)
    )
    if file and not folder:
        return {*_certificates_in(Path(paths.openssl_capath).glob("*"))}
    if folder and not file:
        return {*_certificates_in([Path(paths.openssl_cafile)])}
    return set()


def _certificates_in(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with suppress(OSError, ValueError):  # not to be read, or no PEM
            for block in _PEM.findall(file.read_text("ascii")):
                yield ssl.PEM_cert_to_DER_cert(block)


def _headers_of(headers: HeaderMap) -> list[tuple[str, str]]:
    """Return the headers, without those whose values are not ASCII."""
    try:
        return list(headers.items())
    except ValueError:
        found = []
        for name in headers:
            with suppress(ValueError):
                found.append((name, headers[name]))
        return found


def _truthful(error: PyreqwestError) -> httpx.TransportError:
    """Return the httpx error that shows whether anything may have left, with a short reason.

    The library's class does not show it: a lost answer is a ConnectError there as well.
    """
    causes = error.details["causes"] or [] if isinstance(error, RequestError) else []
    words = [cause["message"] for cause in causes[1:]]  # the first has the whole address
    reason = words[-1].partition(" (os error")[0] if words else type(error).__name__
    timeout = isinstance(error, RequestTimeoutError)
    if _NOTHING_LEFT in words:
        return httpx.ConnectTimeout(reason) if timeout else httpx.ConnectError(reason)
    return httpx.ReadTimeout(reason) if timeout else httpx.ReadError(reason)


_HOST = re.compile(r"[\w.:-]+", re.ASCII)


def proxy_for(base_url: str) -> str | None:
    """Return the address of the proxy that calls to ``base_url`` go through, or None.

    Read from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their names in lower case. Raises
    SettingsError when what is there is no address of an HTTP proxy.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # the rule; the import below takes long
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    found = getproxies().get(parts.scheme)
    if not found or any(map(proxy_bypass, (parts.netloc, parts.hostname or ""))):
        return None
    address = found if "://" in found else f"http://{found}"
    if not _is_an_address(address):
        raise SettingsError(  # without what it holds: that may be a password
            f"The variable {parts.scheme.upper()}_PROXY holds no address of a proxy.",
            hint="It has the shape http://host:port or http://user:password@host:port.",
        )
    return address


def _is_an_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
        return parts.scheme in {"http", "https"} and bool(sound)
    except ValueError:  # a port that is none
        return False
