"""The outbox: whole files or none, and nothing ever written below a share that is not mounted."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.core.file_names import one_component
from pipeline.core.ports import Presence
from pipeline.storage.durable_files import make_directory, replace_with, storing, sync_directory
from pipeline.storage.file_systems import Mount


class Outbox:
    """One outbox with its courier folders. Raises StorageError, or UsageError for a bad name."""

    def __init__(self, folder: Path, *, presence: Presence | None = None) -> None:
        """Take the folder; ``presence`` is this worker's right to act beside others."""
        self.folder = folder
        self._sure: Callable[[], None] = presence.require_valid if presence else alone
        self._writer = f".{presence.name}" if presence else ""
        self._mount = Mount(folder)
        self._elsewhere = False

    def prepare(self, root: Path) -> None:
        """Make it if it is missing, and note whether it lies on another file system than ``root``.

        Such a one is not made again when it vanishes: it would be made on the wrong disk.
        """
        with storing("make the folder", self.folder):
            make_directory(self.folder)
            self._elsewhere = self.folder.stat().st_dev != root.stat().st_dev
            self._mount.check()

    def write(
        self, folder: str, file_name: str, chunks: Iterable[bytes], *, more_follows: bool = False
    ) -> Path:
        """Write a file as a whole or not at all, replacing a namesake; return its place.

        ``folder``: the inbox sub-folder the drop came from, or "". An error that ``chunks`` raises
        leaves nothing behind. ``more_follows``: ``keep`` puts its name on the disk, with others.
        """
        place = self._place(folder)
        path = place / one_component(file_name)
        with storing("write", path):
            self._find()
            if folder:
                make_directory(place)
            # The same name at each attempt: what a kill leaves is overwritten, not piled up.
            temporary = place / f".{file_name}{self._writer}.tmp"
            replace_with(path, temporary, chunks, sync_name=not more_follows, sure=self._sure)
            if self._writer:  # leftovers of workers that died
                for left in place.glob(f".{glob.escape(file_name)}.*.tmp"):
                    left.unlink(missing_ok=True)
        return path

    def read(self, folder: str, file_name: str) -> bytes | None:
        """Return what a file holds; None where it is not there any more."""
        path = self._place(folder) / one_component(file_name)
        with storing("read", path), suppress(FileNotFoundError):
            return path.read_bytes()
        return None

    def sync(self, folders: Iterable[str]) -> None:
        """Sync these folders, so that the names of new files are on the disk."""
        for place in {self._place(folder) for folder in folders}:
            with storing("write into", place):
                sync_directory(place)

    def remove(self, folder: str, file_name: str) -> None:
        """Take a file out; a missing one is fine."""
        place = self._place(folder)
        path = place / one_component(file_name)
        with storing("remove", path), suppress(FileNotFoundError):
            self._sure()
            path.unlink()
            sync_directory(place)

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield courier folder ("" for the outbox itself) and name of every file."""
        with storing("list", self.folder):
            couriers = [""]
            for folder in couriers:
                with suppress(FileNotFoundError), os.scandir(self._place(folder)) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False):
                            yield folder, entry.name
                        elif not folder and entry.is_dir(follow_symlinks=False):
                            couriers.append(entry.name)

    def _place(self, folder: str) -> Path:
        return self.folder / one_component(folder) if folder else self.folder

    def _find(self) -> None:
        """Make sure that it is the outbox that was prepared. Raises OSError or StorageError."""
        try:
            self._mount.check()
        except FileNotFoundError:
            if self._elsewhere:
                raise
            make_directory(self.folder)


def alone() -> None:
    """Do nothing: no other process works on these folders."""
