"""The ledger: every drop with its plan, its calls and their answers.

SQLAlchemy Core, on SQLite or PostgreSQL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.storage.ledger.advisory_lock import Hold, alone
from pipeline.storage.ledger.chunk_store import Sends
from pipeline.storage.ledger.compaction import Compaction
from pipeline.storage.ledger.copy import copy_all
from pipeline.storage.ledger.database import Database
from pipeline.storage.ledger.plan_store import Plans
from pipeline.storage.ledger.queries import OverDrops, Trace
from pipeline.storage.ledger.segments import Segments
from pipeline.storage.ledger.workers import Workers


class SqlLedger(Segments, Plans, Sends, Trace, OverDrops, Compaction, Workers):
    """The record of drops, plans, calls and answers. Methods may raise StorageError.

    What ``Workers`` and ``Segments`` add is for several workers, and asks for PostgreSQL.
    """

    @contextmanager
    def alone(self, *, shared: bool = False, stale_seconds: float = 12.0) -> Iterator[Hold]:
        """Hold the ledger for one ``run``, or ``shared`` for workers. Raises RootBusy.

        A restart of the server takes the lock from workers for a moment, but not their lines: a
        ``run`` that comes just then goes only when none has given word for ``stale_seconds``.
        """
        with alone(self._db, shared=shared) as hold:
            if not shared and not self.is_embedded:
                self.outlast(stale_seconds)
            yield hold

    def copy_to(self, target: "SqlLedger") -> Mapping[str, int]:
        """Copy all into a ledger that knows nothing yet; return the lines by table.

        Raises UsageError when it does.
        """
        of_target = target._db  # noqa: SLF001 - of the same class
        return copy_all(self._db, of_target, root_id=target.root_id)

    def examine(self) -> None:
        """Look for damage in a ledger that lies in a file. Raises LedgerLost."""
        self._db.examine()

    @property
    def how_to_restore(self) -> str:
        """Say how to go on when the ledger is lost."""
        return self._db.dialect.restore

    @property
    def is_embedded(self) -> bool:
        """Return True when only this root can have it."""
        return not self._db.dialect.many_roots

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def open_ledger(url: str, *, root: Path) -> SqlLedger:
    """Open, and create or migrate, the ledger at ``url`` (a relative SQLite path is ROOT's)."""
    return SqlLedger(Database(url, root=root), root=root)
