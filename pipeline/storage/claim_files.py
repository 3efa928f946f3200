"""From the inbox into ``work/<drop_id>/`` and, where a file was not ready after all, back.

A file is moved by one rename wherever that is possible; every move can be done again after a
crash, and none ever replaces a file.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pipeline.core.errors import DropChanged, Fenced, Tried
from pipeline.core.file_names import as_text, one_component
from pipeline.core.model import Drop, ReadyFile
from pipeline.core.ports import Presence
from pipeline.storage.durable_files import (
    COPY_NAME,
    copy_verified,
    hash_of,
    link_new,
    make_directory,
    move,
    storing,
    sync_directory,
    temporary_in,
)
from pipeline.storage.file_systems import Mount, Writer, writer_of
from pipeline.storage.listing import identity_of, open_regular
from schemas.display import shown


class Digest(Struct, frozen=True, kw_only=True):
    """SHA-256 in hex and size in bytes of a file as it was read."""

    sha256: str
    size: int
    mtime_ns: int
    inode: int = 0


def digest_of(drop: Drop) -> Digest:
    """Return the hash of a drop's file as it was read."""
    return Digest(sha256=drop.sha256, size=drop.size, mtime_ns=drop.facts.mtime_ns)


class FileChange(Struct, frozen=True, kw_only=True):
    """A file as it is now, against its content when it was read; and who may be writing it."""

    changed: bool
    writer: Writer

    @property
    def is_final(self) -> bool:
        """Return True when it is as it was read, and nobody can change that any more."""
        return not self.changed and self.writer is Writer.NOBODY


class Claims:
    """Inbox and ``work`` of one root. Names given to it are single components, or ``UsageError``.

    Whatever the file system refuses is raised as ``StorageError`` with a hint.
    """

    def __init__(
        self, inbox: Path, work: Path, *, done_marker: str, presence: Presence | None
    ) -> None:
        """Take the folders; ``presence`` is this worker's right to act beside others."""
        self._sure: Callable[[], None] = presence.require_valid if presence else _alone
        self._inbox = inbox
        self._inbox_mount = Mount(inbox)
        self._marker = done_marker
        self._work = work
        self.same_file_system = True

    def claim_all(self, wanted: Sequence[tuple[ReadyFile, str]]) -> list[Tried[Path | None]]:
        """Move ready files into ``work/<drop_id>/``: all of them, then each folder is synced once.

        A name that is no text becomes one (``as_text``). Return for each, in their order, its place
        there; None when it is no longer the file that was ready (somebody took it, replaced it or
        goes on writing); or its error. After a ``StorageError`` a file may be at either place: ask
        ``claimed_path``. Raises ``Fenced``, and ``StorageError`` when the disk did not confirm what
        was moved.
        """
        moved = [self._moved(ready, drop_id) for ready, drop_id in wanted]
        places: dict[Path, None] = {}
        for (ready, _), target in zip(wanted, moved, strict=True):
            if isinstance(target, Path):
                place = self._courier(ready.folder)
                with storing("claim", place / ready.name):
                    with open_regular(target) as file:  # who dropped it need not have synced it
                        os.fsync(file.fileno())
                    sync_directory(target.parent)
                places |= {self._work: None, place: None}
        for place in places:
            with storing("claim files from", place):
                sync_directory(place)
        if self._marker:
            for (ready, _), target in zip(wanted, moved, strict=True):
                if isinstance(target, Path):
                    self._unmark(ready)
        return moved

    def _moved(self, ready: ReadyFile, drop_id: str) -> Tried[Path | None]:
        """Rename one file; return its exception, which is no matter of the others."""
        try:
            return self._move(ready, drop_id)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - a bug with one name, reported by the caller
            return error

    def _move(self, ready: ReadyFile, drop_id: str) -> Path | None:
        place = self._courier(ready.folder)
        source = place / one_component(ready.name)
        target = self._work / one_component(drop_id) / as_text(ready.name)
        with storing("claim", source):
            try:
                if identity_of(source.lstat()) != ready.identity:
                    return None
                with open_regular(source) as file:
                    # Writers are kept out until the file is closed, so during the rename too.
                    if writer_of(file.fileno()) is Writer.SOMEBODY:
                        return None
                    make_directory(target.parent, sync_name=False)
                    self._sure()
                    move(source, target, sync_name=False)
            except (FileNotFoundError, DropChanged):
                self._discard(drop_id)
                return None
            except OSError:
                self._discard(drop_id)
                raise
            if not _still(target, ready):
                self._give_back(target, place, ready.name)
                self._discard(drop_id)
                return None
        return target

    def _unmark(self, ready: ReadyFile) -> None:
        marker = self._courier(ready.folder) / f"{ready.name}{self._marker}"
        with storing("remove", marker):
            marker.unlink(missing_ok=True)

    def claimed_path(self, drop_id: str, name: str) -> Path | None:
        """Return where the drop's file lies in ``work``, or None when it is not there."""
        path = self._work / one_component(drop_id) / one_component(name)
        with storing("look at", path):
            try:
                return path if stat.S_ISREG(path.lstat().st_mode) else None
            except FileNotFoundError:
                return None

    def discard(self, drop_id: str) -> None:
        """Clear away the folder in ``work`` of a claim that did not come to pass."""
        self._discard(one_component(drop_id))

    def waits(self, folder: str, name: str) -> bool:
        """Tell whether a file of this name lies in the inbox."""
        path = self._courier(folder) / one_component(name)
        with storing("look at", path):
            try:
                return stat.S_ISREG(path.lstat().st_mode)
            except FileNotFoundError:
                return False

    def release(self, drop_id: str, name: str, folder: str) -> Path:
        """Give a claimed file back to the inbox; return its place there.

        A namesake that arrived meanwhile is never replaced: a number is added. Doing it again
        after a crash is fine; nothing in ``work`` any more counts as done.
        """
        source = self._work / one_component(drop_id) / one_component(name)
        place = self._courier(folder)
        target = place / name
        with storing("give back", source):
            self._inbox_is_there()
            make_directory(place)
            self._sure()
            if self.claimed_path(drop_id, name):
                target = self._give_back(source, place, name)
            self._discard(drop_id)
        return target

    @staticmethod
    def digest(path: Path) -> Digest:
        """Hash a claimed file.

        Raises:
            DropChanged: it changed meanwhile (whoever wrote it goes on through our rename), or
                somebody has it open for writing, or it is gone.
        """
        with storing("read", path):
            try:
                with open_regular(path) as file:
                    before = identity_of(os.fstat(file.fileno()))
                    sha256 = hash_of(file)
                    after = identity_of(os.fstat(file.fileno()))
                    writer = writer_of(file.fileno())
                named = identity_of(path.lstat())
            except FileNotFoundError:
                raise DropChanged(f"{shown(path.name)} is gone from the work folder.") from None
        if not before == after == named or writer is Writer.SOMEBODY:
            raise DropChanged(f"{shown(path.name)} is still being written.")
        return Digest(sha256=sha256, size=before[2], mtime_ns=before[3], inode=before[1])

    @staticmethod
    def since_read(path: Path, read: Digest) -> FileChange | None:
        """Compare a file in ``work/`` with its content when it was read; None when it is not there.

        Its content is only looked at where its size is the same and its time is not.
        """
        with storing("read", path):
            try:
                file = open_regular(path)
            except FileNotFoundError:
                return None
            with file:
                _, _, size, mtime_ns = identity_of(os.fstat(file.fileno()))
                changed = size != read.size or (
                    mtime_ns != read.mtime_ns and hash_of(file) != read.sha256
                )
                return FileChange(changed=changed, writer=writer_of(file.fileno()))

    def _inbox_is_there(self) -> None:
        """Refuse to make a share's folder anew below a mount point that is not mounted."""
        if not self.same_file_system:
            self._inbox.stat()
            self._inbox_mount.check()

    def _courier(self, folder: str) -> Path:
        return self._inbox / one_component(folder) if folder else self._inbox

    def _give_back(self, source: Path, place: Path, name: str) -> Path:
        try:
            target = link_new(source, place, name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            temporary = temporary_in(place)
            try:
                copy_verified(source, temporary)
                target = link_new(temporary, place, name)
            finally:
                temporary.unlink(missing_ok=True)
        self._mark(target)
        sync_directory(place)
        source.unlink(missing_ok=True)
        return target

    def _mark(self, target: Path) -> None:
        if self._marker:
            target.with_name(f"{target.name}{self._marker}").touch()

    def _discard(self, drop_id: str) -> None:
        """Remove our files from the drop's work folder, and the folder if nothing else is in it."""
        work = self._work / drop_id
        with suppress(OSError):
            (work / COPY_NAME).unlink(missing_ok=True)
            work.rmdir()


def _alone() -> None:
    """Do nothing: nobody else works on these folders."""


def _still(target: Path, ready: ReadyFile) -> bool:
    """Tell whether the file that was moved is the one that was ready; a copy has another inode."""
    status = target.lstat()
    return stat.S_ISREG(status.st_mode) and identity_of(status)[2:] == ready.identity[2:]
