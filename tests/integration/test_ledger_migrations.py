"""A ledger of any version, brought up to date, is the ledger that is made new."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.storage.ledger import migrations, open_ledger
from pipeline.storage.ledger.database import Database

FIRST = """
CREATE TABLE schema_version (number INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE drops (
  seq {seq}, drop_id VARCHAR NOT NULL, folder VARCHAR NOT NULL,
  source_file VARCHAR NOT NULL, state VARCHAR NOT NULL, received_at VARCHAR NOT NULL,
  size BIGINT NOT NULL, sha256 VARCHAR NOT NULL, courier VARCHAR NOT NULL, parent VARCHAR,
  same_as VARCHAR, started_at VARCHAR, finished_at VARCHAR, tries INTEGER NOT NULL,
  request VARCHAR NOT NULL, facts JSON NOT NULL, UNIQUE (drop_id));
CREATE INDEX ix_drops_state ON drops (state);
CREATE INDEX ix_drops_sha256 ON drops (sha256);
CREATE TABLE chunks (
  drop_seq INTEGER NOT NULL, no INTEGER NOT NULL, wave INTEGER NOT NULL, "offset" BIGINT NOT NULL,
  length INTEGER NOT NULL, size INTEGER NOT NULL, state VARCHAR NOT NULL, outcome VARCHAR,
  http_status INTEGER, attempts INTEGER NOT NULL, code VARCHAR NOT NULL, message VARCHAR NOT NULL,
  sent_at VARCHAR NOT NULL, PRIMARY KEY (drop_seq, no)){keyed};
CREATE TABLE verdicts (
  drop_seq INTEGER NOT NULL, chunk_no INTEGER NOT NULL, pos INTEGER NOT NULL,
  outcome VARCHAR NOT NULL, code VARCHAR NOT NULL, message VARCHAR NOT NULL, http_status INTEGER,
  PRIMARY KEY (drop_seq, chunk_no, pos)){keyed};
CREATE TABLE receipts (
  id {id} NOT NULL, drop_seq INTEGER NOT NULL, chunk_no INTEGER NOT NULL, at VARCHAR NOT NULL,
  kind VARCHAR NOT NULL, http_status INTEGER, note VARCHAR NOT NULL, positions VARCHAR NOT NULL,
  PRIMARY KEY (id));
CREATE INDEX receipts_by_chunk ON receipts (drop_seq, chunk_no);
CREATE TABLE lines (
  order_id VARCHAR{bytewise} NOT NULL, drop_seq INTEGER NOT NULL, idx INTEGER NOT NULL,
  "row" INTEGER NOT NULL, sheet SMALLINT NOT NULL, status SMALLINT NOT NULL, chunk INTEGER,
  pos SMALLINT NOT NULL, PRIMARY KEY (order_id, drop_seq, idx)){keyed};
INSERT INTO drops VALUES (1, 'd1', '', 'a.csv', 'claimed', '2026-01-02T00:00:00+00:00', 9, '', '',
  NULL, NULL, NULL, NULL, 0, '', '{{"freezing": true}}')
"""
"""Version 1 as the first Shipdrop made it."""

SEQ = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgresql": "SERIAL NOT NULL PRIMARY KEY",
}


def of_version(number: int, url: str, root: Path) -> None:
    """Make a ledger as it was then, with a drop in it whose freeze did not end."""
    (root / "state").mkdir(exist_ok=True)
    address = f"sqlite:///{root}/state/ledger.db" if url.startswith("sqlite") else url
    engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        words = {**migrations._WORDS[engine.dialect.name], "seq": SEQ[engine.dialect.name]}
        for statement in FIRST.format_map(words).split(";"):
            connection.exec_driver_sql(statement)
        for made, step in enumerate(migrations.STEPS[: number - 1], start=2):
            migrations.take_step(connection, step)
            connection.exec_driver_sql(f"INSERT INTO schema_version VALUES ({made})")
    engine.dispose()


def shape(database: Database) -> dict[str, Any]:
    """All there is to know of the tables."""
    with database.read() as connection:
        seen = sa.inspect(connection)
        found: dict[str, Any] = {
            table: {
                "columns": [{**each, "type": repr(each["type"])} for each in columns],
                "key": seen.get_pk_constraint(table)["constrained_columns"],
                "indexes": sorted(
                    (each["name"], each["column_names"], bool(each["unique"]))
                    for each in seen.get_indexes(table)
                ),
                "foreign": seen.get_foreign_keys(table),
                "unique": [each["column_names"] for each in seen.get_unique_constraints(table)],
            }
            for table, columns in (
                (name, seen.get_columns(name)) for name in seen.get_table_names()
            )
        }
        if connection.dialect.name == "sqlite":
            listed = connection.exec_driver_sql("PRAGMA table_list").mappings()
            found["in the order of the key"] = {each["name"]: each["wr"] for each in listed}
    for table in found.values():
        for column in table.get("columns", ()):
            column["default"] = (column["default"] or "").strip("'")
    return found


@pytest.mark.parametrize("number", range(1, 1 + migrations.VERSION))
def test_brought_up_to_date_it_is_as_if_made_new(
    number: int, tmp_path: Path, ledger_url: str, request: pytest.FixtureRequest
) -> None:
    of_version(number, ledger_url, tmp_path)
    migrated = open_ledger(ledger_url, root=tmp_path)
    (tmp_path / "new").mkdir()
    is_sqlite = ledger_url.startswith("sqlite")
    other = ledger_url if is_sqlite else request.getfixturevalue("postgres").database()
    new = open_ledger(other, root=tmp_path / "new")
    assert shape(migrated._db) == shape(new._db)
    for ledger in (migrated, new):
        with ledger._db.read() as connection:
            versions = connection.exec_driver_sql("SELECT number FROM schema_version").scalars()
            assert sorted(versions) == list(range(1, 1 + migrations.VERSION))
            assert connection.exec_driver_sql("SELECT id, held FROM signals").all() == [(1, False)]
    with migrated._db.read() as connection:
        kept = connection.exec_driver_sql("SELECT drop_id, root, closing FROM drops").all()
        unfrozen = connection.exec_driver_sql("SELECT drop_seq FROM unfrozen").scalars().all()
    assert kept == [("d1", "", 0)]
    assert unfrozen == [1]
    migrated.close()
    new.close()
