"""One ``run`` per root: a lock the kernel lets go of when its holder dies, however it dies."""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from pipeline.adapters.atomic import make_directory, replace_with, storing
from pipeline.adapters.naming import shown
from pipeline.errors import RootBusy


class RootLock:
    """Holds ``state/lock`` of a root while the context lasts.

    ``state/lock.json`` beside it tells others who holds it; it is only ever read to say so. A
    stale one, after ``kill -9``, hinders nobody.
    """

    def __init__(self, root: Path, *, now: Callable[[], datetime]) -> None:
        """Take the root, and the wall clock for "since when"."""
        self._state = root / "state"
        self._card = self._state / "lock.json"
        self._now = now
        self._lock = FileLock(self._state / "lock", thread_local=False)

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
                raise RootBusy(
                    f"Another run holds this root{self._holder()}.",
                    hint="Stop it first, or give this one another folder with --root.",
                ) from None
        try:
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
        """Let go."""
        with suppress(OSError):  # a lost disk must not hide what ended the run
            self._card.unlink(missing_ok=True)
        self._lock.release()

    def _introduce(self) -> None:
        card = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": self._now().isoformat(timespec="seconds"),
        }
        with storing("write", self._card):
            temporary = self._card.with_name(".lock.json.tmp")
            replace_with(self._card, temporary, [json.dumps(card).encode()])

    def holder(self) -> str | None:
        """Who holds the root now, in words ("" if that cannot be said); None if nobody does.

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

    def _holder(self) -> str:
        try:
            card = json.loads(self._card.read_bytes())
            pid, host, since = card["pid"], card["host"], card["since"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""  # it is just being taken, or somebody tidied up: the lock itself is certain
        return f": process {shown(pid)} on {shown(host)}, since {shown(since)}"
