"""The middle of the path on a real file, spool and ledger: planned, frozen, and planned again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace
from xlsxwriter import Workbook

from pipeline.core.chunks import ChunkBody, ChunkResult, ChunkState, Verdict
from pipeline.core.errors import DropRefused
from pipeline.core.model import Drop, DropState, Limits, ReadingSettings, Source
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.freeze import (
    Planned,
    facts_of,
    freezing_bodies,
    guard,
    make_plan,
)
from pipeline.planning.order_history_rules import blocking
from pipeline.planning.order_index import frozen
from pipeline.planning.plan import sendable_orders
from pipeline.planning.plan_input import Prepared, load
from pipeline.reading.read_file import prepare
from pipeline.reporting.row_outcomes import unsent
from pipeline.reporting.rows import Report
from pipeline.reporting.write import summary_of
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.spool import Spool
from schemas.profile import builtin_profiles
from schemas.vocabulary import Milestone, Outcome
from tests.fakes.ledger_plans import begun
from tests.fakes.outcomes import outcomes_of
from tests.fakes.policies import plan_rules

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PICKED, DONE = Milestone.BAG_PICKED, Milestone.DELIVERY_DONE


class _NoFamily:
    def courier(self, drop_id):
        return None

    def rejected_ids(self, drop_id):
        return {}

    def rejected(self, drop_id):
        return {}


class Bench:
    """A root with a ledger: files are planned on it one after the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger: SqlLedger = open_ledger("sqlite:///ledger.db", root=root)
        self.spool = Spool(root)

    def read(self, name: str, *lines: str) -> tuple[Drop, Prepared]:
        path = self.root / f"{name}.csv"
        path.write_text("Order ID,Status,Status Date\n" + "".join(f"{line}\n" for line in lines))
        drop = begun(self.ledger, drop_id=name, folder="", source_file=path.name, received_at=NOW)
        self.spool = Spool(self.root / "drops" / name)
        return drop, self.prepare(path)

    def prepare(self, path: Path) -> Prepared:
        profiles = builtin_profiles()
        reading = ReadingSettings(
            profiles=profiles, default="generic", limits=Limits(), timezone="Asia/Kolkata"
        )
        source = Source(path=path, name=path.name, named=None, now=NOW)
        facts = prepare(source, reading, self.spool, _NoFamily())
        return load(
            facts,
            self.spool,
            profiles,
            self.ledger.overview.states,
            lambda _drop: {},
            source_file=path.name,
        )

    def order_histories(self, drop: Drop, prepared: Prepared) -> list[OrderHistory]:
        orders = sendable_orders(prepared.keys).to_pylist()
        return self.ledger.order_histories(orders, except_seq=drop.seq)

    def freeze(self, name: str, *lines: str, **rules: object) -> tuple[Drop, Planned]:
        drop, prepared = self.read(name, *lines)
        histories = self.order_histories(drop, prepared)
        first = blocking(histories, drop.seq)
        planned = make_plan(prepared, histories, plan_rules(**rules), blocking=first)
        drop = replace(drop, state=DropState.OPEN, facts=facts_of(prepared, planned))
        with freezing_bodies(planned, prepared, self.spool, drop_seq=drop.seq) as chunks:
            self.ledger.freeze(drop, frozen(prepared, planned, chunks))
        return drop, planned

    def bodies(self, drop: Drop) -> list[list[tuple[str, str]]]:
        with self.spool.body_reader() as body:
            return [
                [
                    (item["orderId"], item["orderStatus"])
                    for item in orjson.loads(body(chunk.offset, chunk.length))
                ]
                for chunk in self.ledger.chunks(drop.seq)
            ]

    def accept(self, drop: Drop, *but: int) -> None:
        """All chunks but these went through; the drop is over."""
        for chunk in self.ledger.chunks(drop.seq):
            outcome = Outcome.FAILED if chunk.no in but else Outcome.ACCEPTED
            ended = replace(chunk, state=ChunkState.DONE, outcome=outcome, attempts=1)
            self.ledger.exchange([ChunkResult(chunk=ended)], [], at="")
        self.ledger.save(replace(drop, state=DropState.COMPLETED))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


def test_bodies_hold_what_the_chunks_say(bench):
    rows = [f"A{n},Delivered," for n in range(25)] + [f"A{n},Picked Up," for n in range(3)]
    drop, _ = bench.freeze("d1", *rows)
    assert bench.bodies(drop) == [
        [(f"A{n}", "delivery_done") for n in range(3, 23)],
        [("A23", "delivery_done"), ("A24", "delivery_done")]
        + [(f"A{n}", "bag_picked") for n in range(3)],
        [(f"A{n}", "delivery_done") for n in range(3)],
    ]
    chunks = bench.ledger.chunks(drop.seq)
    assert [(chunk.wave, chunk.size) for chunk in chunks] == [(0, 20), (0, 5), (1, 3)]
    with bench.spool.body_reader() as body:
        parcel = ChunkBody(body(chunks[1].offset, chunks[1].length), chunks[1].size)
    assert parcel.head(2) == ("A0", PICKED)


def test_a_workbook_of_more_sheets_than_a_byte_counts(bench):
    path = bench.root / "many.xlsx"
    with Workbook(str(path)) as book:
        for number in range(140):
            sheet = book.add_worksheet(f"S{number}")
            sheet.write_row(0, 0, ["Order ID", "Status"])
            sheet.write_row(1, 0, [f"A{number}", "Delivered"])
    drop = begun(bench.ledger, drop_id="d1", folder="", source_file=path.name, received_at=NOW)
    prepared = bench.prepare(path)
    planned = make_plan(prepared, [], plan_rules())
    drop = replace(drop, state=DropState.OPEN, facts=facts_of(prepared, planned))
    with freezing_bodies(planned, prepared, bench.spool, drop_seq=drop.seq) as chunks:
        bench.ledger.freeze(drop, frozen(prepared, planned, chunks))
    (last,) = bench.ledger.overview.sightings("A139")
    assert last.sheet == 139
    outcomes = outcomes_of(planned.table, chunks(), [], waiting=unsent())
    report = Report(drop=drop, outcomes=outcomes, spool=bench.spool)
    warnings = {each["code"]: each for each in summary_of(report, {})["warnings"]}
    assert (warnings["NOT_SENT"]["count"], warnings["NOT_SENT"]["example_row"]) == (140, 2)


def test_a_remark_of_delivery_names_its_first_row_by_its_record_number(bench):
    drop, planned = bench.freeze("d1", *(f"A{n},Delivered," for n in range(45)))
    chunks = [
        replace(c, state=ChunkState.DONE, outcome=Outcome.ACCEPTED)
        for c in bench.ledger.chunks(drop.seq)
    ]
    verdicts = [
        Verdict(chunk_no=no, pos=pos, outcome=Outcome.FAILED, code="API_REFUSED", message=words)
        for no, pos, words in [(2, 1, "third"), (1, 7, "first"), (1, 9, "second")]
    ]
    outcomes = outcomes_of(planned.table, chunks, verdicts, waiting=unsent())
    report = Report(drop=drop, outcomes=outcomes, spool=bench.spool)
    errors = {each["code"]: each for each in summary_of(report, {})["errors"]}
    refused = errors["API_REFUSED"]
    assert (refused["message"], refused["count"], refused["example_row"]) == ("first", 3, 29)


def test_every_row_that_names_an_order_is_found_by_it(bench):
    bench.freeze("d1", "A1,Delivered,", "A1,Delivered,", "A2,In Transit,", "A3,Nonsense,")
    assert [(s.row, s.chunk is not None) for s in bench.ledger.overview.sightings("A1")] == [
        (2, True),
        (3, False),
    ]
    for order in ("A2", "A3"):
        (seen,) = bench.ledger.overview.sightings(order)
        assert seen.chunk is None


def test_the_same_file_again_sends_nothing(bench):
    drop, _ = bench.freeze("d1", "A1,Delivered,", "A2,Picked Up,")
    bench.accept(drop)
    again, planned = bench.freeze("d2", "A1,Delivered,", "A2,Picked Up,")
    assert bench.ledger.chunks(again.seq) == []
    assert planned.table.column("codes").to_pylist() == ["ALREADY_ACCEPTED:status"] * 2
    assert [(n.code, n.count) for n in planned.notices] == [("ALREADY_ACCEPTED", 2)]


def test_rows_that_share_an_order_with_an_open_drop_wait_in_chunks_of_their_own(bench):
    bench.freeze("d1", "A1,Picked Up,")
    drop, planned = bench.freeze("d2", "A1,Delivered,", "A2,Delivered,", "A1,Picked Up,")
    assert planned.plan.waits_for == drop.waits_for == ("d1",)
    chunks = bench.ledger.chunks(drop.seq)
    assert [(chunk.state, chunk.wave) for chunk in chunks] == [
        (ChunkState.PLANNED, 0),
        (ChunkState.WAITING, 2),
        (ChunkState.WAITING, 3),
    ]
    assert [orders for ((orders, _),) in bench.bodies(drop)] == ["A2", "A1", "A1"]
    assert "d1" in chunks[1].message
    free, planned = bench.freeze("d3", "A3,Delivered,")
    assert planned.plan.waits_for == free.waits_for == ()


def test_what_an_open_drop_has_settled_keeps_nobody_waiting(bench):
    first, _ = bench.freeze("d1", "A1,Picked Up,", "A2,Picked Up,", chunk_size=1)
    done, _ = bench.ledger.chunks(first.seq)
    accepted = replace(done, state=ChunkState.DONE, outcome=Outcome.ACCEPTED)
    bench.ledger.exchange([ChunkResult(chunk=accepted)], [], at="now")
    drop, planned = bench.freeze("d2", "A1,Delivered,", "A2,Delivered,")
    assert bench.bodies(drop) == [[("A1", "delivery_done")], [("A2", "delivery_done")]]
    assert (planned.plan.blocked_chunks, planned.plan.waits_for) == (1, ("d1",))


class TestAddedPickup:
    def test_is_an_update_of_its_own_without_remarks(self, bench):
        drop, planned = bench.freeze(
            "d1", "A1,Delivered,2026-11-19 10:00", fill_missing_pickup=True
        )
        assert bench.bodies(drop) == [[("A1", "bag_picked")], [("A1", "delivery_done")]]
        assert planned.table.column("chunk").to_pylist() == [1]

    def test_that_got_through_is_known_to_the_next_drop(self, bench):
        drop, _ = bench.freeze("d1", "A1,Delivered,", fill_missing_pickup=True)
        bench.accept(drop, 1)  # the delivery itself failed
        again, _ = bench.freeze("d2", "A1,Delivered,", fill_missing_pickup=True)
        assert bench.bodies(again) == [[("A1", "delivery_done")]]
        first, added, *_ = bench.ledger.overview.sightings("A1")
        assert (first.status, added.status, added.row) == (DONE, PICKED, 2)


def test_too_many_bad_rows_refuse_the_file_conflicts_counted(bench):
    rows = [f"A{n},{status}," for n in range(8) for status in ("Delivered", "RTO Delivered")]
    _, prepared = bench.read("d1", *rows, *[f"B{n},Delivered," for n in range(6)])
    planned = make_plan(prepared, [], plan_rules())
    assert planned.rejected == 16
    with pytest.raises(DropRefused, match="16"):
        guard(prepared, planned, plan_rules())
    guard(prepared, planned, plan_rules(max_reject_ratio=0.9))


def test_a_file_of_only_a_header_has_an_empty_plan(bench):
    drop, planned = bench.freeze("d1")
    assert planned.table.num_rows == 0
    assert bench.bodies(drop) == []
    assert bench.ledger.find("d1").facts.total == 0
