"""The health of a service: nobody waits for an inbox that does not answer."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.web.app import create_app

PAGES = 45
LISTED = threading.Event()


class HungShare(Site):
    """A root whose inbox lies on a share that does not answer until ``LISTED`` is set."""

    @property
    def inbox_path(self) -> Path:
        LISTED.wait()
        return super().inbox_path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    LISTED.clear()
    with closing(HungShare(tmp_path, load(tmp_path))) as made:
        (tmp_path / "inbox").mkdir()
        (tmp_path / "state").mkdir()
        yield made
        LISTED.set()


def test_open_pages_on_a_share_that_hangs_keep_nobody_from_hearing_that_it_lives(
    site: Site,
) -> None:
    async def ask() -> list[int]:
        transport = httpx.ASGITransport(create_app(site))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            pages = [asyncio.create_task(client.get("/strip")) for _ in range(PAGES)]
            await asyncio.sleep(0)  # they are on their way
            alive = await asyncio.wait_for(client.get("/healthz"), 5)
            assert alive.elapsed.total_seconds() < 1
            seen = await asyncio.wait_for(asyncio.gather(*pages), 30)
            ready = await client.get("/readyz")
            assert ready.json()["checks"]["inbox"] is False
            LISTED.set()
            return [alive.status_code, *(page.status_code for page in seen)]

    try:
        assert asyncio.run(ask()) == [200] * (PAGES + 1)
    finally:
        LISTED.set()
