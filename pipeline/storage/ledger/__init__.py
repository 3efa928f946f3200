"""The ledger: every drop with its plan, its calls and their answers.

SQLAlchemy Core, on SQLite or PostgreSQL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from pipeline.core.errors import UsageError
from pipeline.storage.ledger.advisory_lock import Hold, alone
from pipeline.storage.ledger.chunk_store import Sends
from pipeline.storage.ledger.compaction import Compaction
from pipeline.storage.ledger.database import Database
from pipeline.storage.ledger.drops import Drops
from pipeline.storage.ledger.plan_store import Plans
from pipeline.storage.ledger.queries import Overview
from pipeline.storage.ledger.segments import Segments
from pipeline.storage.ledger.tables import (
    accepted,
    chunks,
    compacted,
    drops,
    lines,
    receipts,
    unfrozen,
    verdicts,
)
from pipeline.storage.ledger.workers import Workers

_BATCH = 20_000


def copy_all(source: Database, target: Database, *, root_id: str) -> Mapping[str, int]:
    """Copy every table in one transaction; return how many lines of each.

    ``root_id``: how the target knows the root whose ledger this was. Raises UsageError for a target
    that holds drops already, and StorageError.
    """
    with source.read() as old, target.write() as new:
        if new.execute(sa.select(drops.c.seq).limit(1)).first() is not None:
            raise UsageError(
                "The ledger to copy to holds drops already.", hint="Give the address of a new one."
            )
        counts = {str(drops.name): _copy_drops(old, new, root_id)}
        for table in (chunks, verdicts, receipts, lines, accepted, compacted, unfrozen):
            counts[str(table.name)] = _copy(old, new, target, table)
        target.dialect.number_after(new, drops.c.seq)
        target.dialect.number_after(new, receipts.c.id)
    return counts


def _copy_drops(old: sa.Connection, new: sa.Connection, root_id: str) -> int:
    count = 0
    for some in _batches(old, drops):
        rows = [{**row._asdict(), "root": root_id} for row in some]
        new.execute(drops.insert(), rows)
        count += len(rows)
    return count


def _copy(old: sa.Connection, new: sa.Connection, target: Database, table: sa.Table) -> int:
    count = 0
    for some in _batches(old, table):
        columns = dict(zip(table.c.keys(), zip(*some, strict=True), strict=True))
        target.dialect.insert_many(new, table, columns)
        count += len(some)
    return count


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[list[sa.Row[tuple[object]]]]:
    query = table.select().order_by(*table.primary_key.columns)
    yield from map(list, connection.execute(query).partitions(_BATCH))


class SqlLedger(Drops, Plans, Sends):
    """The record of drops, plans, calls and answers. Methods may raise StorageError.

    ``overview``: questions of pages and commands. ``compaction``: what removes old rows.
    ``workers`` and ``segments`` are for several workers, and ask for PostgreSQL.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.overview = Overview(database)
        self.compaction = Compaction(database)
        self.workers = Workers(database)
        self.segments = Segments(database)

    @property
    def root_id(self) -> str:
        """Return the name of this root in a ledger of several; "" where it is embedded."""
        return self._db.root_id

    @contextmanager
    def alone(self, *, shared: bool = False, stale_seconds: float = 12.0) -> Iterator[Hold]:
        """Hold the ledger for one ``run``, or ``shared`` for workers. Raises RootBusy.

        A restart of the server takes the lock from workers for a moment, but not their lines: a
        ``run`` that comes just then goes only when none has given word for ``stale_seconds``.
        """
        with alone(self._db, shared=shared) as hold:
            if not shared and not self.is_embedded:
                self.workers.outlast(stale_seconds)
            yield hold

    def copy_to(self, target: "SqlLedger") -> Mapping[str, int]:
        """Copy all into an empty ledger; return the lines by table.

        Raises UsageError when it does.
        """
        of_target = target._db  # noqa: SLF001 - of the same class
        return copy_all(self._db, of_target, root_id=target.root_id)

    def examine(self) -> None:
        """Look for damage in a ledger that lies in a file. Raises LedgerLost."""
        self._db.examine()

    @property
    def restore_hint(self) -> str:
        """Return how to go on when the ledger is lost."""
        return self._db.dialect.restore

    @property
    def failures(self) -> int:
        """Return how often something could not be read or written since it was opened."""
        return self._db.failures

    @property
    def is_embedded(self) -> bool:
        """Return True when only this root can have it."""
        return not self._db.dialect.many_roots

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def open_ledger(url: str, *, root: Path) -> SqlLedger:
    """Open, and create or migrate, the ledger at ``url`` (a relative SQLite path is ROOT's)."""
    return SqlLedger(Database(url, root=root))
