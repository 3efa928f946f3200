"""A drop that is closed, or why it is still open."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from pipeline.core.model import Drop


class Closed(Struct, frozen=True, kw_only=True):
    """A drop that is closed, with the object of its summary."""

    drop: Drop
    summary: Mapping[str, Any]


class Cause(StrEnum):
    """Whose matter it is that a drop rests."""

    API = "api"
    EARLIER = "earlier"
    """That of a drop, or of a status of an order, that comes before."""
    STORAGE = "storage"
    BUG = "bug"


class Rest(Struct, frozen=True, kw_only=True):
    """Why a drop is open, and what to do. ``reason`` is never empty.

    ``waits_for``: drops with the same orders that have to end first; ``file``: its file.
    """

    reason: str
    hint: str = ""
    cause: Cause = Cause.API
    waits_for: tuple[str, ...] = ()
    file: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a summary has it."""
        return {
            "reason": self.reason,
            "hint": self.hint,
            "cause": self.cause.value,
            "waits_for": list(self.waits_for),
        }


class LeftOpen(Struct, frozen=True, kw_only=True):
    """A drop that was reported and is not finished.

    ``through``: nothing of it is left but what waits for other drops. ``moved``: it was sent on, so
    that who waits for it may wait no more.
    """

    drop: Drop
    rest: Rest
    through: bool = False
    moved: bool = True
