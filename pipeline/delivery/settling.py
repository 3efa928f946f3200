"""Settling: what is asked before rows are sent again, or at all.

"Not there yet" lets a row be sent again; that answer is proof only once the first call can no
longer be running over there (konnect-api.md, "which failures leave doubt").
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from pipeline.delivery.asking import Told
from pipeline.delivery.gate import GateShut
from pipeline.delivery.outcomes import Positions, RowBook
from pipeline.delivery.parcel import Parcel
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.delivery.tools import Before, Earlier, Tools
from pipeline.ports import Chunk
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome


class Settler:
    """Asks on behalf of one chunk and writes down in ``rows`` what that settles."""

    def __init__(self, tools: Tools, parcel: Parcel, rows: RowBook, owner: object) -> None:
        self._tools = tools
        self._parcel = parcel
        self._rows = rows
        self._owner = owner

    async def settle(self, positions: Positions, *, not_before: float | None = None) -> list[int]:
        """Ask about lost rows. Returns what is to be sent again; the rest has its end.

        What is sent again stays doubted: should the API refuse it, that may only mean that the
        first call arrived after all.
        """
        told = await self._ask(positions, not_before)
        again: list[int] = []
        for pos in positions:
            word = told.get(pos, Told.UNCLEAR)
            if word is Told.REACHED:
                self._rows.reconcile(pos)
            elif word is Told.UNCLEAR and self._tools.policy.when_in_doubt == "hold":
                why = "its answer was lost, and api.when_in_doubt is hold"
                self._rows.leave_unknown(pos, why, Code.ANSWER_LOST)
            else:
                again.append(pos)
                self._rows.doubted.add(pos)
        self._rows.lost.difference_update(positions)
        return again

    async def after_unclear(self, positions: Positions, why: str) -> None:
        """After a 2xx that says nothing clear: ask, and never send again."""
        for pos in positions:
            said = f"its answer was unclear ({why})"
            self._rows.leave_unknown(pos, said, Code.ANSWER_UNCLEAR)
        await self.ask_only(positions)

    async def ask_only(self, positions: Positions) -> None:
        """Ask about rows that are judged unknown; those that got there are accepted."""
        try:
            told = await self._ask(positions, None)
        except GateShut:
            return
        for pos in positions:
            if told.get(pos) is Told.REACHED:
                self._rows.reconcile(pos)

    async def hold_back(self, positions: Positions, earlier: Earlier) -> list[int]:
        """Judge rows whose order's earlier milestone did not get through; return the others."""
        if not earlier:
            return list(positions)
        go: list[int] = []
        for pos in positions:
            order_id, _ = self._parcel.head(pos)
            before = earlier.get(order_id)
            outcome = Outcome.ACCEPTED if before is None else await self._after(before, order_id)
            if before is None or outcome is Outcome.ACCEPTED:
                go.append(pos)
            elif outcome is Outcome.FAILED:
                words = f"{before.milestone.wire} of this order failed, so this was not sent."
                self._rows.judge(pos, Outcome.FAILED, Code.EARLIER_FAILED, words)
            else:
                words = f"{before.milestone.wire} of this order is not settled yet; this waits."
                self._rows.judge(pos, Outcome.UNSENT, Code.EARLIER_OPEN, words)
        return go

    async def _after(self, before: Before, order_id: str) -> Outcome:
        """What a row may take its order's earlier milestone for: accepted, failed or open.

        Unknown keeps the later one waiting (hazards.md B), but not for ever: where the API, asked,
        has no word that would ever tell, it decides (decision 26).
        """
        unknown = before.outcome is Outcome.UNKNOWN
        lost = unknown and before.code == Code.ANSWER_LOST
        policy = self._tools.policy
        waits = policy.when_in_doubt == "hold" or not policy.reconcile or not before.code
        if before.outcome is not Outcome.FAILED and waits:
            return Outcome.UNSENT
        told = (await self._ask_about({0: (order_id, before.milestone)}, None)).get(0)
        if told is Told.REACHED or (unknown and told is Told.UNCLEAR):
            return Outcome.ACCEPTED
        if before.outcome is Outcome.FAILED or (lost and told is Told.BEHIND):
            return Outcome.FAILED
        return Outcome.UNSENT

    async def _ask(
        self, positions: Collection[int], not_before: float | None
    ) -> Mapping[int, Told]:
        if not self._tools.policy.reconcile or not positions:
            return {}
        return await self._ask_about({pos: self._parcel.head(pos) for pos in positions}, not_before)

    async def _ask_about(
        self, heads: Mapping[int, tuple[str, Milestone]], not_before: float | None
    ) -> Mapping[int, Told]:
        if not self._tools.policy.reconcile:
            return {}
        told, notes = await self._tools.asker.ask(heads, not_before=not_before, owner=self._owner)
        for note in notes:
            self._rows.note(note)
        return told


def proof_from(chunk: Chunk, policy: DeliveryPolicy, opened_at: datetime | None) -> float | None:
    """From when on (seconds since the epoch) "not there yet" is proof for a chunk in doubt.

    A call of this run left at ``sent_at``, or a little later. Of an earlier run only the mark is
    sure: it was tried until at most its time to give up, and not after this room opened.
    """
    if not chunk.sent_at:
        return None
    marked = datetime.fromisoformat(chunk.sent_at)
    timeout = timedelta(seconds=policy.timeout)
    last = marked
    if opened_at is not None and marked < opened_at:
        last = min(opened_at, marked + timedelta(seconds=policy.give_up_after) + timeout)
    return (last + timeout).timestamp()
