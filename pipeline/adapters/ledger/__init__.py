"""The ledger: what was received, planned, sent and answered. SQLAlchemy Core on SQLite."""

from pathlib import Path

from pipeline.adapters.ledger.compaction import Compaction
from pipeline.adapters.ledger.drops import Drops
from pipeline.adapters.ledger.engine import Database
from pipeline.adapters.ledger.overview import OverDrops
from pipeline.adapters.ledger.plans import Plans
from pipeline.adapters.ledger.sends import Sends
from pipeline.adapters.ledger.trace import Trace


class SqlLedger(Drops, Plans, Sends, Trace, OverDrops, Compaction):
    """Implements ``pipeline.ports.Ledger``. Every method may raise StorageError."""

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()


def open_ledger(url: str, *, root: Path) -> SqlLedger:
    """Open, and create or migrate, the ledger at ``url`` (a relative SQLite path is ROOT's)."""
    return SqlLedger(Database(url, root=root))
