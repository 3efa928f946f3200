"""Files that are kept for good: originals in archive and quarantine, reports in the outbox,
and what is kept beside the ledger.

Only finds and removes; what may go is decided elsewhere (``pipeline.service.retention``).
"""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from pipeline.core import file_names
from pipeline.core.model import DropState
from pipeline.storage.durable_files import storing
from pipeline.storage.ledger.backup import Reported
from pipeline.storage.outbox import Outbox

_ENDS = "|".join(map(re.escape, (file_names.RECEIVED, *file_names.REPORTS.values())))
_REPORT = re.compile(rf"__(d\d{{8}}t\d{{9}}[a-z2-7]{{4}})\.(?:{_ENDS})\Z")
_SUMMARY = f".{file_names.SUMMARY}"
_RECEIPT = f".{file_names.RECEIVED}"
_DROP = re.compile(r"/(d\d{8}t\d{9}[a-z2-7]{4})/")
_ORIGINALS = ("archive/*/*/*/*/*", "quarantine/*/*", "work/*/*")
_BODIES = ("state/drops/*/bodies.json", "state/drops/*/*/bodies.json")
"""Bodies of a drop, as glob patterns below the root; the last is that of a worker."""


class RetentionFiles:
    """The files of one root that may be old enough to go. Raises StorageError."""

    def __init__(self, root: Path, outbox: Outbox) -> None:
        self._root = root
        self._archive = root / "archive"
        self._quarantine = root / "quarantine"
        self._state = root / "state"
        self._drops = self._state / "drops"
        self._outbox = outbox

    def originals(self, until: date) -> Iterator[tuple[str, Path]]:
        """Yield drop id and folder of files archived by the end of this day, or refused."""
        with storing("list", self._archive):
            for day in sorted(self._archive.glob("[0-9]*/[0-9]*/[0-9]*")):
                if (filed := _day_of(day)) is not None and filed <= until:
                    yield from _folders(day)
        with storing("list", self._quarantine):
            yield from _folders(self._quarantine)

    def reports(self) -> Iterator[tuple[str, str, str]]:
        """Yield drop id, courier folder and name of each report; a drop's summary first.

        A report without its summary is not taken for complete while it is being removed.
        """
        rest: list[tuple[str, str, str]] = []
        for folder, name in self._outbox.names():
            if found := _REPORT.search(name):
                if name.endswith(_SUMMARY):
                    yield found[1], folder, name
                else:
                    rest.append((found[1], folder, name))
        yield from rest

    def traces(self) -> Iterator[tuple[str, Path]]:
        """Yield drop id and path of files that only drops leave that were taken and worked on.

        First the originals, which people know. Not receipts and empty folders: a file that went
        back to its sender may leave those.
        """
        yield from self._found(_ORIGINALS)
        for drop_id, folder, name in self.reports():
            if not name.endswith(_RECEIPT):
                yield drop_id, self._outbox.folder / folder / name
        yield from self._found(_BODIES)

    def _found(self, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
        for pattern in patterns:
            with storing("list", self._root):
                for path in self._root.glob(pattern):
                    found = _DROP.search(path.relative_to(self._root).as_posix())
                    if found and not path.name.startswith("."):
                        yield found[1], path

    def aside(self, before: datetime) -> Iterator[Path]:
        """Yield what lies beside the ledger and is older: minutes, by their day; what the page kept
        of uploads and corrections, by its last change.
        """
        with storing("list", self._state):
            for day in sorted(self._state.glob("minutes/*.jsonl")):
                with suppress(ValueError):  # not ours
                    if date.fromisoformat(day.stem) < before.date():
                        yield day
            for path in sorted((self._state / "web").glob("**/*")):
                if (self._state / "web" / "profiles") in path.parents:
                    continue  # former versions of a courier's profile belong to no rows
                with suppress(FileNotFoundError):  # the page tidies up as well
                    if path.is_file() and path.stat().st_mtime < before.timestamp():
                        yield path

    def remove_aside(self, path: Path) -> None:
        """Remove one of these, and the folders above it that became empty."""
        with storing("remove", path):
            path.unlink(missing_ok=True)
        for above in path.parents:
            if above.parent.parent == self._state or self._state not in above.parents:
                break
            with suppress(OSError):  # not empty
                above.rmdir()

    def remove_original(self, folder: Path) -> None:
        """Remove a drop's folder from archive or quarantine, and days that became empty."""
        _remove_tree(folder)
        for above in folder.parents:
            if above in {self._archive, self._quarantine}:
                break
            with suppress(OSError):  # not empty
                above.rmdir()

    def remove_report(self, folder: str, name: str) -> None:
        """Remove one file of the outbox."""
        self._outbox.remove(folder, name)

    def remove_spool(self, drop_id: str) -> None:
        """Remove the spool of a drop."""
        _remove_tree(self._drops / drop_id)


def _folders(shelf: Path) -> Iterator[tuple[str, Path]]:
    for entry in sorted(shelf.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield entry.name, entry


def _day_of(folder: Path) -> date | None:
    year, month, day = folder.parts[-3:]
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None  # not ours


def _remove_tree(folder: Path) -> None:
    with storing("remove", folder), suppress(FileNotFoundError):
        shutil.rmtree(folder)


class SweptFile:
    """Outlives the process, so that a run every minute does not sweep every minute."""

    def __init__(self, root: Path) -> None:
        self._path = root / "state" / "swept.json"

    def last(self) -> datetime | None:
        """Return when it was noted last; None when never, or it cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            last = datetime.fromisoformat(json.loads(self._path.read_bytes())["at"])
            return last if last.tzinfo else None
        return None

    def note(self, at: datetime) -> None:
        """Note this moment (aware). Raises StorageError."""
        with storing("write", self._path):
            temporary = self._path.with_name(".swept.json.tmp")
            temporary.write_text(json.dumps({"at": at.isoformat()}), encoding="utf-8")
            temporary.replace(self._path)


def reported_in(files: RetentionFiles, outbox: Path) -> Callable[[str], Reported | None]:
    """Return what finds a finished drop's summary and results by its id, None for another drop."""
    summaries = {
        drop_id: outbox / folder / name
        for drop_id, folder, name in files.reports()
        if name.endswith("summary.json")
    }

    def find(drop_id: str) -> Reported | None:
        path = summaries.get(drop_id)
        if path is None:
            return None
        summary = json.loads(path.read_text("utf-8"))
        if not DropState(summary["state"]).closed:
            return None
        name = summary["files"].get("results")
        results = path.with_name(name) if name else None
        if results is None or not results.is_file():
            return Reported(summary=summary, lines={})
        with results.open(encoding="utf-8-sig", newline="") as file:
            lines = {(int(line["row"]), line["sheet"]): line for line in csv.DictReader(file)}
        return Reported(summary=summary, lines=lines)

    return find
