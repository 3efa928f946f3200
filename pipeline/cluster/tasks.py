"""The jobs of a worker: plan claimed drops, send one segment, report one drop.

Every task begins by taking a post in the ledger, so that one worker at a time does each piece, and
ends by queuing the jobs that follow. The steps are those of an embedded run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial

import structlog
from msgspec.structs import replace

from pipeline.cluster.lease import Lease, Locks
from pipeline.core.errors import Fenced, StorageError
from pipeline.core.model import Drop, DropRequest, DropState
from pipeline.core.shipment import Cause, Closed, DeliveryResult, Ready, Reopened, Shipment
from pipeline.service.drop_steps import doubts_of
from pipeline.service.requests import to_honour
from pipeline.service.wiring import Site
from pipeline.storage.ledger.segments import Load, Segment, segment_post, sending
from schemas.display import shown

log = structlog.get_logger(__name__)

PLAN, SEND, REPORT = "plan", "send", "report"
Call = Callable[[str, Sequence[Mapping[str, int]], int], None]
"""Queues jobs for any free worker: the kind, the arguments of each job, the urgency."""

_OF_ONE_URGENCY = 10
"""Segments of a drop that are equally urgent; later ones let other drops pass."""

_LONG_AGO = timedelta(minutes=1)
"""A drop older than this may have rested without a report, while no worker ran."""


class Tasks(Locks):
    """The work of one worker. Every task may be called at any time, from any thread.

    ``on_begin`` is called when it begins to send after it sent nothing.
    """

    def __init__(self, site: Site, lease: Lease, call: Call) -> None:
        super().__init__(site.ledger, lease)
        self._site = site
        self._call = call
        self._sending = 0
        self.on_begin: Callable[[], None] = lambda: None
        self._resting: set[int] = set()
        self._broken: dict[int, float] = {}
        self.stopping = False
        self.plan_post = f"plan:{site.ledger.root_id}"

    @property
    def sending(self) -> int:
        """Return segments that are being sent from here."""
        return self._sending

    # -- what there is to do -------------------------------------------------------------------

    def call_plan(self) -> None:
        """Queue a planning job: a file was claimed, or an earlier drop is finished."""
        self._call(PLAN, [{}], 0)

    def call_send(self, segments: Iterable[Segment]) -> None:
        """Queue a job to send each of these segments."""
        by_turn: dict[int, list[dict[str, int]]] = {}
        for s in segments:
            wanted = {"drop_seq": s.drop_seq, "wave": s.wave, "no": s.no}
            by_turn.setdefault(s.no // _OF_ONE_URGENCY, []).append(wanted)
        for turn, some in by_turn.items():
            self._call(SEND, some, -turn)

    def call_for(self, drop: Drop) -> None:
        """Lay out the rest of an idle open drop in segments, and queue jobs to send them."""
        first = self._ledger.segments.lay_out(drop.seq)
        if first:
            self.call_send(first)
        if drop.request is DropRequest.CANCEL or (first == [] and not _waits_for_others(drop)):
            self.call_report(drop.seq)

    def call_report(self, drop_seq: int) -> None:
        """Queue a job to report a drop that was sent as far as possible."""
        self._call(REPORT, [{"drop_seq": drop_seq}], 0)

    # -- plan ----------------------------------------------------------------------------------

    def plan(self) -> None:
        """Read and plan all claimed drops of this root, in the order of their claims."""
        self._resting.clear()
        again = True
        while again and not self.stopping:
            with self.post(self.plan_post) as mine:
                if not mine:
                    return
                self._plan_all()
            # A file may have been claimed while this post was still held: look again.
            unfinished = self._ledger.unfinished()
            ready = (*plannable(unfinished), *self.freed(unfinished))
            again = any(drop.seq not in self._resting for drop in ready)

    def freed(self, unfinished: Sequence[Drop]) -> list[Drop]:
        """Return those that wait for a drop that has ended, with nothing else being sent."""
        waiting = self._waiting(unfinished)
        awaited = sorted({drop_id for drop in waiting for drop_id in drop.waits_for})
        still_open = set(self._ledger.not_closed(awaited)) if awaited else set()
        return [drop for drop in waiting if not still_open.issuperset(drop.waits_for)]

    def _waiting(self, unfinished: Sequence[Drop]) -> list[Drop]:
        """Return planned drops with rows that wait for others, and nothing else being sent."""
        return [
            drop
            for drop in unfinished
            if drop.state is DropState.OPEN
            and drop.waits_for
            and drop.request is not DropRequest.CANCEL
            and not self._ledger.segments.has_open_segments(drop.seq)
        ]

    def _plan_all(self) -> None:
        """Plan these drops. One that cannot be planned now rests until the next call."""
        for drop in self.retries(self._ledger.requested()):
            self._retry(drop)
        while not self.stopping:
            unfinished = self._ledger.unfinished()
            freed = [d for d in self.freed(unfinished) if d.seq not in self._resting]
            for drop in freed:
                self._or_rest(drop, self._release)
            claimed = [d for d in plannable(unfinished) if d.seq not in self._resting]
            for drop in claimed:
                self._or_rest(drop, self._plan_one)
            if not freed and not claimed:
                return

    def retries(self, requested: Sequence[Drop]) -> list[Drop]:
        """Return the idle drops with a request to retry."""
        return [
            drop
            for drop in requested
            if to_honour(drop, busy=bool(self._ledger.workers.posts(sending(drop.seq))))
            is DropRequest.RETRY
        ]

    def _retry(self, drop: Drop) -> None:
        """Take up the unsent and unknown rows of a drop, unless open drops have its orders."""
        self._ledger.workers.reopen_all()
        if drop.state.closed:
            with self._ledger.workers.planning_turn():
                step = self._site.drop_steps.reopen(drop, rests=self._is_at_rest)
            if not isinstance(step, Reopened):
                return
            drop = step.drop
            log.info(
                "drop.requested",
                drop=drop.drop_id,
                file=shown(drop.source_file),
                request=DropRequest.RETRY,
            )
        else:
            self._ledger.request(drop.drop_id, DropRequest.NONE)
            self._ledger.reopen(drop.seq)
        if drop.state is DropState.OPEN:
            self._ledger.segments.forget_segments(drop.seq)
            self.call_for(replace(drop, request=DropRequest.NONE))

    def _is_at_rest(self, drop_id: str) -> bool:
        """Return True for a drop of this root of which no worker sends anything."""
        found = self._ledger.find(drop_id)
        return (
            found is not None
            and self._ledger.is_ours(found)
            and not self._ledger.workers.posts(sending(found.seq))
        )

    def _release(self, drop: Drop) -> None:
        """Release the rows of a drop that waited for other drops."""
        with self._ledger.workers.planning_turn():
            step = self._site.drop_steps.release(drop.drop_id)
        if step is not None and step.progressed:
            self._ledger.segments.forget_segments(drop.seq)
            self.call_for(step.drop)

    def _or_rest(self, drop: Drop, act: Callable[[Drop], None]) -> None:
        if self.stopping:
            return
        try:
            act(drop)
        except Fenced:
            raise
        except StorageError as error:
            log.error(  # noqa: TRY400 - its sentence says more than a traceback
                "drop.storage_trouble", drop=drop.drop_id, reason=error.message
            )
            self._resting.add(drop.seq)
        except Exception:  # a bug with one file: it is refused after some tries
            log.exception("drop.bug", drop=drop.drop_id)
            if drop.state is DropState.OPEN:
                self._resting.add(drop.seq)

    def _plan_one(self, drop: Drop) -> None:
        if self._site.claimer.recover(drop) is None:
            return  # it went back to the inbox
        read = self._site.files.read([drop])
        (step,) = self._site.planner.plan_read([drop], read)
        match step:
            case Exception() as error:
                raise error
            case Ready(drop=planned):
                self.call_for(planned)
            case _:
                pass

    # -- send ----------------------------------------------------------------------------------

    def send(self, drop_seq: int, wave: int, no: int) -> None:
        """Send one segment of a drop, if it is due and no other worker sends it."""
        if self.stopping or self._rests(drop_seq):
            return
        shut = self._site.delivery.limiter.shut
        if shut is not None:
            drop = None if shut.ours else self._ledger.drop_numbered(drop_seq)
            if drop is not None and not drop.facts.last_report:  # planned since it was shut
                self.call_report(drop_seq)
            return
        take = partial(self._ledger.segments.take_segment, drop_seq=drop_seq, wave=wave, no=no)
        with self.holding(segment_post(drop_seq, wave, no), take) as held, self._counted():
            load = held.what
            handback = self._deliver(load) if load else None
            if load is None or handback is None:
                return
            if handback.broken is not None:
                self._broken[drop_seq] = self._site.clock.monotonic()
                log.warning("segment.broken", post=load.segment.post, reason=str(handback.broken))
                self._report_broken(load.drop, handback)
                return
            if handback.shut is None:
                next_ones = self._ledger.segments.end_segment(load.segment)
                held.gone = True
                if next_ones is not None:
                    self.call_send(next_ones)
                    return
        if held.gone:
            self.report(drop_seq)  # it was the last
        else:
            self._came_back_early(load.segment, handback)

    def _deliver(self, load: Load) -> DeliveryResult | None:
        if load.drop.state is not DropState.OPEN:
            return None
        with ExitStack() as stack:
            try:
                return self._site.delivery.submit(self._shipment(load, stack)).result()
            except Fenced as error:
                log.warning("segment.broken", post=load.segment.post, reason=error.message)
                return None
            except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
                return DeliveryResult(drop_seq=load.drop.seq, complete=False, broken=error)

    def _shipment(self, load: Load, stack: ExitStack) -> Shipment:
        spool = self._site.spools.of(load.drop)
        spool.forget_departures()  # of an embedded run: workers note none
        body = stack.enter_context(spool.body_reader())
        drop, known, now = load.drop, load.verdicts, self._site.clock.now()
        rested = bool(drop.facts.last_report) or now - drop.received_at > _LONG_AGO
        if rested and self._ledger.planned_since(drop.seq):
            known = tuple(self._site.drop_steps.block_since(drop, load.chunks, known, body))
        return Shipment(
            drop_seq=drop.seq,
            chunks=load.chunks,
            verdicts=known,
            body=body,
            note_call=None,
            before=load.before,
            taken_up=now,
            doubts=doubts_of(drop.seq, load.chunks, known, body, self._ledger),
            cancelled=drop.request is DropRequest.CANCEL,
        )

    def _rests(self, drop_seq: int) -> bool:
        """Return whether it is too soon to retry a drop that this worker could not send."""
        since = self._broken.get(drop_seq)
        if since is None:
            return False
        if self._site.clock.monotonic() - since < self._site.settings.api.probe_seconds:
            return True
        del self._broken[drop_seq]
        return False

    def _report_broken(self, drop: Drop, handback: DeliveryResult) -> None:
        """Report why this worker cannot send a drop; others may still send parts of it."""
        with self.post(f"report:{drop.seq}") as mine:
            now = self._ledger.drop_numbered(drop.seq) if mine else None
            if now is None or now.state is not DropState.OPEN:
                return
            (result,) = self._site.drop_steps.finish([(now, handback)])
            if isinstance(result, Exception):
                log.error("drop.not_reported", drop=drop.drop_id, reason=str(result))

    def _came_back_early(self, segment: Segment, handback: DeliveryResult) -> None:
        """Give back a segment that cannot be sent now, and report its drop."""
        if handback.shut is not None and handback.shut.ours:
            self.call_send([segment])
        elif not self._ledger.workers.posts(sending(segment.drop_seq)):
            self.call_report(segment.drop_seq)

    # -- report --------------------------------------------------------------------------------

    def report(self, drop_seq: int) -> None:
        """Report an idle drop; close it if it is finished."""
        with self.post(f"report:{drop_seq}") as mine:
            if not mine:
                return
            drop = self._ledger.drop_numbered(drop_seq)
            if drop is None or drop.state is not DropState.OPEN:
                self._ledger.segments.forget_segments(drop_seq)
                return
            if self._ledger.workers.posts(sending(drop_seq)):
                return  # the last of them calls again
            handback = self._handback(drop)
            if handback is None:
                return  # it goes on: whoever ends its last segment calls again
            (result,) = self._site.drop_steps.finish([(drop, handback)])
            if isinstance(result, Exception):
                raise result
            if isinstance(result, Closed):
                self._ledger.segments.forget_segments(drop_seq)
        self._let_others_go(drop, is_closed=isinstance(result, Closed))

    def _let_others_go(self, drop: Drop, *, is_closed: bool) -> None:
        """Queue jobs for drops that waited for one that was just reported."""
        unfinished = self._ledger.unfinished()
        if is_closed:
            if any(drop.drop_id in each.waits_for for each in unfinished):
                self.call_plan()
            return
        # Release the drops that wait for this one, and this one if it waited for what has ended.
        for waiting in self._waiting(unfinished):
            if drop.drop_id in {waiting.drop_id, *waiting.waits_for}:
                self._or_rest(waiting, self._release)

    def _handback(self, drop: Drop) -> DeliveryResult | None:
        """Return how the sending of a drop ended or was interrupted; None while it goes on.

        Judged by its segments, not by who holds them: one may be taken up at this moment. A
        cancelled drop goes on until its rows in doubt were asked about.
        """
        shut = self._site.delivery.limiter.shut
        if shut is not None and shut.ours:
            shut = None  # others go on
        cancelled = drop.request is DropRequest.CANCEL
        going_on = shut is None and self._ledger.segments.has_open_segments(drop.seq)
        if going_on and (not cancelled or self._ledger.segments.has_doubts(drop.seq)):
            return None
        complete = self._ledger.segments.all_segments_done(drop.seq)
        return DeliveryResult(drop_seq=drop.seq, complete=complete, cancelled=cancelled, shut=shut)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._sending += 1
            begins = self._sending == 1
        if begins:
            self.on_begin()
        try:
            yield
        finally:
            with self._lock:
                self._sending -= 1


def plannable(unfinished: Iterable[Drop]) -> list[Drop]:
    """Return those that are claimed."""
    return [drop for drop in unfinished if drop.state is DropState.CLAIMED]


def _waits_for_others(drop: Drop) -> bool:
    """Return whether its last report said that the rest of it waits for other drops."""
    open_reason = (drop.facts.summary or {}).get("open") or {}
    return bool(drop.waits_for) and open_reason.get("cause") == Cause.EARLIER
