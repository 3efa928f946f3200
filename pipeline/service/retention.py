"""Tidying up: originals, reports and row details are removed when they are old enough.

Nothing is removed before its drop is closed, nor files that the ledger does not know, nor the
records that keep an order from being sent twice.
"""

import csv
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec import Struct
from msgspec.structs import asdict

from pipeline.core import file_names
from pipeline.core.clock import Clock
from pipeline.core.errors import StorageError
from pipeline.core.model import DropState
from pipeline.service.settings import RetentionSettings
from pipeline.storage.durable_files import storing
from pipeline.storage.ledger import SqlLedger
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
        self._swept = self._state / "swept.json"
        self.outbox = outbox

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
        for folder, name in self.outbox.names():
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
                yield drop_id, self.outbox.folder / folder / name
        yield from self._found(_BODIES)

    def _found(self, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
        for pattern in patterns:
            with storing("list", self._root):
                for path in self._root.glob(pattern):
                    found = _DROP.search(path.relative_to(self._root).as_posix())
                    if found and not path.name.startswith("."):
                        yield found[1], path

    def aside(self, before: datetime) -> Iterator[Path]:
        """Yield older files beside the ledger: minutes, by their day; the page's uploads and
        corrections, by their last change.
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
        """Remove one of these files, and the folders above it that became empty."""
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

    def remove_spool(self, drop_id: str) -> None:
        """Remove the spool of a drop."""
        _remove_tree(self._drops / drop_id)

    def last_sweep(self) -> datetime | None:
        """Return when a sweep was noted last; None when never, or that cannot be read.

        In a file: a run every minute is not to sweep every minute.
        """
        with suppress(OSError, ValueError, KeyError, TypeError):
            last = datetime.fromisoformat(json.loads(self._swept.read_bytes())["at"])
            return last if last.tzinfo else None
        return None

    def note_sweep(self, at: datetime) -> None:
        """Note that a sweep begins at this moment (aware). Raises StorageError."""
        with storing("write", self._swept):
            temporary = self._swept.with_name(".swept.json.tmp")
            temporary.write_text(json.dumps({"at": at.isoformat()}), encoding="utf-8")
            temporary.replace(self._swept)


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


def reported_in(files: RetentionFiles) -> Callable[[str], Reported | None]:
    """Return what finds a finished drop's summary and results by its id, None for another drop."""
    summaries = {
        drop_id: files.outbox.folder / folder / name
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


log = structlog.get_logger(__name__)

_EVERY = timedelta(days=1)

_T = TypeVar("_T")


class Swept(Struct, frozen=True, kw_only=True):
    """Counts of one sweep: originals and reports in files and folders, rows by drops.

    ``aside``: files beside the ledger: counted minutes, and what the page kept of uploads;
    ``forgotten``: drops that went whole.
    """

    originals: int = 0
    reports: int = 0
    drops: int = 0
    aside: int = 0
    forgotten: int = 0


class Retention:
    """``sweep`` removes what is old; ``start`` and ``stop`` do it beside other work."""

    def __init__(
        self,
        *,
        keep: RetentionSettings,
        files: RetentionFiles,
        ledger: SqlLedger,
        clock: Clock,
    ) -> None:
        self._keep = keep
        self._files = files
        self._ledger = ledger
        self._clock = clock
        self._idle: Callable[[], bool] = lambda: True
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # -- when ----------------------------------------------------------------------------------

    def start_if_due(self, idle: Callable[[], bool]) -> None:
        """Begin in a thread of its own when a day has passed since the last sweep.

        ``idle``: nothing is under way just now; asked before what would hold others up.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        if self.is_due():
            self._idle = idle
            self._thread = threading.Thread(target=self._run, name="retention")
            self._thread.start()

    def run_if_due(self) -> None:
        """Sweep at once, if it is due."""
        if self.is_due():
            self._run()

    def stop(self) -> None:
        """Stop, and wait for the thread. The rest is done at the next sweep."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def is_due(self) -> bool:
        """Return True when the last sweep was a day ago, or the clock was set back behind it."""
        last, now = self._files.last_sweep(), self._clock.now()
        return last is None or not last <= now < last + _EVERY

    def _run(self) -> None:
        try:
            self._files.note_sweep(self._clock.now())
            swept = self.sweep()
        except StorageError as error:
            log.warning("retention.put_off", reason=error.message, hint=error.hint)
        except Exception:  # a fault here must not end the service
            log.exception("retention.failed")
        else:
            if swept != Swept():
                log.info("retention.swept", **asdict(swept))

    # -- what ----------------------------------------------------------------------------------

    def sweep(self) -> Swept:
        """Remove old data now. Raises StorageError; doing it again is fine."""
        now, keep = self._clock.now(), self._keep
        return Swept(
            originals=self._originals(now - timedelta(days=keep.archive_days))
            if keep.archive_days
            else 0,
            reports=self._reports(now - timedelta(days=keep.outbox_days))
            if keep.outbox_days
            else 0,
            drops=self._rows(now - timedelta(days=keep.rows_days), now) if keep.rows_days else 0,
            aside=self._aside(now - timedelta(days=keep.rows_days)) if keep.rows_days else 0,
            forgotten=self._whole(now - timedelta(days=keep.drops_days)) if keep.drops_days else 0,
        )

    def _originals(self, before: datetime) -> int:
        removed = 0
        for drop_id, folder in self._until_stopped(self._files.originals(before.date())):
            if self._closed_before(drop_id, before):
                self._files.remove_original(folder)
                removed += 1
        return removed

    def _reports(self, before: datetime) -> int:
        removed = 0
        known: dict[str, bool] = {}
        for drop_id, folder, name in self._until_stopped(self._files.reports()):
            if drop_id not in known:
                known[drop_id] = self._closed_before(drop_id, before)
            if known[drop_id]:
                self._files.outbox.remove(folder, name)
                removed += 1
        return removed

    def _aside(self, before: datetime) -> int:
        """Remove notes and corrections with their rows: they may name people."""
        removed = 0
        for path in self._until_stopped(self._files.aside(before)):
            self._files.remove_aside(path)
            removed += 1
        return removed

    def _rows(self, before: datetime, now: datetime) -> int:
        removed = 0
        while given_up := self._ledger.compaction.give_up(closed_before=before, at=now):
            # First the spool: the ledger's mark is what finds it again after a crash.
            for drop_id in self._until_stopped(given_up):
                self._files.remove_spool(drop_id)
            if not self._walk() or self._ending.is_set():
                return removed
            self._ledger.compaction.end_compaction()
            removed += len(given_up)
        self._shrink()
        return removed

    def _whole(self, before: datetime) -> int:
        """Remove drops of which nothing else is left; return how many."""
        removed = 0
        while not self._ending.is_set():
            some = self._slowly(partial(self._ledger.compaction.forget_old, closed_before=before))
            if not some:
                break
            removed += some
        if removed:
            self._shrink()
        return removed

    def _shrink(self) -> None:
        more = True
        while more and not self._ending.is_set():
            more = self._slowly(partial(self._ledger.compaction.shrink, idle=self._idle()))

    def _walk(self) -> bool:
        """Walk through all orders; return False when it was broken off."""
        after: str | None = ""
        while after is not None:
            if self._ending.is_set():
                return False
            after = self._slowly(partial(self._ledger.compaction.compact_orders, after))
        return True

    def _closed_before(self, drop_id: str, moment: datetime) -> bool:
        if drop_id > f"d{moment:%Y%m%dt%H%M%S}":
            return False  # claimed later than that: its id tells
        drop = self._ledger.find(drop_id)
        return (
            drop is not None
            and drop.state.closed
            and drop.finished_at is not None
            and drop.finished_at < moment
        )

    def _until_stopped(self, items: Iterable[_T]) -> Iterable[_T]:
        for item in items:
            if self._ending.is_set():
                return
            yield item

    def _slowly(self, step: Callable[[], _T]) -> _T:
        """Rest as long as the step took, so that sending has the ledger and the disk in between."""
        began = self._clock.monotonic()
        result = step()
        self._ending.wait(self._clock.monotonic() - began)
        return result
