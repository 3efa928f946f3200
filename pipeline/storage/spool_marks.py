"""Marks in a drop's spool, a byte each: tries that did not end, and calls that have left.

They are not for the ledger: a try that ends the process must be counted before it begins, and a
call noted right before it goes, and a byte costs microseconds where a commit costs milliseconds.

Tries are those of reading and planning. The ledger marks more chunks than are in flight; departures
name those of them that had left when the process was killed. They are not synced, since they only
have to outlive the process. So they are trusted only in the file they were written to (not in a
copy or a restored backup) and while the same kernel runs.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
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

        A try without this mark may have ended for any reason: a kill, a power cut.
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


DEPARTURES = "departures"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HEAD = 96
_LEFT = b"\x01"


class Departures:
    """The open file of one drop. ``mark`` raises StorageError."""

    def __init__(self, folder: Path, handle: int, left: bytearray) -> None:
        self._folder = folder
        self._handle = handle
        self._left = left

    def has_left(self, no: int) -> bool:
        """Return whether a call of this chunk may have left, ever."""
        return no >= len(self._left) or bool(self._left[no])

    def mark(self, no: int) -> None:
        """Note that a call of this chunk is about to leave."""
        if self.has_left(no):
            return
        self._left[no] = 1
        if self._handle < 0:
            return
        try:
            os.pwrite(self._handle, _LEFT, _HEAD + no)
        except OSError:
            # Calls may go on only if the file is never trusted from now on.
            forget(self._folder)
            self._handle = -1


@contextmanager
def departures(folder: Path, chunks: int, doubtful: Iterable[int]) -> Iterator[Departures]:
    """Yield the departures of a drop with so many chunks.

    What an earlier run noted is taken up where it can be believed; else all ``doubtful`` chunks
    count as left. Raises StorageError.
    """
    noted = _noted(folder, chunks)
    known = bytearray(chunks) if noted is None else noted
    handle = -1
    try:
        if noted is None:
            for no in doubtful:
                known[no] = 1
            handle = _begun(folder, known)
        else:
            handle = os.open(folder / DEPARTURES, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        forget(folder)
    try:
        yield Departures(folder, handle, known)
    finally:
        if handle >= 0:
            os.close(handle)


def forget(folder: Path) -> None:
    """Remove the record of departures; it is no longer kept. Raises StorageError."""
    with in_spool(folder), suppress(FileNotFoundError):
        (folder / DEPARTURES).unlink()


def _begun(folder: Path, known: bytearray) -> int:
    """Return a new file, with what is known by now."""
    with suppress(FileNotFoundError):
        (folder / DEPARTURES).unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(folder / DEPARTURES, flags, 0o666)
    try:
        head = _head(handle)
        whole = head + known
        if not head.strip() or os.write(handle, whole) != len(whole):
            raise OSError("it is not known whose it is")
    except OSError:
        os.close(handle)
        raise
    return handle


def _noted(folder: Path, chunks: int) -> bytearray | None:
    try:
        handle = os.open(folder / DEPARTURES, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head = _head(handle)
        content = os.pread(handle, _HEAD + chunks + 1, 0)
    except OSError:
        return None
    finally:
        os.close(handle)
    if not head.strip() or content[:_HEAD] != head or len(content) != _HEAD + chunks:
        return None
    return bytearray(content[_HEAD:])


def _head(handle: int) -> bytes:
    """Return bytes that identify this file under this kernel; blank if none can."""
    try:
        boot = _boot(_BOOT_ID)
    except (OSError, UnicodeDecodeError):
        return b" " * _HEAD
    return f"{boot} {os.fstat(handle).st_ino}".encode().ljust(_HEAD)[:_HEAD]


@cache
def _boot(path: Path) -> str:
    """Return which start of the kernel this process runs under: it ends with it."""
    return path.read_text("ascii").strip()
