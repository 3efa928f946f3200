"""The bell of the service's loop: rung from threads, and from a handler that interrupts it."""

import signal
import threading
from time import monotonic

import pytest

from pipeline.service.scan_timer import Bell


def test_it_waits_no_longer_than_it_is_told() -> None:
    began = monotonic()
    Bell().wait(0.05)
    assert 0.04 < monotonic() - began < 5


def test_rung_before_the_wait_or_during_it_the_wait_ends_and_the_next_one_is_new() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    bell.wait(60)
    threading.Timer(0.05, bell.ring).start()
    bell.wait(60)
    began = monotonic()
    bell.wait(0.05)
    assert monotonic() - began > 0.04


@pytest.mark.timeout(60)
def test_a_handler_may_ring_it_at_any_moment_of_a_wait() -> None:
    bell, rung = Bell(), 0

    def handle(_number: int, _frame: object) -> None:
        nonlocal rung
        rung += 1
        bell.ring()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        while rung < 5_000:
            bell.wait(0.0001)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
