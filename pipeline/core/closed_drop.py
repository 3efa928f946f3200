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
    """The reason why a drop is not finished."""

    API = "api"
    EARLIER = "earlier"
    """Another drop, or an earlier status of an order, comes first."""
    STORAGE = "storage"
    BUG = "bug"


class OpenReason(Struct, frozen=True, kw_only=True):
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


class StillOpen(Struct, frozen=True, kw_only=True):
    """A drop that was reported and is not finished.

    ``only_waiting_left``: only rows that wait for other drops are left. ``progressed``: rows got
    their outcome, so drops that wait for this one are looked at again.
    """

    drop: Drop
    open_reason: OpenReason
    only_waiting_left: bool = False
    progressed: bool = True
