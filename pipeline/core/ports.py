"""Protocols that the steps need from outside, and the records that cross them.

``storage`` and ``delivery.api`` implement these; the steps know nothing else of files, databases
and sockets.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from pipeline.core.model import Drop, DropState
from schemas.parcels import Said
from schemas.vocabulary import FOR_A_PERSON, Outcome

if TYPE_CHECKING:
    import pyarrow as pa


class Clock(Protocol):
    """Wall time (aware, UTC) for people, monotonic seconds for waiting."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class ChunkState(StrEnum):
    """A chunk's life. ``SENDING`` found at a start means: in doubt."""

    PLANNED = "planned"
    WAITING = "waiting"
    """Not sent before another drop with one of its orders has settled that."""
    SENDING = "sending"
    DONE = "done"


class Chunk(Struct, frozen=True, kw_only=True):
    """Up to 20 updates that travel in one call; body frozen at ``offset``/``length`` (bytes).

    ``outcome`` holds for every update of the chunk that has no ``Verdict`` of its own.
    """

    drop_seq: int
    no: int
    wave: int
    offset: int
    length: int
    size: int
    state: ChunkState = ChunkState.PLANNED
    outcome: Outcome | None = None
    http_status: int | None = None
    attempts: int = 0
    code: str = ""
    message: str = ""
    sent_at: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    """The end of one update of a chunk, where it differs from its chunk. ``pos`` counts from 0."""

    chunk_no: int
    pos: int
    outcome: Outcome
    code: str
    message: str
    http_status: int | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """One call and its answer, for ``trace``. ``positions``: a part of the chunk; "" is all."""

    chunk_no: int
    at: str
    kind: str
    http_status: int | None
    note: str
    positions: str = ""


class ChunkResult(Struct, frozen=True, kw_only=True):
    """The result of one chunk: recorded in one commit with everything that belongs to it.

    ``replaces``: the chunk had verdicts before; ``verdicts`` stand in their place.
    """

    chunk: Chunk
    verdicts: tuple[Verdict, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    replaces: bool = False


NO_LONGER_LISTED = "a file that is no longer listed"
"""Words for a drop that went whole (``retention.drops_days``)."""


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
        """Tell whether its drop may still send it."""
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


_SETTLED = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.FAILED, Outcome.REJECTED})

DISPATCHED = -1
"""The ``pos`` of a line that is not sent and tells that its order is auto-dispatched."""


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


class NewDrop(Struct, frozen=True, kw_only=True):
    """A file that is about to be claimed, under the id that was made for it."""

    drop_id: str
    folder: str
    source_file: str
    received_at: datetime


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


class DropLine(Struct, frozen=True, kw_only=True):
    """A drop as a list shows it: without the facts that only its report needs.

    ``summary``: the object of its summary.json, as far as it was reported. ``total``: its data
    rows once it was read; ``to_correct``: of a file refused for its many bad rows those in its
    rejects file. ``fixed``, ``aside``: its rows that were corrected elsewhere, and that
    somebody left as they are; ``returned``: rows that need a person in the drop it corrects.
    ``again_at``, ``again_folder``, ``again_name``: when its file was put into the inbox to be read
    again, and its place there; "" where it was not. ``again_as``: the drop that it became.
    ``need``: its rows that need a person now; ``to_do``: whether anything of it is left to do;
    ``put_off``: reason, who and when, where somebody said that nothing of it is.
    ``tidied_at``: when its details were removed with its rows, and only counts stayed; "": not yet.
    """

    seq: int
    drop_id: str
    folder: str
    source_file: str
    state: DropState
    received_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None
    size: int
    sha256: str
    courier: str
    parent: str | None
    same_as: str | None
    request: str
    closing: int
    summary: Mapping[str, Any] | None
    total: int | None
    to_correct: int = 0
    fixed: int = 0
    aside: int = 0
    returned: int = 0
    again_at: str = ""
    again_folder: str = ""
    again_name: str = ""
    again_as: str | None = None
    need: int = 0
    to_do: bool = False
    put_off: tuple[str, str, str] | None = None
    tidied_at: str = ""

    @property
    def troubled(self) -> int:
        """Return rows that needed a person when it was reported, wherever they are corrected."""
        rows = self.summary["rows"] if self.summary else {}
        return sum(rows.get(each, 0) for each in FOR_A_PERSON) or self.to_correct


class DropCounts(Struct, frozen=True, kw_only=True):
    """Hold the sums of one drop.

    ``rows``: by outcome; ``codes``: those of its rows' faults with their rows, or the one that it
    was refused for. ``closing``: see ``drops.closing``.
    """

    seq: int
    drop_id: str
    source_file: str
    courier: str
    state: DropState
    received_at: datetime
    finished_at: datetime | None
    closing: int
    rows: Mapping[str, int]
    codes: Mapping[str, int]


class Search(Struct, frozen=True, kw_only=True):
    """Which drops are wanted; "" is any. ``needs``: an outcome of which it has rows.

    ``words`` stand in the file's name or the drop's id. ``before``, ``after``: older or newer
    than the drop with that ``seq``. ``to_do``: where something is left for people to do, and its
    file was not read again since.
    ``since``, ``until``: received in this time, from the one moment to before the other.
    ``sort``: "" by number, else file, courier, state, rows or need; ``backward``: the
    largest first, but by number the oldest first. ``offset``: how many to leave out.
    ``group_corrections``: drops that correct another only where there is something to do in them.
    """

    words: str = ""
    state: str = ""
    courier: str = ""
    needs: str = ""
    until: datetime | None = None
    sort: str = ""
    backward: bool = False
    offset: int = 0
    before: int | None = None
    after: int | None = None
    limit: int = 50
    to_do: bool = False
    since: datetime | None = None
    group_corrections: bool = False


class Reply(Struct, frozen=True, kw_only=True):
    """An answer as it came: header names in lower case, body undecoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Presence(Protocol):
    """The right of this process to act on a root that others work on too.

    ``require_valid`` raises ``Fenced`` once others may have taken over; call it right before
    whatever cannot be taken back: it costs next to nothing. ``name`` is this process's alone.
    """

    @property
    def name(self) -> str: ...
    def require_valid(self) -> None: ...


class StatusApi(Protocol):
    """The receiving API. Each call raises ``Transient`` when no answer came."""

    async def put_status(self, body: bytes) -> Reply: ...
    async def order_info(self, order_id: str) -> Reply: ...
    @property
    def token_generation(self) -> int: ...
    async def renew_token(self, generation: int) -> bool: ...
    async def close(self) -> None: ...


class SystemClock:
    """The wall clock and the monotonic clock of this machine."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC. It may jump; never measure intervals by it."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        return time.monotonic()
