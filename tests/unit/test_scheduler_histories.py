"""Drops that share orders, by random histories: which is planned next, and that it comes to rest.

The code that decides it (``Scheduler``, ``PlanningThreads``, ``Dependencies``) is the real one. The
steps it hands drops to are a model of a few lines: an order is a number, and a drop's update of it
is settled or not. Threads are queues of jobs, which run when the history says so.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.core.model import Drop, DropState
from pipeline.core.order_lines import OrderHistory
from pipeline.core.shipment import (
    Cause,
    Closed,
    DeliveryResult,
    OpenReason,
    Ready,
    Released,
    Reopened,
    RetryPostponed,
    SendingStop,
    Step,
    StillOpen,
    reason_of,
)
from pipeline.planning.order_history_rules import to_wait_for
from pipeline.service.drop_states import SchedulerState
from pipeline.service.scheduler import Scheduler
from tests.examples import examples

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AWAY = SendingStop(held=False, reason="The API is away.")
STOPPING = SendingStop(held=False, reason="Shipdrop is stopping.", ours=True)
FILE = st.sets(st.integers(1, 4), min_size=1, max_size=3)
ORDERS = st.sets(st.integers(1, 4), max_size=4)
ALL = {1, 2, 3, 4}
MOST_STEPS = 2_000
"""Jobs and events after which a history that gets nothing new must have come to rest."""


class Queue(Executor):
    """A thread whose jobs run when they are told to."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self.over: list[Callable[[], None]] = []

    def submit(self, job: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: job(*given, **named)))
        return future

    def run_one(self) -> None:
        """Do the next job; or say what the last one came to, which others hear of only then."""
        future, job = self.jobs[0]
        if not self.over:
            try:
                self.over.append(partial(future.set_result, job()))
            except Exception as error:  # noqa: BLE001 - as a thread's future does
                self.over.append(partial(future.set_exception, error))
        else:
            self.jobs.popleft()
            self.over.pop()()


@dataclass
class Told:
    """Hold all that the model's ledger knows of a drop.

    ``orders``: order → is it settled; ``held``: those that wait for another drop.
    """

    drop: Drop
    orders: dict[int, bool]
    unknown: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    planned: int = 0
    cancelled: bool = False

    @property
    def unsettled(self) -> set[int]:
        return {order for order, settled in self.orders.items() if not settled}


class Model:
    """Ledger and steps: plan, deliver, finish, reopen, by the rules of the real ones."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.out: dict[str, tuple[Told, Future[DeliveryResult]]] = {}
        self.elsewhere: set[str] = set()
        self.shut: SendingStop | None = None
        self.failing = False
        self.jobs = 0

    def new(self, orders: set[int], *, folder: str = "", elsewhere: bool = False) -> Drop:
        number = len(self.told) + 1
        drop = Drop(
            seq=number,
            drop_id=f"d{number:03}",
            folder=folder,
            source_file=f"{number}.csv",
            state=DropState.OPEN if elsewhere else DropState.CLAIMED,
            received_at=NOW,
        )
        self.told[drop.drop_id] = Told(drop, dict.fromkeys(orders, False))
        if elsewhere:
            self.elsewhere.add(drop.drop_id)
        return drop

    def open_with(self, orders: set[int], *, but: str) -> list[str]:
        """Drops that are planned, not through, and have one of these orders."""
        return [
            each
            for each, told in self.told.items()
            if each != but and told.drop.state is DropState.OPEN and orders & told.orders.keys()
        ]

    def blocking(self, told: Told, orders: set[int]) -> dict[str, set[int]]:
        """Drop → its orders, of these, that have to be settled before ``told`` may send them."""
        found = {}
        for drop_id, other in self.told.items():
            if other is not told and other.drop.state is DropState.OPEN:
                later = other.drop.seq > told.drop.seq
                first = other.unsettled - (other.held if later else set())
                if first & orders:
                    found[drop_id] = first & orders
        return found

    # -- read and plan -------------------------------------------------------------------------

    def read(self, drops: Sequence[Drop]) -> list[Drop]:
        return list(drops)

    def plan_read(self, drops: Sequence[Drop], _read: object) -> list[Step]:
        by_drop = {e.drop_id: self._plan(e) for e in sorted(drops, key=lambda each: each.seq)}
        return [by_drop[drop.drop_id] for drop in drops]

    def _plan(self, drop: Drop) -> Step:
        self.jobs += 1
        told = self.told[drop.drop_id]
        assert told.drop.state is DropState.CLAIMED, "planned twice"
        told.planned += 1
        told.drop = replace(told.drop, state=DropState.OPEN)
        self._hold(told, set(told.orders))
        return Ready(drop=told.drop, chunks=())

    def _hold(self, told: Told, orders: set[int]) -> None:
        first = self.blocking(told, orders)
        told.held = set().union(*first.values())
        histories = [
            OrderHistory(
                order_id=str(order),
                status=1,
                drop_id=drop_id,
                open=True,
                outcome=None,
                at="",
                blocked=order in self.told[drop_id].held,
                seq=self.told[drop_id].drop.seq,
            )
            for drop_id, shared in first.items()
            for order in shared
        ]
        told.drop = told.drop.noting(waits_for=tuple(to_wait_for(histories)))

    def release(self, drop_id: str) -> Released | None:
        self.jobs += 1
        told = self.told[drop_id]
        if told.drop.state is not DropState.OPEN:
            return None
        before = set(told.held)
        self._hold(told, before)
        return Released(drop=told.drop, progressed=told.held != before)

    def not_closed(self, drop_ids: Sequence[str]) -> list[str]:
        return [each for each in drop_ids if not self.told[each].drop.state.closed]

    def is_ours(self, drop_id: str) -> bool:
        return drop_id not in self.elsewhere

    def reopen(
        self, drop: Drop, *, rests: Callable[[str], bool]
    ) -> Reopened | RetryPostponed | None:
        self.jobs += 1
        told = self.told[drop.drop_id]
        if not told.unknown:
            return None
        if behind := self.blocking(told, told.unknown):
            return RetryPostponed(drop=told.drop, behind=tuple(behind))
        told.orders |= dict.fromkeys(told.unknown, False)
        told.unknown, told.held = set(), set()
        told.drop = told.drop.noting(waits_for=())
        told.drop = replace(told.drop, state=DropState.OPEN)
        return Reopened(drop=told.drop)

    # -- deliver and finish --------------------------------------------------------------------

    def shipment(self, drop: Drop, _held: ExitStack, _fresh: object, *, cancelled: bool) -> Told:
        if self.failing:
            raise StorageError("A body cannot be read.")
        told = self.told[drop.drop_id]
        told.cancelled = cancelled
        return told

    def submit(self, told: Told) -> Future[DeliveryResult]:
        future: Future[DeliveryResult] = Future()
        drop_id = told.drop.drop_id
        assert drop_id not in self.out, "handed in twice"
        for other in self.told.values():
            if other is not told and other.drop.state is DropState.OPEN and not told.cancelled:
                free = (told.unsettled - told.held) & (other.unsettled - other.held)
                assert not free, "it should have waited"
        self.out[drop_id] = (told, future)
        if told.cancelled:
            self.answer(drop_id, set(), shut=self.shut, cancelled=True)
        elif self.shut is not None or told.unsettled <= told.held:
            self.answer(drop_id, set(), shut=self.shut)
        return future

    def answer(
        self,
        drop_id: str,
        settled: set[int],
        *,
        shut: SendingStop | None = None,
        cancelled: bool = False,
    ) -> None:
        told, future = self.out.pop(drop_id)
        news = (told.unsettled - told.held) & settled
        told.orders |= dict.fromkeys(news, True)
        future.set_result(
            DeliveryResult(
                drop_seq=told.drop.seq,
                complete=told.unsettled <= (set() if cancelled else told.held),
                cancelled=cancelled,
                shut=shut,
                progressed=bool(news),
            )
        )

    def finish(self, ended: Sequence[tuple[Drop, DeliveryResult]]) -> list[Closed | StillOpen]:
        return [self._end(self.told[drop.drop_id], back) for drop, back in ended]

    def _end(self, told: Told, back: DeliveryResult) -> Closed | StillOpen:
        if back.cancelled and not back.complete:
            return self._close(told, DropState.CANCELLED)
        if told.unsettled:
            open_reason = reason_of(told.drop, back) or OpenReason(
                reason="Rows are left.", cause=Cause.EARLIER
            )
            return StillOpen(
                drop=told.drop,
                open_reason=open_reason,
                only_waiting_left=back.complete,
                progressed=back.progressed,
            )
        return self._close(told, DropState.COMPLETED)

    def _close(self, told: Told, state: DropState) -> Closed:
        told.unknown = told.unsettled or set(sorted(told.orders)[:1])
        told.orders |= dict.fromkeys(told.orders, True)
        told.drop = replace(told.drop, state=state)
        return Closed(drop=told.drop, summary={})

    # -- the room ------------------------------------------------------------------------------

    def cancel(self, seq: int) -> None:
        for drop_id, (told, _) in list(self.out.items()):
            if told.drop.seq == seq:
                self.answer(drop_id, set(), cancelled=True)

    def stop(self) -> None:
        self.away(STOPPING)

    def away(self, shut: SendingStop) -> None:
        self.shut = shut
        for drop_id in list(self.out):
            self.answer(drop_id, set(), shut=shut)


class Histories(RuleBasedStateMachine):
    """Files come, the API answers, or is away; people cancel and retry; it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.events: deque[Callable[[], None]] = deque()
        self.queues: dict[str, Queue] = {}
        self.foreign: set[str] = set()
        self.stopped = False
        model = self.model
        files = SimpleNamespace(read=model.read, stop=lambda: None, end=lambda: None)
        self.work = Scheduler(
            files,  # type: ignore[arg-type]  # the model's, as the three below
            model,  # type: ignore[arg-type]  # it plans
            model,  # type: ignore[arg-type]  # it takes the other steps
            model,  # type: ignore[arg-type]  # the model stands for the room
            self.events.append,
            thread=self.thread,
        )

    def thread(self, name: str) -> Queue:
        return self.queues.setdefault(name, Queue())

    # -- what happens --------------------------------------------------------------------------

    @precondition(lambda self: not self.stopped)
    @rule(orders=FILE, folder=st.sampled_from("ab"))
    def a_file_comes(self, orders: set[int], folder: str) -> None:
        self.work.take(self.model.new(orders, folder=folder))

    @precondition(lambda self: not self.stopped)
    @rule(orders=FILE)
    def another_root_begins_or_ends_a_drop(self, orders: set[int]) -> None:
        if self.foreign:
            self.end_elsewhere(min(self.foreign))
        elif not self.model.open_with(orders, but=""):
            self.foreign.add(self.model.new(orders, elsewhere=True).drop_id)

    def end_elsewhere(self, drop_id: str) -> None:
        told = self.model.told[drop_id]
        told.orders = dict.fromkeys(told.orders, True)
        told.drop = replace(told.drop, state=DropState.COMPLETED)
        self.foreign.discard(drop_id)

    @rule(picks=st.lists(st.integers(0, 11), min_size=1, max_size=12), settles=ORDERS)
    def some_of_it_moves(self, picks: list[int], settles: set[int]) -> None:
        """A job, an event, or an answer; whatever there is to pick from."""
        for pick in picks:
            if moves := self.moves(settles):
                moves[pick % len(moves)]()

    @rule(settles=ORDERS)
    def all_of_it_moves(self, settles: set[int]) -> None:
        self.moves_on(settles)
        if not self.stopped:
            self.all_rest_for_a_reason()

    @precondition(lambda self: not self.stopped)
    @rule(away=st.booleans())
    def trouble_comes(self, *, away: bool) -> None:
        """The API is away, or bodies cannot be read, until it is tried again."""
        if away:
            self.model.away(AWAY)
        else:
            self.model.failing = True

    @precondition(lambda self: not self.stopped)
    @rule()
    def it_is_tried_again(self) -> None:
        self.probe()

    @precondition(lambda self: not self.stopped)
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        ours = [told for told in self.ours() if not told.drop.state.closed]
        if ours:
            drop = data.draw(st.sampled_from(ours)).drop
            known = self.work.knows(drop.drop_id)
            self.work.cancel(drop)
            if not known:
                self.work.take(drop)

    @precondition(lambda self: not self.stopped)
    @rule(data=st.data())
    def somebody_retries(self, data: st.DataObject) -> None:
        closed = [
            told
            for told in self.ours()
            if told.drop.state.closed and not self.work.knows(told.drop.drop_id)
        ]
        if closed:
            self.work.retry(data.draw(st.sampled_from(closed)).drop)

    @precondition(lambda self: not self.stopped)
    @rule()
    def it_is_stopped(self) -> None:
        self.stopped = True
        self.work.stop()

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def what_rests_says_why(self) -> None:
        for drop_id, rest in self.work.open.items():
            assert rest.reason, drop_id

    @invariant()
    def each_is_where_it_is_said_to_be(self) -> None:
        drops = self.work._drops
        for told in self.ours():
            drop_id = told.drop.drop_id
            entry = drops.find(drop_id)
            if drop_id in self.model.out:
                assert drops.is_in(drop_id, SchedulerState.SENDING)
            if drops.is_in(drop_id, SchedulerState.WAITING):
                assert told.drop.state is DropState.OPEN
                assert told.held == told.unsettled, "what need not wait was done"
                assert drop_id in self.work.open
            if entry is not None and entry.state is SchedulerState.RESTING and not entry.cancelled:
                assert drop_id in self.work.open

    def teardown(self) -> None:
        self.moves_on(set())
        assert not self.work.busy
        if not self.stopped:
            self.ends_when_nothing_is_in_the_way()
        super().teardown()

    def moves_on(self, settles: set[int]) -> None:
        """Let it come to rest with nothing new from outside but answers that settle these."""
        for _ in range(MOST_STEPS):
            if not (moves := self.moves(settles)):
                return
            moves[0]()
        raise AssertionError("it does not come to rest")

    def all_rest_for_a_reason(self) -> None:
        """Each that is not through says why, or waits for one that is not through either."""
        self.work.look_for_ends()
        self.moves_on(set())
        for told in self.ours():
            if told.drop.state.closed:
                continue
            drop_id = told.drop.drop_id
            assert drop_id in self.work.open, "it does not say why it is not through"
            if self.work.knows(drop_id):
                behind = self.model.blocking(told, told.held)
                assert behind, "nobody wakes it"
                assert set().union(*behind.values()) == told.held, "some of it may go"

    def ends_when_nothing_is_in_the_way(self) -> None:
        """API and storage are well, and others have ended: then so does every drop."""
        for drop_id in list(self.foreign):
            self.end_elsewhere(drop_id)
        for _ in range(3 * len(self.model.told) + 3):
            self.probe()
            self.moves_on(ALL)
        left = [told.drop.drop_id for told in self.ours() if not told.drop.state.closed]
        assert left == [], f"nobody wakes them: {left}"
        assert self.work.open == {}

    # -- the loop, as the service has it -------------------------------------------------------

    def ours(self) -> list[Told]:
        return [t for t in self.model.told.values() if t.drop.drop_id not in self.model.elsewhere]

    def moves(self, settles: set[int]) -> list[Callable[[], None]]:
        return [
            *(partial(self.queues[name].run_one) for name in self.threads_with_jobs()),
            *([self.act_on_one] if self.events else []),
            *(partial(self.model.answer, each, settles) for each in sorted(self.model.out)),
        ]

    def threads_with_jobs(self) -> list[str]:
        """Planning waits for what is being read, as the real one does."""
        busy = [name for name, queue in self.queues.items() if queue.jobs]
        return [name for name in busy if name != "planning" or "reads" not in busy]

    def act_on_one(self) -> None:
        self.events.popleft()()
        self.work.take_closed()

    def probe(self) -> None:
        """Do as ``Service._look`` and ``Service._mind_the_resting`` do."""
        self.work.look_for_ends()
        self.model.shut, self.model.failing = None, False
        self.work.retry_again()
        for told in self.ours():
            if not told.drop.state.closed and not self.work.knows(told.drop.drop_id):
                self.work.take(told.drop)


TestHistories = Histories.TestCase
TestHistories.settings = examples(150, steps=40)


def test_a_chain_behind_an_outage_is_planned_once_and_waits() -> None:
    history = Histories()
    history.model.shut = AWAY
    for orders in ({1}, {1, 2}, {2}, {2, 3}, {3}):
        history.work.take(history.model.new(orders))
    history.moves_on(set())
    assert history.model.jobs == 5, "each was planned, and none again"
    assert not history.work.busy


def rests(history: Histories, *orders: set[int], settled: set[int]) -> None:
    """Files come, are sent, and rest with only these orders settled."""
    for each in orders:
        history.work.take(history.model.new(each))
    history.moves_on(settled)


def test_what_an_open_drop_has_settled_keeps_nobody_waiting() -> None:
    history = Histories()
    rests(history, {1, 2}, settled={1})
    rests(history, {1, 3}, settled={1, 3})
    assert history.model.told["d002"].drop.state is DropState.COMPLETED
    assert history.model.told["d001"].drop.state is DropState.OPEN


def test_a_long_row_of_drops_with_one_order_is_looked_at_once_each() -> None:
    history = Histories()
    for _ in range(30):
        history.work.take(history.model.new({1}))
    history.moves_on({1})
    assert all(told.drop.state is DropState.COMPLETED for told in history.ours())
    assert history.model.jobs <= 30 * 2, "each was planned, and let go"


def test_of_drops_that_wait_the_one_that_came_first_goes_first() -> None:
    history = Histories()
    for number in (1, 3, 2):  # couriers take turns: the third is read before the second
        drop = history.model.new({1})
        history.model.told[drop.drop_id].drop = replace(drop, seq=number)
        history.work.take(history.model.told[drop.drop_id].drop)
        while moves := [move for move in history.moves(set()) if "answer" not in repr(move)]:
            moves[0]()
    order = []
    while history.model.out:
        order += [told.drop.seq for told, _ in history.model.out.values()]
        history.model.answer(min(history.model.out), {1})
        while moves := [move for move in history.moves(set()) if "answer" not in repr(move)]:
            moves[0]()
    assert order == [1, 2, 3]
