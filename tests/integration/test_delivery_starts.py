"""A service starts delivery before a file comes; a stop meanwhile holds."""

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pipeline.core.clock import Clock
from pipeline.core.errors import StorageError
from pipeline.core.ports import StatusApi
from pipeline.delivery.api.client import KonnectApi
from pipeline.delivery.thread import DeliveryThread
from pipeline.service.loop import Service
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from tests.fakes.policies import delivery_policy
from tests.integration.delivery_support import World, picked, with_sandbox

SOON = 20.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "shipdrop.toml").write_text(
        '[api]\nbase_url = "http://127.0.0.1:9"\ntoken = "none"\n[inbox]\nsettle_seconds = 0\n'
    )
    with closing(Site(tmp_path, load(tmp_path))) as made:
        made.folders.prepare()
        yield made


def slow_room(world: World, opening: threading.Event, go_on: threading.Event) -> DeliveryThread:
    """A room that opens when it is let."""

    def make_api() -> StatusApi:
        opening.set()
        go_on.wait(SOON)
        return KonnectApi(base_url=world.url, credentials=world.credentials, timeout=5)

    with world.room() as pattern:
        rng = pattern._rng
    return DeliveryThread(
        make_api=make_api,
        ledger=world.ledger,
        policy=delivery_policy(),
        clock=Clock(),
        rng=rng,
    )


@pytest.mark.parametrize("word", ["stop", "terminate"])
def test_a_room_that_is_told_to_end_while_it_opens_sends_nothing_and_closes(
    tmp_path: Path, word: str
) -> None:
    with with_sandbox(tmp_path) as (world, api):
        drop = world.drop(picked(20))
        opening, go_on = threading.Event(), threading.Event()
        room = slow_room(world, opening, go_on)
        starting = threading.Thread(target=room.start)
        starting.start()
        assert opening.wait(SOON)
        getattr(room, word)()
        go_on.set()
        starting.join(SOON)
        handed = room.submit(world.shipment(drop))
        with suppress(StorageError):  # it had closed already
            assert not handed.result(timeout=SOON).complete
        joining = threading.Thread(target=room.join)
        joining.start()
        joining.join(SOON)
        assert not joining.is_alive()
        assert not api.calls()


def test_a_room_that_was_never_opened_can_be_ended(tmp_path: Path) -> None:
    with with_sandbox(tmp_path) as (world, _):
        room = slow_room(world, threading.Event(), threading.Event())
        room.stop()
        room.join()
        assert room.limiter.shut is None
        assert room.progress() == (0, 0)


def test_a_service_with_nothing_to_do_loads_all_it_will_need(site: Site) -> None:
    service = Service(site)
    running = threading.Thread(target=service.run, kwargs={"once": False})
    running.start()
    try:
        waited = threading.Event()
        for _ in range(int(SOON / 0.05)):
            if (
                site.delivery.limiter.shut is None
                and "planner" in site.__dict__
                and site.delivery._dispatcher
            ):
                break
            waited.wait(0.05)
        assert "closer" in site.__dict__
        assert site.delivery._dispatcher is not None
    finally:
        service.stop()
        running.join(SOON)
    assert not running.is_alive()
