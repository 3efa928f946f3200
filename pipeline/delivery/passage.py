"""One chunk's passage: out through the gate, tried again, asked about, until each row has an end.

What the API refuses as a whole is halved until the bad rows stand alone (decision 7); what was
lost on the way is asked about first (decision 5). Nothing here writes: the result is a value.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.codes import Code
from pipeline.delivery.asking import Asker, Told
from pipeline.delivery.gate import Gate, GateShut, Shut
from pipeline.delivery.parcel import Parcel
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.errors import Held, Transient
from pipeline.model import Milestone, Outcome, stamp
from pipeline.ports import Chunk, ChunkResult, ChunkState, Clock, Receipt, StatusApi, Verdict
from pipeline.stages.decipher import Answer, Meaning, Refusal, decipher

#: order id → how its earlier milestone in this drop ended, and which one that was
Earlier = Mapping[str, tuple[Outcome, Milestone]]
Positions = Sequence[int]

_MAX_RENEWALS = 2
"""A token that was renewed this often for one chunk and is still refused is not the matter."""

_FINAL = frozenset({Outcome.ACCEPTED, Outcome.FAILED})
"""Verdicts that stand when a chunk is taken up again."""


class GaveUp(Exception):
    """This chunk has had its share of tries or time."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What every passage of one room uses."""

    api: StatusApi
    gate: Gate
    policy: DeliveryPolicy
    clock: Clock
    rng: random.Random
    asker: Asker


class Passage:
    """The passage of one chunk. Use once: ``ChunkResult`` = ``await Passage(…).run()``."""

    def __init__(
        self,
        chunk: Chunk,
        parcel: Parcel,
        tools: Tools,
        *,
        known: Sequence[Verdict] = (),
        earlier: Earlier | None = None,
        may_split: Callable[[], bool],
    ) -> None:
        self._chunk = chunk
        self._parcel = parcel
        self._tools = tools
        self._earlier = earlier or {}
        self._may_split = may_split
        self._verdicts = {v.pos: v for v in known if v.outcome in _FINAL}
        self._accepted: set[int] = set()
        self._receipts: list[Receipt] = []
        self._attempts = chunk.attempts
        self._tries = 0
        self._http_status = chunk.http_status
        self._sent_at = chunk.sent_at
        self._last_words = ""
        self._lost: set[int] = set()  # sent, and no answer yet
        self._doubted: set[int] = set()  # sent again although the first call may have arrived
        self._renewals = 0
        self._began = tools.clock.monotonic()

    async def run(self) -> ChunkResult:
        """Bring every row of the chunk to an end, or as far as the gate allows."""
        positions = [pos for pos in range(self._chunk.size) if pos not in self._verdicts]
        state = ChunkState.DONE
        try:
            if self._chunk.state is ChunkState.SENDING:
                self._lost.update(positions)
                positions = await self._settle(positions, after_crash=True)
            positions = await self._after_earlier(positions)
            await self._send(positions)
        except (GateShut, GaveUp):
            state = ChunkState.SENDING if self._lost else ChunkState.PLANNED
        if any(v.outcome is Outcome.UNSENT for v in self._verdicts.values()):
            state = ChunkState.PLANNED
        return self._result(state)

    # -- sending -------------------------------------------------------------------------------

    async def _send(self, positions: Positions) -> None:
        """Send these places in one call, again and again until the answer settles them."""
        while positions:
            generation = self._tools.api.token_generation
            answer = await self._call(positions)
            match answer.meaning:
                case Meaning.DONE:
                    await self._take(answer, positions)
                    return
                case Meaning.DOUBT:
                    await self._ask_only(positions, answer.message)
                    return
                case Meaning.REFUSED:
                    await self._isolate(answer, positions)
                    return
                case Meaning.LOST:
                    self._back_off(answer)
                    positions = await self._settle(positions)
                case Meaning.RETRY:
                    self._back_off(answer)
                case Meaning.LIMITED:
                    self._slow_down(answer)
                case Meaning.EXPIRED:
                    await self._renew(answer, generation)
                case Meaning.HELD:
                    self._hold(answer.message, self._http_status)

    async def _call(self, positions: Positions) -> Answer:
        """One PUT. What did not come back is an answer too."""
        tools = self._tools
        await tools.gate.enter()
        sent = tools.clock.now()
        self._sent_at = stamp(sent)
        self._attempts += 1
        self._lost.update(positions)
        try:
            reply = await tools.api.put_status(self._parcel.part(positions))
        except Transient as error:
            meaning = Meaning.LOST if error.in_doubt else Meaning.RETRY
            answer = Answer(meaning=meaning, message=error.message)
            self._http_status = None
        except Held as error:
            self._lost.difference_update(positions)
            self._hold(str(error), None)
        else:
            answer = decipher(reply, self._parcel.order_ids(positions), now=tools.clock.now())
            self._http_status = reply.status
        finally:
            tools.gate.leave()
        self._last_words = answer.message
        if answer.meaning not in {Meaning.LOST, Meaning.DOUBT}:
            self._lost.difference_update(positions)
        if answer.meaning is not Meaning.DONE or self._receipts or answer.failed:
            self._receive("put", self._http_status, answer, positions)
        return answer

    async def _take(self, answer: Answer, positions: Positions) -> None:
        """A 2xx: all taken but those it names; those it hides are asked about."""
        self._tools.gate.succeeded()
        for at, refusal in answer.failed.items():
            self._refuse(positions[at], refusal)
        doubtful = [positions[at] for at in sorted(answer.doubtful)]
        self._accepted.update(set(positions) - set(doubtful) - self._verdicts.keys())
        if doubtful:
            await self._ask_only(doubtful, answer.message)

    async def _isolate(self, answer: Answer, positions: Positions) -> None:
        """Refused whole: one row bears it alone; several are halved, within the drop's budget."""
        named = {positions[at]: refusal for at, refusal in answer.failed.items()}
        word = Refusal(code=str(self._http_status or ""), message=answer.message)
        if len(positions) == 1 or not self._may_split():
            for pos in positions:
                self._refuse(pos, named.get(pos, word))
            return
        if named and len(named) < len(positions):
            parts = [[p for p in positions if p not in named], sorted(named)]
        else:
            middle = len(positions) // 2
            parts = [list(positions[:middle]), list(positions[middle:])]
        for part in parts:
            await self._send(part)

    def _refuse(self, pos: int, refusal: Refusal) -> None:
        """The API's no to one row; after a lost answer it may only mean "already done"."""
        words = f"{refusal.code}: {refusal.message}" if refusal.code else refusal.message
        if pos in self._doubted:
            self._judge(
                pos,
                Outcome.UNKNOWN,
                Code.ANSWER_LOST,
                f"An answer was lost; sent again, the API refused: {words}",
            )
        else:
            self._judge(pos, Outcome.FAILED, Code.API_REFUSED, f"The API refused: {words}")

    # -- waiting -------------------------------------------------------------------------------

    def _back_off(self, answer: Answer) -> None:
        """A failure that counts: pause everyone, and give up when this chunk has had its share."""
        tools = self._tools
        self._tries += 1
        tools.gate.failures += 1
        elapsed = tools.clock.monotonic() - self._began
        if tools.policy.exhausted(attempts=self._tries, elapsed=elapsed):
            self._give_up(answer.message)
        pause = tools.policy.pause(self._tries, tools.rng)
        tools.gate.slow_down(max(pause, answer.retry_after or 0.0))

    def _slow_down(self, answer: Answer) -> None:
        """Too fast: all calls wait as long as the API says. Counts as time, not as a try."""
        tools = self._tools
        if tools.clock.monotonic() - self._began >= tools.policy.give_up_after:
            self._give_up(answer.message)
        pause = answer.retry_after
        tools.gate.slow_down(pause if pause is not None else tools.policy.pause(1, tools.rng))

    def _give_up(self, words: str) -> None:
        """If nothing got through since we began, it is the API, and everybody stops."""
        if self._tools.gate.last_success < self._began:
            self._tools.gate.close(
                Shut(
                    held=False,
                    reason=f"The API cannot be reached or does not answer: {words}.",
                    hint="Nothing is lost; sending goes on when it is back.",
                )
            )
        raise GaveUp

    async def _renew(self, answer: Answer, generation: int) -> None:
        """401: one new token for all who wait; when that does not help, everything pauses."""
        try:
            renewed = await self._tools.api.renew_token(generation)
        except Transient as error:
            self._back_off(Answer(meaning=Meaning.RETRY, message=error.message))
            return
        self._renewals += 1
        if not renewed or self._renewals > _MAX_RENEWALS:
            self._hold(answer.message, 401)

    def _hold(self, words: str, status: int | None) -> None:
        answered = f"answered {status}" if status else "would not take us"
        self._tools.gate.close(
            Shut(
                held=True,
                reason=f"The API {answered}: {words}" if words else f"The API {answered}.",
                hint="Check api.base_url, the token and its rights; nothing was rejected.",
            )
        )
        raise GateShut

    # -- asking --------------------------------------------------------------------------------

    async def _settle(self, positions: Positions, *, after_crash: bool = False) -> list[int]:
        """Ask about what was lost. Returns what is to be sent (again); the rest has its end."""
        told = await self._ask(positions, after_crash=after_crash)
        again: list[int] = []
        for pos in positions:
            if told.get(pos) is Told.REACHED:
                self._reconciled(pos)
            elif told.get(pos) is Told.BEHIND:
                again.append(pos)
            elif self._tools.policy.when_in_doubt == "hold":
                self._in_doubt(pos, "its answer was lost, and api.when_in_doubt is hold")
            else:
                again.append(pos)
                self._doubted.add(pos)
        self._lost.difference_update(positions)
        return again

    async def _ask_only(self, positions: Positions, why: str) -> None:
        """After a 2xx that says nothing clear: ask, and never send again."""
        told = await self._ask(positions, after_crash=False)
        for pos in positions:
            if told.get(pos) is Told.REACHED:
                self._reconciled(pos)
            else:
                self._in_doubt(pos, f"its answer was unclear ({why})", Code.ANSWER_UNCLEAR)
        self._lost.difference_update(positions)

    async def _ask(self, positions: Positions, *, after_crash: bool) -> Mapping[int, Told]:
        tools = self._tools
        if not tools.policy.reconcile:
            return {}
        not_before = None
        if after_crash and self._chunk.sent_at:
            # The old call may still be running there: "not yet" proves nothing before this.
            not_before = _moment(self._chunk.sent_at).timestamp() + tools.policy.timeout
        heads = {pos: self._parcel.head(pos) for pos in positions}
        told, notes = await tools.asker.ask(heads, not_before=not_before)
        self._receipts += [replace(note, chunk_no=self._chunk.no) for note in notes]
        return told

    async def _after_earlier(self, positions: Positions) -> list[int]:
        """Hold back rows whose order's earlier milestone did not get through (hazards.md B)."""
        go: list[int] = []
        for pos in positions if self._earlier else ():
            order_id, _ = self._parcel.head(pos)
            outcome, milestone = self._earlier.get(order_id, (Outcome.ACCEPTED, None))
            if milestone is None:
                go.append(pos)
            elif outcome is Outcome.FAILED:
                if await self._got_there(order_id, milestone):
                    go.append(pos)
                else:
                    words = f"{milestone.wire} of this order failed, so this was not sent."
                    self._judge(pos, Outcome.FAILED, Code.EARLIER_FAILED, words)
            else:
                words = f"{milestone.wire} of this order is not settled yet; this waits for it."
                self._judge(pos, Outcome.UNSENT, Code.EARLIER_OPEN, words)
        return go if self._earlier else list(positions)

    async def _got_there(self, order_id: str, milestone: Milestone) -> bool:
        if not self._tools.policy.reconcile:
            return False
        told, notes = await self._tools.asker.ask({0: (order_id, milestone)}, not_before=None)
        self._receipts += [replace(note, chunk_no=self._chunk.no) for note in notes]
        return told.get(0) is Told.REACHED

    # -- writing down --------------------------------------------------------------------------

    def _reconciled(self, pos: int) -> None:
        words = "The answer was lost; the API, asked, has this status (or a later one)."
        self._judge(pos, Outcome.ACCEPTED, Code.RECONCILED, words)

    def _in_doubt(self, pos: int, why: str, code: Code = Code.ANSWER_LOST) -> None:
        words = f"Not known whether the API took it: {why}. Look the order up, then retry the drop."
        self._judge(pos, Outcome.UNKNOWN, code, words)

    def _judge(self, pos: int, outcome: Outcome, code: Code | None, message: str) -> None:
        self._verdicts[pos] = Verdict(
            chunk_no=self._chunk.no,
            pos=pos,
            outcome=outcome,
            code=str(code or ""),
            message=message,
            http_status=self._http_status,
        )

    def _receive(self, kind: str, status: int | None, answer: Answer, positions: Positions) -> None:
        whole = len(positions) == self._chunk.size
        self._receipts.append(
            Receipt(
                chunk_no=self._chunk.no,
                at=self._sent_at,
                kind=kind,
                http_status=status,
                note=f"{answer.meaning}: {answer.message}" if answer.message else answer.meaning,
                positions="" if whole else ",".join(map(str, positions)),
            )
        )

    def _result(self, state: ChunkState) -> ChunkResult:
        if state is ChunkState.DONE:
            outcome, code, message = Outcome.ACCEPTED, "", ""
        elif state is ChunkState.SENDING:
            outcome, code = Outcome.UNKNOWN, str(Code.ANSWER_LOST)
            message = (
                f"The answer was lost ({self._last_words}); it is settled when the API is back."
            )
        else:
            outcome, code = Outcome.UNSENT, str(Code.NOT_SENT)
            message = f"Not sent yet: {self._last_words or 'waiting its turn'}."
        if state is not ChunkState.DONE:
            for pos in self._accepted - self._verdicts.keys():
                self._judge(pos, Outcome.ACCEPTED, None, "")
        return ChunkResult(
            chunk=replace(
                self._chunk,
                state=state,
                outcome=outcome,
                http_status=self._http_status,
                attempts=self._attempts,
                code=code,
                message=message,
                sent_at=self._sent_at,
            ),
            verdicts=tuple(self._verdicts.values()),
            receipts=tuple(self._receipts),
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
