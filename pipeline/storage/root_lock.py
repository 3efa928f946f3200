"""One ``run`` per root: a lock that the kernel releases when its holder dies, however it dies.

A command that holds it for a while only (``retry``) gives way to a service that starts meanwhile.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from pipeline.core.errors import RootBusy
from pipeline.storage.durable_files import make_directory, replace_with, storing
from schemas.display import shown

_LOOK_SECONDS = 0.5


class RootLock:
    """Holds ``state/lock`` of a root while the context lasts.

    ``state/lock.json`` beside it tells others who holds it, and whether that one gives way; a stale
    one, after ``kill -9``, hinders nobody. ``state/lock.asked`` asks for it.
    """

    def __init__(
        self, root: Path, *, now: Callable[[], datetime], yields_to_service: bool = False
    ) -> None:
        """Take the root, and the wall clock for "since when"."""
        self._state = root / "state"
        self._card = self._state / "lock.json"
        self._asked = self._state / "lock.asked"
        self._now = now
        self._yields_to_service = yields_to_service
        self._lock = FileLock(self._state / "lock", thread_local=False)
        self.was_left = False
        """True when its last holder, before us, did not release it in good order: a crash."""

    def __enter__(self) -> Self:
        """Take the lock, at once or not at all.

        Raises:
            RootBusy: another process (or another lock of this one) holds it.
            StorageError: the lock file cannot be made.
        """
        with storing("lock", self._state):
            make_directory(self._state)
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                raise self._busy() from None
        try:
            with storing("write", self._asked):
                self._asked.unlink(missing_ok=True)
            self.was_left = self._card.exists()
            self._introduce()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go. An error found after a crash is left for the next holder to find."""
        if not (self.was_left and error is not None):
            with suppress(OSError):  # a lost disk must not hide what ended the run
                self._card.unlink(missing_ok=True)
        self._lock.release()

    def _introduce(self) -> None:
        card = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": self._now().isoformat(timespec="seconds"),
            "gives_way": self._yields_to_service,
        }
        with storing("write", self._card):
            temporary = self._card.with_name(".lock.json.tmp")
            replace_with(self._card, temporary, [json.dumps(card).encode()])

    def holder(self) -> str | None:
        """Return who holds the root now, in words ("" if that cannot be said); None if nobody does.

        Raises StorageError where the lock cannot be tried.
        """
        if not self._card.exists():
            return None  # whoever holds it has a card; trying the lock could turn a run away
        with storing("lock", self._state):
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return self._holder().removeprefix(": ")
        self._lock.release()
        return None

    def request_release(self) -> None:
        """Ask the holder to release the root, if it yields to services. Raises StorageError."""
        with storing("write", self._asked):
            self._asked.touch()

    @contextmanager
    def on_release_request(self, let_go: Callable[[], None]) -> Iterator[threading.Event]:
        """Call ``let_go``, in another thread, once a service asks for the root; set the event."""
        asked, over = threading.Event(), threading.Event()

        def look() -> None:
            while not over.wait(_LOOK_SECONDS):
                if self._asked.exists():
                    asked.set()
                    let_go()
                    return

        listener = threading.Thread(target=look, name="lock-asked", daemon=True)
        listener.start()
        try:
            yield asked
        finally:
            over.set()
            listener.join()

    def _busy(self) -> RootBusy:
        return RootBusy(
            f"Another run holds this root{self._holder()}.",
            hint="Stop it first, or give this one another folder with --root.",
            yields_to_service=self._read().get("gives_way") is True,
        )

    def _holder(self) -> str:
        card = self._read()
        if not {"pid", "host", "since"} <= card.keys():
            return ""  # it is just being taken, or somebody tidied up: the lock itself is certain
        pid, host, since = (shown(card[key]) for key in ("pid", "host", "since"))
        return f": process {pid} on {host}, since {since}"

    def _read(self) -> dict[str, Any]:
        try:
            card = json.loads(self._card.read_bytes())
        except (OSError, ValueError):
            return {}
        return card if isinstance(card, dict) else {}
