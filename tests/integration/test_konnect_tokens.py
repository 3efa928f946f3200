"""Tokens: fixed, from a file, fetched; one renewal for all who wait."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pipeline.core.errors import Held, Transient
from pipeline.delivery.api.client import Credentials, KonnectApi
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import running
from tests.integration import delivery_support as raw

_T = TypeVar("_T")
BODY = b'[{"orderId":"1","orderStatus":"bag_picked"}]'


def _with_api(url: str, work: Callable[[KonnectApi], Awaitable[_T]], **credentials: Any) -> _T:
    async def run() -> _T:
        api = KonnectApi(base_url=url, credentials=Credentials(**credentials), timeout=5)
        try:
            return await work(api)
        finally:
            await api.close()

    return asyncio.run(run())


@pytest.mark.parametrize("field", ["access_token", "accessToken", "token", "data.token"])
def test_a_token_is_fetched_once_for_all_calls_that_wait_for_the_first(field: str) -> None:
    with running(SandboxConfig(token_field=field)) as sandbox:

        async def work(api: KonnectApi) -> list[int]:
            replies = await asyncio.gather(*(api.order_info(str(n)) for n in range(8)))
            return [reply.status for reply in replies]

        assert _with_api(sandbox.url, work, username="u", password="p") == [200] * 8
        assert sandbox.stats()["token_calls"] == 1


def test_a_401_met_by_many_calls_renews_once_and_late_ones_renew_nothing() -> None:
    with running(SandboxConfig()) as sandbox:

        async def work(api: KonnectApi) -> list[bool]:
            await api.order_info("1")
            old = api.token_generation
            renewed = await asyncio.gather(*(api.renew_token(old) for _ in range(8)))
            return [*renewed, await api.renew_token(old)]

        assert _with_api(sandbox.url, work, username="u", password="p") == [True] * 9
        assert sandbox.stats()["token_calls"] == 2


def test_calls_that_begin_during_a_renewal_do_not_fetch_too() -> None:
    with running(SandboxConfig()) as sandbox:

        async def work(api: KonnectApi) -> None:
            await api.order_info("1")
            await asyncio.gather(
                api.renew_token(api.token_generation), *(api.order_info(str(n)) for n in range(8))
            )

        _with_api(sandbox.url, work, username="u", password="p")
        assert sandbox.stats()["token_calls"] == 2


def test_a_wrong_password_is_held_and_a_sick_token_endpoint_is_not() -> None:
    with running(SandboxConfig(username="u", password="p")) as sandbox:
        with pytest.raises(Held, match="password"):
            _with_api(sandbox.url, lambda api: api.put_status(BODY), username="u", password="x")
        sandbox.set_faults(token_status=503)
        with pytest.raises(Transient) as caught:
            _with_api(sandbox.url, lambda api: api.put_status(BODY), username="u", password="p")
        assert not caught.value.in_doubt


def test_a_token_answer_that_is_lost_leaves_no_doubt_about_the_update() -> None:
    server = raw.RawServer(info=raw.half)
    with pytest.raises(Transient) as caught:
        _with_api(server.url, lambda api: api.put_status(BODY), username="u", password="p")
    assert not caught.value.in_doubt
    assert server.puts == []
    server.close()


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    with running(SandboxConfig()) as sandbox:

        async def work(api: KonnectApi) -> list[object]:
            seen: list[object] = [(await api.put_status(BODY)).status]
            seen.append(await api.renew_token(api.token_generation))
            path.write_text("sandbox-token\n")
            os.utime(path, ns=(1, 1))
            seen.append(await api.renew_token(api.token_generation))
            seen.append((await api.put_status(BODY)).status)
            return seen

        assert _with_api(sandbox.url, work, token_file=path) == [401, False, True, 200]


@pytest.mark.parametrize("how", ["renamed into place", "written over"])
def test_a_new_token_that_is_as_long_as_the_old_one_is_taken(tmp_path: Path, how: str) -> None:
    """As tokens are that somebody else's rotation writes."""
    path = tmp_path / "token"
    path.write_text("sandbox-t0ken\n")
    times = path.stat()
    with running(SandboxConfig()) as sandbox:

        async def work(api: KonnectApi) -> list[int]:
            seen = [(await api.put_status(BODY)).status]
            if how == "renamed into place":
                fresh = tmp_path / "fresh"
                fresh.write_text("sandbox-token\n")
                os.utime(fresh, ns=(times.st_atime_ns, times.st_mtime_ns))
                fresh.replace(path)
            else:
                path.write_text("sandbox-token\n")
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
            seen.append((await api.put_status(BODY)).status)
            return seen

        assert _with_api(sandbox.url, work, token_file=path) == [401, 200]


@pytest.mark.parametrize("content", ["", "  \n", "two words", "höchst", "a\nb"])
def test_a_token_file_without_a_token_holds(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(Held):
        _with_api("http://127.0.0.1:9", lambda api: api.put_status(BODY), token_file=path)


@pytest.mark.parametrize("token", ["two words", "höchst", "a\nX-Other: b"])
def test_a_token_that_cannot_travel_holds_before_anything_is_sent(token: str) -> None:
    with pytest.raises(Held, match=r"api\.token"):
        _with_api("http://127.0.0.1:9", lambda api: api.put_status(BODY), token=token)


def test_a_missing_token_file_holds_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(Held, match="none"):
        _with_api("http://127.0.0.1:9", lambda api: api.put_status(BODY), token_file=path)


def test_with_both_the_file_counts_and_the_fixed_token_while_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    """As with a credential of systemd's, and a file that came later or goes."""
    path = tmp_path / "token"
    with running(SandboxConfig()) as sandbox:

        async def work(api: KonnectApi) -> list[int]:
            seen = [(await api.put_status(BODY)).status]
            path.write_text("another\n")
            seen.append((await api.put_status(BODY)).status)
            path.unlink()
            seen.append((await api.put_status(BODY)).status)
            return seen

        given = {"token": "sandbox-token", "token_file": path}
        assert _with_api(sandbox.url, work, **given) == [200, 401, 200]


def test_a_fixed_token_cannot_be_renewed() -> None:
    with running(SandboxConfig(faults=Faults(expire_token_after=1))) as sandbox:

        async def work(api: KonnectApi) -> bool:
            await api.put_status(BODY)
            return await api.renew_token(api.token_generation)

        assert _with_api(sandbox.url, work, token="sandbox-token") is False


def test_secrets_do_not_show() -> None:
    assert "hush" not in repr(Credentials(token="hush", username="u", password="hush"))
