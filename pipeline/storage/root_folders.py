"""The folders of a root, and the moves of a drop between them.

``inbox`` → ``work/<drop_id>`` → ``archive`` or ``quarantine``, with what we write in ``outbox``.
A file is moved by one rename wherever that is possible; every move can be done again after a
crash, and none ever replaces a file. What we do not know is never deleted.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from msgspec import Struct

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.file_names import ignored_because, one_component
from pipeline.core.model import Drop, DropState
from pipeline.core.ports import DropLine, Presence
from pipeline.storage.claim_files import Claims, Digest
from pipeline.storage.durable_files import (
    COPY_NAME,
    copy_beginning,
    copy_verified,
    link_new,
    make_directory,
    move,
    storing,
    sync_directory,
    temporary_in,
)
from pipeline.storage.listing import is_courier_folder, open_regular
from pipeline.storage.outbox import Outbox
from schemas.display import shown


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


class Folders(Claims):
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
        super().__init__(inbox, root / "work", done_marker=done_marker, presence=presence)
        self._root = root
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

    def back_to_inbox(self, thing: PutAway, folder: str, read: Digest) -> Path:
        """Give a file that was written to after it was read to the inbox; return its place there.

        It is the file itself, so that whoever writes it goes on in the inbox. Where it only grew,
        what was read stays in its place as a copy. Doing it again after a crash is fine, and then
        finds the copy where the file has gone already.
        """
        source = self.kept(thing)
        copy = source.with_name(COPY_NAME)
        place = self._courier(folder)
        with storing("give back", source):
            self._inbox_is_there()
            make_directory(place)
            self._sure()
            copy.unlink(missing_ok=True)
            with open_regular(source) as file:
                copy_beginning(file, copy, read.size, read.sha256)
            return self._give_back(source, place, thing.name)

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
        """Tell whether a folder of the inbox holds the file with this inode."""
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
            raise UsageError(f"A folder called {shown(folder)} in the inbox is not looked into.")

    def _shelf(self, thing: PutAway) -> Path:
        day = thing.day
        if day is None:
            return self._quarantine
        return self._archive / f"{day.year:04d}" / f"{day.month:02d}" / f"{day.day:02d}"

    def _move_away(self, thing: PutAway) -> Path:
        source = self._work / one_component(thing.drop_id) / one_component(thing.name)
        target = self._shelf(thing) / thing.drop_id / thing.name
        with storing("put away", source):
            make_directory(target.parent, sync_name=False)
            self._sure()
            with suppress(FileNotFoundError):
                move(source, target, sync_name=False)
            self._discard(thing.drop_id)
        return target
