"""Ends of chunks given as columns mean what they mean as records."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.chunks import ChunkEnds, ChunkState
from pipeline.core.model import Disposition
from pipeline.core.row_columns import PLANNED
from pipeline.reporting.row_outcomes import OUTCOMES, Remark, outcomes_of
from schemas.vocabulary import Outcome

WAITING = Remark(code="NOT_SENT", message="Not sent yet.")
CANCELLED = Remark(code="CANCELLED", message="Not sent: the drop was cancelled.")

_END = st.tuples(
    st.sampled_from(ChunkState),
    st.sampled_from([None, Outcome.ACCEPTED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNSENT]),
    st.sampled_from([("", ""), ("API_REFUSED", "no"), ("ANSWER_LOST", "lost"), ("NOT_SENT", "")]),
)


def ends(*each: tuple[ChunkState, Outcome | None, tuple[str, str]]) -> ChunkEnds:
    return ChunkEnds.of(
        no=range(len(each)),
        sending=[state is ChunkState.SENDING for state, _, _ in each],
        outcome=[outcome for _, outcome, _ in each],
        http_status=[None, *[200] * len(each)][: len(each)],
        attempts=[3, *[0] * len(each)][: len(each)],
        sent_at=["2026-11-20T10:00:00.000Z"] * len(each),
        code=[said[0] for _, _, said in each],
        message=[said[1] for _, _, said in each],
    )


def of_one_row_each(count: int) -> pa.Table:
    number = list(range(count))
    columns = [[Disposition.SEND] * count, [-1] * count, number, [0] * count]
    return pa.table([*columns, [""] * count, [""] * count], schema=PLANNED)


def expected(
    state: ChunkState, outcome: Outcome | None, said: tuple[str, str], waiting: Remark
) -> tuple[Outcome, str | None]:
    """Outcome and code of a chunk's rows, told one by one."""
    outcome = outcome or Outcome.UNSENT
    if outcome is Outcome.ACCEPTED:
        return outcome, None
    if outcome is Outcome.UNSENT and state is ChunkState.SENDING:
        return Outcome.UNKNOWN, "ANSWER_LOST"
    if outcome is Outcome.UNSENT and waiting is CANCELLED:
        return outcome, "CANCELLED"
    return outcome, said[0] or waiting.code


@settings(deadline=None)
@given(each=st.lists(_END, max_size=12), waiting=st.sampled_from([WAITING, CANCELLED]))
def test_every_chunk_ends_as_it_would_alone(each, waiting):
    outcomes = outcomes_of(of_one_row_each(len(each)), ends(*each), [], waiting=waiting)
    found = [
        (OUTCOMES[number], remark.code if (remark := outcomes.remarks.get(row)) else None)
        for row, number in enumerate(outcomes.outcome)
    ]
    assert found == [expected(*one, waiting) for one in each]


def test_what_is_said_is_numbered_in_the_order_of_its_first_chunk():
    refused, lost = ("API_REFUSED", "no"), ("ANSWER_LOST", "lost")
    done = ChunkState.DONE
    each = [
        (done, Outcome.ACCEPTED, ("", "")),
        (done, Outcome.UNKNOWN, lost),
        (ChunkState.PLANNED, None, ("", "")),
        (done, Outcome.FAILED, refused),
        (done, Outcome.UNKNOWN, lost),
    ]
    outcomes = outcomes_of(of_one_row_each(5), ends(*each), [], waiting=WAITING)
    assert outcomes.remarks.by_code() == [
        ("ANSWER_LOST", 2, 1),
        ("NOT_SENT", 1, 2),
        ("API_REFUSED", 1, 3),
    ]


def test_calls_that_repeated_another_are_those_beyond_each_first():
    none = (ChunkState.PLANNED, None, ("", ""))
    assert ends(none, none).calls == (3, 2)
    assert ends().calls == (0, 0)


def test_a_chunk_that_was_only_marked_has_no_time_and_no_http_status():
    marked = (ChunkState.DONE, Outcome.FAILED, ("X", "x"))
    outcomes = outcomes_of(of_one_row_each(3), ends(marked, marked), [], waiting=WAITING)
    chunk, status, attempts, sent_at = (each.to_pylist() for each in outcomes.calls(0, 3))
    assert chunk == [0, 1, None], "the ledger knows nothing of the third"
    assert status == [None, 200, None]
    assert attempts == [3, 0, 0]
    assert sent_at == ["2026-11-20T10:00:00.000Z", "", ""]
