"""Opening the ledger's database, and the one place where its errors become ours."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pipeline.core.errors import LedgerLost, SettingsError, StorageError
from pipeline.storage.ledger import migrations
from pipeline.storage.ledger.postgres import PostgresDialect
from pipeline.storage.ledger.sqlite import SqliteDialect

Dialect = SqliteDialect | PostgresDialect


def dialect_of(url: str, root: Path) -> Dialect:
    """Return how to speak to the database at ``url``. Raises SettingsError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise wrong_address(str(error)) from error
    except ValueError as error:
        raise wrong_address("its port is not a number") from error
    if parsed.drivername == "sqlite":
        return SqliteDialect(parsed, root)
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return PostgresDialect(parsed)
    raise wrong_address(f'"{parsed.drivername}" is not a database that it can be kept in')


def wrong_address(why: str) -> SettingsError:
    """Return the error for a ``ledger.url`` that cannot be used.

    The address may hold a password.
    """
    return SettingsError(
        f'The setting "ledger.url" is wrong: {why}.',
        hint='Use "sqlite:///state/ledger.db", or "postgresql://…".',
    )


LAST_CHARACTER = "\U0010ffff"
"""Sorts behind every other, byte by byte."""

_Record = TypeVar("_Record", bound=msgspec.Struct)

MARK = "\\"
"""Before a character that stands for itself in a LIKE."""


def escaped(text: str) -> str:
    """Return a text as it stands in a LIKE, each character for itself."""
    for special in (MARK, "%", "_"):
        text = text.replace(special, MARK + special)
    return text


class Database:
    """A ledger database that is open and migrated. Safe to use from several threads.

    Where there is one writer anyway (SQLite), writers take turns on ``_turn``: waiting on a lock of
    ours costs less than its busy handler. ``fence``, where several processes write, is asked at the
    beginning of each transaction and raises Fenced when this one may not write any more; ``writer``
    is then the name this process goes by. ``failures`` counts what could not be read or written.
    ``planning`` is for the one thread that plans.
    """

    def __init__(self, url: str, *, root: Path) -> None:
        self.dialect = dialect_of(url, root)
        self._root = root
        self.fence: Callable[[sa.Connection], None] | None = None
        self.writer = ""
        self.failures = 0
        self.planning = threading.Lock()
        lock = threading.RLock()
        self._turn: AbstractContextManager[object] = (
            lock if self.dialect.one_writer else nullcontext()
        )
        try:
            self.engine = self.dialect.engine()
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise wrong_address(str(error)) from error
        driver = self.engine.dialect.loaded_dbapi
        self._failures: tuple[type[Exception], ...] = (
            SQLAlchemyError,
            sqlite3.Error,
            driver.Error,
        )
        # Commands that only read (``drops``, ``trace``) must not wait for a writer.
        try:
            with self.read() as connection:
                current = migrations.is_current(connection)
            if not current:
                self._migrate()
        except BaseException:
            self.close()
            raise

    def _migrate(self) -> None:
        with self.write() as connection:
            self.dialect.begin_migration(connection)
            try:
                migrations.migrate(connection)
            except ValueError as error:
                raise LedgerLost(
                    f"The ledger cannot be used: {error}.", hint="Install the newer Shipdrop again."
                ) from error

    @cached_property
    def root_id(self) -> str:
        """Return the name of this root among those that share the ledger; "" where it is embedded.

        Made on first use, so that reading commands leave no traces.
        """
        return _root_id(self._root) if self.dialect.many_roots else ""

    @property
    def has_root_id(self) -> bool:
        """Return True when the root has a name already."""
        return _has_id(self._root)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection for reading. Raises StorageError when the ledger cannot be read."""
        with self.in_our_words("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction: committed when the block ends, undone when it raises."""
        with self.in_our_words("written"), self._turn, self.engine.begin() as connection:
            self.dialect.begin(connection)
            if self.fence is not None:
                self.fence(connection)
            yield connection

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Yield a connection outside any transaction, while nobody else in this process writes."""
        with self.in_our_words("tidied up"), self._turn, self.engine.connect() as connection:
            yield connection

    def examine(self) -> None:
        """Look through all of it for damage. Raises LedgerLost."""
        with self.read() as connection:
            if found := self.dialect.damage(connection):
                raise LedgerLost(f"The ledger is damaged: {found}.", hint=self.dialect.restore)

    def close(self) -> None:
        """Close all connections; SQLite folds its log into the file."""
        self.engine.dispose()

    @contextmanager
    def in_our_words(self, what: str) -> Iterator[None]:
        """Convert errors of the database and its driver raised in the block into StorageError."""
        try:
            yield
        except self._failures as error:
            self.failures += 1
            # What fails while a connection is being set up comes from the driver as it is.
            reason = error.orig if isinstance(error, DBAPIError) else error
            said = " ".join(str(reason).split()).rstrip(".")
            if self.dialect.is_damage(reason):
                raise LedgerLost(
                    f"The ledger is damaged: {said}.", hint=self.dialect.restore
                ) from error
            raise StorageError(
                f"The ledger cannot be {what}: {said}.", hint=self.dialect.hint
            ) from error


def record_from(kind: type[_Record], row: sa.Row[Any], **instead: object) -> _Record:
    """Build a record from a line that has its fields, and perhaps more.

    ``instead``: values in place of the line's. Raises msgspec.ValidationError.
    """
    # Some names are SQLAlchemy's own kind of text.
    values = {str(name): value for name, value in row._asdict().items()}
    return msgspec.convert({**values, **instead}, kind)


_ROOT_ID = "root-id"


def _root_id(root: Path) -> str:
    """Return the name of this root for the ledger: made once, kept in ``state/root-id``.

    Machines that share the root's folder read one name. Raises StorageError.
    """
    path = root / "state" / _ROOT_ID
    try:
        if not _has_id(root):
            _make_id(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be used: {error}.") from error


def _has_id(root: Path) -> bool:
    """Return True when the root has a name already."""
    return (root / "state" / _ROOT_ID).exists()


def _make_id(path: Path) -> None:
    """Make the name; the first process wins, since a link never replaces a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{_ROOT_ID}.{secrets.token_hex(4)}")
    with temporary.open("w", encoding="ascii") as file:
        file.write(f"r{secrets.token_hex(5)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
