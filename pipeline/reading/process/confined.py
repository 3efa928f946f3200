"""Give up the rights that a process which reads strangers' files does not need.

Called in that process only. Linux has all of it; elsewhere what is missing is left out, and the
limits that the parent keeps (``pipeline.reading.process``) are what remains.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NoReturn

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
    # Whatever some library prints must not get between our messages.
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
