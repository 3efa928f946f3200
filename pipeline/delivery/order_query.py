"""Asking ``shipment/info`` where orders are, to settle answers that were lost."""

import random
from collections.abc import Mapping

from pipeline.core.chunks import Receipt
from pipeline.core.clock import Clock
from pipeline.core.errors import Held, Transient
from pipeline.core.model import stamp
from pipeline.core.ports import Reply, StatusApi
from pipeline.delivery.api.order_info import Reached, parse_order_info
from pipeline.delivery.api.status_response import retry_after
from pipeline.delivery.limiter import Limiter, SendingStopped
from pipeline.delivery.policy import DeliveryPolicy
from schemas.vocabulary import Milestone

_BUSY = frozenset({429, 503})
_AGAIN = frozenset({408, 425, 500, 502, 504})
_TRIES = 4

_OF_ONE_ORDER = frozenset({400, 404, 409, 410, 422})
"""Answers that may be about the order that was asked for: the next one is asked about all the same.
"""

_SILENT = 2
_SILENT_SECONDS = 2.0
"""After so many queries in a row without an answer, pause queries for so long where they change
nothing: the rows in doubt stay in doubt."""


class OrderQuery:
    """Asks one order at a time; every question passes the limiter like any call."""

    def __init__(
        self,
        *,
        api: StatusApi,
        limiter: Limiter,
        policy: DeliveryPolicy,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._api = api
        self._limiter = limiter
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self._unanswered = 0
        self._unanswered_at = 0.0

    @property
    def is_silent(self) -> bool:
        """Return whether the last questions, a moment ago, had no answer."""
        recent = self._clock.monotonic() - self._unanswered_at < _SILENT_SECONDS
        return self._unanswered >= _SILENT and recent

    async def ask(
        self,
        heads: Mapping[int, tuple[str, Milestone]],
        *,
        not_before: float | None,
    ) -> tuple[Mapping[int, Reached], list[Receipt]]:
        """Ask for each place's order and milestone, each order once.

        Nothing is asked before ``not_before`` (seconds since the epoch): until then the old call
        may still be running at the API, and a resend would be in flight beside it. Returns the
        findings by place, and a receipt per answered query; places that are missing could not be
        asked about. Raises SendingStopped.
        """
        reached: dict[int, Reached] = {}
        notes: list[Receipt] = []
        if (wait := self._until(not_before)) > 0:
            await self._limiter.sleep(wait)
        for pos, (order_id, milestone) in heads.items():
            reply = await self._reply_for(order_id)
            word = parse_order_info(reply, order_id, milestone) if reply else None
            self._note_silence(answered=word is not None)
            if reply is not None:
                said = word.value if word else "no answer to the query"
                notes.append(self._receipt(pos, reply, said))
            if word is not None:
                reached[pos] = word
            elif reply is None or reply.status not in _OF_ONE_ORDER:
                break  # when one cannot be answered at all, neither can the next
        return reached, notes

    def _note_silence(self, *, answered: bool) -> None:
        self._unanswered = 0 if answered else self._unanswered + 1
        self._unanswered_at = self._clock.monotonic()

    def _receipt(self, pos: int, reply: Reply, note: str) -> Receipt:
        return Receipt(
            chunk_no=0,
            at=stamp(self._clock.now()),
            kind="ask",
            http_status=reply.status,
            note=note,
            positions=str(pos),
        )

    def _until(self, moment: float | None) -> float:
        return 0.0 if moment is None else moment - self._clock.now().timestamp()

    async def _reply_for(self, order_id: str) -> Reply | None:
        """Return the answer about one order, after a few tries; None when none can be had."""
        for attempt in range(1, _TRIES + 1):
            reply, generation = await self._ask_once(order_id, attempt)
            pause = self._policy.pause(attempt, self._rng)
            if reply is None or reply.status in _AGAIN:
                # The questions' own trouble: calls that send go on meanwhile.
                await self._limiter.sleep(pause if attempt < _TRIES else 0)
            elif reply.status in _BUSY:
                asked = self._policy.obeyed(retry_after(reply, self._clock.now()))
                self._limiter.limited(max(pause, asked), asked=asked)
            elif reply.status == 401:
                await self._renew(generation)
            else:
                return reply
        return None

    async def _ask_once(self, order_id: str, attempt: int) -> tuple[Reply | None, int]:
        await self._limiter.enter(attempt)
        generation = self._api.token_generation
        try:
            return await self._api.order_info(order_id), generation
        except Transient:
            return None, generation
        except Held as error:
            self._limiter.hold(str(error), None)
            raise SendingStopped from error
        finally:
            self._limiter.leave()

    async def _renew(self, generation: int) -> None:
        """Get a new token, for this question and for everybody; without one, everything pauses."""
        if self._limiter.shut is not None:
            raise SendingStopped
        try:
            renewed = await self._api.renew_token(generation)
        except Transient:
            return
        except Held:
            renewed = False
        if not renewed:
            self._limiter.hold("the token is no longer accepted", 401)
            raise SendingStopped
