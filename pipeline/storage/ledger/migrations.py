"""The numbered steps that bring an older ledger to what ``tables`` says.

A new ledger is made as ``tables`` says. A step is text, so that what it does to a ledger of its day
does not change when the tables do; a test compares the two ways.
"""

from collections.abc import Callable

import sqlalchemy as sa

from pipeline.storage.ledger.tables import metadata, signals, version

_WORDS = {
    "sqlite": {"bytewise": "", "id": "INTEGER", "keyed": " WITHOUT ROWID"},
    "postgresql": {"bytewise": ' COLLATE "C"', "id": "SERIAL", "keyed": ""},
}
"""SQL that differs by database: text compared byte by byte, a generated number, a table stored
in the order of its key."""

_COMPACTION = """
CREATE TABLE accepted (
  order_id VARCHAR{bytewise} NOT NULL, status SMALLINT NOT NULL, drop_seq INTEGER NOT NULL,
  PRIMARY KEY (order_id, status)){keyed};
CREATE TABLE compacted (
  drop_seq INTEGER NOT NULL, at VARCHAR NOT NULL, done BOOLEAN NOT NULL, PRIMARY KEY (drop_seq));
CREATE INDEX ix_compacted_done ON compacted (done)
"""

_WORKERS = """
ALTER TABLE drops ADD COLUMN root VARCHAR DEFAULT '' NOT NULL;
CREATE TABLE workers (
  id VARCHAR NOT NULL, host VARCHAR NOT NULL, pid INTEGER NOT NULL, root VARCHAR NOT NULL,
  since FLOAT NOT NULL, beat FLOAT NOT NULL, draining BOOLEAN NOT NULL, wants INTEGER NOT NULL,
  calls INTEGER NOT NULL, rate FLOAT NOT NULL, PRIMARY KEY (id));
CREATE TABLE posts (
  key VARCHAR{bytewise} NOT NULL, owner VARCHAR NOT NULL, since FLOAT NOT NULL, PRIMARY KEY (key),
  FOREIGN KEY (owner) REFERENCES workers (id) ON DELETE CASCADE);
CREATE INDEX ix_posts_owner ON posts (owner);
CREATE TABLE segments (
  drop_seq INTEGER NOT NULL, wave INTEGER NOT NULL, no INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, ended BOOLEAN NOT NULL, since FLOAT NOT NULL,
  PRIMARY KEY (drop_seq, wave, no)){keyed};
CREATE TABLE waiting (
  order_id VARCHAR{bytewise} NOT NULL, drop_seq INTEGER NOT NULL,
  PRIMARY KEY (order_id, drop_seq)){keyed};
CREATE INDEX ix_waiting_drop_seq ON waiting (drop_seq);
CREATE TABLE signals (
  id {id} NOT NULL, quiet_until FLOAT NOT NULL, shut_until FLOAT NOT NULL, held BOOLEAN NOT NULL,
  reason VARCHAR NOT NULL, hint VARCHAR NOT NULL, PRIMARY KEY (id));
INSERT INTO signals (id, quiet_until, shut_until, held, reason, hint)
  VALUES (1, 0, 0, FALSE, '', '')
"""

_CLOSINGS = """
ALTER TABLE drops ADD COLUMN closing INTEGER DEFAULT 0 NOT NULL;
CREATE INDEX ix_drops_closing ON drops (closing);
CREATE INDEX IF NOT EXISTS ix_drops_request ON drops (request)
"""

_BEGINNINGS = """
CREATE TABLE beginnings (root VARCHAR NOT NULL, at VARCHAR NOT NULL, PRIMARY KEY (root))
"""


_LEFT = """
ALTER TABLE drops ADD COLUMN need INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE drops ADD COLUMN to_do INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE drops ADD COLUMN "rows" INTEGER DEFAULT 0 NOT NULL;
CREATE INDEX ix_drops_list ON drops (to_do, received_at, courier, state, source_file, drop_id,
  parent, need, "rows", sha256);
CREATE INDEX ix_drops_parent ON drops (parent)
"""


_PARCELS = """
ALTER TABLE lines ADD COLUMN said SMALLINT DEFAULT 0 NOT NULL;
ALTER TABLE lines ADD COLUMN awb VARCHAR DEFAULT '' NOT NULL;
ALTER TABLE lines ADD COLUMN event_ms BIGINT
"""


_WENT_BACK = """
CREATE INDEX ix_lines_went_back ON lines (awb) WHERE (said = 2 OR said = 4 AND status = 3)
"""

_NO_WAITING = "DROP TABLE waiting"
"""Rows of a drop may wait in chunks; an older Shipdrop does not know these."""

_TIDY_AGAIN = "UPDATE compacted SET done = FALSE"
"""Retention goes once more over the drops whose rows it gave up: their facts go as well."""


def _run(connection: sa.Connection, text: str) -> None:
    for statement in text.format_map(_WORDS[connection.dialect.name]).split(";"):
        connection.exec_driver_sql(statement)


def _make_room_for_unended_freezes(connection: sa.Connection) -> None:
    _run(connection, "CREATE TABLE unfrozen (drop_seq INTEGER NOT NULL, PRIMARY KEY (drop_seq))")
    # Until now the drop's facts said so, and whoever saved the drop overwrote them.
    drops = sa.table("drops", sa.column("seq"), sa.column("state"), sa.column("facts", sa.JSON))
    unfrozen = sa.table("unfrozen", sa.column("drop_seq"))
    unplanned = sa.select(drops.c.seq, drops.c.facts).where(
        drops.c.state.in_(["claiming", "claimed"])
    )
    left = [
        {"drop_seq": seq}
        for seq, facts in connection.execute(unplanned).all()
        if facts and facts.get("freezing")
    ]
    if left:
        connection.execute(unfrozen.insert(), left)


def _count_what_is_left(connection: sa.Connection) -> None:
    _run(connection, _LEFT)
    # Until now every list worked it out from the facts, of all drops each time.
    numbers = [sa.column(name, sa.Integer) for name in ("seq", "need", "to_do", "rows")]
    drops = sa.table("drops", *numbers, sa.column("state"), sa.column("facts", sa.JSON))
    closed = drops.c.state.in_(["completed", "refused", "cancelled"])
    found = connection.execute(sa.select(drops.c.seq, drops.c.state, drops.c.facts).where(closed))
    counted = []
    for seq, state, facts in found.all():
        rows = ((facts or {}).get("summary") or {}).get("rows") or {}
        troubled = sum(rows.get(each, 0) for each in ("rejected", "failed", "unknown"))
        done = sum(len(facts.get(each, ())) for each in ("fixed_rows", "aside", "returned"))
        need = max(0, troubled - done)
        to_do = need > 0 or (state == "refused" and not troubled)
        counted.append({"k": seq, "n": need, "t": int(to_do), "r": rows.get("total", 0)})
    names = {"need": "n", "to_do": "t", "rows": "r"}
    if counted:
        connection.execute(
            drops.update()
            .where(drops.c.seq == sa.bindparam("k"))
            .values({name: sa.bindparam(key) for name, key in names.items()}),
            counted,
        )


Step = str | Callable[[sa.Connection], None]
"""SQL, or a function."""

#: Step N brings a ledger from version N to N + 1. Never change one that was released: add.
STEPS: tuple[Step, ...] = (
    _COMPACTION,
    _WORKERS,
    _make_room_for_unended_freezes,
    _CLOSINGS,
    _BEGINNINGS,
    _NO_WAITING,
    _count_what_is_left,
    _TIDY_AGAIN,
    _PARCELS,
    _WENT_BACK,
)

VERSION = 1 + len(STEPS)
"""The version of a ledger that ``tables`` describes."""


def is_current(connection: sa.Connection) -> bool:
    """Return True when there is nothing to migrate. Only reads."""
    return sa.inspect(connection).has_table(version.name) and _version(connection) == VERSION


def migrate(connection: sa.Connection) -> None:
    """Make the tables of a new ledger, or bring an older one to the newest version.

    In the caller's transaction. Raises ValueError for a ledger that a newer Shipdrop wrote.
    """
    version.create(connection, checkfirst=True)
    current = _version(connection)
    if current > VERSION:
        raise ValueError(f"the ledger has version {current}, this Shipdrop knows {VERSION}")
    if current == 0:
        for statement in tables_of_now(connection.dialect):
            connection.exec_driver_sql(statement)
        connection.execute(signals.insert().values(id=1))
    for step in STEPS[current - 1 :] if current else ():
        take_step(connection, step)
    made = [{"number": number} for number in range(current + 1, VERSION + 1)]
    if made:
        connection.execute(version.insert(), made)


def take_step(connection: sa.Connection, step: Step) -> None:
    """Take one step, in the caller's transaction."""
    if isinstance(step, str):
        _run(connection, step)
    else:
        step(connection)


_RENDERED: dict[str, tuple[str, ...]] = {}


def tables_of_now(dialect: sa.Dialect) -> tuple[str, ...]:
    """Return what makes the tables of a new ledger: to render it takes longer than to run it."""
    if dialect.name not in _RENDERED:
        tables = [each for each in metadata.sorted_tables if each is not version]
        made: list[sa.schema.ExecutableDDLElement] = [*map(sa.schema.CreateTable, tables)]
        made += [sa.schema.CreateIndex(index) for each in tables for index in each.indexes]
        texts = [str(each.compile(dialect=dialect)) for each in made]
        _RENDERED[dialect.name] = (*texts, _WENT_BACK)
    return _RENDERED[dialect.name]


def _version(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(version.c.number))).scalar() or 0
