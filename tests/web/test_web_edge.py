"""Requests of strangers and broken clients are answered within bounds, with all headers."""

import asyncio
import importlib
import pkgutil
import re
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn

from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.web import pages
from pipeline.web.app import create_app
from pipeline.web.server import ClientTimeouts, protocol_with
from tests.acceptance.harness import Root, orders, until
from tests.web.conftest import Live, address_of, client_of, hashed

PASSWORD = "correct horse"
USERS = f'[web.users.asha]\npassword_hash = "{hashed(PASSWORD)}"\n'
HOSTILE = (
    "9" * 40,
    "-1",
    "x" * 300,
    "x" * 6_000,
    "\x00",
    "\u202e\U0001f4a9",
    "../../etc/passwd",
    "%",
    "é" * 300,
    "._acme",
    "1e5",
)


def bound(response: httpx.Response) -> bool:
    """Tell whether an answer has the headers that bind browsers."""
    headers = response.headers
    return (
        "default-src 'none'" in headers.get("content-security-policy", "")
        and headers.get("x-content-type-options") == "nosniff"
        and headers.get("x-frame-options") == "DENY"
        and headers.get("referrer-policy") == "same-origin"
        and "cache-control" in headers
    )


def asked_for() -> list[tuple[str, tuple[str, ...]]]:
    """Every address that can be read, with the names of what may follow the question mark."""
    return [
        (route.path, tuple(each.alias for each in route.dependant.query_params))
        for module in pkgutil.iter_modules(pages.__path__)
        for route in importlib.import_module(f"{pages.__name__}.{module.name}").router.routes
        if "GET" in route.methods
    ]


@pytest.mark.parametrize("path", [path for path, _ in asked_for()])
def test_no_parameter_makes_a_page_fail(live: Live, path: str) -> None:
    names = dict(asked_for())[path]
    with live.client(follow_redirects=False) as client:
        for value in HOSTILE:
            filled = re.sub(r"\{.*?\}", quote(value, safe=""), path)
            plain = re.sub(r"\{.*?\}", "0", path)
            addresses = [filled] if filled != path else []
            addresses += [f"{plain}?{name}={quote(value, safe='')}" for name in names]
            for address in addresses:
                answer = client.get(address)
                assert answer.status_code < 500, address
                assert bound(answer), address


def test_a_log_in_takes_no_more_than_it_needs(root: Root) -> None:
    (root.path / "shipdrop.toml").write_text(USERS, "utf-8")
    root.configure(web__port=0)
    service = root.start("serve", "--log-format", "json")
    long = b"name=" + b"x" * (128 << 10)
    form = {"content-type": "application/x-www-form-urlencoded"}
    with client_of(address_of(service)) as client:
        for path in ("/login", "/upload", "/api/v1/drops"):
            body = long * (1 if path == "/login" else 40)
            told = client.post(path, content=body, headers=form)
            assert told.status_code == 413, path
            assert bound(told)
        chunked = client.post("/login", content=iter([long] * 4), headers=form)
        assert chunked.status_code == 413
        assert bound(chunked)
    assert "web.bug" not in service.end().err


@pytest.mark.parametrize("path", ["/upload", "/teach", "/api/v1/drops", "/api/v1/checks"])
def test_a_file_of_several_megabytes_is_taken_where_files_are(live: Live, path: str) -> None:
    with live.client() as client:
        found = re.search(r'X-CSRF-Token": "([0-9a-f]+)"', client.get("/").text)
        assert found
        file = {"files": ("big.csv", b"Order ID,Status\n" + (b"x," + b"y" * 5_000 + b"\n") * 1_000)}
        told = client.post(path, files=file, headers={"x-csrf-token": found[1]})
        assert told.status_code in {200, 202, 303}, told.text


def test_uploads_are_bounded_in_sum_and_ask_for_room_first(root: Root) -> None:
    root.configure(web__port=0, web__max_upload_mb=1, inbox__min_free_mb=0)
    url = address_of(root.start("serve", "--log-format", "json"))
    host, port = url.removeprefix("http://").split(":")
    head = (
        f"POST /api/v1/drops HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5242000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    ).encode()
    file = {"files": ("a.csv", orders(500))}
    with ExitStack() as held, client_of(url) as client:
        for _ in range(3):
            connection = held.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(head)
        refused = until(
            lambda: (
                (found := client.post("/api/v1/drops", files=file)).status_code == 503 and found
            ),
            what="too many at once",
        )
        assert bound(refused)
        held.close()
        until(
            lambda: client.post("/api/v1/drops", files=file).status_code == 202,
            what="room again",
        )


def test_an_upload_that_finds_no_room_is_refused_before_it_is_read(root: Root) -> None:
    root.configure(web__port=0, inbox__min_free_mb=1 << 40)
    url = address_of(root.start("serve", "--log-format", "json"))
    with client_of(url) as client:
        told = client.post("/api/v1/drops", files={"files": ("a.csv", orders(1))})
        assert told.status_code == 507
        assert "room" in told.text
        assert bound(told)


def test_of_too_many_that_are_half_sent_the_longest_silent_goes() -> None:
    assert 2 * ClientTimeouts().most <= 1_024, "a process may have so many files open"
    with impatient(head=60, body=60, most=20) as port, ExitStack() as held:
        half = []
        for number in range(60):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.settimeout(20)
            lines = ("POST / HTTP/1.1", "Host: a", *(["Content-Length: 9", ""] * (number % 2)))
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            half.append(connection)
        with client_of(f"http://127.0.0.1:{port}") as client:
            assert client.get("/").text == "whole"
        with suppress(ConnectionResetError):
            assert half[0].recv(100) == b""
        half[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            half[-1].recv(100)


@pytest.mark.soak
def test_half_sent_requests_by_the_thousand_leave_the_page_alive(root: Root) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    root.configure(web__port=0)
    root.prefix = ("prlimit", "--nofile=1024:1024")  # of most machines
    url = address_of(root.start("serve", "--log-format", "json"))
    host, port = url.removeprefix("http://").split(":")
    try:
        with ExitStack() as held, client_of(url) as client:
            for number in range(1_200):
                connection = held.enter_context(socket.create_connection((host, int(port))))
                half = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                connection.sendall(half + (b"Content-Length: 9\r\n\r\n" if number % 2 else b""))
            for _ in range(10):
                assert client.get("/healthz").status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _slowly(scope, receive, send) -> None:
    """Answer once the body is there."""
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})


@contextmanager
def impatient(**more: float) -> Iterator[int]:
    """A server that waits for its clients for moments only; its port."""
    waits: dict[str, Any] = {"head": 0.3, "body": 0.3, **more}
    timeouts = ClientTimeouts(bytes_a_second=1_000, every=0.05, **waits)
    config = uvicorn.Config(
        _slowly, http=protocol_with(timeouts), lifespan="off", log_config=None, port=0
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    until(lambda: server.started, what="the server listens")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTT",
    ],
)
def test_a_request_that_is_not_ended_is_given_up(half: bytes) -> None:
    with impatient() as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(half)
        try:
            while connection.recv(1000):
                pass
        except ConnectionResetError:
            pass


def test_a_body_that_goes_on_coming_is_waited_for() -> None:
    with impatient(body=0.7) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        lines = ("POST / HTTP/1.1", "Host: a", "Content-Length: 4000", "Expect: 100-continue")
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        assert b"100" in connection.recv(1000)
        connection.sendall(b"x" * 3_500)  # three seconds and a half are allowed for them
        threading.Event().wait(1.0)
        connection.sendall(b"x" * 500)
        told = b""
        while b"whole" not in told:
            told += (more := connection.recv(1000))
            assert more, told


def test_what_is_no_request_is_answered_like_all_else(live: Live) -> None:
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        told = b"".join(iter(lambda: connection.recv(4096), b"")).lower()
    assert told.startswith(b"http/1.1 400")
    assert b"content-security-policy" in told
    assert b"nosniff" in told


def test_a_client_that_hangs_up_is_no_bug(root: Root) -> None:
    root.configure(web__port=0)
    service = root.start("serve", "--log-format", "json")
    url = address_of(service)
    host, port = url.removeprefix("http://").split(":")
    for path, kind in (
        ("/api/v1/drops", "multipart/form-data; boundary=b"),
        ("/login", "application/x-www-form-urlencoded"),
        ("/api/v1/couriers/delhivery/words", "application/json"),
    ):
        method = "PUT" if path.endswith("words") else "POST"
        with socket.create_connection((host, int(port))) as connection:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 60000\r\n"
            connection.sendall(f"{head}Content-Type: {kind}\r\n\r\n--b\r\n".encode())
    with client_of(url) as client:
        for _ in range(5):
            assert client.get("/healthz").status_code == 200
    told = service.end()
    assert told.code == 0
    assert "web.bug" not in told.err
    assert "Traceback" not in told.err
    assert "Exception in ASGI" not in told.err


def test_a_bug_is_answered_with_the_headers_of_every_answer(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()

    async def ask(site: Site) -> httpx.Response:
        app = create_app(site)
        app.add_api_route("/fails", lambda: 1 / 0)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/fails")

    # In a thread: a browser that an earlier test started has a loop in this one.
    with closing(Site(tmp_path, load(tmp_path))) as site, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(asyncio.run, ask(site)).result()
    assert answer.status_code == 500
    assert "The log says how" in answer.text
    assert bound(answer)


def test_strangers_who_guess_lock_nobody_out(root: Root) -> None:
    (root.path / "shipdrop.toml").write_text(USERS, "utf-8")
    root.configure(web__port=0, web__behind_proxy="true")
    url = address_of(root.start("serve", "--log-format", "json"))

    def log_in(address: str, password: str) -> int:
        with client_of(url, headers={"x-forwarded-for": address}) as client:
            found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/login").text)
            assert found
            form = {"csrf": found[1], "name": "asha", "password": password}
            return client.post("/login", data=form).status_code

    def waits() -> bool:
        until(lambda: log_in("203.0.113.9", "a guess") == 429, what="a wait after guesses")
        return log_in("203.0.113.9", PASSWORD) == 429

    until(waits, what="whoever guesses waits, with the right password too", seconds=30)
    assert log_in("198.51.100.7", PASSWORD) == 303, "she does not"
    near = (log_in(f"2001:db8:1:2::{number:x}", "a guess") for number in range(100))
    assert 429 in near, "a network of IPv6 is one address"
