"""The ledger's plans: what is known of orders, and freezing chunks before the first call."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from pipeline.adapters.ledger.drops import FREEZING, drop_columns
from pipeline.adapters.ledger.engine import Database
from pipeline.adapters.ledger.schema import accepted, chunks, drops, lines, verdicts
from pipeline.fresh import FreshChunks
from pipeline.model import Drop, DropState, Outcome, stamp
from pipeline.ports import DISPATCHED, Chunk, Frozen, Standing

_LINES_PER_COMMIT = 50_000
"""Lines written in one transaction, so that a huge drop does not keep others from committing."""

_LINE_COLUMNS = ("order_id", "idx", "row", "sheet", "status", "chunk", "pos")
_CHUNK_COLUMNS = ("no", "wave", "offset", "length", "size", "state", "attempts")
_OUTCOMES: dict[str | None, Outcome | None] = {None: None, **{o.value: o for o in Outcome}}
_CLOSED = frozenset(state.value for state in DropState if state.closed)


class Plans:
    """Implements ``ports.PlanBook``."""

    _db: Database

    def standing(self, order_ids: Iterable[str], *, but_seq: int) -> list[Standing]:
        """What other drops than ``but_seq`` planned for these orders, and what came of it.

        Told is what matters to a plan: updates that were accepted, those of drops that are not
        through, and which orders are told to be auto-dispatched. Drops that were claimed later
        count as well: one may have been planned first, while this one could not be read.
        """
        with self._db.read() as connection:
            if _is_empty(connection, lines) and _is_empty(connection, accepted):
                return []
            orders_in = self._db.dialect.orders_in
            queries = (
                _KEPT.where(orders_in(accepted.c.order_id)),
                _STANDING.where(orders_in(lines.c.order_id)),
            )
            return [
                found
                for some in _batches(order_ids, self._db.dialect.order_batch)
                for found in _standing_of(connection, queries, some, but_seq)
            ]

    def freeze(self, drop: Drop, plan: Frozen) -> None:
        """Record the plan, and in the last transaction its chunks and the drop as OPEN.

        What a freeze left behind that the process did not live to end is replaced.
        """
        parts = range(0, max(1, plan.lines.num_rows), _LINES_PER_COMMIT)
        for start in parts:
            # Where bodies are still being written they are waited for, but not in a transaction.
            columns = _columns_of(plan.chunks) if start == parts[-1] else {}
            with self._db.write() as connection:
                if start == 0:
                    _begin(connection, drop, marked=len(parts) > 1)
                some = plan.lines.slice(start, _LINES_PER_COMMIT)
                _insert_lines(self._db, connection, drop.seq, some)
                if start == parts[-1]:
                    _insert_chunks(self._db, connection, drop.seq, columns)
                    connection.execute(
                        drops.update().where(drops.c.seq == drop.seq).values(**drop_columns(drop))
                    )


_OUTCOME = sa.func.coalesce(verdicts.c.outcome, chunks.c.outcome)
_STANDING = (
    sa.select(
        lines.c.order_id,
        lines.c.status,
        lines.c.chunk,
        drops.c.drop_id,
        drops.c.state,
        _OUTCOME,
        chunks.c.sent_at,
    )
    .join(drops, drops.c.seq == lines.c.drop_seq)
    .outerjoin(chunks, (chunks.c.drop_seq == lines.c.drop_seq) & (chunks.c.no == lines.c.chunk))
    .outerjoin(
        verdicts,
        (verdicts.c.drop_seq == lines.c.drop_seq)
        & (verdicts.c.chunk_no == lines.c.chunk)
        & (verdicts.c.pos == lines.c.pos),
    )
    .where(
        lines.c.drop_seq != sa.bindparam("but", type_=sa.BigInteger),
        _OUTCOME.in_([Outcome.ACCEPTED.value, Outcome.UNKNOWN.value])
        | (lines.c.chunk.is_not(None) & drops.c.state.not_in(sorted(_CLOSED)))
        | (lines.c.pos == DISPATCHED),
    )
    .order_by(lines.c.order_id, lines.c.drop_seq)
)


#: What stays of drops whose rows are no longer kept.
_KEPT = (
    sa.select(
        accepted.c.order_id,
        accepted.c.status,
        drops.c.drop_id,
        drops.c.finished_at,
    )
    .join(drops, drops.c.seq == accepted.c.drop_seq)
    .where(accepted.c.drop_seq != sa.bindparam("but", type_=sa.BigInteger))
    .order_by(accepted.c.order_id, accepted.c.drop_seq)
)


def _is_empty(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None


def _standing_of(
    connection: sa.Connection,
    queries: tuple[sa.Select[*tuple[Any, ...]], sa.Select[*tuple[Any, ...]]],
    order_ids: list[str],
    but: int,
) -> Iterator[Standing]:
    of_kept, query = queries
    kept = connection.execute(of_kept, {"wanted": order_ids, "but": but})
    for order_id, status, drop_id, closed_at in kept.all():
        yield Standing(
            order_id=order_id,
            status=status,
            drop_id=drop_id,
            open=False,
            outcome=Outcome.ACCEPTED,
            at=stamp(datetime.fromisoformat(closed_at)),
        )
    rows = connection.execute(query, {"wanted": order_ids, "but": but})
    for order_id, status, chunk, drop_id, state, outcome, at in rows.all():
        yield Standing(
            order_id=order_id,
            status=status,
            drop_id=drop_id,
            open=chunk is not None and state not in _CLOSED,
            outcome=_OUTCOMES[outcome],
            at=at or "",
            dispatched=chunk is None,
        )


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _begin(connection: sa.Connection, drop: Drop, *, marked: bool) -> None:
    """Clear up after an earlier try; leave a mark while the lines are not complete.

    Lines are kept by order: finding those of one drop means reading all, so only where it must be.
    """
    this = drops.c.seq == drop.seq
    facts = connection.execute(sa.select(drops.c.facts).where(this)).scalar()
    if facts and facts.get(FREEZING):
        connection.execute(lines.delete().where(lines.c.drop_seq == drop.seq))
    if marked:
        connection.execute(drops.update().where(this).values(facts={FREEZING: True}))


def _insert_lines(
    database: Database, connection: sa.Connection, drop_seq: int, table: pa.Table
) -> None:
    columns = {name: table.column(name).to_pylist() for name in _LINE_COLUMNS}
    columns["drop_seq"] = [drop_seq] * table.num_rows
    database.dialect.insert_many(connection, lines, columns)


def _insert_chunks(
    database: Database,
    connection: sa.Connection,
    drop_seq: int,
    columns: Mapping[str, Sequence[object]],
) -> None:
    count = len(columns["no"])
    same: dict[str, object] = {"drop_seq": drop_seq, "code": "", "message": "", "sent_at": ""}
    every = {name: [value] * count for name, value in same.items()}
    database.dialect.insert_many(connection, chunks, {**columns, **every})


def _columns_of(planned: Sequence[Chunk]) -> Mapping[str, Sequence[object]]:
    if isinstance(planned, FreshChunks):
        return planned.columns()
    return {name: [getattr(chunk, name) for chunk in planned] for name in _CHUNK_COLUMNS}
