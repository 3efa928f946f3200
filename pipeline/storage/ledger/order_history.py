"""Everything the ledger knows of one order, across drops."""

from typing import Any

import sqlalchemy as sa

from pipeline.core.ports import Chunk, Receipt, Sighting, Verdict
from pipeline.storage.ledger.chunk_store import chunk_from, receipt_from, verdict_from
from pipeline.storage.ledger.database import MARK, Database, escaped
from pipeline.storage.ledger.drops import drop_from
from pipeline.storage.ledger.tables import accepted, chunks, drops, lines, receipts, verdicts

LAST_CHARACTER = "\U0010ffff"
"""Sorts behind every other, byte by byte."""


class Trace:
    """Everything about one order."""

    _db: Database

    def sightings(self, order_id: str) -> list[Sighting]:
        """Return the rows that named the order, oldest first, with chunk, verdict and calls."""
        query = (
            lines.select()
            .join(drops, drops.c.seq == lines.c.drop_seq)
            .where(lines.c.order_id == order_id)
            .order_by(lines.c.drop_seq, lines.c.idx)
        )
        kept = (
            accepted.select()
            .where(accepted.c.order_id == order_id)
            .order_by(accepted.c.drop_seq, accepted.c.status)
        )
        with self._db.read() as connection:
            # Compaction moves lines to what is kept: in this order none is missed on its way.
            seen = [_sighting(connection, line) for line in connection.execute(query).all()]
            return [*(_kept(connection, row) for row in connection.execute(kept).all()), *seen]

    def orders_like(self, text: str, limit: int, *, anywhere: bool = False) -> list[str]:
        """Return order ids that begin with a text, in their order; ``anywhere``: that hold it.

        The first is looked up in the index; the other means reading all of it.
        """
        key = lines.c.order_id
        found: sa.ColumnElement[bool] = (key >= text) & (key < text + LAST_CHARACTER)
        if anywhere:
            found = key.like(f"%{escaped(text)}%", escape=MARK)
        query = sa.select(key).where(found).distinct().order_by(key).limit(limit)
        with self._db.read() as connection:
            return [str(each) for each in connection.execute(query).scalars().all()]


def _kept(connection: sa.Connection, row: sa.Row[Any]) -> Sighting:
    """Return what stays of a drop whose rows are no longer kept."""
    drop = connection.execute(drops.select().where(drops.c.seq == row.drop_seq)).one()
    found = drop_from(drop)
    return Sighting(
        drop=found,
        row=0,
        sheet=0,
        status=row.status,
        chunk=None,
        pos=0,
        verdict=None,
        receipts=(),
        accepted_by=found.finished_at,
    )


def _sighting(connection: sa.Connection, line: sa.Row[tuple[object, ...]]) -> Sighting:
    found = line._asdict()
    drop = connection.execute(drops.select().where(drops.c.seq == found["drop_seq"])).one()
    chunk: Chunk | None = None
    verdict: Verdict | None = None
    calls: tuple[Receipt, ...] = ()
    if found["chunk"] is not None:
        at = (found["drop_seq"], found["chunk"])
        row = connection.execute(
            chunks.select().where(chunks.c.drop_seq == at[0], chunks.c.no == at[1])
        ).first()
        chunk = chunk_from(row) if row else None
        own = connection.execute(
            verdicts.select().where(
                verdicts.c.drop_seq == at[0],
                verdicts.c.chunk_no == at[1],
                verdicts.c.pos == found["pos"],
            )
        ).first()
        verdict = verdict_from(own) if own else None
        asked = receipts.select().where(receipts.c.drop_seq == at[0], receipts.c.chunk_no == at[1])
        calls = tuple(receipt_from(r) for r in connection.execute(asked.order_by(receipts.c.id)))
    return Sighting(
        drop=drop_from(drop),
        row=found["row"],
        sheet=found["sheet"],
        status=found["status"],
        chunk=chunk,
        pos=found["pos"],
        verdict=verdict,
        receipts=calls,
    )
