"""List the inbox and look into a file, without any memory of earlier looks.

Symlinks are never followed, and nothing is opened that is not a regular file: a FIFO would block
us, a device could do anything, a directory called ``x.csv`` is no manifest.
"""

import errno
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from msgspec import Struct, field

from pipeline.core.errors import StorageError
from pipeline.core.file_names import ignored_because, is_text
from pipeline.storage.file_systems import Writer, writer_of
from schemas.display import shown

Identity = tuple[int, int, int, int]
"""(device, inode, size, mtime_ns): two looks that agree saw the same file, unchanged."""

_MANIFEST_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".zip")
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NUL_TAIL = b"\0\0\0\0"  # UTF-32 text may end in three
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


class Entry(Struct, frozen=True, kw_only=True):
    """A regular file that may be a manifest. ``folder`` is "" for the inbox itself."""

    folder: str
    name: str
    identity: Identity


class LeftAlone(Struct, frozen=True, kw_only=True):
    """Something in the inbox that is never picked up.

    ``strange`` is true for what somebody may have meant as a manifest (a symlink, a folder called
    ``x.csv``) and should be reported; false for hidden, temporary and marker files.
    """

    path: Path
    folder: str
    name: str
    reason: str
    strange: bool


class Listing(Struct, kw_only=True):
    """Everything one look found. ``names``: folder → all names in it, ignored ones too.

    ``unread`` are courier folders we may not look into: what they hold is unknown, not gone.
    """

    files: list[Entry] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity of this file in this state."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def list_inbox(inbox: Path, done_marker: str = "") -> Listing:
    """List the inbox and the courier folders one level below it.

    Raises:
        StorageError: the inbox, or a courier folder, could not be listed; nothing is known then.
    """
    listing = Listing()
    try:
        for folder in _look(inbox, "", listing, done_marker):
            try:
                _look(inbox / folder, folder, listing, done_marker)
            except OSError as error:
                if error.errno in _FORBIDDEN:
                    listing.unread.add(folder)
                    listing.left_alone.append(_unreadable_folder(inbox, folder, error))
                elif error.errno not in _GONE:
                    raise
    except OSError as error:
        raise cannot_list(inbox, error) from error
    return listing


def cannot_list(inbox: Path, error: Exception) -> StorageError:
    """Return the error for an inbox that cannot be listed."""
    reason = getattr(error, "strerror", None) or error
    return StorageError(
        f"The inbox {shown(inbox, 200)} cannot be listed: {reason}.",
        hint="Look whether the folder is there, mounted and readable; it is tried again.",
    )


def is_courier_folder(name: str) -> bool:
    """Return whether a folder of this name in the inbox is looked into."""
    manifest = name.casefold().endswith(_MANIFEST_SUFFIXES)
    return ignored_because(name) is None and not manifest and is_text(name)


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading, unbuffered; never a symlink's target, never waiting for a FIFO.

    Raises:
        OSError: it cannot be opened, or (``ELOOP``, ``EINVAL``) is not a regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(handle, "rb", buffering=0)


def cannot_read(path: Path) -> str | None:
    """Return why a file cannot be opened, or None when it can be, or is gone."""
    try:
        open_regular(path).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be opened ({error.strerror}): let the service read it"
    return None


def open_writers(path: Path) -> Writer:
    """Return whether a process has a file open for writing; none has one that is gone.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        with open_regular(path) as file:
            return writer_of(file.fileno())
    except FileNotFoundError:
        return Writer.NOBODY


def incomplete_reason(path: Path, identity: Identity) -> str | None:
    """Return why the file is not whole yet, or None when it looks whole.

    Looks at a few bytes only. A zip container (every modern workbook) is whole when the directory
    at its end is there; anything else when it does not end in the NULs of a preallocated copy.

    Raises:
        OSError: it cannot be opened or read.
    """
    with open_regular(path) as file:
        if identity_of(os.fstat(file.fileno())) != identity:
            return "it is changing at this moment"
        head = file.read(8)
        if head.startswith(_ZIP_MAGICS):
            whole = zipfile.is_zipfile(file)
            return None if whole else "the end of the workbook is missing"
        size = identity[2]
        if head.startswith(_OLE_MAGIC) or size < len(_NUL_TAIL):
            return None  # an old workbook is padded with NULs to whole sectors
        file.seek(-len(_NUL_TAIL), os.SEEK_END)
        tail = file.read(len(_NUL_TAIL))
        return "its end is still empty (NUL bytes)" if tail == _NUL_TAIL else None


def _look(directory: Path, folder: str, listing: Listing, done_marker: str) -> list[str]:
    """Add the files of one directory to the listing; return the courier folders in it."""
    nofollow = os.O_NOFOLLOW if folder else 0  # the inbox itself may be a link to a share
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | nofollow)
    try:
        found = list(_entries(handle))
    finally:
        os.close(handle)
    listing.names[folder] = frozenset(name for name, _ in found)
    couriers = []
    for name, status in found:
        if stat.S_ISDIR(status.st_mode) and not folder and is_courier_folder(name):
            couriers.append(name)
            continue
        reason, strange = _left_alone_because(name, status.st_mode, folder, done_marker)
        if reason:
            listing.left_alone.append(
                LeftAlone(
                    path=directory / name, folder=folder, name=name, reason=reason, strange=strange
                )
            )
        else:
            listing.files.append(Entry(folder=folder, name=name, identity=identity_of(status)))
    return sorted(couriers)


def _entries(handle: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(handle) as entries:
        for entry in entries:
            try:
                yield entry.name, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # taken away between the two calls


def _left_alone_because(name: str, mode: int, folder: str, done_marker: str) -> tuple[str, bool]:
    ignored = ignored_because(name)
    if ignored:
        return ignored, False
    if done_marker and name.endswith(done_marker):
        return f"names that end in {done_marker} mark a finished upload", False
    if stat.S_ISREG(mode):
        return "", False
    if stat.S_ISDIR(mode):
        if folder:
            return "folders inside a courier's folder are not scanned", True
        if not is_text(name):
            return "its name is not UTF-8 text: give the folder another name", True
        return "it is a folder with the name of a file", True
    if stat.S_ISLNK(mode):
        return "it is a symbolic link, and links are never followed: copy the file itself", True
    return "it is a pipe, socket or device, not a file", True


def _unreadable_folder(inbox: Path, folder: str, error: OSError) -> LeftAlone:
    return LeftAlone(
        path=inbox / folder,
        folder="",
        name=folder,
        reason=f"the folder cannot be opened ({error.strerror}): let the service read it",
        strange=True,
    )
