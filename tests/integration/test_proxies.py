"""Through a proxy: which one, with whose name and password, and what is in doubt when it fails."""

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from pipeline.core.errors import SettingsError, Transient
from pipeline.core.ports import Reply
from pipeline.delivery.api.client import Credentials, KonnectApi
from pipeline.delivery.api.transport import proxy_for
from tests.integration import delivery_support as raw

NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy but those of a test."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Proxy:
    """A proxy for CONNECT. ``answer``: what it says instead of connecting; ``tls``: over TLS."""

    def __init__(self, answer: bytes | None, tls: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
            self.heads.append(head)
            if self._answer is not None:
                connection.sendall(self._answer)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_copy, args=(there, connection), daemon=True)
                back.start()
                _copy(connection, there)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@dataclass
class Surroundings:
    """An API over TLS and a proxy before it, both on this machine."""

    url: str
    api: raw.RawServer
    proxy: Proxy


@contextmanager
def surroundings(
    authority: trustme.CA, *, answer: bytes | None = None, tls_proxy: bool = False
) -> Iterator[Surroundings]:
    """Both servers, for the length of a test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    api = raw.RawServer(tls=context)
    proxy = Proxy(answer, context if tls_proxy else None)
    try:
        yield Surroundings(api.url.replace("http://127.0.0.1", "https://localhost"), api, proxy)
    finally:
        proxy.close()
        api.close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that is trusted."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def put(url: str) -> Reply:
    """Send one chunk."""

    async def work() -> Reply:
        api = KonnectApi(base_url=url, credentials=Credentials(token="secret-token"), timeout=5)
        try:
            return await api.put_status(b"[1]")
        finally:
            await api.close()

    return asyncio.run(work())


@pytest.mark.parametrize("tls_proxy", [False, True], ids=["plain", "the proxy itself over TLS"])
def test_calls_over_tls_go_through_the_proxy_with_its_password_and_without_our_token(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tls_proxy: bool
) -> None:
    scheme = "https" if tls_proxy else "http"
    with surroundings(authority, tls_proxy=tls_proxy) as there:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://ann:p%40ss@localhost:{there.proxy.port}")
        assert put(there.url).status == 200
        assert there.api.puts == [b"[1]"]
        (head,) = there.proxy.heads
    assert head.startswith(b"CONNECT " + there.url.removeprefix("https://").encode() + b" ")
    assert b"basic " + base64.b64encode(b"ann:p@ss").lower() in head.lower()
    assert b"secret-token" not in head


def test_an_address_without_a_scheme_is_that_of_an_http_proxy(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with surroundings(authority) as there:
        monkeypatch.setenv("https_proxy", f"localhost:{there.proxy.port}")
        put(there.url)
        assert len(there.proxy.heads) == 1


@pytest.mark.parametrize("exempt", ["localhost", "localhost:{port}", "*", "example.org, localhost"])
def test_what_no_proxy_names_is_called_directly(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    with surroundings(authority) as there:
        monkeypatch.setenv("https_proxy", f"http://localhost:{there.proxy.port}")
        monkeypatch.setenv("NO_PROXY", exempt.format(port=there.url.rpartition(":")[2]))
        assert put(there.url).status == 200
        assert there.proxy.heads == []


def test_a_proxy_for_the_other_scheme_or_all_of_them_is_not_used(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with surroundings(authority) as there:
        for name in ("http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://localhost:{there.proxy.port}")
        assert put(there.url).status == 200
        assert there.proxy.heads == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad",
        b"",
        b"\x00\x01 noise",
    ],
    ids=["407", "502", "hangs up", "noise"],
)
def test_a_proxy_that_does_not_connect_lets_nothing_leave(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with surroundings(authority, answer=answer) as there:
        monkeypatch.setenv("https_proxy", f"http://ann:pw@localhost:{there.proxy.port}")
        with pytest.raises(Transient) as caught:
            put(there.url)
        assert len(there.proxy.heads) == 1
        assert there.api.puts == []
    assert not caught.value.in_doubt
    assert "pw" not in caught.value.message


def test_a_certificate_that_is_not_theirs_sends_nothing_through_a_proxy_either(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with surroundings(trustme.CA()) as there:
        monkeypatch.setenv("https_proxy", f"http://localhost:{there.proxy.port}")
        with pytest.raises(Transient) as caught:
            put(there.url)
        assert len(there.proxy.heads) == 1
        assert there.api.puts == []
    assert not caught.value.in_doubt
    assert "certificate" in caught.value.message


@pytest.mark.parametrize(
    "value", ["http://bad host", "proxy:port", "http://:pw@:1", "ftp://proxy:1", "http://proxy:0"]
)
def test_a_proxy_without_an_address_is_a_wrong_setting_that_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("https_proxy", value)
    with pytest.raises(SettingsError) as caught:
        proxy_for("https://api.example")
    assert "HTTPS_PROXY" in str(caught.value)
    assert value not in str(caught.value)
