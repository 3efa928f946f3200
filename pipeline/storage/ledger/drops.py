"""The ledger's drops: begun before the rename, saved at each stage, closed with their summary."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.core.corrections import left_to_do
from pipeline.core.model import Drop, DropFacts, DropRequest, DropState
from pipeline.core.summary import summary_left
from pipeline.storage.ledger.database import Database, record_from
from pipeline.storage.ledger.tables import beginnings, drops, lines, unfrozen
from schemas.codes import Code

_COUNTED = ("need", "to_do", "rows")
_TIMES = ("received_at", "started_at", "finished_at")
_OPEN = [state.value for state in DropState if not state.closed]


def drop_from(row: sa.Row[Any]) -> Drop:
    """Build the record from a line of ``drops``."""
    drop = record_from(Drop, row, facts=_known(row.facts))
    if not drop.facts.tidied:
        return drop
    return drop.noting(summary=summary_left(drop.facts.summary, drop, drop.continues))


def facts_from(stored: Mapping[str, Any]) -> DropFacts:
    """Return facts as the ledger keeps them. Raises msgspec.ValidationError."""
    return msgspec.convert(_known(stored), DropFacts)


def _known(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Drop notices whose code no longer exists; an earlier Shipdrop wrote them."""
    notices = [each for each in stored.get("notices", ()) if each["code"] in Code.__members__]
    return {**stored, "notices": notices}


def drop_columns(drop: Drop) -> dict[str, Any]:
    """Return the record as a line of ``drops``, without its key and request."""
    values = {name: getattr(drop, name) for name in Drop.__struct_fields__}
    for name in _TIMES:
        values[name] = values[name].isoformat() if values[name] else None
    values["state"] = drop.state.value
    # The request is the operator's side of the line: saving a drop must not undo it.
    del values["request"], values["seq"]
    return values | _facts_columns(drop)


def _facts_columns(drop: Drop) -> dict[str, Any]:
    """Return the facts, and what lists need to know of them."""
    facts = drop.facts
    need, to_do = left_to_do(drop.state, facts)
    return {
        "facts": msgspec.to_builtins(facts),
        "need": need,
        "to_do": int(to_do),
        "rows": facts.rows.get("total") or facts.total or 0,
    }


def write_drops(connection: sa.Connection, some: Sequence[Drop]) -> None:
    """Write the lines of these drops as they are now."""
    clear_unfrozen(connection, [drop.seq for drop in some if drop.state.closed])
    for closed in (False, True):
        values = [_named(drop) for drop in some if drop.state.closed is closed]
        if values:
            connection.execute(_CLOSING if closed else _SAVING, values)


def clear_unfrozen(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Remove the leftovers of these drops' freezes that did not end.

    Lines are kept by order: finding those of one drop means reading all, so only where it must be.
    """
    if not numbers:
        return
    left = connection.execute(_LEFT_UNFROZEN, {"numbers": [*numbers]}).scalars().all()
    for number in left:
        connection.execute(lines.delete().where(lines.c.drop_seq == number))
    if left:
        connection.execute(unfrozen.delete().where(unfrozen.c.drop_seq.in_(left)))


_LEFT_UNFROZEN = sa.select(unfrozen.c.drop_seq).where(
    unfrozen.c.drop_seq.in_(sa.bindparam("numbers", expanding=True, type_=sa.Integer))
)


def _named(drop: Drop) -> dict[str, Any]:
    values = {f"v_{name}": value for name, value in drop_columns(drop).items()}
    return {**values, "k_seq": drop.seq}


_SAVED = [
    *(name for name in Drop.__struct_fields__ if name not in {"request", "seq"}),
    *_COUNTED,
]
_SAVING = (
    drops.update()
    .where(drops.c.seq == sa.bindparam("k_seq"))
    .values({name: sa.bindparam(f"v_{name}") for name in _SAVED})
)
_IS_OPEN = sa.or_(*(drops.c.state == state for state in _OPEN))  # IN cannot be done for many rows
_OTHERS = drops.alias("others")
_NEXT_CLOSING = sa.select(sa.func.coalesce(sa.func.max(_OTHERS.c.closing), 0) + 1)
_CLOSING = _SAVING.values(
    # A request for a drop that was closed before (a retry) is still to be carried out.
    request=sa.case((_IS_OPEN, ""), else_=drops.c.request),
    # A summary that is written anew, for a corrected file that came back, is no other end.
    closing=sa.case((_IS_OPEN, _NEXT_CLOSING.scalar_subquery()), else_=drops.c.closing),
)


_BEGUN = drops.insert().returning(drops.c.seq, sort_by_parameter_order=True)
_FIRST_WITH_BYTES = sa.select(drops.c.sha256, drops.c.seq, drops.c.drop_id).where(
    drops.c.seq.in_(
        sa.select(sa.func.min(drops.c.seq))
        .where(drops.c.sha256.in_(sa.bindparam("hashes", expanding=True, type_=sa.String)))
        .group_by(drops.c.sha256)
    )
)


def unfinished_of(root: str | sa.Column[str]) -> sa.ColumnElement[bool]:
    """Select the drops of a root that are not closed."""
    return drops.c.state.in_(_OPEN) & (drops.c.root == root)


def requested_of(root: str | sa.Column[str]) -> sa.ColumnElement[bool]:
    """Select the drops of a root with a request."""
    # Greater than, not unlike: this goes by the index, and is asked for at every scan.
    return (drops.c.request > "") & (drops.c.root == root)


class Drops:
    """The drops in the ledger. A method that takes several of them makes one commit.

    Where several roots share the ledger, drops of this root are begun and taken up; looking drops
    up and asking something of them knows no such bounds.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._has_begun = False

    def begin_all(self, arrivals: Sequence[Drop]) -> list[Drop]:
        """Record, in one commit, which files are about to be claimed, and in which order.

        Returns them with their numbers (``seq``).
        """
        values = [
            {
                "drop_id": each.drop_id,
                "folder": each.folder,
                "source_file": each.source_file,
                "state": each.state.value,
                "received_at": each.received_at.isoformat(),
                "root": self._db.root_id,
            }
            for each in arrivals
        ]
        with self._db.write() as connection:
            numbers = connection.execute(_BEGUN, values).scalars().all()
        return [replace(each, seq=seq) for seq, each in zip(numbers, arrivals, strict=True)]

    def save(self, drop: Drop) -> None:
        """Record the drop as it is now; one that is being closed has no request left."""
        self.save_all([drop])

    def save_all(self, some: Sequence[Drop]) -> None:
        """Save several drops, in one commit."""
        with self._db.write() as connection:
            if any(drop.state.closed for drop in some):
                self._db.dialect.begin_closing(connection)
            write_drops(connection, some)

    def change_facts(self, seq: int, change: Callable[[DropFacts], DropFacts]) -> Drop | None:
        """Change the facts of a closed drop; return it as it is then, None where it is not closed.

        Nothing else is written: a request, or another change at the same moment, stays.
        """
        this = drops.c.seq == seq
        with self._db.write() as connection:
            row = connection.execute(drops.select().where(this).with_for_update()).first()
            drop = drop_from(row) if row else None
            if drop is None or not drop.state.closed:
                return None
            drop = replace(drop, facts=change(drop.facts))
            connection.execute(drops.update().where(this).values(_facts_columns(drop)))
        return drop

    def forget(self, drop: Drop) -> None:
        """Remove a drop that was never claimed, or whose file went back to waiting."""
        this = drops.c.seq == drop.seq
        with self._db.write() as connection:
            clear_unfrozen(connection, [drop.seq])
            connection.execute(drops.delete().where(this))

    def find(self, drop_id: str) -> Drop | None:
        """Return the drop with this id, or None."""
        with self._db.read() as connection:
            row = connection.execute(drops.select().where(drops.c.drop_id == drop_id)).first()
        return drop_from(row) if row else None

    def drop_numbered(self, seq: int) -> Drop | None:
        """Return the drop with this number, or None."""
        with self._db.read() as connection:
            row = connection.execute(drops.select().where(drops.c.seq == seq)).first()
        return drop_from(row) if row else None

    def unfinished(self) -> list[Drop]:
        """Return every drop of this root that is not closed, oldest first."""
        return self._select(unfinished_of(self._db.root_id))

    def recent(self, limit: int) -> list[Drop]:
        """Return the newest drops, newest first."""
        query = drops.select().order_by(drops.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            return [drop_from(row) for row in connection.execute(query).all()]

    def same_bytes(self, sha256: str, before_seq: int) -> str | None:
        """Return the first earlier drop with the same bytes, or None."""
        first = self.first_with_bytes([sha256]).get(sha256)
        return first[1] if first is not None and first[0] < before_seq else None

    def first_with_bytes(self, hashes: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Return for each hash that is known: number and id of the first drop with those bytes."""
        with self._db.read() as connection:
            found = connection.execute(_FIRST_WITH_BYTES, {"hashes": [*hashes]}).all()
        return {sha256: (seq, drop_id) for sha256, seq, drop_id in found}

    def request(self, drop_id: str, what: DropRequest) -> None:
        """Leave a request for the service to honour; NONE takes it back."""
        with self._db.write() as connection:
            connection.execute(
                drops.update().where(drops.c.drop_id == drop_id).values(request=str(what))
            )

    def requested(self) -> list[Drop]:
        """Return the drops of this root with a request."""
        return self._select(requested_of(self._db.root_id))

    def not_closed(self, drop_ids: Sequence[str]) -> list[str]:
        """Return those of the drops, of whatever root, that are not closed."""
        query = sa.select(drops.c.drop_id).where(
            drops.c.drop_id.in_(list(drop_ids)), drops.c.state.in_(_OPEN)
        )
        with self._db.read() as connection:
            return [row.drop_id for row in connection.execute(query).all()]

    def is_ours(self, drop: Drop) -> bool:
        """Return True when the drop lies in this root."""
        if self._db.dialect.many_roots and not self._db.has_root_id:
            return False
        query = sa.select(drops.c.root).where(drops.c.seq == drop.seq)
        with self._db.read() as connection:
            return connection.execute(query).scalar() == self._db.root_id

    def has_begun(self) -> bool:
        """Return whether the ledger knows a drop of this root, or was begun anew on purpose."""
        if self._has_begun:
            return True
        if self._db.dialect.many_roots and not self._db.has_root_id:
            return False
        known = sa.select(drops.c.seq).where(drops.c.root == self._db.root_id).limit(1)
        anew = sa.select(beginnings.c.at).where(beginnings.c.root == self._db.root_id)
        with self._db.read() as connection:
            found = (connection.execute(query).first() for query in (known, anew))
            self._has_begun = any(each is not None for each in found)
        return self._has_begun

    def begin_anew(self, at: datetime) -> None:
        """Note that this root's ledger was begun anew on purpose."""
        with self._db.write() as connection:
            connection.execute(beginnings.insert().values(root=self._db.root_id, at=at.isoformat()))

    def counts(self) -> Mapping[DropState, int]:
        """Return how many drops are in each state."""
        query = sa.select(drops.c.state, sa.func.count()).group_by(drops.c.state)
        with self._db.read() as connection:
            return {DropState(state): count for state, count in connection.execute(query).all()}

    def _select(self, condition: sa.ColumnElement[bool]) -> list[Drop]:
        query = drops.select().where(condition).order_by(drops.c.seq)
        with self._db.read() as connection:
            return [drop_from(row) for row in connection.execute(query).all()]
