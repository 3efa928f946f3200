"""What people ask of drops, left in the ledger by ``retry`` and ``cancel``."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.delivery.room import DeliveryRoom
from pipeline.model import Drop, DropState
from pipeline.ports import Ledger
from pipeline.work import Work


class Wishes:
    """Honours them. Owned by the service's thread; ``take`` takes a drop up."""

    def __init__(
        self, *, ledger: Ledger, room: DeliveryRoom, work: Work, take: Callable[[Drop], None]
    ) -> None:
        self._ledger = ledger
        self._room = room
        self._work = work
        self._take = take

    def honour(self, *, only: str | None) -> None:
        """Act on every wish there is; ``only``: on those for this drop. Raises StorageError."""
        for drop in self._ledger.requested():
            if only not in {None, drop.drop_id}:
                continue
            known = self._work.knows(drop.drop_id)
            if drop.request == "retry" and drop.state.closed and self._work.busy:
                continue  # it was planned before drops that are out with its orders: not beside
            if drop.request == "retry" and not known:
                self._ledger.request(drop.drop_id, "")
                self._retry(drop)
            elif drop.request == "cancel" and (known or not drop.state.closed):
                self._work.cancel(drop)  # first, so that nothing of it leaves any more
                if not known:
                    self._take(drop)

    def _retry(self, drop: Drop) -> None:
        if self._room.shut is not None:
            self._room.reopen()
        doubtful = self._ledger.reopen(drop.seq)
        if drop.state is DropState.COMPLETED and doubtful:
            drop = replace(drop, state=DropState.OPEN, finished_at=None)
            self._ledger.save(drop)
        if not drop.state.closed:
            self._take(drop)
