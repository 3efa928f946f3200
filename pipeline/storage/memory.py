"""Choose how this process gets memory from the system, and gives it back.

Planning a large file holds large arrays for a moment each. Arrow's own allocator keeps what was
freed, per thread; glibc's learns to keep it too, once it has seen some. With both, the process
would keep the peak memory of every step.
"""

import ctypes
import os
import sys

MMAP_FROM = 1 * 1024 * 1024
"""Arrays from this size on are asked of the system, and given back, one by one. Smaller ones come
and go in thousands: each would cost the pages it touches anew."""

TRIM_FROM = 16 * 1024 * 1024
"""Free bytes that stay at the end of a heap."""

HEAPS = 1
"""All threads share one heap: each more keeps holes of what it has once had, 8 MB where files are
read. Large arrays do without a heap, and small objects of Python's have pools of their own."""

LARGE = 50_000
"""Rows from which on a step leaves megabytes free."""

POOL = "ARROW_DEFAULT_MEMORY_POOL"
"""The variable that Arrow reads, set for this process only: others did not call ``mallopt``."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def give_back() -> None:
    """Have Arrow use the system's allocator, and give large blocks back at once.

    Called before there are threads, each of which might get a heap of its own; Arrow may still have
    to be loaded. Without glibc only the first half of it.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        os.environ[POOL] = "system"  # it looks there when it is loaded
    else:
        arrow.set_memory_pool(arrow.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MMAP_FROM)
        mallopt(_M_TRIM_THRESHOLD, TRIM_FROM)
        mallopt(_M_ARENA_MAX, HEAPS)


def trim(rows: int) -> None:
    """Give back to the system what a step with the arrays of so many rows has left free.

    Of a few rows it would take longer than it is worth.
    """
    if rows >= LARGE:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()  # of the system's allocator: all that is free


def keep_pandas_out() -> None:
    """Make Arrow do without pandas, which only the process that reads needs.

    Arrow imports pandas when it makes its first array, although it can do without: 33 MB and 0.3 s
    of processor time in every service, worker and command. It looks for it once.
    """
    import numpy.ma  # noqa: F401 - loaded by Arrow anyway, with the first array out of numpy's
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finds no pandas."""

    @staticmethod
    def find_spec(fullname: str, _path: object, _target: object = None) -> None:
        """Raise ImportError for pandas; find nothing else."""
        if fullname == "pandas":
            raise ImportError(fullname)
