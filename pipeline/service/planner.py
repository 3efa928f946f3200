"""Plan and freeze drops that were read, several together.

Drops that are planned together share commits. Each gets the result that it would get alone, and a
failure of one does not affect the others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import (
    DropChanged,
    DropRefused,
    ReadingStopped,
    StorageError,
    Tried,
    attempt,
)
from pipeline.core.model import Drop, DropState, Facts
from pipeline.core.order_lines import FrozenPlan, OrderHistory, ParcelSeen
from pipeline.core.shipment import Closed, Ready, Step
from pipeline.planning.earlier_files import without_settled
from pipeline.planning.freeze import (
    Planned,
    facts_of,
    freezing_bodies,
    guard,
    make_plan,
)
from pipeline.planning.order_history_rules import blocking
from pipeline.planning.order_index import frozen, of_refused
from pipeline.planning.plan import (
    delivered_awbs,
    ending_awbs,
    one_by_one,
    sendable_orders,
    to_ask_about,
)
from pipeline.planning.plan_input import Prepared, load
from pipeline.reporting.row_outcomes import NO_ENDS, Remark, outcomes_of
from pipeline.storage.memory import trim
from pipeline.storage.spool import sync_spools
from schemas.codes import Code
from schemas.limits import REUSED_DAYS

if TYPE_CHECKING:
    from pipeline.service.wiring import Site

log = structlog.get_logger(__name__)


class DropToPlan(Struct, frozen=True, kw_only=True):
    """A drop that was read and is to be planned; ``orders``: those it would send something for."""

    drop: Drop
    prepared: Prepared
    orders: pa.Array


class _Unfrozen(Struct, frozen=True, kw_only=True):
    """A drop that is planned and may go on."""

    drop: Drop
    prepared: Prepared
    planned: Planned


class Planner:
    """Takes claimed drops to where they can be delivered."""

    def __init__(self, site: "Site") -> None:
        self._ledger = site.ledger
        self._closer = site.closer
        self._spools = site.spools
        self._claimer = site.claimer
        self._profiles = site.profiles
        self._rules = site.plan_rules
        self._clock = site.clock
        # Held while drops are planned, where several processes plan.
        self._turn: Callable[[], AbstractContextManager[object]] = (
            site.ledger.workers.planning_turn if site.presence else nullcontext
        )

    # -- plan ----------------------------------------------------------------------------------

    def plan_read(
        self, drops: Sequence[Drop], read: Sequence[Tried[Facts]]
    ) -> list[Tried[Step | None]]:
        """Plan drops that were read, as they were claimed; ``read``: by ``ClaimedFiles.read``.

        Returns the result of each: None if its file went back into the inbox or the service is
        stopping, an exception if it could not be planned.
        """
        steps: dict[str, Tried[Step | None]] = {}
        candidates: list[DropToPlan] = []
        for drop, facts in zip(drops, read, strict=True):
            begun = replace(drop, started_at=drop.started_at or self._clock.now())
            try:
                if isinstance(facts, Exception):
                    steps[drop.drop_id] = self._not_read(begun, facts)
                else:
                    candidates.append(self._drop_to_plan(begun, facts))
            except StorageError as error:
                self._spools.of(drop).tries.end_all()  # the disk's fault, not the file's
                steps[drop.drop_id] = error
            except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
                steps[drop.drop_id] = error
        candidates.sort(key=lambda each: each.drop.seq)  # couriers took turns to be read
        for group in without_shared_orders(candidates):
            steps |= self._planned(group)
        return [steps[drop.drop_id] for drop in drops]

    def _not_read(self, drop: Drop, error: Exception) -> Tried[Step | None]:
        match error:
            case DropRefused():
                return self._closer.refuse(drop, error)
            case DropChanged():
                self._spools.of(drop).remove()
                self._claimer.back_to_waiting(drop, error)
                return None
            case ReadingStopped():
                return None
            case _:
                return error

    def _drop_to_plan(self, drop: Drop, facts: Facts) -> DropToPlan:
        spool = self._spools.of(drop)
        try:
            spool.tries.begin()
            drop = replace(drop, courier=facts.courier, parent=facts.parent)
            prepared = load(
                facts,
                spool,
                self._profiles,
                self._ledger.overview.states,
                self._spools.ids,
                source_file=drop.source_file,
            )
            orders = sendable_orders(prepared.keys)
            return DropToPlan(drop=drop, prepared=prepared, orders=orders)
        except StorageError:
            raise
        except Exception:
            spool.tries.fail()
            raise

    def _planned(self, group: Sequence[DropToPlan]) -> dict[str, Tried[Step | None]]:
        """Plan a group, and keep count of the tries."""
        steps = self.plan(group)
        ended: dict[str, Tried[Step | None]] = {}
        for candidate, step in zip(group, steps, strict=True):
            spool = self._spools.of(candidate.drop)
            try:
                if isinstance(step, Exception) and not isinstance(step, StorageError):
                    spool.tries.fail()
                else:
                    spool.tries.end_all()
                ended[candidate.drop.drop_id] = step
            except StorageError as error:
                ended[candidate.drop.drop_id] = error
        return ended

    def plan(self, group: Sequence[DropToPlan]) -> list[Tried[Step]]:
        """Plan and freeze drops no two of which share an order.

        Updates of an order for which another drop may still send something are frozen with the
        rest, in separate chunks, which wait until the order is settled.
        """
        with self._turn():
            try:
                standings = self._standings(group)
                seen = self._seen(group, standings)
            except StorageError as error:
                return [error] * len(group)
            judged = [self._plan_one(each, standings[each.drop.seq], seen) for each in group]
            frozen_now = self._freeze_all([each for each in judged if isinstance(each, _Unfrozen)])
            return [
                frozen_now[each.drop.drop_id] if isinstance(each, _Unfrozen) else each
                for each in judged
            ]

    def _standings(self, group: Sequence[DropToPlan]) -> Mapping[int, Sequence[OrderHistory]]:
        if len(group) == 1:  # it may be large: its orders are never all in memory as texts
            (one,) = group
            seq, orders = one.drop.seq, one_by_one(one.orders)
            return {seq: self._ledger.order_histories(orders, except_seq=seq)}
        return self._ledger.order_histories_of({e.drop.seq: e.orders.to_pylist() for e in group})

    def _seen(
        self, group: Sequence[DropToPlan], standings: Mapping[int, Sequence[OrderHistory]]
    ) -> list[ParcelSeen]:
        """Return the parcels that other drops report for the orders that would be sent now."""
        keys_of = {each.drop.seq: each.prepared.keys for each in group}
        rows = [(keys, to_ask_about(keys, standings[seq])) for seq, keys in keys_of.items()]
        orders = chain.from_iterable(one_by_one(keys.orders.among(these)) for keys, these in rows)
        awbs = chain.from_iterable(ending_awbs(*each) for each in rows)
        seen = self._ledger.parcels_seen(orders, awbs, except_seqs=[*keys_of])
        delivered = chain.from_iterable(delivered_awbs(*each) for each in rows)
        since = self._clock.now() - timedelta(days=REUSED_DAYS)
        return seen + self._ledger.went_back(delivered, except_seqs=[*keys_of], since=since)

    def _plan_one(
        self,
        candidate: DropToPlan,
        histories: Sequence[OrderHistory],
        seen: Sequence[ParcelSeen],
    ) -> Tried[Step | _Unfrozen]:
        """Plan one drop, or refuse it if it is probably the wrong file."""
        drop, prepared = candidate.drop, candidate.prepared
        try:
            first = blocking(histories, drop.seq)
            headers = [each.headers for each in prepared.sheets]
            seen = without_settled(seen, headers, self._spools.rejected)
            planned = make_plan(prepared, histories, self._rules, blocking=first, seen=seen)
            trim(prepared.total)
            try:
                guard(prepared, planned, self._rules)
            except DropRefused as refusal:
                return self._refuse(drop, refusal, prepared, planned)
            return _Unfrozen(drop=drop, prepared=prepared, planned=planned)
        except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
            return error

    def _freeze_all(self, plans: Sequence[_Unfrozen]) -> dict[str, Tried[Step]]:
        """Put the plans on the disk and then into the ledger, in one commit: now calls may leave.

        Return the result of each, by its drop's id. A bug in one plan must not count against the
        others, so then each is frozen alone.
        """
        results = attempt(self._freeze, plans)
        if not isinstance(results, Exception):
            return results
        if len(plans) > 1 and not isinstance(results, StorageError):
            return {k: v for each in plans for k, v in self._freeze_all([each]).items()}
        return {each.drop.drop_id: results for each in plans}

    def _freeze(self, plans: Sequence[_Unfrozen]) -> dict[str, Tried[Step]]:
        """Return the result of each plan; raise what kept all of them from being frozen."""
        alone = len(plans) == 1
        results: dict[str, Tried[Step]] = {}
        ready: list[tuple[Drop, FrozenPlan]] = []
        with ExitStack() as stack:
            for plan in plans:
                made = attempt(self._write_plan, plan, stack, alone=alone)
                if isinstance(made, Exception):
                    results[plan.drop.drop_id] = made
                else:
                    ready.append(made)
            if not alone and ready:
                sync_spools([self._spools.of(drop) for drop, _ in ready])
            if ready:
                self._ledger.freeze_all(ready)
        for drop, plan_of_drop in ready:
            chunks = plan_of_drop.chunks()
            results[drop.drop_id] = Ready(drop=drop, chunks=chunks)
            waits = {"waits_for": drop.waits_for} if drop.waits_for else {}
            rows = drop.facts.total
            log.info("drop.planned", drop=drop.drop_id, rows=rows, chunks=len(chunks), **waits)
        return results

    def _write_plan(
        self, plan: _Unfrozen, stack: ExitStack, *, alone: bool
    ) -> tuple[Drop, FrozenPlan]:
        """Write plan and bodies, or begin with it; and what the ledger is to keep."""
        drop, prepared, planned = plan.drop, plan.prepared, plan.planned
        facts = self._spools.placed(facts_of(prepared, planned))
        drop = replace(drop, state=DropState.OPEN).planned_with(facts)
        spool = self._spools.of(plan.drop)
        writing = freezing_bodies(planned, prepared, spool, drop_seq=drop.seq, alone=alone)
        chunks = stack.enter_context(writing)
        return drop, frozen(prepared, planned, chunks)

    def _refuse(
        self, drop: Drop, refusal: DropRefused, prepared: Prepared, planned: Planned
    ) -> Closed:
        """Refuse a file most of whose rows are bad; TOO_MANY_REJECTS gets them back to correct."""
        self._ledger.remember(drop, of_refused(prepared))
        if refusal.code is not Code.TOO_MANY_REJECTS:
            return self._closer.refuse(drop, refusal)
        drop = drop.planned_with(self._spools.placed(facts_of(prepared, planned)))
        outcomes = outcomes_of(planned.table, NO_ENDS, [], waiting=Remark(code="", message=""))
        return self._closer.refuse_rows(drop, refusal, outcomes)


def without_shared_orders(candidates: Sequence[DropToPlan]) -> Iterator[list[DropToPlan]]:
    """Yield the candidates in their order, in groups in which no two name the same order.

    A drop that names an order of an earlier one is planned after it, so it begins the next group.
    Rows that are not sent count as well: one may mark its order as auto-dispatched.
    """
    group: list[DropToPlan] = []
    taken: set[str] = set()
    for candidate in candidates:
        # A drop that comes alone may be large, and shares no commit.
        names = candidate.prepared.keys.orders.names if len(candidates) > 1 else ()
        named = {str(each) for each in names} - {""}
        if not taken.isdisjoint(named):
            yield group
            group, taken = [], set()
        group.append(candidate)
        taken |= named
    if group:
        yield group
