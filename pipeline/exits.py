"""How a run ends: what it came to, and the exit code that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pipeline.adapters.inbox import Waiting
from pipeline.closing import Closed
from pipeline.delivery.gate import Shut
from pipeline.model import DropState

_FOR_A_PERSON = ("rejected", "failed", "unknown")


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


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run came to.

    ``open``: drop id → why it is not through. ``left``: files that did not become ready in time.
    ``shut``: why nothing is being sent, if so.
    """

    closed: tuple[Closed, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    left: tuple[Waiting, ...] = ()
    shut: Shut | None = None

    @property
    def exit(self) -> Exit:
        """The exit code of ``run --once``."""
        if self.open or (self.shut is not None and self.shut.held):
            return Exit.UNREACHABLE
        if any(each.drop.state is DropState.REFUSED for each in self.closed):
            return Exit.REFUSED
        return Exit.NEEDS_PERSON if self.left or self._rows_for_a_person else Exit.FINE

    @property
    def why(self) -> str:
        """The reason for the exit code, in words."""
        match self.exit:
            case Exit.UNREACHABLE:
                reason = self.shut.reason if self.shut else next(iter(self.open.values()))
                return f"{len(self.open)} file(s) wait to be sent. {reason}"
            case Exit.REFUSED:
                return "a file was refused"
            case Exit.NEEDS_PERSON if self._rows_for_a_person:
                return f"{self._rows_for_a_person} row(s) need a person"
            case Exit.NEEDS_PERSON:
                return f"{len(self.left)} file(s) did not become ready"
        return "all is well"

    @property
    def _rows_for_a_person(self) -> int:
        return sum(each.summary["rows"][name] for each in self.closed for name in _FOR_A_PERSON)
