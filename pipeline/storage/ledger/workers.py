"""The ledger's workers, their locks, and the signals that all obey.

A worker's line in ``workers`` is its right to write: every transaction of it begins by locking that
line (shared, so that they do not wait for one another). To give up a silent worker, another
deletes the line, which waits for open transactions; all its posts go with it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.core.errors import Fenced, RootBusy
from pipeline.storage.ledger.database import Database, record_from
from pipeline.storage.ledger.drops import requested_of, unfinished_of
from pipeline.storage.ledger.tables import posts, signals, workers

_LEAST_RATE = 1e-6
"""A smaller part of the rate than this is none; a rate of 0 would mean no bound."""


class Allowance(Struct, frozen=True, kw_only=True):
    """The bounds of all workers together: calls at once and a second (0: no bound)."""

    calls: int = 0
    rate: float = 0.0


def share(
    others: Sequence[sa.Row[Any]],
    active: int,
    wants: int,
    most: int,
    allowed: Allowance,
) -> tuple[int, float]:
    """Return a fair part of the limit, and never more than the others leave free."""
    calls, rate = most, 0.0
    if allowed.calls:
        fair = -(-allowed.calls // active) if wants else 0
        left = allowed.calls - sum(each.calls for each in others)
        calls = max(0, min(fair, left, most))
    if allowed.rate:
        fair_rate = allowed.rate / active if wants else 0.0
        rate = max(0.0, min(fair_rate, allowed.rate - sum(each.rate for each in others)))
        if rate < allowed.rate * _LEAST_RATE:
            calls, rate = 0, 0.0
    return calls, rate


NOW = sa.func.extract("epoch", sa.func.clock_timestamp())
PLANNING = "planning"
"""The post of the one that plans, among all roots."""

_TURN_SECONDS = 0.02

#: Columns of the engine's own table, which ``cluster.job_queue.make_tables`` creates.
_JOBS = sa.table(
    "procrastinate_jobs",
    sa.column("queue_name", sa.String),
    sa.column("status", sa.Enum("todo", name="procrastinate_job_status", create_type=False)),
)


class Worker(Struct, frozen=True, kw_only=True):
    """A worker as the ledger knows it. ``silent``: seconds since its last heartbeat. ``calls`` and
    ``rate``: its share of what all may do; ``holds``: what it has taken up.
    """

    id: str
    host: str
    pid: int
    root: str
    since: float
    silent: float
    draining: bool
    wants: int
    calls: int
    rate: float
    holds: tuple[str, ...] = ()


class Signals(Struct, frozen=True, kw_only=True):
    """Signals to all workers: seconds of quiet left, and why nothing may be sent, if so."""

    quiet: float
    shut: float
    held: bool
    reason: str
    hint: str


class WorkerInstructions(Struct, frozen=True, kw_only=True):
    """The answer of the ledger to a worker's heartbeat.

    ``work``: drops of the root are not closed, or something was asked for one; ``silent``: a
    worker sent no heartbeat for too long.
    """

    draining: bool
    calls: int
    rate: float
    signals: Signals
    work: bool
    silent: bool


class Workers:
    """The lines of the workers. Methods of one worker go by ``me``, the name it joined under."""

    plans_now = False
    """This process holds, or waits for, the post under which drops are planned."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def join(self, me: str, *, host: str, pid: int, root: str) -> None:
        """Add a worker; from now on all that this process writes depends on its line."""
        with self._db.write() as connection:
            values = {"id": me, "host": host, "pid": pid, "root": root, "since": NOW, "beat": NOW}
            connection.execute(workers.insert().values(**values))
        here = sa.select(workers.c.id).where(workers.c.id == me)
        fence = here.with_for_update(read=True, key_share=True)

        def sure(connection: sa.Connection) -> None:
            if connection.execute(fence).first() is None:
                raise Fenced(
                    "This worker was silent for too long, and others have taken over.",
                    hint="It joins again by itself.",
                )

        self._db.fence = sure
        self._db.writer = me

    def leave(self, me: str) -> None:
        """Remove a worker; its locks are free."""
        self._db.fence = None
        with self._db.write() as connection:
            connection.execute(workers.delete().where(workers.c.id == me))

    def heartbeat(
        self,
        me: str,
        *,
        wants: int,
        most: int,
        allowed: Allowance,
        lower: Callable[[int, float], int],
        stale_seconds: float,
    ) -> WorkerInstructions:
        """Record a worker's heartbeat and return its orders. Raises Fenced when it was given up.

        ``most``: calls it could make at once; ``wants``: whether it has anything to send.
        ``lower`` makes it keep to a smaller share and returns the calls that are still out: a
        share is given to another worker only then, so that all together never exceed the limit.
        """
        with self._db.write() as connection:
            calls, rate = most, 0.0
            if allowed.calls or allowed.rate:
                connection.execute(sa.select(signals.c.id).with_for_update())
                others = connection.execute(workers.select().where(workers.c.id != me)).all()
                mine = connection.execute(workers.select().where(workers.c.id == me)).one()
                active = 1 + sum(1 for each in others if each.wants)
                calls, rate = share(others, active, wants, most, allowed)
                out = lower(calls, rate) if calls < mine.calls or rate < mine.rate else 0
                kept = max(calls, out) if allowed.calls else calls
            else:
                kept = calls
            values = {"beat": NOW, "wants": wants, "calls": kept, "rate": rate}
            connection.execute(workers.update().where(workers.c.id == me).values(**values))
            line = connection.execute(_orders(me, stale_seconds)).one()
        to_all = record_from(Signals, line)
        return record_from(WorkerInstructions, line, calls=calls, rate=rate, signals=to_all)

    def give_up_the_silent(self, seconds: float) -> list[str]:
        """Delete the lines of workers without a heartbeat for so long; return their names.

        One whose transaction is still open is left for the next time: the server ends it.
        """
        silent = (
            sa.select(workers.c.id)
            .where(workers.c.beat < NOW - seconds)
            .with_for_update(skip_locked=True)
        )
        gone = workers.delete().where(workers.c.id.in_(silent)).returning(workers.c.id)
        with self._db.write() as connection:
            return [row.id for row in connection.execute(gone).all()]

    def outlast(self, seconds: float) -> None:
        """Wait until every worker has been silent for so long, and give it up.

        Raises RootBusy as soon as one sends a heartbeat. Where none has been, returns at once.
        """
        silent_before: dict[str, float] = {}
        while True:
            self.give_up_the_silent(seconds)
            known = self.known_workers()
            if not known:
                return
            if any(each.silent < silent_before.get(each.id, 0.0) for each in known):
                raise RootBusy(
                    "Workers are using the ledger that ledger.url names.",
                    hint="One `run` per ledger; `shipdrop cluster status` shows the workers.",
                )
            silent_before = {each.id: each.silent for each in known}
            time.sleep(_TURN_SECONDS)  # until a heartbeat comes: only its age is visible

    def known_workers(self) -> list[Worker]:
        """Return all workers, the oldest first."""
        silent = (NOW - workers.c.beat).label("silent")
        columns = [c for c in workers.c if c.name != "beat"]
        with self._db.read() as connection:
            found = connection.execute(sa.select(*columns, silent).order_by(workers.c.since)).all()
            held = connection.execute(posts.select().order_by(posts.c.since)).all()
        return [
            Worker(**each._asdict(), holds=tuple(p.key for p in held if p.owner == each.id))
            for each in found
        ]

    def waiting_jobs(self) -> dict[str, int]:
        """Return jobs of the engine that nobody has taken yet, by queue."""
        query = sa.select(_JOBS.c.queue_name, sa.func.count()).where(_JOBS.c.status == "todo")
        there = sa.select(sa.func.to_regclass(_JOBS.name).is_not(None))
        with self._db.read() as connection:
            if not connection.execute(there).scalar():
                return {}  # no worker has been here yet
            counted = connection.execute(query.group_by(_JOBS.c.queue_name)).all()
        return {name: int(count) for name, count in sorted(tuple(row) for row in counted)}

    def drain(self, worker_id: str) -> bool:
        """Ask a worker to finish its work and end.

        Returns False when there is none of this name.
        """
        asked = workers.update().where(workers.c.id == worker_id).values(draining=True)
        with self._db.write() as connection:
            return connection.execute(asked).rowcount == 1

    # -- posts ---------------------------------------------------------------------------------

    def take_post(self, me: str, key: str) -> bool:
        """Take something up that only one worker does at a time. False when another has it."""
        with self._db.write() as connection:
            return insert_post(connection, key, me)

    def leave_post(self, me: str, key: str) -> None:
        """Let others have it."""
        with self._db.write() as connection:
            mine = (posts.c.key == key) & (posts.c.owner == me)
            connection.execute(posts.delete().where(mine))

    def posts_of(self, me: str) -> list[str]:
        """Return what one worker has taken up."""
        with self._db.read() as connection:
            found = connection.execute(sa.select(posts.c.key).where(posts.c.owner == me)).all()
        return [row.key for row in found]

    def posts(self, prefix: str) -> list[str]:
        """Return the posts that are held and begin so."""
        query = sa.select(posts.c.key).where(posts.c.key.startswith(prefix, autoescape=True))
        with self._db.read() as connection:
            return [row.key for row in connection.execute(query).all()]

    @contextmanager
    def planning_turn(self) -> Iterator[None]:
        """Hold the one post under which drops are planned, among all workers.

        One thread of a worker at a time, so a post under its name is from a turn that it could not
        give back, since the ledger was away just then: that is its own again.
        """
        me = self._db.writer
        with self._db.planning:
            self.plans_now = True
            try:
                while not self._take_turn(me):
                    # The holder is another process: only its post is visible.
                    time.sleep(_TURN_SECONDS)
                try:
                    yield
                finally:
                    self.leave_post(me, PLANNING)
            finally:
                self.plans_now = False

    def _take_turn(self, me: str) -> bool:
        with self._db.write() as connection:
            return insert_post(connection, PLANNING, me, again=True)

    # -- signals -------------------------------------------------------------------------------

    def ask_for_quiet(self, seconds: float) -> None:
        """Ask all workers to make no call for so long, as the API asked."""
        until = sa.func.greatest(signals.c.quiet_until, NOW + seconds)
        with self._db.write() as connection:
            connection.execute(signals.update().values(quiet_until=until))

    def shut(self, seconds: float, *, held: bool, reason: str, hint: str) -> None:
        """Stop sending by all workers for so long; then it is tried again."""
        values = {"shut_until": NOW + seconds, "held": held, "reason": reason, "hint": hint}
        open_now = signals.c.shut_until < NOW
        with self._db.write() as connection:
            connection.execute(signals.update().where(open_now).values(**values))

    def reopen_all(self) -> None:
        """Try again at once."""
        with self._db.write() as connection:
            connection.execute(signals.update().values(shut_until=0.0))

    def signals(self) -> Signals:
        """Return what all workers are to obey now."""
        with self._db.read() as connection:
            line = connection.execute(sa.select(*_SIGNALS)).one()
        return record_from(Signals, line)


_SIGNALS: tuple[sa.ColumnElement[Any], ...] = (
    sa.func.greatest(0.0, signals.c.quiet_until - NOW).label("quiet"),
    sa.func.greatest(0.0, signals.c.shut_until - NOW).label("shut"),
    signals.c.held,
    signals.c.reason,
    signals.c.hint,
)


def _orders(me: str, stale_seconds: float) -> sa.Select[Any]:
    root, others = workers.c.root, workers.alias()
    return (
        sa.select(
            workers.c.draining,
            (sa.exists().where(unfinished_of(root)) | sa.exists().where(requested_of(root))).label(
                "work"
            ),
            sa.exists().where(others.c.beat < NOW - stale_seconds).label("silent"),
            *_SIGNALS,
        )
        .select_from(workers.join(signals, sa.true()))
        .where(workers.c.id == me)
    )


def insert_post(
    connection: sa.Connection,
    key: str,
    me: str,
    *,
    where: sa.ColumnElement[bool] | None = None,
    again: bool = False,
) -> bool:
    """Take a post, if ``where`` holds; false when another has it or it does not.

    ``again``: also one that is ours already.
    """
    from sqlalchemy.dialects.postgresql import insert  # a tenth of a second that only workers need

    values = sa.select(sa.literal(key), sa.literal(me), NOW).where(
        sa.true() if where is None else where
    )
    taking = insert(posts).from_select(["key", "owner", "since"], values)
    taken = (
        taking.on_conflict_do_update(
            index_elements=["key"], set_={"since": NOW}, where=posts.c.owner == me
        )
        if again
        else taking.on_conflict_do_nothing(index_elements=["key"])
    )
    return connection.execute(taken.returning(posts.c.key)).first() is not None
