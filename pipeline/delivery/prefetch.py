"""Chunks that are marked and lie ready for the callers, and how many there should be.

A commit is expensive where answers come fast, and marked chunks are in doubt after a crash. So the
buffer holds just enough that no caller waits for a commit.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from pipeline.delivery.policy import DeliveryPolicy

T = TypeVar("T")

_AHEAD_SECONDS = 0.02
_MOST_AHEAD = 128
"""Chunks are marked ahead for about this time at the pace of the last answers, or for as long as
two commits take where that is longer, and never more than so many: a slow API must not have much
in doubt."""


class PrefetchBuffer(Generic[T]):
    """Lives in the dispatcher's loop. ``policy.concurrency`` callers take from it."""

    def __init__(self, policy: DeliveryPolicy, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._ready: asyncio.Queue[T] = asyncio.Queue()
        self._few = asyncio.Event()
        self._least = max(16, 2 * policy.concurrency)
        self._ahead = self._least
        self._recorded_at = 0.0
        self._commit_seconds = 0.0

    @property
    def room(self) -> int:
        """Return how many may be marked: those in the callers' hands, and those that lie here."""
        return self._ahead + self._policy.concurrency

    def __len__(self) -> int:
        return self._ready.qsize()

    def put(self, item: T) -> None:
        """Lay down one whose mark is on disk."""
        self._ready.put_nowait(item)

    async def take(self) -> T:
        """Return the next one, as soon as there is one."""
        item = await self._ready.get()
        if len(self) <= self._ahead // 4:
            self._few.set()
        return item

    def empty(self) -> list[T]:
        """Take all that are left."""
        return [self._ready.get_nowait() for _ in range(len(self))]

    async def gather(self, answers: int, *, calling: int) -> None:
        """Let more answers come than these, as long as callers find enough to send meanwhile.

        ``calling``: how many callers are out. Without one no answer comes, and none is waited for.
        """
        if not (0 < answers < self._ahead // 2 and calling and len(self)):
            return
        self._few.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.gather):
                await self._few.wait()

    def keep_pace(self, answered: int) -> None:
        """Adapt to the answers since the last time: mark as much ahead as is soon sent."""
        now = self._monotonic()
        passed, self._recorded_at = max(now - self._recorded_at, 1e-6), now
        wanted = answered / passed * max(_AHEAD_SECONDS, 2 * self._commit_seconds)
        smooth = (3 * self._ahead + wanted) / 4
        self._ahead = max(self._least, min(_MOST_AHEAD, round(smooth)))

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Time a commit: the duration of those that do not fail is learned."""
        began = self._monotonic()
        yield
        took = self._monotonic() - began
        self._commit_seconds = (3 * self._commit_seconds + took) / 4
