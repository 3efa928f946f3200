"""Steps on the file system that are either done or not done, also across a crash.

The order is always: the new place is complete and on the disk before the old one goes. Every
foreign error becomes a ``StorageError`` that says what to do, in one place.
"""

import errno
import hashlib
import math
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

from pipeline.core.errors import DropChanged, StorageError
from pipeline.core.file_names import numbered
from pipeline.storage.listing import identity_of, open_regular
from schemas.display import shown

PIECE = 1024 * 1024
"""Bytes read at a time."""

COPY_NAME = ".copy.tmp"
"""Name of a copy until it is whole, in a directory that holds one drop only."""

# File systems without hard links, and Linux' refusal to link a file that belongs to someone else.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP}

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space. Work goes on by itself then.",
    errno.EDQUOT: "The disk quota is used up: free some space. Work goes on by itself then.",
    errno.EROFS: "The file system is read-only: mount it writable again.",
    errno.EACCES: "Give the user that runs Shipdrop the right to read and write there.",
    errno.EPERM: "Give the user that runs Shipdrop the right to read and write there.",
    errno.ENOENT: "The folder is gone: look whether the disk or share is mounted.",
    errno.ENOTDIR: "Something else stands where a folder should be: move it away.",
    errno.EEXIST: "Something else stands where a folder should be: move it away.",
    errno.EIO: "The disk or share does not answer: look at it. Nothing is lost, it is tried again.",
    errno.ESTALE: "The share was lost: mount it again. Nothing is lost, it is tried again.",
    errno.ENOTCONN: "The share was lost: mount it again. Nothing is lost, it is tried again.",
    errno.EHOSTDOWN: "The share was lost: mount it again. Nothing is lost, it is tried again.",
}


@contextmanager
def storing(what: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` inside into a ``StorageError``: "Cannot <verb> <path>: <reason>."."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "Nothing is lost, it is tried again.")
        reason = error.strerror or str(error)
        raise StorageError(f"Cannot {what} {shown(path, 200)}: {reason}.", hint=hint) from error


def sync_directory(directory: Path) -> None:
    """Put a directory's entries on the disk (where its file system knows how)."""
    try:
        sync_file(directory)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise


def sync_file(path: str | Path) -> None:
    """Put a file's bytes, or a directory's entries, on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(directory: Path, *, sync_name: bool = True) -> None:
    """Make a directory and its missing parents; sync each new entry.

    ``sync_name`` false: its own entry is not; whoever makes several does that afterwards.
    """
    try:
        directory.mkdir()
    except FileExistsError:
        if not directory.is_dir():
            raise
        return
    except FileNotFoundError:
        make_directory(directory.parent)
        make_directory(directory, sync_name=sync_name)
        return
    if sync_name:
        sync_directory(directory.parent)


def write_synced(path: Path, chunks: Iterable[bytes], mode: int = 0o666) -> None:
    """Write a file, replacing the leftover of an earlier attempt, and sync its bytes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def replace_with(
    path: Path,
    temporary: Path,
    chunks: Iterable[bytes],
    *,
    sync_name: bool = True,
    sure: Callable[[], None] = lambda: None,
) -> None:
    """Write ``path`` as a whole or not at all, by way of ``temporary`` in the same directory.

    ``sync_name`` false: a later file of the same directory puts the new name on the disk. ``sure``
    is called right before the rename, and may raise.
    """
    try:
        write_synced(temporary, chunks)
        sure()
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if sync_name:
        sync_directory(path.parent)


def move(source: Path, target: Path, *, sync_name: bool = True) -> None:
    """Move a file: one rename, or a verified copy where that cannot be.

    After a crash the file is at one of the two places, whole, or at both; moving it again is fine.
    ``sync_name`` false: whoever moves several files puts their new names on the disk afterwards.

    Raises:
        DropChanged: it had to be copied, and changed meanwhile.
        OSError: ``FileNotFoundError`` when it is not there, or what the file system says.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = target.parent / COPY_NAME
        copied = copy_verified(source, temporary)
        temporary.replace(target)
        sync_directory(target.parent)
        if identity_of(source.lstat()) != copied:
            target.unlink()
            raise DropChanged(f"{shown(source.name)} changed while it was moved.") from None
        source.unlink()
    if sync_name:
        sync_directory(target.parent)


def copy_verified(source: Path, target: Path) -> tuple[int, int, int, int]:
    """Copy a file, read the copy back, and return the identity of the original.

    Raises:
        DropChanged: the source changed meanwhile, or the copy differs. The copy is removed.
    """
    try:
        with open_regular(source) as file:
            before = identity_of(os.fstat(file.fileno()))
            digest = hashlib.sha256()
            write_synced(target, _hashed(file, digest))
            after = identity_of(os.fstat(file.fileno()))
        with open_regular(target) as copy:
            same = before == after and hash_of(copy) == digest.hexdigest()
        os.utime(target, ns=(before[3], before[3]))
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
    if not same:
        target.unlink()
        raise DropChanged(f"{shown(source.name)} changed while it was copied.")
    return before


def copy_beginning(file: IO[bytes], target: Path, size: int, sha256: str) -> None:
    """Copy the first bytes of an open file; where they have another hash, there is no copy."""
    digest = hashlib.sha256()
    write_synced(target, _hashed(file, digest, most=size))
    if digest.hexdigest() != sha256:
        target.unlink()


def hash_of(file: IO[bytes]) -> str:
    """Return the SHA-256 of the rest of an open file, read piece by piece."""
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(PIECE), b""):
        digest.update(piece)
    return digest.hexdigest()


def link_new(source: Path, folder: Path, name: str) -> Path:
    """Give a file a name in ``folder`` that replaces nothing, and return its path there.

    A number is added where the name is taken: ``x (2).csv``. Where the file already has the name
    (we were killed right after linking), that is it. The source stays, or, on file systems
    without hard links, has become the target; it must lie on the same file system.
    """
    for number in count(1):
        target = folder / (name if number == 1 else numbered(name, number))
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if _same_file(source, target):
                return target
            continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not _occupy(source, target):
                continue
        return target
    raise AssertionError("count() never ends")


def temporary_in(folder: Path) -> Path:
    """Return a fresh hidden name in ``folder``: no scan ever picks it up."""
    return folder / f".shipdrop-{secrets.token_hex(8)}.tmp"


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False  # taken away meanwhile: the next number is as good a name


def _occupy(source: Path, target: Path) -> bool:
    """Take the name with an empty file, which no one else can do at the same time; then rename."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))
    except FileExistsError:
        return False
    try:
        source.replace(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return True


def _hashed(file: IO[bytes], digest: "hashlib._Hash", most: float = math.inf) -> Iterator[bytes]:
    left = most
    while piece := file.read(int(min(PIECE, left))):
        digest.update(piece)
        left -= len(piece)
        yield piece
