"""The ledger's segments: the parts of a drop that workers send side by side, wave by wave.

A segment holds neighbouring chunks of one wave. It has ended when each of them was tried and
booked; when all of a wave have, the next wave may begin.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, to_builtins

from pipeline.core.chunks import Chunk, ChunkState, Verdict
from pipeline.core.model import Drop
from pipeline.storage.ledger.database import Database, record_from
from pipeline.storage.ledger.drops import drop_from
from pipeline.storage.ledger.tables import chunks, drops, posts, segments, verdicts
from pipeline.storage.ledger.workers import NOW, insert_post
from schemas.vocabulary import Outcome

_SMALLEST, _LARGEST, _PARTS = 25, 250, 16
"""Chunks of a segment: a drop makes about ``_PARTS``, so that workers end together, but none so
small that taking it up costs more than sending it."""

_NOT_THROUGH = (Outcome.FAILED.value, Outcome.UNKNOWN.value, Outcome.UNSENT.value)


class Segment(Struct, frozen=True, kw_only=True, order=True):
    """Chunks ``first`` to ``last`` of a drop's wave that are not finished."""

    drop_seq: int
    wave: int
    no: int
    first: int
    last: int

    @property
    def post(self) -> str:
        """Return the name under which one worker takes it up."""
        return segment_post(self.drop_seq, self.wave, self.no)


class Load(Struct, frozen=True, kw_only=True):
    """The input for sending a segment. ``before``: earlier waves' chunks that did not all end."""

    segment: Segment
    drop: Drop
    chunks: tuple[Chunk, ...]
    before: tuple[Chunk, ...]
    verdicts: tuple[Verdict, ...]


def sending(drop_seq: int) -> str:
    """Return how the posts of a drop's segments begin."""
    return f"send:{drop_seq}:"


def segment_post(drop_seq: int, wave: int, no: int) -> str:
    """Return the name under which a worker takes a segment up."""
    return f"{sending(drop_seq)}{wave}:{no}"


class Segments:
    """Laying out drops and ending segments."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def lay_out(self, drop_seq: int) -> list[Segment] | None:
        """Cut what is left of a drop into segments, afresh; return those of the first wave.

        Nothing where nothing is left; None where segments of it are under way already.
        """
        left = (
            sa.select(chunks.c.no, chunks.c.wave)
            .where(chunks.c.drop_seq == drop_seq, _to_do(drop_seq))
            .order_by(chunks.c.wave, chunks.c.no)
        )
        with self._db.write() as connection:
            _lock(connection, drop_seq)
            if connection.execute(_open_of(drop_seq).limit(1)).first() is not None:
                return None  # another laid it out a moment ago
            connection.execute(segments.delete().where(segments.c.drop_seq == drop_seq))
            cut = list(_cut(drop_seq, connection.execute(left).all()))
            if cut:
                rows = [{**to_builtins(each), "ended": False, "since": 0.0} for each in cut]
                connection.execute(segments.insert(), rows)
            else:  # nothing is left: a mark, so that the drop counts as laid out and is reported
                mark = {"drop_seq": drop_seq, "wave": 0, "no": 0, "first": 0, "last": -1}
                connection.execute(segments.insert().values(**mark, ended=True, since=NOW))
        return [each for each in cut if each.wave == cut[0].wave]

    def take_segment(self, me: str, *, drop_seq: int, wave: int, no: int) -> Load | None:
        """Take a segment up and return the input for sending it.

        None when another has it, it has ended, or an earlier wave is under way.
        """
        key = segment_post(drop_seq, wave, no)
        this = segments.select().where(
            segments.c.drop_seq == drop_seq, segments.c.wave == wave, segments.c.no == no
        )
        its_time = this.where(~segments.c.ended, segments.c.wave == _first_wave(drop_seq)).exists()
        with self._db.write() as connection:
            if not insert_post(connection, key, me, where=its_time):
                return None
            found = connection.execute(this.where(~segments.c.ended)).first()
            if found is None:  # another ended it between the look and the post
                connection.execute(posts.delete().where(posts.c.key == key))
                return None
            return _load(connection, record_from(Segment, found))

    def end_segment(self, segment: Segment) -> list[Segment] | None:
        """End a segment and free its lock. Returns the next wave if this ended one,
        None when the drop has no segment left, and nothing while others of the wave are under way.
        """
        this = (
            (segments.c.drop_seq == segment.drop_seq)
            & (segments.c.wave == segment.wave)
            & (segments.c.no == segment.no)
        )
        with self._db.write() as connection:
            connection.execute(segments.update().where(this).values(ended=True, since=NOW))
            connection.execute(posts.delete().where(posts.c.key == segment.post))
        # Looked at after the commit: whoever ends the last one sees that all have ended.
        with self._db.read() as connection:
            wave = connection.execute(sa.select(_first_wave(segment.drop_seq))).scalar()
            if wave is None:
                return None
            if wave == segment.wave:
                return []
            next_wave = _open_of(segment.drop_seq).where(segments.c.wave == wave)
            return [record_from(Segment, row) for row in connection.execute(next_wave).all()]

    def all_segments_done(self, drop_seq: int) -> bool:
        """Return True when the drop was laid out, and all its segments and chunks are done."""
        laid = sa.select(sa.func.bool_and(segments.c.ended)).where(segments.c.drop_seq == drop_seq)
        undone = sa.select(chunks.c.no).where(
            chunks.c.drop_seq == drop_seq, chunks.c.state != ChunkState.DONE.value
        )
        with self._db.read() as connection:
            if not connection.execute(laid).scalar():
                return False
            return connection.execute(undone.limit(1)).first() is None

    def has_open_segments(self, drop_seq: int) -> bool:
        """Return True when there is something of the drop to send, or it is not known yet."""
        laid = sa.select(sa.func.bool_and(segments.c.ended)).where(segments.c.drop_seq == drop_seq)
        with self._db.read() as connection:
            return not connection.execute(laid).scalar()

    def has_doubts(self, drop_seq: int) -> bool:
        """Return True where a chunk of the drop was marked, and its answer is not on record."""
        marked = sa.select(chunks.c.no).where(
            chunks.c.drop_seq == drop_seq, chunks.c.state == ChunkState.SENDING.value
        )
        with self._db.read() as connection:
            return connection.execute(marked.limit(1)).first() is not None

    def forget_segments(self, drop_seq: int) -> None:
        """Forget a drop that is finished."""
        with self._db.write() as connection:
            connection.execute(segments.delete().where(segments.c.drop_seq == drop_seq))

    def idle_segments(self) -> list[Segment]:
        """Return segments of this root that might be sent now, and that nobody has taken up."""
        first = sa.select(segments.c.drop_seq, sa.func.min(segments.c.wave).label("wave"))
        first = first.where(~segments.c.ended).group_by(segments.c.drop_seq)
        now = first.subquery()
        query = (
            segments.select()
            .join(now, (now.c.drop_seq == segments.c.drop_seq) & (now.c.wave == segments.c.wave))
            .join(drops, drops.c.seq == segments.c.drop_seq)
            .where(~segments.c.ended, drops.c.root == self._db.root_id)
            .order_by(segments.c.drop_seq, segments.c.no)
        )
        with self._db.read() as connection:
            found = [record_from(Segment, row) for row in connection.execute(query).all()]
            taken = {row.key for row in connection.execute(sa.select(posts.c.key)).all()}
        return [each for each in found if each.post not in taken]

    def laid_out(self, *, rested: float) -> dict[int, bool]:
        """Return the drops of this root that have segments.

        Each with whether it was sent as far as possible, and rests for so many seconds.
        """
        rests = sa.func.bool_and(segments.c.ended) & (sa.func.max(segments.c.since) < NOW - rested)
        query = (
            sa.select(segments.c.drop_seq, rests)
            .join(drops, drops.c.seq == segments.c.drop_seq)
            .where(drops.c.root == self._db.root_id)
            .group_by(segments.c.drop_seq)
        )
        with self._db.read() as connection:
            return {seq: bool(rests) for seq, rests in connection.execute(query).all()}

    def count_open_segments(self) -> int:
        """Return segments that have not ended, of all roots."""
        query = sa.select(sa.func.count()).select_from(segments).where(~segments.c.ended)
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())


def _load(connection: sa.Connection, segment: Segment) -> Load:
    """Return the input for sending it, as it is now."""
    seq = segment.drop_seq
    wanted = (
        (chunks.c.wave == segment.wave)
        & chunks.c.no.between(segment.first, segment.last)
        & _to_do(seq)
    )
    if segment.wave:
        wanted |= (chunks.c.wave < segment.wave) & (
            chunks.c.outcome.in_(_NOT_THROUGH) | chunks.c.no.in_(_with_bad_verdict(seq))
        )
    wanted &= chunks.c.drop_seq == seq
    numbers = sa.select(chunks.c.no).where(wanted)
    said = verdicts.select().where(verdicts.c.drop_seq == seq, verdicts.c.chunk_no.in_(numbers))
    drop = connection.execute(drops.select().where(drops.c.seq == seq)).one()
    rows = connection.execute(chunks.select().where(wanted).order_by(chunks.c.no)).all()
    found = [record_from(Chunk, row) for row in rows]
    return Load(
        segment=segment,
        drop=drop_from(drop),
        chunks=tuple(chunk for chunk in found if chunk.wave == segment.wave),
        before=tuple(chunk for chunk in found if chunk.wave < segment.wave),
        verdicts=tuple(record_from(Verdict, row) for row in connection.execute(said).all()),
    )


def _lock(connection: sa.Connection, drop_seq: int) -> None:
    """Lock the drop, so that one worker at a time decides its next step."""
    connection.execute(sa.select(drops.c.seq).where(drops.c.seq == drop_seq).with_for_update())


def _open_of(drop_seq: int) -> sa.Select[tuple[object, ...]]:
    return segments.select().where(segments.c.drop_seq == drop_seq, ~segments.c.ended)


def _first_wave(drop_seq: int) -> sa.ScalarSelect[int]:
    """Return the wave that is under way."""
    waves = sa.select(sa.func.min(segments.c.wave))
    return waves.where(segments.c.drop_seq == drop_seq, ~segments.c.ended).scalar_subquery()


def _with_bad_verdict(drop_seq: int) -> sa.Select[tuple[int]]:
    return sa.select(verdicts.c.chunk_no).where(
        verdicts.c.drop_seq == drop_seq, verdicts.c.outcome.in_(_NOT_THROUGH)
    )


def _to_do(drop_seq: int) -> sa.ColumnElement[bool]:
    """Select chunks that may be sent and are not done, or done with rows in doubt.

    As ``ChunkQueue.of`` does.
    """
    doubtful = sa.select(verdicts.c.chunk_no).where(
        verdicts.c.drop_seq == drop_seq, verdicts.c.outcome == Outcome.UNKNOWN.value
    )
    over = (ChunkState.DONE.value, ChunkState.WAITING.value)
    return chunks.c.state.not_in(over) | chunks.c.no.in_(doubtful)


def _cut(drop_seq: int, left: Sequence[sa.Row[Any, Any]]) -> Iterator[Segment]:
    size = max(_SMALLEST, min(_LARGEST, len(left) // _PARTS))
    for wave, rows in groupby(left, key=lambda row: row.wave):
        numbers = [row.no for row in rows]
        for no, at in enumerate(range(0, len(numbers), size)):
            some = numbers[at : at + size]
            yield Segment(drop_seq=drop_seq, wave=wave, no=no, first=some[0], last=some[-1])
