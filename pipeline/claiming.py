"""The claim: intent recorded, ONE rename into work/, the bytes known by their hash, a receipt.

The same steps are taken up again after a crash, wherever it struck.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog

from pipeline import reporting
from pipeline.adapters.folders import Folders
from pipeline.adapters.naming import as_text, shown
from pipeline.errors import DropChanged, Fenced, NotClaimed, StorageError
from pipeline.model import Drop, DropState, ReadyFile
from pipeline.ports import Clock, Ledger

log = structlog.get_logger(__name__)


class Claimer:
    """Takes files out of the inbox, and gives them back when they were not ready after all."""

    def __init__(
        self, *, folders: Folders, ledger: Ledger, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._folders = folders
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id

    def claim(self, ready: ReadyFile) -> Drop | None:
        """Take a ready file. None when it went away or changed meanwhile."""
        drop = self._ledger.begin(
            drop_id=self._new_id(),
            folder=ready.folder,
            source_file=as_text(ready.name),
            received_at=self._clock.now(),
        )
        try:
            moved = self._folders.claim(ready, drop.drop_id)
        except StorageError as error:
            if self._folders.claimed_path(drop.drop_id, drop.source_file) is None:
                self._ledger.forget(drop)
                if isinstance(error, Fenced):
                    raise
                raise NotClaimed(error.message, hint=error.hint) from error
            raise
        if moved is None:
            self._ledger.forget(drop)
            return None
        return self._claimed(drop)

    def recover(self, drop: Drop) -> Drop | None:
        """Find out how far the claim of a drop came before the process ended."""
        if drop.state is DropState.CLAIMED and self._went_back(drop):
            self._ledger.forget(drop)
            return None
        if drop.state is not DropState.CLAIMING:
            return drop
        if self._folders.claimed_path(drop.drop_id, drop.source_file) is None:
            self._ledger.forget(drop)
            return None
        return self._claimed(drop)

    def _went_back(self, drop: Drop) -> bool:
        """True when the process ended between giving the file back and forgetting the drop."""
        here = self._folders.claimed_path(drop.drop_id, drop.source_file)
        return here is None and self._folders.waits(drop.folder, drop.source_file)

    def back_to_waiting(self, drop: Drop, why: DropChanged) -> None:
        """The file is still being written: it goes back to the inbox as if never touched."""
        self._folders.release(drop.drop_id, drop.source_file, drop.folder)
        self._folders.outbox_remove(drop.folder, reporting.file_name(drop, reporting.RECEIVED))
        self._ledger.forget(drop)
        log.warning("drop.back_to_waiting", drop=drop.drop_id, reason=why.message)

    def _claimed(self, drop: Drop) -> Drop | None:
        path = self._folders.claimed_path(drop.drop_id, drop.source_file)
        if path is None:
            self._ledger.forget(drop)
            return None
        try:
            digest = self._folders.digest(path)
        except DropChanged as changed:
            self.back_to_waiting(drop, changed)
            return None
        drop = replace(
            drop,
            state=DropState.CLAIMED,
            size=digest.size,
            sha256=digest.sha256,
            same_as=self._ledger.same_bytes(digest.sha256, drop.seq),
        )
        # In this order: a kill in between writes the receipt once more instead of never.
        reporting.write_received(drop, self._folders)
        self._ledger.save(drop)
        log.info("drop.claimed", drop=drop.drop_id, file=shown(drop.source_file), size=drop.size)
        return drop
