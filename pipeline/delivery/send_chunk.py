"""Send one chunk, try it again, ask about it, until each row has an outcome.

A chunk that the API refuses as a whole is halved until the bad rows stand alone; one whose answer
was lost is asked about first. Nothing here writes: the result is a value.
"""

from collections.abc import Callable, Hashable
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkBody, ChunkResult, ChunkState
from pipeline.core.errors import Held, Transient
from pipeline.core.model import stamp
from pipeline.core.shipment import SendingStop
from pipeline.delivery.api.response_errors import Refusal
from pipeline.delivery.api.status_response import (
    ALL_TAKEN,
    Answer,
    Meaning,
    is_plain_success,
    parse_status_response,
)
from pipeline.delivery.chunk_queue import ChunkQueue
from pipeline.delivery.chunk_rows import Positions, RowOutcomes
from pipeline.delivery.context import Tools
from pipeline.delivery.limiter import SendingStopped
from pipeline.delivery.reconcile import Reconciler, proof_from

_MAX_RENEWALS = 2
"""Renewals of the token in a row after which a 401 counts as a refusal of every call."""


class GaveUp(Exception):
    """A signal, no error: this chunk has had its share of tries or time."""


class RetryPolicy:
    """Count one chunk's tries and time. Every method may raise SendingStopped or GaveUp."""

    def __init__(
        self, tools: Tools, queue: ChunkQueue, key: Hashable, others: Callable[[], bool]
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

    async def failed(self, answer: Answer, status: int | None = None) -> None:
        """Count a failure, and wait before the next try. ``status``: that of the answer, if any.

        While others get through it is this chunk's own matter, and only it waits; else all pause.
        """
        tools = self._tools
        self.tries += 1
        asked = tools.policy.obeyed(answer.retry_after)
        self._check(_outage(answer, status), asked, attempts=self.tries)
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
        self._check(_outage(answer, 429), asked, attempts=0)
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

    def _check(self, reason: str, asked: float, *, attempts: int) -> None:
        """Give up when tries or time are used up, or would be by waiting as long as asked."""
        tools = self._tools
        others_fail = tools.limiter.failed(self._key, reason)
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
                    reason=reason,
                    hint="Nothing is lost; sending goes on when it is back.",
                )
            )
        raise GaveUp


def _outage(answer: Answer, status: int | None) -> str:
    """Return why nothing can be sent: there was no answer, or one with this status."""
    words = answer.message.rstrip(".")
    if status is None:
        return f"The API cannot be reached or does not answer: {words}."
    said = f"The API answered {status}" + (" (too many calls)" if status == 429 else "")
    wait = f" It asks to wait {answer.retry_after:g} seconds." if answer.retry_after else ""
    return f"{said}: {words}.{wait}" if words else f"{said}.{wait}"


_NOT_ALONE = (
    "refused together with {} others; not sent alone, because too many of the file were refused"
)


class ChunkOutcome(Struct, frozen=True, kw_only=True):
    """The result of one attempt at a chunk.

    ``refused_with``: the one status that every row was refused with, or each of those that were
    tried before sending was held, or each of a sample. ``held_back``: it was refused as a whole,
    and is to be sent again.
    """

    result: ChunkResult
    refused_with: str | None = None
    held_back: bool = False


class ChunkSender:
    """Send one chunk. Use once: ``ChunkOutcome`` = ``await ChunkSender(…).run()``."""

    def __init__(
        self,
        chunk: Chunk,
        chunk_body: ChunkBody,
        tools: Tools,
        queue: ChunkQueue,
        others: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take a chunk and its drop; ``others``: whether other chunks could be tried now."""
        self._chunk = chunk
        self._key = (chunk.drop_seq, chunk.no)
        self._chunk_body = chunk_body
        self._tools = tools
        self._queue = queue
        self._known = queue.known.get(chunk.no, ())
        self._earlier = queue.earlier_of(chunk)
        self._rows = RowOutcomes(chunk, self._known)
        self._retry = RetryPolicy(tools, queue, self._key, others)
        self._generation = 0
        self._refusals: set[str] = set()
        self._isolating = False
        self._looked_into = True
        self._taken = False
        self._held_back = False
        self._sampled: str | None = None

    @cached_property
    def _reconciler(self) -> Reconciler:
        return Reconciler(self._tools, self._chunk_body, self._rows, self._queue.reached)

    @property
    def _refused_with(self) -> str | None:
        """Return the one status that all of this chunk was refused with, or None."""
        if self._held_back:
            return self._sampled
        if len(self._refusals) != 1 or self._taken:
            return None
        if self._tools.limiter.shut is None:
            # Past its budget a chunk is not looked into: its refusal says little of each row.
            telling = self._looked_into or self._tools.mass_refusal.suspicious
            alike = self._rows.all_refused and telling
        else:
            alike = self._rows.only_refused
        return next(iter(self._refusals)) if alike else None

    async def run(self) -> ChunkOutcome:
        """Bring every row of the chunk to an end, or as far as the limiter allows."""
        if self._chunk.state is ChunkState.PLANNED and not self._known and not self._earlier:
            send: Positions = range(self._chunk.size)
            to_ask: Positions = ()
        else:
            send, to_ask = self._rows.sort(self._known)
        try:
            if to_ask:
                tools = self._tools
                if not tools.policy.reconcile and not self._retry.knows_better(since_opened=True):
                    # Nothing is asked, and whether the API accepts our calls is not known yet.
                    to_ask = [pos for pos in to_ask if pos not in self._rows.unclear]
                opened_at = self._queue.taken_up or tools.opened_at
                since = proof_from(self._chunk, tools.policy, opened_at)
                again = await self._reconciler.reconcile_rows(to_ask, not_before=since, over=True)
                send = sorted([*send, *again])
            if self._earlier:
                send = await self._reconciler.hold_back(send, self._earlier)
            await self._send(send)
        except (SendingStopped, GaveUp):
            pass  # what was lost or doubted says so itself; the rest has not been sent
        return ChunkOutcome(
            result=self._rows.result(), refused_with=self._refused_with, held_back=self._held_back
        )

    async def _send(self, positions: Positions) -> None:
        """Send these places in one call, again and again until the answer decides them."""
        while positions:
            answer = await self._call(positions)
            if answer.meaning is Meaning.DONE:
                await self._take(answer, positions)
                return
            if answer.meaning is Meaning.EXPIRED:
                await self._retry.expired(answer, self._generation)
                continue
            self._retry.answered()
            match answer.meaning:
                case Meaning.DOUBT:
                    await self._unclear(answer, positions)
                    return
                case Meaning.REFUSED:
                    await self._refused(answer, positions)
                    return
                case Meaning.LOST:
                    await self._retry.failed(answer, self._rows.http_status)
                    positions = await self._reconciler.reconcile_rows(positions)
                case Meaning.RETRY:
                    await self._retry.failed(answer, self._rows.http_status)
                case Meaning.LIMITED:
                    self._retry.limited(answer)
                case _:
                    self._retry.hold(answer.message, self._rows.http_status)

    async def _call(self, positions: Positions) -> Answer:
        """Make one PUT. A call that did not come back is an answer too."""
        tools, rows = self._tools, self._rows
        if self._queue.cancelled:
            self._reconciler.leave_unsent(positions)
            raise SendingStopped
        await tools.limiter.enter(self._retry.tries, self._queue)
        try:
            if self._queue.note_call is not None:
                self._queue.note_call(self._chunk.no)
            rows.sent_at = stamp(tools.clock.now())
            rows.attempts += 1
            self._retry.left_at = tools.clock.monotonic()
            self._generation = tools.api.token_generation
            reply = await tools.api.put_status(self._chunk_body.part(positions))
        except Transient as error:
            meaning = Meaning.LOST if error.in_doubt else Meaning.RETRY
            answer = Answer(meaning=meaning, message=error.message)
            rows.http_status = None
        except Held as error:
            answer = Answer(meaning=Meaning.HELD, message=str(error))
            rows.http_status = None
        else:
            if is_plain_success(reply, len(positions)):
                answer = ALL_TAKEN
            else:
                order_ids = self._chunk_body.order_ids(positions)
                answer = parse_status_response(reply, order_ids, now=tools.clock.now())
            rows.http_status = reply.status
        finally:
            tools.limiter.leave()
        rows.last_words = answer.message or f"the API answered {rows.http_status}"
        if answer.meaning is Meaning.LOST:
            rows.lost.update(positions)
        rows.note_call(answer, positions)
        return answer

    async def _take(self, answer: Answer, positions: Positions) -> None:
        """Record a 2xx: all rows are taken but those it names; those it hides are asked about."""
        self._retry.answered()
        self._tools.limiter.succeeded()
        self._tools.unclear.forget()
        self._tools.mass_refusal.took(self._chunk.drop_seq)
        self._taken = True
        if not answer.failed and not answer.doubtful:
            self._rows.accept(positions)
            return
        doubtful = [positions[at] for at in sorted(answer.doubtful)]
        refused = {positions[at]: refusal for at, refusal in answer.failed.items()}
        self._rows.accept(set(positions) - set(doubtful) - refused.keys())
        for pos, refusal in refused.items():
            self._rows.refuse(pos, refusal)
        if doubtful:
            await self._reconciler.after_unclear(doubtful, answer.message)
        await self._reconciler.reconsider(refused)

    async def _unclear(self, answer: Answer, positions: Positions) -> None:
        """Ask about an order of a 2xx that does not say whether it was taken, then the others.

        If that order was updated, the API works, and the others are asked about. Else this counts
        towards an outage, as further unclear answers would show.
        """
        tools = self._tools
        for pos in positions:
            self._rows.leave_open(pos, answer.message)
        async with tools.unclear.turn:
            if tools.limiter.shut is not None:
                raise SendingStopped
            got_there = await self._reconciler.ask_only(positions[:1])
            if got_there:
                tools.limiter.succeeded()
                tools.unclear.forget()
            elif tools.unclear.count(answer.kind):
                self._retry.hold(answer.message, self._rows.http_status)
            else:
                tools.limiter.slow_down(tools.policy.pause(1, tools.rng))
        if got_there:
            await self._reconciler.ask_only(positions[1:])
        elif not tools.policy.reconcile and self._retry.knows_better():
            for pos in positions:
                self._rows.leave_unknown(pos)

    # -- refused whole -------------------------------------------------------------------------

    async def _refused(self, answer: Answer, positions: Positions) -> None:
        """Examine a chunk that was refused whole, when it is its turn."""
        self._tools.limiter.refused()
        self._refusals.add(str(self._rows.http_status))
        if self._isolating:
            await self._isolate(answer, positions)
            return
        self._isolating = True
        async with self._tools.mass_refusal.one_at_a_time():
            if self._tools.limiter.shut is not None:
                raise SendingStopped
            refusals, blank = self._tools.mass_refusal, self._rows.is_blank
            if blank and refusals.limit_reached_by(self._chunk.drop_seq):
                self._held_back = True  # whether it is the rows is being found out elsewhere
                return
            sample: Positions = ()
            if blank and not answer.failed:
                sample = refusals.sample_of(self._key, positions, self._tools.rng)
            if not sample:
                await self._isolate(answer, positions)
            elif not await self._is_refused_alike(sample):
                await self._send(self._rows.without_end(positions))

    async def _is_refused_alike(self, sample: Positions) -> bool:
        """Send a few rows alone; return whether each was refused as their chunk was.

        One that is taken clears the API, and the others need not be tried alone.
        """
        alike = set(self._refusals)
        for pos in sample:
            await self._send([pos])
            if self._taken:
                return False
        self._held_back = self._refusals == alike and self._rows.only_refused
        self._sampled = next(iter(alike)) if self._held_back else None
        return self._held_back

    async def _isolate(self, answer: Answer, positions: Positions) -> None:
        """Isolate refused rows: several are halved, within the drop's budget."""
        named = {positions[at]: refusal for at, refusal in answer.failed.items()}
        refusal = Refusal(code=str(self._rows.http_status or ""), message=answer.message)
        if len(positions) == 1 or not self._queue.may_split():
            if len(positions) > 1:
                self._looked_into = False
                others = len(positions) - 1
                words = f"{answer.message} ({_NOT_ALONE.format(others)})".lstrip()
                refusal = replace(refusal, message=words)
            for pos in positions:
                self._rows.refuse(pos, named.get(pos, refusal))
            await self._reconciler.reconsider(positions)
            return
        if named and len(named) < len(positions):
            parts = [[p for p in positions if p not in named], sorted(named)]
        else:
            middle = len(positions) // 2
            parts = [list(positions[:middle]), list(positions[middle:])]
        for part in parts:
            await self._send(part)
