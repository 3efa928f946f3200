"""Records in which order a process puts things on the disk, which no kill can show.

A ``kill -9`` leaves the page cache as it is; only a power cut loses what was not synced. So the
calls themselves are noted, and done: ``os.fsync``, renames, links, new folders, and the ledger's
commits.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import Struct

from pipeline.storage.ledger import SqlLedger


class Event(Struct, frozen=True):
    """``synced`` a file or folder, ``named`` or ``made`` one, or a ``commit`` of the ledger.

    ``inode``: which file it was, for a synced file may get its name only later.
    """

    what: str
    path: Path = Path()
    inode: int = 0


class DiskRecorder:
    """Return the events since ``clear``, in their order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def clear(self) -> None:
        """Forget what was done so far."""
        self.events.clear()

    @property
    def named(self) -> list[Path]:
        """The places that files were renamed or linked to."""
        return [each.path for each in self.events if each.what == "named"]

    def before_commit(self, number: int = -1) -> "DiskRecorder":
        """Return what was done before one of the commits."""
        commits = [at for at, each in enumerate(self.events) if each.what == "commit"]
        made = DiskRecorder()
        made.events = self.events[: commits[number]]
        return made

    def after_commit(self, number: int = -1) -> "DiskRecorder":
        """Return what was done after one of the commits."""
        commits = [at for at, each in enumerate(self.events) if each.what == "commit"]
        made = DiskRecorder()
        made.events = self.events[commits[number] + 1 :]
        return made

    def is_synced(self, path: Path) -> bool:
        """Tell whether a file's or folder's content was put on the disk."""
        inode = path.lstat().st_ino
        return any(each.what == "synced" and each.inode == inode for each in self.events)

    def unsynced_names(self) -> list[Path]:
        """Files and folders that got a name which was not put on the disk afterwards."""
        left = []
        for at, each in enumerate(self.events):
            if each.what not in {"named", "made"}:
                continue
            after = self.events[at + 1 :]
            if not any(one.what == "synced" and one.path == each.path.parent for one in after):
                left.append(each.path)
        return left

    def named_before_synced(self) -> list[Path]:
        """Files that got their name while their bytes were not on the disk yet."""
        return [
            each.path
            for at, each in enumerate(self.events)
            if each.what == "named"
            and not any(
                one.what == "synced" and one.inode == each.inode for one in self.events[:at]
            )
        ]


def record(
    monkeypatch: pytest.MonkeyPatch,
    ledger: SqlLedger,
    on_named: Callable[[Path], None] = lambda _path: None,
) -> DiskRecorder:
    """Record from now on. ``on_named`` is called after each rename or link, with the new place."""
    made = DiskRecorder()

    def synced(handle: int, real: Callable[[int], None] = os.fsync) -> None:
        real(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        made.events.append(Event("synced", path, os.fstat(handle).st_ino))

    def naming(real: Callable[..., None]) -> Callable[..., None]:
        def named(source: Any, target: Any, **more: Any) -> None:
            real(source, target, **more)
            place = Path(target)
            made.events.append(Event("named", place, place.lstat().st_ino))
            on_named(place)

        return named

    def making(path: Any, *more: Any, real: Callable[..., None] = os.mkdir) -> None:
        real(path, *more)
        made.events.append(Event("made", Path(path)))

    monkeypatch.setattr(os, "fsync", synced)
    for name in ("rename", "replace", "link"):
        monkeypatch.setattr(os, name, naming(getattr(os, name)))
    monkeypatch.setattr(os, "mkdir", making)
    sa.event.listen(ledger._db.engine, "commit", lambda _: made.events.append(Event("commit")))
    return made
