"""Where drops are, and what comes next: counted rightly, and decided as the table says."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.model import Drop, DropRequest, DropState
from pipeline.service.drop_states import (
    DropEntry,
    DropStates,
    SchedulerState,
    after_looking,
    after_reporting,
    after_taking,
)
from pipeline.service.requests import to_honour

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def drop(number: int = 1, state: DropState = DropState.CLAIMED, *, waits_for: str = "") -> Drop:
    made = Drop(
        seq=number,
        drop_id=f"d{number}",
        folder="",
        source_file="a.csv",
        state=state,
        received_at=NOW,
    )
    return made.noting(waits_for=(waits_for,) if waits_for else ())


def entry(of: Drop, *, cancelled: bool = False, look_again: bool = False) -> DropEntry:
    return DropEntry(
        drop=of, state=SchedulerState.QUEUED, cancelled=cancelled, look_again=look_again
    )


MOVES = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), st.sampled_from([*SchedulerState, None])),
        st.tuples(st.none(), st.sampled_from(SchedulerState)),
    ),
    max_size=60,
)


@given(MOVES)
def test_each_drop_is_in_one_state_and_counted_there(
    moves: list[tuple[int | None, SchedulerState | None]],
) -> None:
    states, expected = DropStates(), dict[str, SchedulerState]()
    for number, state in moves:
        if state is None:
            states.forget(f"d{number}")
            expected.pop(f"d{number}", None)
        elif number is None:
            states.forget_all(state)
            expected = {each: where for each, where in expected.items() if where is not state}
        else:
            states.put(drop(number), state)
            expected[f"d{number}"] = state
        counted = Counter(expected.values())
        assert [states.count(each) for each in SchedulerState] == [
            counted[each] for each in SchedulerState
        ]
        assert states.count(*SchedulerState) == len(expected)
        for each in range(6):
            found = states.find(f"d{each}")
            assert (found and found.state) == expected.get(f"d{each}")
            assert states.is_in(f"d{each}", *SchedulerState) == (f"d{each}" in expected)


def test_what_is_known_of_a_drop_goes_with_it_until_it_is_forgotten() -> None:
    states = DropStates()
    states.put(drop(), SchedulerState.QUEUED).cancelled = True
    assert states.put(drop(), SchedulerState.SENDING).cancelled
    states.forget("d1")
    assert not states.put(drop(), SchedulerState.SENDING).cancelled


@pytest.mark.parametrize(
    ("found", "cancelled", "step"),
    [
        (drop(), False, SchedulerState.QUEUED),
        (drop(), True, SchedulerState.QUEUED),
        (drop(state=DropState.OPEN), False, SchedulerState.SENDING),
        (drop(state=DropState.OPEN, waits_for="d0"), False, SchedulerState.PLANNING),
        (drop(state=DropState.OPEN, waits_for="d0"), True, SchedulerState.SENDING),
    ],
)
def test_a_drop_that_is_taken_up(found: Drop, cancelled: bool, step: SchedulerState) -> None:
    assert after_taking(found, cancelled=cancelled) is step


@given(
    cancelled=st.booleans(),
    look_again=st.booleans(),
    progressed=st.booleans(),
    rests=st.booleans(),
    stopping=st.booleans(),
)
def test_what_may_go_or_is_cancelled_goes_and_all_else_waits(
    *, cancelled: bool, look_again: bool, progressed: bool, rests: bool, stopping: bool
) -> None:
    found = entry(drop(state=DropState.OPEN), cancelled=cancelled, look_again=look_again)
    looked = after_looking(found, progressed=progressed, rests=rests, stopping=stopping)
    assert (looked is SchedulerState.SENDING) == (progressed or cancelled or not rests)
    if looked is SchedulerState.PLANNING:
        assert look_again
        assert not stopping
    else:
        assert looked in {SchedulerState.SENDING, SchedulerState.WAITING}


@given(
    cancelled=st.booleans(),
    look_again=st.booleans(),
    only_waiting_left=st.booleans(),
    waits=st.booleans(),
    stopping=st.booleans(),
)
def test_a_drop_that_was_reported_rests_or_waits(
    *, cancelled: bool, look_again: bool, only_waiting_left: bool, waits: bool, stopping: bool
) -> None:
    found = entry(drop(state=DropState.OPEN), cancelled=cancelled, look_again=look_again)
    state = after_reporting(
        found, only_waiting_left=only_waiting_left, waits=waits, stopping=stopping
    )
    if cancelled:
        assert state is SchedulerState.SENDING
    elif only_waiting_left and waits:
        assert state is (
            SchedulerState.PLANNING if look_again and not stopping else SchedulerState.WAITING
        )
    else:
        assert state is SchedulerState.RESTING


@pytest.mark.parametrize(
    ("asked", "state", "busy", "now"),
    [
        (DropRequest.NONE, DropState.OPEN, False, DropRequest.NONE),
        (DropRequest.RETRY, DropState.COMPLETED, False, DropRequest.RETRY),
        (DropRequest.RETRY, DropState.OPEN, False, DropRequest.RETRY),
        (DropRequest.RETRY, DropState.OPEN, True, DropRequest.NONE),
        (DropRequest.CANCEL, DropState.OPEN, False, DropRequest.CANCEL),
        (DropRequest.CANCEL, DropState.OPEN, True, DropRequest.CANCEL),
        (DropRequest.CANCEL, DropState.COMPLETED, True, DropRequest.CANCEL),  # being reopened
        (DropRequest.CANCEL, DropState.COMPLETED, False, DropRequest.NONE),
    ],
)
def test_a_request_is_done_when_it_can_be(
    asked: DropRequest, state: DropState, busy: bool, now: DropRequest
) -> None:
    assert to_honour(replace(drop(state=state), request=asked), busy=busy) is now
