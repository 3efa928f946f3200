"""Locks of this worker: in the ledger for the others, and here for its own threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from msgspec import Struct

from pipeline.cluster.lease import Lease
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.ledger.workers import PLANNING

SCAN = "scan:"
"""How the post of the one who looks into an inbox begins."""


_T = TypeVar("_T")


class HeldLock(Struct, Generic[_T]):
    """A post while it is held. ``what``: what taking it up returned, None where it is not ours;
    ``gone``: the ledger has let go of it already.
    """

    what: _T | None
    gone: bool = False


class Locks:
    """The posts of one worker. Safe from any thread."""

    def __init__(self, ledger: SqlLedger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._lock = threading.Lock()
        self._held: set[str] = set()

    @contextmanager
    def post(self, key: str) -> Iterator[bool]:
        """Hold a post of the ledger; false when somebody has it."""
        with self.holding(key, lambda me: self._ledger.take_post(me, key) or None) as held:
            yield held.what is not None

    @contextmanager
    def holding(self, key: str, take: Callable[[str], _T | None]) -> "Iterator[HeldLock[_T]]":
        """Hold a post that ``take`` takes under our name; it returns None when it cannot be had."""
        me = self._lease.name
        self._lease.sure()
        with self._lock:
            twice = key in self._held
            self._held.add(key)
        if twice:
            yield HeldLock(None)
            return
        try:
            held = HeldLock(take(me))
            try:
                yield held
            finally:
                if held.what is not None and not held.gone:
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
