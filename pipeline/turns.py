"""Whose file is read next: small files of one courier need not wait behind a giant of another.

Each courier's folder gets an equal share of the bytes that are read (fair queueing by finish
times). Within a folder files keep the order of their claims, and a giant is never passed for ever:
only until the others have had as many bytes as it has.
"""

import heapq
from collections.abc import Iterator

from pipeline.model import Drop

_LEAST = 64 * 1024
"""Bytes that a file counts for at least: opening, planning and reporting it cost something too."""


class Turns:
    """Claimed drops that wait to be read. ``popleft`` is whose turn it is."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Drop]] = []
        self._last: dict[str, int] = {}
        self._now = 0
        self._count = 0

    def append(self, drop: Drop) -> None:
        """Take a drop in, behind those of its own folder."""
        start = max(self._now, self._last.get(drop.folder, 0))
        finish = start + max(drop.size, _LEAST)
        self._last[drop.folder] = finish
        self._count += 1
        heapq.heappush(self._heap, (finish, self._count, drop))

    def popleft(self) -> Drop:
        """Give out the next one. Raises IndexError when none waits."""
        self._now, _, drop = heapq.heappop(self._heap)
        if not self._heap:
            self._last.clear()  # folders of couriers come and go: nothing is kept of them
        return drop

    def clear(self) -> None:
        """Forget all that wait."""
        self._heap.clear()
        self._last.clear()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Drop]:
        return (drop for _, _, drop in self._heap)
