"""The limiter: pace, shared pauses, how many at once, priority, hold; in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.core.shipment import SendingStop
from pipeline.delivery.limiter import Limiter, SendingStopped
from tests.fakes.policies import delivery_policy
from tests.fakes.virtual_loop import run_virtually


def _limiter(**policy: float) -> Limiter:
    loop = asyncio.get_running_loop()
    return Limiter(delivery_policy(**policy), monotonic=loop.time)  # type: ignore[arg-type]  # all of them numbers


async def _calls(
    limiter: Limiter, number: int, *, lasting: float = 0.0, workers: int = 8
) -> list[float]:
    """When each of ``number`` calls went out."""
    went: list[float] = []
    loop = asyncio.get_running_loop()
    left = iter(range(number))

    async def work() -> None:
        for _ in left:
            await limiter.enter()
            went.append(loop.time())
            await asyncio.sleep(lasting)
            limiter.leave()

    await asyncio.gather(*(work() for _ in range(workers)))
    return went


def _most_within(times: list[float], seconds: float) -> int:
    return max(sum(1 for t in times if start <= t < start + seconds) for start in times)


@pytest.mark.parametrize("workers", [1, 8, 32])
@pytest.mark.parametrize("rate", [7.0, 50.0, 400.0])
def test_a_rate_is_nearly_reached_and_never_broken_in_any_second(rate: float, workers: int) -> None:
    async def work() -> list[float]:
        return await _calls(_limiter(rate=rate, concurrency=32), int(rate * 5), workers=workers)

    times = run_virtually(work())
    assert _most_within(times, 1.0) <= rate
    achieved = (len(times) - 1) / (times[-1] - times[0])
    assert 0.98 * rate <= achieved <= rate


@pytest.mark.parametrize(("before", "after"), [(1.0, 10.0), (10.0, 1.0), (0.0, 1.0)])
def test_another_share_of_the_rate_holds_from_the_last_call_on(before: float, after: float) -> None:
    async def work() -> float:
        limiter = _limiter(rate=before, concurrency=8)
        (began,) = await _calls(limiter, 1)
        limiter.share(8, after)
        (first, then) = await _calls(limiter, 2)
        assert then - first == pytest.approx(1 / after, rel=0.05)
        return first - began

    assert run_virtually(work()) == pytest.approx(1 / after if before else 0.0, rel=0.05)


def test_a_stalled_loop_is_not_made_good_by_a_burst() -> None:
    async def work() -> list[float]:
        limiter = _limiter(rate=50.0, concurrency=8)
        times = await _calls(limiter, 50)
        await asyncio.sleep(3)
        return times[-1:] + await _calls(limiter, 60)

    assert _most_within(run_virtually(work()), 1.0) <= 50


def test_no_more_calls_at_once_than_allowed() -> None:
    async def work() -> int:
        limiter, most, now = _limiter(concurrency=3), 0, 0

        async def call() -> None:
            nonlocal most, now
            await limiter.enter()
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1
            limiter.leave()

        await asyncio.gather(*(call() for _ in range(10)))
        return most

    assert run_virtually(work()) == 3


def test_a_pause_asked_for_is_obeyed_by_all_calls() -> None:
    async def work() -> list[float]:
        limiter = _limiter(concurrency=8)
        began = asyncio.get_running_loop().time()
        limiter.slow_down(7.0, asked=7.0)
        return [at - began for at in await _calls(limiter, 20, lasting=0.1)]

    assert min(run_virtually(work())) >= 7.0


def test_a_pause_the_api_asked_for_outlives_a_reopen_and_our_own_does_not() -> None:
    async def work() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        found = []
        for asked in (0.0, 60.0):
            limiter = _limiter()
            began = loop.time()
            limiter.slow_down(60.0, asked=asked)
            limiter.close(SendingStop(held=False, reason="down"))
            limiter.reopen()
            await limiter.enter()
            found.append(loop.time() - began)
        return found[0], found[1]

    own, asked = run_virtually(work())
    assert own < 1
    assert asked >= 60


def test_one_overload_halves_concurrency_once_however_many_calls_meet_it() -> None:
    async def work() -> int:
        limiter = _limiter(concurrency=8)
        for _ in range(8):
            await limiter.enter()
        for _ in range(8):
            limiter.slow_down(1.0)
            limiter.leave()
        entered = 0

        async def call() -> None:
            nonlocal entered
            await limiter.enter()
            entered += 1

        tasks = [asyncio.create_task(call()) for _ in range(8)]
        await asyncio.sleep(5)
        for task in tasks:
            task.cancel()
        return entered

    assert run_virtually(work()) == 4


def test_concurrency_comes_back_with_success() -> None:
    async def work() -> tuple[int, int]:
        limiter = _limiter(concurrency=8)
        for _ in range(5):
            limiter.slow_down(1.0)
            await asyncio.sleep(2)

        async def at_once() -> int:
            tasks = [asyncio.create_task(limiter.enter()) for _ in range(8)]
            await asyncio.sleep(0.1)
            got = sum(task.done() for task in tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _ in range(got):
                limiter.leave()
            return got

        few = await at_once()
        for _ in range(60):
            limiter.succeeded()
        return few, await at_once()

    assert run_virtually(work()) == (1, 8)


@pytest.mark.parametrize("how", ["before it is let in", "as it is let in"])
def test_a_call_that_is_cancelled_while_it_waits_takes_no_place_with_it(how: str) -> None:
    async def work() -> None:
        limiter = _limiter(concurrency=1)
        await limiter.enter()
        waits = asyncio.create_task(limiter.enter())
        await asyncio.sleep(0)
        if how == "as it is let in":
            limiter.leave()
            waits.cancel()
        else:
            waits.cancel()
            limiter.leave()
        with pytest.raises(asyncio.CancelledError):
            await waits
        async with asyncio.timeout(10):
            await limiter.enter()

    run_virtually(work())


def test_a_call_that_is_cancelled_while_it_waits_for_its_slot_takes_no_place_with_it() -> None:
    async def work() -> None:
        limiter = _limiter(concurrency=1, rate=0.1)
        await limiter.enter()
        limiter.leave()
        waits = asyncio.create_task(limiter.enter())
        await asyncio.sleep(1)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        async with asyncio.timeout(30):
            await limiter.enter()

    run_virtually(work())


def _waiting_in(limiter: Limiter, how: str) -> Callable[[], "asyncio.Task[None]"]:
    if how == "rest":
        return lambda: asyncio.create_task(limiter.sleep(1000, "drop"))
    return lambda: asyncio.create_task(limiter.enter(0, "drop"))


@pytest.mark.parametrize("how", ["rest", "enter"])
@pytest.mark.parametrize("end", ["close", "dismiss"])
def test_whoever_waits_is_sent_away_at_once_when_sending_ends(how: str, end: str) -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        limiter = _limiter(concurrency=1)
        await limiter.enter()
        task = _waiting_in(limiter, how)()
        await asyncio.sleep(1)
        began = loop.time()
        if end == "close":
            limiter.close(SendingStop(held=False, reason="stop"))
        else:
            limiter.dismiss("another drop")
            await asyncio.sleep(0)
            assert not task.done()
            limiter.dismiss("drop")
        with pytest.raises(SendingStopped):
            await task
        return loop.time() - began

    assert run_virtually(work()) < 1


def test_nothing_enters_a_shut_gate_and_the_first_reason_stays() -> None:
    async def work() -> None:
        limiter = _limiter()
        limiter.hold("bad token", 401)
        limiter.close(SendingStop(held=False, reason="later"))
        with pytest.raises(SendingStopped):
            await limiter.enter()
        assert limiter.shut is not None
        assert limiter.shut.held
        assert "401" in limiter.shut.reason

    run_virtually(work())


def test_in_hard_times_the_tried_and_the_untried_take_turns() -> None:
    async def work() -> list[int]:
        limiter = _limiter(concurrency=8)
        for _ in range(4):
            limiter.slow_down(1.0)
            await asyncio.sleep(2)
        order: list[int] = []
        await limiter.enter()

        async def call(tries: int) -> None:
            await limiter.enter(tries)
            order.append(tries)
            limiter.leave()

        async with asyncio.TaskGroup() as group:
            for tries in (0, 3, 1, 2, 0, 5):
                group.create_task(call(tries))
            await asyncio.sleep(0)
            limiter.leave()
        return order

    order = run_virtually(work())
    assert sorted(order) == [0, 0, 1, 2, 3, 5]
    assert set(order[:2]) == {0, 5}
    assert set(order[2:4]) == {0, 3}


def test_in_a_long_pause_one_call_a_minute_tries_and_a_taken_one_ends_it() -> None:
    async def work() -> list[float]:
        limiter, loop = _limiter(concurrency=8), asyncio.get_running_loop()
        began, went, answers = loop.time(), [], iter((False, False, True, *[True] * 20))
        limiter.slow_down(1000.0, asked=1000.0)

        async def call() -> None:
            taken = False
            while not taken:
                await limiter.enter()
                went.append(loop.time() - began)
                await asyncio.sleep(0.5)
                taken = next(answers)
                if not taken:
                    limiter.slow_down(1000.0, asked=1000.0)
                limiter.leave()
                if taken:
                    limiter.succeeded()

        await asyncio.gather(*(call() for _ in range(10)))
        assert limiter.pause_left == 0
        return went

    went = run_virtually(work())
    first, second, third, *rest = went
    assert 60 <= first < 61
    assert 60 <= second - first < 61.1
    assert 60 <= third - second < 61.1
    assert len(rest) == 9
    assert max(rest) < third + 10
