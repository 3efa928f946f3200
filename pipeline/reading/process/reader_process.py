"""The processes that read: started when they are needed, asked, watched, ended.

One reads files one after the other, since starting it costs more than reading most of them, and is
replaced when it has grown. Of a pool of them a free one takes the next file.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGXCPU
from time import monotonic

import structlog
from msgspec.structs import replace

from pipeline.core.draft import ProfileDraft, Sample
from pipeline.core.errors import (
    DropRefused,
    ReaderDied,
    ReadingStopped,
    StorageError,
    Tried,
    UsageError,
)
from pipeline.core.model import Facts, Source
from pipeline.reading.process.child_process import Child, ChildGone, Usage
from pipeline.reading.process.protocol import (
    MB,
    Job,
    OwnProfiles,
    ReaderMessage,
    ReadingRules,
    Request,
    answer_of,
    asked,
)
from pipeline.storage.spool import Spool
from schemas.codes import Code
from schemas.display import shown

log = structlog.get_logger(__name__)

CourierOf = Callable[[str], str | None]
"""A drop id → the courier of that earlier drop, None if there is no such drop."""

_LOOK_SECONDS = 0.025
"""How often its memory is looked at: in this time a workbook was seen to take 50 MB."""

_START_SECONDS = 120.0
"""Time for its imports, on a machine that has much else to do."""

_SECONDS_PER_MB = 3.0
"""Seconds that each MB of a file adds; on a quiet machine a workbook takes 0.3 s per MB, a CSV a
hundredth of that."""

_BATCH_SECONDS = 2.0
"""Seconds of processor for several small files, which take some hundredths; what takes longer is
soon read alone, with all the time it may take."""

_FILES, _SOMETIMES = 1_000, 20
_GROWN = 128 * MB
"""A process that has read so many files, or has kept so much memory, is replaced. 70 to 95 MB are
its imports. It is looked at after a file of a megabyte or more, else sometimes."""

_LARGE = 8 * MB
"""After a file of this size we need memory ourselves: where nobody waits for the next one, the
process makes room."""


class ReadingBug(Exception):
    """Our own fault, met in the other process. The message is its traceback without values."""


_WALL = 4
"""How much longer than its processor time a file may take by the clock: waiting is no fault of its
own, but must end."""


class Watch:
    """The cost of reading so far. ``allowed``: seconds of processor time."""

    def __init__(self, child: Child, *, allowed: float, memory: int) -> None:
        self._child = child
        self.allowed = allowed
        self._memory = memory
        self._began = monotonic()
        self._before: Usage | None = None
        self._now: Usage | None = None
        self._waited = 0.0

    def look(self) -> None:
        """Measure the cost until now; most files are read before the first look."""
        self._now = self._child.usage()
        self._before = self._before or self._now
        self._waited = monotonic() - self._began

    @property
    def too_long(self) -> bool:
        """Return whether its time is over: the processor's, or several times that by the clock."""
        spent = self._now.seconds - self._before.seconds if self._now and self._before else 0.0
        return spent > self.allowed or self._waited > self.allowed * _WALL

    @property
    def too_large(self) -> bool:
        """Return whether the process has more memory than it may."""
        return self._now is not None and self._now.memory > self._memory


def too_long(source: Source, allowed: float) -> DropRefused:
    """Return the refusal of a file that took more than the time it may take."""
    return DropRefused(
        Code.READ_TOO_LONG,
        f"{shown(source.name)} was not read to its end in {allowed:,.1f} s of processor time, and "
        "was given up.",
        hint="Save the table as CSV (UTF-8), or split it into several files; or raise "
        "inbox.read_seconds.",
    )


def not_started(why: str) -> StorageError:
    """Return the error that no process could be started. ``why``: a sentence."""
    return StorageError(
        f"The process that reads files could not be started: {why}",
        hint="Look at what it wrote on stderr, and at the memory and the number of processes that "
        "this user may have.",
    )


def not_startable(error: OSError) -> StorageError:
    """Return the same, where the system did not even let it begin."""
    of = f"{shown(error.filename, 1_000)}: " if isinstance(error.filename, str) else ""
    return not_started(f"{of}{error.strerror or error}.")


def too_large(source: Source, memory: int) -> DropRefused:
    """Return the refusal of a file that took more than so many bytes of memory."""
    return DropRefused(
        Code.READ_TOO_LARGE,
        f"{shown(source.name)} needs more than {memory // MB:,} MB of memory to be "
        "read, and was given up.",
        hint="Save the table as CSV (UTF-8), which takes little memory, or split it into "
        "several files; or raise inbox.read_memory_mb.",
    )


class ReaderProcess:
    """Has files read by one process. One at a time; ``stop`` may be called from another thread.

    ``child``: a process that was started already, before anything else was. ``own_profiles``: what
    ``rules.profiles`` would be now; when that has changed, another process reads the next file.
    ``stays``: the process is wanted for the next file, however large the last one was.
    """

    def __init__(
        self,
        rules: ReadingRules,
        child: Child | None = None,
        *,
        own_profiles: Callable[[], OwnProfiles] | None = None,
    ) -> None:
        self._rules = rules
        self._own_profiles = own_profiles
        self._child = child
        self._ready = False
        self._files = 0
        self._stopped = False
        self.stays = False
        self._lock = threading.Lock()

    def read_together(self, jobs: Sequence[Job], earlier: CourierOf) -> list[Tried[Facts]]:
        """Read files to their ends into their spools; small ones cost less together.

        Returns the result of each, or its exception: DropRefused for one that cannot be taken at
        all or costs too much to read, StorageError when file or spool cannot be used, or no process
        started; ReaderDied when the process ended over this file; ReadingBug; ReadingStopped.
        Where reading them together ends the process, or costs too much, each is read alone: so it
        is seen which one it was, and only that one has to answer for it.
        """
        if len(jobs) > 1:
            try:
                return self._read(jobs, earlier)
            except (ReaderDied, DropRefused, ReadingBug) as error:
                log.warning("reader.one_by_one", files=len(jobs), reason=type(error).__name__)
            except (StorageError, ReadingStopped) as error:
                return [error] * len(jobs)
        return [self._alone(job, earlier) for job in jobs]

    def draft(self, sample: Sample) -> ProfileDraft:
        """Have a starting profile made from a sample.

        Raises what ``read_together`` returns, and UsageError.
        """
        self._learn()
        name = sample.path.name
        source = Source(path=sample.path, name=name, named=None, now=datetime.now(UTC))
        allowed = self._rules.seconds + _size(sample.path) / MB * _SECONDS_PER_MB
        try:
            child = self._asked(Request(sample=sample, seconds=allowed))
            watch = Watch(child, allowed=allowed, memory=self._rules.memory)
            answer = self._answer(child, source, watch, lambda _: None)
        except ChildGone as gone:
            raise self._died(gone, source, allowed) from gone
        self._files += 1
        if answer.draft is not None:
            return answer.draft
        if answer.usage is not None:
            raise UsageError(answer.usage.message, hint=answer.usage.hint)
        failed = self._facts(answer, source)
        raise failed if isinstance(failed, Exception) else ReadingBug("it answered another thing")

    def _alone(self, job: Job, earlier: CourierOf) -> Tried[Facts]:
        try:
            (ended,) = self._read([job], earlier)
        except (ReaderDied, DropRefused, ReadingBug, StorageError, ReadingStopped) as error:
            return error
        return ended

    def _read(self, jobs: Sequence[Job], earlier: CourierOf) -> list[Tried[Facts]]:
        """Ask for these files. Raises the error that ended the process over one of them."""
        self._learn()
        size = sum(_size(job.source.path) for job in jobs)
        seconds = (
            self._rules.seconds if len(jobs) == 1 else min(self._rules.seconds, _BATCH_SECONDS)
        )
        allowed = seconds + size / MB * _SECONDS_PER_MB
        try:
            child = self._asked(Request(jobs=tuple(jobs), seconds=allowed))
            watch = Watch(child, allowed=allowed, memory=self._rules.memory)
            answers = [self._answer(child, job.source, watch, earlier) for job in jobs]
        except ChildGone as gone:
            raise self._died(gone, jobs[0].source, allowed) from gone
        self._files += len(jobs)
        if self._is_worn(child, size, len(jobs)):
            self.end()
        if len(jobs) > 1 and any(answer.memory for answer in answers):
            self.end()  # it may be what all of them need together
            raise too_large(jobs[0].source, self._rules.memory)
        return [self._facts(answer, job.source) for answer, job in zip(answers, jobs, strict=True)]

    def _learn(self) -> None:
        """Load the root's profiles that were changed since the last file."""
        own = self._own_profiles() if self._own_profiles else self._rules.profiles
        if own != self._rules.profiles:
            self._rules = replace(self._rules, profiles=own)
            if self._ready:  # the others were sent to it
                self.end()

    @property
    def has_process(self) -> bool:
        """Return whether a process is there, with its imports done or under way."""
        return self._child is not None

    def start(self) -> None:
        """Start the process, if none is there. Raises StorageError, ReadingStopped."""
        self._started()

    def end(self) -> None:
        """End the process, if one is there; the next file gets another."""
        if self._child is not None:
            self._child.reap()
        self._forget()

    def stop(self) -> None:
        """End the process, whatever it is doing; nothing is read any more. For any thread."""
        with self._lock:
            self._stopped = True
            child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """Let go of everything. No ``read`` may be under way."""
        self.stop()
        self.end()

    # -- the process ---------------------------------------------------------------------------

    def _asked(self, request: Request) -> Child:
        """Return a process that has this request."""
        message = asked(request)
        try:
            child = self._at_hand()
            child.send(message)
        except ChildGone as gone:
            # It ended while it had nothing to do: that is not this file's fault.
            self._forget()
            log.warning("reader.gone", signal=gone.signal)
            child = self._at_hand()
            child.send(message)
        return child

    def _at_hand(self) -> Child:
        """Return a process that is ready to read."""
        if self._child is not None and self._ready:
            return self._child
        for again in (2, 1, 0):
            child = self._started()
            try:
                child.send(asked(self._rules))
                self._await_ready(child)
            except ChildGone as gone:
                self._forget()
                if self._stopped:
                    raise ReadingStopped from gone
                log.warning("reader.not_started", signal=gone.signal, again=again)
            else:
                self._ready = True
                return child
        raise not_started("It ended as soon as it was started, three times.")

    def _started(self) -> Child:
        with self._lock:
            if self._stopped:
                raise ReadingStopped
            if self._child is None:
                try:
                    self._child = Child()
                except OSError as error:
                    raise not_startable(error) from error
            return self._child

    def _await_ready(self, child: Child) -> None:
        if child.receive(_START_SECONDS) is None:
            self.end()
            raise not_started(f"It was not ready after {_START_SECONDS:.0f} s.")

    def _forget(self) -> None:
        with self._lock:
            self._child, self._ready, self._files = None, False, 0

    def _is_worn(self, child: Child, size: int, files: int) -> bool:
        """Return whether the process should go after so many files of this size in all."""
        if self._files >= _FILES or (size >= _LARGE and not self.stays):
            return True
        usage = child.usage() if size >= MB or self._files % _SOMETIMES < files else None
        return usage is not None and usage.memory > _GROWN

    def _died(self, gone: ChildGone, source: Source, allowed: float) -> Exception:
        self._forget()
        if self._stopped:
            return ReadingStopped()
        if gone.signal == SIGXCPU:
            return too_long(source, allowed)
        return ReaderDied(source.name, gone.signal)

    # -- one file ------------------------------------------------------------------------------

    def _answer(
        self, child: Child, source: Source, watch: Watch, earlier: CourierOf
    ) -> ReaderMessage:
        """Return what it says of the file in the end."""
        while True:
            line = child.receive(_LOOK_SECONDS)
            if line is None:
                watch.look()
                if watch.too_long:
                    self.end()
                    raise too_long(source, watch.allowed)
                if watch.too_large:
                    self.end()
                    raise too_large(source, self._rules.memory)
                continue
            try:
                answer = answer_of(line)
            except ValueError:
                self.end()
                # Without what was said, and without the error's words: both may hold cells.
                raise ReadingBug("the answer has another form than agreed") from None
            if answer.ask is None:
                return answer
            child.send(asked(earlier(answer.ask)))

    def _facts(self, answer: ReaderMessage, source: Source) -> Tried[Facts]:
        if answer.facts is not None:
            return answer.facts
        if answer.refused is not None:
            refusal = answer.refused
            return DropRefused(refusal.code, refusal.message, hint=refusal.hint)
        if answer.storage is not None:
            return StorageError(answer.storage.message, hint=answer.storage.hint)
        if answer.memory:
            return too_large(source, self._rules.memory)
        return ReadingBug(answer.bug or "it answered nothing")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # who is asked to read it says what is wrong


class ReaderPool:
    """Has files read, ``at_once`` of them at a time at most; for any thread.

    A process that is there already is taken before another is started: starting one takes longer
    than reading most files. When nothing is read, one stays at most.
    ``child``, ``own_profiles``: see ``ReaderProcess``.
    """

    def __init__(
        self,
        rules: ReadingRules,
        child: Child | None = None,
        *,
        own_profiles: Callable[[], OwnProfiles] | None = None,
        at_once: int = 2,
    ) -> None:
        first = ReaderProcess(rules, child, own_profiles=own_profiles)
        others = (ReaderProcess(rules, own_profiles=own_profiles) for _ in range(at_once - 1))
        self._all = (first, *others)
        self._free = list(self._all)
        self._changed = threading.Condition()
        self._keeps_ready = False

    def read(self, source: Source, spool: Spool, earlier: CourierOf) -> Facts:
        """Read a file to its end into the spool; waits while all processes read others.

        Raises what ``ReaderProcess.read_together`` returns.
        """
        (ended,) = self.read_together([Job(source=source, spool=spool)], earlier)
        if isinstance(ended, Exception):
            raise ended
        return ended

    def read_together(self, jobs: Sequence[Job], earlier: CourierOf) -> list[Tried[Facts]]:
        """Read small files, which cost less together. Returns each result, or the exception."""
        reader = self._taken()
        try:
            return reader.read_together(jobs, earlier)
        finally:
            self._give_back(reader)

    def draft(self, sample: Sample) -> ProfileDraft:
        """Have a starting profile made from a sample. Raises as ``ReaderProcess``."""
        reader = self._taken()
        try:
            return reader.draft(sample)
        finally:
            self._give_back(reader)

    def keep_ready(self) -> None:
        """Have a process ready for the next file whenever nothing is read.

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

    def _taken(self) -> ReaderProcess:
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            reader = next((each for each in self._free if each.has_process), self._free[0])
            self._free.remove(reader)
            return reader

    def _give_back(self, reader: ReaderProcess) -> None:
        with self._changed:
            if any(each.has_process for each in self._free):
                reader.end()
            self._free.append(reader)
            if self._keeps_ready and not any(each.has_process for each in self._free):
                # Whoever needs it tries again, and says why it fails.
                with suppress(StorageError, ReadingStopped):
                    reader.start()
            self._changed.notify()
