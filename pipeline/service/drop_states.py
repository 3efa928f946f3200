"""The state of each drop in this process, and its transitions. No I/O.

A drop has one entry and is in one state; ``after_…`` decide the next one. The scheduler acts.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.model import Drop, DropState
from pipeline.core.shipment import OpenReason


class SchedulerState(StrEnum):
    """The state of a drop in this process."""

    QUEUED = "queued"
    """Claimed; it is to be read."""
    READING = "reading"
    """Being read, or read and next to be planned."""
    PLANNING = "planning"
    """Being planned, or its waiting rows are being released."""
    SENDING = "sending"
    REPORTING = "reporting"
    WAITING = "waiting"
    """Only rows that wait for other drops are left."""
    RESTING = "resting"
    """Not finished, and no step is due; the loop takes it up again from the ledger."""


BEFORE_SENDING = (SchedulerState.READING, SchedulerState.PLANNING)
AFTER_PLANNING = (SchedulerState.SENDING, SchedulerState.REPORTING)
UNDER_WAY = (SchedulerState.QUEUED, *BEFORE_SENDING, *AFTER_PLANNING)
"""A step is due for it."""


@dataclass(slots=True, kw_only=True)
class DropEntry:
    """The state of a drop in this process, beside the ledger's.

    ``reported``: why its sending ended when it was last reported, and the rest that its report
    gives. ``cancelled``: nothing more of it is to be sent. ``look_again``: a drop that it waits for
    has ended or progressed since its rows were last released. ``seen``, ``progressed_at``: the
    scheduler's counter when that was, and when this drop itself last progressed.
    """

    drop: Drop
    state: SchedulerState
    reported: tuple[OpenReason | None, OpenReason] | None = None
    cancelled: bool = False
    look_again: bool = False
    seen: int = 0
    progressed_at: int = 0


class DropStates:
    """The entries, by drop id. Owned by the service's thread; any thread may ask for a state."""

    def __init__(self) -> None:
        self._entries: dict[str, DropEntry] = {}
        self._count: Counter[SchedulerState] = Counter()

    def put(self, drop: Drop, state: SchedulerState) -> DropEntry:
        """Move a drop to a state; it is taken in if it is new."""
        entry = self._entries.get(drop.drop_id)
        if entry is None:
            entry = self._entries[drop.drop_id] = DropEntry(drop=drop, state=state)
        else:
            self._count[entry.state] -= 1
            entry.drop, entry.state = drop, state
        self._count[state] += 1
        return entry

    def find(self, drop_id: str) -> DropEntry | None:
        """Return a drop's entry."""
        return self._entries.get(drop_id)

    def is_in(self, drop_id: str, *states: SchedulerState) -> bool:
        """Return whether a drop is in one of these states."""
        entry = self._entries.get(drop_id)
        return entry is not None and entry.state in states

    def count(self, *states: SchedulerState) -> int:
        """Count the drops in these states."""
        return sum(self._count[state] for state in states)

    def forget(self, drop_id: str) -> None:
        """Forget a drop that has ended or left this process."""
        if entry := self._entries.pop(drop_id, None):
            self._count[entry.state] -= 1

    def forget_all(self, state: SchedulerState) -> None:
        """Forget all drops in a state."""
        for drop_id in [each for each, entry in self._entries.items() if entry.state is state]:
            self.forget(drop_id)


def after_taking(drop: Drop, *, cancelled: bool) -> SchedulerState:
    """Return the step of a drop that comes, or is found unfinished."""
    if drop.state is not DropState.OPEN:
        return SchedulerState.QUEUED
    return SchedulerState.PLANNING if drop.waits_for and not cancelled else SchedulerState.SENDING


def after_looking(
    entry: DropEntry, *, progressed: bool, rests: bool, stopping: bool
) -> SchedulerState:
    """Return the state after a release.

    ``progressed``: rows that waited may be sent. ``rests``: all its other rows are done.
    """
    if progressed or not rests or entry.cancelled:
        return SchedulerState.SENDING
    return _waiting(entry, stopping=stopping)


def after_reporting(
    entry: DropEntry, *, only_waiting_left: bool, waits: bool, stopping: bool
) -> SchedulerState:
    """Return the state after the report of a drop that is not finished.

    ``only_waiting_left``: only rows that wait for other drops are left, if any (``waits``).
    """
    if entry.cancelled:
        return SchedulerState.SENDING  # where it is seen that nothing of it is to be sent
    return (
        _waiting(entry, stopping=stopping)
        if only_waiting_left and waits
        else SchedulerState.RESTING
    )


def _waiting(entry: DropEntry, *, stopping: bool) -> SchedulerState:
    return SchedulerState.PLANNING if entry.look_again and not stopping else SchedulerState.WAITING


class Dependencies:
    """Which drops each drop waits for, by their ids, and the reverse index."""

    def __init__(self) -> None:
        self._waits_for: dict[str, frozenset[str]] = {}
        self._awaited_by: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Count the drops that wait."""
        return len(self._waits_for)

    def __contains__(self, drop_id: str) -> bool:
        """Return whether the drop waits."""
        return drop_id in self._waits_for

    @property
    def awaited(self) -> tuple[str, ...]:
        """Return the drops that other drops wait for."""
        return tuple(self._awaited_by)

    def awaited_by(self, drop_id: str) -> tuple[str, ...]:
        """Return the drops that wait for this one, sorted."""
        return tuple(sorted(self._awaited_by.get(drop_id, ())))

    def wait(self, drop_id: str, others: Iterable[str]) -> None:
        """Let a drop wait for exactly these drops; with none it does not wait."""
        for each in self._waits_for.pop(drop_id, frozenset()):
            self._awaited_by[each].discard(drop_id)
            if not self._awaited_by[each]:
                del self._awaited_by[each]
        if now := frozenset(others):
            self._waits_for[drop_id] = now
        for each in now:
            self._awaited_by.setdefault(each, set()).add(drop_id)
