"""The wire: answers in every framing HTTP/1.1 knows, connections kept and dropped, TLS."""

import asyncio
import gzip
import socket
import ssl
import threading
import traceback
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import trustme

from pipeline.core.errors import SettingsError, Transient
from pipeline.delivery.api.client import Credentials, KonnectApi
from pipeline.delivery.api.transport import ReqwestTransport
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
    assert _twice(server) == (b"{}", b'{"data":{},"meta":{}}\n')
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
    assert _twice(server) == (b"{}", b'{"data":{},"meta":{}}\n')
    assert server.connections == 2


def test_the_answer_to_a_call_that_was_given_up_is_not_the_next_calls() -> None:
    def late(connection: socket.socket) -> bool:
        pause.wait(1.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
        return True

    pause = threading.Event()
    server = raw.RawServer(late)

    async def work(api: KonnectApi) -> bytes:
        with pytest.raises(Transient):
            await api.put_status(b"[1]")
        return (await api.put_status(b"[2]")).body

    assert _with_api(server.url, work, timeout=0.7) == b'{"data":{},"meta":{}}\n'
    assert server.connections == 2
    server.close()


def test_calls_side_by_side_have_a_connection_each_and_leave_them_to_the_next() -> None:
    together = threading.Barrier(4)

    def when_all_are_there(connection: socket.socket) -> bool:
        together.wait(30)
        return raw.saying("200 OK")(connection)

    server = raw.RawServer(*[when_all_are_there] * 12)

    async def work(api: KonnectApi) -> None:
        for _ in range(3):
            await asyncio.gather(*(api.put_status(b"[%d]" % n) for n in range(4)))

    _with_api(server.url, work)
    assert len(server.puts) == 12
    # One that is just being given back may be missed, and another opened.
    assert 4 <= server.connections < 8
    server.close()


def test_a_header_with_a_line_break_sends_nothing() -> None:
    server = raw.RawServer()

    async def run() -> None:
        wire = ReqwestTransport(server.url, seconds=5, longest=1000)
        request = httpx.Request("PUT", server.url, content=b"[1]")
        request.headers["x-note"] = "one\r\nx-evil: 1"
        with pytest.raises(httpx.LocalProtocolError):
            await wire.handle_async_request(request)
        await wire.aclose()

    asyncio.run(run())
    assert server.connections == 0
    server.close()


@pytest.mark.parametrize(
    "line",
    [
        b"x-note: caf\xe9",
        "x-note: caf\u00e9".encode(),
        b"x-note : a space before the colon",
        b"x-note: folded\r\n  over two lines",
        b"x-note: a control \x01 character",
        b"two words: 1",
        b"no colon",
    ],
)
def test_a_header_that_breaks_the_rules_costs_neither_the_answer_nor_the_other_headers(
    line: bytes,
) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + line + b"\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"
    server = raw.RawServer(_bytes(head))
    reply = _with_api(server.url, lambda api: api.put_status(b"[1]"))
    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.headers["retry-after"] == "7"
    server.close()


def test_an_answer_whose_headers_never_end_is_given_up_and_in_doubt() -> None:
    def act(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x-more: " + b"y" * 1000 + b"\r\n")

    server = raw.RawServer(act)
    with pytest.raises(Transient) as caught:
        _with_api(server.url, lambda api: api.put_status(b"[1]"), timeout=20)
    assert caught.value.in_doubt
    assert "time" not in caught.value.message
    server.close()


@pytest.mark.parametrize("length", [b"transfer-encoding: chunked", b"content-length: 999999999999"])
def test_an_answer_without_end_is_cut_and_its_connection_closed(length: bytes) -> None:
    cut = threading.Event()

    def act(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
        try:
            while True:
                connection.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        except OSError:
            cut.set()
        return False

    server = raw.RawServer(act)

    async def work(api: KonnectApi) -> int:
        size = len((await api.put_status(b"[1]")).body)
        assert await asyncio.to_thread(cut.wait, 5), "the connection is still open"
        return size

    assert _with_api(server.url, work) == 4 * 1024 * 1024
    server.close()


@pytest.mark.parametrize("cancelled", [False, True], ids=["time is up", "cancelled before"])
def test_a_call_that_nobody_waits_for_any_more_closes_its_connection_when_its_time_is_up(
    cancelled: bool,
) -> None:
    asked, closed = threading.Event(), threading.Event()

    def act(connection: socket.socket) -> bool:
        asked.set()
        if connection.recv(1) == b"":
            closed.set()
        return False

    server = raw.RawServer(act)

    async def work(api: KonnectApi) -> None:
        call = asyncio.create_task(api.put_status(b"[1]"))
        assert await asyncio.to_thread(asked.wait, 5)
        if cancelled:
            call.cancel()
        with pytest.raises(asyncio.CancelledError if cancelled else Transient):
            await call
        assert await asyncio.to_thread(closed.wait, 5), "the connection is still open"

    _with_api(server.url, work, timeout=0.5)
    server.close()


def test_the_password_is_in_no_word_of_a_call_for_a_token_that_failed() -> None:
    server = raw.RawServer(info=raw.hang_up)
    credentials = Credentials(username="ann", password="pass%word")

    async def run() -> Transient:
        api = KonnectApi(base_url=server.url, credentials=credentials, timeout=5)
        with pytest.raises(Transient) as caught:
            await api.put_status(b"[1]")
        await api.close()
        return caught.value

    error = asyncio.run(run())
    said = "".join(traceback.format_exception(error))
    kin: BaseException | None = error
    while kin is not None:
        said += repr(kin)
        kin = kin.__cause__ or kin.__context__
    assert server.gets == 1
    assert "pass" not in said.replace("passed", "")
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


def _over_tls(name: str, authority: trustme.CA) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    server = raw.RawServer(_bytes(PLAIN), tls=context)
    try:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        return _with_api(url, lambda api: api.put_status(b"[1]")).body
    finally:
        server.close()


def test_tls_with_a_trusted_name_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert _over_tls("localhost", authority) == b"{}"


def test_an_authority_in_the_folder_that_is_named_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "1234abcd.0")  # a name as OpenSSL's rehash makes it
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert _over_tls("localhost", authority) == b"{}"


@pytest.mark.parametrize("named", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_naming_a_file_or_a_folder_takes_nothing_from_the_other_places_default(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenSSL has it, and with it what people know from curl and Python."""
    authority = trustme.CA()
    (tmp_path / "certs").mkdir()
    authority.cert_pem.write_to_path(tmp_path / "certs" / "1234abcd.0")
    authority.cert_pem.write_to_path(tmp_path / "cert.pem")
    (tmp_path / "certs" / "README").write_bytes(b"\xff no certificate")
    other = tmp_path / "other"
    other.mkdir()
    trustme.CA().cert_pem.write_to_path(other / "5678abcd.0")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(named, str(other if named == "SSL_CERT_DIR" else other / "5678abcd.0"))
    known = ssl.get_default_verify_paths()._replace(
        openssl_cafile=str(tmp_path / "cert.pem"), openssl_capath=str(tmp_path / "certs")
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: known)
    assert _over_tls("localhost", authority) == b"{}"


def test_without_any_certificates_https_is_refused_with_advice_and_http_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        KonnectApi(base_url="https://api.example", credentials=Credentials(token="t"), timeout=5)
    assert _twice(raw.RawServer())[1] == b'{"data":{},"meta":{}}\n'


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
