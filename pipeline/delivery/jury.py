"""The jury: is it these rows that the API refuses, or everything we send?

A chunk refused whole is halved until its bad rows stand alone. When *every* chunk is refused alike
it is not the rows, and failing a whole file row by row would be wrong. As long as nothing of this
run has been taken, chunks are isolated one at a time; three refused to the last row with one status
end in a hold, and their rows stay unsent.
"""

import asyncio
from collections import Counter

from pipeline.delivery.gate import Gate, Shut

_ENOUGH = 3
"""Chunks refused to the last row, alike, that make a hold."""


class Jury:
    """What the calls of one room have shown so far. ``bench`` seats one isolation at a time."""

    def __init__(self) -> None:
        self.taken = False
        self.bench = asyncio.Lock()
        self._alike: Counter[str] = Counter()

    def took(self) -> None:
        """The API understood a call of ours, whatever it said of its rows."""
        self.taken = True
        self._alike.clear()

    def reopened(self) -> None:
        """Sending is tried again: one more chunk is enough to tell that nothing has changed."""
        self.taken = False
        self._alike = Counter({what: min(n, _ENOUGH - 1) for what, n in self._alike.items()})

    def hear(self, what: str, words: str, gate: Gate) -> None:
        """A chunk got nothing but ``what`` (say "422"). Holds all sending when that is enough."""
        if self.taken:
            return
        self._alike[what] += 1
        if self._alike[what] >= _ENOUGH:
            gate.close(
                Shut(
                    held=True,
                    reason=f"The API gives every call the same answer ({what}) and has taken none: "
                    f"{words or 'without a word'}",
                    hint="It is not the rows: check api.base_url and what stands between. "
                    "What was not sent stays unsent.",
                )
            )
