"""What people are told, and when, on a clock of the test's own; real drops, a real ledger."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.model import stamp
from pipeline.service.health_file import Pulse, PulseWriter
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.web.notices import Notices
from tests.acceptance.harness import orders, sheet
from tests.fakes.manual_clock import ManualClock
from tests.fakes.steps_by_hand import claim, finish, plan, put

DIGEST = 60


class Told:
    """The messages that were sent; ``works`` false: none of them arrives."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.works = True

    def send(self, title: str, text: str) -> bool:
        if self.works:
            self.messages.append((title, text))
        return self.works


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(tmp_path: Path, clock: ManualClock) -> Iterator[Site]:
    (tmp_path / "shipdrop.toml").write_text(
        f"[inbox]\nsettle_seconds = 0\n[notify]\ndigest_seconds = {DIGEST}\n"
    )
    with closing(Site(tmp_path, load(tmp_path), clock=clock)) as made:
        made.folders.prepare()
        yield made


@pytest.fixture
def told() -> Told:
    return Told()


def ended(site: Site, clock: ManualClock, **files: str) -> None:
    """These files come and are through, a second later."""
    clock.advance(1)
    for name, text in files.items():
        put(site, f"{name}.csv", text)
    claim(site)
    plan(site)
    finish(site)


def look(notices: Notices) -> None:
    notices.look()
    notices.tell()


BAD = sheet([["N1", "Delivered"], ["N2", "Nonesuch"]])
REFUSED = "a,b\n1,2\n"


def test_what_happens_close_together_is_told_once_and_together(
    site: Site, clock: ManualClock, told: Told
) -> None:
    notices = Notices(site, told.send)
    ended(site, clock, fine=orders(3), bad_rows=BAD)
    look(notices)
    clock.advance(DIGEST - 2)
    ended(site, clock, refused=REFUSED)
    look(notices)
    assert told.messages == []
    clock.advance(2)
    look(notices)
    ((title, text),) = told.messages
    assert "2 events" in title
    assert "bad_rows.csv" in text
    assert "1 rejected of 2" in text
    assert "Refused: refused.csv" in text
    assert "HEADER_NOT_FOUND" in text
    assert "fine.csv" not in text
    clock.advance(DIGEST * 5)
    look(notices)
    assert len(told.messages) == 1
    ended(site, clock, later=REFUSED)
    look(notices)
    clock.advance(DIGEST)
    look(notices)
    assert len(told.messages) == 2
    assert "bad_rows.csv" not in told.messages[1][1]
    assert "later.csv" in told.messages[1][0]


def test_a_restart_repeats_nothing_and_forgets_nothing(
    site: Site, clock: ManualClock, told: Told
) -> None:
    before = Notices(site, told.send)
    ended(site, clock, first=BAD)
    before.look()
    before.tell(at_once=True)
    ended(site, clock, second=REFUSED)
    before.look()  # and it ends before its time to tell has come
    after = Notices(site, told.send)
    after.look()
    after.tell(at_once=True)
    assert ["first.csv" in text for _, text in told.messages] == [True, False]
    assert ["second.csv" in text for _, text in told.messages] == [False, True]


def test_what_could_not_be_sent_is_told_later(site: Site, clock: ManualClock, told: Told) -> None:
    notices = Notices(site, told.send)
    told.works = False
    ended(site, clock, first=BAD)
    notices.look()
    clock.advance(DIGEST)
    notices.tell()
    told.works = True
    notices.tell()
    assert told.messages == []  # not at once: whoever is out of reach is not asked all the time
    clock.advance(DIGEST)
    notices.tell()
    assert len(told.messages) == 1


def test_an_api_that_stops_taking_us_is_told_once_and_so_is_its_return(
    site: Site, clock: ManualClock, told: Told
) -> None:
    api = "ok"

    def pulse() -> Pulse:
        now = stamp(clock.now())
        return Pulse(pid=1, started_at=now, at=now, api=api, reason="It answered 401.")

    writer = PulseWriter(site.root / "state", pulse, now=clock.now, monotonic=clock.monotonic)
    notices = Notices(site, told.send)
    for word in ("ok", "slowed", "held", "held", "paused", "ok", "ok"):
        api = word
        clock.advance(5)
        writer.beat()
        notices.look()
        notices.tell(at_once=True)
    assert [text for _, text in told.messages] == [
        "Sending is held: It answered 401.",
        "Sending is paused: It answered 401.",
        "Sending goes on: the API answers again.",
    ]
    # A service that has stopped says nothing of the API.
    api = "held"
    clock.advance(5)
    writer.beat()
    writer.end()
    notices.look()
    notices.tell(at_once=True)
    assert len(told.messages) == 3


def test_a_late_file_is_told_when_its_time_has_passed_and_when_it_came(
    site: Site, clock: ManualClock, told: Told
) -> None:
    (site.root / "couriers").mkdir()
    (site.root / "couriers" / "acme.toml").write_text(
        'name = "acme"\ntitle = "Acme"\nzone = "UTC"\n[statuses]\ndelivery_done = ["D"]\n'
        '[expect]\nby = "18:00"\n'
    )
    clock.set_wall(clock.now().replace(hour=17, minute=59))
    put(site, "yesterday.csv", "Order ID,Status\nA0,D\n", "acme")
    claim(site)
    plan(site)
    finish(site)
    clock.advance(24 * 3600)
    notices = Notices(site, told.send)
    notices.look()
    notices.tell(at_once=True)
    assert told.messages == []
    clock.advance(120)
    for _ in range(3):
        notices.look()
        notices.tell(at_once=True)
    assert [text for _, text in told.messages] == [
        "Late: no file of acme has come; it was expected by 18:00."
    ]
    put(site, "today.csv", "Order ID,Status\nA1,D\n", "acme")
    claim(site)
    plan(site)
    finish(site)
    clock.advance(10)
    notices.look()
    notices.tell(at_once=True)
    assert told.messages[-1][1] == "The late file of acme has come."
