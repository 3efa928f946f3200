"""Query the ledger: lists of drops, their progress, and the history of an order.

Only reads, and never a drop's whole facts: those of a large drop would cost more than the page.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkState, Receipt, Verdict
from pipeline.core.drop_lines import DropCounts, DropLine, Search
from pipeline.core.model import DropState
from pipeline.core.order_lines import OrderRow
from pipeline.core.summary import codes_in, summary_left
from pipeline.storage.ledger.database import LAST_CHARACTER, MARK, Database, escaped, record_from
from pipeline.storage.ledger.drops import drop_from
from pipeline.storage.ledger.tables import accepted, chunks, drops, lines, receipts, verdicts
from schemas.parcels import BY_AWB
from schemas.vocabulary import FOR_A_PERSON, Outcome

_OPEN = [state.value for state in DropState if not state.closed]
_SUMMARY = drops.c.facts["summary"]
_COUNTED = (("fixed_rows", "fixed"), ("aside", "aside"), ("returned", "returned"))


def _length(name: str) -> sa.ColumnElement[int]:
    """Return the length of a list among a drop's facts."""
    length: sa.ColumnElement[int] = sa.func.json_array_length(drops.c.facts[name])
    return sa.func.coalesce(length, 0)


_AGAIN = drops.c.facts["again"]
_AFTER = _AGAIN["after"].as_integer()
_LATER = drops.alias("later")
_READ_AGAIN = (
    (
        (_LATER.c.sha256 == drops.c.sha256)
        # Between its intent and its hash a claim has only the name.
        | (
            (_LATER.c.state == DropState.CLAIMING.value)
            & (_LATER.c.source_file == _AGAIN["name"].as_string())
        )
    )
    & (_LATER.c.folder == _AGAIN["folder"].as_string())
    & (_LATER.c.seq > _AFTER)
)
"""A later drop was made from this one's file when it was read again."""

_COLUMNS = (
    *(
        drops.c[name]
        for name in (
            "seq",
            "drop_id",
            "folder",
            "source_file",
            "state",
            "received_at",
            "started_at",
            "finished_at",
            "size",
            "sha256",
            "courier",
            "parent",
            "same_as",
            "request",
            "closing",
        )
    ),
    _SUMMARY.label("summary"),
    drops.c.facts["total"].as_integer().label("total"),
    sa.func.coalesce(drops.c.facts["to_correct"].as_integer(), 0).label("to_correct"),
    drops.c.facts["put_off"].label("put_off"),
    sa.func.coalesce(drops.c.facts["continues"].as_string(), "").label("continues"),
    sa.func.coalesce(drops.c.facts["tidied"].as_string(), "").label("tidied_at"),
    *(_length(name).label(label) for name, label in _COUNTED),
    *(
        sa.func.coalesce(_AGAIN[name].as_string(), "").label(f"again_{name}")
        for name in ("at", "folder", "name")
    ),
    sa.select(_LATER.c.drop_id)
    .where(_READ_AGAIN)
    .order_by(_LATER.c.seq)
    .limit(1)
    .correlate(drops)
    .scalar_subquery()
    .label("again_as"),
)
_COUNTS = (
    *(drops.c[name] for name in ("seq", "drop_id", "source_file", "courier", "state", "closing")),
    drops.c.received_at,
    drops.c.finished_at,
    _SUMMARY["rows"].label("counted"),
    _SUMMARY["errors"].label("errors"),
    _SUMMARY["refused"].label("refused"),
)
_AT_ONCE = 1_000
"""Drops that are fetched together where many are counted."""
_WAS_READ_AGAIN = _AFTER.is_not(None) & sa.exists().where(_READ_AGAIN).correlate(drops)
_PARENTS = drops.alias("parents")
_CAME_AGAIN = (drops.c.state == DropState.REFUSED.value) & (
    sa.exists().where(_LATER.c.sha256 == drops.c.sha256, _LATER.c.seq > drops.c.seq)
)
"""A file that was refused, and came again since: whatever is left to do is there."""
_TO_DO = (drops.c.to_do > 0) & sa.not_(_CAME_AGAIN) & sa.not_(_WAS_READ_AGAIN)
NOTHING_TO_DO = sa.not_(_TO_DO)
_SHOWN = (
    *_COLUMNS,
    sa.case((_WAS_READ_AGAIN | _CAME_AGAIN, 0), else_=drops.c.need).label("need"),
    sa.case((_TO_DO, 1), else_=0).label("to_do"),
)
_OF_MANY = drops.alias("of_many")
_IN_NEED = drops.c.seq.in_(sa.select(_OF_MANY.c.seq).where(_OF_MANY.c.need > 0))
"""Found in the index: beside a condition on facts SQLite would look into those of every drop."""
_NUMBER = drops.c.seq + 0
"""The number where few drops may be wanted of many: by itself SQLite would look through all of them
in order of their number, and not into ``ix_drops_list``."""
_SORTS = {
    "file": drops.c.source_file,
    "courier": drops.c.courier,
    "state": drops.c.state,
    "rows": drops.c.rows,
    "need": drops.c.need,
}
_DONE = ChunkState.DONE.value
_FOLDERS_LEFT = (
    sa.select(drops.c.folder)
    .where(
        drops.c.to_do > 0,
        drops.c.folder.in_(sa.bindparam("folders", expanding=True, type_=sa.String)),
    )
    .distinct()
)


class Overview:
    """Answers pages, measures and commands about drops and orders. Only reads."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def search(self, search: Search) -> list[DropLine]:
        """Return the drops that are wanted, newest first (with ``after``: those next to it)."""
        query = sa.select(drops.c.seq).where(*_conditions(search))
        upward = search.after is not None
        query = query.order_by(*_order(search, upward=upward)).limit(search.limit)
        with self._db.read() as connection:
            numbers = connection.execute(query.offset(search.offset)).scalars().all()
            # Facts are large: only those of the drops that are shown are looked into.
            wanted = sa.select(*_SHOWN).where(drops.c.seq.in_(numbers))
            found = {row.seq: _line(row) for row in connection.execute(wanted).all()}
        some = [found[number] for number in numbers if number in found]
        return some[::-1] if upward else some

    def hits(self, search: Search) -> int:
        """Return how many drops are wanted, whatever the limit."""
        query = sa.select(sa.func.count()).select_from(drops).where(*_conditions(search))
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def rows_to_do(self) -> Mapping[str, int]:
        """Courier → rows that need a person."""
        rows = sa.select(drops.c.courier, sa.func.sum(drops.c.need)).where(_TO_DO)
        with self._db.read() as connection:
            found = connection.execute(rows.group_by(drops.c.courier)).all()
        return {courier: int(count) for courier, count in found}

    def lines(self, drop_ids: Sequence[str]) -> list[DropLine]:
        """Return these drops, as far as they are known."""
        return self._lines(sa.select(*_SHOWN).where(drops.c.drop_id.in_(drop_ids)))

    def folders_with_something_left(self, folders: Collection[str]) -> Collection[str]:
        """Return those of the folders with drops that need a person."""
        with self._db.read() as connection:
            return connection.scalars(_FOLDERS_LEFT, {"folders": [*folders]}).all()

    def left_in(
        self, folder: str, name: str, *, before: int, limit: int
    ) -> Sequence[tuple[int, str, str]]:
        """Return number, id and file of the drops of a folder that need a person.

        Of those older than the drop with the number ``before``: files of this name first, then the
        newest.
        """
        query = (
            sa.select(drops.c.seq, drops.c.drop_id, drops.c.source_file)
            .where(drops.c.to_do > 0, drops.c.folder == folder, before > _NUMBER)
            .order_by((drops.c.source_file == name).desc(), drops.c.seq.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def states(self, drop_ids: Collection[str]) -> Mapping[str, DropState]:
        """Return in which state these drops are, as far as they are known."""
        query = sa.select(drops.c.drop_id, drops.c.state).where(drops.c.drop_id.in_([*drop_ids]))
        with self._db.read() as connection:
            return {drop_id: DropState(state) for drop_id, state in connection.execute(query)}

    def named_like(self, part: str, *, limit: int) -> list[str]:
        """Return the ids that begin or end with this, newest first; of "" all."""
        like = escaped(part)
        fits = drops.c.drop_id.like(f"{like}%", escape=MARK) | drops.c.drop_id.like(
            f"%{like}", escape=MARK
        )
        query = sa.select(drops.c.drop_id).where(fits).order_by(_NUMBER.desc()).limit(limit)
        with self._db.read() as connection:
            return [str(drop_id) for drop_id in connection.scalars(query)]

    def children(self, drop_id: str) -> list[DropLine]:
        """Return the drops that correct this one, oldest first."""
        query = sa.select(*_SHOWN).where(drops.c.parent == drop_id)
        return self._lines(query.order_by(drops.c.seq))

    def corrections_of(self, drop_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many drops correct each of these."""
        query = (
            sa.select(drops.c.parent, sa.func.count())
            .where(drops.c.parent.in_(list(drop_ids)))
            .group_by(drops.c.parent)
        )
        with self._db.read() as connection:
            return {str(parent): count for parent, count in connection.execute(query).all()}

    def of_same_content(self, sha256: str) -> list[DropLine]:
        """Return the drops with these bytes, newest first."""
        query = sa.select(*_SHOWN).where(drops.c.sha256 == sha256)
        return self._lines(query.order_by(drops.c.seq.desc()))

    def read_again_from(self, sha256: str, seq: int) -> Sequence[str]:
        """Return the drops that became this one when their file was put into the inbox again."""
        query = sa.select(drops.c.drop_id).where(
            drops.c.sha256 == sha256,
            sa.select(sa.func.min(_LATER.c.seq))
            .where(_READ_AGAIN)
            .correlate(drops)
            .scalar_subquery()
            == seq,
        )
        with self._db.read() as connection:
            return connection.execute(query).scalars().all()

    def last_number(self) -> int:
        """Return the highest number of all drops; 0 when there is none."""
        with self._db.read() as connection:
            return connection.execute(sa.select(sa.func.max(drops.c.seq))).scalar() or 0

    def changed(self, after_seq: int, after_closing: int) -> Iterator[DropCounts]:
        """Yield drops that are newer than ``after_seq``, open, or closed after ``after_closing``.

        With the highest numbers seen so far none is missed: see ``drops.closing``.
        """
        fresh = (
            (drops.c.seq > sa.literal(after_seq, sa.BigInteger))  # any number: "none is newer"
            | drops.c.state.in_(_OPEN)
            | (drops.c.closing > after_closing)
        )
        yield from self._counts(fresh if after_seq else sa.true())

    def received(self, since: datetime, until: datetime) -> Iterator[DropCounts]:
        """Yield the drops that were received from the one moment to before the other."""
        yield from self._counts(*_conditions(Search(since=since, until=until)))

    def closed_in(self, spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
        """Return how many closed drops were received in each span, from its first to its last."""
        found = []
        with self._db.read() as connection:
            for since, until in spans:
                inside = _conditions(Search(since=since, until=until))
                closed = drops.c.state.not_in(_OPEN)
                query = sa.select(sa.func.count()).select_from(drops).where(closed, *inside)
                found.append(int(connection.execute(query).scalar_one()))
        return found

    def _counts(self, *wanted: sa.ColumnElement[bool]) -> Iterator[DropCounts]:
        # In no order: for one by number SQLite would look through all drops.
        query = sa.select(*_COUNTS).where(*wanted)
        with self._db.read() as connection:
            for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
                yield _counts_from(row)

    def ended(self, after_closing: int) -> list[DropLine]:
        """Return the drops that were closed after the one with this number, in that order."""
        query = sa.select(*_SHOWN).where(drops.c.closing > after_closing)
        return self._lines(query.order_by(drops.c.closing))

    def last_closing(self) -> int:
        """Return the number of the drop that was closed last; 0 when none was."""
        with self._db.read() as connection:
            return connection.execute(sa.select(sa.func.max(drops.c.closing))).scalar() or 0

    def sent(self, drop_seq: int) -> Mapping[str | None, int]:
        """Return a drop's updates by outcome so far; None: not answered yet."""
        of_chunks = (
            sa.select(chunks.c.state, chunks.c.outcome, sa.func.sum(chunks.c.size))
            .where(chunks.c.drop_seq == drop_seq)
            .group_by(chunks.c.state, chunks.c.outcome)
        )
        own = (
            sa.select(chunks.c.outcome, verdicts.c.outcome, sa.func.count())
            .join(
                chunks,
                (chunks.c.drop_seq == verdicts.c.drop_seq) & (chunks.c.no == verdicts.c.chunk_no),
            )
            .where(verdicts.c.drop_seq == drop_seq, chunks.c.state == _DONE)
            .group_by(chunks.c.outcome, verdicts.c.outcome)
        )
        found: dict[str | None, int] = {}
        with self._db.read() as connection:
            for state, outcome, count in connection.execute(of_chunks).all():
                # A chunk that was opened again keeps its outcome until it has another.
                known = outcome if state == _DONE else None
                found[known] = found.get(known, 0) + int(count)
            for instead_of, outcome, count in connection.execute(own).all():
                found[instead_of] = found.get(instead_of, 0) - int(count)
                found[outcome] = found.get(outcome, 0) + int(count)
        return {outcome: count for outcome, count in found.items() if count}

    def waiting_updates(self) -> int:
        """Return the number of planned updates without an answer, of all open drops."""
        under_way = sa.select(drops.c.seq).where(drops.c.state == DropState.OPEN.value)
        query = sa.select(sa.func.coalesce(sa.func.sum(chunks.c.size), 0)).where(
            chunks.c.drop_seq.in_(under_way), chunks.c.state != _DONE
        )
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def sightings(self, order_id: str) -> list[OrderRow]:
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
        # Rows that name no order lie there by their AWBs.
        found &= sa.not_((key >= BY_AWB) & (key < BY_AWB + LAST_CHARACTER))
        query = sa.select(key).where(found).distinct().order_by(key).limit(limit)
        with self._db.read() as connection:
            return [str(each) for each in connection.execute(query).scalars().all()]

    def _lines(self, query: sa.Select[Any]) -> list[DropLine]:
        with self._db.read() as connection:
            return [_line(row) for row in connection.execute(query).all()]


def _counts_from(row: sa.Row[Any]) -> DropCounts:
    rows = row.counted or {}
    return DropCounts(
        seq=row.seq,
        drop_id=row.drop_id,
        source_file=row.source_file,
        courier=row.courier,
        state=DropState(row.state),
        received_at=datetime.fromisoformat(row.received_at),
        finished_at=datetime.fromisoformat(row.finished_at) if row.finished_at else None,
        closing=row.closing,
        rows={o.value: rows[o.value] for o in Outcome if rows.get(o.value)},
        codes=codes_in(row.errors, row.refused),
    )


def _line(row: sa.Row[Any]) -> DropLine:
    line = record_from(DropLine, row, to_do=bool(row.to_do))
    if not line.tidied_at:
        return line
    return replace(line, summary=summary_left(line.summary, line, row.continues or None))


def _order(search: Search, *, upward: bool) -> list[sa.ColumnElement[Any]]:
    """Return the order of a list: by a column and, within it, the newest first."""
    if search.sort in _SORTS:
        column = _SORTS[search.sort]
        return [column.desc() if search.backward else column, drops.c.seq.desc()]
    number = drops.c.seq if _many_fit(search) else _NUMBER
    return [number.asc() if upward or search.backward else number.desc()]


def _many_fit(search: Search) -> bool:
    """Return whether the wanted drops are soon found by going from one number to the next."""
    if search.needs and search.needs not in FOR_A_PERSON:
        return True  # the index does not tell which these are
    picks = (search.words, search.state, search.courier, search.needs, search.to_do)
    return not any(picks) and search.since is None and search.until is None


def _conditions(search: Search) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if search.since is not None or search.until is not None:
        wanted.append(drops.c.to_do.in_((0, 1)))  # any: the index has times below this
    if search.state == "under_way":
        wanted.append(drops.c.state.in_(_OPEN))
    elif search.state:
        wanted.append(drops.c.state == search.state)
    if search.courier:
        wanted.append(drops.c.courier == search.courier)
    if search.since is not None:
        wanted.append(drops.c.received_at >= search.since.astimezone(UTC).isoformat())
    wanted += _need_conditions(search)
    for word in search.words.split():
        like = f"%{escaped(word)}%"
        wanted.append(
            drops.c.source_file.ilike(like, escape=MARK) | drops.c.drop_id.ilike(like, escape=MARK)
        )
    if search.until is not None:
        wanted.append(drops.c.received_at < search.until.astimezone(UTC).isoformat())
    if search.before is not None:
        wanted.append(drops.c.seq < search.before)
    if search.after is not None:
        wanted.append(drops.c.seq > search.after)
    return wanted


def _need_conditions(search: Search) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if search.needs:
        wanted.append(_SUMMARY["rows"][search.needs].as_integer() > 0)
        if search.needs in FOR_A_PERSON:
            wanted += [_IN_NEED, sa.not_(_WAS_READ_AGAIN)]
    if search.to_do:
        wanted.append(_TO_DO)
    if search.group_corrections:
        quiet = (drops.c.state == DropState.COMPLETED.value) & (drops.c.need <= 0)
        known = sa.exists().where(_PARENTS.c.drop_id == drops.c.parent)
        wanted.append(sa.not_(sa.and_(drops.c.parent.is_not(None), quiet, known)))
    return wanted


def _kept(connection: sa.Connection, row: sa.Row[Any]) -> OrderRow:
    """Return what stays of a drop whose rows are no longer kept."""
    drop = connection.execute(drops.select().where(drops.c.seq == row.drop_seq)).first()
    found = drop_from(drop) if drop else None
    return OrderRow(
        drop=found,
        row=0,
        sheet=0,
        status=row.status,
        chunk=None,
        pos=0,
        verdict=None,
        receipts=(),
        accepted_by=found.finished_at if found else None,
    )


def _sighting(connection: sa.Connection, line: sa.Row[tuple[object, ...]]) -> OrderRow:
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
        chunk = record_from(Chunk, row) if row else None
        own = connection.execute(
            verdicts.select().where(
                verdicts.c.drop_seq == at[0],
                verdicts.c.chunk_no == at[1],
                verdicts.c.pos == found["pos"],
            )
        ).first()
        verdict = record_from(Verdict, own) if own else None
        asked = receipts.select().where(receipts.c.drop_seq == at[0], receipts.c.chunk_no == at[1])
        calls = tuple(
            record_from(Receipt, r) for r in connection.execute(asked.order_by(receipts.c.id))
        )
    return OrderRow(
        drop=drop_from(drop),
        row=found["row"],
        sheet=found["sheet"],
        status=found["status"],
        chunk=chunk,
        pos=found["pos"],
        verdict=verdict,
        receipts=calls,
    )
