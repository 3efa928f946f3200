"""Packages kept out while another is imported, which would take them and can do without."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


class _Absent:
    """Stands in the way of an import."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Raise ImportError for the packages; find nothing else."""
        del path, target
        if fullname in self._names:
            raise ImportError(fullname)


@contextmanager
def kept_out(*packages: str) -> Iterator[None]:
    """Inside the block these are not there, unless they are loaded already."""
    finder = _Absent(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
