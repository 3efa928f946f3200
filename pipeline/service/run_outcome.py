"""The result of a run, and its exit code."""

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pipeline.core.shipment import Cause, Closed, OpenReason
from pipeline.inbox.scan import Waiting
from schemas.display import counted
from schemas.vocabulary import FOR_A_PERSON

if TYPE_CHECKING:
    from pipeline.core.shipment import SendingStop


class Exit(IntEnum):
    """Exit codes of the contract. The highest of 3, 4, 5 that applies wins."""

    FINE = 0
    BUG = 1
    USAGE = 2
    NEEDS_PERSON = 3
    REFUSED = 4
    UNREACHABLE = 5
    BUSY = 75
    INTERRUPTED = 130


def rows_for_a_person(closed: Closed) -> int:
    """Count the rows of a drop that a person has to look at."""
    return sum(closed.summary["rows"][name] for name in FOR_A_PERSON)


_BY_CAUSE = {
    Cause.BUG: Exit.BUG,
    Cause.STORAGE: Exit.USAGE,
    Cause.API: Exit.UNREACHABLE,
    Cause.EARLIER: Exit.UNREACHABLE,
}
"""Causes, the one that decides first: trouble here goes before trouble of the API."""


class RunOutcome(Struct, frozen=True, kw_only=True):
    """The result of a run.

    ``refused``: closed drops that were refused; ``for_a_person``: rows of the others that need one.
    ``open``: drop id → why it is not finished. ``left``: files that did not become ready in time.
    ``shut``: why nothing is being sent, if so. ``died``: what ended the thread that delivers, a
    bug: nothing could be sent any more.
    """

    refused: int = 0
    for_a_person: int = 0
    open: Mapping[str, OpenReason] = field(default_factory=dict)
    left: tuple[Waiting, ...] = ()
    shut: "SendingStop | None" = None
    died: str = ""

    @property
    def exit(self) -> Exit:
        """Return the exit code of ``run --once``."""
        if self.died:
            return Exit.BUG
        for cause, code in _BY_CAUSE.items():
            if self._resting(cause):
                return code
        if self.shut is not None and self.shut.held:
            return Exit.UNREACHABLE
        if self.refused:
            return Exit.REFUSED
        return Exit.NEEDS_PERSON if self.left or self.for_a_person else Exit.FINE

    @property
    def is_for_a_person(self) -> bool:
        """Return True when the outbox has something for a person to do."""
        code = self.exit
        return code is Exit.REFUSED or (code is Exit.NEEDS_PERSON and self.for_a_person > 0)

    @property
    def why(self) -> str:
        """Return the reason for the exit code, in words."""
        match self.exit:
            case Exit.BUG if self.died:
                return f"Shipdrop failed while sending, a bug ({self.died}); the log says how."
            case Exit.BUG:
                return self._reason_in_words(Cause.BUG)
            case Exit.USAGE:
                return self._reason_in_words(Cause.STORAGE)
            case Exit.UNREACHABLE:
                open_reason = next(iter(self.open.values())) if self.open else OpenReason(reason="")
                reason = self.shut.reason if self.shut else open_reason.reason
                hint = self.shut.hint if self.shut else open_reason.hint
                return f"{counted(len(self.open), 'file')} not sent yet. {reason} {hint}".rstrip()
            case Exit.REFUSED:
                return "a file was refused"
            case Exit.NEEDS_PERSON if self.for_a_person:
                return f"{counted(self.for_a_person, 'row')} to correct or look up"
            case Exit.NEEDS_PERSON:
                return f"{counted(len(self.left), 'file')} did not become ready"
        return "all is well"

    def _resting(self, cause: Cause) -> list[OpenReason]:
        return [open_reason for open_reason in self.open.values() if open_reason.cause is cause]

    def _reason_in_words(self, cause: Cause) -> str:
        """Return the local error; drops that rest for other reasons are counted, not hidden."""
        found = self._resting(cause)
        others = len(self.open) - len(found)
        also = f" {others} more not sent yet." if others else ""
        return f"{counted(len(found), 'file')} could not be finished. {found[0].reason}{also}"
