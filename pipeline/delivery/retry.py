"""Decide how one chunk waits, is tried again, renews the token, and gives up."""

from collections.abc import Callable, Hashable

from pipeline.core.errors import Held, Transient
from pipeline.core.shipment import SendingStop
from pipeline.delivery.api.status_response import Answer, Meaning
from pipeline.delivery.context import Tools
from pipeline.delivery.drop_queue import DropQueue
from pipeline.delivery.limiter import SendingStopped

_MAX_RENEWALS = 2
"""Renewals of the token in a row after which a 401 counts as a refusal of every call."""


class GaveUp(Exception):
    """A signal, no error: this chunk has had its share of tries or time."""


class RetryPolicy:
    """Count one chunk's tries and time. Every method may raise SendingStopped or GaveUp."""

    def __init__(
        self, tools: Tools, queue: DropQueue, key: Hashable, others: Callable[[], bool]
    ) -> None:
        """Take the chunk's drop, the chunk's key, and whether other chunks could be tried now."""
        self._tools = tools
        self._queue = queue
        self._key = key
        self._others = others
        self._began = tools.clock.monotonic()
        self._renewals = 0
        self.left_at = self._began
        self.tries = 0
        self._limited = 0

    def answered(self) -> None:
        """Note that something other than a 401 came back."""
        self._renewals = 0

    def knows_better(self, *, since_opened: bool = False) -> bool:
        """Return whether an unclear answer concerns only this call, and is no sign of an outage.

        Another call was accepted since this chunk began (or since sending was opened), or no other
        call is there to show an outage.
        """
        limiter = self._tools.limiter
        if limiter.has_taken if since_opened else limiter.last_success >= self._began:
            return True
        return not (self._others() or limiter.in_flight or limiter.waiting)

    async def failed(self, answer: Answer) -> None:
        """Count a failure, and wait before the next try.

        While others get through it is this chunk's own matter, and only it waits; else all pause.
        """
        tools = self._tools
        self.tries += 1
        asked = tools.policy.obeyed(answer.retry_after)
        self._check(answer.message, asked, attempts=self.tries)
        pause = max(tools.policy.pause(self.tries, tools.rng), asked)
        if not asked and tools.limiter.last_success >= self.left_at:
            await tools.limiter.sleep(pause, self._queue)
        else:
            tools.limiter.slow_down(pause, asked=asked)

    def limited(self, answer: Answer) -> None:
        """Wait after a 429, with all calls, as long as the API says.

        Counts as time, not as a try.
        """
        tools = self._tools
        self._limited += 1
        asked = tools.policy.obeyed(answer.retry_after)
        self._check(answer.message, asked, attempts=0)
        tools.limiter.limited(asked or tools.policy.pause(self._limited, tools.rng), asked=asked)

    async def expired(self, answer: Answer, generation: int) -> None:
        """Get one new token after a 401, for all who wait.

        When that does not help, everything pauses.
        """
        tools = self._tools
        if tools.limiter.shut is not None:
            raise SendingStopped
        try:
            renewed = await tools.api.renew_token(generation)
        except Transient as error:
            await self.failed(Answer(meaning=Meaning.RETRY, message=error.message))
            return
        except Held as error:
            self.hold(str(error), None)
            return
        self._renewals += 1
        if not renewed or self._renewals > _MAX_RENEWALS:
            self.hold(answer.message, 401)

    def hold(self, words: str, status: int | None) -> None:
        """Stop everybody: the API refuses every call."""
        self._tools.limiter.hold(words, status)
        raise SendingStopped

    def _check(self, words: str, asked: float, *, attempts: int) -> None:
        """Give up when tries or time are used up, or would be by waiting as long as asked."""
        tools = self._tools
        others_fail = tools.limiter.failed(self._key, words)
        elapsed = tools.clock.monotonic() - self._began + asked
        if not tools.policy.exhausted(attempts=attempts, elapsed=elapsed):
            return
        if asked:
            tools.limiter.slow_down(0.0, asked=asked)
        silent = tools.limiter.last_success < self._began
        untried = tools.limiter.waiting or self._others()
        if asked or (silent and (others_fail or not untried)):
            tools.limiter.close(
                SendingStop(
                    held=False,
                    reason=f"The API cannot be reached or does not answer: {words}.",
                    hint="Nothing is lost; sending goes on when it is back.",
                )
            )
        raise GaveUp
