"""One worker does some work for all of a root: corrections, tidying up, health."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.crew import Crew, crew_on, name_of
from tests.acceptance.harness import Root, orders, sheet, until
from tests.postgres import PrivatePostgres

LONG_ID = "17328629784861446351"
AS_A_SPREADSHEET_SHOWS_IT = "1.73286297848614E+19"


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


@pytest.fixture
def crew(tmp_path: Path, api: SandboxHandle, url: str) -> Iterator[Crew]:
    with crew_on(tmp_path / "crew", api.url, api.token, url) as made:
        yield made


def test_in_an_outage_nothing_is_written_anew_and_a_file_that_grew_meanwhile_comes_back(
    crew: Crew, api: SandboxHandle
) -> None:
    """A drop that rests is looked at again at every probe, by whichever worker."""
    crew.root.configure(
        inbox__settle_seconds=0.2,
        api__probe_seconds=0.3,
        api__max_attempts=2,
        api__concurrency=1,
    )
    api.set_faults(status_all=503)
    workers = crew.start(2)
    crew.root.drop("day.csv", orders(30))
    until(crew.root.delivered, what="the first report")
    calls = api.stats()["calls"]
    until(lambda: api.stats()["calls"] > calls + 2, what="a probe")
    # Each of the two may have to report once, when it gives its part back.
    for last in (False, True):
        written = crew.root.written()
        calls = api.stats()["calls"]
        until(lambda seen=calls: api.stats()["calls"] > seen + 16, what="some probes")
        if last or crew.root.written() == written:
            break
    assert crew.root.written() == written
    logs = "".join(each.err_path.read_text() for each in workers)
    assert logs.count('"drop.open"') <= len(workers)
    assert logs.count('"api.shut"') <= len(workers)
    (claimed,) = crew.root.path.glob("work/*/day.csv")
    with claimed.open("a") as file:
        file.write(orders(50)[len(orders(30)) :])
    api.set_faults(status_all=0)
    until(lambda: len(crew.root.delivered()) == 2, what="the rest")
    crew.closed(2)
    begun, whole = crew.root.delivered()
    assert (begun.counts, whole.counts) == ({"accepted": 30}, {"accepted": 20, "duplicate": 30})
    untimed = {"NO_EVENT_TIME"}
    assert begun.codes - untimed == {"FILE_CHANGED"}
    assert whole.codes - untimed == {"FILE_CONTINUED"}
    assert whole.summary["continues"] == begun.id
    assert api.stats()["accepted"] == 50
    assert api.stats()["repeats"] == 0


def test_another_follows_a_killed_worker_in_telling_how_things_are_and_in_corrections(
    crew: Crew, api: SandboxHandle
) -> None:
    told = crew.root.path / "state" / "health.json"

    def pid() -> int:
        return int(json.loads(told.read_bytes())["pid"]) if told.exists() else 0

    workers = {each.process.pid: each for each in crew.start(2)}
    until(lambda: pid() in workers, what="a word of one of the two")
    rows = [("17328629784861446350", "Delivered"), (LONG_ID, "Deliverd"), ("X2", "Wat")]
    crew.root.drop("day.csv", sheet(rows), folder="xpressbees")
    crew.closed(1)
    parent = crew.root.of("day")
    assert parent.counts == {"accepted": 1, "rejected": 2}
    lines = parent.lines("rejects.csv")
    lines[0] |= {"Status": "Delivered", "Order ID": AS_A_SPREADSHEET_SHOWS_IT}
    lines[1]["Status"] = "Delivered"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    # Its report is there a moment before its ids are kept, and the ledger knows.
    until(lambda: not crew.root.files("work"), what="the first file put away")
    gone = workers.pop(pid())
    name = name_of(gone)
    crew.kill(gone)
    (left,) = workers
    until(lambda: pid() == left, what="a word of the other")
    assert name not in crew.names()
    assert json.loads(told.read_bytes())["api"] == "ok"
    # Whoever knew the parent may be gone: the ledger and the root know it.
    crew.root.drop(parent.path("rejects.csv").name, out.getvalue())
    crew.closed(2)
    back = next(each for each in crew.root.delivered() if each.id != parent.id)
    back.assert_sound(2)
    assert back.summary["parent"] == parent.id
    assert back.summary["courier"] == "xpressbees"
    assert back.summary["corrections"] == {"rows": 2, "fixed": 2}
    assert back.counts == {"accepted": 2}
    assert [line["order_id"] for line in back.lines()] == [LONG_ID, "X2"]
    assert "ID_RESTORED" in back.codes
    assert api.stats()["accepted"] == 3
    assert api.stats()["repeats"] == 0
    workers[left].end()
    assert json.loads(told.read_bytes())["stopped_at"]


def make_old(root: Root, url: str, days: int) -> None:
    """As if all drops of the ledger had been closed so many days ago, and none was swept since."""
    then = datetime.now(UTC) - timedelta(days=days)
    with psycopg.connect(url) as ledger:
        ledger.execute("UPDATE drops SET finished_at = %s", (then.isoformat(),))
    (root.path / "state" / "swept.json").unlink()


def kept_rows(url: str) -> dict[str, int]:
    """Root → rows of its drops that the ledger still has."""
    query = "SELECT root, count(*) FROM lines JOIN drops ON seq = drop_seq GROUP BY root"
    with psycopg.connect(url) as ledger:
        return dict(ledger.execute(query).fetchall())


def test_old_rows_go_by_one_worker_of_their_root_and_what_was_accepted_stays(
    crew: Crew, api: SandboxHandle, url: str, tmp_path: Path
) -> None:
    with crew_on(tmp_path / "other", api.url, api.token, url) as other:
        (there,) = other.start()
        other.root.drop("other.csv", orders(20, prefix="OTHER"))
        other.closed(1)
        there.end()
    (first,) = crew.start()
    crew.root.drop("old.csv", orders(60))
    crew.closed(1)
    (others_root,) = kept_rows(url).keys() - {
        (crew.root.path / "state/root-id").read_text().strip()
    }
    first.end()
    spool = crew.root.path / "state" / "drops" / crew.root.of("old").id
    assert spool.exists()
    make_old(crew.root, url, 200)
    workers = crew.start(2)
    until(
        lambda: any(b'"retention.swept"' in w.err_path.read_bytes() for w in workers),
        what="a sweep",
    )
    assert kept_rows(url) == {others_root: 20}, "another root's rows are for its own workers"
    assert not spool.exists()
    kept = {each["source_file"]: each for each in crew.root.run("drops", "--json").json}
    assert kept["old.csv"]["tidied_at"]
    assert kept["old.csv"]["summary"]["rows"]["accepted"] == 60
    assert kept["other.csv"]["tidied_at"] is None
    crew.root.drop("again.csv", orders(60))
    crew.closed(2)
    assert crew.root.of("again").counts == {"duplicate": 60}
    assert api.stats()["accepted"] == 80
    assert api.stats()["repeats"] == 0
    swept = [b'"retention.swept"' in each.err_path.read_bytes() for each in workers]
    assert swept.count(True) == 1
