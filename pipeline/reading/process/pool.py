"""A pool of reading processes: a free one takes the next file."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from pipeline.core.draft import ProfileDraft, Sample
from pipeline.core.errors import ReadingStopped, StorageError, Tried
from pipeline.core.file_facts import Facts, Source
from pipeline.reading.process.child_process import Child
from pipeline.reading.process.protocol import Job, OwnProfiles, ReadingRules
from pipeline.reading.process.reader_process import CourierOf, Reader
from pipeline.storage.spool import Spool


class Readers:
    """Has files read, ``at_once`` of them at a time at most; for any thread.

    A process that is there already is taken before another is started: starting one takes longer
    than reading most files. When nothing is read, one stays at most.
    ``child``, ``own_profiles``: see ``Reader``.
    """

    def __init__(
        self,
        rules: ReadingRules,
        child: Child | None = None,
        *,
        own_profiles: Callable[[], OwnProfiles] | None = None,
        at_once: int = 2,
    ) -> None:
        first = Reader(rules, child, own_profiles=own_profiles)
        others = (Reader(rules, own_profiles=own_profiles) for _ in range(at_once - 1))
        self._all = (first, *others)
        self._free = list(self._all)
        self._changed = threading.Condition()
        self._keeps_ready = False

    def read(
        self, source: Source, spool: Spool, earlier: CourierOf, *, beside: bool = False
    ) -> Facts:
        """Read a file to its end into the spool; waits while all processes read others.

        ``beside``: it takes long, and others shall not wait for it. Raises what ``Reader.read``
        does.
        """
        (ended,) = self.read_together([Job(source=source, spool=spool)], earlier, beside=beside)
        if isinstance(ended, Exception):
            raise ended
        return ended

    def read_together(
        self, jobs: Sequence[Job], earlier: CourierOf, *, beside: bool = False
    ) -> list[Tried[Facts]]:
        """Read small files, which cost less together. Returns each result, or the exception."""
        reader = self._taken()
        try:
            if beside:
                self._have_one_ready()
            return reader.read_together(jobs, earlier)
        finally:
            self._give_back(reader)

    def draft(self, sample: Sample) -> ProfileDraft:
        """Have a starting profile made from a sample. Raises as ``Reader.draft``."""
        reader = self._taken()
        try:
            return reader.draft(sample)
        finally:
            self._give_back(reader)

    def keep_ready(self) -> None:
        """Have a process ready for the next file, also while another is read ``beside``.

        For a service: one that had to go is replaced at once, not when that file comes.
        """
        self._keeps_ready = True
        for reader in self._all:
            reader.stays = True

    def stop(self) -> None:
        """End all processes, whatever they are doing; nothing is read any more."""
        for reader in self._all:
            reader.stop()

    def close(self) -> None:
        """Let go of everything. No ``read`` may be under way."""
        for reader in self._all:
            reader.close()

    def _taken(self) -> Reader:
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            reader = next((each for each in self._free if each.has_process), self._free[0])
            self._free.remove(reader)
            return reader

    def _give_back(self, reader: Reader) -> None:
        with self._changed:
            if any(each.has_process for each in self._free):
                reader.end()
            self._free.append(reader)
            self._have_one_ready()
            self._changed.notify()

    def _have_one_ready(self) -> None:
        """Start a process for the next file, where one is to be ready and none is."""
        with self._changed:
            if not self._keeps_ready or not self._free or any(e.has_process for e in self._free):
                return
            # Whoever needs it tries again, and says why it fails.
            with suppress(StorageError, ReadingStopped):
                self._free[0].start()
