"""Workers that die, freeze, or lose the database: time is lost, no row; nothing goes twice."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.crew import Crew, crew_on, name_of
from tests.acceptance.drops_compared import histories
from tests.acceptance.harness import Running, orders, sheet, until
from tests.postgres import PrivatePostgres

ROWS = 2400
IN_FLIGHT = 8
"""Calls of a worker at a time, by default."""


@pytest.fixture
def api() -> Iterator[SandboxHandle]:
    with running(SandboxConfig(faults=Faults(latency_ms=80, jitter_ms=80))) as handle:
        yield handle


@pytest.fixture
def crew(tmp_path: Path, api: SandboxHandle, postgres: PrivatePostgres) -> Iterator[Crew]:
    with crew_on(tmp_path / "root", api.url, api.token, postgres.database()) as made:
        # "Not yet" proves nothing before the old call has timed out: keep that wait short.
        made.root.configure(api__timeout_seconds=2)
        yield made


def assert_all_accepted_once(crew: Crew, api: SandboxHandle, rows: int, *, beside: int = 0) -> None:
    """Assert that the rows of big.csv were accepted, each once, and so many of other files."""
    found = crew.root.of("big")
    found.assert_sound(rows)
    assert found.summary["state"] == "completed"
    assert found.counts == {"accepted": rows}
    stats = api.stats()
    assert stats["accepted"] == rows + beside
    wrong = ("repeats", "duplicates", "refused", "illegal")
    assert {each: stats[each] for each in wrong} == dict.fromkeys(wrong, 0)
    assert crew.root.files("inbox") == []
    assert not [p for p in crew.root.outbox.rglob("*") if p.name.startswith(".")]


def after_calls(api: SandboxHandle, count: int) -> None:
    until(lambda: api.stats()["calls"] >= count, what=f"call {count}")


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["inbox/big.csv", "state/drops/*/*/rows-*.arrow"])
def test_a_worker_killed_while_claiming_or_planning_is_followed_by_another(
    crew: Crew, api: SandboxHandle, moment: str
) -> None:
    api.set_faults(latency_ms=0, jitter_ms=0)
    gone = not any(c in moment for c in "*")
    rows = 2_000 if gone else 120_000  # so many that it is killed while it reads
    scans = sheet([f"S{number:06}", "In Transit"] for number in range(rows))
    first, second = crew.start(2)
    second.send(signal.SIGSTOP)  # so that the first has it all in hand
    crew.root.drop("big.csv", scans + orders(60).partition("\n")[2])
    until(lambda: any(crew.root.path.glob(moment)) != gone, what=moment)
    crew.kill(first)
    if not gone:
        assert crew.states() == ["claimed"], "killed too late: it was planned already"
    second.send(signal.SIGCONT)
    crew.closed(1)
    crew.root.of("big").assert_sound(rows + 60)
    assert crew.root.of("big").counts == {"ignored": rows, "accepted": 60}
    assert api.stats()["accepted"] == 60
    assert api.stats()["repeats"] == 0


def test_a_killed_and_a_frozen_worker_are_taken_over_and_no_harm_is_done_when_one_wakes(
    crew: Crew, api: SandboxHandle
) -> None:
    # So slow that the file lasts until both have calls of their own out.
    crew.root.configure(api__timeout_seconds=4)
    api.set_faults(latency_ms=1_000, jitter_ms=0)
    killed, frozen, _ = crew.start(3)
    old_name = name_of(frozen)
    steps = ("bag_picked", "delivery_done")
    crew.root.drop("big.csv", sheet([f"F{n:05}", s] for s in steps for n in range(ROWS // 2)))
    until(lambda: {name_of(killed), old_name} <= crew.senders(), what="both sending")
    after_calls(api, 10)
    crew.kill(killed)
    frozen.send(signal.SIGSTOP)
    assert api.stats()["accepted"] < ROWS
    api.set_faults(latency_ms=80)
    crew.closed(1)
    assert_all_accepted_once(crew, api, ROWS)
    assert name_of(killed) not in crew.names()
    before = {path: path.read_bytes() for path in crew.root.outbox.iterdir()}
    calls = api.stats()["calls"]
    frozen.send(signal.SIGCONT)
    # It finds out, joins under a new name, and has sent and written nothing on the way.
    until(lambda: len(crew.names()) == 2, what="the frozen one joining anew")
    assert old_name not in crew.names()
    assert api.stats()["calls"] == calls
    assert {path: path.read_bytes() for path in crew.root.outbox.iterdir()} == before
    assert all(history == list(steps) for history in histories(api).values())
    crew.root.drop("next.csv", orders(40))
    crew.closed(2)
    assert crew.root.of("next").counts == {"accepted": 40}


FREEZES_BEFORE_A_CALL = """
import os, signal
from pipeline.service import api_access

asks, left = api_access.WatchedApi._still_here, [12]

def asks_and_freezes(api):
    asks(api)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGSTOP)

api_access.WatchedApi._still_here = asks_and_freezes
"""
"""Run before a worker: it freezes between its last question and its twelfth call."""


def test_calls_that_were_about_to_leave_a_frozen_worker_are_all_that_comes_twice(
    crew: Crew, api: SandboxHandle
) -> None:
    crew.start(1)
    frozen = crew.start_after(FREEZES_BEFORE_A_CALL)
    crew.root.drop("big.csv", orders(ROWS))
    until(lambda: is_stopped(frozen), what="the frozen one")
    crew.closed(1)
    assert_all_accepted_once(crew, api, ROWS)
    before, results = api.stats()["calls"], crew.root.written()
    frozen.send(signal.SIGCONT)
    until(lambda: len(crew.names()) == 2, what="the frozen one joining anew")
    # That call, and others that the client had and had not written yet, may leave before the worker
    # finds out that it was given up, which stops its sending.
    late = api.stats()["calls"] - before
    assert late <= IN_FLIGHT
    assert api.stats()["repeats"] == api.stats()["refused"] == late * 20
    assert crew.root.written() == results


def is_stopped(worker: Running) -> bool:
    stat = Path(f"/proc/{worker.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


@pytest.mark.soak
def test_what_a_killed_worker_left_of_a_drop_is_asked_about_when_that_is_cancelled(
    crew: Crew, api: SandboxHandle
) -> None:
    killed, _ = crew.start(2)
    crew.root.drop("big.csv", orders(ROWS))
    after_calls(api, 20)
    until(lambda: name_of(killed) in crew.senders(), what="a segment of the one to be killed")
    api.set_faults(latency_ms=1_500)
    calls = api.stats()["calls"]
    after_calls(api, calls + IN_FLIGHT)
    crew.kill(killed)
    (drop,) = json.loads(crew.root.run("drops", "--json").out)
    assert crew.root.run("cancel", drop["drop_id"]).code == 0
    api.set_faults()
    crew.closed(1)
    found = crew.root.of("big")
    assert found.summary["state"] == "cancelled"
    # The API has no word on an order it never heard of: that one stays unknown.
    assert found.counts["accepted"] == api.stats()["accepted"]
    told = {line["outcome"] for line in found.lines() if line["codes"] == "RECONCILED"}
    assert told == {"accepted"}


@pytest.mark.soak
def test_all_workers_killed_and_new_ones_started_end_what_was_begun(
    crew: Crew, api: SandboxHandle
) -> None:
    workers = crew.start(2)
    crew.root.drop("big.csv", orders(ROWS))
    after_calls(api, 20)
    for each in workers:
        crew.kill(each)
    crew.start(1)
    crew.closed(1)
    assert_all_accepted_once(crew, api, ROWS)


def test_a_restart_of_the_database_costs_time_not_rows(
    crew: Crew, api: SandboxHandle, postgres: PrivatePostgres
) -> None:
    crew.root.configure(api__probe_seconds=0.5)
    crew.start(2)
    crew.root.drop("big.csv", orders(ROWS))
    after_calls(api, 20)
    postgres.stop()
    after_calls(api, 21)
    postgres.start()
    crew.closed(1)
    assert_all_accepted_once(crew, api, ROWS)
    crew.root.drop("next.csv", orders(40, prefix="NEXT"))
    crew.closed(2)


def test_an_outage_of_the_api_shuts_all_and_an_expired_token_too_until_it_is_over(
    crew: Crew, api: SandboxHandle
) -> None:
    api.set_faults(latency_ms=200, jitter_ms=0)  # the file is not through before the outage
    crew.root.configure(api__probe_seconds=100)  # what opens it again is the retry below
    workers = crew.start(2)
    crew.root.drop("big.csv", orders(ROWS))
    after_calls(api, 20)
    api.set_faults(status_all=401)
    logs = [each.err_path for each in workers]
    until(lambda: any('"api.shut"' in each.read_text("utf-8") for each in logs), what="shut")
    until(lambda: crew.status()["shut"], what="shut for all")
    shut = crew.status()["shut"]
    assert shut["held"]
    assert "401" in shut["reason"]
    until(lambda: not crew.senders(), what="nobody sending")
    until(lambda: crew.root.delivered(), what="a report of what is open")
    assert crew.root.of("big").summary["state"] == "open"
    # A file that comes meanwhile is reported, too; one that comes after it may hold its rows.
    header = ("Order ID", "AWB", "Status")
    crew.root.drop("monday.csv", sheet([(f"A{at}", "X1", "Delivered") for at in (1, 2)], header))
    until(lambda: len(crew.root.delivered()) == 2, what="a report of what came in the outage")
    assert crew.root.of("monday").counts == {"unsent": 2}
    crew.root.drop("tuesday.csv", sheet([("A1", "Y1", "In Transit")], header))
    until(lambda: len(crew.root.delivered()) == 3, what="the file that came last")
    calls = api.stats()["calls"]
    api.set_faults(status_all=0)
    assert crew.root.run("retry", crew.root.of("big").id).code == 0
    crew.closed(3)
    assert [line["codes"] for line in crew.root.of("monday").lines()] == ["PARCELS_OPEN:awb", ""]
    assert "A1" not in api.orders()
    assert_all_accepted_once(crew, api, ROWS, beside=1)
    assert calls < api.stats()["calls"]
