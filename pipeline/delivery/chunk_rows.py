"""The state of each row of a chunk while it is sent, and the chunk's result.

Five places a row can be in: settled (accepted, or with a verdict), lost (sent, no answer), unclear
(answered in a way that says nothing), doubted (sent again after one of these, not settled yet), or
simply not sent. Only the last may be called unsent in the ledger.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkResult, ChunkState, Receipt, Verdict
from pipeline.delivery.api.response_errors import Refusal
from pipeline.delivery.api.status_response import Answer, Meaning
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

Positions = Sequence[int]

_LOOK_IT_UP = "Look the order up, then retry the drop."

_ALREADY = re.compile(r"\balready\b", re.IGNORECASE)
_FINAL = frozenset({Outcome.ACCEPTED, Outcome.FAILED, Outcome.DUPLICATE, Outcome.REJECTED})
"""Verdicts that stand when a chunk is taken up again."""


class RowOutcomes:
    """The rows of one chunk, by their place in it."""

    def __init__(self, chunk: Chunk, known: Sequence[Verdict]) -> None:
        self.chunk = chunk
        self.http_status = chunk.http_status
        self.sent_at = chunk.sent_at
        self.attempts = chunk.attempts
        self.last_words = ""
        self.lost: set[int] = set()
        self.unclear: set[int] = set()
        self.doubted: set[int] = set()
        self.ended: set[int] = set()
        self.refused_before: set[int] = set()
        self._were_unclear: set[int] = set()
        self.behind: dict[int, Milestone] = {}
        self.held_before = frozenset(
            v.pos for v in known if v.code == Code.EARLIER_OPEN and v.http_status is not None
        )
        self._known = known
        self._verdicts = {v.pos: v for v in known if v.outcome in _FINAL}
        self._accepted: dict[int, int | None] = {}
        """Rows that were accepted, each with the status of the answer that said so."""
        self._receipts: list[Receipt] = []
        if chunk.outcome is Outcome.ACCEPTED:
            # It ended once: rows without a verdict were accepted, and stay so.
            self._note_accepted(set(range(chunk.size)) - {v.pos for v in known})

    def sort(self, known: Sequence[Verdict]) -> tuple[list[int], list[int]]:
        """Return places to send, and places to ask about, since those may have arrived.

        A row that ended as unknown stays so (``ended``) unless the query shows more, or a person
        wants it sent again (``SqlLedger.reopen``).
        """
        unknown = {v.pos: v for v in known if v.outcome is Outcome.UNKNOWN}
        sending = self.chunk.state is ChunkState.SENDING
        send: list[int] = []
        to_ask: list[int] = []
        for pos in range(self.chunk.size):
            if pos in self._verdicts or pos in self._accepted:
                continue
            verdict = unknown.get(pos)
            if verdict is None:
                (to_ask if sending else send).append(pos)
                self.lost.update([pos] if sending else ())
                continue
            to_ask.append(pos)
            refused = verdict.code == Code.API_REFUSED
            self.refused_before.update([pos] if refused else ())
            # Marking its chunk again does not reopen a row that has ended.
            for_a_person = refused and verdict.http_status is None
            if (
                self.chunk.state is ChunkState.DONE
                or (refused and not for_a_person)
                or (not sending and verdict.code != Code.ANSWER_LOST)
            ):
                self.ended.add(pos)
            elif verdict.code == Code.ANSWER_UNCLEAR:
                self.unclear.add(pos)
            else:
                self.lost.add(pos)
                continue
            self._verdicts[pos] = verdict
        return send, to_ask

    # -- judging -------------------------------------------------------------------------------

    def accept(self, positions: Iterable[int]) -> None:
        """Accept rows that the API took; one that was sent again gets a note."""
        if not self.doubted:
            self._note_accepted(positions)
            return
        taken = set(positions)
        self._note_accepted(taken - self.doubted)
        for pos in sorted(taken & self.doubted):
            words = f"The answer was {self._how(pos)}; it was sent again and accepted."
            self.set_outcome(pos, Outcome.ACCEPTED, Code.RESENT, words)

    def _note_accepted(self, positions: Iterable[int]) -> None:
        self._accepted.update(dict.fromkeys(positions, self.http_status))

    def send_again(self, positions: Iterable[int]) -> None:
        """Note that rows which may have arrived are sent once more."""
        self._were_unclear.update(self.unclear.intersection(positions))
        self.lost.difference_update(positions)
        self.unclear.difference_update(positions)
        self.doubted.update(positions)

    def _how(self, pos: int) -> str:
        return "unclear" if pos in self.unclear | self._were_unclear else "lost"

    def set_outcome(self, pos: int, outcome: Outcome, code: Code, message: str) -> None:
        """Give a row its own verdict."""
        self.lost.discard(pos)
        self.unclear.discard(pos)
        self._verdicts[pos] = Verdict(
            chunk_no=self.chunk.no,
            pos=pos,
            outcome=outcome,
            code=str(code),
            message=message,
            http_status=self.http_status,
        )

    def refuse(self, pos: int, refusal: Refusal) -> None:
        """Note that the API refused one row.

        Sent again after an answer that was lost or unclear it may only mean "already done": the row
        has failed when asking shows that it does not (``fail``), or when it was refused like this
        before and a person had it sent once more.
        """
        words = f"{refusal.code}: {refusal.message}" if refusal.code else refusal.message
        if pos in self.doubted:
            said = f"An answer was {self._how(pos)}; sent again, the API refused: {words}"
            again = pos in self.refused_before
            outcome = Outcome.FAILED if again else Outcome.UNKNOWN
            self.set_outcome(pos, outcome, Code.API_REFUSED, said)
        elif pos in self.behind:
            step = self.behind[pos].wire
            said = (
                f"The earlier status {step} of this order is still open; the API refused: {words}"
            )
            self.set_outcome(pos, Outcome.UNSENT, Code.EARLIER_OPEN, said)
        else:
            self.set_outcome(pos, Outcome.FAILED, Code.API_REFUSED, f"The API refused: {words}")

    def wait(self, pos: int, step: Milestone) -> None:
        """Leave a row unsent: an earlier step of its order is not settled."""
        if pos in self.held_before:
            self._verdicts[pos] = next(v for v in self._known if v.pos == pos)
            return
        words = f"Not sent yet: the earlier status {step.wire} of this order is still open."
        self.set_outcome(pos, Outcome.UNSENT, Code.EARLIER_OPEN, words)
        self._verdicts[pos] = replace(self._verdicts[pos], http_status=None)

    def fail(self, pos: int) -> None:
        """Fail a row that was refused; the API was asked, and does not have its status."""
        self._verdicts[pos] = replace(self._verdicts[pos], outcome=Outcome.FAILED)

    def reconcile(self, pos: int) -> None:
        """Accept a row whose status, or a later one, the API has when asked."""
        words = (
            f"The API's answer was {self._how(pos)}. "
            "We asked, and the order has this status or a later one."
        )
        self.set_outcome(pos, Outcome.ACCEPTED, Code.RECONCILED, words)

    def claims_to_be_there(self, pos: int, wire: str) -> bool | None:
        """Return whether a row was refused because its order has the status already.

        None where the API says "already" and does not name this status.
        """
        verdict = self._verdicts[pos]
        if verdict.outcome is not Outcome.FAILED or not _ALREADY.search(verdict.message):
            return False
        return True if re.search(rf"\b{wire}\b", verdict.message) else None

    def is_there(self, pos: int) -> None:
        """Make a refused row a duplicate: the order has the status already, as asking showed."""
        said = self._verdicts[pos].message
        words = f"The order has this status already, as asking the API showed. {said}"
        self.set_outcome(pos, Outcome.DUPLICATE, Code.ALREADY_THERE, words)

    def leave_open(self, pos: int, why: str) -> None:
        """Leave a row open whose answer says nothing: it is asked about, now and at every pass."""
        words = f"Not known whether the API took it: its answer was unclear ({why})."
        self.set_outcome(pos, Outcome.UNKNOWN, Code.ANSWER_UNCLEAR, words)
        self.unclear.add(pos)

    def leave_unknown(self, pos: int) -> None:
        """Leave a row unknown: its outcome cannot be found out."""
        if pos in self.unclear:
            verdict = self._verdicts[pos]
            self.unclear.discard(pos)
            self._verdicts[pos] = replace(verdict, message=f"{verdict.message} {_LOOK_IT_UP}")
            return
        why = "its answer was lost, and api.when_in_doubt is hold"
        words = f"Not known whether the API took it: {why}. {_LOOK_IT_UP}"
        self.set_outcome(pos, Outcome.UNKNOWN, Code.ANSWER_LOST, words)

    def note(self, receipt: Receipt) -> None:
        """Keep a call for ``trace``."""
        self._receipts.append(replace(receipt, chunk_no=self.chunk.no))

    def note_call(self, answer: Answer, positions: Positions) -> None:
        """Keep a PUT for ``trace``; the chunk itself shows one that simply went well."""
        plain = answer.meaning is Meaning.DONE and not answer.failed and not answer.doubtful
        if plain and not self._receipts:
            return
        whole = len(positions) == self.chunk.size
        self._receipts.append(
            Receipt(
                chunk_no=self.chunk.no,
                at=self.sent_at,
                kind="put",
                http_status=self.http_status,
                note=_note_of(answer),
                positions="" if whole else ",".join(map(str, positions)),
            )
        )

    def without_end(self, positions: Positions) -> list[int]:
        """Return those of these rows that have no end yet, and are not in doubt."""
        over = self._verdicts.keys() | self._accepted.keys() | self.lost | self.doubted
        return [pos for pos in positions if pos not in over]

    # -- the end -------------------------------------------------------------------------------

    @property
    def all_refused(self) -> bool:
        """Return whether every row has failed."""
        return len(self._verdicts) == self.chunk.size and all(
            v.outcome is Outcome.FAILED for v in self._verdicts.values()
        )

    @property
    def is_blank(self) -> bool:
        """Return whether nothing is known of any row, and none is in doubt."""
        return not (self._verdicts or self._accepted or self.lost or self.doubted)

    @property
    def only_refused(self) -> bool:
        """Return whether some rows have failed, and of no other anything is known."""
        in_doubt = self.lost or self.doubted or self._accepted
        return (
            bool(self._verdicts)
            and not in_doubt
            and all(v.outcome is Outcome.FAILED for v in self._verdicts.values())
        )

    def result(self) -> ChunkResult:
        """Return the chunk's result for the ledger."""
        state = self._state()
        outcome, code, message = self._words(state)
        # A row without a verdict was accepted with the status of its chunk, which is that of the
        # last call: another half of the chunk may have been refused since.
        done, status = state is ChunkState.DONE, self.http_status
        apart = {at: each for at, each in self._accepted.items() if not done or each != status}
        for pos, http_status in apart.items():
            if pos not in self._verdicts:
                self._verdicts[pos] = Verdict(
                    chunk_no=self.chunk.no,
                    pos=pos,
                    outcome=Outcome.ACCEPTED,
                    code="",
                    message="",
                    http_status=http_status,
                )
        chunk = self.chunk
        return ChunkResult(
            chunk=Chunk(  # a third of what ``replace`` takes, and this is made for every call
                drop_seq=chunk.drop_seq,
                no=chunk.no,
                wave=chunk.wave,
                offset=chunk.offset,
                length=chunk.length,
                size=chunk.size,
                state=state,
                outcome=outcome,
                http_status=self.http_status,
                attempts=self.attempts,
                code=code,
                message=message,
                sent_at=self.sent_at,
            ),
            verdicts=(*self._verdicts.values(), *self._still_waiting()),
            receipts=tuple(self._receipts),
            replaces=bool(self._known),
        )

    def _still_waiting(self) -> list[Verdict]:
        """Return the verdicts of rows that waited before, and of which nothing new is known.

        Without it a row would go at the next pass, and the step it waits for would be forgotten.
        """
        waited = [v for v in self._known if v.code == Code.EARLIER_OPEN]
        if not waited:
            return waited
        news = self._verdicts.keys() | self._accepted.keys() | self.lost | self.doubted
        return [v for v in waited if v.pos not in news]

    def _state(self) -> ChunkState:
        if not self._verdicts and not self.lost and len(self._accepted) == self.chunk.size:
            return ChunkState.DONE
        settled = self._accepted.keys() | self._verdicts.keys()
        if self.lost or self.unclear or self.doubted - settled:
            return ChunkState.SENDING
        waiting = any(v.outcome is Outcome.UNSENT for v in self._verdicts.values())
        if waiting or len(settled) < self.chunk.size:
            return ChunkState.PLANNED
        return ChunkState.DONE

    def _words(self, state: ChunkState) -> tuple[Outcome, str, str]:
        if state is ChunkState.DONE:
            return Outcome.ACCEPTED, "", ""
        if state is ChunkState.SENDING:
            return Outcome.UNKNOWN, str(Code.ANSWER_LOST), _in_doubt(self.last_words)
        if self.chunk.code == Code.EARLIER_OPEN:
            return Outcome.UNSENT, self.chunk.code, self.chunk.message
        words = f"Not sent yet: {self.last_words or 'waiting its turn'}."
        return Outcome.UNSENT, str(Code.NOT_SENT), words


def untouched(chunk: Chunk, known: Sequence[Verdict], reason: str) -> ChunkResult:
    """Return a marked chunk that never left: as it was before, and in no more doubt than then."""
    if chunk.state is ChunkState.SENDING and chunk.outcome is None:
        words, code = _in_doubt(""), str(Code.ANSWER_LOST)
        chunk = replace(chunk, outcome=Outcome.UNKNOWN, code=code, message=words)
    elif chunk.state is ChunkState.PLANNED and chunk.code != Code.EARLIER_OPEN:
        words = f"Not sent yet. {reason}"
        chunk = replace(chunk, outcome=Outcome.UNSENT, code=str(Code.NOT_SENT), message=words)
    return ChunkResult(chunk=chunk, verdicts=tuple(known), replaces=bool(known))


def _in_doubt(why: str) -> str:
    """Return the words about a chunk that may have arrived."""
    lost = f"The answer was lost ({why or 'Shipdrop was interrupted'})"
    return f"{lost}; it is settled when the API is back."


def _note_of(answer: Answer) -> str:
    """Return the result of a call for ``trace``: a 2xx may have taken only some of its rows."""
    words = str(answer.meaning)
    if answer.meaning is Meaning.DONE:
        parts = {"refused": len(answer.failed), "unclear": len(answer.doubtful)}
        words = ", ".join(["taken", *(f"{n} {part}" for part, n in parts.items() if n)])
    return f"{words}: {answer.message}" if answer.message else words


def doubtful(chunk: Chunk, known: Sequence[Verdict]) -> ChunkResult:
    """Return a result for a chunk that may or may not have been sent."""
    sending = replace(chunk, state=ChunkState.SENDING)
    return ChunkResult(chunk=sending, verdicts=tuple(known), replaces=True)
