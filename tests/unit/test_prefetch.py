"""Prefetch: how much is marked ahead, and how long answers wait for others to share a commit."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.prefetch import PrefetchBuffer
from tests.fakes.manual_clock import ManualClock
from tests.fakes.policies import delivery_policy
from tests.fakes.virtual_loop import run_virtually

CALLERS = 8
LEAST = 16
MOST = 128
LONG = 100.0
"""So long may answers wait in these tests: whatever ends sooner was ended by something else."""


def _prefetch(clock: ManualClock, callers: int = CALLERS) -> PrefetchBuffer[int]:
    return PrefetchBuffer(delivery_policy(concurrency=callers), clock.monotonic)


def _booked(
    prefetch: PrefetchBuffer[int], clock: ManualClock, *rates: float, commit: float = 0.001
) -> int:
    """Book answers that come at these rates, one after the other; how much is then ahead."""
    for rate in rates:
        every = max(commit, 0.01)
        clock.advance(every - commit)
        prefetch.keep_pace(round(rate * every))
        with prefetch.commit():
            clock.advance(commit)
    return prefetch.room - CALLERS


# -- how much is marked ahead --------------------------------------------------------------------


def test_a_slow_api_has_little_in_doubt() -> None:
    clock = ManualClock()
    assert _booked(_prefetch(clock), clock, *[20.0] * 50) == LEAST


def test_many_callers_have_two_for_each() -> None:
    clock = ManualClock()
    prefetch = _prefetch(clock, callers=40)
    assert prefetch.room == 40 + 2 * 40


def test_where_answers_come_fast_as_much_is_marked_as_is_soon_sent() -> None:
    clock = ManualClock()
    # 0.02 s at 3,000 a second
    assert _booked(_prefetch(clock), clock, *[3000.0] * 50) == pytest.approx(60, abs=2)


def test_where_commits_are_slow_as_much_is_marked_as_is_sent_during_two() -> None:
    clock = ManualClock()
    ahead = _booked(_prefetch(clock), clock, *[500.0] * 60, commit=0.1)
    assert ahead == pytest.approx(100, abs=4)


def test_it_is_never_more_than_a_crash_may_leave_in_doubt() -> None:
    clock = ManualClock()
    assert _booked(_prefetch(clock), clock, *[50_000.0] * 50, commit=0.1) == MOST


def test_one_quick_moment_is_not_believed_and_a_slow_one_not_either() -> None:
    clock = ManualClock()
    prefetch = _prefetch(clock)
    quick = _booked(prefetch, clock, 0.0, 4000.0)
    assert LEAST < quick < 80 / 2, "80 are sent in 0.02 s"
    slower = _booked(prefetch, clock, 0.0)
    assert LEAST < slower < quick
    assert _booked(prefetch, clock, *[0.0] * 50) == LEAST


def test_a_commit_that_fails_says_nothing_of_how_long_they_take() -> None:
    clock = ManualClock()
    prefetch = _prefetch(clock)

    def fail() -> None:
        with prefetch.commit():
            clock.advance(LONG)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert _booked(prefetch, clock, *[500.0] * 50) == LEAST


@given(
    callers=st.integers(1, 200),
    answers=st.lists(st.tuples(st.integers(0, 500), st.floats(0, 10), st.floats(0, 10))),
)
def test_whatever_the_pace_it_stays_within_its_bounds(
    callers: int, answers: list[tuple[int, float, float]]
) -> None:
    clock = ManualClock()
    prefetch = _prefetch(clock, callers)
    least = max(LEAST, 2 * callers)
    for answered, pause, commit in answers:
        clock.advance(pause)
        prefetch.keep_pace(answered)
        with prefetch.commit():
            clock.advance(commit)
        assert least <= prefetch.room - callers <= max(MOST, least)


# -- gathering -----------------------------------------------------------------------------------


def _laid(number: int) -> PrefetchBuffer[int]:
    """A prefetch in the loop that runs, with so many on it."""
    loop = asyncio.get_running_loop()
    prefetch: PrefetchBuffer[int] = PrefetchBuffer(
        delivery_policy(concurrency=CALLERS, gather=LONG), loop.time
    )
    for item in range(number):
        prefetch.put(item)
    return prefetch


async def _gathered(prefetch: PrefetchBuffer[int], answers: int, calling: int) -> float:
    """Return how long these answers waited for others."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await prefetch.gather(answers, calling=calling)
    return loop.time() - began


def test_answers_wait_for_others_while_callers_are_busy_and_find_enough() -> None:
    async def work() -> float:
        return await _gathered(_laid(LEAST), 1, CALLERS)

    assert run_virtually(work()) == LONG


@pytest.mark.parametrize(
    ("why", "answers", "calling", "ready"),
    [
        ("there is none", 0, CALLERS, LEAST),
        ("there are enough for a commit", LEAST // 2, CALLERS, LEAST),
        ("nobody is out who could bring another", 1, 0, LEAST),
        ("whoever comes back finds nothing to send", 1, CALLERS, 0),
    ],
)
def test_answers_wait_for_nothing(why: str, answers: int, calling: int, ready: int) -> None:
    async def work() -> float:
        return await _gathered(_laid(ready), answers, calling)

    assert run_virtually(work()) == 0, why


def test_gathering_ends_before_callers_run_out() -> None:
    async def work() -> tuple[float, list[int], list[int]]:
        prefetch = _laid(LEAST)
        taken: list[int] = []

        async def callers() -> None:
            while True:
                await asyncio.sleep(1)
                taken.append(await prefetch.take())

        calling = asyncio.create_task(callers())
        waited = await _gathered(prefetch, 1, CALLERS)
        calling.cancel()
        return waited, taken, prefetch.empty()

    waited, taken, left = run_virtually(work())
    assert waited == 12, "until a quarter is left"
    assert taken == list(range(12))
    assert left == list(range(12, 16))


def test_that_there_were_few_once_does_not_end_the_next_gathering() -> None:
    async def work() -> float:
        prefetch = _laid(1)
        await prefetch.take()
        for item in range(LEAST):
            prefetch.put(item)
        return await _gathered(prefetch, 1, CALLERS)

    assert run_virtually(work()) == LONG


def test_who_takes_waits_until_there_is_one() -> None:
    async def work() -> tuple[int, list[int]]:
        prefetch = _laid(0)
        taking = asyncio.create_task(prefetch.take())
        await asyncio.sleep(5)
        assert not taking.done()
        prefetch.put(7)
        prefetch.put(8)
        return await taking, prefetch.empty()

    assert run_virtually(work()) == (7, [8])
