"""What this worker has taken up: in the ledger for the others, and here for its own threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.adapters.ledger import SqlLedger
from pipeline.adapters.ledger.crew import PLANNING
from pipeline.cluster.lease import Lease

SCAN = "scan:"
"""How the post of the one who looks into an inbox begins."""


class Posts:
    """The posts of one worker. Safe from any thread."""

    def __init__(self, ledger: SqlLedger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._lock = threading.Lock()
        self._held: set[str] = set()

    @contextmanager
    def post(self, key: str) -> Iterator[bool]:
        """Hold a post of the ledger; false when somebody has it."""
        me = self._lease.name
        self._lease.sure()
        with self._lock:
            twice = key in self._held
            self._held.add(key)
        if twice:
            yield False
            return
        try:
            mine = self._ledger.take_post(me, key)
            try:
                yield mine
            finally:
                if mine:
                    self._ledger.leave_post(me, key)
        finally:
            with self._lock:
                self._held.discard(key)

    def tidy_posts(self) -> None:
        """Let go of posts that are ours in the ledger only: it could not be reached in the end."""
        for key in self._ledger.posts_of(self._lease.name):
            with self._lock:
                ours = key in self._held
            ours = ours or (key == PLANNING and self._ledger.plans_now) or key.startswith(SCAN)
            if not ours:
                self._ledger.leave_post(self._lease.name, key)
