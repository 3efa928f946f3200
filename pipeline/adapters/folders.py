"""The folders of a root, and the moves of a drop between them.

``inbox`` → ``work/<drop_id>`` → ``archive`` or ``quarantine``, with what we write in ``outbox``.
A file is moved by one rename wherever that is possible; every move can be done again after a
crash, and none ever replaces a file. What we do not know is never deleted.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.adapters.atomic import (
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
from pipeline.adapters.listing import identity_of, is_courier_folder, open_regular
from pipeline.adapters.mounts import Mount
from pipeline.adapters.naming import as_text, ignored_because, one_component, shown
from pipeline.adapters.outbox import Outbox
from pipeline.errors import DropChanged, StorageError, UsageError
from pipeline.model import ReadyFile
from pipeline.ports import Presence


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What a file held when it was read: SHA-256 in hex, size in bytes, mtime in nanoseconds."""

    sha256: str
    size: int
    mtime_ns: int


class Folders:
    """The folders of one root. Names given to it are single path components, or ``UsageError``.

    Whatever the file system refuses is raised as ``StorageError`` with a hint.
    """

    def __init__(
        self,
        root: Path,
        inbox: Path,
        outbox: Path,
        *,
        done_marker: str = "",
        presence: Presence | None = None,
    ) -> None:
        """Take the root, the two folders that may lie elsewhere, and ``inbox.done_marker``.

        ``presence``: this worker's right to act, where others work on the same folders.
        """
        self._sure: Callable[[], None] = presence.sure if presence else _alone
        self._root = root
        self._inbox = inbox
        self._inbox_mount = Mount(inbox)
        self.outbox = Outbox(outbox, presence=presence)
        self._marker = done_marker
        self._work = root / "work"
        self._archive = root / "archive"
        self._quarantine = root / "quarantine"
        self.same_file_system = True

    def missing(self) -> list[str]:
        """The folders of the contract that are not there, by name."""
        return [shown(folder.name) for folder in self._all() if not folder.is_dir()]

    def _all(self) -> tuple[Path, ...]:
        ours = (self._work, self._archive, self._quarantine, self._root / "state")
        return (self._inbox, self.outbox.folder, *ours)

    def prepare(self) -> None:
        """Make the missing folders, and note whether a claim can be a rename.

        ``same_file_system`` is false when ``inbox`` and ``work`` lie on two file systems: then a
        verified copy replaces the rename.
        """
        for folder in self._all():
            with storing("make the folder", folder):
                make_directory(folder)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise StorageError(
                    f"The folder {shown(folder, 200)} cannot be written.",
                    hint="Give the user that runs Shipdrop the right to read and write there.",
                )
        self.outbox.prepare(self._root)
        with storing("look at", self._inbox):
            self._inbox_mount.check()
            self.same_file_system = self._inbox.stat().st_dev == self._work.stat().st_dev

    def claim(self, ready: ReadyFile, drop_id: str) -> Path | None:
        """Move a ready file into ``work/<drop_id>/``; return its place there.

        A name that is no text becomes one (``naming.as_text``).

        None when the file is no longer the one that was ready: somebody took it, replaced it or
        goes on writing. After a ``StorageError`` it may be at either place: ask ``claimed_path``.
        """
        place = self._courier(ready.folder)
        source = place / one_component(ready.name)
        target = self._work / one_component(drop_id) / as_text(ready.name)
        with storing("claim", source):
            try:
                if identity_of(source.lstat()) != ready.identity:
                    return None
                make_directory(target.parent)
                self._sure()
                move(source, target)
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
            with open_regular(target) as file:  # who dropped it need not have synced its bytes
                os.fsync(file.fileno())
            sync_directory(target.parent)
            sync_directory(place)
            if self._marker:
                (place / f"{ready.name}{self._marker}").unlink(missing_ok=True)
        return target

    def claimed_path(self, drop_id: str, name: str) -> Path | None:
        """Return where the drop's file lies in ``work``, or None when it is not there."""
        path = self._work / one_component(drop_id) / one_component(name)
        with storing("look at", path):
            try:
                return path if stat.S_ISREG(path.lstat().st_mode) else None
            except FileNotFoundError:
                return None

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
                is gone.
        """
        with storing("read", path):
            try:
                with open_regular(path) as file:
                    before = identity_of(os.fstat(file.fileno()))
                    sha256 = hash_of(file)
                    after = identity_of(os.fstat(file.fileno()))
                named = identity_of(path.lstat())
            except FileNotFoundError:
                raise DropChanged(f"{shown(path.name)} is gone from the work folder.") from None
        if not before == after == named:
            raise DropChanged(f"{shown(path.name)} is still being written.")
        return Digest(sha256=sha256, size=before[2], mtime_ns=before[3])

    def outbox_write(
        self, folder: str, file_name: str, chunks: Iterable[bytes], *, more_follows: bool = False
    ) -> Path:
        """Write a file into the outbox as a whole or not at all; return its place.

        ``folder`` is the inbox sub-folder the drop came from, or "". A file of the same name is
        replaced. An error that ``chunks`` raises leaves nothing behind. ``more_follows``: another
        file of the drop is written after it, and puts both names on the disk.
        """
        return self.outbox.write(folder, file_name, chunks, more_follows=more_follows)

    def outbox_remove(self, folder: str, file_name: str) -> None:
        """Take a file out of the outbox; a missing one is fine."""
        self.outbox.remove(folder, file_name)

    def archive(self, drop_id: str, name: str, day: date) -> Path:
        """Move a processed file to ``archive/YYYY/MM/DD/<drop_id>/<name>`` and clear its work.

        Doing it again is fine. When somebody took the file out of ``work``, the path returned
        does not exist.
        """
        shelf = self._archive / f"{day.year:04d}" / f"{day.month:02d}" / f"{day.day:02d}"
        return self._put_away(drop_id, name, shelf)

    def quarantine(self, drop_id: str, name: str) -> Path:
        """Move a refused file to ``quarantine/<drop_id>/<name>``; otherwise as ``archive``."""
        return self._put_away(drop_id, name, self._quarantine)

    def leftovers(self) -> list[str]:
        """Return the drop ids that have a directory in ``work``, oldest first."""
        with storing("list", self._work):
            return sorted(
                entry.name
                for entry in self._work.iterdir()
                if not entry.name.startswith(".") and not entry.is_symlink() and entry.is_dir()
            )

    def free_bytes(self) -> int:
        """Return the space left where we write: the least of ``work``, ``outbox`` and ``state``.

        A file system without a free inode has none.
        """
        left = []
        for folder in (self._work, self.outbox.folder, self._root / "state"):
            with storing("look at", folder):
                status = os.statvfs(folder)
                no_inode = status.f_files > 0 and status.f_favail == 0
                left.append(0 if no_inode else status.f_bavail * status.f_frsize)
        return min(left)

    def put(self, file: Path, folder: str, *, name: str | None = None) -> Path:
        """Copy a file into the inbox, where it appears whole and at once; return its place.

        Raises:
            UsageError: it cannot be read, or the inbox would leave its name or folder alone.
            DropChanged: it changed while it was copied.
        """
        name = one_component(file.name if name is None else name)
        self._would_be_picked_up(name, folder)
        try:
            real = file.resolve(strict=True)
            open_regular(real).close()
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{shown(file, 200)} cannot be read: {reason}.") from error
        place = self._courier(folder)
        temporary = temporary_in(place)
        with storing("put a file into", place):
            make_directory(place)
            try:
                copy_verified(real, temporary)
                os.utime(temporary)  # its turn is counted from when it came
                target = link_new(temporary, place, name)
            finally:
                temporary.unlink(missing_ok=True)
            self._mark(target)
            sync_directory(place)
        return target

    def _inbox_is_there(self) -> None:
        """A share that is not mounted is not made anew below its mount point."""
        if not self.same_file_system:
            self._inbox.stat()
            self._inbox_mount.check()

    def _courier(self, folder: str) -> Path:
        return self._inbox / one_component(folder) if folder else self._inbox

    def _would_be_picked_up(self, name: str, folder: str) -> None:
        reason = ignored_because(name)
        if not reason and self._marker and name.endswith(self._marker):
            reason = f"names that end in {self._marker} mark a finished upload"
        if reason:
            raise UsageError(
                f"{shown(name)} would never be picked up: {reason}.", hint="Give it another name."
            )
        if folder and not is_courier_folder(one_component(folder)):
            raise UsageError(f"A folder called {shown(folder)} in the inbox is not looked into.")

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

    def _put_away(self, drop_id: str, name: str, shelf: Path) -> Path:
        source = self._work / one_component(drop_id) / one_component(name)
        target = shelf / drop_id / name
        with storing("put away", source):
            make_directory(target.parent)
            self._sure()
            with suppress(FileNotFoundError):
                move(source, target)
            self._discard(drop_id)
        return target

    def _discard(self, drop_id: str) -> None:
        """Clear the drop's work folder of what is ours; anything else keeps it standing."""
        work = self._work / drop_id
        with suppress(OSError):
            (work / COPY_NAME).unlink(missing_ok=True)
            work.rmdir()


def _alone() -> None:
    """Nobody else works on these folders."""


def _still(target: Path, ready: ReadyFile) -> bool:
    """Tell whether what was moved is what was ready; a copy has another device and inode."""
    status = target.lstat()
    return stat.S_ISREG(status.st_mode) and identity_of(status)[2:] == ready.identity[2:]
