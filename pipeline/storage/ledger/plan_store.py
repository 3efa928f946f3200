"""The ledger's plans: the history of orders, and freezing chunks before the first call."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.core.chunks import Chunk, ChunkState
from pipeline.core.model import Drop, DropState, stamp
from pipeline.core.order_lines import DISPATCHED, FrozenPlan, LineTable, OrderHistory, ParcelSeen
from pipeline.storage.ledger.database import LAST_CHARACTER, Database
from pipeline.storage.ledger.drops import clear_unfrozen, write_drops
from pipeline.storage.ledger.tables import (
    WENT_BACK,
    accepted,
    chunks,
    drops,
    lines,
    unfrozen,
    verdicts,
)
from schemas.codes import Code
from schemas.parcels import BY_AWB, UNHEARD, Said
from schemas.vocabulary import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

_MANY = 10_000
"""A plan with more lines has them written ahead, while its bodies are still being written."""

_LINES_PER_COMMIT = 50_000
"""Lines written in one transaction, so that a huge drop does not keep others from committing."""

_LINES_AT_ONCE = 10_000
"""Lines handed to the database at once: as values of Python each takes some 500 bytes."""

_LINE_COLUMNS = (
    *("order_id", "idx", "row", "sheet", "status", "chunk", "pos"),
    *("said", "awb", "event_ms"),
)
_CHUNK_COLUMNS = (
    *("drop_seq", "no", "wave", "offset", "length", "size"),
    *("state", "attempts", "code", "message", "sent_at"),
)
_OUTCOMES: dict[str | None, Outcome | None] = {None: None, **{o.value: o for o in Outcome}}
_CLOSED = frozenset(state.value for state in DropState if state.closed)
_UNPLANNED = (DropState.CLAIMING.value, DropState.CLAIMED.value)


class Plans:
    """Returns the history of orders, and freezes a plan before its first call."""

    _db: Database

    def order_histories(self, order_ids: Iterable[str], *, except_seq: int) -> list[OrderHistory]:
        """Return the updates of these orders that other drops planned, and their outcomes.

        The result holds what matters to a plan: accepted updates, updates of drops that are not
        closed, and which orders a file calls auto-dispatched. Drops that were claimed later
        count as well: one may have been planned first, while this one could not be read.
        """
        return list(self._histories(order_ids, [except_seq]))

    def order_histories_of(
        self, wanted: Mapping[int, Sequence[str]]
    ) -> Mapping[int, list[OrderHistory]]:
        """Return the order histories for several drops, by number; no two may share an order."""
        drop_of = {order_id: seq for seq, orders in wanted.items() for order_id in orders}
        found: dict[int, list[OrderHistory]] = {seq: [] for seq in wanted}
        for each in self._histories(drop_of, list(wanted)):
            found[drop_of[each.order_id]].append(each)
        return found

    @cached_property
    def _standing(self) -> "tuple[sa.Select[*tuple[Any, ...]], sa.Select[*tuple[Any, ...]]]":
        """Return the queries for what is kept of orders, and for their lines."""
        orders_in = self._db.dialect.orders_in
        return (
            _KEPT.where(orders_in(accepted.c.order_id)),
            _STANDING.where(orders_in(lines.c.order_id)),
        )

    @cached_property
    def _seen(self) -> "sa.Select[*tuple[Any, ...]]":
        return _SEEN.where(self._db.dialect.orders_in(lines.c.order_id))

    def _histories(
        self, order_ids: Iterable[str], except_seqs: Sequence[int]
    ) -> Iterator[OrderHistory]:
        with self._db.read() as connection:
            if _is_empty(connection, lines) and _is_empty(connection, accepted):
                return
            for some in _batches(order_ids, self._db.dialect.order_batch - len(except_seqs)):
                yield from _standing_of(connection, self._standing, some, except_seqs)

    def planned_since(self, drop_seq: int) -> int:
        """Count the drops with higher numbers that are planned."""
        later = sa.select(sa.func.count()).where(
            drops.c.seq > drop_seq, drops.c.state.not_in(_UNPLANNED)
        )
        with self._db.read() as connection:
            return connection.execute(later).scalar() or 0

    def parcels_seen(
        self,
        order_ids: Iterable[str],
        awbs: Iterable[str] = (),
        *,
        except_seqs: Sequence[int],
        since: int = 0,
    ) -> list[ParcelSeen]:
        """Return the rows of other drops that report parcels of these orders.

        By order, and in the order of the drops. ``awbs``: names (``schemas.parcels.awb_key``) of
        parcels: rows without an order id that report them are returned, too. ``since``: only drops
        with higher numbers count.
        """
        found: list[ParcelSeen] = []
        once: dict[str, str] = {}  # a text that many rows have is held once
        with self._db.read() as connection:
            if _is_empty(connection, lines):
                return found
            if connection.execute(_NAMELESS).first() is None:
                awbs = ()
            # No drop has the number 0. Never empty: SQLAlchemy writes one text for "in none" and
            # "not in none" where both have one parameter.
            but = [0, *except_seqs]
            wanted = chain(order_ids, awbs)
            for some in _batches(wanted, self._db.dialect.order_batch - len(but) - 1):
                given = {"wanted": some, "but": but, "since": since}
                for row in connection.execute(self._seen, given):
                    order_id, awb, status, said, event, number, drop_id, source_file, parent = row
                    found.append(
                        ParcelSeen(  # by name: it is done for each row of a tracker
                            order_id=order_id,
                            awb=awb,
                            status=status,
                            said=_SAID[said],
                            event=event,
                            row=number,
                            drop_id=once.setdefault(drop_id, drop_id),
                            source_file=once.setdefault(source_file, source_file),
                            parent=parent,
                        )
                    )
        return found

    def went_back(
        self, awbs: Iterable[str], *, except_seqs: Sequence[int], since: datetime
    ) -> list[ParcelSeen]:
        """Return rows of other drops, whatever their order, of parcels that go or went back.

        ``awbs`` as they stand in files; ``since``: when those drops came at the earliest.
        """
        but = [0, *except_seqs]  # never empty, as above
        found: list[ParcelSeen] = []
        with self._db.read() as connection:
            if connection.execute(_ANY_BACK).first() is None:
                return found
            query = _BACK.where(self._db.dialect.orders_in(lines.c.awb))
            for some in _batches(awbs, self._db.dialect.order_batch - len(but) - 1):
                given = {"wanted": some, "but": but, "since": since.astimezone(UTC).isoformat()}
                rows = connection.execute(query, given).mappings()
                found += [ParcelSeen(said=Said.ON_ITS_WAY_BACK, **row) for row in rows]
        return found

    def freeze(self, drop: Drop, plan: FrozenPlan) -> None:
        """Record the plan, and in the last transaction its chunks and the drop as OPEN."""
        self.freeze_all([(drop, plan)])

    def freeze_all(self, plans: Sequence[tuple[Drop, FrozenPlan]]) -> None:
        """Record several plans; in one last transaction all chunks, and the drops as OPEN.

        Leftovers of a freeze during which the process died are replaced.
        """
        few, ahead = [], []
        for drop, plan in plans:
            if plan.lines.num_rows > _MANY:
                self._write_ahead(drop, plan.lines)
                ahead.append(drop.seq)
            else:
                few.append((drop, plan.lines.slice(0, _MANY)))
        # Where bodies are still being written they are waited for, but not in a transaction.
        planned = [chunk for _, plan in plans for chunk in plan.chunks()]
        with self._db.write() as connection:
            clear_unfrozen(connection, [drop.seq for drop, _ in few])
            # Before its own lines, which then count.
            mended = [each for _, plan in plans for each in plan.mends]
            if mended:
                names = ("its_drop", "its_row", "its_order")
                rows = [dict(zip(names, each, strict=True)) for each in mended]
                connection.execute(_MENDED, rows)
            _insert_lines(self._db, connection, [(drop.seq, table) for drop, table in few])
            _insert_chunks(self._db, connection, planned)
            write_drops(connection, [drop for drop, _ in plans])
            if ahead:
                connection.execute(unfrozen.delete().where(unfrozen.c.drop_seq.in_(ahead)))

    def remember(self, drop: Drop, table: "pa.Table") -> None:
        """Keep what rows of a file that is refused say of their parcels, for later files.

        A try that was cut off is begun anew; one that ended has kept all of them.
        """
        if not table.num_rows:
            return
        first = (lines.c.order_id == table.column("order_id")[0].as_py()) & (
            lines.c.drop_seq == drop.seq
        )
        with self._db.write() as connection:
            clear_unfrozen(connection, [drop.seq])
            if connection.execute(sa.select(lines.c.idx).where(first).limit(1)).first():
                return
        self._write_ahead(drop, table)
        with self._db.write() as connection:
            connection.execute(unfrozen.delete().where(unfrozen.c.drop_seq == drop.seq))

    def _write_ahead(self, drop: Drop, table: LineTable) -> None:
        """Write lines in transactions of their own; the first notes whose they are."""
        for start in range(0, table.num_rows, _LINES_PER_COMMIT):
            with self._db.write() as connection:
                if start == 0:
                    clear_unfrozen(connection, [drop.seq])
                    connection.execute(unfrozen.insert().values(drop_seq=drop.seq))
                stop = min(start + _LINES_PER_COMMIT, table.num_rows)
                for at in range(start, stop, _LINES_AT_ONCE):
                    some = table.slice(at, min(_LINES_AT_ONCE, stop - at))
                    _insert_lines(self._db, connection, [(drop.seq, some)])


_BUT = sa.bindparam("but", type_=sa.BigInteger, expanding=True)
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
        sa.func.coalesce(verdicts.c.code, chunks.c.code),
        chunks.c.state,
        drops.c.seq,
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
        lines.c.drop_seq.not_in(_BUT),
        _OUTCOME.in_([Outcome.ACCEPTED.value, Outcome.UNKNOWN.value])
        # The lines of a freeze that was cut off have no chunks yet, and say nothing.
        | (chunks.c.no.is_not(None) & drops.c.state.not_in(sorted(_CLOSED)))
        | ((lines.c.pos == DISPATCHED) & drops.c.state.not_in(_UNPLANNED)),
    )
    .order_by(lines.c.order_id, lines.c.drop_seq)
)


_UNHEARD = lines.c.said.between(min(UNHEARD).value, max(UNHEARD).value)
#: A rejected row no longer counts once a row of a later drop corrects it.
_MENDED = (
    lines.update()
    .values(said=Said.NOTHING.value)
    .where(
        lines.c.order_id == sa.bindparam("its_order"),
        _UNHEARD,
        (
            (lines.c.row == sa.bindparam("its_row"))
            & lines.c.drop_seq.in_(
                sa.select(drops.c.seq).where(drops.c.drop_id == sa.bindparam("its_drop"))
            )
        )
        | lines.c.drop_seq.in_(
            sa.select(drops.c.seq).where(drops.c.parent == sa.bindparam("its_drop"))
        ),
    )
)

_AGAIN = drops.alias("again")
#: The same bytes were planned again, so rows that were rejected are read anew.
_READ_AGAIN = sa.exists().where(
    _AGAIN.c.sha256 == drops.c.sha256,
    _AGAIN.c.sha256 != "",
    _AGAIN.c.seq > drops.c.seq,
    _AGAIN.c.state.not_in(_UNPLANNED) | _AGAIN.c.seq.in_(_BUT),
)
_SAID = {each.value: each for each in Said}
_SEEN = (
    sa.select(
        lines.c.order_id,
        lines.c.awb,
        lines.c.status,
        lines.c.said,
        lines.c.event_ms.label("event"),
        lines.c.row,
        drops.c.drop_id,
        drops.c.source_file,
        sa.func.coalesce(drops.c.parent, ""),
    )
    .join(drops, drops.c.seq == lines.c.drop_seq)
    .where(
        lines.c.drop_seq.not_in(_BUT),
        lines.c.drop_seq > sa.bindparam("since"),
        lines.c.said > Said.NOTHING.value,
        drops.c.state.not_in(_UNPLANNED),
        ~_UNHEARD | ~_READ_AGAIN,
    )
    .order_by(lines.c.order_id, lines.c.drop_seq, lines.c.idx)
)

_ANY_BACK = sa.select(sa.literal(1)).select_from(lines).where(WENT_BACK).limit(1)
_BACK = (
    sa.select(
        lines.c.order_id,
        lines.c.awb,
        lines.c.status,
        lines.c.event_ms.label("event"),
        lines.c.row,
        drops.c.drop_id,
        drops.c.source_file,
        drops.c.courier,
    )
    .join(drops, drops.c.seq == lines.c.drop_seq)
    .where(
        WENT_BACK,
        lines.c.drop_seq.not_in(_BUT),
        drops.c.received_at >= sa.bindparam("since"),
        drops.c.state.not_in(_UNPLANNED),
    )
    .order_by(lines.c.awb, lines.c.drop_seq, lines.c.idx)
)

_NAMELESS = (
    sa.select(sa.literal(1))
    .select_from(lines)
    .where(lines.c.order_id >= BY_AWB, lines.c.order_id < BY_AWB + LAST_CHARACTER)
    .limit(1)
)

#: What stays of drops whose rows are no longer kept.
_KEPT = (
    sa.select(
        accepted.c.order_id,
        accepted.c.status,
        drops.c.drop_id,
        drops.c.finished_at,
    )
    .outerjoin(drops, drops.c.seq == accepted.c.drop_seq)
    .where(accepted.c.drop_seq.not_in(_BUT))
    .order_by(accepted.c.order_id, accepted.c.drop_seq)
)


_ANY = {table: sa.select(sa.literal(1)).select_from(table).limit(1) for table in (lines, accepted)}


def _is_empty(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(_ANY[table]).first() is None


def _standing_of(
    connection: sa.Connection,
    queries: tuple[sa.Select[*tuple[Any, ...]], sa.Select[*tuple[Any, ...]]],
    order_ids: list[str],
    except_seqs: Sequence[int],
) -> Iterator[OrderHistory]:
    of_kept, query = queries
    wanted = {"wanted": order_ids, "but": except_seqs}
    # Compaction moves lines to what is kept: asked in this order, none is missed on its way.
    rows = connection.execute(query, wanted).all()
    kept = connection.execute(of_kept, wanted).all()
    for order_id, status, drop_id, closed_at in kept:
        yield OrderHistory(
            order_id=order_id,
            status=status,
            drop_id=drop_id or "",
            open=False,
            outcome=Outcome.ACCEPTED,
            at=stamp(datetime.fromisoformat(closed_at)) if closed_at else "",
        )
    for order_id, status, chunk, drop_id, state, outcome, at, code, way, seq in rows:
        yield OrderHistory(
            order_id=order_id,
            status=status,
            drop_id=drop_id,
            open=chunk is not None and state not in _CLOSED,
            outcome=_OUTCOMES[outcome],
            at=at or "",
            dispatched=chunk is None,
            waits=code == Code.EARLIER_OPEN.value,
            blocked=way == ChunkState.WAITING.value,
            seq=seq,
        )


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _insert_lines(
    database: Database, connection: sa.Connection, tables: "Sequence[tuple[int, pa.Table]]"
) -> None:
    import pyarrow as pa  # who has a plan has loaded it

    if not tables:
        return
    whole = pa.concat_tables([table for _, table in tables])
    columns = {name: whole.column(name).to_pylist() for name in _LINE_COLUMNS}
    columns["drop_seq"] = [seq for seq, table in tables for _ in range(table.num_rows)]
    if whole.num_rows:
        database.dialect.insert_many(connection, lines, columns)


def _insert_chunks(database: Database, connection: sa.Connection, planned: Sequence[Chunk]) -> None:
    columns = {name: [getattr(chunk, name) for chunk in planned] for name in _CHUNK_COLUMNS}
    columns["state"] = [state.value for state in columns["state"]]
    if planned:
        database.dialect.insert_many(connection, chunks, columns)
