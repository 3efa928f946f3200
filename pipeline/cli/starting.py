"""Start a run: signals, the root's lock, its ledger. A service waits for what passes by itself.

``run`` and ``worker`` are started by machines, when a disk may be full, a share away, a database
not up yet. Starting them again mends none of these.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from pipeline.core.errors import LedgerLost, RootBusy, StorageError
from pipeline.service.scan_timer import Bell

if TYPE_CHECKING:
    from types import FrameType

    from pipeline.service.health_file import HealthFileWriter
    from pipeline.service.wiring import Site
    from pipeline.storage.root_lock import RootLock

T = TypeVar("T")

_AGAIN_SECONDS = 2.0
SERVICE_TELLS = ("drop.closed", "drop.requested")
"""Events that a service logs also with ``--quiet``: a line for each drop."""


class StopSignals:
    """SIGINT and SIGTERM, caught from now on.

    The first one ends in good order what runs; a second one ends it at once: nothing is lost by it.
    """

    def __init__(self) -> None:
        self.caught: list[int] = []
        self._end: Callable[[], None] = lambda: None
        self._bell = Bell()
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, _frame: "FrameType | None") -> None:
        if self.caught:
            os._exit(130 if number == signal.SIGINT else 0)
        self.caught.append(number)
        self._bell.ring()
        self._end()

    @property
    def exit_code(self) -> int:
        """Return the exit code of what a signal ended; 0 when none came."""
        return 130 if self.caught[:1] == [signal.SIGINT] else 0

    def end(self, end: Callable[[], None]) -> None:
        """Have ``end`` called by a signal; at once if one has come already."""
        self._end = end
        if self.caught:
            end()

    def wait(self, seconds: float) -> bool:
        """Wait so long, at most until a signal comes; return whether one has come."""
        if not self.caught:
            self._bell.wait(seconds)
        return bool(self.caught)


@contextmanager
def startable_again(*, once: bool = False) -> Iterator[None]:
    """Let a service end with 75 where a folder or the ledger ended it in some unforeseen place.

    Its supervisor starts it again, and then it waits. ``once``: no service, it simply ends.
    """
    try:
        yield
    except StorageError as error:
        if once or isinstance(error, LedgerLost):
            raise
        typer.echo(f"shipdrop: {error}", err=True)
        raise typer.Exit(75) from error


class StartRetries:
    """Repeats each step of a service's start until it works, and reports what is in the way."""

    def __init__(self, site: "Site", lock: "RootLock", signals: StopSignals) -> None:
        self._site = site
        self._lock = lock
        self._signals = signals
        self._reason = ""
        self._health_file: HealthFileWriter | None = None

    def until_done(self, step: Callable[[], T]) -> T:
        """Repeat the step until it works, and return its result.

        Raises RootBusy when another service holds the root, LedgerLost, and typer.Exit after a
        signal.
        """
        while True:
            try:
                done = step()
            except RootBusy as error:
                if not error.yields_to_service:
                    raise
                self._lock.request_release()
                self._tell(error.message, "It lets go of it in a moment.")
            except LedgerLost:
                raise
            except StorageError as error:
                self._tell(error.message, error.hint)
                self._show()
            else:
                self._clear()
                return done
            if self._signals.wait(_AGAIN_SECONDS):
                if self._health_file is not None:
                    self._health_file.end()
                raise typer.Exit(self._signals.exit_code)

    def _tell(self, reason: str, hint: str) -> None:
        """Log it, once."""
        if reason != self._reason:
            import structlog

            self._reason = reason
            structlog.get_logger(__name__).error("service.waits", reason=reason, hint=hint)

    def _clear(self) -> None:
        if self._reason:
            import structlog

            self._reason = ""
            structlog.get_logger(__name__).info("service.trouble_over", where="start")

    def _show(self) -> None:
        """Write the trouble that is waited for into ``state/health.json``, if possible."""
        from pipeline.core.model import stamp
        from pipeline.service.health_file import HealthFile, HealthFileWriter

        clock, every = self._site.clock, self._site.settings.inbox.scan_seconds
        started_at = stamp(clock.now())

        def look() -> HealthFile:
            return HealthFile(
                pid=os.getpid(),
                host=socket.gethostname(),
                started_at=started_at,
                at=stamp(clock.now()),
                every=every,
                trouble={"storage": self._reason},
            )

        if self._health_file is None:
            self._health_file = HealthFileWriter(
                self._site.root / "state", look, now=clock.now, monotonic=clock.monotonic
            )
        self._health_file.beat()
