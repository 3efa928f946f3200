"""What a process has cost."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Usage:
    """``memory``: bytes of its own that are resident; mapped files do not count. ``seconds``: of
    processor time, since it began.
    """

    memory: int
    seconds: float
