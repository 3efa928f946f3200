"""One connection: one request out, one answer back, and never a second try by itself."""

import asyncio
from typing import cast

import httptools
import httpx

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

_EMPTY: frozenset[int] = frozenset({204, 304})


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 over one socket, one exchange at a time.

    ``longest``: bytes of an answer's body that are kept; what is longer is cut, and the connection
    closed. Belongs to the event loop that made it.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[_Answer] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._began = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Open, and nothing is under way on it."""
        transport = self._transport
        return transport is not None and self._answer is None and not transport.is_closing()

    def exchange(self, head: bytes, body: bytes) -> "asyncio.Future[_Answer]":
        """Send a request; the future gives status, raw headers and body.

        It raises httpx.ReadError or RemoteProtocolError: whether the request was read over there
        is not known then. Whoever gives up waiting must ``abort``.
        """
        transport = cast("asyncio.Transport", self._transport)
        self._answer = asyncio.get_running_loop().create_future()
        self._begin()
        transport.writelines((head, body))
        return self._answer

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close in order."""
        if self._transport is not None:
            self._transport.close()

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._answer is None or self._parser is None:
            self.abort()  # nobody asked: what comes after such words cannot be told apart
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"not an HTTP answer ({type(error).__name__})"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop. An answer without a length ends with its connection."""
        if exc is None and self._answer is not None and self._began and not self._has_length():
            self._end(cast("httptools.HttpResponseParser", self._parser).get_status_code())
        self._fail(httpx.ReadError(str(exc) or type(exc).__name__ if exc else "closed"))

    # -- httptools' protocol -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Called by the parser. Two answers to one request: nothing on this can be trusted."""
        if self._answer is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._began = True

    def on_body(self, body: bytes) -> None:
        """Called by the parser, for each piece."""
        self._body.append(body)
        self._size += len(body)
        if self._size > self._longest and self._answer is not None:
            self._end(cast("httptools.HttpResponseParser", self._parser).get_status_code())
            self.abort()

    def on_message_complete(self) -> None:
        """Called by the parser. A 1xx announces the answer; it is none."""
        parser = cast("httptools.HttpResponseParser", self._parser)
        status = parser.get_status_code()
        if self._answer is None:
            return
        if status < 200:
            self._begin(parser)
            return
        keep = parser.should_keep_alive() and (self._has_length() or status in _EMPTY)
        self._end(status)
        if not keep:
            self.close()

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, parser: httptools.HttpResponseParser | None = None) -> None:
        if parser is None:
            parser = httptools.HttpResponseParser(self)
            # What sloppy gateways send and every browser takes.
            parser.set_dangerous_leniencies(
                lenient_headers=True,
                lenient_optional_cr_before_lf=True,
                lenient_spaces_after_chunk_size=True,
            )
        self._parser = parser
        self._headers = []
        self._body = []
        self._size = 0
        self._began = False

    def _has_length(self) -> bool:
        """The answer says where it ends (RFC 9112, 6.3)."""
        return any(
            name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self._headers
        )

    def _end(self, status: int) -> None:
        answer, self._answer = self._answer, None
        headers, self._headers = self._headers, []
        if answer is not None and not answer.done():
            answer.set_result((status, headers, b"".join(self._body)))

    def _fail(self, error: httpx.TransportError) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.abort()
