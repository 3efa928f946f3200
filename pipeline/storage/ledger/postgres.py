"""The ledger on a PostgreSQL server."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa

from pipeline.storage.ledger.tables import Columns, Names, Run, chunks

_LOCK_SECONDS = 30

_MIGRATION_KEY = 0x5D1D0001
"""Advisory lock of PostgreSQL under which tables are made and changed."""

_CLOSING_KEY = 0x5D1D0004
"""Advisory lock of PostgreSQL under which drops are closed."""

_FRESH_SECONDS = 1.0
"""A connection that was idle for less is assumed to be alive; if it is dead, the caller repeats the
call."""

_NUL_IN_JSON = "\\u0000"

_STUCK_SECONDS = 10
"""PostgreSQL ends a transaction of ours that does nothing for this long: a frozen process must not
keep its locks."""


class PostgresDialect:
    """A server that several machines reach."""

    hint = "Check that PostgreSQL runs and can be reached, and its disk; then nothing is lost."
    restore = (
        "If it is a new database, fill it with `shipdrop ledger copy --to …` while ledger.url "
        "names the old one; if the database was lost, restore its backup."
    )
    one_writer = False
    many_roots = True
    order_batch = 10_000

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    def engine(self) -> sa.Engine:
        """Return an engine whose connections are found out when the server was restarted."""
        arguments = {
            "connect_timeout": 10,
            "application_name": "shipdrop",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": f"-c idle_in_transaction_session_timeout={_STUCK_SECONDS}s "
            f"-c lock_timeout={_LOCK_SECONDS}s -c timezone=UTC",
        }
        engine = sa.create_engine(self._url, connect_args=arguments, pool_size=8, max_overflow=8)
        sa.event.listen(engine, "checkin", _note_rest)
        sa.event.listen(engine, "checkout", _try_rested)
        sa.event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
        return engine

    def begin(self, connection: sa.Connection) -> None:
        """Do nothing: rows are locked, not the database, so writers need not take turns."""

    def is_damage(self, error: Exception | None) -> bool:  # noqa: ARG002 - the server minds its files
        """Return False: the server examines its own files."""
        return False

    def damage(self, connection: sa.Connection) -> str:  # noqa: ARG002 - the same
        """Return "": the server examines its own files."""
        return ""

    def begin_migration(self, connection: sa.Connection) -> None:
        """Lock out other machines that may start at this moment."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_KEY)))

    def begin_closing(self, connection: sa.Connection) -> None:
        """Let commits that close drops come one after the other, in the order of their numbers."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLOSING_KEY)))

    def orders_in(self, column: sa.Column[str]) -> sa.ColumnElement[bool]:
        """The condition that the column is one of the parameter ``wanted``: an array, so that the
        statement is the same for any number.
        """
        wanted: sa.BindParameter[Sequence[str]] = sa.bindparam("wanted", type_=sa.ARRAY(sa.String))
        return column == sa.any_(wanted)

    def insert_many(self, connection: sa.Connection, table: sa.Table, columns: Columns) -> None:
        """Insert by COPY, which is several times faster than any INSERT."""
        quote = connection.dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in columns)
        driver: Any = connection.connection.cursor()  # psycopg's, which SQLAlchemy does not type
        with driver as cursor, cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN") as to:
            for row in zip(*columns.values(), strict=True):
                to.write_row(_clean(row))

    def number_after(self, connection: sa.Connection, column: sa.Column[int]) -> None:
        """Let a column's own numbers go on after the highest that was written into it."""
        sequence = sa.func.pg_get_serial_sequence(column.table.name, column.name)
        highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sequence, highest, sa.false())))

    def write_runs(self, connection: sa.Connection, names: Names, runs: Sequence[Run]) -> None:
        """Write the same values into all chunks of each run: one statement, from one JSON text.

        A statement for each would cost about 60 µs of client and server a chunk; arrays are put
        together value by value in Python, which cost more than all else of a commit; and joined by
        ranges, the server would look at every chunk of the drop for each.
        """
        each = [
            dict(zip(names, values, strict=True), drop_seq=drop, no=no)
            for drop, first, last, values in runs
            for no in range(first, last + 1)
        ]
        text = orjson.dumps(each).decode()
        if _NUL_IN_JSON in text:
            text = orjson.dumps([_clean_set(one) for one in each]).decode()
        connection.execute(_update_from_json(tuple(names)), {"given": text})


@cache
def _update_from_json(names: tuple[str, ...]) -> sa.Update:
    """Set ``names`` of the chunks that a JSON array of objects names, to the values in it."""
    columns = [sa.column(name, chunks.c[name].type) for name in ("drop_seq", "no", *names)]
    text = sa.cast(sa.bindparam("given", type_=sa.Text), sa.JSON)
    rows = sa.func.json_to_recordset(text).table_valued(*columns)
    given = rows.render_derived("given", with_types=True)
    this = (chunks.c.drop_seq == given.c.drop_seq) & (chunks.c.no == given.c.no)
    return chunks.update().where(this).values({name: given.c[name] for name in names})


def _note_rest(_connection: object, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's record
    record.info["rested"] = time.monotonic()


def _try_rested(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401 - the driver's
    """Try a connection that was not used for a while; SQLAlchemy makes another for a dead one.

    To ask each time, as its own option does, would cost as much as a commit.
    """
    if time.monotonic() - record.info.get("rested", 0.0) < _FRESH_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except connection.Error as error:
        raise sa.exc.DisconnectionError from error


def _clean(values: Sequence[object]) -> tuple[object, ...]:
    """Return values without NUL, which PostgreSQL's text cannot hold."""
    return tuple(_clean_one(value) for value in values)


def _clean_one(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if isinstance(value, list):
        return [_clean_one(each) for each in value]
    return value


def _without_nul(
    _connection: sa.Connection,
    _cursor: object,
    statement: str,
    parameters: Any,  # noqa: ANN401 - one set of the driver's, or many
    _context: object,
    executemany: bool,  # noqa: FBT001 - SQLAlchemy's signature
) -> tuple[str, Any]:
    if executemany and isinstance(parameters, list):  # many rows in one statement have one set
        return statement, [_clean_set(each) for each in parameters]
    return statement, _clean_set(parameters)


def _clean_set(given: Any) -> Any:  # noqa: ANN401 - the driver's: by name or by place
    if isinstance(given, Mapping):
        return dict(zip(given, _clean(tuple(given.values())), strict=True))
    return _clean(given)
