"""The page and the measures of a root that workers serve: as ``shipdrop cluster status`` says."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.crew import Crew, crew_on, name_of
from tests.acceptance.harness import orders, sheet, until
from tests.fakes.mailbox import Mailbox
from tests.postgres import PrivatePostgres
from tests.web.conftest import address_of, client_of
from tests.web.test_web_machines import measures
from tests.web.test_web_pages import serious


@pytest.fixture
def api() -> Iterator[SandboxHandle]:
    with running(SandboxConfig()) as handle:
        yield handle


@pytest.fixture
def crew(tmp_path: Path, api: SandboxHandle, postgres: PrivatePostgres) -> Iterator[Crew]:
    with crew_on(tmp_path / "crew", api.url, api.token, postgres.database()) as made:
        made.root.configure(web__port=0)
        yield made


def test_page_measures_and_readiness_tell_of_workers(
    crew: Crew, page: Page, picture: Callable[[Page, str], None], api: SandboxHandle
) -> None:
    served = crew.root.start("serve", "--log-format", "json")
    with client_of(address_of(served)) as client:
        # A first look that takes longer than a second says of nothing but the inbox that it is ill.
        until(
            lambda: client.get("/readyz").json()["checks"]["service"] is False, what="a first look"
        )
        assert "No worker is there" in client.get("/workers").text
        first, second = crew.start(2)
        until(lambda: client.get("/readyz").status_code == 200, what="ready")
        api.set_faults(latency_ms=1500)
        crew.root.drop("big.csv", orders(4000))
        until(lambda: len(crew.senders()) == 2, what="both sending")
        page.goto(f"{client.base_url}/workers")
        until(
            lambda: measures(client)["shipdrop_segments", (("state", "sending"),)] > 0,
            what="segments being sent",
        )
        at_work = ("shipdrop_workers", (("state", "at_work"),))
        found = until(
            lambda: (told := measures(client))[at_work] == 2 and told, what="both at work"
        )
        assert found["shipdrop_workers", (("state", "silent"),)] == 0
        assert found["shipdrop_service_up", ()] == 1
        assert found["shipdrop_segments", (("state", "open"),)] > 0
        assert found["shipdrop_worker_silent_seconds", ()] < 4
        assert ("shipdrop_jobs_waiting", ()) in found
        strip = page.locator("#strip")
        expect(strip).to_contain_text("2 workers")
        table = page.locator("#workers table")
        for each in (first, second):
            expect(table).to_contain_text(name_of(each))
        expect(page.locator("#workers")).to_contain_text("send:")
        assert serious(page) == []
        page.set_viewport_size({"width": 1180, "height": 720})
        picture(page, "workers")
        page.set_viewport_size({"width": 390, "height": 844})
        picture(page, "workers-phone")
        overflow = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not overflow
        first.send(signal.SIGSTOP)
        second.send(signal.SIGSTOP)
        expect(table).to_contain_text("silent", timeout=30_000)
        stopped = client.get("/readyz").json()["checks"]
        until(
            lambda: measures(client)["shipdrop_worker_posts_stalled", ()] > 0,
            what="posts of the silent",
        )
        told = crew.status()
        assert told["stalled"] > 0
        assert set(told) >= {"queues", "segments", "workers"}
        assert stopped["ledger"]
        first.kill()
        second.kill()
        until(
            lambda: client.get("/readyz").json()["checks"]["service"] is False,
            what="nobody at work",
        )
        until(lambda: "The service is stopped" in client.get("/").text, what="the page says so")
    assert served.end(signal.SIGTERM).code == 0


def test_one_of_two_workers_tells_people(crew: Crew, mailbox: Mailbox) -> None:
    crew.root.configure(
        notify__urls=f'["json://127.0.0.1:{mailbox.port}/"]', notify__digest_seconds=1
    )
    workers = crew.start(2)
    crew.root.drop("bad_rows.csv", sheet([["N1", "Delivered"], ["N2", "Nonesuch"]]))
    until(lambda: mailbox.messages, what="a message")
    for each in workers:
        each.end()
    assert mailbox.text.count("bad_rows.csv") == 1
