"""Opening the ledger's database, and the one place where its errors become ours."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pipeline.adapters.ledger import schema
from pipeline.errors import SettingsError, StorageError

BUSY_SECONDS = 30


class Database:
    """A ledger database that is open and migrated. Safe to use from several threads.

    Writers take turns on ``_turn``: SQLite has one writer anyway, and waiting on a lock of ours
    costs less than its busy handler.
    """

    def __init__(self, url: str, *, root: Path) -> None:
        self._turn = threading.RLock()
        try:
            self.engine = sa.create_engine(_absolute(url, root), connect_args=_arguments(url))
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise SettingsError(
                f'The setting "ledger.url" is wrong: {error}.',
                hint='Use "sqlite:///state/ledger.db".',
            ) from error
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _sqlite_pragmas)
        # Whoever only looks (``drops``, ``trace``) must not wait for the one who writes.
        with self.read() as connection:
            current = schema.is_current(connection)
        if not current:
            self._migrate()

    def _migrate(self) -> None:
        with self.write() as connection:
            try:
                schema.migrate(connection)
            except ValueError as error:
                raise StorageError(
                    f"The ledger cannot be used: {error}.", hint="Install the newer Shipdrop again."
                ) from error

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading. Raises StorageError when the ledger cannot be read."""
        with _in_our_words("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction: committed when the block ends, undone when it raises."""
        with _in_our_words("written"), self._turn, self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                # At once, not at the first write: another process cannot come in between.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """A connection outside any transaction, while nobody else in this process writes."""
        with _in_our_words("tidied up"), self._turn, self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections; SQLite folds its log into the file."""
        self.engine.dispose()


@contextmanager
def _in_our_words(what: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        # What fails while a connection is being set up comes from the driver as it is.
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StorageError(
            f"The ledger cannot be {what}: {reason}.",
            hint="Check that the disk has space and that state/ is writable; then nothing is lost.",
        ) from error


def _absolute(url: str, root: Path) -> sa.URL:
    """``sqlite:///state/ledger.db`` is meant from the root, wherever the command was started."""
    parsed = sa.make_url(url)
    if (
        parsed.get_backend_name() != "sqlite"
        or not parsed.database
        or parsed.database == ":memory:"
    ):
        return parsed
    path = root / parsed.database
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The ledger's folder {path.parent} cannot be made: {error}.") from error
    return parsed.set(database=str(path))


def _arguments(url: str) -> dict[str, Any]:
    if sa.make_url(url).get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS, "check_same_thread": False}
    return {}


def _sqlite_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - the DBAPI's
    """WAL: readers never wait. FULL: a commit survives a power loss too.

    With NORMAL a power loss could undo every commit since the last checkpoint, and with them that
    chunks were sent: they would be sent again without a question. FULL costs an fsync per commit.
    Medians of runs taken in turn, on two cores busy with other work (load 4 to 5):

    - 10,000 chunks in 313 exchanges, alone, six runs each: NORMAL 0.16 s, FULL 0.35 s;
    - 200,000 rows to a server in the same process, about 900 exchanges, five runs each: the whole
      10.0 s and 10.9 s (6.1 to 12.2 and 6.8 to 12.1: the spread is wider than the difference),
      inside ``exchange`` 0.95 s and 4.9 s, most of it beside the calls, in the bookkeeper's thread.
    """
    connection.isolation_level = None  # the driver begins nothing by itself: see Database.write
    cursor = connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Only before anything is written, so that Compaction.shrink need not write it all anew.
        # On a file that has pages this would wait for whoever writes.
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-16000",
        "temp_store=MEMORY",
        "wal_autocheckpoint=4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
