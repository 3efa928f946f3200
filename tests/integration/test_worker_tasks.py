"""Locks of a worker: nobody else does its work, and no lock is left behind."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.cluster.lease import Lease
from pipeline.cluster.tasks import Tasks
from pipeline.service.settings import LedgerSettings, Settings
from pipeline.service.wiring import Site
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.ledger.segments import Segment
from tests.postgres import PrivatePostgres


class Worker:
    """A worker without its threads: the test is its only thread."""

    def __init__(self, root: Path, url: str) -> None:
        self.lease = Lease(60)
        settings = Settings(ledger=LedgerSettings(url=url))
        self.site = Site(root, settings, presence=self.lease)
        self.ledger: SqlLedger = self.site.ledger
        self.ledger.workers.join(self.lease.name, host="h", pid=1, root=self.ledger.root_id)
        self.lease.renew(self.lease.begin_heartbeat())
        self.calls: list[tuple[str, Sequence[Mapping[str, int]], int]] = []
        self.hands = Tasks(self.site, self.lease, lambda *call: self.calls.append(call))


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


@pytest.fixture
def worker(tmp_path: Path, url: str) -> Iterator[Worker]:
    made = Worker(tmp_path, url)
    yield made
    made.site.close()


@pytest.fixture
def other(tmp_path: Path, url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(url, root=tmp_path)
    opened.workers.join("other", host="h", pid=2, root=opened.root_id)
    yield opened
    opened.close()


def test_tidying_up_lets_go_of_what_nobody_does_and_of_nothing_else(worker, other):
    me = worker.lease.name
    for forgotten in ("send:1:0:0", "planning"):
        assert worker.ledger.workers.take_post(me, forgotten)
    assert worker.ledger.workers.take_post(me, "scan:root")
    worker.hands.tidy_posts()
    assert other.workers.take_post("other", "send:1:0:0")
    assert not other.workers.take_post("other", "scan:root")
    with worker.hands.post("report:1") as mine, worker.ledger.workers.planning_turn():
        worker.hands.tidy_posts()
        assert mine
        assert not other.workers.take_post("other", "report:1")
        assert not other.workers.take_post("other", "planning")
    assert other.workers.take_post("other", "report:1")
    assert other.workers.take_post("other", "planning")


def test_a_post_is_let_go_of_when_its_work_fails(worker, other):
    with suppress(RuntimeError), worker.hands.post("report:1"):
        raise RuntimeError
    assert other.workers.take_post("other", "report:1")
    with worker.hands.post("report:1") as mine:
        assert not mine


def test_one_worker_does_not_hold_the_same_post_twice(worker):
    with worker.hands.post("x") as first, worker.hands.post("x") as second:
        assert (first, second) == (True, False)


def test_segments_far_behind_in_a_drop_are_less_urgent_than_the_first_of_another(worker):
    wanted = [Segment(drop_seq=1, wave=0, no=no, first=no, last=no) for no in (0, 9, 10, 25)]
    worker.hands.call_send([*wanted, Segment(drop_seq=2, wave=0, no=0, first=0, last=0)])
    told = [
        (urgency, [(a["drop_seq"], a["no"]) for a in args]) for _, args, urgency in worker.calls
    ]
    assert told == [(0, [(1, 0), (1, 9), (2, 0)]), (-1, [(1, 10)]), (-2, [(1, 25)])]
