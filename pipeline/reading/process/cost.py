"""The cost of reading one file, and the words for one that costs too much."""

from time import monotonic

from pipeline.core.errors import DropRefused, StorageError
from pipeline.core.file_facts import Source
from pipeline.reading.process.child_process import Child, Usage
from pipeline.reading.process.protocol import MB
from schemas.codes import Code
from schemas.display import shown

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
        hint="Save the table anew as CSV (UTF-8), or split it into several files; or raise "
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
