"""The ledger on a real file and on a real PostgreSQL: drops, plans, sends, an order's story."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkResult, ChunkState, Receipt, Verdict
from pipeline.core.corrections import with_fixed
from pipeline.core.drop_lines import Search
from pipeline.core.errors import StorageError
from pipeline.core.model import (
    Drop,
    DropFacts,
    DropState,
    InboxAgain,
    Notice,
    SetAside,
    SheetFacts,
    Skipped,
)
from pipeline.core.order_lines import DISPATCHED, FrozenPlan, OrderHistory
from pipeline.storage.ledger import SqlLedger, open_ledger, tables
from schemas.codes import Code
from schemas.parcels import Said
from schemas.vocabulary import Milestone, Outcome
from tests.examples import examples
from tests.fakes.ledger_plans import AT, NOW, begun, frozen_plan

DONE = Milestone.DELIVERY_DONE


@pytest.fixture
def ledger(tmp_path: Path, ledger_url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(ledger_url, root=tmp_path)
    yield opened
    opened.close()


def begin(ledger: SqlLedger, drop_id: str, **more: object) -> Drop:
    drop = begun(ledger, drop_id=drop_id, folder="x", source_file="a.csv", received_at=NOW)
    if more:
        drop = replace(drop, **more)
        ledger.save(drop)
    return drop


def freeze(ledger: SqlLedger, drop_id: str, rows: int, **more: object) -> Drop:
    drop = replace(begin(ledger, drop_id), state=DropState.OPEN)
    ledger.freeze(drop, frozen_plan(drop.seq, rows, **more))
    return drop


def done(chunk: Chunk, outcome: Outcome = Outcome.ACCEPTED, **more: object) -> ChunkResult:
    ended = replace(
        chunk, state=ChunkState.DONE, outcome=outcome, http_status=200, attempts=1, sent_at=AT
    )
    return ChunkResult(chunk=ended, **more)


def verdict(
    outcome: Outcome, *, chunk_no: int = 0, pos: int = 1, code: str = "API_REFUSED"
) -> Verdict:
    return Verdict(
        chunk_no=chunk_no, pos=pos, outcome=outcome, code=code, message="no", http_status=200
    )


def asked(ledger: SqlLedger, *orders: str) -> list[OrderHistory]:
    return ledger.order_histories(orders, except_seq=1 << 62)


EVERY_FACT = DropFacts(
    mtime_ns=1_700_000_000_123_456_789,
    continues="d0",
    changed=True,
    sheets=(
        SheetFacts(
            name="é",
            headers=("Order ID", ""),
            roles={"order_id": 0},
            rows=9,
            matched={"order_id": "heading"},
            unused=("",),
            heard={'the column "Leg"': "direction"},
        ),
    ),
    notices=(Notice(code=Code.FILE_CHANGED, message="It changed.", example_row=2),),
    skipped=Skipped(blank=1, footer=2),
    courier_why="its name",
    total=9,
    spool="w1",
    waits_for=("d7",),
    summary={"rows": {"rejected": 1}, "open": None},
    last_report="ab",
    to_correct=3,
    fixed_rows=(2, ("North", 3)),
    aside=(SetAside(("North", 4), "gone", "Asha", AT),),
    returned=((2, ("South", 5)),),
    put_off=("old", "Asha", AT),
    again=InboxAgain(at=AT, who="Asha", folder="", name="a.csv", after=7),
)


class TestDrops:
    def test_come_back_as_they_were_saved(self, ledger):
        drop = begin(
            ledger,
            "d1",
            state=DropState.CLAIMED,
            size=9,
            sha256="ab",
            courier="delhivery",
            parent="d0",
            same_as="d0",
            started_at=NOW,
            finished_at=NOW,
            facts=EVERY_FACT,
        )
        assert ledger.find("d1") == drop
        assert ledger.find("d2") is None

    def test_facts_of_an_earlier_shipdrop_are_read_and_what_nobody_reads_goes(self, ledger):
        drop = begin(ledger, "d1", state=DropState.COMPLETED)
        notice = {"message": "m", "column": "", "count": 2, "example_row": None}
        sheet = {"name": "", "headers": ["Order ID"], "roles": {"order_id": 0}, "rows": 3}
        facts = {
            "behind": ["d0"],
            "kind": "csv",
            "sheets": [sheet],
            "notices": [{"code": "FILE_CHANGED", **notice}, {"code": "NO_LONGER_ONE", **notice}],
            "skipped": {"blank": 0, "header": 0, "footer": 1},
            "total": 3,
            "put_off": None,
            "aside": [[["North", 2], "", "", ""]],
        }
        with ledger._db.write() as connection:
            connection.execute(tables.drops.update().values(facts=facts))
        found = ledger.find("d1")
        assert found == drop.noting(
            sheets=(SheetFacts(name="", headers=("Order ID",), roles={"order_id": 0}, rows=3),),
            notices=(Notice(code=Code.FILE_CHANGED, message="m", count=2),),
            skipped=Skipped(footer=1),
            total=3,
            aside=(SetAside(("North", 2), "", "", ""),),
        )
        ledger.save(found)
        with ledger._db.read() as connection:
            stored = connection.execute(sa.select(tables.drops.c.facts)).scalar_one()
        assert stored.keys() == {"sheets", "notices", "skipped", "total", "aside"}
        assert ledger.find("d1") == found

    def test_a_request_survives_saving_until_the_drop_is_closed(self, ledger):
        drop = begin(ledger, "d1", state=DropState.OPEN)
        for what in ("retry", "cancel"):
            ledger.request("d1", what)
            ledger.save(drop)
            assert [d.request for d in ledger.requested()] == [what]
        ledger.request("d1", "")
        assert ledger.requested() == []
        ledger.request("d1", "cancel")
        ledger.save(replace(drop, state=DropState.CANCELLED))
        assert ledger.requested() == []

    def test_freezing_does_not_take_a_request_back(self, ledger):
        drop = begin(ledger, "d1")
        ledger.request("d1", "cancel")
        ledger.freeze(replace(drop, state=DropState.OPEN), frozen_plan(drop.seq, 3))
        assert [d.drop_id for d in ledger.requested()] == ["d1"]

    def test_unfinished_are_all_that_are_not_closed_oldest_first(self, ledger):
        for number, state in enumerate(DropState):
            begin(ledger, f"d{number}", state=state)
        assert [d.state for d in ledger.unfinished()] == [
            DropState.CLAIMING,
            DropState.CLAIMED,
            DropState.OPEN,
        ]
        assert ledger.counts() == dict.fromkeys(DropState, 1)

    def test_recent_are_the_newest(self, ledger):
        for number in range(4):
            begin(ledger, f"d{number}")
        assert [d.drop_id for d in ledger.recent(2)] == ["d3", "d2"]

    def test_same_bytes_is_the_first_earlier_drop(self, ledger):
        drops = [begin(ledger, f"d{n}", sha256=sha) for n, sha in enumerate("abbb")]
        assert [ledger.same_bytes(d.sha256, d.seq) for d in drops] == [None, None, "d1", "d1"]

    def test_a_forgotten_drop_leaves_no_trace_and_its_number_is_not_used_again(self, ledger):
        first = begin(ledger, "d1")
        ledger.forget(first)
        assert ledger.find("d1") is None
        assert begin(ledger, "d1").seq > first.seq


class TestFreezing:
    @pytest.mark.parametrize("rows", [0, 1, 19, 45, 1000])
    def test_chunks_come_back_and_the_drop_is_open(self, ledger, rows):
        drop = freeze(ledger, "d1", rows)
        assert ledger.chunks(drop.seq) == frozen_plan(drop.seq, rows).chunks()
        assert ledger.find("d1").state is DropState.OPEN
        assert ledger.verdicts(drop.seq) == []

    def test_a_drop_of_several_transactions_is_whole(self, ledger):
        drop = freeze(ledger, "d1", 60_000)
        orders = [f"o{n:07}" for n in (0, 49_999, 50_000, 59_999)]
        assert [s.order_id for s in asked(ledger, *orders)] == orders
        assert ledger.find("d1").facts == DropFacts()
        assert len(ledger.chunks(drop.seq)) == 3000

    def test_rows_without_a_chunk_are_known_to_trace_alone(self, ledger):
        drop = replace(begin(ledger, "d1"), state=DropState.OPEN)
        plan = frozen_plan(drop.seq, 2)
        index = plan.lines.schema.get_field_index("chunk")
        lines = plan.lines.set_column(index, "chunk", pa.array([None, 0], pa.int32()))
        ledger.freeze(drop, FrozenPlan(chunks=plan.chunks, lines=lines))
        assert [s.order_id for s in asked(ledger, "o0000000", "o0000001")] == ["o0000001"]
        (seen,) = ledger.overview.sightings("o0000000")
        assert (seen.chunk, seen.verdict, seen.receipts) == (None, None, ())


class TestStanding:
    def test_an_accepted_update_is_known_with_drop_and_time(self, ledger):
        drop = freeze(ledger, "d1", 2)
        ledger.exchange([done(chunk) for chunk in ledger.chunks(drop.seq)], [], at=AT)
        ledger.save(replace(drop, state=DropState.COMPLETED))
        assert asked(ledger, "o0000001", "other") == [
            OrderHistory(
                order_id="o0000001",
                status=DONE,
                drop_id="d1",
                open=False,
                outcome=Outcome.ACCEPTED,
                at=AT,
                seq=drop.seq,
            )
        ]

    def test_a_verdict_overrules_its_chunk_both_ways(self, ledger):
        drop = freeze(ledger, "d1", 40)
        first, second = ledger.chunks(drop.seq)
        results = [
            done(first, verdicts=(verdict(Outcome.FAILED),)),
            done(
                second,
                Outcome.FAILED,
                verdicts=(verdict(Outcome.ACCEPTED, chunk_no=1, pos=1, code=""),),
            ),
        ]
        ledger.exchange(results, [], at=AT)
        ledger.save(replace(drop, state=DropState.CANCELLED))
        orders = [f"o{n:07}" for n in (0, 1, 20, 21)]
        assert [s.order_id for s in asked(ledger, *orders)] == ["o0000000", "o0000021"]

    def test_what_an_open_drop_has_planned_is_known_and_open(self, ledger):
        freeze(ledger, "d1", 1)
        (found,) = asked(ledger, "o0000000")
        assert (found.open, found.outcome) == (True, None)

    def test_the_drop_that_asks_does_not_stand_in_its_own_way(self, ledger):
        drop = freeze(ledger, "d1", 1)
        assert ledger.order_histories(["o0000000"], except_seq=drop.seq) == []

    @pytest.mark.parametrize("state", [DropState.OPEN, DropState.COMPLETED, DropState.CANCELLED])
    def test_that_auto_dispatch_told_of_an_order_is_known_and_blocks_nobody(self, ledger, state):
        drop = replace(begin(ledger, "d1"), state=state)
        sent = frozen_plan(drop.seq, 3).lines
        lines = sent.set_column(5, "chunk", pa.nulls(3, pa.int32())).set_column(
            6, "pos", pa.array([DISPATCHED, 0, DISPATCHED], pa.int8())
        )
        ledger.freeze(drop, FrozenPlan(chunks=list, lines=lines))
        found = asked(ledger, "o0000000", "o0000001", "o0000002")
        assert [(s.order_id, s.dispatched, s.open, s.outcome) for s in found] == [
            ("o0000000", True, False, None),
            ("o0000002", True, False, None),
        ]

    def test_a_later_drop_that_was_planned_first_counts(self, ledger):
        early = begin(ledger, "d1", state=DropState.CLAIMED)
        late = freeze(ledger, "d2", 1)
        ledger.exchange([done(chunk) for chunk in ledger.chunks(late.seq)], [], at=AT)
        found = ledger.order_histories(["o0000000"], except_seq=early.seq)
        assert [s.drop_id for s in found] == ["d2"]

    def test_more_orders_than_one_statement_holds(self, ledger):
        freeze(ledger, "d1", 2500)
        orders = [f"o{n:07}" for n in range(2500)]
        assert [s.order_id for s in asked(ledger, *orders)] == orders


class TestSending:
    def test_marks_and_outcomes_are_one_commit(self, ledger):
        drop = freeze(ledger, "d1", 60)
        first, second, third = ledger.chunks(drop.seq)
        ledger.exchange([], [first, second], at=AT)
        assert [c.state for c in ledger.chunks(drop.seq)] == ["sending", "sending", "planned"]
        receipt = Receipt(chunk_no=0, at=AT, kind="put", http_status=200, note="ok")
        ledger.exchange([done(first, receipts=(receipt,))], [third], at=AT)
        chunks = ledger.chunks(drop.seq)
        assert [c.state for c in chunks] == ["done", "sending", "sending"]
        assert chunks[0] == done(first).chunk

    @given(
        batches=st.lists(
            st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 9)), st.integers(0, 2)),
            max_size=5,
        )
    )
    @examples(60)
    def test_many_outcomes_and_marks_at_once_are_those_of_one_at_a_time(self, batches):
        """Neighbours that end alike are written together: none more, none less."""
        ways = (
            lambda chunk: done(chunk),
            lambda chunk: done(chunk, Outcome.UNSENT),
            lambda chunk: ChunkResult(chunk=replace(chunk, attempts=2, message="later")),
        )
        with TemporaryDirectory() as folder:
            ledger = open_ledger("sqlite:///ledger.db", root=Path(folder))
            drops = [freeze(ledger, f"d{n}", 200) for n in range(2)]
            known = {(n, c.no): c for n, drop in enumerate(drops) for c in ledger.chunks(drop.seq)}
            assert len(known) == 20
            for batch in batches:
                ends = {key: ways[way](known[key]) for key, way in batch.items()}
                marks = [key for key in known if key not in ends and sum(key) % 3 == 0]
                ledger.exchange(list(ends.values()), [known[key] for key in marks], at=AT)
                known |= {key: end.chunk for key, end in ends.items()}
                for key in marks:
                    known[key] = replace(known[key], state=ChunkState.SENDING, sent_at=AT)
            for n, drop in enumerate(drops):
                assert ledger.chunks(drop.seq) == [known[n, no] for no in range(10)]
            ledger.close()

    def test_an_exchange_that_fails_changes_nothing(self, ledger):
        drop = freeze(ledger, "d1", 40)
        first, second = ledger.chunks(drop.seq)
        twice = (verdict(Outcome.FAILED), verdict(Outcome.FAILED))
        with pytest.raises(StorageError):
            ledger.exchange([done(first, verdicts=twice)], [second], at=AT)
        assert [c.state for c in ledger.chunks(drop.seq)] == ["planned", "planned"]
        assert ledger.verdicts(drop.seq) == []

    def test_verdicts_are_replaced_by_those_of_a_later_result(self, ledger):
        drop = freeze(ledger, "d1", 20)
        (chunk,) = ledger.chunks(drop.seq)
        ledger.exchange([done(chunk, verdicts=(verdict(Outcome.UNSENT),))], [], at=AT)
        ledger.exchange([done(chunk, verdicts=(verdict(Outcome.FAILED, pos=3),))], [], at=AT)
        assert ledger.verdicts(drop.seq) == [verdict(Outcome.FAILED, pos=3)]
        ledger.exchange([done(chunk, replaces=True)], [], at=AT)
        assert ledger.verdicts(drop.seq) == []

    def test_a_result_that_never_left_keeps_what_was_known(self, ledger):
        drop = freeze(ledger, "d1", 20)
        (chunk,) = ledger.chunks(drop.seq)
        known = verdict(Outcome.ACCEPTED, code="")
        ledger.exchange([done(chunk, Outcome.UNSENT, verdicts=(known,))], [], at=AT)
        untouched = replace(chunk, attempts=3, outcome=Outcome.UNSENT)
        ledger.exchange([ChunkResult(chunk=untouched)], [], at=AT)
        assert ledger.verdicts(drop.seq) == [known]

    def test_reopening_makes_the_unknown_doubtful(self, ledger):
        drop = freeze(ledger, "d1", 60)
        first, second, third = ledger.chunks(drop.seq)
        results = [
            done(first),
            done(second, Outcome.UNKNOWN),
            done(third, verdicts=(verdict(Outcome.UNKNOWN, chunk_no=2),)),
        ]
        ledger.exchange(results, [], at=AT)
        assert ledger.reopen(drop.seq) == 2
        assert [c.state for c in ledger.chunks(drop.seq)] == ["done", "sending", "sending"]


class TestEnds:
    def test_tell_of_each_drop_what_its_chunks_say(self, ledger):
        drops = [freeze(ledger, f"d{rows}", rows) for rows in (60, 1)]
        first, second, third = ledger.chunks(drops[0].seq)
        failed = done(second, Outcome.FAILED)
        failed = replace(failed, chunk=replace(failed.chunk, attempts=4, code="X", message="no"))
        ledger.exchange([done(first), failed], [third], at=AT)
        seqs = [drop.seq for drop in drops]
        found = ledger.ends_of([*seqs, 1 << 20])
        assert list(found) == [*seqs, 1 << 20]
        ends = found[seqs[0]]
        assert ends.no.tolist() == [0, 1, 2]
        assert ends.sending.tolist() == [False, False, True]
        accepted, refused = list(Outcome).index(Outcome.ACCEPTED), list(Outcome).index("failed")
        assert ends.outcome.tolist() == [accepted, refused, -1]
        assert ends.http_status.tolist() == [200, 200, -1]
        assert ends.attempts.tolist() == [1, 4, 0]
        assert ends.sent_at.to_pylist() == [AT, AT, AT]
        assert [ends.said[each] for each in ends.remark] == [("", ""), ("X", "no"), ("", "")]
        assert (found[seqs[1]].no.tolist(), len(found[1 << 20].no)) == ([0], 0)

    def test_are_whole_where_they_are_read_in_parts(self, ledger):
        drops = [freeze(ledger, f"d{n}", count, size=1) for n, count in enumerate((7000, 4000))]
        for drop, count in zip(drops, (7000, 4000), strict=True):
            ends = ledger.ends_of([each.seq for each in drops])[drop.seq]
            assert ends.no.tolist() == list(range(count))


class TestTrace:
    def test_tells_of_every_row_with_its_chunk_verdict_and_calls(self, ledger):
        early = freeze(ledger, "d1", 2)
        late = freeze(ledger, "d2", 2, status=Milestone.RETURN_BAG_IN_TRANSIT)
        (chunk,) = ledger.chunks(early.seq)
        refused = verdict(Outcome.FAILED)
        receipts = tuple(
            Receipt(chunk_no=0, at=AT, kind="put", http_status=status, note=f"{status}")
            for status in (500, 200)
        )
        ledger.exchange([done(chunk, verdicts=(refused,), receipts=receipts)], [], at=AT)
        first, second = ledger.overview.sightings("o0000001")
        assert (first.drop.drop_id, second.drop.drop_id) == ("d1", "d2")
        assert (first.row, first.status, first.pos) == (3, DONE, 1)
        assert first.chunk == done(chunk).chunk
        assert first.verdict == refused
        assert first.receipts == receipts
        assert (second.verdict, second.receipts) == (None, ())
        assert second.chunk == ledger.chunks(late.seq)[0]
        assert ledger.overview.sightings("nobody") == []

    def test_another_row_of_the_chunk_has_no_verdict(self, ledger):
        drop = freeze(ledger, "d1", 2)
        (chunk,) = ledger.chunks(drop.seq)
        ledger.exchange([done(chunk, verdicts=(verdict(Outcome.FAILED),))], [], at=AT)
        assert ledger.overview.sightings("o0000000")[0].verdict is None


def test_files_are_numbered_in_the_order_in_which_they_are_claimed_together(ledger):
    arrivals = [
        Drop(
            seq=0,
            state=DropState.CLAIMING,
            drop_id=f"d{9 - number}",
            folder="",
            source_file="a.csv",
            received_at=NOW,
        )
        for number in range(5)
    ]
    drops = ledger.begin_all(arrivals)
    assert [drop.drop_id for drop in drops] == ["d9", "d8", "d7", "d6", "d5"]
    assert [drop.seq for drop in drops] == sorted(drop.seq for drop in drops)
    assert ledger.unfinished() == drops


def test_plans_frozen_together_are_each_as_if_it_were_alone(ledger):
    drops = [replace(begin(ledger, f"d{number}"), state=DropState.OPEN) for number in (1, 2, 3)]
    rows = (45, 1, 3)
    ledger.freeze_all(
        [
            (drop, frozen_plan(drop.seq, count, prefix=drop.drop_id))
            for drop, count in zip(drops, rows, strict=True)
        ]
    )
    seqs = [drop.seq for drop in drops]
    chunks = {seq: ledger.chunks(seq) for seq in seqs}
    assert [len(chunks[seq]) for seq in seqs] == [3, 1, 1]
    assert [drop.state for drop in ledger.unfinished()] == [DropState.OPEN] * 3
    first = chunks[seqs[0]][0]
    of_it = [verdict(Outcome.FAILED, pos=3), verdict(Outcome.UNKNOWN, pos=5)]
    ledger.exchange([done(first, verdicts=tuple(of_it))], [], at=AT)
    assert ledger.verdicts_of(seqs) == {seqs[0]: of_it, seqs[1]: [], seqs[2]: []}


def test_rows_that_went_back_are_found_by_their_awb(ledger):
    said = (Said.ON_ITS_WAY_BACK, Said.ENDED, Said.ENDED, Said.ON_ITS_WAY)
    status = (0, Milestone.RTO_BAG_DELIVERED, DONE, 0)
    for drop_id in ("d1", "d2"):
        drop = replace(begin(ledger, drop_id), state=DropState.OPEN, courier=f"of {drop_id}")
        plan = frozen_plan(drop.seq, 4)
        columns = {"status": status, "said": said, "awb": [f"a{n}" for n in range(4)]}
        lines = plan.lines
        for name, values in columns.items():
            at = lines.column_names.index(name)
            lines = lines.set_column(at, name, pa.array(values, lines.column(name).type))
        ledger.freeze(drop, FrozenPlan(chunks=plan.chunks, lines=lines))
    awbs, first = [f"a{n}" for n in range(9)], ledger.find("d1")
    found = ledger.went_back(awbs, except_seqs=[first.seq], since=NOW)
    assert [(each.order_id, each.awb, each.courier) for each in found] == [
        ("o0000000", "a0", "of d2"),
        ("o0000001", "a1", "of d2"),
    ]
    assert ledger.went_back(awbs, except_seqs=[], since=NOW + timedelta(seconds=1)) == []


def test_what_is_known_of_the_orders_of_several_drops_is_told_for_each(ledger):
    before = freeze(ledger, "before", 30)
    ledger.exchange([done(chunk) for chunk in ledger.chunks(before.seq)], [], at=AT)
    ledger.save(replace(before, state=DropState.COMPLETED, finished_at=NOW))
    begun = [begin(ledger, f"d{number}") for number in (1, 2, 3)]
    orders = {
        begun[0].seq: ["o0000001", "o0000002"],
        begun[1].seq: ["never seen"],
        begun[2].seq: ["o0000029"],
    }
    told = ledger.order_histories_of(orders)
    assert {seq: [each.order_id for each in found] for seq, found in told.items()} == {
        begun[0].seq: ["o0000001", "o0000002"],
        begun[1].seq: [],
        begun[2].seq: ["o0000029"],
    }
    for seq, some in orders.items():
        assert list(told[seq]) == ledger.order_histories(some, except_seq=seq)


def test_drops_saved_together_keep_what_was_asked_of_each(ledger):
    drops = [begin(ledger, f"d{number}") for number in range(4)]
    ledger.save(replace(drops[2], state=DropState.CANCELLED, finished_at=NOW))
    for drop in drops:
        ledger.request(drop.drop_id, "retry")
    ended = {1: DropState.COMPLETED, 2: DropState.CANCELLED, 3: DropState.REFUSED}
    ledger.save_all(
        [
            replace(drop, state=ended.get(at, DropState.OPEN), courier=f"c{at}")
            for at, drop in enumerate(drops)
        ]
    )
    found = [ledger.find(drop.drop_id) for drop in drops]
    assert [(drop.courier, drop.request) for drop in found if drop] == [
        ("c0", "retry"),  # still open
        ("c1", ""),  # closed just now: nothing is left to be asked
        ("c2", "retry"),  # it was closed before
        ("c3", ""),
    ]


def test_the_first_drop_with_the_same_bytes_is_found_for_many_at_once(ledger):
    for number, sha256 in enumerate(("aa", "bb", "aa", "aa")):
        begin(ledger, f"d{number}", sha256=sha256)
    first = ledger.first_with_bytes(["aa", "bb", "cc"])
    assert {sha256: drop_id for sha256, (_, drop_id) in first.items()} == {"aa": "d0", "bb": "d1"}
    assert ledger.first_with_bytes([]) == {}


def test_corrections_are_added_to_each_other_and_leave_a_retry_alone(ledger):
    rows = {"rejected": 3, "failed": 1}
    parent = begin(
        ledger, "d1", state=DropState.COMPLETED, facts=DropFacts(summary={"rows": rows}, total=9)
    )
    first = ledger.change_facts(parent.seq, partial(with_fixed, rows={4, 2}))
    assert first.facts.fixed_rows == (2, 4)
    ledger.request("d1", "retry")
    # The second child had read its parent before the first one was noted.
    second = ledger.change_facts(parent.seq, partial(with_fixed, rows={7}))
    assert second.facts.fixed_rows == (2, 4, 7)
    assert second.facts.summary["corrections"] == {"rows": 4, "fixed": 3}
    assert ledger.find("d1") == second
    assert second.request == "retry"
    ledger.save(replace(second, state=DropState.OPEN))
    assert ledger.change_facts(parent.seq, partial(with_fixed, rows={8})) is None
    assert ledger.find("d1").state is DropState.OPEN


def put_back(ledger: SqlLedger, drop: Drop) -> None:
    """Note that a drop's file lies in the inbox again."""
    after = ledger.overview.last_number()
    again = InboxAgain(at=AT, who="Asha", folder="x", name="a.csv", after=after)
    ledger.change_facts(drop.seq, lambda facts: replace(facts, again=again))


def test_a_drop_that_was_read_again_is_known_by_what_it_became(ledger):
    refused = {"state": DropState.REFUSED, "sha256": "aa", "finished_at": NOW}
    old, other = begin(ledger, "d1", **refused), begin(ledger, "d2", **refused)
    put_back(ledger, old)

    def told(drop: Drop) -> tuple[str, str | None]:
        (line,) = ledger.overview.lines([drop.drop_id])
        return line.again_name, line.again_as

    assert told(old) == ("a.csv", None)
    # Only the newest of several refused files with equal bytes needs somebody.
    assert [line.drop_id for line in ledger.overview.search(Search(to_do=True))] == ["d2"]
    begin(ledger, "another", sha256="aa", state=DropState.CLAIMED)
    begin(ledger, "later", sha256="aa", state=DropState.CLAIMED)
    assert told(old) == ("a.csv", "another")
    assert told(other) == ("", None)
    assert ledger.overview.search(Search(to_do=True)) == []
    assert list(ledger.overview.read_again_from("aa", other.seq + 1)) == ["d1"]
    assert list(ledger.overview.read_again_from("aa", other.seq + 2)) == []


def test_a_file_that_is_being_claimed_is_known_by_its_name(ledger):
    old = begin(ledger, "d1", state=DropState.REFUSED, sha256="aa", finished_at=NOW)
    put_back(ledger, old)
    begin(ledger, "d2")
    assert ledger.overview.lines(["d1"])[0].again_as == "d2"
