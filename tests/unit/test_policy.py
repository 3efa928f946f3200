"""Back-off, give-up and how far a Retry-After is obeyed."""

import random

import pytest

from tests.fakes.policies import delivery_policy


def test_pauses_double_up_to_the_longest_with_jitter_below() -> None:
    policy = delivery_policy(first_pause=0.5, longest_pause=30)
    for failures in range(1, 200):
        ceiling = min(30.0, 0.5 * 2 ** (failures - 1))
        for seed in range(5):
            pause = policy.pause(failures, random.Random(seed))
            assert ceiling / 2 <= pause <= ceiling


@pytest.mark.parametrize(
    ("attempts", "elapsed", "over"),
    [(7, 899.9, False), (8, 0.0, True), (0, 900.0, True), (9, 1000.0, True)],
)
def test_either_tries_or_time_end_it(attempts: int, elapsed: float, over: bool) -> None:
    assert delivery_policy().exhausted(attempts=attempts, elapsed=elapsed) is over


@pytest.mark.parametrize(
    ("asked", "obeyed"), [(None, 0.0), (-3.0, 0.0), (12.5, 12.5), (1e9, 3600.0)]
)
def test_a_wild_retry_after_does_not_stop_us_for_years(asked: float | None, obeyed: float) -> None:
    assert delivery_policy().obeyed(asked) == obeyed
