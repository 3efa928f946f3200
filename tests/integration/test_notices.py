"""Notices and their times, on a clock of the test's own; real drops, a real ledger."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.model import stamp
from pipeline.service.health_file import HealthFile, HealthFileWriter
from pipeline.service.settings import WebSettings, load
from pipeline.service.wiring import Site
from pipeline.web import notices as notices_module
from pipeline.web.notices import Kind, Notices
from tests.acceptance.harness import orders, sheet
from tests.fakes.manual_clock import ManualClock
from tests.fakes.steps_by_hand import claim, finish, plan, put

pytestmark = pytest.mark.usefixtures("forked_readers")

DIGEST = 60


class Told:
    """The messages that were sent, and their kinds; ``works`` false: none of them arrives."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.kinds: list[str] = []
        self.works = True

    def send(self, title: str, text: str, kind: Kind) -> bool:
        if self.works:
            self.messages.append((title, text))
            self.kinds.append(kind.value)
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
    assert "To do: bad_rows.csv. 1 of 2 rows must be corrected." in text
    assert "Refused: refused.csv" in text
    assert "Columns in the file: " in text
    assert "fine.csv" not in text
    clock.advance(DIGEST * 5)
    look(notices)
    assert len(told.messages) == 1
    ended(site, clock, later=REFUSED)
    look(notices)
    clock.advance(DIGEST)
    look(notices)
    assert len(told.messages) == 2
    assert told.kinds == ["failure", "failure"], "the gravest of them"
    assert "bad_rows.csv" not in told.messages[1][1]
    assert "later.csv" in told.messages[1][0]


def test_lines_lead_to_the_page_where_its_address_is_known_and_end_with_a_full_stop(
    site: Site, clock: ManualClock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "_MOST_LINES", 1)
    page = "https://shipdrop.example.net/x"
    settings = site.settings.model_copy(update={"web": WebSettings(url=f"{page}/")})
    with closing(Site(site.root, settings, clock=clock)) as linked:
        notices = Notices(linked, told.send)
        ended(linked, clock, one=BAD)
        ended(linked, clock, two=sheet([["N3", "Delivered"], ["N4", "Nonesuch"]]))
        notices.look()
        notices.tell(at_once=True)
    ((_, text),) = told.messages
    *lines, last = text.splitlines()
    ids = {drop.drop_id for drop in site.ledger.overview.ended(0)}
    for line in lines:
        words, _, link = line.rpartition(" ")
        assert words.endswith(".")
        assert link.removeprefix(f"{page}/drops/") in ids
    assert last == "And 1 more event."
    assert told.kinds == ["warning"]


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


class Service:
    """A service that says of itself what a test has it say."""

    def __init__(self, site: Site, clock: ManualClock) -> None:
        self.clock = clock
        self.told: dict[str, Any] = {}
        self.started_at = stamp(clock.now())
        self.writer = HealthFileWriter(site.root / "state", self._look, clock)

    def _look(self) -> HealthFile:
        return HealthFile(
            pid=1, started_at=self.started_at, at=stamp(self.clock.now()), due=True, **self.told
        )

    def says(self, seconds: float = 5, **told: Any) -> None:
        self.clock.advance(seconds)
        self.told = told
        self.writer.beat()


def test_an_outage_is_told_once_when_it_has_lasted_and_its_end_when_a_call_was_taken(
    site: Site, clock: ManualClock, told: Told
) -> None:
    service, notices = Service(site, clock), Notices(site, told.send)
    began = stamp(clock.now())
    down = {"trouble": {"api": "It answers 503."}, "since": {"api": began}, "hint": "Wait."}

    def says(**words: Any) -> list[str]:
        service.says(**words)
        look(notices)
        return [text for _, text in told.messages]

    assert says(api="ok") == []
    assert says(api="paused", reason="It answers 503.") == []  # for a moment
    service.says(60)
    expected = ["Fynd is not answering: It answers 503. Wait."]
    for api in ("paused", "ok", "held", "paused", "slowed"):
        assert says(api=api, **down) == expected
    assert says(api="ok") == expected, "it is tried again, and nobody knows yet"
    expected.append("Sending goes on: Fynd answers again.")
    assert says(api="ok", answered_at=stamp(clock.now())) == expected
    assert says(api="ok", answered_at=stamp(clock.now())) == expected
    held = {"trouble": {"api": "It answered 401."}, "since": {"api": stamp(clock.now())}}
    expected.append("Fynd refuses our login: It answered 401.")
    assert says(api="held", **held) == expected
    # A service that has stopped says nothing of the API, one that begins knows nothing yet.
    service.writer.end()
    look(notices)
    after = Notices(site, told.send)
    service.says(3600, api="ok")
    look(after)
    assert [text for _, text in told.messages] == expected


def test_storage_is_told_of_when_it_has_lasted_and_when_it_is_over(
    site: Site, clock: ManualClock, told: Told
) -> None:
    service, notices = Service(site, clock), Notices(site, told.send)
    full = {"trouble": {"storage": "The disk is full."}, "since": {"storage": stamp(clock.now())}}
    for seconds in (5, 50, 4):
        service.says(seconds, **full)
        look(notices)
        assert told.messages == []
    service.says(5, **full)
    look(notices)
    service.says()
    look(notices)
    assert [text for _, text in told.messages] == [
        "Trouble with storage: The disk is full. It goes on by itself once this is mended.",
        "Over: storage is in order again.",
    ]


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
        "Late: no file of Acme has come; it was expected by 18:00 UTC."
    ]
    put(site, "today.csv", "Order ID,Status\nA1,D\n", "acme")
    claim(site)
    plan(site)
    finish(site)
    clock.advance(10)
    notices.look()
    notices.tell(at_once=True)
    assert told.messages[-1][1] == "The late file of Acme has come."
