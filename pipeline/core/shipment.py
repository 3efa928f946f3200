"""A drop on its way to the API, and its end; the result of each step for a drop."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from pipeline.core.chunks import Chunk, Verdict
from pipeline.core.errors import StorageError
from pipeline.core.model import Drop
from schemas.display import shown
from schemas.vocabulary import Milestone, Outcome


class SendingStop(Struct, frozen=True, kw_only=True):
    """The reason why sending stopped.

    ``held``: the API refuses every call; else it cannot be reached. ``ours``: the cause is this
    process or its ledger. ``arguable``: the rows that were sent may be to blame; another file would
    show it.
    ``status``: the HTTP status that said so, if one did.
    """

    held: bool
    reason: str
    hint: str = ""
    ours: bool = False
    arguable: bool = False
    status: int | None = None


class EarlierStep(Struct, frozen=True, kw_only=True):
    """The outcome of an order's earlier milestone that was not accepted, in this drop or another.

    ``code``: its verdict's code once its chunk has ended. An unknown outcome stays until the API
    is asked again or a person decides.
    """

    milestone: Milestone
    outcome: Outcome
    code: str = ""


#: order id → its earlier milestone
EarlierSteps = Mapping[str, EarlierStep]


class Shipment(Struct, frozen=True, kw_only=True):
    """A planned drop handed in for delivery.

    ``chunks`` as the ledger has them, by number; ``verdicts`` those already given;
    ``body(offset, length)`` reads a frozen body. A part of a drop may be handed in alone:
    ``before`` then holds the chunks of earlier waves, which are over. ``taken_up``: since when
    nobody else sends these chunks, where that was possible. ``doubts``: number of a chunk → order
    id → an earlier step of that order that another drop left in doubt. ``note_call``: keeps the
    number of a chunk, on disk, right before a call of it leaves; after a crash a chunk without it
    is sent without asking. None: every chunk that was marked is asked about. ``cancelled``: only
    what is in doubt is wanted, to be asked about; nothing is sent.
    """

    drop_seq: int
    chunks: Sequence[Chunk]
    verdicts: tuple[Verdict, ...]
    body: Callable[[int, int], bytes]
    note_call: Callable[[int], None] | None
    before: tuple[Chunk, ...] = ()
    taken_up: datetime | None = None
    doubts: Mapping[int, EarlierSteps] = field(default_factory=dict)
    cancelled: bool = False


class DeliveryResult(Struct, frozen=True, kw_only=True):
    """The result of sending a drop; the outcomes of its rows are in the ledger.

    ``shut``: why all sending stopped early; ``broken``: what kept this drop alone from going on.
    ``progressed``: its report would say something new of its rows.
    """

    drop_seq: int
    complete: bool
    cancelled: bool = False
    shut: SendingStop | None = None
    broken: Exception | None = None
    progressed: bool = True


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


class Ready(Struct, frozen=True, kw_only=True):
    """A drop whose plan is frozen: to be delivered. ``chunks`` as the ledger has them now."""

    drop: Drop
    chunks: Sequence[Chunk]


class Released(Struct, frozen=True, kw_only=True):
    """An open drop whose rows were released, but for those that still wait for another drop.

    ``progressed``: rows that waited may be sent now.
    """

    drop: Drop
    progressed: bool


class Reopened(Struct, frozen=True, kw_only=True):
    """A closed drop whose rest is to be delivered after all."""

    drop: Drop


class RetryPostponed(Struct, frozen=True, kw_only=True):
    """A drop whose retry waits for drops that are not finished and share its orders."""

    drop: Drop
    behind: tuple[str, ...]


Step = Ready | Released | Closed | Reopened | RetryPostponed


_BUG = "Shipdrop failed on it, a bug; the log says how. It is tried again."


def reason_of(drop: Drop, back: DeliveryResult) -> OpenReason | None:
    """Return why a drop came back early, as far as its delivery can tell."""
    file = shown(drop.source_file)
    if back.broken is not None:
        return reason_after(drop, back.broken)
    if back.shut is not None:
        shut = back.shut
        return OpenReason(reason=shut.reason, hint=shut.hint, waits_for=drop.waits_for, file=file)
    return None


def reason_after(drop: Drop, error: BaseException) -> OpenReason:
    """Return why a drop rests after an error: its storage failed, or we did."""
    file = shown(drop.source_file)
    if isinstance(error, StorageError):
        return OpenReason(reason=error.message, hint=error.hint, cause=Cause.STORAGE, file=file)
    return OpenReason(reason=_BUG, cause=Cause.BUG, file=file)
