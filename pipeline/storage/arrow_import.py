"""Arrow, as the service wants it: before anything else loads it."""

import sys
import threading
from collections.abc import Sequence
from types import ModuleType


class _WithoutPandas:
    """Finds no pandas for one thread. It stays among the finders, since others may be looking."""

    thread: int | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Raise ImportError for pandas; find nothing else."""
        del path, target
        if fullname == "pandas" and threading.get_ident() == self.thread:
            raise ImportError(fullname)


_WITHOUT_PANDAS = _WithoutPandas()


def make_ready() -> None:
    """Have Arrow do without pandas, which only the process that reads needs.

    Arrow imports pandas when it makes its first array, although it can do without: 33 MB in every
    service, worker and command, and a fifth of the time of a start. It looks for it once.
    """
    import numpy.ma  # noqa: F401 - loaded by Arrow anyway, with the first array out of numpy's
    import pyarrow as pa

    if _WITHOUT_PANDAS not in sys.meta_path:
        sys.meta_path.insert(0, _WITHOUT_PANDAS)
    _WITHOUT_PANDAS.thread = threading.get_ident()
    try:
        pa.array([])
    finally:
        _WITHOUT_PANDAS.thread = None
