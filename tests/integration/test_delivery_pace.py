"""How often the desk goes to the ledger, and how much is in doubt should it be killed just then."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.core.chunks import ChunkState
from pipeline.storage.ledger.tables import chunks
from schemas.vocabulary import Outcome
from tests.integration.delivery_support import picked, with_sandbox

CALLERS = 8
CHUNKS = 240
MOST_MARKED = 128 + CALLERS

_MARKED = (
    sa.select(sa.func.count()).select_from(chunks).where(chunks.c.state == ChunkState.SENDING.value)
)


def _marked_at_each_commit(root: Path, gather: float, **faults: Any) -> list[int]:
    """Deliver a drop; for each commit on the way: how many chunks are marked once it is made."""
    seen: list[int] = []
    with with_sandbox(root, **faults) as (world, sandbox):
        drop = world.drop(picked(CHUNKS, size=1))

        def note(connection: sa.Connection) -> None:
            seen.append(connection.execute(_MARKED).scalar_one())

        engine = world.ledger._db.engine
        sa.event.listen(engine, "commit", note)
        (handback,) = world.deliver(drop, concurrency=CALLERS, gather=gather)
        sa.event.remove(engine, "commit", note)
        assert handback.complete
        assert sandbox.stats()["calls"] == CHUNKS
        assert world.counts(drop) == {Outcome.ACCEPTED: CHUNKS}
    return seen


def test_answers_that_come_one_by_one_share_commits_if_they_may_wait(tmp_path: Path) -> None:
    # So long that nothing but the lack of marked chunks ends it; more than 100 if none waits.
    commits = _marked_at_each_commit(tmp_path, 10.0, jitter_ms=40)
    assert len(commits) <= CHUNKS / 4


def test_at_no_moment_is_more_in_doubt_than_is_told(tmp_path: Path) -> None:
    seen = _marked_at_each_commit(tmp_path, 0.01)
    assert CALLERS < max(seen) <= MOST_MARKED, "more than callers have in hand, or they would wait"
    assert seen[-1] == 0
