"""The ledger's drops: begun before the rename, saved at each stage, closed with their summary."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.adapters.ledger.engine import Database
from pipeline.adapters.ledger.schema import drops
from pipeline.model import Drop, DropState

_TIMES = ("received_at", "started_at", "finished_at")
_CLOSED = [state.value for state in DropState if state.closed]


def drop_from(row: Mapping[str, Any]) -> Drop:
    """Build the record from a line of ``drops``."""
    values = {field.name: row[field.name] for field in fields(Drop)}
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    values["state"] = DropState(values["state"])
    return Drop(**values)


def _columns(drop: Drop) -> dict[str, Any]:
    values = {field.name: getattr(drop, field.name) for field in fields(Drop)}
    for name in _TIMES:
        values[name] = values[name].isoformat() if values[name] else None
    values["state"] = drop.state.value
    values["facts"] = dict(drop.facts)
    # The request is the operator's side of the line: saving a drop must not undo it.
    del values["request"], values["seq"]
    return values


class Drops:
    """Implements ``ports.DropBook`` and ``ports.DropIndex``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, *, drop_id: str, folder: str, source_file: str, received_at: datetime) -> Drop:
        """Record that a file is about to be claimed."""
        values = {
            "drop_id": drop_id,
            "folder": folder,
            "source_file": source_file,
            "state": DropState.CLAIMING.value,
            "received_at": received_at.isoformat(),
        }
        with self._db.write() as connection:
            done = connection.execute(drops.insert().values(**values))
            assert done.inserted_primary_key is not None
            seq = int(done.inserted_primary_key[0])
        return Drop(
            seq=seq,
            drop_id=drop_id,
            folder=folder,
            source_file=source_file,
            state=DropState.CLAIMING,
            received_at=received_at,
        )

    def save(self, drop: Drop) -> None:
        """Record the drop as it is now; a closed one has no request left."""
        values = _columns(drop)
        if drop.state.closed:
            values["request"] = ""
        with self._db.write() as connection:
            connection.execute(drops.update().where(drops.c.seq == drop.seq).values(**values))

    def forget(self, drop: Drop) -> None:
        """Remove a drop that was never claimed, or whose file went back to waiting."""
        with self._db.write() as connection:
            connection.execute(drops.delete().where(drops.c.seq == drop.seq))

    def find(self, drop_id: str) -> Drop | None:
        """The drop with this id, or None."""
        with self._db.read() as connection:
            row = connection.execute(drops.select().where(drops.c.drop_id == drop_id)).first()
        return drop_from(row._mapping) if row else None

    def unfinished(self) -> list[Drop]:
        """Every drop that is not closed, oldest first."""
        return self._select(drops.c.state.not_in(_CLOSED))

    def recent(self, limit: int) -> list[Drop]:
        """The newest drops, newest first."""
        query = drops.select().order_by(drops.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            return [drop_from(row._mapping) for row in connection.execute(query)]

    def same_bytes(self, sha256: str, before_seq: int) -> str | None:
        """The first earlier drop with the same bytes, or None."""
        query = (
            sa.select(drops.c.drop_id)
            .where(drops.c.sha256 == sha256, drops.c.seq < before_seq)
            .order_by(drops.c.seq)
            .limit(1)
        )
        with self._db.read() as connection:
            return connection.execute(query).scalar()

    def request(self, drop_id: str, what: str) -> None:
        """Leave a wish ("retry" or "cancel") for the service to honour; "" takes it back."""
        with self._db.write() as connection:
            connection.execute(
                drops.update().where(drops.c.drop_id == drop_id).values(request=what)
            )

    def requested(self) -> list[Drop]:
        """The drops somebody asked something for."""
        return self._select(drops.c.request != "")

    def counts(self) -> Mapping[DropState, int]:
        """How many drops are in each state."""
        query = sa.select(drops.c.state, sa.func.count()).group_by(drops.c.state)
        with self._db.read() as connection:
            return {DropState(state): count for state, count in connection.execute(query)}

    def _select(self, condition: sa.ColumnElement[bool]) -> list[Drop]:
        query = drops.select().where(condition).order_by(drops.c.seq)
        with self._db.read() as connection:
            return [drop_from(row._mapping) for row in connection.execute(query)]
