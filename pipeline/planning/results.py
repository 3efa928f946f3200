"""The result of each step for a drop, and which drops must be planned one after the other."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from pipeline.core.errors import StorageError
from pipeline.core.model import Drop
from pipeline.core.ports import Chunk
from pipeline.core.shipment import Cause, Closed, OpenReason
from schemas.display import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.core.shipment import DeliveryResult
    from pipeline.planning.plan_input import Prepared

_BUG = "Shipdrop failed on it, a bug; the log says how. It is tried again."


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


class DropToPlan(Struct, frozen=True, kw_only=True):
    """A drop that was read and is to be planned; ``orders``: those it would send something for."""

    drop: Drop
    prepared: "Prepared"
    orders: "pa.Array"


def without_shared_orders(candidates: Sequence[DropToPlan]) -> Iterator[list[DropToPlan]]:
    """Yield the candidates in their order, in groups in which no two name the same order.

    A drop that names an order of an earlier one is planned after it, so it begins the next group.
    What is not sent counts as well: a row may tell of an order's auto-dispatch.
    """
    group: list[DropToPlan] = []
    taken: set[str] = set()
    for candidate in candidates:
        # A drop that comes alone may be large, and has nobody to share with.
        names = candidate.prepared.keys.orders.names if len(candidates) > 1 else ()
        named = {str(each) for each in names} - {""}
        if not taken.isdisjoint(named):
            yield group
            group, taken = [], set()
        group.append(candidate)
        taken |= named
    if group:
        yield group


def reason_of(drop: Drop, back: "DeliveryResult") -> OpenReason | None:
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
