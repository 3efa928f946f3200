"""Reading, contained: a file is read in a process of its own, within memory and time.

It reads files one after the other, since starting it costs more than reading most of them, and is
replaced when it has grown. What is said between the two is told by ``pipeline.agreement``, the
other end is ``pipeline.reader``.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from signal import SIGXCPU
from time import monotonic

import structlog
from pydantic import ValidationError

from pipeline.adapters.child import Child, ChildGone, Usage
from pipeline.adapters.naming import shown
from pipeline.adapters.spool import Spool
from pipeline.agreement import MB, Answer, OwnProfiles, ReadingRules, introduction, reply, request
from pipeline.codes import Code
from pipeline.errors import DropRefused, ReaderDied, StorageError
from pipeline.prepared import Facts, Source

log = structlog.get_logger(__name__)

Earlier = Callable[[str], str | None]
"""A drop id → the courier of that earlier drop, None if there is no such drop."""

_LOOK_SECONDS = 0.025
"""How often its memory is looked at: in this time a workbook was seen to take 50 MB."""

_START_SECONDS = 120.0
"""Time for its imports, on a machine that has much else to do."""

_SECONDS_PER_MB = 3.0
"""What a file's size adds to its time; on a quiet machine a workbook takes 0.3 s per MB, a CSV a
hundredth of that."""

_WALL = 4
"""How much longer than its processor time a file may take by the clock: waiting is no fault of its
own, but must end."""

_FILES, _SOMETIMES = 1_000, 20
_GROWN = 128 * MB
"""A process that has read so many files, or has kept so much memory, is replaced. 70 to 95 MB are
its imports. It is looked at after a file of a megabyte or more, else sometimes."""

_LARGE = 8 * MB
"""After a file of this size we need memory ourselves: where nobody waits for the next one, the
process makes room."""


class ReadingBug(Exception):
    """Our own fault, met in the other process. The message is its traceback without values."""


class ReadingStopped(Exception):
    """The file was not read to its end because reading as such was stopped."""


class Reader:
    """Has files read. One at a time; only ``stop`` may be called from another thread.

    ``child``: a process that was started already, before anything else was. ``own_profiles``: what
    ``rules.profiles`` would be now; when that has changed, another process reads the next file.
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
        self._always_ready = False
        self._lock = threading.Lock()

    def read(self, source: Source, spool: Spool, earlier: Earlier) -> Facts:
        """Read a file to its end into the spool.

        Raises DropRefused for one that cannot be taken at all or costs too much to read,
        StorageError when file or spool cannot be used, or no process started; ReaderDied when the
        process ended over this file; ReadingBug; ReadingStopped.
        """
        self._learn()
        size = _size(source.path)
        allowed = self._rules.seconds + size / MB * _SECONDS_PER_MB
        try:
            child = self._asked(request(source, spool, allowed))
            answer = self._answer(child, source, allowed, earlier)
        except ChildGone as gone:
            raise self._died(gone, source, allowed) from gone
        self._files += 1
        if self._is_worn(child, size):
            self._end()
            if self._always_ready:
                self._started()
        return self._facts(answer, source)

    def _learn(self) -> None:
        """Take in what somebody changed in the root's profiles since the last file."""
        own = self._own_profiles() if self._own_profiles else self._rules.profiles
        if own != self._rules.profiles:
            self._rules = replace(self._rules, profiles=own)
            if self._ready:  # it was told of the others
                self._end()

    def keep_ready(self) -> None:
        """Replace a process that had to go at once, not when the next file comes."""
        self._always_ready = True

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
        self._end()

    # -- the process ---------------------------------------------------------------------------

    def _asked(self, message: bytes) -> Child:
        """A process that has this message."""
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
        """A process that is ready to read."""
        if self._child is not None and self._ready:
            return self._child
        for again in (2, 1, 0):
            child = self._started()
            try:
                child.send(introduction(self._rules))
                self._await_ready(child)
            except ChildGone as gone:
                self._forget()
                if self._stopped:
                    raise ReadingStopped from gone
                log.warning("reader.not_started", signal=gone.signal, again=again)
            else:
                self._ready = True
                return child
        raise _not_started("It ended as soon as it was started, three times.")

    def _started(self) -> Child:
        with self._lock:
            if self._stopped:
                raise ReadingStopped
            if self._child is None:
                try:
                    self._child = Child()
                except OSError as error:
                    raise _not_started(f"{error.strerror}.") from error
            return self._child

    def _await_ready(self, child: Child) -> None:
        if child.receive(_START_SECONDS) is None:
            self._end()
            raise _not_started(f"It was not ready after {_START_SECONDS:.0f} s.")

    def _end(self) -> None:
        if self._child is not None:
            self._child.bury()
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._child, self._ready, self._files = None, False, 0

    def _is_worn(self, child: Child, size: int) -> bool:
        """Tell whether the process should go after a file of this size."""
        if self._files >= _FILES or (size >= _LARGE and not self._always_ready):
            return True
        usage = child.usage() if size >= MB or self._files % _SOMETIMES == 0 else None
        return usage is not None and usage.memory > _GROWN

    def _died(self, gone: ChildGone, source: Source, allowed: float) -> Exception:
        self._forget()
        if self._stopped:
            return ReadingStopped()
        if gone.signal == SIGXCPU:
            return _too_long(source, allowed)
        return ReaderDied(source.name, gone.signal)

    # -- one file ------------------------------------------------------------------------------

    def _answer(self, child: Child, source: Source, allowed: float, earlier: Earlier) -> Answer:
        """What it says of the file in the end."""
        watch = _Watch(child, allowed=allowed, memory=self._rules.memory)
        while True:
            line = child.receive(_LOOK_SECONDS)
            if line is None:
                watch.look()
                if watch.too_long:
                    self._end()
                    raise _too_long(source, allowed)
                if watch.too_large:
                    self._end()
                    raise self._too_large(source)
                continue
            try:
                answer = Answer.model_validate_json(line)
            except ValidationError:
                self._end()
                # Without what was said, and without the error's words: both may hold cells.
                raise ReadingBug("the answer has another form than agreed") from None
            if answer.ask is None:
                return answer
            child.send(reply(earlier(answer.ask)))

    def _facts(self, answer: Answer, source: Source) -> Facts:
        if answer.facts is not None:
            return answer.facts
        if answer.refused is not None:
            told = answer.refused
            raise DropRefused(told.code, told.message, hint=told.hint)
        if answer.storage is not None:
            raise StorageError(answer.storage.message, hint=answer.storage.hint)
        if answer.memory:
            raise self._too_large(source)
        raise ReadingBug(answer.bug or "it answered nothing")

    def _too_large(self, source: Source) -> DropRefused:
        return DropRefused(
            Code.READ_TOO_LARGE,
            f"{shown(source.name)} needs more than {self._rules.memory // MB:,} MB of memory to be "
            "read, and was given up.",
            hint="Save the table as CSV (UTF-8), which takes little memory, or split it into "
            "several files; or raise inbox.read_memory_mb.",
        )


class _Watch:
    """What reading one file has cost so far."""

    def __init__(self, child: Child, *, allowed: float, memory: int) -> None:
        self._child = child
        self._allowed = allowed
        self._memory = memory
        self._began = monotonic()
        self._before: Usage | None = None
        self._now: Usage | None = None
        self._waited = 0.0

    def look(self) -> None:
        """Take in what it has cost until now; most files are read before the first look."""
        self._now = self._child.usage()
        self._before = self._before or self._now
        self._waited = monotonic() - self._began

    @property
    def too_long(self) -> bool:
        """Its time is over: the processor's, or several times that by the clock."""
        spent = self._now.seconds - self._before.seconds if self._now and self._before else 0.0
        return spent > self._allowed or self._waited > self._allowed * _WALL

    @property
    def too_large(self) -> bool:
        """The process has more memory than it may."""
        return self._now is not None and self._now.memory > self._memory


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(f"{path.name} cannot be read: {error.strerror}.") from error


def _too_long(source: Source, allowed: float) -> DropRefused:
    return DropRefused(
        Code.READ_TOO_LONG,
        f"{shown(source.name)} was not read to its end in {allowed:,.1f} s of processor time, and "
        "was given up.",
        hint="Save the table anew as CSV (UTF-8), or split it into several files; or raise "
        "inbox.read_seconds.",
    )


def _not_started(why: str) -> StorageError:
    return StorageError(
        f"The process that reads files could not be started: {why}",
        hint="Look at what it wrote on stderr, and at the memory and the number of processes that "
        "this user may have.",
    )
