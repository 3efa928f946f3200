"""ONE drop, top to bottom: claimed, read, planned, delivered, reported, put away.

Every step can be taken again: what a crash left half done is done anew by the same code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pipeline.adapters.folders import Folders
from pipeline.adapters.spool import Spool
from pipeline.claiming import Claimer
from pipeline.closing import Closed, Closer
from pipeline.codes import Code
from pipeline.containment import Readers, ReadingStopped
from pipeline.delivery.lane import Handback, Shipment
from pipeline.errors import DropChanged, DropRefused, ReaderDied, StorageError
from pipeline.model import Drop, DropState, Outcome
from pipeline.order_lines import frozen
from pipeline.planning import (
    Planned,
    PlanRules,
    blocking,
    facts_of,
    freezing_bodies,
    guard,
    make_plan,
    pending_of,
)
from pipeline.ports import Chunk, Clock, Ledger
from pipeline.prepared import Facts, Prepared, Source, load
from pipeline.stages.plan import one_by_one, sendable_orders
from pipeline.stages.recheck import recheck
from pipeline.stages.settle import Remark, Settled, settle, unsent
from schemas.courier import Profile

log = structlog.get_logger(__name__)

MAX_TRIES = 3
"""A file that ends the process that reads it, or meets a bug, this often is quarantined."""

_UNSEEN_TRIES = 10
"""So many tries may begin and come to no end that anybody saw: the service itself was killed."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A drop whose plan is frozen: to be delivered. ``chunks`` as the ledger has them now."""

    drop: Drop
    chunks: Sequence[Chunk]


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A drop that shares some of its ``orders`` with earlier drops that are not through."""

    drop: Drop
    prepared: Prepared
    orders: pa.Array
    behind: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reopened:
    """A closed drop whose rest is to be delivered after all."""

    drop: Drop


@dataclass(frozen=True, kw_only=True)
class Later:
    """A drop whose retry waits for drops that are not through and share its orders."""

    drop: Drop
    behind: tuple[str, ...]


Step = Ready | Blocked | Closed | Reopened | Later

AheadOf = Callable[[Drop, pa.Array], Iterable[str]]
"""A drop and its orders → earlier ones, read and not planned yet, that have one of them."""


class Runner:
    """Takes drops from one step to the next. Raises StorageError where the world fails us."""

    def __init__(
        self,
        *,
        folders: Folders,
        ledger: Ledger,
        claimer: Claimer,
        closer: Closer,
        readers: Readers,
        profiles: Mapping[str, Profile],
        rules: PlanRules,
        clock: Clock,
        turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """``turn``: held while a drop is planned, where several processes plan."""
        self._folders = folders
        self._ledger = ledger
        self._claimer = claimer
        self._closer = closer
        self._readers = readers
        self._profiles = profiles
        self._rules = rules
        self._clock = clock
        self._turn = turn

    # -- read and plan -------------------------------------------------------------------------

    def read(self, drop: Drop, *, beside: bool = False) -> Facts:
        """Read a claimed drop into its spool; ``beside``: others are read meanwhile.

        Raises DropChanged, and what ``containment.Reader.read`` does but ReaderDied: the file is
        then read once more, at once, because what was claimed later must be planned after it.
        """
        spool = self._closer.spool(drop)
        while (tries := spool.begin_try()) <= _UNSEEN_TRIES and spool.failed_tries() < MAX_TRIES:
            try:
                facts = self._read(drop, spool, beside=beside)
            except (StorageError, DropChanged):
                spool.end_tries()  # not the file's fault, but the disk's, or its writer's
                raise
            except ReadingStopped:
                spool.end_try()
                raise
            except ReaderDied as died:
                spool.fail_try()
                log.error(  # noqa: TRY400 - where it died is not to be seen in our stack
                    "drop.reader_died", drop=drop.drop_id, signal=died.signal, tries=tries
                )
            except DropRefused:
                raise
            except Exception:
                spool.fail_try()
                raise
            else:
                spool.end_try()
                return facts
        raise poison()

    def admit(self, drop: Drop, read: Callable[[], Facts], ahead_of: AheadOf) -> Step | None:
        """Plan a drop that was read: ``read`` returns or raises what ``Runner.read`` did.

        None when it went back to waiting, or was not read because we are to end.
        """
        spool = self._closer.spool(drop)
        drop = replace(drop, started_at=drop.started_at or self._clock.now())
        try:
            facts = read()
            drop = replace(drop, tries=spool.begin_try())
            step = self._plan_read(drop, facts, spool, ahead_of)
        except DropRefused as refusal:
            return self._closer.refuse(drop, refusal)
        except DropChanged as changed:
            spool.remove()
            self._claimer.back_to_waiting(drop, changed)
            return None
        except ReadingStopped:
            return None
        except StorageError:
            spool.end_tries()  # the disk's fault, not the file's
            raise
        spool.end_tries()
        return step

    def _plan_read(self, drop: Drop, facts: Facts, spool: Spool, ahead_of: AheadOf) -> Step:
        drop = replace(drop, courier=facts.courier, parent=facts.parent)
        try:
            return self.plan(drop, load(facts, spool, self._profiles), ahead_of)
        except (DropRefused, StorageError):
            raise
        except Exception:
            spool.fail_try()
            raise

    def plan(self, drop: Drop, prepared: Prepared, ahead_of: AheadOf) -> Step:
        """Plan a drop that was read, unless it must wait for an earlier one.

        A file that is to be refused need not wait: nothing of it is sent.
        """
        orders = sendable_orders(prepared.keys)
        with self._turn():
            return self._plan(drop, prepared, orders, ahead_of)

    def _plan(self, drop: Drop, prepared: Prepared, orders: pa.Array, ahead_of: AheadOf) -> Step:
        standing = self._ledger.standing(one_by_one(orders), but_seq=drop.seq)
        planned = make_plan(prepared, standing, self._rules)
        try:
            guard(prepared, planned, self._rules)
        except DropRefused as refusal:
            return self._refuse(drop, refusal, prepared, planned)
        behind = {*blocking(standing), *ahead_of(drop, orders)}
        if behind:
            return Blocked(
                drop=drop, prepared=prepared, orders=orders, behind=tuple(sorted(behind))
            )
        spool = self._closer.spool(drop)
        drop = replace(drop, state=DropState.OPEN, facts=self._facts(prepared, planned))
        with freezing_bodies(planned, prepared, spool, drop_seq=drop.seq) as chunks:
            self._ledger.freeze(drop, frozen(prepared, planned, chunks))
        log.info("drop.planned", drop=drop.drop_id, rows=prepared.total, chunks=len(chunks))
        return Ready(drop=drop, chunks=chunks)

    def _facts(self, prepared: Prepared, planned: Planned) -> Mapping[str, Any]:
        return self._closer.placed(facts_of(prepared, planned))

    def _read(self, drop: Drop, spool: Spool, *, beside: bool) -> Facts:
        path = self._folders.claimed_path(drop.drop_id, drop.source_file)
        if path is None:
            raise DropRefused(
                Code.UNREADABLE,
                "The file disappeared from the work folder while it was being processed.",
                hint="Drop it again.",
            )
        source = Source(
            path=path, name=drop.source_file, named=drop.folder or None, now=drop.received_at
        )
        try:
            facts = self._readers.read(source, spool, self._courier, beside=beside)
        except ReaderDied:
            self._check_unchanged(drop, path)  # a mapped file that is cut off ends who reads it
            raise
        self._check_unchanged(drop, path)
        return facts

    def _check_unchanged(self, drop: Drop, path: Path) -> None:
        """Whoever wrote it may go on through our rename: it is read as it was hashed, or not."""
        if self._folders.digest(path).sha256 != drop.sha256:
            raise DropChanged("it was written to after it was claimed")

    def stop_reading(self) -> None:
        """Read nothing more: what is not planned waits for the next start. For any thread."""
        self._readers.stop()

    def end_reading(self) -> None:
        """The same, when no ``read`` is under way: the other processes are gone after it."""
        self._readers.close()

    def _courier(self, drop_id: str) -> str | None:
        """The courier of an earlier drop, or None if there is no such drop."""
        found = self._ledger.find(drop_id)
        return found.courier if found else None

    def _refuse(
        self, drop: Drop, refusal: DropRefused, prepared: Prepared, planned: Planned
    ) -> Closed:
        """Refuse a file most of whose rows are bad; TOO_MANY_REJECTS gets them back to correct."""
        if refusal.code is not Code.TOO_MANY_REJECTS:
            return self._closer.refuse(drop, refusal)
        drop = replace(drop, facts=self._facts(prepared, planned))
        settled = settle(planned.table, [], [], waiting=Remark(code="", message=""))
        return self._closer.refuse_rows(drop, refusal, settled)

    # -- deliver and finish --------------------------------------------------------------------

    def shipment(
        self, drop: Drop, held: ExitStack, fresh: Sequence[Chunk] | None = None
    ) -> Shipment:
        """What the delivery room needs; ``held`` keeps the bodies open until it is closed.

        ``fresh``: the chunks of a plan that was frozen just now, so that nothing is read back.
        """
        known = () if fresh is not None else self._ledger.verdicts(drop.seq)
        return Shipment(
            drop_seq=drop.seq,
            chunks=tuple(self._ledger.chunks(drop.seq)) if fresh is None else fresh,
            verdicts=tuple(known),
            body=held.enter_context(self._closer.spool(drop).body_reader()),
        )

    def finish(self, drop: Drop, handback: Handback) -> Closed | Drop:
        """Report a drop that came back from delivery; the drop itself while it stays open."""
        reason = handback.shut.reason if handback.shut else ""
        if handback.cancelled and not handback.complete:
            settled = self._closer.settled(drop, _CANCELLED)
            return self._closer.close(drop, DropState.CANCELLED, settled)
        settled = self._closer.settled(drop, unsent(reason))
        if settled.counts()[Outcome.UNSENT] or not handback.complete:
            self._closer.report_open(drop, settled)
            hint = handback.shut.hint if handback.shut else ""
            log.warning("drop.open", drop=drop.drop_id, reason=reason, hint=hint)
            return drop
        return self._closer.close(drop, DropState.COMPLETED, settled)

    def report_blocked(self, blocked: Blocked, reason: str) -> Drop:
        """Tell the sender of a drop that could not even be planned yet."""
        behind = ", ".join(blocked.behind)
        words = f"Not sent yet: it waits for {behind}, which has the same orders. {reason}"
        waiting = Remark(code=str(Code.EARLIER_OPEN), message=words.strip())
        drop, settled = self._as_it_would_be(blocked, waiting)
        drop = replace(drop, state=DropState.OPEN)
        self._closer.report(drop, settled)
        return drop

    def cancel_blocked(self, blocked: Blocked) -> Closed:
        """Close a drop that was cancelled before it could even be planned: none of it was sent."""
        drop, settled = self._as_it_would_be(blocked, _CANCELLED)
        return self._closer.close(drop, DropState.CANCELLED, settled)

    def _as_it_would_be(self, blocked: Blocked, waiting: Remark) -> tuple[Drop, Settled]:
        """The drop and its rows as planned now; nothing is frozen."""
        standing = self._ledger.standing(one_by_one(blocked.orders), but_seq=blocked.drop.seq)
        planned = make_plan(blocked.prepared, standing, self._rules)
        drop = replace(blocked.drop, facts=self._facts(blocked.prepared, planned))
        return drop, settle(planned.table, [], [], waiting=waiting)

    # -- once more ------------------------------------------------------------------------------

    def reopen(self, drop: Drop) -> Reopened | Later | None:
        """Take up what a closed drop left unsent or unknown; None if there is nothing.

        It was planned when it came: what other drops have got through since is not sent again, and
        beside a drop with the same orders it is not taken up. Call it where drops are planned, so
        that none is planned meanwhile.
        """
        try:
            pending = pending_of(drop, self._ledger, self._closer.spool(drop))
        except StorageError:
            raise
        except Exception:
            self._ledger.request(drop.drop_id, "")  # a bug is not met again at every scan
            raise
        if not pending:
            self._ledger.request(drop.drop_id, "")
            return None
        orders = sorted({each.order_id for each in pending})
        standing = self._ledger.standing(orders, but_seq=drop.seq)
        if behind := blocking(standing):
            return Later(drop=drop, behind=tuple(behind))
        self._ledger.reopen(drop.seq, recheck(pending, standing))
        drop = replace(drop, state=DropState.OPEN, finished_at=None)
        self._ledger.save(drop)
        self._ledger.request(drop.drop_id, "")
        return Reopened(drop=drop)


_CANCELLED = Remark(code=str(Code.CANCELLED), message="Not sent: the drop was cancelled.")


def sharing(orders: pa.Array, ahead: Sequence[Blocked]) -> Iterator[str]:
    """The drops among ``ahead`` that have one of these orders."""
    for each in ahead:
        if pc.any(pc.is_in(orders, value_set=each.orders)).as_py():
            yield each.drop.drop_id


def poison() -> DropRefused:
    """Build the refusal of a file that we fail on every time."""
    return DropRefused(
        Code.PROCESSING_FAILED,
        f"Shipdrop failed on this file {MAX_TRIES} times. Nothing of it is sent any more.",
        hint="Save the file anew and drop it once more; if it fails again, send it with the log "
        "to whoever runs Shipdrop.",
    )
