"""The steps after planning: prepare a shipment, report and close a drop, release and reopen it.

Each step may be repeated: after a crash, the next start runs the same code again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkBody, ChunkState, Verdict
from pipeline.core.errors import StorageError, Tried
from pipeline.core.model import Drop, DropRequest, DropState
from pipeline.core.order_lines import OrderHistory
from pipeline.core.shipment import (
    Closed,
    DeliveryResult,
    EarlierStep,
    EarlierSteps,
    Released,
    Reopened,
    RetryPostponed,
    Shipment,
    StillOpen,
)
from pipeline.planning.earlier_files import OUTWARD, blocked_since
from pipeline.planning.freeze import blocked_words, pending_in, pending_of
from pipeline.planning.order_history_rules import blocking, to_wait_for
from pipeline.planning.replan import Pending, doubts, let_go, recheck
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.spool_marks import Departures
from schemas.codes import Code
from schemas.parcels import ANY, awb_key
from schemas.vocabulary import Milestone, Outcome, Role

if TYPE_CHECKING:
    from pipeline.service.wiring import Site

log = structlog.get_logger(__name__)


class DropSteps:
    """Sends, reports, releases and reopens drops. Raises StorageError if disk or ledger fails."""

    def __init__(self, site: "Site") -> None:
        self._ledger = site.ledger
        self._profiles = site.profiles
        self._timezone = site.settings.manifest.timezone
        self._closer = site.closer
        self._spools = site.spools
        # Open drop → how many had come since it was planned, when that was last looked at.
        self._looked: dict[int, int] = {}

    # -- deliver and finish --------------------------------------------------------------------

    def shipment(
        self,
        drop: Drop,
        stack: ExitStack,
        fresh: Sequence[Chunk] | None = None,
        *,
        cancelled: bool = False,
    ) -> Shipment:
        """Return the input of the delivery thread; ``stack`` keeps the bodies open.

        ``fresh``: the chunks of a plan that was frozen just now, so that nothing is read back.
        ``cancelled``: nothing is sent any more; rows in doubt are asked about.
        """
        spool = self._spools.of(drop)
        known: Sequence[Verdict] = () if fresh is not None else self._ledger.verdicts(drop.seq)
        chunks = fresh if fresh is not None else self._ledger.chunks(drop.seq)
        doubtful = [each.no for each in chunks if each.state is ChunkState.SENDING]
        departures = stack.enter_context(spool.departures(len(chunks), doubtful))
        chunks = [
            _as_it_left(each, departures)
            for each in chunks
            if cancelled or each.state is not ChunkState.WAITING
        ]
        calls = sum(map(departures.has_left, doubtful))
        if calls and fresh is None:
            log.info("drop.in_doubt", drop=drop.drop_id, calls=calls, hint=_IN_DOUBT)
        body = stack.enter_context(spool.body_reader())
        if fresh is None:
            came = self._ledger.planned_since(drop.seq)
            if came != self._looked.get(drop.seq, 0):
                known = self.block_since(drop, chunks, known, body)
                self._looked[drop.seq] = came
        return Shipment(
            drop_seq=drop.seq,
            chunks=chunks,
            verdicts=tuple(known),
            body=body,
            note_call=departures.mark,
            doubts=doubts_of(drop.seq, chunks, known, body, self._ledger),
            cancelled=cancelled,
        )

    def finish(
        self, ended: Sequence[tuple[Drop, DeliveryResult]]
    ) -> list[Tried[Closed | StillOpen]]:
        """Report drops that came back from delivery, and close those that are finished."""
        results = self._closer.finish(ended)
        for (drop, _), result in zip(ended, results, strict=True):
            if not isinstance(result, StillOpen):
                self._looked.pop(drop.seq, None)
        return results

    def is_ours(self, drop_id: str) -> bool:
        """Return True for a drop of this root."""
        found = self._ledger.find(drop_id)
        return found is not None and self._ledger.is_ours(found)

    def not_closed(self, drop_ids: Sequence[str]) -> Sequence[str]:
        """Return those of the drops, of whatever root, that are not closed."""
        return self._ledger.not_closed(drop_ids)

    # -- what waits for other drops ---------------------------------------------------------------

    def release(self, drop_id: str) -> Released | None:
        """Release the waiting chunks of a drop whose orders no other drop may still send.

        Updates that were accepted meanwhile become duplicates. Returns None if the drop is not
        open. Call it in the planning thread, so that no drop is planned at the same time.
        """
        drop = self._ledger.find(drop_id)
        if drop is None or drop.state is not DropState.OPEN:
            return None
        blocked = pending_of(drop, self._ledger, self._spools.of(drop), blocked=True)
        histories = self._ledger.order_histories(
            sorted({e.order_id for e in blocked}), except_seq=drop.seq
        )
        first = blocking(histories, drop.seq)
        free = let_go(blocked, {each.order_id for each in first})
        stay = {each.order_id for each in blocked if each.chunk_no not in free}
        waits_for = to_wait_for([each for each in first if each.order_id in stay])
        if not free and waits_for == drop.waits_for:
            return Released(drop=drop, progressed=False)
        drop = drop.noting(waits_for=tuple(waits_for))
        verdicts = [
            replace(each, code=f"{each.code}:{Role.STATUS.value}")
            if each.outcome in _ENDS
            else each
            for each in recheck([each for each in blocked if each.chunk_no in free], histories)
        ]
        verdicts += self._blocked_since(drop, [e for e in blocked if e.chunk_no in free], verdicts)
        self._ledger.let_go(drop, free, verdicts, waiting=blocked_words(waits_for))
        if free:
            log.info("drop.goes_on", drop=drop.drop_id, chunks=len(free), waits_for=waits_for)
        return Released(drop=drop, progressed=bool(free))

    # -- once more ------------------------------------------------------------------------------

    def reopen(
        self, drop: Drop, *, rests: Callable[[str], bool] = lambda _: False
    ) -> Reopened | RetryPostponed | None:
        """Take up the rows that a closed drop left unsent or unknown; None if there are none.

        Updates that other drops sent since then are not sent again. Returns RetryPostponed where an
        open drop has the same orders, unless that one ``rests`` and waits for this one.
        Call it in the planning thread, so that no drop is planned at the same time.
        """
        try:
            pending = pending_of(drop, self._ledger, self._spools.of(drop))
        except StorageError:
            raise
        except Exception:
            self._ledger.request(
                drop.drop_id, DropRequest.NONE
            )  # a bug is not met again at every scan
            raise
        if not pending:
            self._ledger.request(drop.drop_id, DropRequest.NONE)
            return None
        orders = sorted({each.order_id for each in pending})
        histories = self._ledger.order_histories(orders, except_seq=drop.seq)
        if behind := _to_come_first(blocking(histories, drop.seq), rests):
            return RetryPostponed(drop=drop, behind=behind)
        drop = drop.noting(waits_for=())
        self._ledger.let_go(drop, {each.chunk_no for each in pending})
        verdicts = recheck(pending, histories)
        verdicts += self._blocked_since(drop, pending, verdicts)
        self._ledger.reopen(drop.seq, verdicts)
        drop = replace(drop, state=DropState.OPEN, finished_at=None)
        self._ledger.save(drop)
        self._ledger.request(drop.drop_id, DropRequest.NONE)
        return Reopened(drop=drop)

    def block_since(
        self,
        drop: Drop,
        chunks: Sequence[Chunk],
        known: Sequence[Verdict],
        body: Callable[[int, int], bytes],
    ) -> Sequence[Verdict]:
        """Reject unsent final statuses that files planned after this drop contradict.

        ``chunks``: only those that never left are looked at. ``known``: the verdicts so far.
        Returns the verdicts as they are then.
        """
        planned = [each for each in chunks if each.state is ChunkState.PLANNED]
        blocked = self._blocked_since(drop, pending_in(planned, known, body), ())
        if not blocked:
            return known
        self._ledger.overrule(drop.seq, blocked)
        log.info("drop.held_since", drop=drop.drop_id, rows=len(blocked))
        places = {(each.chunk_no, each.pos) for each in blocked}
        return [*(each for each in known if (each.chunk_no, each.pos) not in places), *blocked]

    def _blocked_since(
        self, drop: Drop, pending: Sequence[Pending], verdicts: Sequence[Verdict]
    ) -> list[Verdict]:
        """Return which of these updates, without a verdict yet, later files hold."""
        known = {(each.chunk_no, each.pos) for each in verdicts}
        left = [each for each in pending if (each.chunk_no, each.pos) not in known]
        orders = sorted({each.order_id for each in left if each.milestone in OUTWARD})
        if not orders:
            return []
        profile = self._profiles.get(drop.courier or "")
        seen = self._ledger.parcels_seen(orders, except_seqs=[])
        awbs = {awb_key(each.awb) for each in seen if each.drop_id == drop.drop_id} - {""}
        return blocked_since(
            left,
            seen,
            self._ledger.parcels_seen((), sorted(awbs), except_seqs=[], since=drop.seq),
            drop_id=drop.drop_id,
            any_parcel=profile is not None and profile.parcels == ANY,
            zone=ZoneInfo((profile and profile.zone) or self._timezone),
        )


def _to_come_first(
    histories: Sequence[OrderHistory], rests: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the drops that a retry waits for.

    A drop that ``rests`` because it waits for an earlier step of these orders is none of them: the
    retry may settle that step.
    """
    return tuple(
        sorted({e.drop_id for e in histories if e.blocked or not (e.waits and rests(e.drop_id))})
    )


def _as_it_left(chunk: Chunk, departures: Departures) -> Chunk:
    """Return a chunk as it is: one that was marked and whose call never left is planned."""
    if chunk.state is not ChunkState.SENDING or departures.has_left(chunk.no):
        return chunk
    return replace(chunk, state=ChunkState.PLANNED)


_IN_DOUBT = (
    "It is not on record whether these calls arrived. The API is asked (api.reconcile), perhaps "
    "after the time-out of the old calls; api.when_in_doubt decides what is still open then."
)

_ENDS = (Outcome.DUPLICATE, Outcome.REJECTED)
"""Outcomes of rows that are not sent, with the column that is to blame, as a plan names it."""


def doubts_of(
    drop_seq: int,
    chunks: Sequence[Chunk],
    verdicts: Sequence[Verdict],
    body: Callable[[int, int], bytes],
    ledger: SqlLedger,
) -> Mapping[int, EarlierSteps]:
    """Number of a chunk → order id → the earlier step of the order that another drop left in doubt.

    The ledger is asked, as it stands now, only about chunks that wait for one (``EARLIER_OPEN``) or
    are in doubt: a row that waits and a row whose answer was lost look alike in a chunk in doubt.
    """
    blocked = {v.chunk_no for v in verdicts if v.code == Code.EARLIER_OPEN}
    waiting = [
        each
        for each in chunks
        if each.no in blocked
        or each.state is ChunkState.SENDING
        or (each.code == Code.EARLIER_OPEN and each.state is not ChunkState.DONE)
    ]
    if not waiting:
        return {}
    heads: dict[int, list[tuple[str, Milestone]]] = {}
    for chunk in waiting:
        chunk_body = ChunkBody(body(chunk.offset, chunk.length), chunk.size)
        heads[chunk.no] = [chunk_body.head(pos) for pos in range(chunk.size)]
    orders = sorted({order_id for each in heads.values() for order_id, _ in each})
    every = [head for each in heads.values() for head in each]
    found = doubts(every, ledger.order_histories(orders, except_seq=drop_seq))
    return {
        no: {head[0]: _before(*found[head]) for head in each if head in found}
        for no, each in heads.items()
    }


def _before(step: Milestone, is_open: bool) -> EarlierStep:  # noqa: FBT001 - as ``doubts`` has it
    code = "" if is_open else Code.ANSWER_UNCLEAR.value
    return EarlierStep(milestone=step, outcome=Outcome.UNKNOWN, code=code)
