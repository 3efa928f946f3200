"""SQLite and PostgreSQL: everything in which the two differ, a module for each.

The driver for PostgreSQL (psycopg, of the extra ``cluster``) is imported by SQLAlchemy when an
address asks for it, never by an embedded ledger.
"""

from pathlib import Path

import sqlalchemy as sa

from pipeline.core.errors import SettingsError
from pipeline.storage.ledger.dialects.postgres import PostgresDialect
from pipeline.storage.ledger.dialects.sqlite import SqliteDialect

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
    """Return what to say of a ``ledger.url`` that cannot be used.

    The address may hold a password.
    """
    return SettingsError(
        f'The setting "ledger.url" is wrong: {why}.',
        hint='Use "sqlite:///state/ledger.db", or "postgresql://…".',
    )
