"""The machine's clock."""

from datetime import UTC, datetime, timedelta

from pipeline.core.clock import Clock


def test_the_wall_clock_is_aware_and_in_utc():
    now = Clock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_intervals_never_run_backwards():
    clock = Clock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)
