"""Remove the rows of old drops, and of the drops all but counts and names.

Which status of which order was accepted stays known, also when the drop itself goes.

A drop is marked first, then all orders are walked through once, a few thousand lines to a
transaction: lines are kept by order, so those of one drop lie scattered among all others. At any
moment in between, and after a crash, ``accepted`` and the lines that are left give the same answer.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from pipeline.core.model import DropState
from pipeline.core.summary import tidied
from pipeline.storage.ledger.database import Database
from pipeline.storage.ledger.drops import facts_from
from pipeline.storage.ledger.queries import NOTHING_TO_DO
from pipeline.storage.ledger.tables import (
    accepted,
    chunks,
    compacted,
    drops,
    lines,
    receipts,
    verdicts,
)
from schemas.vocabulary import Outcome

_LINES_PER_STEP = 5_000
_DROPS_PER_STEP = 50
_PAGES_PER_STEP = 2_000
_DROPS_AT_ONCE = 10_000
_FORGOTTEN_AT_ONCE = 500
_INCREMENTAL = 2
"""SQLite's value for a file whose free pages can be given back."""

_CLOSED = [state.value for state in DropState if state.closed]
_OUTCOME = sa.func.coalesce(verdicts.c.outcome, chunks.c.outcome)

#: Marked drops of one root. Where several roots share the ledger each gives up its own: another
#: root's marks may be newer than this walk, and must not be taken for done at its end.
_MARKED = (
    sa.select(compacted.c.drop_seq)
    .join(drops, drops.c.seq == compacted.c.drop_seq)
    .where(sa.not_(compacted.c.done), drops.c.root == sa.bindparam("root"))
)
#: Asked of each line: a list of all marked drops would be made at every step of the walk.
_DOOMED = _MARKED.where(compacted.c.drop_seq == lines.c.drop_seq).exists()
_HERE = (lines.c.order_id > sa.bindparam("after")) & (lines.c.order_id <= sa.bindparam("upto"))

_KEEP = accepted.insert().from_select(
    ["order_id", "status", "drop_seq"],
    sa.select(lines.c.order_id, lines.c.status, sa.func.min(lines.c.drop_seq))
    .join(chunks, (chunks.c.drop_seq == lines.c.drop_seq) & (chunks.c.no == lines.c.chunk))
    .outerjoin(
        verdicts,
        (verdicts.c.drop_seq == lines.c.drop_seq)
        & (verdicts.c.chunk_no == lines.c.chunk)
        & (verdicts.c.pos == lines.c.pos),
    )
    .where(
        _HERE,
        _DOOMED,
        _OUTCOME.in_([Outcome.ACCEPTED.value]),
        ~sa.exists().where(
            accepted.c.order_id == lines.c.order_id, accepted.c.status == lines.c.status
        ),
    )
    .group_by(lines.c.order_id, lines.c.status),
)
_DROP_LINES = lines.delete().where(_HERE, _DOOMED)


_OTHER, _LAST = drops.alias("other"), drops.alias("last")


def _is_over(drop: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return whether a drop was closed long ago, and nothing is asked of it.

    The last that was closed is not over: the root is known to have a past. Nor is the one with the
    highest number: a copy of the ledger goes on from it, and no number means two drops.
    """
    newest = sa.select(sa.func.max(_LAST.c.closing)).where(_LAST.c.root == sa.bindparam("root"))
    return sa.and_(
        drop.c.state.in_(_CLOSED),
        drop.c.request == "",
        drop.c.finished_at != "",
        drop.c.finished_at < sa.bindparam("before"),
        drop.c.closing < newest.scalar_subquery(),
        drop.c.seq < sa.select(sa.func.max(_LAST.c.seq)).scalar_subquery(),
    )


_SAME_BYTES = (_OTHER.c.sha256 == drops.c.sha256) & (drops.c.sha256 != "")
_FORGETTABLE = (
    sa.select(drops.c.seq)
    .join(compacted, compacted.c.drop_seq == drops.c.seq)
    .where(
        drops.c.root == sa.bindparam("root"),
        _is_over(drops),
        compacted.c.done,
        NOTHING_TO_DO,
        ~sa.exists().where(_OTHER.c.parent == drops.c.drop_id),
        # Files that came several times go together, the first one first: without the later ones it
        # would be to do again.
        ~sa.exists().where(_SAME_BYTES, _OTHER.c.seq > drops.c.seq, ~_is_over(_OTHER)),
        ~sa.exists().where(_SAME_BYTES, _OTHER.c.seq < drops.c.seq),
    )
    .order_by(drops.c.seq)
    .limit(_FORGOTTEN_AT_ONCE)
)
"""Drops that need no person, on which no other depends, and whose rows are removed."""


class Compaction:
    """Removes the rows of old drops; which statuses were accepted stays known.

    Called by one thread, beside those that send.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def give_up(self, *, closed_before: datetime, at: datetime) -> list[str]:
        """Mark this root's drops that were closed before this moment; return the ids of all marked.

        A drop with rows of unknown outcome is kept: they are asked about before its orders are
        sent again. Marked but not done drops of an earlier, interrupted compaction are returned
        again.
        """
        # Times are written with one offset and sort as text; a second's fraction may be missing.
        old = (drops.c.finished_at != "") & (drops.c.finished_at < closed_before.isoformat())
        unknown = Outcome.UNKNOWN.value
        query = (
            sa.select(drops.c.seq)
            .where(
                drops.c.root == self._db.root_id,
                drops.c.state.in_(_CLOSED),
                drops.c.request == "",  # a retry of it may begin at any moment
                old,
                ~sa.exists().where(compacted.c.drop_seq == drops.c.seq),
                ~sa.exists().where(chunks.c.drop_seq == drops.c.seq, chunks.c.outcome == unknown),
                ~sa.exists().where(
                    verdicts.c.drop_seq == drops.c.seq, verdicts.c.outcome == unknown
                ),
            )
            .order_by(drops.c.seq)
            .limit(_DROPS_AT_ONCE)
        )
        with self._db.read() as connection:
            found = connection.execute(query).scalars().all()
        if found:
            rows = [{"drop_seq": seq, "at": at.isoformat(), "done": False} for seq in found]
            with self._db.write() as connection:
                connection.execute(compacted.insert(), rows)
        marked = (
            sa.select(drops.c.drop_id)
            .join(compacted, compacted.c.drop_seq == drops.c.seq)
            .where(sa.not_(compacted.c.done), drops.c.root == self._db.root_id)
            .order_by(drops.c.seq)
        )
        with self._db.read() as connection:
            return list(connection.execute(marked).scalars().all())

    def compact_orders(self, after: str) -> str | None:
        """Compact some orders behind ``after``. Returns where to go on, or None."""
        behind = sa.select(lines.c.order_id).where(lines.c.order_id > after)
        with self._db.read() as connection:
            upto = connection.execute(
                behind.order_by(lines.c.order_id).offset(_LINES_PER_STEP).limit(1)
            ).scalar()
            is_last = upto is None
            if is_last:
                last = sa.select(sa.func.max(lines.c.order_id)).where(lines.c.order_id > after)
                upto = connection.execute(last).scalar()
            if upto is None:
                return None
            here = {"after": after, "upto": upto, "root": self._db.root_id}
            some = sa.select(lines.c.drop_seq).where(_HERE, _DOOMED).limit(1)
            touched = connection.execute(some, here).first() is not None
        if touched:
            with self._db.write() as connection:
                connection.execute(_KEEP, here)
                connection.execute(_DROP_LINES, here)
        return None if is_last else str(upto)

    def end_compaction(self) -> int:
        """Remove calls, answers and details of the marked drops after the walk.

        Returns how many drops.
        """
        with self._db.read() as connection:
            marked = connection.execute(_MARKED, {"root": self._db.root_id}).scalars().all()
        for start in range(0, len(marked), _DROPS_PER_STEP):
            some = marked[start : start + _DROPS_PER_STEP]
            with self._db.write() as connection:
                for table in (receipts, verdicts, chunks):
                    connection.execute(table.delete().where(table.c.drop_seq.in_(some)))
                _tidy(connection, some)
                connection.execute(
                    compacted.update().where(compacted.c.drop_seq.in_(some)).values(done=True)
                )
        return len(marked)

    def forget_old(self, *, closed_before: datetime) -> int:
        """Remove some drops of this root whole that were closed before this moment.

        Returns how many; 0 when there are no more.
        """
        wanted = {"root": self._db.root_id, "before": closed_before.isoformat()}
        with self._db.write() as connection:
            some = connection.execute(_FORGETTABLE, wanted).scalars().all()
            if some:
                connection.execute(compacted.delete().where(compacted.c.drop_seq.in_(some)))
                connection.execute(drops.delete().where(drops.c.seq.in_(some)))
        return len(some)

    def shrink(self, *, idle: bool) -> bool:
        """Give free pages of the file back to the disk, a few at a time; True while there are more.

        A file that was made before its pages could be given back is written anew once, when that is
        worth it and the service is ``idle``: nobody else can write meanwhile. Other databases than
        SQLite do all this by themselves.
        """
        if self._db.engine.dialect.name != "sqlite":
            return False
        with self._db.alone() as connection:
            free = _pragma(connection, "freelist_count")
            if not free:
                return False
            if _pragma(connection, "auto_vacuum") != _INCREMENTAL:
                worth_it = 4 * free > _pragma(connection, "page_count")
                if worth_it and idle:
                    connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
                    connection.exec_driver_sql("VACUUM")
                return False
            # As a script: a page is freed at each step of the statement, and anything else takes
            # one step only where rows have no columns.
            driver = connection.connection.driver_connection
            if isinstance(driver, sqlite3.Connection):
                driver.executescript(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})")
            if free > _PAGES_PER_STEP:
                return True
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
            return False


def _tidy(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Leave of these drops' facts what lists and later files need.

    SQLite leaves a line that became shorter alone on the page that it had filled: there the lines
    are taken out and put back beside each other. It has one writer, so nobody misses them.
    """
    full = (
        sa.select(drops, compacted.c.at)
        .join(compacted, compacted.c.drop_seq == drops.c.seq)
        .where(drops.c.seq.in_(numbers))
        .order_by(drops.c.seq)
        .with_for_update(of=drops)
    )
    smaller = []
    for row in connection.execute(full).mappings():
        if not (before := facts_from(row["facts"])).tidied:
            facts = msgspec.to_builtins(tidied(before, row["at"]))
            smaller.append({column.name: row[column] for column in drops.c} | {"facts": facts})
    if not smaller:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(drops.delete().where(drops.c.seq.in_([e["seq"] for e in smaller])))
        connection.execute(drops.insert(), smaller)
    else:
        one = drops.update().where(drops.c.seq == sa.bindparam("k"))
        values = [{"k": each["seq"], "f": each["facts"]} for each in smaller]
        connection.execute(one.values(facts=sa.bindparam("f", type_=sa.JSON)), values)


def _pragma(connection: sa.Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
