"""Whose file is read next, and where: nobody's small file waits behind somebody else's giant.

Giants are read in a lane of their own, beside the small ones.

Each courier's folder gets an equal share of the bytes that are read (fair queueing by finish
times). Within a folder files keep the order of their claims, and a giant is never passed for ever:
only until the others have had as many bytes as it has.
"""

import heapq
from collections.abc import Iterator

from pipeline.core.model import Drop

_LEAST = 64 * 1024
"""Bytes that a file counts for at least: opening, planning and reporting it cost something too."""


_GIANT = 4 * 1024 * 1024
_TOGETHER_BYTES = 512 * 1024
"""Largest file that is read with others; a larger one is read alone."""

_UNPACKS = 8
_PACKED = (".xlsx", ".xlsm", ".xlsb", ".ods", ".zip")


class Lanes:
    """Claimed drops that wait to be read, in two lanes.

    A courier's files keep their order: behind its giant its small files take the giants' lane. The
    inbox itself is no courier's: of its files, small ones pass.
    """

    def __init__(self) -> None:
        self._small, self._giants = FairQueue(), FairQueue()
        self._giant: Drop | None = None

    def append(self, drop: Drop) -> None:
        """Take a drop in."""
        behind = drop.folder and any(each.folder == drop.folder for each in self._giants_now())
        (self._giants if behind or is_giant(drop) else self._small).append(drop)

    def some(self, most: int) -> list[Drop]:
        """Give out the next of the small ones, so many at most that they can be read together."""
        drops: list[Drop] = []
        weight = 0
        while self._small and len(drops) < most:
            weight += weight_of(self._small.first)
            if drops and weight > _TOGETHER_BYTES:
                break
            drops.append(self._small.popleft())
        return drops

    def giant(self) -> Drop | None:
        """Give out the next of the giants, unless one is under way: then not before ``ended``."""
        if self._giant is None and self._giants:
            self._giant = self._giants.popleft()
            return self._giant
        return None

    def ended(self, drop: Drop) -> None:
        """This drop was read and planned, or is not to be; the next giant may come."""
        if self._giant is not None and self._giant.drop_id == drop.drop_id:
            self._giant = None

    def clear(self) -> None:
        """Forget all that wait."""
        self._small.clear()
        self._giants.clear()

    def _giants_now(self) -> Iterator[Drop]:
        yield from self._giants
        if self._giant is not None:
            yield self._giant

    def __len__(self) -> int:
        return len(self._small) + len(self._giants)

    def __iter__(self) -> Iterator[Drop]:
        yield from self._small
        yield from self._giants


def is_giant(drop: Drop) -> bool:
    """Tell whether reading it takes long."""
    return weight_of(drop) >= _GIANT


def weight_of(drop: Drop) -> int:
    """Return how many bytes there are to read, about.

    A workbook unpacks to several times its size.
    """
    packed = drop.source_file.casefold().endswith(_PACKED)
    return drop.size * (_UNPACKS if packed else 1)


class FairQueue:
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

    @property
    def first(self) -> Drop:
        """Return the next one. Raises IndexError when none waits."""
        return self._heap[0][2]

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
