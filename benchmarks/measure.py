"""Running a program to its end, with its wall time, processor time and the memory of its tree."""

import os
import resource
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import psutil  # type: ignore[import-untyped]  # ships no types

_EVERY = 0.05
_PATIENCE = 600.0
"""A program that takes longer hangs; it is killed, and the run is broken."""

MB = 1_000_000


class RunBrokeError(Exception):
    """A program of the benchmark failed, so its figures mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """``seconds``: wall; ``cpu``: user and system; ``peak_mb``: RSS, summed over the tree."""

    seconds: float
    cpu: float
    peak_mb: float
    output: str


class MemoryWatch:
    """Samples the resident memory (RSS) of a process and its children every 50 ms.

    RSS, not PSS: a PSS sample walks the page tables and would slow what is measured. Pages that
    several processes share count for each, and mapped files count, so this is the upper bound.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0
        self._thread.start()

    def stop(self) -> None:
        """End the sampling."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            try:
                tree = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(each.memory_info().rss for each in tree))
            except psutil.Error:
                continue


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, allow: Sequence[int] = (0,)
) -> Ran:
    """Run a program. Raises RunBrokeError when its exit code is not in ``allow``."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=out, stderr=err
        )
        memory = MemoryWatch(process.pid)
        guard = threading.Timer(_PATIENCE, process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - began
        guard.cancel()
        memory.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in allow:
            raise RunBrokeError(
                f"{' '.join(command)} ended with {process.returncode}:\n{err.read()[-2000:]}"
            )
        # The kernel's own peak of the process catches what falls between two samples. It begins
        # with ours, as it was when we started it: no more than that tells nothing.
        kernels = usage.ru_maxrss if usage.ru_maxrss > ours else 0
        return Ran(
            seconds=seconds,
            cpu=usage.ru_utime + usage.ru_stime,
            peak_mb=max(memory.peak, kernels * 1024) / MB,
            output=out.read(),
        )
