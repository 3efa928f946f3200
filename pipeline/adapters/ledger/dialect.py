"""SQLite and PostgreSQL: everything in which the two differ, in one place.

The driver for PostgreSQL (psycopg, of the extra ``cluster``) is imported by SQLAlchemy when an
address asks for it, never by an embedded ledger.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.adapters.ledger.schema import chunks
from pipeline.errors import SettingsError, StorageError

BUSY_SECONDS = 30

_VARIABLES = 990
"""Variables of one SQLite statement: under the bound of every version (999 before 3.32)."""

_MIGRATION_KEY = 0x5D1D0001
"""Advisory lock of PostgreSQL under which tables are made and changed."""

_FRESH_SECONDS = 1.0
"""A connection that rested for less is taken to be alive; a call that finds it dead is repeated by
whoever made it."""

_STUCK_SECONDS = 10
"""PostgreSQL ends a transaction of ours that does nothing for this long: a frozen process must not
keep its locks."""

Columns = Mapping[str, Sequence[object]]
Names = Sequence[str]
Run = tuple[int, int, int, tuple[object, ...]]
"""Chunks of a drop from a first to a last one, and the values to write into all of them."""


class SqliteDialect:
    """A file beside the drops: one writer, readers never wait."""

    hint = "Check that the disk has space and that state/ is writable; then nothing is lost."
    one_writer = True
    many_roots = False
    order_batch = _VARIABLES - 20

    def __init__(self, url: sa.URL, root: Path) -> None:
        self._url = _from_root(url, root)

    def engine(self) -> sa.Engine:
        """An engine whose connections are set up."""
        arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        engine = sa.create_engine(self._url, connect_args=arguments)
        sa.event.listen(engine, "connect", _sqlite_pragmas)
        return engine

    def begin(self, connection: sa.Connection) -> None:
        """Take the writer's turn at once, not at the first write: nobody can come in between."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_migration(self, connection: sa.Connection) -> None:
        """The one writer is alone already."""

    def orders_in(self, column: sa.Column[str]) -> sa.ColumnElement[bool]:
        """The condition that the column is one of the parameter ``wanted``."""
        wanted: sa.BindParameter[str] = sa.bindparam("wanted", expanding=True)
        return column.in_(wanted)

    def insert_many(self, connection: sa.Connection, table: sa.Table, columns: Columns) -> None:
        """Many rows in one statement, handed to the driver as they are.

        A dictionary per row would cost more than SQLite itself, and a statement per row twice this.
        """
        statement = table.insert().values({name: sa.bindparam(name) for name in columns})
        compiled = statement.compile(dialect=connection.dialect)
        head, values, row = str(compiled).partition(" VALUES ")
        names = compiled.positiontup or list(columns)
        width, count = len(names), len(columns[names[0]])
        flat: list[object] = [None] * (width * count)
        for place, name in enumerate(names):
            flat[place::width] = columns[name]
        many = _VARIABLES // width
        rest = count % many
        stops = range(0, (count - rest) * width, many * width)
        whole = [tuple(flat[at : at + many * width]) for at in stops]
        if whole:
            connection.exec_driver_sql(head + values + ", ".join([row] * many), whole)
        if rest:
            text = head + values + ", ".join([row] * rest)
            connection.exec_driver_sql(text, tuple(flat[-rest * width :]))

    def number_after(self, connection: sa.Connection, column: sa.Column[int]) -> None:
        """Numbers go on by themselves after the highest there is."""

    def write_runs(self, connection: sa.Connection, names: Names, runs: Sequence[Run]) -> None:
        """Write the same values into all chunks of each run: a statement for each."""
        connection.execute(_update_run(tuple(names)), [_named(names, run) for run in runs])


class PostgresDialect:
    """A server that several machines reach."""

    hint = "Check that PostgreSQL runs and can be reached, and its disk; then nothing is lost."
    one_writer = False
    many_roots = True
    order_batch = 10_000

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    def engine(self) -> sa.Engine:
        """An engine whose connections are found out when the server was restarted."""
        arguments = {
            "connect_timeout": 10,
            "application_name": "shipdrop",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": f"-c idle_in_transaction_session_timeout={_STUCK_SECONDS}s "
            f"-c lock_timeout={BUSY_SECONDS}s -c timezone=UTC",
        }
        engine = sa.create_engine(self._url, connect_args=arguments, pool_size=8, max_overflow=8)
        sa.event.listen(engine, "checkin", _note_rest)
        sa.event.listen(engine, "checkout", _try_rested)
        sa.event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
        return engine

    def begin(self, connection: sa.Connection) -> None:
        """Writers need not take turns: rows are locked, not the database."""

    def begin_migration(self, connection: sa.Connection) -> None:
        """Several machines may start at once."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_KEY)))

    def orders_in(self, column: sa.Column[str]) -> sa.ColumnElement[bool]:
        """The condition that the column is one of the parameter ``wanted``: an array, so that the
        statement is the same for any number.
        """
        wanted: sa.BindParameter[Sequence[str]] = sa.bindparam("wanted", type_=sa.ARRAY(sa.String))
        return column == sa.any_(wanted)

    def insert_many(self, connection: sa.Connection, table: sa.Table, columns: Columns) -> None:
        """By COPY: several times faster than any INSERT."""
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
        """Write the same values into all chunks of each run: one statement, from arrays.

        A statement for each would cost about 60 µs of client and server a chunk; joined by ranges,
        the server would look at every chunk of the drop for each.
        """
        each = [(drop, no, *v) for drop, first, last, v in runs for no in range(first, last + 1)]
        keys = ("drop_seq", "no", *names)
        columns = map(list, zip(*each, strict=True))
        given = {f"a_{key}": column for key, column in zip(keys, columns, strict=True)}
        connection.execute(_update_from_arrays(tuple(names)), given)


@cache
def _update_run(names: tuple[str, ...]) -> sa.Update:
    """Set ``names`` of the chunks ``k_first`` to ``k_last`` of the drop ``k_drop``."""
    in_run = (
        (chunks.c.drop_seq == sa.bindparam("k_drop"))
        & (chunks.c.no >= sa.bindparam("k_first"))
        & (chunks.c.no <= sa.bindparam("k_last"))
    )
    return chunks.update().where(in_run).values({n: sa.bindparam(f"v_{n}") for n in names})


@cache
def _update_from_arrays(names: tuple[str, ...]) -> sa.Update:
    """Set ``names`` of the chunks that the arrays ``drop_seq`` and ``no`` tell, from arrays too."""
    kinds = {name: chunks.c[name].type for name in ("drop_seq", "no", *names)}
    arrays = [sa.bindparam(f"a_{name}", type_=sa.ARRAY(kind)) for name, kind in kinds.items()]
    columns = [sa.column(f"g_{name}", kind) for name, kind in kinds.items()]
    given = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    this = (chunks.c.drop_seq == given.c.g_drop_seq) & (chunks.c.no == given.c.g_no)
    return chunks.update().where(this).values({n: given.c[f"g_{n}"] for n in names})


Dialect = SqliteDialect | PostgresDialect


def dialect_of(url: str, root: Path) -> Dialect:
    """How to speak to the database at ``url``. Raises SettingsError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise wrong_address(str(error)) from error
    except ValueError as error:
        raise wrong_address("its port is no number") from error
    if parsed.drivername == "sqlite":
        return SqliteDialect(parsed, root)
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return PostgresDialect(parsed)
    raise wrong_address(f'"{parsed.drivername}" is no database it can be kept in')


def wrong_address(why: str) -> SettingsError:
    """What to say of a ``ledger.url`` that cannot be used. The address may hold a password."""
    return SettingsError(
        f'The setting "ledger.url" is wrong: {why}.',
        hint='Use "sqlite:///state/ledger.db", or "postgresql://…" with shipdrop[cluster].',
    )


def _from_root(url: sa.URL, root: Path) -> sa.URL:
    """``sqlite:///state/ledger.db`` is meant from the root, wherever the command was started."""
    if not url.database or url.database == ":memory:":
        return url
    path = root / url.database
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The ledger's folder {path.parent} cannot be made: {error}.") from error
    return url.set(database=str(path))


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
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-16000",
        "temp_store=MEMORY",
        "wal_autocheckpoint=4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _note_rest(_connection: object, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's record
    record.info["rested"] = time.monotonic()


def _try_rested(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401 - the driver's
    """A connection that was not used for a while may be dead: SQLAlchemy makes another then.

    To ask each time, as its own option does, would cost as much as a commit.
    """
    if time.monotonic() - record.info.get("rested", 0.0) < _FRESH_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except connection.Error as error:
        raise sa.exc.DisconnectionError from error


def _named(names: Names, run: Run) -> dict[str, object]:
    drop, first, last, values = run
    named = {f"v_{name}": value for name, value in zip(names, values, strict=True)}
    return {"k_drop": drop, "k_first": first, "k_last": last, **named}


def _clean(values: Sequence[object]) -> tuple[object, ...]:
    """Text of PostgreSQL holds no NUL; whatever an API or a file says may."""
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
    if executemany:
        return statement, [_clean_set(each) for each in parameters]
    return statement, _clean_set(parameters)


def _clean_set(given: Any) -> Any:  # noqa: ANN401 - the driver's: by name or by place
    if isinstance(given, Mapping):
        return dict(zip(given, _clean(tuple(given.values())), strict=True))
    return _clean(given)
