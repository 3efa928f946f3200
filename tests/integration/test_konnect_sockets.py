"""The client against servers that misbehave at socket level: what is in doubt; one PUT is one.

Each over the wire itself, and through a proxy (the misbehaving server is that proxy).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from pipeline.core.errors import Transient
from pipeline.core.ports import Reply
from pipeline.delivery.api.client import Credentials, KonnectApi
from tests.integration import delivery_support as raw

_T = TypeVar("_T")
BODY = b'[{"orderId":"1","orderStatus":"bag_picked"}]'


@pytest.fixture(autouse=True, params=["wire", "proxy"])
def through_a_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With "proxy" the client finds each test's server named as the proxy of its surroundings."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "proxy":
        make = KonnectApi.__init__

        def proxied(self: KonnectApi, *, base_url: str, **rest: Any) -> None:
            monkeypatch.setenv("http_proxy", base_url)
            make(self, base_url="http://api.example", **rest)

        monkeypatch.setattr(KonnectApi, "__init__", proxied)
    return request.param == "proxy"


def _with_api(url: str, work: Callable[[KonnectApi], Awaitable[_T]], timeout: float = 5.0) -> _T:
    async def run() -> _T:
        api = KonnectApi(base_url=url, credentials=Credentials(token="t"), timeout=timeout)
        try:
            return await work(api)
        finally:
            await api.close()

    return asyncio.run(run())


def _lost(url: str, timeout: float = 5.0) -> Transient:
    with pytest.raises(Transient) as caught:
        _with_api(url, lambda api: api.put_status(BODY), timeout)
    return caught.value


def test_a_dead_kept_alive_connection_does_not_make_two_puts_of_one() -> None:
    server = raw.RawServer(raw.well_then_close)

    async def work(api: KonnectApi) -> list[str]:
        await api.put_status(b"[1]")
        said = []
        for body in (b"[2]", b"[3]"):
            try:
                await api.put_status(body)
                said.append("answered")
            except Transient as error:
                said.append("in doubt" if error.in_doubt else "never left")
        return said

    said = _with_api(server.url, work)
    assert said.count("in doubt") <= 1
    assert server.puts.count(b"[2]") <= 1
    assert server.puts.count(b"[3]") == 1
    server.close()


def test_a_connection_that_dies_after_the_request_makes_one_put_and_a_doubt() -> None:
    """aiohttp by itself would send this PUT again over a new connection."""
    server = raw.RawServer(raw.well, raw.hang_up, raw.well)

    async def work(api: KonnectApi) -> bool:
        await api.put_status(b"[1]")
        with pytest.raises(Transient) as caught:
            await api.put_status(b"[2]")
        return caught.value.in_doubt

    assert _with_api(server.url, work) is True
    assert server.puts == [b"[1]", b"[2]"]
    assert server.connections == 1
    server.close()


@pytest.mark.parametrize(
    "act",
    [raw.hang_up, raw.reset, raw.half, raw.half_head, raw.noise],
    ids=lambda act: act.__name__,
)
def test_whatever_happens_after_the_request_is_in_doubt(
    act: Callable[[socket.socket], bool],
) -> None:
    server = raw.RawServer(act)
    assert _lost(server.url).in_doubt
    assert len(server.puts) == 1
    server.close()


@pytest.mark.parametrize("act", [raw.silence, raw.drip], ids=lambda act: act.__name__)
def test_an_answer_that_does_not_end_is_ended_by_the_total_time(
    act: Callable[[socket.socket], bool],
) -> None:
    server = raw.RawServer(act)
    error = _lost(server.url, timeout=0.4)
    assert error.in_doubt
    assert "in time" in error.message
    server.close()


def test_a_refused_connection_never_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = _lost(f"http://127.0.0.1:{port}")
    assert not error.in_doubt
    assert "127.0.0.1" not in error.message


def test_an_unknown_host_never_left() -> None:
    assert not _lost("http://nowhere.invalid").in_doubt


def test_a_connection_that_cannot_be_made_in_time_never_left() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fill = []
        for _ in range(3):  # nobody accepts: the queue of the kernel is full
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            fill.append(waiting)
        error = _lost(f"http://127.0.0.1:{address[1]}", timeout=0.5)
        for waiting in fill:
            waiting.close()
    assert not error.in_doubt


def test_headers_come_in_lower_case_and_redirects_are_not_followed() -> None:
    server = raw.RawServer(raw.saying("302 Found", b"x", "Location: /login", "Retry-AFTER: 7"))
    reply: Reply = _with_api(server.url, lambda api: api.put_status(BODY))
    assert reply.status == 302
    assert reply.headers["retry-after"] == "7"
    assert reply.body == b"x"
    assert len(server.puts) == 1
    server.close()


def test_a_huge_answer_is_cut() -> None:
    server = raw.RawServer(raw.saying("200 OK", b" " * 6_000_000))
    reply = _with_api(server.url, lambda api: api.put_status(BODY))
    assert 4_000_000 < len(reply.body) < 5_000_000
    server.close()


def test_the_body_and_the_token_travel_as_they_are() -> None:
    server = raw.RawServer()
    odd = b'[{"orderId":"1","meta":{"remark":"\\u0000 \xe0\xa4\xa8"}}]'
    assert _with_api(server.url, lambda api: api.put_status(odd)).status == 200
    assert server.puts == [odd]
    server.close()
