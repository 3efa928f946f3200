"""The ledger looked over: searches with their pages, what has changed, how far a drop is."""

import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.core.chunks import ChunkResult, ChunkState, Verdict
from pipeline.core.corrections import with_aside, with_fixed, without_aside
from pipeline.core.drop_lines import DropCounts, DropLine, Search
from pipeline.core.model import Drop, DropFacts, DropState
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.ledger.drops import write_drops
from schemas.vocabulary import Outcome
from tests.fakes.ledger_plans import AT, NOW, begun, frozen_plan


@pytest.fixture
def ledger(tmp_path: Path, ledger_url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(ledger_url, root=tmp_path)
    yield opened
    opened.close()


def begin(ledger: SqlLedger, number: int, **more: object) -> Drop:
    """A drop whose summary has so many rejected rows as its number says, if it is through."""
    drop = begun(
        ledger,
        drop_id=f"d{number:02}",
        folder="",
        source_file=f"file_{number}%.csv",
        received_at=NOW,
    )
    rows = {outcome.value: 0 for outcome in Outcome} | {"rejected": number}
    drop = replace(drop, facts=DropFacts(summary={"rows": rows}, total=number), **more)
    ledger.save(drop)
    return drop


def ids(found: Iterable[DropLine | DropCounts]) -> list[str]:
    return [each.drop_id for each in found]


def test_a_search_finds_by_state_courier_outcome_and_words(ledger: SqlLedger) -> None:
    begin(ledger, 0, state=DropState.COMPLETED, courier="a")
    begin(ledger, 1, state=DropState.COMPLETED, courier="b")
    begin(ledger, 2, state=DropState.REFUSED, courier="a")
    begin(ledger, 3, state=DropState.CLAIMED)
    begin(ledger, 12, state=DropState.OPEN, courier="a", parent="d01")
    assert ids(ledger.overview.search(Search())) == ["d12", "d03", "d02", "d01", "d00"]
    assert ids(ledger.overview.search(Search(state="under_way"))) == ["d12", "d03"]
    assert ids(ledger.overview.search(Search(state="completed", courier="b"))) == ["d01"]
    assert ids(ledger.overview.search(Search(needs="rejected", courier="a"))) == ["d12", "d02"]
    assert ids(ledger.overview.search(Search(needs="failed"))) == []
    assert ids(ledger.overview.search(Search(words="FILE_1 csv"))) == ["d12", "d01"]
    assert ids(ledger.overview.search(Search(words="_1%"))) == ["d01"]
    assert ids(ledger.overview.search(Search(words="d12"))) == ["d12"]
    assert ids(ledger.overview.children("d01")) == ["d12"]
    (line,) = ledger.overview.lines(["d12", "nonesuch"])
    assert (line.total, line.summary["rows"]["rejected"]) == (12, 12)


def test_a_row_that_needs_somebody_is_counted_once_whatever_became_of_it(
    ledger: SqlLedger,
) -> None:
    drop = begin(ledger, 5, state=DropState.COMPLETED)
    aside = partial(with_aside, reason="other", who="Asha", at=AT)

    def need() -> tuple[int, int, int]:
        (line,) = ledger.overview.lines([drop.drop_id])
        return line.need, line.fixed, line.aside

    ledger.change_facts(drop.seq, partial(aside, rows=[2, 3]))
    assert need() == (3, 0, 2)
    ledger.change_facts(drop.seq, partial(with_fixed, rows=[3, 4]))
    assert need() == (2, 2, 1), "corrected after it was set aside"
    ledger.change_facts(drop.seq, partial(aside, rows=[4, 5]))
    assert need() == (1, 2, 2), "set aside after it was corrected"
    ledger.change_facts(drop.seq, partial(without_aside, rows=[2, 4, 5]))
    assert need() == (3, 2, 0)


def test_pages_go_back_and_forth(ledger: SqlLedger) -> None:
    seqs = [begin(ledger, n).seq for n in range(9)]
    assert ids(ledger.overview.search(Search(limit=3))) == ["d08", "d07", "d06"]
    assert ids(ledger.overview.search(Search(before=seqs[6], limit=3))) == ["d05", "d04", "d03"]
    assert ids(ledger.overview.search(Search(after=seqs[3], limit=3))) == ["d06", "d05", "d04"]


def test_what_changed_is_new_under_way_or_closed_after(ledger: SqlLedger) -> None:
    assert ledger.overview.last_closing() == 0
    begin(ledger, 1, state=DropState.COMPLETED)
    begin(ledger, 2, state=DropState.OPEN)
    begin(ledger, 3, state=DropState.COMPLETED)
    last = begin(ledger, 4, state=DropState.OPEN)
    seen = ledger.overview.last_closing()
    assert sorted(ids(ledger.overview.changed(last.seq, seen))) == ["d02", "d04"]
    ledger.save(replace(last, state=DropState.REFUSED))
    assert sorted(ids(ledger.overview.changed(last.seq, seen))) == ["d02", "d04"]
    assert ids(ledger.overview.changed(last.seq, ledger.overview.last_closing())) == ["d02"]
    assert sorted(ids(ledger.overview.changed(last.seq - 1, ledger.overview.last_closing()))) == [
        "d02",
        "d04",
    ]


def test_closed_drops_are_numbered_in_the_order_of_their_commits_whatever_their_time(
    ledger: SqlLedger,
) -> None:
    slow, quick = begin(ledger, 1, state=DropState.OPEN), begin(ledger, 2, state=DropState.OPEN)
    ledger.save(replace(quick, state=DropState.REFUSED, finished_at=NOW))
    seen = ledger.overview.last_closing()
    assert ids(ledger.overview.ended(0)) == ["d02"]
    early = NOW - timedelta(hours=1)
    closed = replace(slow, state=DropState.COMPLETED, finished_at=early)
    ledger.save(closed)
    assert ids(ledger.overview.ended(seen)) == ["d01"]
    ledger.save(closed.noting(summary={"rows": {}}))  # a corrected file came back
    assert ids(ledger.overview.ended(0)) == ["d02", "d01"]
    ledger.save(replace(slow, state=DropState.OPEN))
    ledger.save(closed)  # a retry, and another end
    assert ids(ledger.overview.ended(seen)) == ["d01"]
    assert ids(ledger.overview.ended(seen + 1)) == ["d01"]
    both = [begin(ledger, n, state=DropState.OPEN) for n in (4, 3)]
    ledger.save_all([replace(drop, state=DropState.COMPLETED) for drop in both])
    assert ids(ledger.overview.ended(seen + 2)) == ["d04", "d03"]


def test_what_one_process_is_about_to_close_is_not_passed_over_by_another(
    tmp_path: Path, ledger: SqlLedger, ledger_url: str
) -> None:
    """A number given first is committed first, or others would take the later one for all."""
    first, second = begin(ledger, 1, state=DropState.OPEN), begin(ledger, 2, state=DropState.OPEN)
    other = open_ledger(ledger_url, root=tmp_path)
    closing = threading.Thread(target=other.save, args=[replace(second, state=DropState.COMPLETED)])
    with ledger._db.write() as connection:
        ledger._db.dialect.begin_closing(connection)
        write_drops(connection, [replace(first, state=DropState.COMPLETED)])
        closing.start()
        closing.join(0.5)
        assert closing.is_alive()
    closing.join(30)
    assert ids(ledger.overview.ended(0)) == ["d01", "d02"]
    other.close()


def test_how_far_a_drop_is_counts_updates_by_their_own_end(ledger: SqlLedger) -> None:
    drop = replace(begin(ledger, 1), state=DropState.OPEN)
    plan = frozen_plan(drop.seq, 80)
    ledger.freeze(drop, plan)
    assert ledger.overview.sent(drop.seq) == {None: 80}
    assert ledger.overview.waiting_updates() == 80
    first, second, third, _ = plan.chunks()
    failed = Verdict(chunk_no=0, pos=3, outcome=Outcome.FAILED, code="API_REFUSED", message="")
    ended = {"state": ChunkState.DONE, "http_status": 200, "attempts": 1, "sent_at": AT}
    ledger.exchange(
        [
            ChunkResult(
                chunk=replace(first, outcome=Outcome.ACCEPTED, **ended), verdicts=(failed,)
            ),
            ChunkResult(chunk=replace(second, outcome=Outcome.UNKNOWN, **ended)),
        ],
        [third],
        at=AT,
    )
    assert ledger.overview.sent(drop.seq) == {"accepted": 19, "failed": 1, "unknown": 20, None: 40}
    assert ledger.overview.waiting_updates() == 40
    ledger.reopen(drop.seq)  # somebody wants what is unknown settled: it is waited for again
    assert ledger.overview.sent(drop.seq) == {"accepted": 19, "failed": 1, None: 60}
    ledger.save(replace(drop, state=DropState.CANCELLED))
    assert ledger.overview.waiting_updates() == 0


def test_what_is_left_is_found_without_going_through_all_drops(tmp_path: Path) -> None:
    ledger = open_ledger("sqlite:///state/ledger.db", root=tmp_path)
    steps = 0

    def counted(connection: Any, _record: object, _proxy: object) -> None:
        def one_more() -> None:
            nonlocal steps
            steps += 1

        connection.set_progress_handler(one_more, 1)

    for at, number in enumerate((3, *[0] * 200, 5)):  # so many rejected rows
        rows = {outcome.value: 0 for outcome in Outcome} | {"rejected": number}
        drop = begun(ledger, drop_id=f"d{at}", folder="a", source_file="x", received_at=NOW)
        facts = DropFacts(summary={"rows": rows}, total=5)
        ledger.save(replace(drop, state=DropState.COMPLETED, facts=facts))
    sa.event.listen(sa.pool.Pool, "checkout", counted)
    try:
        found = ledger.overview.left_in("a", "x", before=drop.seq, limit=9)
        assert [drop_id for _, drop_id, _ in found] == ["d0"]
        assert list(ledger.overview.folders_with_something_left({"a", "b"})) == ["a"]
        assert steps < 400, "a few for each drop with something left"
    finally:
        sa.event.remove(sa.pool.Pool, "checkout", counted)
        ledger.close()
