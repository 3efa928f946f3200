"""An API that is away, or will not take us, rejects no row and loses none."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, orders, rooted, sheet


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_with_the_api_down_the_drop_stays_open_and_the_next_run_completes_it(
    root: Root, api: SandboxHandle, nobody: str
) -> None:
    root.configure(api__max_attempts=1)
    root.drop("a.csv", orders(50) + "BAD,Wat\n")
    root.drop("b.csv", sheet([("ORD000001", "Return Picked Up")]))
    down = root.once(SHIPDROP_API__BASE_URL=nobody)
    assert down.code == 5, "5 beats 3: a row was rejected as well"
    assert "cannot be reached" in down.err
    first = root.of("a")
    assert first.summary["state"] == "open"
    assert first.summary["finished_at"] is None
    assert first.counts == {"unsent": 50, "rejected": 1}
    first.assert_sound(51)
    assert {line["codes"] for line in first.lines()} == {"NOT_SENT", "STATUS_UNKNOWN:status"}
    assert root.of("b").counts == {"unsent": 1}
    (waiting,) = (e for e in first.summary["warnings"] if e["code"] == "NOT_SENT")
    assert (waiting["count"], waiting["example_row"]) == (50, 2)
    assert "no connection" in waiting["message"]
    assert not root.files("archive")
    names = root.files("outbox")

    assert root.once().code == 3
    assert root.files("outbox") == names
    assert root.of("a").summary["state"] == root.of("b").summary["state"] == "completed"
    assert root.of("a").counts == {"accepted": 50, "rejected": 1}
    root.of("a").assert_sound(51)
    assert root.of("b").counts == {"accepted": 1}
    assert len(root.files("archive")) == 2
    assert api.stats()["accepted"] == 51
    assert api.stats()["repeats"] == api.stats()["illegal"] == 0


def test_a_file_that_is_to_be_refused_does_not_wait_for_an_earlier_one(
    root: Root, nobody: str
) -> None:
    root.configure(api__max_attempts=1, api__base_url=nobody)
    root.drop("a.csv", orders(30))
    root.drop("bad.csv", orders(10) + orders(20, prefix="BAD", status="Wat"))
    root.drop("wrong.csv", orders(10) + "".join(f"-,S{n}\n" for n in range(20)))
    assert root.once().code == 5
    assert root.of("a").summary["state"] == "open"
    assert root.of("bad").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    assert len(root.of("bad").lines("rejects.csv")) == 30
    assert root.of("wrong").summary["refused"]["code"] == "WRONG_COLUMN"
    assert len(root.files("quarantine")) == 2


def test_a_refusal_takes_back_what_was_reported_while_the_drop_was_open(
    root: Root, nobody: str
) -> None:
    root.configure(api__max_attempts=1, api__base_url=nobody)
    root.drop("a.csv", orders(30))
    root.drop("bad.csv", orders(10) + orders(20, prefix="BAD", status="Wat"))
    root.once(SHIPDROP_MANIFEST__MAX_REJECT_RATIO="1")
    assert root.of("bad").counts == {"unsent": 10, "rejected": 20}
    assert root.of("bad").path("results.csv").exists()
    with closing(sqlite3.connect(root.path / "state" / "ledger.db")) as ledger, ledger:
        # As an older Shipdrop left it, which did not plan what waited for another drop.
        (seq,) = ledger.execute("SELECT seq FROM drops WHERE source_file = 'bad.csv'").fetchone()
        ledger.execute("UPDATE drops SET state = 'claimed' WHERE seq = ?", (seq,))
        for table in ("lines", "chunks"):
            ledger.execute(f"DELETE FROM {table} WHERE drop_seq = ?", (seq,))
    root.once()
    bad = root.of("bad")
    assert bad.summary["state"] == "refused"
    assert len(bad.lines("rejects.csv")) == 30
    assert not bad.path("results.csv").exists()


def test_a_dead_token_rejects_nothing_and_a_good_one_completes(
    root: Root, api: SandboxHandle
) -> None:
    root.drop("a.csv", orders(100))
    dead = root.once(SHIPDROP_API__TOKEN="expired")
    assert dead.code == 5
    assert "401" in dead.err
    assert root.of("a").counts == {"unsent": 100}
    assert root.of("a").summary["state"] == "open"
    assert api.stats()["calls"] <= 8, "nobody goes on knocking"

    root.drop("waits.csv", orders(1, prefix="W"))
    assert root.once().code == 0
    assert root.of("a").counts == {"accepted": 100}
    assert root.of("waits").counts == {"accepted": 1}
    assert api.stats()["refused"] == 0


@pytest.mark.parametrize("status", [302, 407])
def test_an_api_that_will_not_take_us_holds_everything(
    root: Root, api: SandboxHandle, status: int
) -> None:
    api.set_faults(status_all=status)
    root.drop("a.csv", orders(41))
    ran = root.once()
    assert ran.code == 5
    assert str(status) in ran.err
    assert root.of("a").counts == {"unsent": 41}
    assert api.stats()["calls"] <= 8


def test_a_page_in_place_of_the_api_holds_everything(root: Root, api: SandboxHandle) -> None:
    api.set_faults(html_rate=1, html_status=[404])
    root.drop("a.csv", orders(2))
    assert root.once().code == 5
    assert root.of("a").counts == {"unsent": 2}


def test_a_422_for_everything_fails_each_row_with_the_apis_words(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(status_all=422)
    root.drop("a.csv", orders(3))
    assert root.once().code == 3
    found = root.of("a")
    assert found.counts == {"failed": 3}
    found.assert_sound(3)
    assert {line["http_status"] for line in found.lines()} == {"422"}
    assert all("the sandbox answers 422" in line["message"] for line in found.lines())
    assert len(found.lines("rejects.csv")) == 3


def test_one_bad_order_of_a_call_fails_alone(root: Root, api: SandboxHandle) -> None:
    api.set_faults(poison_orders=["ORD000007"])
    root.drop("a.csv", orders(25))
    assert root.once().code == 3
    found = root.of("a")
    assert found.counts == {"accepted": 24, "failed": 1}
    (bad,) = (line for line in found.lines() if line["outcome"] == "failed")
    assert bad["order_id"] == "ORD000007"
    assert bad["codes"] == "API_REFUSED"
    assert api.stats()["accepted"] == 24


def test_rows_the_api_refuses_by_name_fail_with_its_code(root: Root, api: SandboxHandle) -> None:
    api.set_faults(refuse_orders=["ORD000003", "ORD000024"])
    root.drop("a.csv", orders(25))
    assert root.once().code == 3
    found = root.of("a")
    found.assert_sound(25)
    assert found.counts == {"accepted": 23, "failed": 2}
    failed = [line for line in found.lines() if line["outcome"] == "failed"]
    assert [line["order_id"] for line in failed] == ["ORD000003", "ORD000024"]
    assert all("D422" in line["message"] for line in failed)
    assert [line["Order ID"] for line in found.lines("rejects.csv")] == ["ORD000003", "ORD000024"]
    calls = api.stats()["calls"]
    root.drop("again.csv", orders(25))
    api.set_faults(refuse_orders=[])
    assert root.once().code == 0
    assert root.of("again").counts == {"accepted": 2, "duplicate": 23}
    assert api.stats()["calls"] == calls + 1


def test_bad_moments_of_the_api_cost_tries_and_no_row(root: Root, api: SandboxHandle) -> None:
    api.set_faults(fail_first=2, fail_status=[500])
    root.drop("a.csv", orders(5))
    assert root.once().code == 0
    found = root.of("a")
    assert found.counts == {"accepted": 5}
    assert {line["attempts"] for line in found.lines()} == {"3"}
    assert found.summary["calls"] == {"sent": 3, "retried": 2}


def test_lost_answers_are_asked_about_and_never_sent_twice(root: Root, api: SandboxHandle) -> None:
    api.set_faults(lose_rate=0.5, reset_rate=0.1, truncate_rate=0.1)
    root.configure(api__timeout_seconds=5, api__concurrency=4)
    root.drop("a.csv", orders(200))
    ran = root.once()
    found = root.of("a")
    found.assert_sound(200)
    assert found.counts == {"accepted": 200}
    assert ran.code == 0
    stats = api.stats()
    assert stats["repeats"] == stats["duplicates"] == 0
    assert stats["info_calls"] > 0


def test_a_token_is_fetched_and_renewed(tmp_path: Path) -> None:
    config = SandboxConfig(
        username="ops", password="pw", token="other", faults=Faults(expire_token_after=2)
    )
    with running(config) as api, rooted(tmp_path, api.url, "") as root:
        del root.env["SHIPDROP_API__TOKEN"]
        root.configure(api__username="ops", api__password="pw")
        root.drop("a.csv", orders(100))
        assert root.once().code == 0
        assert root.of("a").counts == {"accepted": 100}
        assert api.stats()["token_calls"] == 2
        api.set_faults(token_status=401, expire_token_after=1)
        root.drop("b.csv", orders(30, prefix="B"))
        assert root.once().code == 5
        assert root.of("b").counts["unsent"] >= 10
        assert "failed" not in root.of("b").counts
