"""Reconcile: ask the API about rows before they are sent again, or at all.

"Not there yet" lets a row be sent again; that answer is proof only once the first call can no
longer be running over there (docs/konnect-api.md, "which failures leave doubt").
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from pipeline.core.chunks import Chunk, ChunkBody
from pipeline.core.shipment import EarlierStep, EarlierSteps
from pipeline.delivery.api.order_info import Reached
from pipeline.delivery.chunk_rows import Positions, RowOutcomes
from pipeline.delivery.context import Tools
from pipeline.delivery.limiter import SendingStopped
from pipeline.delivery.policy import DeliveryPolicy
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

Answers = dict[tuple[str, Milestone], Reached]
"""Order id and milestone → what the API answered when it was asked."""


class Reconciler:
    """Asks on behalf of one chunk and records the answers in ``rows``.

    ``known``: what this pass of the drop has learned of orders whose calls are over, so that no
    order is asked about twice.
    """

    def __init__(
        self, tools: Tools, chunk_body: ChunkBody, rows: RowOutcomes, known: Answers
    ) -> None:
        self._tools = tools
        self._chunk_body = chunk_body
        self._rows = rows
        self._known = known
        self._proof: dict[int, Reached] = {}

    async def reconcile_rows(
        self, positions: Positions, *, not_before: float | None = None, over: bool = False
    ) -> list[int]:
        """Ask about rows that may have arrived. Return those to be sent; the others have an end.

        ``over``: at ``not_before`` their calls cannot be running any more, so an answer from
        then on is proof, and a row without one is left for a person. Otherwise a row without an
        answer stays in doubt until the next pass.

        A row that is sent again stays in doubt: if the API refuses it, the first call may have
        arrived after all. Answers from before the latest lost call prove nothing about it, and
        are forgotten.
        """
        if not over:
            for pos in positions:
                self._proof.pop(pos, None)
                self._known.pop(self._chunk_body.head(pos), None)
        answers = await self._ask(positions, not_before)
        again: list[int] = []
        for pos in positions:
            answer = answers.get(pos)
            if over and answer is not None:
                self._proof[pos] = self._known[self._chunk_body.head(pos)] = answer
            if answer is Reached.YES:
                self._rows.reconcile(pos)
            elif pos in self._rows.ended:
                self._settle_ended(pos, answer, again)
            elif answer is Reached.NO or self._is_resent(pos):
                again.append(pos)
            elif (answer is not None and over) or not self._tools.policy.reconcile:
                self._rows.leave_unknown(pos)
        self._rows.send_again(again)
        return again

    def leave_unsent(self, positions: Iterable[int]) -> None:
        """End those of these rows as not sent that asking showed not to be there."""
        words = "Not sent: sending of the file was stopped."
        for pos in positions:
            if self._proof.get(pos) is Reached.NO:
                self._rows.set_outcome(pos, Outcome.UNSENT, Code.CANCELLED, words)

    def _is_resent(self, pos: int) -> bool:
        """Return whether a row is sent again if asking gives no answer: not after a 2xx."""
        resend = self._tools.policy.when_in_doubt == "resend"
        return resend and pos not in self._rows.unclear

    def _settle_ended(self, pos: int, answer: Reached | None, again: list[int]) -> None:
        """Settle a row that ended as unknown, and clearly is not there after all."""
        if answer is not Reached.NO:
            return
        if pos in self._rows.refused_before:
            self._rows.fail(pos)
        else:
            again.append(pos)

    async def after_unclear(self, positions: Positions, why: str) -> None:
        """Ask about rows whose answer does not give their result; they stay in doubt otherwise."""
        for pos in positions:
            self._rows.leave_open(pos, why)
        await self.ask_only(positions)
        if not self._tools.policy.reconcile:
            for pos in positions:
                self._rows.leave_unknown(pos)

    async def ask_only(self, positions: Positions) -> bool:
        """Accept those of these rows that asking shows to be there. Returns whether one is."""
        try:
            answers = await self._ask(positions, None)
        except SendingStopped:
            return False
        reached = [pos for pos in positions if answers.get(pos) is Reached.YES]
        for pos in reached:
            self._rows.reconcile(pos)
        return bool(reached)

    async def reconsider(self, refused: Collection[int]) -> None:
        """Ask about rows that were refused when sent again: their first call may have arrived.

        Orders whose answer came when the first call was over are not asked about again.
        """
        doubted = [pos for pos in refused if pos in self._rows.doubted]
        open_still = [pos for pos in doubted if pos not in self._proof]
        answers: Mapping[int, Reached] = self._proof
        if open_still:
            with suppress(SendingStopped):  # they are asked about at the next pass
                answers = {**self._proof, **await self._ask(open_still, None)}
        for pos in doubted:
            answer = answers.get(pos)
            if answer is Reached.YES:
                self._rows.reconcile(pos)
            elif answer in {Reached.NO, Reached.NO_WORD}:
                self._rows.fail(pos)
            elif answer is Reached.CANNOT_TELL and self._claims_to_be_there(pos):
                self._rows.is_there(pos)  # refused so before, and sent again for a person
        await self._look_whether_there(pos for pos in refused if pos not in self._rows.doubted)

    async def _look_whether_there(self, refused: Iterable[int]) -> None:
        """Ask about rows that were refused because their orders have the status already.

        The API's message alone is not enough; where it names the status, asking may leave it open.
        """
        says = {
            pos: named for pos in refused if (named := self._claims_to_be_there(pos)) is not False
        }
        answers: Mapping[int, Reached] = {}
        with suppress(SendingStopped):
            answers = await self._ask(list(says), None)
        for pos, named in says.items():
            answer = answers.get(pos)
            if answer is Reached.YES or (named and answer is Reached.CANNOT_TELL):
                self._rows.is_there(pos)

    def _claims_to_be_there(self, pos: int) -> bool | None:
        return self._rows.claims_to_be_there(pos, self._chunk_body.head(pos)[1].wire)

    async def hold_back(self, positions: Positions, earlier: EarlierSteps) -> list[int]:
        """Judge rows whose order's earlier milestone did not get through; return the others."""
        if not earlier:
            return list(positions)
        go: list[int] = []
        for pos in positions:
            order_id, _ = self._chunk_body.head(pos)
            before = earlier.get(order_id)
            outcome = Outcome.ACCEPTED if before is None else await self._after(before, pos)
            if before is None or outcome is Outcome.ACCEPTED:
                go.append(pos)
            elif outcome is Outcome.FAILED:
                words = f"{before.milestone.wire} of this order failed, so this was not sent."
                self._rows.set_outcome(pos, Outcome.FAILED, Code.EARLIER_FAILED, words)
            else:
                self._rows.wait(pos, before.milestone)
        return go

    async def _after(self, before: EarlierStep, pos: int) -> Outcome:
        """Return what a row may take its order's earlier milestone for: accepted, failed or open.

        Unknown keeps the later one waiting (hazards.md B), but not for ever: where the order's
        state fits either, asking will never tell, and the API decides. Should it
        refuse, that says as much of the earlier step as of this one: it waits again.
        """
        unknown = before.outcome is Outcome.UNKNOWN
        policy = self._tools.policy
        waits = policy.when_in_doubt == "hold" or not policy.reconcile or not before.code
        if before.outcome is not Outcome.FAILED and waits:
            return Outcome.UNSENT
        head = self._chunk_body.head(pos)[0], before.milestone
        before_it = self._known.get(head) or (await self._ask_about({0: head}, None)).get(0)
        if before_it is not None:
            self._known[head] = before_it
        if before_it is Reached.YES:
            return Outcome.ACCEPTED
        if unknown and before_it is Reached.CANNOT_TELL and pos not in self._rows.held_before:
            self._rows.behind[pos] = before.milestone
            return Outcome.ACCEPTED
        refused = before.code == Code.API_REFUSED and before_it in {Reached.NO, Reached.NO_WORD}
        return Outcome.FAILED if before.outcome is Outcome.FAILED or refused else Outcome.UNSENT

    async def _ask(
        self, positions: Collection[int], not_before: float | None
    ) -> Mapping[int, Reached]:
        if not positions or not self._tools.policy.reconcile:
            return {}
        idle = all(self._stays(pos) for pos in positions)
        if idle and self._tools.order_query.is_silent:
            return {}
        return await self._ask_about(
            {pos: self._chunk_body.head(pos) for pos in positions}, not_before
        )

    def _stays(self, pos: int) -> bool:
        """Return whether a row stays in doubt as it is if the API does not answer."""
        return pos in self._rows.ended or pos in self._rows.unclear

    async def _ask_about(
        self, heads: Mapping[int, tuple[str, Milestone]], not_before: float | None
    ) -> Mapping[int, Reached]:
        if not self._tools.policy.reconcile:
            return {}
        answers, notes = await self._tools.order_query.ask(heads, not_before=not_before)
        for note in notes:
            self._rows.note(note)
        return answers


def proof_from(chunk: Chunk, policy: DeliveryPolicy, opened_at: datetime | None) -> float | None:
    """Return from when on (seconds since the epoch) "not there yet" is proof for a chunk in doubt.

    A call of this run left at ``sent_at``, or a little later. Of an earlier run only the mark is
    sure: it was tried until at most its time to give up, and not after this thread began to send.
    """
    if not chunk.sent_at:
        return None
    marked = datetime.fromisoformat(chunk.sent_at)
    timeout = timedelta(seconds=policy.timeout)
    last = marked
    if opened_at is not None and marked < opened_at:
        last = min(opened_at, marked + timedelta(seconds=policy.give_up_after) + timeout)
    return (last + timeout).timestamp()
