"""The ledger on PostgreSQL where that differs: restarts, two machines at once, odd text."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.core.chunks import ChunkResult, ChunkState, Receipt, Verdict
from pipeline.core.errors import StorageError
from pipeline.core.model import DropFacts, DropState
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.ledger.migrations import VERSION
from schemas.vocabulary import Outcome
from tests.fakes.ledger_plans import AT, NOW, begun, frozen_plan
from tests.postgres import PrivatePostgres, missing, private_postgres


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.database()


@pytest.fixture
def ledger(tmp_path: Path, url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(url, root=tmp_path)
    yield opened
    opened.close()


def test_who_lost_the_ledger_to_another_is_told_so(tmp_path, url, ledger):
    other, lost = open_ledger(url, root=tmp_path), threading.Event()
    with ledger.alone(stale_seconds=60) as held:
        held.on_lost = lost.set
        with other._db.write() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 9000) FROM pg_locks WHERE locktype = 'advisory'"
            )
        with other.alone(stale_seconds=60) as taken:
            assert lost.wait(20)
        assert (held.is_lost, taken.is_lost) == (True, False)
    other.close()


def test_several_that_open_a_new_ledger_at_once_make_its_tables_once(tmp_path, url):
    with ThreadPoolExecutor(6) as threads:
        ledgers = list(threads.map(lambda _: open_ledger(url, root=tmp_path), range(6)))
    with ledgers[0]._db.read() as connection:
        found = connection.exec_driver_sql("SELECT number FROM schema_version ORDER BY 1").all()
    assert [row[0] for row in found] == list(range(1, 1 + VERSION))
    for ledger in ledgers:
        ledger.close()


def test_text_with_a_nul_is_kept_readable(ledger):
    drop = begun(ledger, drop_id="d1", folder="", source_file="a.csv", received_at=NOW)
    drop = replace(drop, state=DropState.OPEN)
    ledger.freeze(drop, frozen_plan(drop.seq, 1, prefix="o\0"))
    (chunk,) = ledger.chunks(drop.seq)
    said = Verdict(chunk_no=0, pos=0, outcome=Outcome.FAILED, code="X", message="no\0 way")
    receipt = Receipt(chunk_no=0, at=AT, kind="put", http_status=400, note="\0")
    ended = replace(chunk, state=ChunkState.DONE, outcome=Outcome.FAILED, message="\0")
    result = ChunkResult(chunk=ended, verdicts=(said,), receipts=(receipt,))
    ledger.exchange([result], [], at=AT)
    assert ledger.verdicts(drop.seq)[0].message == "no\ufffd way"
    assert ledger.overview.sightings("o\ufffd0000000")[0].receipts[0].note == "\ufffd"


def test_whole_old_drops_go_and_what_was_accepted_stays(ledger):
    """As in SQLite; what is left of a younger drop is changed in its place."""
    for number in range(3):
        drop = begun(ledger, drop_id=f"d{number}", folder="", source_file="a", received_at=NOW)
        drop = replace(drop, state=DropState.OPEN, facts=DropFacts(courier_why="x" * 3000))
        ledger.freeze(drop, frozen_plan(drop.seq, 2, prefix=f"o{number}"))
        (chunk,) = ledger.chunks(drop.seq)
        ended = replace(chunk, state=ChunkState.DONE, outcome=Outcome.ACCEPTED)
        ledger.exchange([ChunkResult(chunk=ended, verdicts=(), receipts=())], [], at=AT)
        ended_at = NOW + timedelta(days=number)
        ledger.save(replace(drop, state=DropState.COMPLETED, finished_at=ended_at))
    late = NOW + timedelta(days=99)
    assert ledger.compaction.give_up(closed_before=late, at=late) == ["d0", "d1", "d2"]
    assert ledger.compaction.compact_orders("") is None
    assert ledger.compaction.end_compaction() == 3
    assert ledger.compaction.forget_old(closed_before=NOW + timedelta(hours=1)) == 1
    assert ledger.compaction.forget_old(closed_before=NOW + timedelta(hours=1)) == 0
    assert [each.drop_id for each in ledger.recent(9)] == ["d2", "d1"]
    assert not any(each.facts.courier_why for each in ledger.recent(9))
    found = ledger.order_histories(["o00000000", "o10000000"], except_seq=99)
    assert [(each.drop_id, each.outcome) for each in found] == [
        ("", Outcome.ACCEPTED),
        ("d1", Outcome.ACCEPTED),
    ]
    (seen,) = ledger.overview.sightings("o00000000")
    assert seen.drop is None
    assert ledger.compaction.forget_old(closed_before=late) == 1, "the newest stays"


def test_orders_are_compared_byte_by_byte(ledger):
    for number, prefix in enumerate("aBb"):
        drop = begun(ledger, drop_id=f"d{number}", folder="", source_file="a", received_at=NOW)
        drop = replace(drop, state=DropState.OPEN)
        ledger.freeze(drop, frozen_plan(drop.seq, 1, prefix=prefix))
    asked = [f"{prefix}0000000" for prefix in "abB"]
    assert [s.order_id[0] for s in ledger.order_histories(asked, except_seq=99)] == ["B", "a", "b"]


@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_a_restart_of_the_server_is_trouble_for_a_moment_only(tmp_path):
    with private_postgres() as server:
        ledger = open_ledger(server.database(), root=tmp_path)
        begun(ledger, drop_id="d1", folder="", source_file="a.csv", received_at=NOW)
        server.stop()
        with pytest.raises(StorageError, match="cannot be read") as caught:
            ledger.find("d1")
        assert "PostgreSQL" in caught.value.hint
        server.start()
        assert ledger.find("d1") is not None
        ledger.request("d1", "retry")
        assert [drop.drop_id for drop in ledger.requested()] == ["d1"]
        ledger.close()
