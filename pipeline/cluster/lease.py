"""A worker's right to act, by the time of its last word to the ledger.

Others give a worker up when the ledger has heard nothing of it for ``stale_seconds``. The worker
itself stops a third earlier, by a clock that goes on while the process is frozen: so when it wakes
up, it knows before it does any harm.
"""

import secrets
import socket
import time

from pipeline.core.errors import Fenced

_OWN_PART = 2 / 3
_WORDS = 6
"""Words a worker gives in the time after which it is given up."""


def _now() -> float:
    """Return seconds that also pass while the process, or the machine, is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """Implements ``ports.Presence``. Safe from any thread.

    ``refused``: somebody was refused since this was last set to false.
    """

    def __init__(self, stale_seconds: float) -> None:
        host = "".join(c if c.isalnum() else "-" for c in socket.gethostname())[:24]
        self._name = f"{host}-{secrets.token_hex(3)}"
        self._own = stale_seconds * _OWN_PART
        self.stale_seconds = stale_seconds
        self.pause = stale_seconds / _WORDS
        self._until = float("-inf")
        self._ended = False
        self.refused = False

    @property
    def name(self) -> str:
        """Return this worker's name, unlike any other's."""
        return self._name

    @staticmethod
    def begin_word() -> float:
        """Return the moment before a word is given; for ``renew``."""
        return _now()

    def renew(self, begun: float) -> None:
        """Extend the lease: the ledger has recorded a heartbeat that was begun then."""
        self._until = begun + self._own

    def end(self) -> None:
        """End the lease for good: this worker was given up, or ends."""
        self._ended = True

    @property
    def holds(self) -> bool:
        """Return True while nobody can have taken over."""
        return not self._ended and _now() < self._until

    def sure(self) -> None:
        """Raise Fenced unless nobody can have taken over."""
        if not self.holds:
            self.refused = True
            raise Fenced(
                "This worker has had no word with the ledger for too long; others may have taken "
                "over.",
                hint="It goes on by itself when the ledger can be reached.",
            )
