"""Limits of reading a file: processor time, several times that by the clock, and memory."""

from typing import Any

import pytest

from pipeline.reading.process import reader_process
from pipeline.reading.process.child_process import Usage
from pipeline.reading.process.reader_process import Watch

MEMORY = 1_000


class Reader:
    """A process that reads; what it has used so far is said by the test."""

    def __init__(self) -> None:
        self.used = Usage(seconds=100.0, memory=10)

    def usage(self) -> Usage:
        return self.used


@pytest.mark.parametrize(
    ("spent", "waited", "memory", "too_long", "too_large"),
    [
        (0.0, 0.0, 10, False, False),
        (2.9, 11.9, MEMORY, False, False),
        (3.1, 3.1, 10, True, False),
        (0.0, 12.1, 10, True, False),  # it waits for something that does not come
        (0.0, 0.0, MEMORY + 1, False, True),
    ],
)
def test_what_one_file_may_cost(
    monkeypatch: pytest.MonkeyPatch,
    spent: float,
    waited: float,
    memory: int,
    too_long: bool,
    too_large: bool,
) -> None:
    now = 50.0
    monkeypatch.setattr(reader_process, "monotonic", lambda: now)
    reader: Any = Reader()
    watched = Watch(reader, allowed=3.0, memory=MEMORY)
    watched.look()
    now += waited
    reader.used = Usage(seconds=100.0 + spent, memory=memory)
    watched.look()
    assert (watched.too_long, watched.too_large) == (too_long, too_large)
