"""What a drop comes to at each step, and which drops must be planned one after the other."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from pipeline.core.closed_drop import Cause, Closed, Rest
from pipeline.core.errors import StorageError
from pipeline.core.file_facts import Facts
from pipeline.core.model import Drop
from pipeline.core.ports import Chunk
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


class Blocked(Struct, frozen=True, kw_only=True):
    """A drop that shares some of its ``orders`` with earlier drops that are not finished.

    While it waits only its order ids are in memory; its rows are in its spool.
    """

    drop: Drop
    facts: Facts
    orders: "pa.Array"
    behind: tuple[str, ...]

    @property
    def rest(self) -> Rest:
        """Why it is not through."""
        words = f"It waits for {', '.join(self.behind)}, which has the same orders."
        return Rest(reason=words, cause=Cause.EARLIER, waits_for=self.behind)


class Reopened(Struct, frozen=True, kw_only=True):
    """A closed drop whose rest is to be delivered after all."""

    drop: Drop


class Later(Struct, frozen=True, kw_only=True):
    """A drop whose retry waits for drops that are not through and share its orders."""

    drop: Drop
    behind: tuple[str, ...]


Step = Ready | Blocked | Closed | Reopened | Later


class Candidate(Struct, frozen=True, kw_only=True):
    """A drop that was read and is to be planned; ``orders``: those it would send something for.

    ``prepared``: its rows, None where they are still to be taken from its spool.
    """

    drop: Drop
    facts: Facts
    prepared: "Prepared | None"
    orders: "pa.Array"


def sharing(drop: Drop, orders: "pa.Array", waiting: Sequence[Blocked]) -> Iterator[str]:
    """Give those of ``waiting`` that were claimed before this drop and have one of its orders.

    Turns among couriers let a later drop be read before an earlier one: by the order of claims
    alone no two drops wait for each other.
    """
    import pyarrow.compute as pc  # who has orders has loaded it

    for each in waiting:
        if each.drop.seq < drop.seq and pc.any(pc.is_in(orders, value_set=each.orders)).as_py():
            yield each.drop.drop_id


def without_shared_orders(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """The candidates in their order, in groups in which no two name the same order.

    A drop that names an order of an earlier one is planned after it, so it begins the next group.
    What is not sent counts as well: a row may tell of an order's auto-dispatch.
    """
    group: list[Candidate] = []
    taken: set[str] = set()
    for candidate in candidates:
        # A drop that comes alone may be large, and has nobody to share with.
        prepared = candidate.prepared if len(candidates) > 1 else None
        named = set(prepared.keys.orders.names.to_pylist()) if prepared is not None else set()
        named.discard("")
        if not taken.isdisjoint(named):
            yield group
            group, taken = [], set()
        group.append(candidate)
        taken |= named
    if group:
        yield group


def rest_of(drop: Drop, back: "DeliveryResult") -> Rest | None:
    """Why a drop came back early, as far as its delivery can tell."""
    file = shown(drop.source_file)
    if back.broken is not None:
        return rest_after(drop, back.broken)
    if back.shut is not None:
        return Rest(reason=back.shut.reason, hint=back.shut.hint, file=file)
    return None


def rest_after(drop: Drop, error: BaseException) -> Rest:
    """Why a drop rests after an error: its storage failed, or we did."""
    file = shown(drop.source_file)
    if isinstance(error, StorageError):
        return Rest(reason=error.message, hint=error.hint, cause=Cause.STORAGE, file=file)
    return Rest(reason=_BUG, cause=Cause.BUG, file=file)
