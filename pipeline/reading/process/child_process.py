"""A process of our own that does risky work: started, spoken to, looked after, ended.

Messages are single lines of bytes, one way on its stdin, the other on its stdout. What comes back
is bytes too: what they mean, and whether to believe them, is for the caller to decide.

Light on purpose (no pathlib, no record): a child that is started before anything else is
imported gets its own imports done beside ours.
"""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from io import RawIOBase
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from concurrent.futures import Executor


_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))  # noqa: PTH120 - as above
"""Where our packages lie, if they are not installed."""

_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from pipeline.reading.process.child_main import main; main()"
)
"""Not ``-m``: that would look for modules in the current folder first, and somebody who checks
files in an inbox stands in a folder that strangers write to."""

_PIECE = 1 << 16
_LONGEST = 64 * 1024 * 1024
"""More than this in one message is not an answer: 1,000 headings in each of many sheets is less."""


class Usage(NamedTuple):
    """Tell what a process has cost.

    ``memory``: bytes of its own that are resident; mapped files do not count. ``seconds``: of
    processor time, since it began. No struct: this module is loaded before all others.
    """

    memory: int
    seconds: float


class ChildGone(Exception):
    """The child is no more. ``signal``: what ended it, 0 if it left by itself."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child ended with {code}")
        self.signal = max(0, -code)


def _started(env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the process in a thread that lives as long as we do.

    It asks the kernel to be ended with its parent (``confine``), and by that the kernel means the
    thread that started it: those that answer a page's requests come and go.
    """
    if threading.current_thread() is threading.main_thread():
        return _popen(env)
    return _lasting_thread().submit(_popen, env).result()


@cache
def _lasting_thread() -> "Executor":
    from concurrent.futures import ThreadPoolExecutor  # the first start is the main thread's

    return ThreadPoolExecutor(1, thread_name_prefix="starts")


def _popen(env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-c", _BOOT, _HOME, str(os.getpid()), "(shipdrop reads files)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        bufsize=0,
        process_group=0,  # Ctrl-C in a terminal is for us, not for it
    )


class Child:
    """One process. Everything but ``kill`` is called by one thread at a time."""

    def __init__(self) -> None:
        # No token and no address: whoever reads strangers' files need not know them.
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith("SHIPDROP_")
        }
        # Arrow's own allocator reserves a gigabyte in advance, and no limit could tell it from use.
        clean["ARROW_DEFAULT_MEMORY_POOL"] = "system"
        self._process = _started(clean)
        self._in, self._out = (
            cast("RawIOBase", self._process.stdin),
            cast("RawIOBase", self._process.stdout),
        )
        self._poll = select.poll()
        self._poll.register(self._out.fileno(), select.POLLIN)
        self._buffer = bytearray()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Give it a message without line ends. Raises ChildGone."""
        rest = memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[self._in.write(rest) :]
        except (BrokenPipeError, ValueError) as error:
            raise self._gone() from error

    def receive(self, seconds: float) -> bytes | None:
        """Return its next message; None when there is none within so many seconds.

        Raises ChildGone.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if not self._poll.poll(seconds * 1000):
                return None
            piece = None if self._out.closed else self._out.read(_PIECE)
            if not piece or len(self._buffer) > _LONGEST:
                raise self._gone()
            self._buffer += piece
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def usage(self) -> "Usage | None":
        """Return what it has cost so far; None where the system does not tell."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:  # noqa: PTH123 - every 25 ms
                pages = file.read().split()
            with open(f"/proc/{self.pid}/stat", "rb") as file:  # noqa: PTH123 - the same
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return None
        if len(pages) < _SHARED + 1 or len(fields) < _SYSTEM_TIME + 1:
            return None
        own = int(pages[_RESIDENT]) - int(pages[_SHARED])
        ticks = int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])
        return Usage(memory=own * _PAGE, seconds=ticks / _TICKS)

    def kill(self) -> None:
        """End it at once; it has nothing that could be lost. May be called again, by any thread."""
        self._process.kill()

    def reap(self) -> int:
        """End it, wait for it, let go of its pipes. Returns its exit code, -n for signal n."""
        self._process.kill()
        code = self._process.wait()
        self._in.close()
        self._out.close()
        return code

    def _gone(self) -> ChildGone:
        try:
            # Its end of the pipe is closed, so it is ending; a moment later it has ended.
            self._process.wait(timeout=_LAST_MOMENT)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return ChildGone(self.reap())


_LAST_MOMENT = 5.0
_RESIDENT, _SHARED = 1, 2
_USER_TIME, _SYSTEM_TIME = 11, 12
_PAGE, _TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
