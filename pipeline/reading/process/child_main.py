"""The process that reads: asked for a file or a few, it leaves the rows in their spools.

``pipeline.reading.process.reader_process`` is the other end, ``pipeline.reading.process.protocol``
says how they speak. Nothing else of the pipeline loads pandas, pandera and the native readers. A
file that makes any of them panic, or never end, ends this process and nothing more.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from errno import EFBIG
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import msgspec
from msgspec import Struct, field

from pipeline.core.errors import DropRefused, StorageError, UsageError
from pipeline.core.row_keys import RejectedRow
from pipeline.storage.memory import give_back
from schemas.codes import Code

if TYPE_CHECKING:
    from pipeline.core.draft import Sample
    from pipeline.core.model import ReadingSettings
    from pipeline.reading.process.protocol import Job, ReadingRules
    from pipeline.storage.spool import Spool


def main() -> NoReturn:
    """Serve the parent, whose process id is in ``argv``, until it wants no more."""
    parent = _Parent(*confine(int(sys.argv[2])))
    give_back()
    gc.disable()  # a sixth of the start: it looks again and again at modules, which all stay
    sys.modules["hypothesis"] = None  # type: ignore[assignment]  # pandera loads it where tests do
    from pipeline.reading import read_file  # noqa: F401 - the long part, while the parent imports its own
    from schemas.manifest import make_ready
    from schemas.profile import builtin_profiles

    builtin_profiles()
    make_ready()
    gc.freeze()
    gc.enable()
    _serve(parent)


class _Parent(Struct, frozen=True):
    """Who asks, and is asked."""

    asked: BinaryIO
    answers: BinaryIO

    def tell(self, answer: Mapping[str, Any]) -> None:
        try:
            line = msgspec.json.encode(answer)
        except (TypeError, ValueError) as error:  # text that is no Unicode, say, out of a name
            line = msgspec.json.encode({"bug": _traceback_of(error)})
        self.answers.write(line + b"\n")
        self.answers.flush()

    def read_message(self) -> Any:  # noqa: ANN401 - see protocol.asked
        """Return the next message; end this process when there will be none."""
        from pipeline.reading.process.protocol import as_asked

        line = self.asked.readline()
        if not line:
            leave()
        return as_asked(line)


class _Earlier(Struct, frozen=True):
    """Earlier drops, as far as the parent knows them; see ``returned_rejects.EarlierDrops``."""

    parent: _Parent
    spools: Path
    known: dict[str, str | None] = field(default_factory=dict)

    def courier(self, drop_id: str) -> str | None:
        """Return the courier of an earlier drop, or None if there is no such drop."""
        if drop_id not in self.known:
            self.parent.tell({"ask": drop_id})
            self.known[drop_id] = self.parent.read_message()
        return self.known[drop_id]

    def rejected_ids(self, drop_id: str) -> Mapping[tuple[str, int], tuple[tuple[str, str], ...]]:
        """Return sheets and order ids of an earlier drop's rows, by drop and row."""
        spool = self._spool(drop_id)
        return {(drop_id, row): seen for row, seen in spool.ids().items()} if spool else {}

    def rejected(self, drop_id: str) -> Mapping[tuple[str, int], tuple[RejectedRow, ...]]:
        """Return what is kept of an earlier drop's rows, by drop and row."""
        spool = self._spool(drop_id)
        return {(drop_id, row): kept for row, kept in spool.rejected().items()} if spool else {}

    def _spool(self, drop_id: str) -> "Spool | None":
        from pipeline.storage.spool import Spool

        # Only the id of a known drop becomes a path: the file may name anything.
        return None if self.courier(drop_id) is None else Spool(self.spools / drop_id)


def _serve(parent: _Parent) -> NoReturn:
    from math import ceil

    import pyarrow as pa

    from pipeline.reading.process.protocol import BURST, GRACE

    rules = parent.read_message()
    reading = _reading(rules)
    limit_memory(rules.memory + BURST)
    silence()
    parent.tell({})  # ready
    while True:
        wanted = parent.read_message()
        limit_seconds(ceil(wanted.seconds) + GRACE)
        if wanted.sample is not None:
            answers = [_draft(wanted.sample, reading)]
        else:
            answers = _read(wanted.jobs, reading, _Earlier(parent, rules.spools))
        pa.default_memory_pool().release_unused()  # the parent looks at what we keep
        for answer in answers:
            parent.tell(answer)


def _reading(rules: "ReadingRules") -> "ReadingSettings":
    from pipeline.core.model import ReadingSettings
    from schemas.profile import builtin_profiles, load_profile

    own = [load_profile(text, origin=origin) for origin, text in rules.profiles]
    return ReadingSettings(
        profiles={**builtin_profiles(), **{profile.name: profile for profile in own}},
        default=rules.default,
        limits=rules.limits,
        timezone=rules.timezone,
    )


def _read(
    jobs: Sequence["Job"], reading: "ReadingSettings", earlier: _Earlier
) -> list[dict[str, Any]]:
    """Read some files; whatever happens to one comes out as its answer."""
    from pipeline.reading.read_file import prepare_together

    ended = prepare_together(jobs, reading, earlier)
    return [_failed(one) if isinstance(one, Exception) else {"facts": one} for one in ended]


def _draft(sample: "Sample", reading: "ReadingSettings") -> dict[str, Any]:
    """Make a starting profile; whatever happens comes out as the answer."""
    from pipeline.reading.draft_sample import make_draft

    try:
        return {"draft": make_draft(sample, reading.limits, reading.profiles)}
    except UsageError as error:
        return {"usage": {"message": error.message, "hint": error.hint}}
    except Exception as error:  # noqa: BLE001 - sent to the parent, as with any other file
        return _failed(error)


def _failed(error: Exception) -> dict[str, Any]:
    """Return what is said of a file that was not read to its end."""
    match error:
        case DropRefused():
            return _refused(error)
        case MemoryError():  # Arrow's is one too
            return {"memory": True}
        case StorageError(__cause__=MemoryError()):
            return {"memory": True}
        case StorageError(__cause__=OSError(errno=errno)) if errno == EFBIG:
            return {"memory": True}
        case StorageError():
            return {"storage": {"message": error.message, "hint": error.hint}}
        case _:  # a bug: the parent logs it and keeps count
            return {"bug": _traceback_of(error)}


def _refused(refusal: DropRefused) -> dict[str, Any]:
    if refusal.code is Code.UNREADABLE and isinstance(refusal.__cause__, MemoryError):
        return {"memory": True}
    fields = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    return {"refused": fields}


def _traceback_of(error: BaseException) -> str:
    """Return the place and type of an error, not its words, which may hold cells."""
    parts = []
    at: BaseException | None = error
    while at is not None:
        parts.append("".join(traceback.format_tb(at.__traceback__)) + type(at).__qualname__)
        at = at.__cause__ or at.__context__
    return "\n\n".join(reversed(parts))


_PR_SET_PDEATHSIG = 1
_LEAVE_FIRST = "800"
"""When memory runs out, the kernel's choice should be this process (of -1000 to 1000)."""

LARGEST_FILE = 8 * 1024**3
"""Largest file in the spool, in bytes: twice what a workbook may unpack to."""


def confine(parent: int) -> tuple[BinaryIO, BinaryIO]:
    """Tie this process to its parent; return the pipes from it and to it.

    Signals of a terminal or a supervisor are for the parent to answer, which then ends us.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_LEAVE_FIRST, encoding="ascii")
    # Keep prints of libraries from getting between our messages.
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return asked, answers


def silence() -> None:
    """Close stderr: a native reader that panics quotes what it was reading."""
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)


def limit_memory(more: int) -> None:
    """Refuse this process more than so many bytes beyond what it has now.

    The last resort, for what grows faster than the parent looks, or asks for everything at once.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        status = BytesIO(Path("/proc/self/status").read_bytes())
        now = next(line for line in status if line.startswith(b"VmData:"))
        _limit(resource.RLIMIT_DATA, int(now.split()[1]) * 1024 + more)


def limit_seconds(more: int) -> None:
    """End this process (SIGXCPU) after so many more seconds of processor time.

    For a parent that is stopped, or gone where nothing tells us of it.
    """
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(spent.ru_utime + spent.ru_stime) + more + 1)


def _limit(what: int, value: int) -> None:
    """Set the soft limit: it can be moved again, but not past what the system allows."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, hard))


def _die_with(parent: int) -> None:
    """Have the kernel end us with our parent, however it ends."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it was quicker
        os._exit(0)


def leave() -> NoReturn:
    """End this process without taking it apart."""
    os._exit(0)
