"""Packages kept out while another is imported, which would take them and can do without."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

_away = threading.local()


class _Absent:
    """Stands in the way of what this thread imports; it stays, and lets others pass."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Raise ImportError for the packages; find nothing else."""
        del path, target
        if fullname in getattr(_away, "names", ()):
            raise ImportError(fullname)


_ABSENT = _Absent()


@contextmanager
def kept_out(*packages: str) -> Iterator[None]:
    """Inside the block these are not there for this thread, unless they are loaded already.

    Called for the first time before there are threads: who imports walks the list of finders.
    """
    if _ABSENT not in sys.meta_path:
        sys.meta_path.insert(0, _ABSENT)
    _away.names = packages
    try:
        yield
    finally:
        _away.names = ()
