"""Requests for drops, left in the ledger by ``retry`` and ``cancel``."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from pipeline.core.model import Drop, DropRequest
from pipeline.service.scheduler import Scheduler
from pipeline.storage.ledger import SqlLedger
from schemas.display import shown

if TYPE_CHECKING:
    from pipeline.delivery.thread import DeliveryThread

log = structlog.get_logger(__name__)


def to_honour(drop: Drop, *, busy: bool) -> DropRequest:
    """Return the request to act on now; ``busy``: a step is at work on the drop.

    A retry waits until the drop is idle. A closed, idle drop has nothing to cancel.
    """
    if drop.request is DropRequest.CANCEL:
        return drop.request if busy or not drop.state.closed else DropRequest.NONE
    return DropRequest.NONE if busy else drop.request


class Requests:
    """Honours them. Owned by the service's thread; ``take`` takes a drop up."""

    def __init__(
        self,
        *,
        ledger: SqlLedger,
        delivery: "DeliveryThread",
        scheduler: Scheduler,
        take: Callable[[Drop], None],
    ) -> None:
        self._ledger = ledger
        self._delivery = delivery
        self._scheduler = scheduler
        self._take = take
        self._announced: set[tuple[str, str]] = set()

    def honour(self, *, only: str | None) -> None:
        """Act on every request there is; ``only``: on those for this drop. Raises StorageError."""
        asked = self._ledger.requested()
        self._announced &= {(drop.drop_id, drop.request) for drop in asked}
        for drop in asked:
            if only not in {None, drop.drop_id}:
                continue
            self._tell(drop)
            known = self._scheduler.knows(drop.drop_id)
            match to_honour(drop, busy=known):
                case DropRequest.RETRY:
                    self._retry(drop)
                case DropRequest.CANCEL:
                    self._scheduler.cancel(drop)  # first, so that no further call of it leaves
                    if not known:
                        self._take(drop)

    def _tell(self, drop: Drop) -> None:
        """Log a request, once: it may have to wait."""
        if (drop.drop_id, drop.request) not in self._announced:
            self._announced.add((drop.drop_id, drop.request))
            file = shown(drop.source_file)
            log.info("drop.requested", drop=drop.drop_id, file=file, request=drop.request)

    def _retry(self, drop: Drop) -> None:
        behind = self._scheduler.retries.get(drop.drop_id, ())
        if drop.state.closed and drop.drop_id in self._scheduler.open:
            return  # it rests until storage is back
        if any(not self._is_closed(each) for each in behind):
            return
        if self._delivery.limiter.shut is not None:
            self._delivery.reopen()
        if drop.state.closed:
            self._scheduler.retry(drop)
            return
        self._ledger.request(drop.drop_id, DropRequest.NONE)
        self._ledger.reopen(drop.seq)
        self._take(drop)

    def _is_closed(self, drop_id: str) -> bool:
        found = self._ledger.find(drop_id)
        return found is None or found.state.closed
