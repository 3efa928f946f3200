"""The ledger in a SQLite file."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.core.errors import StorageError
from pipeline.storage.ledger.tables import Columns, Names, Run, chunks

_BUSY_SECONDS = 30

_VARIABLES = 990
"""Variables of one SQLite statement: under the bound of every version (999 before 3.32)."""


class SqliteDialect:
    """A file beside the drops: one writer, readers never wait."""

    hint = "Check that the disk has space and that state/ is writable; then nothing is lost."
    restore = (
        "Restore the newest backup with `shipdrop ledger restore FILE` (docs/production.md, "
        "Restore)."
    )
    one_writer = True
    many_roots = False
    order_batch = 10_000

    def __init__(self, url: sa.URL, root: Path) -> None:
        self._url = _from_root(url, root)

    def engine(self) -> sa.Engine:
        """Return an engine whose connections are set up."""
        arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        engine = sa.create_engine(self._url, connect_args=arguments)
        sa.event.listen(engine, "connect", _sqlite_pragmas)
        return engine

    def begin(self, connection: sa.Connection) -> None:
        """Take the writer's turn at once, not at the first write: nobody can come in between."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_damage(self, error: Exception | None) -> bool:
        """Return whether the file is no database, or not a whole one any more."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

    def damage(self, connection: sa.Connection) -> str:
        """Look through the file; return the damage in words, or ""."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        return "" if found == "ok" else " ".join(str(found).split()).rstrip(".")

    def begin_migration(self, connection: sa.Connection) -> None:
        """Do nothing: the one writer is alone already."""

    def begin_closing(self, connection: sa.Connection) -> None:
        """Do nothing: the one writer closes drops one after the other."""

    def orders_in(self, column: sa.Column[str]) -> sa.ColumnElement[bool]:
        """Return the condition that the column is one of the parameter ``wanted``.

        It goes as one JSON text: a variable for each id took four times as long.
        """
        wanted: sa.BindParameter[Sequence[str]] = sa.bindparam("wanted", type_=sa.JSON)
        return column.in_(sa.select(sa.func.json_each(wanted).table_valued("value").c.value))

    def insert_many(self, connection: sa.Connection, table: sa.Table, columns: Columns) -> None:
        """Insert many rows in one statement, handed to the driver as they are.

        A dictionary per row would cost more than SQLite itself, and a statement per row twice this.
        """
        head, values, row, names = _insert(table, tuple(columns), connection.dialect)
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
        """Do nothing: numbers go on by themselves after the highest there is."""

    def write_runs(self, connection: sa.Connection, names: Names, runs: Sequence[Run]) -> None:
        """Write the same values into all chunks of each run: a statement for each.

        Handed to the driver as they are: this is half of what the ledger costs while calls are out.
        """
        values = [(*given, drop, first, last) for drop, first, last, given in runs]
        connection.exec_driver_sql(_update_run(tuple(names), connection.dialect), values)


@cache
def _insert(
    table: sa.Table, columns: tuple[str, ...], dialect: sa.Dialect
) -> tuple[str, str, str, Sequence[str]]:
    """Return a statement around " VALUES ", and the columns in the order of its values."""
    statement = table.insert().values({name: sa.bindparam(name) for name in columns})
    compiled = statement.compile(dialect=dialect)
    return *str(compiled).partition(" VALUES "), tuple(compiled.positiontup or columns)


@cache
def _update_run(names: tuple[str, ...], dialect: sa.Dialect) -> str:
    """Set ``names`` of the chunks from a first to a last one of a drop: these values, in turn."""
    in_run = (
        (chunks.c.drop_seq == sa.bindparam("k_drop"))
        & (chunks.c.no >= sa.bindparam("k_first"))
        & (chunks.c.no <= sa.bindparam("k_last"))
    )
    update = chunks.update().where(in_run)
    update = update.ordered_values(*((chunks.c[n], sa.bindparam(f"v_{n}")) for n in names))
    compiled = update.compile(dialect=dialect)
    wanted = [*(f"v_{name}" for name in names), "k_drop", "k_first", "k_last"]
    if list(getattr(compiled, "positiontup", ())) != wanted:
        raise AssertionError(f"the statement takes its values in another order: {compiled}")
    return str(compiled)


def _from_root(url: sa.URL, root: Path) -> sa.URL:
    """Return the URL with its path taken from the root, wherever the command was started."""
    if not url.database or url.database == ":memory:":
        return url
    path = root / url.database
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The ledger's folder {path.parent} cannot be made: {error}.") from error
    return url.set(database=str(path))


def _sqlite_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - the DBAPI's
    """Set WAL, so that readers never wait, and FULL, so that a commit survives a power loss.

    With NORMAL a power loss could undo every commit since the last checkpoint, and with them that
    chunks were sent: they would be sent again without a question. FULL costs an fsync per commit.
    Medians of runs taken in turn, on two cores busy with other work (load 4 to 5):

    - 10,000 chunks in 313 exchanges, alone, six runs each: NORMAL 0.16 s, FULL 0.35 s;
    - 200,000 rows to a server in the same process, about 900 exchanges, five runs each: the whole
      10.0 s and 10.9 s (6.1 to 12.2 and 6.8 to 12.1: the spread is wider than the difference),
      inside ``exchange`` 0.95 s and 4.9 s, most of it beside the calls, in a thread of its own.
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
