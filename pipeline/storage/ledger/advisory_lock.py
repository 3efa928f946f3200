"""One ``run`` per ledger, or any number of workers: an advisory lock of PostgreSQL.

The server releases it when its holder's connection ends, however that ends. An embedded ledger
needs none: its root has a lock of its own.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from pipeline.core.errors import RootBusy, StorageError
from pipeline.storage.ledger.database import Database

log = structlog.get_logger(__name__)

_KEY = 0x5D1D0002
_LOOK_SECONDS = 2.0
_SHARED_LOOK_SECONDS = 10.0
"""Workers: a ``run`` that comes while they do not hold the lock waits for their words."""


class Hold:
    """The lock while it is held. ``on_lost`` is called, in another thread, when it is lost."""

    def __init__(self, database: Database, *, shared: bool) -> None:
        self._database = database
        self._take = sa.func.pg_try_advisory_lock_shared if shared else sa.func.pg_try_advisory_lock
        self._connection: sa.Connection | None = None
        self._every = _SHARED_LOOK_SECONDS if shared else _LOOK_SECONDS
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ledger-lock", daemon=True)
        self.on_lost: Callable[[], None] = lambda: None
        self.is_lost = False

    def take(self) -> bool:
        """Take the lock on a connection of its own. False when others hold it."""
        engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with self._database.in_our_words("read"):
            connection = engine.connect()
            if connection.execute(sa.select(self._take(_KEY))).scalar():
                self._connection = connection
                return True
            connection.close()
        return False

    def watch(self) -> None:
        """Look every few seconds whether the lock's connection still stands."""
        self._thread.start()

    def release(self) -> None:
        """Let go."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # closed, not kept: with it goes the lock
            self._connection.close()
            self._connection = None

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            if not self._stands() and not self._again():
                log.error("ledger.taken", hint="Another run has taken the ledger: this one ends.")
                self.is_lost = True
                self.on_lost()
                return

    def _stands(self) -> bool:
        if self._connection is None:
            return False
        try:
            with self._database.in_our_words("read"):
                self._connection.execute(sa.select(1))
        except StorageError:
            self._drop()
            return False
        return True

    def _again(self) -> bool:
        """Take the lock again after a restart of the server, unless somebody else was quicker."""
        try:
            return self.take()
        except StorageError:
            return True  # the server is away: nobody can have it


@contextmanager
def alone(database: Database, *, shared: bool = False) -> Iterator[Hold]:
    """Hold the ledger while the context lasts. ``shared``: beside others that share it.

    Raises RootBusy when it is held otherwise, StorageError when it cannot be reached.
    """
    hold = Hold(database, shared=shared)
    if database.engine.dialect.name != "sqlite":
        if not hold.take():
            who = "A `shipdrop run` holds" if shared else "Another run, or workers, hold"
            raise RootBusy(
                f"{who} the ledger that ledger.url names.",
                hint="One `run` per ledger; several machines work together as `shipdrop worker`.",
            )
        hold.watch()
    try:
        yield hold
    finally:
        hold.release()
