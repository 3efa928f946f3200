"""Statements of the ledger that are compiled once for a process, not once for each ledger.

SQLAlchemy keeps what it compiles with the engine: right for a service, which has one. A process
of tests opens hundreds.
"""

from typing import Any


class _Compiled(dict[Any, Any]):
    """Compiled statements of all engines for one kind of database, whichever compiled them."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


def share_compiled(dialect: type[Any]) -> None:
    """Have all ledgers of one kind that this process opens share their compiled statements."""
    compiled, make = _Compiled(), dialect.engine

    def engine(self: Any) -> Any:
        made = make(self)
        made._compiled_cache = compiled
        return made

    dialect.engine = engine
