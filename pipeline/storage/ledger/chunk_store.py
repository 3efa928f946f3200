"""The ledger's chunks on their way: the last outcomes and the next marks in one commit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from msgspec import to_builtins

from pipeline.core.chunks import Chunk, ChunkEnds, ChunkResult, ChunkState, Verdict
from pipeline.core.model import Drop
from pipeline.storage.ledger.database import Database, record_from
from pipeline.storage.ledger.tables import chunks, drops, receipts, verdicts
from schemas.codes import Code
from schemas.vocabulary import Outcome

_ENDS = ("state", "outcome", "http_status", "attempts", "code", "message", "sent_at")
"""The columns of a chunk's outcome."""
_END_COLUMNS = ("no", *_ENDS)
_MARKS = ("state", "sent_at")
_LINES = 5_000
"""Lines that are taken up at a time."""

_Values = tuple[object, ...]


_WANTED = sa.bindparam("wanted", expanding=True, type_=sa.Integer)
_IN_ORDER = (chunks.c.drop_seq, chunks.c.no)
_CHUNKS_OF = (
    chunks.select()
    .where(chunks.c.drop_seq == sa.bindparam("wanted", type_=sa.Integer))
    .order_by(chunks.c.no)
)
_ENDS_OF = (
    sa.select(*_IN_ORDER, *(chunks.c[name] for name in _ENDS))
    .where(chunks.c.drop_seq.in_(_WANTED))
    .order_by(*_IN_ORDER)
)
_VERDICTS_OF = verdicts.select().where(verdicts.c.drop_seq.in_(_WANTED))


class Sends:
    """Chunks on their way. One call, one commit."""

    _db: Database

    def chunks(self, drop_seq: int) -> list[Chunk]:
        """Return the drop's chunks by number."""
        with self._db.read() as connection:
            # Line by line: a large drop's lines need not lie beside its records.
            return [
                record_from(Chunk, row)
                for row in connection.execute(_CHUNKS_OF, {"wanted": drop_seq})
            ]

    def ends_of(self, drop_seqs: Sequence[int]) -> Mapping[int, ChunkEnds]:
        """Return how the chunks of each of these drops ended."""
        found: dict[int, list[list[Any]]] = {seq: [[] for _ in _END_COLUMNS] for seq in drop_seqs}
        with self._db.read() as connection:
            lines = connection.execute(_ENDS_OF, {"wanted": list(drop_seqs)})
            for some in lines.partitions(_LINES):
                for seq, of_drop in groupby(some, key=itemgetter(0)):
                    values = zip(*of_drop, strict=True)
                    next(values)
                    for column, more in zip(found[seq], values, strict=True):
                        column.extend(more)
        return {seq: _ends_from(columns) for seq, columns in found.items()}

    def verdicts(self, drop_seq: int) -> list[Verdict]:
        """Return the drop's exceptions to what its chunks say."""
        return self.verdicts_of([drop_seq])[drop_seq]

    def verdicts_of(self, drop_seqs: Sequence[int]) -> Mapping[int, list[Verdict]]:
        """Return the exceptions of each of these drops."""
        found: dict[int, list[Verdict]] = {seq: [] for seq in drop_seqs}
        with self._db.read() as connection:
            for row in connection.execute(_VERDICTS_OF, {"wanted": list(drop_seqs)}).all():
                found[row[0]].append(record_from(Verdict, row))
        return found

    def exchange(self, done: Sequence[ChunkResult], marked: Sequence[Chunk], *, at: str) -> None:
        """Record the outcomes of ``done`` and mark ``marked`` as being sent, in one commit.

        When this returns, the calls of ``marked`` may leave; before, none may.
        """
        with self._db.write() as connection:
            if done:
                ends = _runs((r.chunk.drop_seq, r.chunk.no, _end(r.chunk)) for r in done)
                self._db.dialect.write_runs(connection, _ENDS, ends)
                _replace_verdicts(connection, done)
                _add_receipts(connection, done)
            if marked:
                mark = (ChunkState.SENDING.value, at)
                runs = _runs((chunk.drop_seq, chunk.no, mark) for chunk in marked)
                self._db.dialect.write_runs(connection, _MARKS, runs)

    def let_go(
        self,
        drop: Drop,
        free: Collection[int],
        verdicts_now: Sequence[Verdict] = (),
        *,
        waiting: str = "",
    ) -> None:
        """Let chunks be sent that waited for other drops; ``verdicts_now``: as in ``reopen``.

        ``drop`` has the facts that go with it. ``waiting``: says of the others why they wait on. A
        chunk that may have left before a backup was restored is in doubt.
        """
        wait = (chunks.c.drop_seq == drop.seq) & (chunks.c.state == ChunkState.WAITING.value)
        goes = sa.case(
            (chunks.c.sent_at == "", ChunkState.PLANNED.value), else_=ChunkState.SENDING.value
        )
        with self._db.write() as connection:
            for _, first, last, _ in _runs((drop.seq, no, ()) for no in free):
                these = chunks.update().where(wait, chunks.c.no.between(first, last))
                connection.execute(these.values(state=goes, code="", message=""))
            connection.execute(chunks.update().where(wait).values(message=waiting))
            if verdicts_now:
                _overrule(connection, drop.seq, verdicts_now)
            same = (drops.c.seq == drop.seq) & (drops.c.state == drop.state.value)
            connection.execute(drops.update().where(same).values(facts=to_builtins(drop.facts)))

    def overrule(self, drop_seq: int, verdicts_now: Sequence[Verdict]) -> None:
        """Replace the verdicts of these updates."""
        with self._db.write() as connection:
            _overrule(connection, drop_seq, verdicts_now)

    def reopen(self, drop_seq: int, verdicts_now: Sequence[Verdict] = ()) -> int:
        """Reopen the chunks whose rows ended as unknown, because a person asked for a retry.

        Their rows are asked about and, if necessary, sent again. An unclear answer counts as a lost
        one from now on. A row that was refused when it was sent again keeps its verdict without
        ``http_status``: that marks it as one to send for a person, and a second refusal ends it.
        ``verdicts_now`` then replace the verdicts of those updates. Returns the number of chunks
        that became doubtful.
        """
        of_drop = chunks.c.drop_seq == drop_seq
        doubtful = sa.select(verdicts.c.chunk_no).where(
            verdicts.c.drop_seq == drop_seq, verdicts.c.outcome == Outcome.UNKNOWN.value
        )
        with self._db.write() as connection:
            done = connection.execute(
                chunks.update()
                .where(
                    of_drop,
                    (chunks.c.outcome == Outcome.UNKNOWN.value) | chunks.c.no.in_(doubtful),
                )
                .values(state=ChunkState.SENDING.value)
            )
            connection.execute(
                verdicts.update()
                .where(
                    verdicts.c.drop_seq == drop_seq,
                    verdicts.c.outcome == Outcome.UNKNOWN.value,
                    verdicts.c.code == Code.ANSWER_UNCLEAR.value,
                )
                .values(code=Code.ANSWER_LOST.value)
            )
            connection.execute(
                verdicts.update()
                .where(
                    verdicts.c.drop_seq == drop_seq,
                    verdicts.c.outcome == Outcome.UNKNOWN.value,
                    verdicts.c.code == Code.API_REFUSED.value,
                )
                .values(http_status=None)
            )
            if verdicts_now:
                _overrule(connection, drop_seq, verdicts_now)
        return int(done.rowcount)


def _ends_from(columns: Sequence[Sequence[Any]]) -> ChunkEnds:
    values = dict(zip(_END_COLUMNS, columns, strict=True))
    marked = ChunkState.SENDING.value
    sending = [state == marked for state in values.pop("state")]
    return ChunkEnds.of(sending=sending, **values)


def _end(chunk: Chunk) -> _Values:
    return (
        chunk.state.value,
        chunk.outcome.value if chunk.outcome else None,
        chunk.http_status,
        chunk.attempts,
        chunk.code,
        chunk.message,
        chunk.sent_at,
    )


def _runs(each: Iterable[tuple[int, int, _Values]]) -> list[tuple[int, int, int, _Values]]:
    """Return neighbours (drop, number, values) of equal values as (drop, first, last, values).

    Chunks leave in order, so most of a commit's end alike side by side: a statement for each would
    cost more than all else of the commit.
    """
    runs: list[tuple[int, int, int, _Values]] = []
    for drop, no, values in sorted(each, key=itemgetter(0, 1)):
        if runs and runs[-1][0] == drop and runs[-1][2] == no - 1 and runs[-1][3] == values:
            runs[-1] = (drop, runs[-1][1], no, values)
        else:
            runs.append((drop, no, no, values))
    return runs


def _overrule(connection: sa.Connection, drop_seq: int, now: Sequence[Verdict]) -> None:
    places = [{"k_drop": drop_seq, "k_no": each.chunk_no, "k_pos": each.pos} for each in now]
    connection.execute(
        verdicts.delete().where(
            (verdicts.c.drop_seq == sa.bindparam("k_drop"))
            & (verdicts.c.chunk_no == sa.bindparam("k_no"))
            & (verdicts.c.pos == sa.bindparam("k_pos"))
        ),
        places,
    )
    connection.execute(
        verdicts.insert(), [{"drop_seq": drop_seq, **to_builtins(each)} for each in now]
    )


def _replace_verdicts(connection: sa.Connection, done: Sequence[ChunkResult]) -> None:
    rows = [
        {"drop_seq": result.chunk.drop_seq, **to_builtins(verdict)}
        for result in done
        for verdict in result.verdicts
    ]
    again = [result.chunk for result in done if result.replaces or result.verdicts]
    if again:
        connection.execute(
            verdicts.delete().where(
                (verdicts.c.drop_seq == sa.bindparam("k_drop"))
                & (verdicts.c.chunk_no == sa.bindparam("k_no"))
            ),
            [{"k_drop": chunk.drop_seq, "k_no": chunk.no} for chunk in again],
        )
    if rows:
        connection.execute(verdicts.insert(), rows)


def _add_receipts(connection: sa.Connection, done: Sequence[ChunkResult]) -> None:
    rows = [
        {"drop_seq": result.chunk.drop_seq, **to_builtins(receipt)}
        for result in done
        for receipt in result.receipts
    ]
    if rows:
        connection.execute(receipts.insert(), rows)
