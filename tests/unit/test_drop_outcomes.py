"""Each row's one outcome, from what was planned and what the chunks came to."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.chunks import Chunk, ChunkState, Verdict
from pipeline.core.model import Disposition
from pipeline.core.row_columns import PLANNED, PREPARED
from pipeline.delivery.chunk_rows import untouched
from pipeline.reporting.row_outcomes import (
    OUTCOMES,
    DropOutcomes,
    Remark,
    result_block,
    unsent,
)
from schemas.codes import Code
from schemas.vocabulary import Outcome
from tests.fakes.outcomes import outcomes_of

SEND, SHARED = Disposition.SEND, Disposition.SHARED
WAITING = unsent("The API is down.")
CANCELLED = Remark(code=str(Code.CANCELLED), message="Cancelled.")


def planned(*rows: tuple[Disposition, int, int, int, str]) -> pa.Table:
    """(disposition, leader, chunk, pos, code) per row."""
    columns = zip(*rows, strict=True) if rows else [[]] * 5
    disposition, leader, chunk, pos, codes = map(list, columns)
    said = [f"Said {code}." if code else "" for code in codes]
    return pa.table([disposition, leader, chunk, pos, codes, said], schema=PLANNED)


def chunk(no: int, outcome: Outcome | None, *, attempts: int = 1, **more: object) -> Chunk:
    base = {
        "drop_seq": 1,
        "no": no,
        "wave": 0,
        "offset": 0,
        "length": 9,
        "size": 20,
        "state": ChunkState.DONE,
        "outcome": outcome,
        "attempts": attempts,
        "sent_at": "2026-11-20T10:00:00.000Z",
    }
    return Chunk(**(base | more))


def ends(outcomes: DropOutcomes) -> list[Outcome]:
    return [OUTCOMES[number] for number in outcomes.outcome]


def block(rows: int, *, message: str = "") -> pa.RecordBatch:
    columns = {
        "row": np.arange(2, rows + 2, dtype=np.int32),
        "order_id": [f"o{n}" for n in range(rows)],
        "awb": [""] * rows,
        "source_status": ["Delivered"] * rows,
        "status": pa.array([2] * rows, pa.int8()),
        "event_ms": pa.nulls(rows, pa.int64()),
        "disposition": pa.array([0] * rows, pa.int8()),
        "footer": [False] * rows,
        "auto": [False] * rows,
        "said": pa.array([0] * rows, pa.int8()),
        "around": [""] * rows,
        "codes": ["ID_SUSPECT:order_id" if message else ""] * rows,
        "message": [message] * rows,
        "item": ["{}"] * rows,
        "c0": [f"o{n}" for n in range(rows)],
        "extra": pa.array([["x"], *[None] * (rows - 1)], pa.list_(pa.string())),
    }
    schema = pa.schema(
        [*PREPARED, pa.field("c0", pa.string()), pa.field("extra", columns["extra"].type)]
    )
    return pa.RecordBatch.from_pydict(columns, schema=schema)


class TestSharedRows:
    ROWS = ((SEND, -1, 0, 0, ""), (SHARED, 0, -1, 0, "REPEATED_IN_FILE"))

    def test_are_duplicates_where_the_sent_one_was_accepted(self):
        outcomes = outcomes_of(
            planned(*self.ROWS), [chunk(0, Outcome.ACCEPTED)], [], waiting=WAITING
        )
        assert ends(outcomes) == [Outcome.ACCEPTED, Outcome.DUPLICATE]
        assert outcomes.call.tolist() == [0, -1]

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNSENT])
    def test_else_they_share_its_outcome_and_what_is_said(self, outcome):
        words = chunk(0, outcome, code="API_REFUSED", message="no", http_status=422)
        outcomes = outcomes_of(planned(*self.ROWS), [words], [], waiting=WAITING)
        assert ends(outcomes) == [outcome, outcome]
        assert outcomes.remarks[1] == Remark(code="API_REFUSED", message="no")
        lines = result_block(block(2), 0, outcomes, sheet="", headers=("id",)).table
        assert lines.column("http_status").to_pylist() == [422, 422]
        assert lines.column("codes").to_pylist() == ["API_REFUSED", "REPEATED_IN_FILE;API_REFUSED"]


class TestVerdicts:
    def test_overrule_their_chunk_for_one_row(self):
        rows = [(SEND, -1, 0, pos, "") for pos in range(3)]
        verdict = Verdict(
            chunk_no=0,
            pos=1,
            outcome=Outcome.FAILED,
            code="API_REFUSED",
            message="no",
            http_status=200,
        )
        accepted = chunk(0, Outcome.ACCEPTED, http_status=202)
        outcomes = outcomes_of(planned(*rows), [accepted], [verdict], waiting=WAITING)
        assert ends(outcomes) == [Outcome.ACCEPTED, Outcome.FAILED, Outcome.ACCEPTED]
        assert dict(outcomes.remarks) == {1: Remark(code="API_REFUSED", message="no")}
        lines = result_block(block(3), 0, outcomes, sheet="", headers=("id",)).table
        assert lines.column("http_status").to_pylist() == [202, 200, 202]

    def test_an_accepted_one_silences_what_the_chunk_says(self):
        rows = [(SEND, -1, 0, pos, "") for pos in range(2)]
        verdict = Verdict(chunk_no=0, pos=0, outcome=Outcome.ACCEPTED, code="", message="")
        lost = chunk(0, Outcome.UNKNOWN, code="ANSWER_LOST", message="lost")
        outcomes = outcomes_of(planned(*rows), [lost], [verdict], waiting=WAITING)
        assert ends(outcomes) == [Outcome.ACCEPTED, Outcome.UNKNOWN]
        assert list(outcomes.remarks) == [1]

    def test_on_a_pickup_that_we_added_is_about_no_row(self):
        verdict = Verdict(chunk_no=0, pos=0, outcome=Outcome.FAILED, code="X", message="x")
        chunks = [chunk(0, Outcome.ACCEPTED), chunk(1, Outcome.ACCEPTED, wave=1)]
        outcomes = outcomes_of(planned((SEND, -1, 1, 0, "")), chunks, [verdict], waiting=WAITING)
        assert ends(outcomes) == [Outcome.ACCEPTED]


class TestWaiting:
    def test_a_chunk_that_has_not_left_is_unsent_and_says_why(self):
        outcomes = outcomes_of(
            planned((SEND, -1, 0, 0, "")),
            [chunk(0, None, attempts=0, state=ChunkState.PLANNED)],
            [],
            waiting=WAITING,
        )
        assert ends(outcomes) == [Outcome.UNSENT]
        lines = result_block(block(1), 0, outcomes, sheet="", headers=("id",)).table
        (line,) = lines.to_pylist()
        assert line["message"] == "Not sent yet. The API is down."
        assert (line["chunk"], line["attempts"], line["sent_at"]) == (0, 0, "")

    def test_a_cancelled_drop_does_not_say_that_it_waits(self):
        waits = chunk(0, Outcome.UNSENT, code="NOT_SENT", message="Not sent yet.")
        lost = chunk(1, Outcome.UNKNOWN, code="ANSWER_LOST", message="Lost.")
        held = Verdict(
            chunk_no=2, pos=0, outcome=Outcome.UNSENT, code="EARLIER_OPEN", message="Waits."
        )
        outcomes = outcomes_of(
            planned(*[(SEND, -1, no, 0, "") for no in range(3)]),
            [waits, lost, chunk(2, Outcome.ACCEPTED)],
            [held],
            waiting=CANCELLED,
        )
        assert [outcomes.remarks[row].code for row in range(3)] == [
            "CANCELLED",
            "ANSWER_LOST",
            "CANCELLED",
        ]

    @pytest.mark.parametrize(
        ("state", "waiting", "outcome", "words"),
        [
            (ChunkState.SENDING, WAITING, Outcome.UNSENT, "It is asked about"),
            (ChunkState.SENDING, CANCELLED, Outcome.UNKNOWN, "Look the order up"),
            (ChunkState.DONE, WAITING, Outcome.UNKNOWN, "Unclear."),
        ],
    )
    def test_an_unclear_answer_is_told_as_unsent_while_it_is_asked_about(
        self, state, waiting, outcome, words
    ):
        unclear = Verdict(
            chunk_no=0, pos=0, outcome=Outcome.UNKNOWN, code="ANSWER_UNCLEAR", message="Unclear."
        )
        lost = chunk(1, Outcome.UNKNOWN, state=state, code="ANSWER_LOST", message="Lost.")
        outcomes = outcomes_of(
            planned((SEND, -1, 0, 0, ""), (SEND, -1, 1, 0, "")),
            [chunk(0, Outcome.UNKNOWN, state=state), lost],
            [unclear],
            waiting=waiting,
        )
        assert ends(outcomes) == [outcome, Outcome.UNKNOWN]
        assert outcomes.remarks[0].code == "ANSWER_UNCLEAR"
        assert words in outcomes.remarks[0].message

    def test_a_plan_that_is_not_frozen_has_outcomes_too(self):
        rows = [(SEND, -1, 0, 0, ""), (SHARED, 0, -1, 0, ""), (Disposition.IGNORED, -1, -1, 0, "")]
        outcomes = outcomes_of(
            planned(*rows), [], [], waiting=Remark(code="", message="Would be sent.")
        )
        assert ends(outcomes) == [Outcome.UNSENT, Outcome.UNSENT, Outcome.IGNORED]
        lines = result_block(block(3), 0, outcomes, sheet="", headers=("id",)).table
        assert lines.column("chunk").to_pylist() == [None, None, None]
        assert lines.column("message").to_pylist() == ["Would be sent.", "Would be sent.", ""]

    @pytest.mark.parametrize("waiting", [WAITING, Remark(code="CANCELLED", message="Cancelled.")])
    def test_a_chunk_in_doubt_that_never_left_again_is_not_said_to_wait(self, waiting):
        marked = chunk(0, None, attempts=0, state=ChunkState.SENDING)
        kept = untouched(marked, [], "Stopping.").chunk
        outcomes = outcomes_of(planned((SEND, -1, 0, 0, "")), [kept], [], waiting=waiting)
        assert ends(outcomes) == [Outcome.UNKNOWN]
        assert outcomes.remarks[0].code == "ANSWER_LOST"


class TestRemarksByCode:
    def test_are_counted_with_the_first_row_of_each_code(self):
        rows = [(SEND, -1, no // 2, no % 2, "") for no in range(8)]
        chunks = [
            chunk(0, Outcome.ACCEPTED),
            chunk(1, Outcome.FAILED, code="API_REFUSED", message="one"),
            chunk(2, Outcome.UNKNOWN, code="ANSWER_LOST", message="lost"),
            chunk(3, Outcome.FAILED, code="API_REFUSED", message="two"),
        ]
        verdicts = [
            Verdict(chunk_no=3, pos=1, outcome=Outcome.FAILED, code="API_REFUSED", message="three"),
            Verdict(chunk_no=0, pos=1, outcome=Outcome.ACCEPTED, code="RESENT", message="again"),
        ]
        outcomes = outcomes_of(planned(*rows), chunks, verdicts, waiting=WAITING)
        assert sorted(outcomes.remarks.by_code()) == [
            ("ANSWER_LOST", 2, 4),
            ("API_REFUSED", 4, 2),
            ("RESENT", 1, 1),
        ]

    def test_what_has_no_code_is_not_counted(self):
        rows = [(SEND, -1, 0, pos, "") for pos in range(2)]
        waiting = Remark(code="", message="Would be sent.")
        assert outcomes_of(planned(*rows), [], [], waiting=waiting).remarks.by_code() == []
        accepted = outcomes_of(planned(*rows), [chunk(0, Outcome.ACCEPTED)], [], waiting=WAITING)
        assert accepted.remarks.by_code() == []


class TestResultLines:
    def test_what_validation_planning_and_delivery_say_stands_in_that_order(self):
        failed = chunk(0, Outcome.FAILED, code="API_REFUSED", message="Refused.")
        outcomes = outcomes_of(
            planned((SEND, -1, 0, 0, "TIME_ORDER:event_time")), [failed], [], waiting=WAITING
        )
        lines = result_block(
            block(1, message="Suspect."), 0, outcomes, sheet="", headers=("id",)
        ).table
        (line,) = lines.to_pylist()
        assert line["codes"] == "ID_SUSPECT:order_id;TIME_ORDER:event_time;API_REFUSED"
        assert line["message"] == "Suspect. Said TIME_ORDER:event_time. Refused."

    def test_a_row_with_nothing_to_say_keeps_its_line_among_others(self):
        # Joining columns of text once lost the rows in which everything was empty.
        rows = [(SEND, -1, no, 0, "TIME_ORDER" if no == 2 else "") for no in range(4)]
        chunks = [
            chunk(no, Outcome.ACCEPTED if no != 1 else Outcome.FAILED, code="X", message="x")
            for no in range(4)
        ]
        outcomes = outcomes_of(planned(*rows), chunks, [], waiting=WAITING)
        lines = result_block(block(4), 0, outcomes, sheet="", headers=("id",)).table
        assert lines.column("codes").to_pylist() == ["", "X", "TIME_ORDER", ""]

    def test_footers_have_no_line(self):
        rows = [(SEND, -1, 0, 0, ""), (Disposition.SKIPPED, -1, -1, 0, "")]
        outcomes = outcomes_of(planned(*rows), [chunk(0, Outcome.ACCEPTED)], [], waiting=WAITING)
        assert sum(outcomes.counts().values()) == 1
        result = result_block(block(2), 0, outcomes, sheet="S", headers=("id",))
        assert (result.table.num_rows, len(result.cells[0]), result.extra) == (1, 1, {0: ("x",)})

    def test_later_blocks_take_their_own_rows(self):
        rows = [(SEND, -1, no, 0, "") for no in range(4)]
        chunks = [chunk(no, Outcome.ACCEPTED, attempts=no + 1) for no in range(4)]
        outcomes = outcomes_of(planned(*rows), chunks, [], waiting=WAITING)
        lines = result_block(block(2), 2, outcomes, sheet="", headers=("id",)).table
        assert lines.column("attempts").to_pylist() == [3, 4]
        assert lines.column("chunk").to_pylist() == [2, 3]


def test_a_drop_without_rows_settles():
    outcomes = outcomes_of(planned(), [], [], waiting=WAITING)
    assert set(outcomes.counts().values()) == {0}
    assert len(outcomes.remarks) == 0
    with pytest.raises(KeyError):
        outcomes.remarks[0]
