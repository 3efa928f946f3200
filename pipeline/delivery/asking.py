"""Asking ``shipment/info`` where orders are, to settle answers that were lost."""

import asyncio
import random
from collections.abc import Mapping
from enum import Enum

from pipeline.delivery.gate import Gate
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.errors import Held, Transient
from pipeline.model import Milestone, stamp
from pipeline.ports import Clock, Receipt, Reply, StatusApi
from pipeline.stages.reconcile import Reached, reconcile

_MISSING = frozenset({404, 405, 501})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES = 4


class Told(Enum):
    """What asking told of one row."""

    REACHED = "at the status, or beyond"
    BEHIND = "not there yet"
    UNCLEAR = "cannot tell"


_FROM = {Reached.YES: Told.REACHED, Reached.NO: Told.BEHIND, Reached.CANNOT_TELL: Told.UNCLEAR}


class Asker:
    """Asks one order at a time; every question passes the gate like any call."""

    def __init__(
        self,
        *,
        api: StatusApi,
        gate: Gate,
        policy: DeliveryPolicy,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._api = api
        self._gate = gate
        self._policy = policy
        self._clock = clock
        self._rng = rng

    async def ask(
        self, heads: Mapping[int, tuple[str, Milestone]], *, not_before: float | None
    ) -> tuple[Mapping[int, Told], list[Receipt]]:
        """Ask for each place's order and milestone.

        "Not there yet" said before ``not_before`` (seconds since the epoch) is asked again at that
        time. Returns what was told by place, and a receipt per clear answer. Raises GateShut.
        """
        told: dict[int, Told] = {}
        notes: list[Receipt] = []
        early = not_before is not None and self._clock.now().timestamp() < not_before
        for pos, (order_id, milestone) in heads.items():
            told[pos] = await self._ask_one(order_id, milestone, notes, pos)
        behind = [pos for pos, word in told.items() if word is Told.BEHIND]
        if early and behind and not_before is not None:
            await asyncio.sleep(max(0.0, not_before - self._clock.now().timestamp()))
            for pos in behind:
                told[pos] = await self._ask_one(*heads[pos], notes, pos)
        return told, notes

    async def _ask_one(
        self, order_id: str, milestone: Milestone, notes: list[Receipt], pos: int
    ) -> Told:
        reply = await self._reply_for(order_id)
        if reply is None:
            return Told.UNCLEAR
        word = _FROM[reconcile(reply, order_id, milestone)]
        notes.append(
            Receipt(
                chunk_no=0,
                at=stamp(self._clock.now()),
                kind="ask",
                http_status=reply.status,
                note=word.value,
                positions=str(pos),
            )
        )
        return word

    async def _reply_for(self, order_id: str) -> Reply | None:
        """The answer about one order, after a few tries; None when none can be had."""
        for attempt in range(1, _TRIES + 1):
            generation = self._api.token_generation
            await self._gate.enter()
            try:
                reply = await self._api.order_info(order_id)
            except Transient:
                reply = None
            except Held:
                return None
            finally:
                self._gate.leave()
            if reply is not None and reply.status == 401:
                if not await self._renewed(generation):
                    return None
            elif reply is not None and reply.status not in _AGAIN:
                return reply if reply.status not in _MISSING else None
            else:
                self._gate.slow_down(self._policy.pause(attempt, self._rng))
        return None

    async def _renewed(self, generation: int) -> bool:
        try:
            return await self._api.renew_token(generation)
        except (Transient, Held):
            return False
