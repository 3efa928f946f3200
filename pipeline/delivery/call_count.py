"""Counts calls and how long they take, for people and machines that watch. Changes nothing."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from pipeline.core.ports import Reply, StatusApi


class CallCount:
    """Calls since the start. Changed in the delivery thread only, read from other threads.

    ``by_status``: HTTP status or "no answer" → calls; ``by_time``: calls per class of ``bounds``
    (seconds), one more at the end for longer ones; ``seconds``: all together.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.by_status: Counter[str] = Counter()
        self.by_time = [0] * (len(self.bounds) + 1)
        self.seconds = 0.0

    def add(self, status: str, seconds: float) -> None:
        """Count a call."""
        self.by_status[status] += 1
        self.by_time[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class Wrapped:
    """Passes on to another ``ports.StatusApi`` what is no call about orders."""

    def __init__(self, api: StatusApi) -> None:
        self._api = api

    @property
    def token_generation(self) -> int:
        """See ``StatusApi``."""
        return self._api.token_generation

    async def renew_token(self, generation: int) -> bool:
        """See ``StatusApi``."""
        return await self._api.renew_token(generation)

    async def close(self) -> None:
        """See ``StatusApi``."""
        await self._api.close()


class Metered(Wrapped):
    """Implements ``ports.StatusApi`` around another one, and counts its calls."""

    def __init__(self, api: StatusApi, count: CallCount, *, monotonic: Callable[[], float]) -> None:
        super().__init__(api)
        self._count = count
        self._monotonic = monotonic

    async def put_status(self, body: bytes) -> Reply:
        """See ``StatusApi``."""
        return await self._timed(self._api.put_status(body))

    async def order_info(self, order_id: str) -> Reply:
        """See ``StatusApi``."""
        return await self._timed(self._api.order_info(order_id))

    async def _timed(self, call: Awaitable[Reply]) -> Reply:
        began, status = self._monotonic(), "no answer"
        try:
            reply = await call
            status = str(reply.status)
            return reply
        finally:
            self._count.add(status, self._monotonic() - began)
