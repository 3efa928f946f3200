"""A worker's right to act, by the time of its last heartbeat, and the locks it holds.

Others remove a worker when the ledger has had no heartbeat of it for ``stale_seconds``. The worker
itself stops a third earlier, by a clock that goes on while the process is frozen: so when it wakes
up, it knows before it does any harm.
"""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from msgspec import Struct

from pipeline.core.errors import Fenced
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.ledger.workers import PLANNING

_OWN_PART = 2 / 3
_HEARTBEATS = 6
"""Heartbeats that a worker sends within ``stale_seconds``."""


def _now() -> float:
    """Return seconds that also pass while the process, or the machine, is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """Implements ``ports.Presence``. Safe from any thread.

    ``refused``: set when ``require_valid`` raised; the supervisor resets it.
    """

    def __init__(self, stale_seconds: float) -> None:
        host = "".join(c if c.isalnum() else "-" for c in socket.gethostname())[:24]
        self._name = f"{host}-{secrets.token_hex(3)}"
        self._own = stale_seconds * _OWN_PART
        self.stale_seconds = stale_seconds
        self.pause = stale_seconds / _HEARTBEATS
        self._until = float("-inf")
        self._ended = False
        self.refused = False

    @property
    def name(self) -> str:
        """Return this worker's name, unlike any other's."""
        return self._name

    @staticmethod
    def begin_heartbeat() -> float:
        """Return the time at which a heartbeat starts; pass it to ``renew``."""
        return _now()

    def renew(self, begun: float) -> None:
        """Extend the lease: the ledger has recorded a heartbeat that was begun then."""
        self._until = begun + self._own

    def end(self) -> None:
        """End the lease for good: this worker was removed, or ends."""
        self._ended = True

    @property
    def holds(self) -> bool:
        """Return True while nobody can have taken over."""
        return not self._ended and _now() < self._until

    def require_valid(self) -> None:
        """Raise Fenced unless nobody can have taken over."""
        if not self.holds:
            self.refused = True
            raise Fenced(
                "This worker has not reached the ledger for too long; others may have taken over.",
                hint="It goes on by itself when the ledger can be reached.",
            )


SCAN = "scan:"
"""Prefix of the post of the worker that scans an inbox."""


_T = TypeVar("_T")


class HeldLock(Struct, Generic[_T]):
    """A post while it is held. ``what``: what taking it up returned, None where it is not ours;
    ``gone``: the ledger has released it already.
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
        """Hold a post of the ledger; yield False when another worker has it."""
        with self.holding(key, lambda me: self._ledger.workers.take_post(me, key) or None) as held:
            yield held.what is not None

    @contextmanager
    def holding(self, key: str, take: Callable[[str], _T | None]) -> "Iterator[HeldLock[_T]]":
        """Hold the post that ``take`` takes under our name; None from ``take``: it is not free."""
        me = self._lease.name
        self._lease.require_valid()
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
                    self._ledger.workers.leave_post(me, key)
        finally:
            with self._lock:
                self._held.discard(key)

    def tidy_posts(self) -> None:
        """Release posts that are ours only in the ledger, because releasing them failed."""
        for key in self._ledger.workers.posts_of(self._lease.name):
            with self._lock:
                ours = key in self._held
            workers = self._ledger.workers
            ours = ours or (key == PLANNING and workers.plans_now) or key.startswith(SCAN)
            if not ours:
                workers.leave_post(self._lease.name, key)
