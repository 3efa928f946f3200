"""``state/late-writes/``: drops whose files may be written to after they were read, or were.

``<drop_id>`` is there while it is not certain that the file has no writer; ``back/<drop_id>`` from
when the file is given back to the inbox until it is taken from there. A drop whose file was closed
for certain leaves nothing here, so that the folder is mostly missing.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.storage.durable_files import make_directory, replace_with, storing

_BACK = "back"


class ReturnedFile(Struct, frozen=True, kw_only=True):
    """A file on its way back into the inbox: into which of its folders, and its inode there."""

    folder: str
    inode: int


class ChangedFileNotes:
    """The notes of one root. Raises StorageError."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "state" / "late-writes"
        self._back = self._folder / _BACK

    def watched(self) -> list[str]:
        """Return the drops whose files may be written to, oldest first."""
        return [name for name in _names(self._folder) if name != _BACK]

    def back(self) -> Mapping[str, ReturnedFile]:
        """Return the drops whose files are on their way back, oldest first."""
        found: dict[str, ReturnedFile] = {}
        for name in _names(self._back):
            with storing("read", self._back / name), suppress(FileNotFoundError):
                content = (self._back / name).read_bytes()
                found[name] = msgspec.json.decode(content, type=ReturnedFile)
        return found

    def watch(self, drop_id: str) -> None:
        """Note that a drop's file may be written to."""
        with storing("write", self._folder / drop_id):
            make_directory(self._folder)
            (self._folder / drop_id).touch()

    def gives_back(self, drop_id: str, back: ReturnedFile) -> None:
        """Note, on the disk, that a drop's file is given back."""
        path = self._back / drop_id
        with storing("write", path):
            make_directory(self._back)
            replace_with(path, self._back / f".{drop_id}.tmp", [msgspec.json.encode(back)])

    def watch_no_more(self, drop_id: str) -> None:
        """Remove the note that a drop's file may be written to."""
        self._remove(self._folder / drop_id)

    def is_back(self, drop_id: str) -> None:
        """Remove the note about a drop whose file was given back, and taken from the inbox."""
        self._remove(self._back / drop_id)

    @staticmethod
    def _remove(note: Path) -> None:
        with storing("remove", note):
            note.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    with storing("list", folder):
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return []
    return sorted(name for name in names if not name.startswith("."))
