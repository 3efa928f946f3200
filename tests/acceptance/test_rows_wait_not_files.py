"""Only the rows wait that share an order with an open file."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.crew import crew_on
from tests.acceptance.harness import Root, orders, rooted, sheet, until
from tests.fakes.scripted_api import (
    AWAY,
    LOG_IN,
    TAKEN,
    Answer,
    Item,
    ScriptedApi,
    scripted,
    stands,
)
from tests.postgres import PrivatePostgres

PICKED, DONE = "Picked Up", "Delivered"
SHARED = ("SHARED1", "SHARED2")
STEPS = ["bag_picked", "delivery_done"]


class Mood:
    """An API that takes all, but for two orders: of these it says nothing clear, or nothing yet."""

    def __init__(self) -> None:
        self.clear = threading.Event()
        self.waits = False

    def put(self, items: list[Item]) -> Answer:
        if not any(item["orderId"] in SHARED for item in items) or self.clear.is_set():
            return TAKEN
        if not self.waits:
            return LOG_IN
        self.clear.wait(60)
        return TAKEN

    def info(self, order_id: str) -> Answer:
        return stands("TRANSIT")(order_id) if self.clear.is_set() else (500, {"message": "no"})


@pytest.fixture
def mood() -> Iterator[Mood]:
    made = Mood()
    yield made
    made.clear.set()


@pytest.fixture
def api(mood: Mood) -> Iterator[ScriptedApi]:
    with scripted(mood.put, mood.info) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path, api: ScriptedApi) -> Iterator[Root]:
    (tmp_path / "inbox").mkdir()
    with rooted(tmp_path, api.url, "token") as made:
        made.configure(api__chunk_size=1, api__timeout_seconds=1, api__probe_seconds=0.3)
        made.configure(inbox__scan_seconds=0.1)
        yield made


def states(root: Root) -> dict[str, str]:
    return {Path(d.summary["source_file"]).stem: d.summary["state"] for d in root.delivered()}


def first_file() -> str:
    """Two steps of each order: the first one gets no clear answer, so the second cannot go."""
    mine = [(each, status) for each in SHARED for status in (PICKED, DONE)]
    return sheet([*mine, *((f"A{n:05}", PICKED) for n in range(9))])


def second_file() -> str:
    """Forty rows, two of which name an order of the first file."""
    return sheet([*((each, DONE) for each in SHARED), *((f"B{n:05}", PICKED) for n in range(38))])


def drop_both(root: Root) -> None:
    root.drop("first.csv", first_file())
    root.drop("second.csv", second_file())


def assert_each_went_once(api: ScriptedApi) -> None:
    """But for what got no clear answer, each update was sent once, in the order of its steps."""
    clear = [update for update in api.updates if update[0] not in SHARED]
    assert len(clear) == len(set(clear))
    for order_id in SHARED:
        steps = [status for name, status in api.updates if name == order_id]
        assert steps == sorted(steps, key=STEPS.index), steps


def test_the_rows_of_an_order_that_is_not_settled_wait_and_the_others_of_the_file_go(
    root: Root, api: ScriptedApi, mood: Mood
) -> None:
    drop_both(root)
    ran = root.once()
    assert ran.code == 5, ran.err
    first, second = root.of("first"), root.of("second")
    assert first.summary["state"] == second.summary["state"] == "open"
    assert first.counts == {"accepted": 9, "unsent": 4}
    assert first.summary["open"]["reason"]
    second.assert_sound(40)
    assert second.counts == {"accepted": 38, "unsent": 2}
    waiting = [line for line in second.lines() if line["outcome"] == "unsent"]
    assert [line["order_id"] for line in waiting] == list(SHARED)
    assert {line["codes"] for line in waiting} == {"EARLIER_OPEN"}
    assert all(first.id in line["message"] for line in waiting)
    told = second.summary["open"]
    assert told["waits_for"] == [first.id]
    assert told["cause"] == "earlier"
    assert told["again_seconds"] == 0.3
    assert first.id in told["reason"]
    shown = root.run("drops", "show", second.id, "--json").json["open"]
    assert (shown["reason"], shown["waits_for"]) == (told["reason"], [first.id])
    assert first.id in root.run("why", "second.csv").out

    # What the second one got through keeps nobody waiting, though the drop itself is open.
    root.drop("third.csv", sheet([("B00001", DONE), ("C00001", PICKED)]))
    root.once()
    assert root.of("third").counts == {"accepted": 2}
    assert root.of("third").summary["state"] == "completed"

    mood.clear.set()
    assert root.once().code == 0
    assert set(states(root).values()) == {"completed"}
    assert root.of("second").counts == {"accepted": 38, "duplicate": 2}
    assert_each_went_once(api)


def test_beside_a_drop_that_is_merely_slow_the_other_rows_go_and_then_those_that_waited(
    root: Root, api: ScriptedApi, mood: Mood
) -> None:
    mood.waits = True
    root.configure(api__timeout_seconds=60)
    service = root.start("run")
    root.drop("first.csv", first_file())
    until(lambda: any(SHARED[0] == each for each, _ in api.updates), what="the slow call")
    root.drop("second.csv", second_file())
    until(lambda: states(root).get("second") == "open", what="the second file's report")
    second = root.of("second")
    assert second.counts == {"accepted": 38, "unsent": 2}
    (first_id,) = second.summary["open"]["waits_for"]
    ran = root.run("drops", "show", second.id, "--json")
    assert ran.code == 0, ran.err
    shown = ran.json["open"]
    assert shown["waits_for"] == [first_id]
    assert first_id in shown["reason"]
    assert [status for each, status in api.updates if each in SHARED] == STEPS[:1] * 2
    mood.clear.set()
    until(lambda: set(states(root).values()) == {"completed"}, what="the end of both")
    assert root.of("first").id == first_id
    assert root.of("first").counts == {"accepted": 13}
    assert root.of("second").counts == {"accepted": 38, "duplicate": 2}
    assert service.end().code == 0
    assert_each_went_once(api)


def test_a_service_writes_nothing_while_rows_wait_and_sends_them_when_it_is_their_turn(
    root: Root, api: ScriptedApi, mood: Mood
) -> None:
    service = root.start("run")
    drop_both(root)
    until(lambda: states(root).get("second") == "open", what="the second file's report")
    assert root.of("second").counts == {"accepted": 38, "unsent": 2}
    until(lambda: states(root).get("first") == "open", what="the report of the first")
    reported = root.written()
    seen = len(api.asked)
    until(lambda: len(api.asked) > seen + 8, what="more rounds of questions")
    assert root.written() == reported
    mood.clear.set()
    until(lambda: set(states(root).values()) == {"completed"}, what="the end of both")
    assert root.of("second").counts == {"accepted": 38, "duplicate": 2}
    assert service.end().code == 0


def test_rows_that_wait_live_through_a_kill(root: Root, api: ScriptedApi, mood: Mood) -> None:
    mood.waits = True
    root.configure(api__timeout_seconds=60)
    service = root.start("run")
    root.drop("first.csv", first_file())
    until(lambda: any(SHARED[0] == each for each, _ in api.updates), what="the slow call")
    root.drop("second.csv", second_file())
    until(lambda: states(root).get("second") == "open", what="the second file's report")
    service.kill()
    mood.clear.set()
    root.configure(api__timeout_seconds=1)
    assert root.once().code == 0
    assert root.of("second").counts == {"accepted": 38, "duplicate": 2}
    assert set(states(root).values()) == {"completed"}
    assert_each_went_once(api)


def test_a_drop_some_of_whose_rows_wait_can_be_cancelled_and_sent_after_all(
    root: Root, mood: Mood
) -> None:
    drop_both(root)
    assert root.once().code == 5
    second = root.of("second").id
    assert root.run("cancel", second).code == 0
    assert root.of("second").summary["state"] == "cancelled"
    assert root.of("second").counts == {"accepted": 38, "unsent": 2}
    left = [line for line in root.of("second").lines() if line["outcome"] == "unsent"]
    assert {line["codes"] for line in left} == {"CANCELLED"}
    assert root.run("retry", second).code == 5, "the first one is not settled yet"
    mood.clear.set()
    assert root.once().code == 0
    assert root.of("second").counts == {"accepted": 38, "duplicate": 2}


def test_to_retry_a_drop_that_waits_lets_nothing_go_before_its_turn(
    root: Root, api: ScriptedApi
) -> None:
    drop_both(root)
    assert root.once().code == 5
    assert root.run("retry", root.of("second").id).code == 5
    assert root.of("second").counts == {"accepted": 38, "unsent": 2}
    assert {status for each, status in api.updates if each in SHARED} == {STEPS[0]}


def test_a_cancel_frees_those_that_wait(root: Root, api: ScriptedApi, mood: Mood) -> None:
    drop_both(root)
    assert root.once().code == 5
    mood.clear.set()
    root.run("cancel", root.of("first").id)
    assert root.of("first").summary["state"] == "cancelled"
    root.once()
    assert root.of("second").summary["state"] == "completed"
    assert root.of("second").counts == {"accepted": 40}
    assert_each_went_once(api)


def test_a_chain_behind_an_outage_is_sent_row_by_row_in_its_order(
    root: Root, api: ScriptedApi
) -> None:
    api.put = lambda _items: AWAY
    root.configure(api__max_attempts=1, api__chunk_size=20)
    root.drop("a.csv", sheet([("C1", PICKED)]))
    root.drop("b.csv", sheet([("C1", DONE), ("C2", PICKED)]))
    root.drop("c.csv", sheet([("C2", DONE), ("C3", PICKED)]))
    assert root.once().code == 5
    assert root.of("b").codes == {"EARLIER_OPEN", "NOT_SENT", "NO_EVENT_TIME"}
    assert root.of("b").summary["open"]["waits_for"] == [root.of("a").id]
    assert root.of("c").summary["open"]["waits_for"] == [root.of("b").id]
    api.put = lambda _items: TAKEN
    api.calls.clear()
    assert root.once().code == 0
    assert set(states(root).values()) == {"completed"}
    for order_id in ("C1", "C2"):
        steps = [status for each, status in api.updates if each == order_id]
        assert steps == STEPS


def test_the_same_file_again_in_an_outage_is_all_duplicates_when_it_is_over(
    root: Root, api: ScriptedApi
) -> None:
    api.put = lambda _items: AWAY
    root.configure(api__max_attempts=1, api__chunk_size=20)
    root.drop("a.csv", orders(60))
    root.drop("b.csv", orders(80))
    assert root.once().code == 5
    assert root.of("b").counts == {"unsent": 80}
    assert root.of("b").codes == {"EARLIER_OPEN", "NOT_SENT", "NO_EVENT_TIME"}
    api.put = lambda _items: TAKEN
    api.calls.clear()
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 60}
    assert root.of("b").counts == {"accepted": 20, "duplicate": 60}
    assert len(api.calls) == 4
    assert len(api.updates) == len(set(api.updates)) == 80


def test_workers_hold_back_rows_and_not_files(
    tmp_path: Path, api: ScriptedApi, mood: Mood, postgres: PrivatePostgres
) -> None:
    with crew_on(tmp_path / "crew", api.url, "token", postgres.database()) as crew:
        root = crew.root
        root.configure(api__chunk_size=1, api__timeout_seconds=1, api__probe_seconds=1)
        drop_both(root)
        crew.start(2)
        until(lambda: states(root).get("second") == "open", what="the second file's report")
        until(lambda: root.of("second").counts == {"accepted": 38, "unsent": 2}, what="its rows")
        mood.clear.set()
        until(lambda: set(states(root).values()) == {"completed"}, what="the end of both")
        assert root.of("second").counts == {"accepted": 38, "duplicate": 2}
        assert_each_went_once(api)


def test_an_outage_writes_nothing_anew_that_did_not_change(root: Root, api: ScriptedApi) -> None:
    api.put = lambda _items: AWAY
    root.configure(api__max_attempts=1)
    service = root.start("run")
    root.drop("a.csv", orders(30))
    root.drop("b.csv", orders(40))
    root.drop("c.csv", orders(20, prefix="C"))
    until(lambda: states(root) == dict.fromkeys("abc", "open"), what="three reports")
    # The first probes may tell of other chunks of the same drops that were tried as well.
    seen = len(api.calls)
    until(lambda: len(api.calls) > seen + 3, what="some probes")
    before, seen = root.written(), len(api.calls)
    until(lambda: len(api.calls) > seen + 4, what="more probes")
    assert root.written() == before
    api.put = lambda _items: TAKEN
    until(lambda: set(states(root).values()) == {"completed"}, what="the end of all")
    assert service.end().code == 0
