"""Claim a file: record the intent, rename it into work/, hash it, write received.json.

After a crash these steps continue where they stopped.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.clock import Clock
from pipeline.core.errors import DropChanged, StorageError, attempt
from pipeline.core.file_names import RECEIVED, as_text, file_name
from pipeline.core.model import Drop, DropFacts, DropState, ReadyFile
from pipeline.core.summary import SCHEMA, json_text, utc_text
from pipeline.storage.changed_file_notes import ChangedFileNotes, ReturnedFile
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.root_folders import Folders, inode_of
from schemas.display import encodable, shown

log = structlog.get_logger(__name__)


class Claimed(Struct, frozen=True, kw_only=True):
    """The result of claiming files.

    ``drops``: those that are ours now. ``refused``: those that could not be moved, and why.
    ``unready``: those that were not ready after all: gone, changed, or being written.
    ``trouble``: what kept the others from being finished; they are in work and taken up later.
    """

    drops: tuple[Drop, ...]
    refused: tuple[tuple[ReadyFile, Exception], ...] = ()
    unready: tuple[ReadyFile, ...] = ()
    trouble: StorageError | None = None


class Claimer(Struct, frozen=True, kw_only=True):
    """Takes files out of the inbox, and gives them back when they were not ready after all.

    ``notes``: of files that come back because they were written to after they were read.
    """

    folders: Folders
    ledger: SqlLedger
    notes: ChangedFileNotes
    clock: Clock
    new_id: Callable[[], str]

    def claim(self, ready: Sequence[ReadyFile]) -> Claimed:
        """Take ready files, oldest first.

        Done together: one commit says which, then each is renamed, then each folder is put on the
        disk once, then each is hashed and its receipt written, and one commit says so. Where the
        process ends in between, ``recover`` takes up each from where it is.

        Raises StorageError when no file could be taken, or the disk did not confirm the moves; what
        fails later stands in ``Claimed.trouble``.
        """
        drops = self.ledger.begin_all(
            [
                Drop(
                    seq=0,
                    drop_id=self.new_id(),
                    folder=file.folder,
                    source_file=as_text(file.name),
                    state=DropState.CLAIMING,
                    received_at=self.clock.now(),
                )
                for file in ready
            ]
        )
        moved = self.folders.claim_all(
            [(file, drop.drop_id) for file, drop in zip(ready, drops, strict=True)]
        )
        here, refused, unready = [], [], []
        for file, drop, target in zip(ready, drops, moved, strict=True):
            if isinstance(target, Exception):
                is_here = self._is_here(drop)
                if is_here and isinstance(target, StorageError):
                    raise target  # it is ours already: taken up when the disk is well
                if not is_here:
                    self.ledger.forget(drop)
                refused.append((file, target))
            elif target is None:
                self.ledger.forget(drop)
                unready.append(file)
            else:
                here.append(drop)
        received, left = self._hash_and_record(here)
        for drop, error in left:
            if not isinstance(error, StorageError):  # a bug with one must not stop the others
                log.error("drop.bug", drop=drop.drop_id, exc_info=error)
        trouble = next((error for _, error in left if isinstance(error, StorageError)), None)
        return Claimed(
            drops=tuple(received), refused=tuple(refused), unready=tuple(unready), trouble=trouble
        )

    def recover(self, drop: Drop) -> Drop | None:
        """Determine how far the claim of a drop came before the process ended."""
        if drop.state is DropState.CLAIMED and self._went_back(drop):
            self._forget(drop)
            return None
        if drop.state is not DropState.CLAIMING:
            return drop
        if not self._is_here(drop):
            self._forget(drop)
            return None
        received, left = self._hash_and_record([drop])
        for _, error in left:
            raise error
        return received[0] if received else None

    def _forget(self, drop: Drop) -> None:
        """Forget a drop: neither its line nor a folder that was made for it is left."""
        self.folders.discard(drop.drop_id)
        self.ledger.forget(drop)

    def _is_here(self, drop: Drop) -> bool:
        return self.folders.claimed_path(drop.drop_id, drop.source_file) is not None

    def _went_back(self, drop: Drop) -> bool:
        """True when the process ended between giving the file back and forgetting the drop."""
        return not self._is_here(drop) and self.folders.waits(drop.folder, drop.source_file)

    def back_to_waiting(self, drop: Drop, why: DropChanged) -> None:
        """Move a file that is still being written back to the inbox as if never touched."""
        path = self.folders.claimed_path(drop.drop_id, drop.source_file)
        if drop.continues and path:  # the next drop of this file continues that one as well
            self.notes.gives_back(
                drop.continues, ReturnedFile(folder=drop.folder, inode=inode_of(path))
            )
        self.folders.release(drop.drop_id, drop.source_file, drop.folder)
        self.folders.outbox.remove(drop.folder, file_name(drop, RECEIVED))
        self.ledger.forget(drop)
        log.warning("drop.back_to_waiting", drop=drop.drop_id, reason=why.message)

    def _hash_and_record(
        self, drops: Sequence[Drop]
    ) -> tuple[list[Drop], list[tuple[Drop, Exception]]]:
        """Hash files that are in work, write their receipts, and record them as claimed.

        Those that are still being written go back. Also returns the drops that failed, with the
        error; a later look finds their files and goes on with them.
        """
        hashed, left = self._hashed(drops)
        received: list[Drop] = []
        for drop in hashed:
            # In this order: a kill in between writes the receipt once more instead of never.
            written = attempt(self._write_received, drop)
            if isinstance(written, Exception):
                left.append((drop, written))
            else:
                received.append(drop)
            if isinstance(written, StorageError):
                break  # the others would wait for the same disk
        if received:
            self.ledger.save_all(received)
        for drop in received:
            file = shown(drop.source_file)
            more = {"continues": drop.continues} if drop.continues else {}
            log.info("drop.claimed", drop=drop.drop_id, file=file, size=drop.size, **more)
        return received, left

    def _write_received(self, drop: Drop) -> None:
        """Write the receipt that the file was taken."""
        name = file_name(drop, RECEIVED)
        self.folders.outbox.write(drop.folder, name, [received_json(drop)], more_follows=True)

    def _hashed(self, drops: Sequence[Drop]) -> tuple[list[Drop], list[tuple[Drop, Exception]]]:
        hashed: list[Drop] = []
        left: list[tuple[Drop, Exception]] = []
        back = self.notes.back()
        for drop in drops:
            known = attempt(self._digested, drop, back)
            if isinstance(known, Exception):
                left.append((drop, known))
            elif known is not None:
                hashed.append(known)
        first = dict(self.ledger.first_with_bytes([drop.sha256 for drop in hashed]))
        named = []
        for drop in hashed:
            seq, drop_id = first.setdefault(drop.sha256, (drop.seq, drop.drop_id))
            named.append(replace(drop, same_as=drop_id if seq < drop.seq else None))
        return named, left

    def _digested(self, drop: Drop, back: Mapping[str, ReturnedFile]) -> Drop | None:
        path = self.folders.claimed_path(drop.drop_id, drop.source_file)
        if path is None:
            self.ledger.forget(drop)
            return None
        try:
            digest = self.folders.digest(path)
        except DropChanged as changed:
            self.back_to_waiting(drop, changed)
            return None
        this = ReturnedFile(folder=drop.folder, inode=digest.inode)
        continued = [earlier for earlier, each in back.items() if each == this]
        facts = DropFacts(mtime_ns=digest.mtime_ns, continues=continued[-1] if continued else None)
        return replace(
            drop, state=DropState.CLAIMED, size=digest.size, sha256=digest.sha256, facts=facts
        )


def received_json(drop: Drop) -> bytes:
    """Give ``received.json``: the receipt that is written as soon as a file is claimed.

    ``sha256`` is null as long as the file has not been read.
    """
    return json_text(
        {
            "schema": SCHEMA,
            "drop_id": drop.drop_id,
            "source_file": encodable(drop.source_file),
            "folder": encodable(drop.folder),
            "size": drop.size,
            "sha256": drop.sha256 or None,
            "received_at": utc_text(drop.received_at),
        }
    )
