"""The wire: answers in every framing HTTP/1.1 knows, connections kept and dropped, TLS."""

import asyncio
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import trustme

from pipeline.adapters.konnect import Credentials, KonnectApi
from pipeline.adapters.wire import WireTransport
from pipeline.errors import Transient
from tests.integration import delivery_support as raw

_T = TypeVar("_T")
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def _with_api(
    url: str, work: Callable[[KonnectApi], Awaitable[_T]], *, token: str = "t", timeout: float = 5
) -> _T:
    async def run() -> _T:
        api = KonnectApi(base_url=url, credentials=Credentials(token=token), timeout=timeout)
        try:
            return await work(api)
        finally:
            await api.close()

    return asyncio.run(run())


def _bytes(*pieces: bytes, close: bool = False) -> Callable[[socket.socket], bool]:
    def act(connection: socket.socket) -> bool:
        for piece in pieces:
            connection.sendall(piece)
        return raw.hang_up(connection) if close else True

    return act


def _twice(server: raw.RawServer, **settings: Any) -> tuple[bytes, bytes]:
    async def work(api: KonnectApi) -> tuple[bytes, bytes]:
        first = await api.put_status(b"[1]")
        second = await api.put_status(b"[2]")
        return first.body, second.body

    said = _with_api(server.url, work, **settings)
    server.close()
    return said


@pytest.mark.parametrize(
    "pieces",
    [
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN),
        (b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + PLAIN,),
        tuple(PLAIN[at : at + 1] for at in range(len(PLAIN))),
        (b"HTTP/1.1 200 OK\ncontent-length: 2\n\n{}",),
    ],
    ids=["chunked", "100-continue", "early hints", "byte by byte", "bare line feeds"],
)
def test_an_answer_in_this_framing_is_read_and_the_connection_kept(
    pieces: tuple[bytes, ...],
) -> None:
    server = raw.RawServer(_bytes(*pieces))
    assert _twice(server)[0] == b"{}"
    assert server.connections == 1


def test_no_content_is_an_answer_without_a_body_and_keeps_the_connection() -> None:
    server = raw.RawServer(_bytes(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert _twice(server)[0] == b""
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ],
    ids=["no length", "HTTP/1.0", "a length, and close"],
)
def test_an_answer_that_ends_with_its_connection_is_whole_and_the_next_call_opens_another(
    answer: bytes,
) -> None:
    server = raw.RawServer(_bytes(answer, close=True))
    assert _twice(server) == (b"{}", b'{"data":{"a":"b"}}\n')
    assert server.connections == 2


def test_an_answer_without_a_length_that_ends_in_a_reset_is_in_doubt() -> None:
    def act(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
        return raw.reset(connection)

    server = raw.RawServer(act)
    with pytest.raises(Transient) as caught:
        _with_api(server.url, lambda api: api.put_status(b"[1]"))
    assert caught.value.in_doubt
    server.close()


def test_words_that_nobody_asked_for_are_not_taken_for_the_next_answer() -> None:
    server = raw.RawServer(_bytes(PLAIN + b"HTTP/1.1 500 No\r\ncontent-length: 3\r\n\r\nbad"))
    assert _twice(server) == (b"{}", b'{"data":{"a":"b"}}\n')
    assert server.connections == 2


def test_the_answer_to_a_call_that_was_given_up_is_not_the_next_calls() -> None:
    def late(connection: socket.socket) -> bool:
        pause.wait(0.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
        return True

    pause = threading.Event()
    server = raw.RawServer(late)

    async def work(api: KonnectApi) -> bytes:
        with pytest.raises(Transient):
            await api.put_status(b"[1]")
        return (await api.put_status(b"[2]")).body

    assert _with_api(server.url, work, timeout=0.2) == b'{"data":{"a":"b"}}\n'
    assert server.connections == 2
    server.close()


def test_calls_side_by_side_have_a_connection_each_and_leave_them_to_the_next() -> None:
    server = raw.RawServer()

    async def work(api: KonnectApi) -> None:
        for _ in range(3):
            await asyncio.gather(*(api.put_status(b"[%d]" % n) for n in range(4)))

    _with_api(server.url, work)
    assert len(server.puts) == 12
    assert server.connections == 4
    server.close()


def test_a_header_with_a_line_break_sends_nothing() -> None:
    server = raw.RawServer()

    async def run() -> None:
        wire = WireTransport(trust=ssl.create_default_context(), longest=1000)
        request = httpx.Request("PUT", server.url, content=b"[1]")
        request.headers["x-note"] = "one\r\nx-evil: 1"
        with pytest.raises(httpx.LocalProtocolError):
            await wire.handle_async_request(request)
        await wire.aclose()

    asyncio.run(run())
    assert server.connections == 0
    server.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_answer_compressed_against_our_wish_is_understood(coding: str) -> None:
    body = gzip.compress(b"{}") if coding == "gzip" else zlib.compress(b"{}")
    server = raw.RawServer(raw.saying("200 OK", body, f"Content-Encoding: {coding}"))
    assert _twice(server)[0] == b"{}"


def test_an_answer_that_would_inflate_without_end_is_cut() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    server = raw.RawServer(raw.saying("200 OK", bomb, "Content-Encoding: gzip"))
    assert len(_twice(server)[0]) == 4 * 1024 * 1024


def test_one_who_says_gzip_and_sends_none_is_left_as_he_is() -> None:
    server = raw.RawServer(raw.saying("200 OK", b"{}", "Content-Encoding: gzip"))
    assert _twice(server)[0] == b"{}"


# -- TLS -------------------------------------------------------------------------------------------


def _tls_server(name: str, authority: trustme.CA) -> tuple[asyncio.AbstractServer, Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(PLAIN)
        await writer.drain()
        writer.close()

    return context, serve


def _over_tls(name: str, authority: trustme.CA) -> bytes:
    async def run() -> bytes:
        context, serve = _tls_server(name, authority)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        api = KonnectApi(
            base_url=f"https://localhost:{port}", credentials=Credentials(token="t"), timeout=5
        )
        try:
            return (await api.put_status(b"[1]")).body
        finally:
            await api.close()
            server.close()

    return asyncio.run(run())


def test_tls_with_a_trusted_name_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert _over_tls("localhost", authority) == b"{}"


@pytest.mark.parametrize("trusted", [True, False], ids=["another name", "an unknown authority"])
def test_tls_with_a_certificate_that_is_not_theirs_sends_nothing(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    if trusted:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(Transient) as caught:
        _over_tls("somebody.example" if trusted else "localhost", authority)
    assert not caught.value.in_doubt
