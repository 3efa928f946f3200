"""Lines of orders in the ledger: what drops planned and sent before, and those of a new plan."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from pipeline.core.chunks import Chunk, Receipt, Verdict
from pipeline.core.model import Drop
from schemas.parcels import Said
from schemas.vocabulary import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

NO_LONGER_LISTED = "a file that is no longer listed"
"""Words for a drop that went whole (``retention.drops_days``)."""


_SETTLED = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.FAILED, Outcome.REJECTED})


DISPATCHED = -1
"""The ``pos`` of a line that is not sent and marks its order as auto-dispatched."""


class OrderHistory(Struct, frozen=True, kw_only=True):
    """An update of an order that some drop has planned or sent before.

    ``dispatched``: true for a line that is no update: its row only says that auto-dispatch has
    reported the order's pickup. ``waits``: it is not sent before an earlier step of the order is
    settled; ``blocked``: not before another drop has settled the order. ``seq``: its drop's number.
    ``drop_id``: "" where the drop is no longer kept, only that the status was accepted.
    """

    order_id: str
    status: int
    drop_id: str
    open: bool
    outcome: Outcome | None
    at: str
    dispatched: bool = False
    waits: bool = False
    blocked: bool = False
    seq: int = 0

    @property
    def source(self) -> str:
        """Return where it came from, as sentences name it."""
        return f"drop {self.drop_id}" if self.drop_id else NO_LONGER_LISTED

    @property
    def may_still_send(self) -> bool:
        """Return whether its drop may still send it."""
        return self.open and self.outcome not in _SETTLED


class ParcelSeen(Struct, frozen=True, kw_only=True):
    """A row of another drop that reported a parcel of an order. ``event``: milliseconds or None."""

    order_id: str
    awb: str
    status: int
    said: Said
    event: int | None
    row: int
    drop_id: str
    source_file: str
    parent: str = ""  # the drop whose rejects that drop was
    courier: str = ""  # of a row that was found by its AWB, whatever its order


class LineTable(Protocol):
    """A table that is made part by part."""

    @property
    def num_rows(self) -> int: ...
    def slice(self, start: int, count: int, /) -> "pa.Table": ...


class FrozenPlan(Struct, frozen=True, kw_only=True):
    """A plan on its way into the ledger.

    ``lines``, a table or what can be cut like one, has the columns order_id (string), idx (int32:
    the row's place in the drop), row (int32: its record number), sheet (int16), status (int8),
    chunk (int32 or null), pos (int8; in a line without a chunk ``DISPATCHED`` or 0), and of its
    parcel said (int8: ``Said``), awb (string) and event_ms (int64 or null); sorted by order_id.
    ``chunks``: gives them once their bodies are on disk. ``mends``: rejected rows that rows of this
    one correct (drop, row, order): they say no more.
    """

    chunks: Callable[[], Sequence[Chunk]]
    lines: LineTable
    mends: Collection[tuple[str, int, str]] = ()


class OrderRow(Struct, frozen=True, kw_only=True):
    """One row of one drop that names an order, for ``trace``.

    ``accepted_by``: set where the row itself is no longer kept, only that the status was accepted
    by then; ``drop`` is None where that is no longer kept either.
    """

    drop: Drop | None
    row: int
    sheet: int
    status: int
    chunk: Chunk | None
    pos: int
    verdict: Verdict | None
    receipts: tuple[Receipt, ...]
    accepted_by: datetime | None = None
