"""Unclear answers: is it this one call, or does the API answer every call with the same nonsense?

A log-in page under 200 is as much of an outage as a 503. One such answer may be anything; so many
of a kind, with nothing taken between, are held like one.
"""

import asyncio

_ENOUGH = 3
"""Unclear answers of one kind in a row, with nothing shown to be taken, that make a hold."""


class UnclearAnswers:
    """Count unclear answers since the last call that the API took.

    ``turn``: held while one of them is looked into, so that no more are asked about than it takes.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._in_a_row: dict[str, int] = {}

    def forget(self) -> None:
        """The API took a call."""
        self._in_a_row.clear()

    def again(self, kind: str) -> bool:
        """Count an answer that says nothing, of a call that is not shown to be taken.

        Returns whether there are enough of its kind to hold sending.
        """
        self._in_a_row[kind] = self._in_a_row.get(kind, 0) + 1
        return self._in_a_row[kind] >= _ENOUGH

    def reopened(self) -> None:
        """Sending is tried again: one more is enough to tell that nothing has changed."""
        self._in_a_row = {kind: min(n, _ENOUGH - 1) for kind, n in self._in_a_row.items()}
