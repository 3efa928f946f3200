"""The exit code says whose matter it is that a run left something undone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.model import Drop, DropState
from pipeline.core.shipment import Closed, SendingStop
from pipeline.inbox.scan import WaitCause as WaitsFor
from pipeline.inbox.scan import Waiting
from pipeline.service.run_outcome import Cause, Exit, OpenReason, RunOutcome, rows_for_a_person
from schemas.vocabulary import Outcome

API = OpenReason(reason="The API is away.")
DISK = OpenReason(reason="The disk is full.", cause=Cause.STORAGE)
BUG = OpenReason(reason="A bug.", cause=Cause.BUG)


@pytest.mark.parametrize(
    ("resting", "code", "words"),
    [
        ([], Exit.FINE, "all is well"),
        ([API], Exit.UNREACHABLE, "1 file not sent yet. The API is away."),
        ([DISK], Exit.USAGE, "1 file could not be finished. The disk is full."),
        ([BUG], Exit.BUG, "1 file could not be finished. A bug."),
        ([API, DISK], Exit.USAGE, "The disk is full. 1 more not sent yet."),
        ([API, DISK, BUG], Exit.BUG, "A bug. 2 more not sent yet."),
    ],
)
def test_what_is_wrong_here_goes_before_what_is_wrong_there(
    resting: list[OpenReason], code: Exit, words: str
) -> None:
    outcome = RunOutcome(open={str(number): rest for number, rest in enumerate(resting)})
    assert outcome.exit is code
    assert words in outcome.why


@pytest.mark.parametrize("outcome", Outcome)
def test_rejected_failed_and_unknown_rows_need_a_person(outcome: Outcome) -> None:
    rows = dict.fromkeys(map(str, Outcome), 0) | {str(outcome): 3}
    drop = Drop(
        seq=1,
        drop_id="d1",
        folder="",
        source_file="a.csv",
        state=DropState.COMPLETED,
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    need = rows_for_a_person(Closed(drop=drop, summary={"rows": rows}))
    assert need == (3 if outcome in {Outcome.REJECTED, Outcome.FAILED, Outcome.UNKNOWN} else 0)
    code = RunOutcome(for_a_person=need).exit
    assert code is (Exit.NEEDS_PERSON if need else Exit.FINE)


def test_held_sending_is_the_apis_matter_even_if_nothing_waits() -> None:
    shut = SendingStop(held=True, reason="The API answered 401.")
    outcome = RunOutcome(shut=shut)
    assert outcome.exit is Exit.UNREACHABLE
    assert "401" in outcome.why


HELD = SendingStop(held=True, reason="The API answered 401.")
LEFT = (
    Waiting(
        path=Path("x.csv"),
        folder="",
        name="x.csv",
        cause=WaitsFor.UNSETTLED,
        reason="it keeps changing",
        waits_seconds=1.0,
    ),
)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"for_a_person": 1}, Exit.NEEDS_PERSON),
        ({"left": LEFT}, Exit.NEEDS_PERSON),
        ({"refused": 1}, Exit.REFUSED),
        ({"refused": 1, "for_a_person": 9, "left": LEFT}, Exit.REFUSED),
        ({"refused": 1, "for_a_person": 9, "shut": HELD}, Exit.UNREACHABLE),
        ({"refused": 1, "left": LEFT, "open": {"d1": API}}, Exit.UNREACHABLE),
        ({"refused": 1, "shut": HELD, "open": {"d1": API, "d2": DISK}}, Exit.USAGE),
        ({"refused": 1, "shut": HELD, "open": {"d1": API, "d2": BUG}}, Exit.BUG),
    ],
)
def test_of_three_four_and_five_the_highest_wins_and_what_is_wrong_here_goes_before(
    facts: dict[str, Any], code: Exit
) -> None:
    assert RunOutcome(**facts).exit is code
