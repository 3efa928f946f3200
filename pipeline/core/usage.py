"""What a process has cost."""

from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """``memory``: bytes of its own that are resident; mapped files do not count. ``seconds``: of
    processor time, since it began.
    """

    memory: int
    seconds: float
