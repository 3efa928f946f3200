"""Tidying up: originals, reports and row details are removed when they are old enough.

Never before their drop is closed, never what the ledger does not know, and never what keeps an
order from being sent twice.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from msgspec import Struct

from pipeline.core.errors import StorageError
from pipeline.core.ports import Clock
from pipeline.service.retention_files import RetentionFiles, SweptFile
from pipeline.storage.ledger import SqlLedger

log = structlog.get_logger(__name__)

_EVERY = timedelta(days=1)

_T = TypeVar("_T")


class Keep(Struct, frozen=True, kw_only=True):
    """Days for which files and rows of a drop, and the drop, are kept after its end.

    0: for good. A drop is not kept for less than its files and rows.
    """

    archive_days: int = 0
    outbox_days: int = 0
    rows_days: int = 180
    drops_days: int = 0


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
        keep: Keep,
        files: RetentionFiles,
        ledger: SqlLedger,
        swept: SweptFile,
        clock: Clock,
    ) -> None:
        self._keep = keep
        self._files = files
        self._ledger = ledger
        self._swept = swept
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
        last, now = self._swept.last(), self._clock.now()
        return last is None or not last <= now < last + _EVERY

    def _run(self) -> None:
        try:
            self._swept.note(self._clock.now())
            swept = self.sweep()
        except StorageError as error:
            log.warning("retention.put_off", reason=error.message, hint=error.hint)
        except Exception:  # a fault here must not end the service
            log.exception("retention.failed")
        else:
            if swept != Swept():
                log.info(
                    "retention.swept",
                    originals=swept.originals,
                    reports=swept.reports,
                    drops=swept.drops,
                    aside=swept.aside,
                    forgotten=swept.forgotten,
                )

    # -- what ----------------------------------------------------------------------------------

    def sweep(self) -> Swept:
        """Remove what is old now. Raises StorageError; doing it again is fine."""
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
        for drop_id, folder in self._files.originals(before.date()):
            if self._ending.is_set():
                break
            if self._closed_before(drop_id, before):
                self._files.remove_original(folder)
                removed += 1
        return removed

    def _reports(self, before: datetime) -> int:
        removed = 0
        known: dict[str, bool] = {}
        for drop_id, folder, name in self._files.reports():
            if self._ending.is_set():
                break
            if drop_id not in known:
                known[drop_id] = self._closed_before(drop_id, before)
            if known[drop_id]:
                self._files.remove_report(folder, name)
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
        while given_up := self._ledger.give_up(closed_before=before, at=now):
            # First the spool: the ledger's mark is what finds it again after a crash.
            for drop_id in self._until_stopped(given_up):
                self._files.remove_spool(drop_id)
            if not self._walk() or self._ending.is_set():
                return removed
            self._ledger.end_compaction()
            removed += len(given_up)
        self._shrink()
        return removed

    def _whole(self, before: datetime) -> int:
        """Remove drops of which nothing else is left; return how many."""
        removed = 0
        while not self._ending.is_set():
            some = self._slowly(partial(self._ledger.forget_old, closed_before=before))
            if not some:
                break
            removed += some
        if removed:
            self._shrink()
        return removed

    def _shrink(self) -> None:
        more = True
        while more and not self._ending.is_set():
            more = self._slowly(partial(self._ledger.shrink, idle=self._idle()))

    def _walk(self) -> bool:
        """Walk through all orders; return False when it was broken off."""
        after: str | None = ""
        while after is not None:
            if self._ending.is_set():
                return False
            after = self._slowly(partial(self._ledger.compact_orders, after))
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
