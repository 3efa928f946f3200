"""The gate: pace, shared pauses, how many at once, priority, hold; in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.delivery.limiter import Gate, GateShut, Shut
from pipeline.delivery.policy import DeliveryPolicy
from tests.fakes.virtual_loop import run_virtually


def _gate(**policy: float) -> Gate:
    loop = asyncio.get_running_loop()
    return Gate(DeliveryPolicy(**policy), monotonic=loop.time)  # type: ignore[arg-type]


async def _calls(gate: Gate, number: int, *, lasting: float = 0.0, workers: int = 8) -> list[float]:
    """When each of ``number`` calls went out."""
    went: list[float] = []
    loop = asyncio.get_running_loop()
    left = iter(range(number))

    async def work() -> None:
        for _ in left:
            await gate.enter()
            went.append(loop.time())
            await asyncio.sleep(lasting)
            gate.leave()

    await asyncio.gather(*(work() for _ in range(workers)))
    return went


def _most_within(times: list[float], seconds: float) -> int:
    return max(sum(1 for t in times if start <= t < start + seconds) for start in times)


@pytest.mark.parametrize("workers", [1, 8, 32])
@pytest.mark.parametrize("rate", [7.0, 50.0, 400.0])
def test_a_rate_is_nearly_reached_and_never_broken_in_any_second(rate: float, workers: int) -> None:
    async def work() -> list[float]:
        return await _calls(_gate(rate=rate, concurrency=32), int(rate * 5), workers=workers)

    times = run_virtually(work())
    assert _most_within(times, 1.0) <= rate
    achieved = (len(times) - 1) / (times[-1] - times[0])
    assert 0.98 * rate <= achieved <= rate


def test_a_stalled_loop_is_not_made_good_by_a_burst() -> None:
    async def work() -> list[float]:
        gate = _gate(rate=50.0, concurrency=8)
        times = await _calls(gate, 50)
        await asyncio.sleep(3)
        return times[-1:] + await _calls(gate, 60)

    assert _most_within(run_virtually(work()), 1.0) <= 50


def test_no_more_calls_at_once_than_allowed() -> None:
    async def work() -> int:
        gate, most, now = _gate(concurrency=3), 0, 0

        async def call() -> None:
            nonlocal most, now
            await gate.enter()
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1
            gate.leave()

        await asyncio.gather(*(call() for _ in range(10)))
        return most

    assert run_virtually(work()) == 3


def test_a_pause_asked_for_is_obeyed_by_all_calls() -> None:
    async def work() -> list[float]:
        gate = _gate(concurrency=8)
        began = asyncio.get_running_loop().time()
        gate.slow_down(7.0, asked=7.0)
        return [at - began for at in await _calls(gate, 20, lasting=0.1)]

    assert min(run_virtually(work())) >= 7.0


def test_a_pause_the_api_asked_for_outlives_a_reopen_and_our_own_does_not() -> None:
    async def work() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        found = []
        for asked in (0.0, 60.0):
            gate = _gate()
            began = loop.time()
            gate.slow_down(60.0, asked=asked)
            gate.close(Shut(held=False, reason="down"))
            gate.reopen()
            await gate.enter()
            found.append(loop.time() - began)
        return found[0], found[1]

    own, asked = run_virtually(work())
    assert own < 1
    assert asked >= 60


def test_one_overload_halves_concurrency_once_however_many_calls_meet_it() -> None:
    async def work() -> int:
        gate = _gate(concurrency=8)
        for _ in range(8):
            await gate.enter()
        for _ in range(8):
            gate.slow_down(1.0)
            gate.leave()
        entered = 0

        async def call() -> None:
            nonlocal entered
            await gate.enter()
            entered += 1

        tasks = [asyncio.create_task(call()) for _ in range(8)]
        await asyncio.sleep(5)
        for task in tasks:
            task.cancel()
        return entered

    assert run_virtually(work()) == 4


def test_concurrency_comes_back_with_success() -> None:
    async def work() -> tuple[int, int]:
        gate = _gate(concurrency=8)
        for _ in range(5):
            gate.slow_down(1.0)
            await asyncio.sleep(2)

        async def at_once() -> int:
            tasks = [asyncio.create_task(gate.enter()) for _ in range(8)]
            await asyncio.sleep(0.1)
            got = sum(task.done() for task in tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _ in range(got):
                gate.leave()
            return got

        few = await at_once()
        for _ in range(60):
            gate.succeeded()
        return few, await at_once()

    assert run_virtually(work()) == (1, 8)


@pytest.mark.parametrize("how", ["before it is let in", "as it is let in"])
def test_a_call_that_is_cancelled_while_it_waits_takes_no_place_with_it(how: str) -> None:
    async def work() -> None:
        gate = _gate(concurrency=1)
        await gate.enter()
        waits = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        if how == "as it is let in":
            gate.leave()
            waits.cancel()
        else:
            waits.cancel()
            gate.leave()
        with pytest.raises(asyncio.CancelledError):
            await waits
        async with asyncio.timeout(10):
            await gate.enter()

    run_virtually(work())


def test_a_call_that_is_cancelled_while_it_waits_for_its_slot_takes_no_place_with_it() -> None:
    async def work() -> None:
        gate = _gate(concurrency=1, rate=0.1)
        await gate.enter()
        gate.leave()
        waits = asyncio.create_task(gate.enter())
        await asyncio.sleep(1)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        async with asyncio.timeout(30):
            await gate.enter()

    run_virtually(work())


def _waiting_in(gate: Gate, how: str) -> Callable[[], "asyncio.Task[None]"]:
    if how == "rest":
        return lambda: asyncio.create_task(gate.rest(1000, "drop"))
    return lambda: asyncio.create_task(gate.enter(0, "drop"))


@pytest.mark.parametrize("how", ["rest", "enter"])
@pytest.mark.parametrize("end", ["close", "dismiss"])
def test_whoever_waits_is_sent_away_at_once_when_sending_ends(how: str, end: str) -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        gate = _gate(concurrency=1)
        await gate.enter()
        task = _waiting_in(gate, how)()
        await asyncio.sleep(1)
        began = loop.time()
        if end == "close":
            gate.close(Shut(held=False, reason="stop"))
        else:
            gate.dismiss("another drop")
            await asyncio.sleep(0)
            assert not task.done()
            gate.dismiss("drop")
        with pytest.raises(GateShut):
            await task
        return loop.time() - began

    assert run_virtually(work()) < 1


def test_nothing_enters_a_shut_gate_and_the_first_reason_stays() -> None:
    async def work() -> None:
        gate = _gate()
        gate.hold("bad token", 401)
        gate.close(Shut(held=False, reason="later"))
        with pytest.raises(GateShut):
            await gate.enter()
        assert gate.shut is not None
        assert gate.shut.held
        assert "401" in gate.shut.reason

    run_virtually(work())


def test_in_hard_times_the_tried_and_the_untried_take_turns() -> None:
    async def work() -> list[int]:
        gate = _gate(concurrency=8)
        for _ in range(4):
            gate.slow_down(1.0)
            await asyncio.sleep(2)
        order: list[int] = []
        await gate.enter()

        async def call(tries: int) -> None:
            await gate.enter(tries)
            order.append(tries)
            gate.leave()

        async with asyncio.TaskGroup() as group:
            for tries in (0, 3, 1, 2, 0, 5):
                group.create_task(call(tries))
            await asyncio.sleep(0)
            gate.leave()
        return order

    order = run_virtually(work())
    assert sorted(order) == [0, 0, 1, 2, 3, 5]
    assert set(order[:2]) == {0, 5}
    assert set(order[2:4]) == {0, 3}
