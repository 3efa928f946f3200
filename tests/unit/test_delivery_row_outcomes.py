"""The rows of a chunk when it is taken up again, and when its sender ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.core.chunks import Chunk, ChunkState, Verdict
from pipeline.core.model import stamp
from pipeline.delivery.api.response_errors import Refusal
from pipeline.delivery.chunk_rows import RowOutcomes, untouched
from pipeline.delivery.reconcile import proof_from
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome
from tests.fakes.policies import delivery_policy

PLANNED, SENDING, DONE = ChunkState.PLANNED, ChunkState.SENDING, ChunkState.DONE


def _chunk(state: ChunkState, outcome: Outcome | None = None, **more: Any) -> Chunk:
    return Chunk(
        drop_seq=1, no=4, wave=0, offset=0, length=9, size=5, state=state, outcome=outcome, **more
    )


def _verdict(pos: int, outcome: Outcome, code: str = "") -> Verdict:
    return Verdict(chunk_no=4, pos=pos, outcome=outcome, code=code, message="")


UNKNOWN = _verdict(2, Outcome.UNKNOWN, Code.ANSWER_LOST)
UNCLEAR = _verdict(2, Outcome.UNKNOWN, Code.ANSWER_UNCLEAR)
FAILED = _verdict(0, Outcome.FAILED, Code.API_REFUSED)
ACCEPTED = _verdict(1, Outcome.ACCEPTED)
WAITS = _verdict(3, Outcome.UNSENT, Code.EARLIER_OPEN)


@pytest.mark.parametrize(
    ("chunk", "known", "send", "settle"),
    [
        (_chunk(PLANNED), [], [0, 1, 2, 3, 4], {}),
        (_chunk(SENDING), [], [], dict.fromkeys(range(5), "lost")),
        (_chunk(PLANNED, Outcome.UNSENT), [FAILED, ACCEPTED], [2, 3, 4], {}),
        (_chunk(PLANNED, Outcome.UNSENT), [UNKNOWN], [0, 1, 3, 4], {2: "lost"}),
        (_chunk(PLANNED, Outcome.UNSENT), [UNCLEAR], [0, 1, 3, 4], {2: "ended"}),
        (_chunk(PLANNED, Outcome.UNSENT), [WAITS], [0, 1, 2, 3, 4], {}),
        (
            _chunk(SENDING, Outcome.UNKNOWN),
            [FAILED, ACCEPTED],
            [],
            dict.fromkeys([2, 3, 4], "lost"),
        ),
        (
            _chunk(SENDING, Outcome.UNKNOWN),
            [UNCLEAR],
            [],
            {0: "lost", 1: "lost", 2: "unclear", 3: "lost", 4: "lost"},
        ),
        # It ended once: rows without a verdict were accepted, and are left in peace for ever
        (_chunk(DONE, Outcome.ACCEPTED), [UNKNOWN], [], {2: "ended"}),
        (_chunk(DONE, Outcome.ACCEPTED), [UNCLEAR, FAILED], [], {2: "ended"}),
        (_chunk(SENDING, Outcome.ACCEPTED), [UNKNOWN, FAILED], [], {2: "lost"}),
    ],
)
def test_what_is_to_be_sent_and_what_is_to_be_settled_as_what(
    chunk: Chunk, known: list[Verdict], send: list[int], settle: dict[int, str]
) -> None:
    rows = RowOutcomes(chunk, known)
    assert rows.sort(known) == (send, list(settle))
    for kind in ("lost", "unclear", "ended"):
        assert getattr(rows, kind) == {pos for pos, its in settle.items() if its == kind}


def _all_but_one_accepted() -> RowOutcomes:
    rows = RowOutcomes(_chunk(PLANNED), [])
    rows.accept([0, 1, 3, 4])
    return rows


def test_a_row_that_was_accepted_before_is_still_accepted_when_the_rest_is_given_up() -> None:
    known = [UNKNOWN]
    rows = RowOutcomes(_chunk(SENDING, Outcome.ACCEPTED), known)
    rows.sort(known)
    result = rows.result()
    assert result.chunk.state is SENDING
    assert {v.pos: v.outcome for v in result.verdicts} == dict.fromkeys(
        [0, 1, 3, 4], Outcome.ACCEPTED
    )
    assert result.replaces


def test_a_chunk_is_done_only_when_every_row_has_its_end() -> None:
    rows = _all_but_one_accepted()
    assert rows.result().chunk.state is PLANNED
    rows = _all_but_one_accepted()
    rows.refuse(2, Refusal(code="D422", message="no"))
    result = rows.result()
    assert result.chunk.state is DONE
    assert [(v.pos, v.outcome) for v in result.verdicts] == [(2, Outcome.FAILED)]


def test_a_lost_row_makes_the_chunk_doubtful_whatever_else_waits() -> None:
    rows = RowOutcomes(_chunk(PLANNED), [])
    rows.accept([0, 1])
    rows.set_outcome(3, Outcome.UNSENT, Code.EARLIER_OPEN, "waits")
    rows.lost.update([2, 4])
    result = rows.result()
    assert result.chunk.state is SENDING
    assert result.chunk.outcome is Outcome.UNKNOWN


def test_a_row_sent_again_after_a_loss_stays_doubtful_until_it_is_settled() -> None:
    rows = _all_but_one_accepted()
    rows.doubted.add(2)
    assert rows.result().chunk.state is SENDING
    rows = _all_but_one_accepted()
    rows.doubted.add(2)
    rows.accept([2])
    assert rows.result().chunk.state is DONE


def test_refused_after_a_loss_is_unknown_until_asking_or_a_second_refusal_tells() -> None:
    rows = _all_but_one_accepted()
    rows.doubted.add(2)
    rows.refuse(2, Refusal(code="O400", message="order is already in bag_picked"))
    (verdict,) = rows.result().verdicts
    assert (verdict.outcome, verdict.code) == (Outcome.UNKNOWN, Code.API_REFUSED)
    assert "already in bag_picked" in verdict.message
    again = RowOutcomes(_chunk(SENDING, Outcome.ACCEPTED), [verdict])
    _, settle = again.sort([verdict])
    again.send_again(settle)
    again.refuse(2, Refusal(code="O400", message="no"))
    (verdict,) = again.result().verdicts
    assert (verdict.outcome, verdict.code) == (Outcome.FAILED, Code.API_REFUSED)
    rows.fail(2)
    assert rows.result().verdicts[0].outcome is Outcome.FAILED


def test_an_unclear_answer_is_in_doubt_until_somebody_tells_or_nobody_can() -> None:
    rows = _all_but_one_accepted()
    rows.leave_open(2, "an empty answer")
    open_still = rows.result()
    assert open_still.chunk.state is SENDING
    verdict = next(v for v in open_still.verdicts if v.pos == 2)
    assert (verdict.outcome, verdict.code) == (Outcome.UNKNOWN, Code.ANSWER_UNCLEAR)
    rows.leave_unknown(2)
    over = rows.result()
    assert over.chunk.state is DONE
    assert [v.outcome for v in over.verdicts if v.pos == 2] == [Outcome.UNKNOWN]
    rows = _all_but_one_accepted()
    rows.leave_open(2, "an empty answer")
    rows.reconcile(2)
    assert rows.result().chunk.state is DONE


def test_what_the_api_refuses_behind_a_step_in_doubt_has_not_failed() -> None:
    rows = _all_but_one_accepted()
    rows.http_status = 200
    rows.behind[2] = Milestone.BAG_PICKED
    rows.refuse(2, Refusal(code="D422", message="not yet"))
    result = rows.result()
    verdict = next(v for v in result.verdicts if v.pos == 2)
    assert (verdict.outcome, verdict.code) == (Outcome.UNSENT, Code.EARLIER_OPEN)
    assert "not yet" in verdict.message
    again = RowOutcomes(result.chunk, result.verdicts)
    assert again.held_before == {2}
    again.wait(2, Milestone.BAG_PICKED)
    assert verdict in again.result().verdicts, "it keeps what the API said of it"


def test_a_row_that_waits_still_waits_when_a_pass_ends_before_it_was_looked_at() -> None:
    known = [FAILED, ACCEPTED, WAITS]
    rows = RowOutcomes(_chunk(PLANNED, Outcome.UNSENT), known)
    rows.sort(known)
    result = rows.result()
    assert WAITS in result.verdicts
    assert result.chunk.state is PLANNED
    rows.lost.add(WAITS.pos)
    assert WAITS not in rows.result().verdicts, "what may have left is not called unsent"
    rows.accept([WAITS.pos])
    assert WAITS not in rows.result().verdicts


@pytest.mark.parametrize(
    ("chunk", "known", "state", "outcome"),
    [
        (_chunk(PLANNED), [], PLANNED, Outcome.UNSENT),
        (_chunk(SENDING), [], SENDING, Outcome.UNKNOWN),
        (_chunk(SENDING, Outcome.ACCEPTED), [UNKNOWN], SENDING, Outcome.ACCEPTED),
        (_chunk(DONE, Outcome.ACCEPTED), [UNKNOWN, FAILED], DONE, Outcome.ACCEPTED),
    ],
)
def test_a_chunk_that_never_left_is_as_it_was(
    chunk: Chunk, known: list[Verdict], state: ChunkState, outcome: Outcome
) -> None:
    result = untouched(chunk, known, "Stopping.")
    assert (result.chunk.state, result.chunk.outcome) == (state, outcome)
    assert list(result.verdicts) == known


def test_a_chunk_in_doubt_that_never_left_says_that_its_answer_was_lost() -> None:
    chunk = untouched(_chunk(SENDING), [], "Stopping.").chunk
    assert chunk.code == "ANSWER_LOST"
    assert chunk.message == (
        "The answer was lost (Shipdrop was interrupted); it is settled when the API is back."
    )
    before = _chunk(SENDING, Outcome.UNKNOWN, code="ANSWER_LOST", message="Reset.")
    assert untouched(before, [], "Stopping.").chunk == before


def test_what_was_sent_again_after_a_loss_and_accepted_says_so() -> None:
    rows = RowOutcomes(_chunk(SENDING), [])
    rows.sort([])
    rows.send_again([1, 2])
    rows.lost.clear()
    rows.accept(range(5))
    result = rows.result()
    assert result.chunk.state is DONE
    assert result.chunk.outcome is Outcome.ACCEPTED
    assert {(v.pos, v.outcome, v.code, v.message) for v in result.verdicts} == {
        (
            pos,
            Outcome.ACCEPTED,
            "RESENT",
            "The answer was lost; it was sent again and accepted.",
        )
        for pos in (1, 2)
    }


NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
POLICY = delivery_policy(timeout=30, give_up_after=900)


@pytest.mark.parametrize(
    ("marked", "opened", "proof"),
    [
        (0, None, 30),  # of this run: it left when it says so
        (100, 40, 130),
        (-5, 0, 30),  # of an earlier run that was tried again until it died
        (-800, 0, 30),
        (-5000, 0, -5000 + 900 + 30 + 30),  # it had given up long before
    ],
)
def test_when_not_yet_is_proof(marked: int, opened: int | None, proof: int) -> None:
    chunk = _chunk(SENDING, sent_at=stamp(NOON + timedelta(seconds=marked)))
    opened_at = None if opened is None else NOON + timedelta(seconds=opened)
    found = proof_from(chunk, POLICY, opened_at)
    assert found == (NOON + timedelta(seconds=proof)).timestamp()


def test_a_chunk_that_was_never_marked_needs_no_proof() -> None:
    assert proof_from(_chunk(SENDING), POLICY, NOON) is None
