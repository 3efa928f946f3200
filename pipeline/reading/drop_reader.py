"""Claimed files read into their spools, small ones together, and the count of their tries."""

from collections.abc import Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from pipeline.core.errors import (
    DropChanged,
    DropRefused,
    ReaderDied,
    ReadingStopped,
    StorageError,
    Tried,
)
from pipeline.core.model import Drop, Facts, Source
from pipeline.core.profile_by_name import profile_of_drop
from pipeline.reading.process.protocol import Job
from pipeline.reading.process.reader_process import ReaderPool
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.root_folders import Folders
from pipeline.storage.spool import Spool, Spools
from schemas.codes import Code

log = structlog.get_logger(__name__)

MAX_TRIES = 3
"""A file that ends the process that reads it, or meets a bug, this often is quarantined."""

_UNSEEN_TRIES = 10
"""Tries without a recorded result (the service was killed) after which a file is refused."""


class ClaimedFiles(Struct, frozen=True, kw_only=True):
    """Reads the files of claimed drops into their spools, and counts the tries."""

    folders: Folders
    ledger: SqlLedger
    spools: Spools
    readers: ReaderPool

    def read(self, drops: Sequence[Drop]) -> list[Tried[Facts]]:
        """Read claimed drops into their spools.

        Returned is, in their order, the facts of each or what kept it from being read: DropChanged,
        and what ``ReaderProcess.read_together`` returns but ReaderDied; the file is then read once
        more, at once, because what was claimed later must be planned after it.

        A drop with a try that nobody saw the end of is read alone: should it be what ended the
        service, no other drop has to answer for it.
        """
        ended: dict[str, Tried[Facts]] = {}
        together: list[tuple[Drop, Spool]] = []
        for drop in drops:
            try:
                spool = self.spools.of(drop)
                tries = spool.tries.begin()
                _check_tries(tries, spool)
                if tries > 1 and len(drops) > 1:
                    spool.tries.end()  # it begins again when its turn comes
                else:
                    together.append((drop, spool))
            except (StorageError, DropRefused) as error:
                ended[drop.drop_id] = error
        for (drop, spool), one in zip(together, self._jobs(together), strict=True):
            ended[drop.drop_id] = self._ended(drop, spool, one)
        for drop in drops:
            if drop.drop_id not in ended:
                (ended[drop.drop_id],) = self.read([drop])
        return [ended[drop.drop_id] for drop in drops]

    def _ended(self, drop: Drop, spool: Spool, one: Tried[Facts]) -> Tried[Facts]:
        """Count a try, and read a file again at once that ended the process which read it."""
        try:
            while isinstance(one, ReaderDied):
                spool.tries.fail()
                tries = spool.tries.failed()
                log.error("drop.reader_died", drop=drop.drop_id, signal=one.signal, tries=tries)
                _check_tries(spool.tries.begin(), spool)
                (one,) = self._jobs([(drop, spool)])
            match one:
                case StorageError() | DropChanged():
                    spool.tries.end_all()  # not the file's fault, but the disk's, or its writer's
                case DropRefused():
                    pass
                case Exception() if not isinstance(one, ReadingStopped):
                    spool.tries.fail()
                case _:
                    spool.tries.end()
        except (StorageError, DropRefused) as error:
            return error
        return one

    def _jobs(self, drops: Sequence[tuple[Drop, Spool]]) -> list[Tried[Facts]]:
        """Have files read that are there, and make sure that they were as they were hashed."""
        jobs: list[tuple[int, Path, Job]] = []
        ended: dict[int, Tried[Facts]] = {}
        for at, (drop, spool) in enumerate(drops):
            try:
                path = self._path_of(drop)
            except (StorageError, DropRefused) as error:
                ended[at] = error
                continue
            source = Source(
                path=path, name=drop.source_file, named=drop.folder or None, now=drop.received_at
            )
            jobs.append((at, path, Job(source=source, spool=spool)))
        results = (
            self.readers.read_together([job for *_, job in jobs], self._courier) if jobs else []
        )
        for (at, path, _), one in zip(jobs, results, strict=True):
            ended[at] = self._unchanged(drops[at][0], path, one)
        return [ended[at] for at in range(len(drops))]

    def _unchanged(self, drop: Drop, path: Path, one: Tried[Facts]) -> Tried[Facts]:
        """Return the facts if the file is as it was hashed.

        Its writer may go on through our rename.

        A mapped file that is cut off ends who reads it, so that is looked at too.
        """
        if isinstance(one, Exception) and not isinstance(one, ReaderDied):
            return one
        try:
            if self.folders.digest(path).sha256 != drop.sha256:
                return DropChanged("it was written to after it was claimed")
        except (DropChanged, StorageError) as error:
            return error
        return one

    def _path_of(self, drop: Drop) -> Path:
        path = self.folders.claimed_path(drop.drop_id, drop.source_file)
        if path is None:
            raise DropRefused(
                Code.UNREADABLE,
                "The file disappeared from the work folder while it was being processed.",
                hint="Upload it again.",
            )
        return path

    def _courier(self, drop_id: str) -> str | None:
        """Return the profile that an earlier drop was read with, None if there is no such drop."""
        return profile_of_drop(drop_id, self.ledger.find)

    def stop(self) -> None:
        """Read nothing more: drops that are not planned wait for the next start. For any thread."""
        self.readers.stop()

    def end(self) -> None:
        """Stop when no ``read`` is under way: the other processes are gone after it."""
        self.readers.close()


def _check_tries(tries: int, spool: Spool) -> None:
    """Raise DropRefused when a file had all the tries that it may have."""
    if tries > _UNSEEN_TRIES or spool.tries.failed() >= MAX_TRIES:
        raise poison()


def poison() -> DropRefused:
    """Build the refusal of a file that we fail on every time."""
    return DropRefused(
        Code.PROCESSING_FAILED,
        f"Shipdrop failed on this file {MAX_TRIES} times. Nothing of it is sent any more.",
        hint="Save the file again and upload it once more; if it fails again, send it with the log "
        "to whoever runs Shipdrop.",
    )
