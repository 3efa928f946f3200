"""The ledger's plans: what is known of orders, and freezing chunks before the first call."""

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import sqlalchemy as sa

from pipeline.adapters.ledger.drops import _columns
from pipeline.adapters.ledger.engine import Database
from pipeline.adapters.ledger.schema import chunks, drops, lines, receipts, verdicts
from pipeline.model import Drop, DropState, Outcome
from pipeline.ports import Chunk, Frozen, Standing

_LOOKUP = 800
"""Orders asked for at once: under the bound on variables of every SQLite."""

_LINES_PER_COMMIT = 50_000
"""Lines written in one transaction, so that a huge drop does not keep others from committing."""


class Plans:
    """Implements ``ports.PlanBook``."""

    _db: Database

    def standing(self, order_ids: Iterable[str], *, before_seq: int) -> list[Standing]:
        """All updates of these orders that drops before ``before_seq`` planned or sent."""
        with self._db.read() as connection:
            any_line = sa.select(lines.c.drop_seq).where(lines.c.chunk.is_not(None)).limit(1)
            if connection.execute(any_line).first() is None:
                return []
            return [
                found
                for some in _batches(order_ids, _LOOKUP)
                for found in _standing_of(connection, some, before_seq)
            ]

    def freeze(self, drop: Drop, plan: Frozen) -> None:
        """Record the plan, and then the drop as OPEN. What an earlier try left is replaced."""
        planned = [_chunk_columns(drop.seq, chunk) for chunk in plan.chunks]
        with self._db.write() as connection:
            if drop.tries > 1:
                for table in (lines, chunks, verdicts, receipts):
                    connection.execute(table.delete().where(table.c.drop_seq == drop.seq))
            if plan.lines.num_rows <= _LINES_PER_COMMIT:
                _insert_lines(connection, drop.seq, plan.lines)
                _open(connection, drop, planned)
                return
        for start in range(0, plan.lines.num_rows, _LINES_PER_COMMIT):
            with self._db.write() as connection:
                _insert_lines(connection, drop.seq, plan.lines.slice(start, _LINES_PER_COMMIT))
        with self._db.write() as connection:
            _open(connection, drop, planned)


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _standing_of(
    connection: sa.Connection, order_ids: list[str], before_seq: int
) -> Iterator[Standing]:
    query = (
        sa.select(
            lines.c.order_id,
            lines.c.status,
            drops.c.drop_id,
            drops.c.state,
            sa.func.coalesce(verdicts.c.outcome, chunks.c.outcome),
            chunks.c.sent_at,
        )
        .join(drops, drops.c.seq == lines.c.drop_seq)
        .join(chunks, (chunks.c.drop_seq == lines.c.drop_seq) & (chunks.c.no == lines.c.chunk))
        .outerjoin(
            verdicts,
            (verdicts.c.drop_seq == lines.c.drop_seq)
            & (verdicts.c.chunk_no == lines.c.chunk)
            & (verdicts.c.pos == lines.c.pos),
        )
        .where(lines.c.order_id.in_(order_ids), lines.c.drop_seq < before_seq)
        .order_by(lines.c.order_id, lines.c.drop_seq)
    )
    for order_id, status, drop_id, state, outcome, at in connection.execute(query):
        yield Standing(
            order_id=order_id,
            status=status,
            drop_id=drop_id,
            open=not DropState(state).closed,
            outcome=Outcome(outcome) if outcome else None,
            at=at,
        )


def _chunk_columns(drop_seq: int, chunk: Chunk) -> tuple[object, ...]:
    return (
        drop_seq,
        chunk.no,
        chunk.wave,
        chunk.offset,
        chunk.length,
        chunk.size,
        chunk.state.value,
    )


_CHUNK_COLUMNS = ("drop_seq", "no", "wave", "offset", "length", "size", "state")
_LINE_COLUMNS = ("order_id", "idx", "row", "sheet", "status", "chunk", "pos")


def _insert_lines(connection: sa.Connection, drop_seq: int, table: pa.Table) -> None:
    columns = [table.column(name).to_pylist() for name in _LINE_COLUMNS]
    rows = list(zip([drop_seq] * table.num_rows, *columns, strict=True))
    _insert_many(connection, lines, ("drop_seq", *_LINE_COLUMNS), rows)


def _open(connection: sa.Connection, drop: Drop, planned: list[tuple[object, ...]]) -> None:
    _insert_many(
        connection,
        chunks,
        (*_CHUNK_COLUMNS, "attempts", "code", "message", "sent_at"),
        [(*row, 0, "", "", "") for row in planned],
    )
    connection.execute(drops.update().where(drops.c.seq == drop.seq).values(**_columns(drop)))


def _insert_many(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    rows: list[tuple[object, ...]],
) -> None:
    """Hand the rows to the driver as they are: a dictionary per row would cost more than SQLite."""
    if not rows:
        return
    statement = table.insert().values({name: sa.bindparam(name) for name in names})
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    order = compiled.positiontup or list(names)
    if tuple(order) != names:
        positions = [names.index(name) for name in order]
        rows = [tuple(row[i] for i in positions) for row in rows]
    connection.exec_driver_sql(str(compiled), rows)
