"""Count tries of reading and planning a file that did not end: a byte each in its spool.

It is not for the ledger: a try that ends the process must be counted before it begins, and costs a
byte here instead of a commit.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.core.errors import StorageError

TRIES = "tries"
_BEGUN, _FAILED = b".", b"!"
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


@contextmanager
def in_spool(folder: Path) -> Iterator[None]:
    """Convert disk errors raised in the block into a StorageError that names this folder."""
    try:
        yield
    except _failures() as error:
        raise StorageError(
            f"The spool {folder} cannot be used: {error}.",
            hint="Check that the disk has space and that state/ is writable.",
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return errors of the disk; Arrow's too, once something of Arrow's may have failed."""
    arrow = sys.modules.get("pyarrow")
    return (OSError,) if arrow is None else (OSError, arrow.ArrowException)


class AttemptCounter:
    """The tries of one drop. Raises StorageError."""

    def __init__(self, folder: Path) -> None:
        """Take the drop's own folder."""
        self._folder = folder
        self._path = folder / TRIES

    def begin(self) -> int:
        """Count that the file is about to be read, or planned; which try it is, from 1."""
        with in_spool(self._folder):
            try:
                handle = os.open(self._path, _APPEND, 0o666)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                handle = os.open(self._path, _APPEND, 0o666)
            try:
                os.write(handle, _BEGUN)
                return os.fstat(handle).st_size
            finally:
                os.close(handle)

    def fail(self) -> None:
        """Note that the last try failed by an error, not by a crash; doing it again is fine.

        One that nobody tells of may have been ended by anything: a kill, a power cut.
        """
        with in_spool(self._folder), self._path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(_FAILED)

    def failed(self) -> int:
        """Return how many tries are known to have failed."""
        with in_spool(self._folder), suppress(FileNotFoundError):
            return self._path.read_bytes().count(_FAILED)
        return 0

    def end(self) -> None:
        """Take the last try back, which did no harm; earlier ones stay counted."""
        with in_spool(self._folder), suppress(FileNotFoundError):
            size = self._path.stat().st_size
            if size > 1:
                os.truncate(self._path, size - 1)
            else:
                self._path.unlink()

    def end_all(self) -> None:
        """Forget all tries: the file was read and planned without harm."""
        with in_spool(self._folder):
            self._path.unlink(missing_ok=True)
