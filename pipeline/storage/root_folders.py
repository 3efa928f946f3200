"""The folders of a root, and the moves of a drop between them.

``inbox`` → ``work/<drop_id>`` → ``archive`` or ``quarantine``, with what we write in ``outbox``.
A file is moved by one rename wherever that is possible; every move can be done again after a
crash, and none ever replaces a file. What we do not know is never deleted.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from msgspec import Struct

from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import DropChanged, Fenced, StorageError, Tried, UsageError
from pipeline.core.file_names import as_text, ignored_because, one_component
from pipeline.core.model import Drop, DropState, ReadyFile
from pipeline.core.ports import Presence
from pipeline.storage.durable_files import (
    COPY_NAME,
    copy_beginning,
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
from pipeline.storage.listing import identity_of, is_courier_folder, open_regular
from pipeline.storage.outbox import Outbox, alone
from schemas.display import shown


class Digest(Struct, frozen=True, kw_only=True):
    """SHA-256 in hex and size in bytes of a file as it was read."""

    sha256: str
    size: int
    mtime_ns: int
    inode: int = 0


class FileChange(Struct, frozen=True, kw_only=True):
    """A file as it is now, against its content when it was read; and who may be writing it."""

    changed: bool
    writer: Writer

    @property
    def is_final(self) -> bool:
        """Return True when it is as it was read, and nobody can change that any more."""
        return not self.changed and self.writer is Writer.NOBODY


def _still(target: Path, ready: ReadyFile) -> bool:
    """Return whether the moved file is the one that was ready; a copy has another inode."""
    status = target.lstat()
    return stat.S_ISREG(status.st_mode) and identity_of(status)[2:] == ready.identity[2:]


class PutAway(Struct, frozen=True, kw_only=True):
    """A file to move from ``work`` to the archive of a day; without one, to quarantine."""

    drop_id: str
    name: str
    day: date | None


def place_of(drop: Drop | DropLine) -> PutAway:
    """Return where the file of a closed drop is put away."""
    day = None if drop.state is DropState.REFUSED else drop.received_at.date()
    return PutAway(drop_id=drop.drop_id, name=drop.source_file, day=day)


def inode_of(path: Path) -> int:
    """Return a file's inode, or 0 when it is not there. Raises StorageError."""
    with storing("look at", path), suppress(FileNotFoundError):
        return path.lstat().st_ino
    return 0


def _is_file(path: Path) -> bool:
    """Return whether a regular file lies there. Raises StorageError."""
    with storing("look at", path), suppress(FileNotFoundError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


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
        self._sure: Callable[[], None] = presence.require_valid if presence else alone
        self._root = root
        self._inbox = inbox
        self._inbox_mount = Mount(inbox)
        self._marker = done_marker
        self._work = root / "work"
        self.same_file_system = True
        self.outbox = Outbox(outbox, presence=presence)
        self._archive = root / "archive"
        self._quarantine = root / "quarantine"

    def missing(self) -> list[str]:
        """Return the folders of the contract that are not there, by name."""
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

    def put_away(self, what: PutAway) -> Path:
        """Move a file to where it stays, clear its work, and return where that is.

        Doing it again is fine. When somebody took the file out of ``work``, the path returned
        does not exist.
        """
        (error,) = self.put_away_all([what])
        if error is not None:
            raise error
        return self._shelf(what) / what.drop_id / what.name

    def put_away_all(self, things: Sequence[PutAway]) -> list[StorageError | None]:
        """Move files to where they stay, then put their names on the disk.

        Returned is, in their order, what kept each from being moved, or None.
        """
        failed: list[StorageError | None] = []
        folders: dict[Path, None] = {}
        for thing in things:
            try:
                target = self._move_away(thing)
                folders |= {target.parent: None, target.parent.parent: None}
                failed.append(None)
            except StorageError as error:
                failed.append(error)
        try:
            for folder in folders:
                with storing("put away files in", folder):
                    sync_directory(folder)
        except StorageError as error:
            return [each or error for each in failed]
        return failed

    def kept(self, thing: PutAway) -> Path:
        """Return where a file that was put away lies."""
        return self._shelf(thing) / one_component(thing.drop_id) / one_component(thing.name)

    def back_to_inbox(self, drop: Drop) -> Path:
        """Give a file that was written to after it was read to the inbox; return its place there.

        It is the file itself, so that whoever writes it goes on in the inbox. Where it only grew,
        what was read stays in its place as a copy. Doing it again after a crash is fine, and then
        finds the copy where the file has gone already.
        """
        source = self.kept(place_of(drop))
        copy = source.with_name(COPY_NAME)
        place = self._courier(drop.folder)
        with storing("give back", source):
            self._inbox_is_there()
            make_directory(place)
            self._sure()
            copy.unlink(missing_ok=True)
            with open_regular(source) as file:
                copy_beginning(file, copy, drop.size, drop.sha256)
            return self._give_back(source, place, drop.source_file)

    def keep_what_was_read(self, thing: PutAway) -> bool:
        """Put the copy that ``back_to_inbox`` made into the place of the file.

        False when there is none: the file did not only grow.
        """
        source = self.kept(thing)
        with storing("put away", source):
            self._sure()
            if not source.exists():
                with suppress(FileNotFoundError):
                    source.with_name(COPY_NAME).rename(source)
                sync_directory(source.parent)
            return source.exists()

    def holds(self, folder: str, inode: int) -> bool:
        """Return whether a folder of the inbox holds the file with this inode."""
        place = self._courier(folder)
        with storing("list", place), suppress(FileNotFoundError), os.scandir(place) as entries:
            return any(entry.inode() == inode for entry in entries)
        return False

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

    def _would_be_picked_up(self, name: str, folder: str) -> None:
        reason = ignored_because(name)
        if not reason and self._marker and name.endswith(self._marker):
            reason = f"names that end in {self._marker} mark a finished upload"
        if reason:
            raise UsageError(
                f"{shown(name)} would never be picked up: {reason}.", hint="Give it another name."
            )
        if folder and not is_courier_folder(one_component(folder)):
            raise UsageError(f"A folder called {shown(folder)} in the inbox is not scanned.")

    def _shelf(self, thing: PutAway) -> Path:
        day = thing.day
        if day is None:
            return self._quarantine
        return self._archive.joinpath(f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}")

    def _move_away(self, thing: PutAway) -> Path:
        source = self._work.joinpath(one_component(thing.drop_id), one_component(thing.name))
        target = self._shelf(thing).joinpath(thing.drop_id, thing.name)
        with storing("put away", source):
            make_directory(target.parent, sync_name=False)
            self._sure()
            with suppress(FileNotFoundError):
                move(source, target, sync_name=False)
            self._discard(thing.drop_id)
        return target

    # -- claim -------------------------------------------------------------------------------------

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
        """Rename one file; return its exception, which does not affect the others."""
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
        path = self._work.joinpath(one_component(drop_id), one_component(name))
        return path if _is_file(path) else None

    def discard(self, drop_id: str) -> None:
        """Clear away the folder in ``work`` of a claim that did not happen."""
        self._discard(one_component(drop_id))

    def waits(self, folder: str, name: str) -> bool:
        """Return whether a file of this name lies in the inbox."""
        return _is_file(self._courier(folder) / one_component(name))

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
    def since_read(path: Path, drop: Drop) -> FileChange | None:
        """Compare a drop's file with its content when it was read; None when it is not there.

        Its content is only looked at where its size is the same and its time is not.
        """
        with storing("read", path):
            try:
                file = open_regular(path)
            except FileNotFoundError:
                return None
            with file:
                _, _, size, mtime_ns = identity_of(os.fstat(file.fileno()))
                changed = size != drop.size or (
                    mtime_ns != drop.facts.mtime_ns and hash_of(file) != drop.sha256
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
