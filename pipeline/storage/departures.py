"""Which calls of a drop have left: a byte per chunk in its spool, written right before a call goes.

The ledger marks more chunks than are in flight, and after a kill nobody could tell which of them
had left. The byte costs a microsecond and no commit; it is not synced, for it need only outlive the
process. So it is believed only in the file it was written to (not in a copy, or what a backup gave
back) and while the same kernel runs.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from pipeline.storage.attempt_counter import in_spool

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
            # Calls may go on only if nobody believes what the file says from now on.
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
    """Remove the record of departures: from now on nobody keeps it. Raises StorageError."""
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
    """Return bytes that tell this file, under this kernel, from any other; blank if none can."""
    try:
        boot = _boot(_BOOT_ID)
    except (OSError, UnicodeDecodeError):
        return b" " * _HEAD
    return f"{boot} {os.fstat(handle).st_ino}".encode().ljust(_HEAD)[:_HEAD]


@cache
def _boot(path: Path) -> str:
    """Return which start of the kernel this process runs under: it ends with it."""
    return path.read_text("ascii").strip()
