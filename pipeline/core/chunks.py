"""Chunks and their calls as the ledger keeps them: frozen bodies and outcomes."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Struct

from schemas.vocabulary import Milestone, Outcome

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class ChunkState(StrEnum):
    """A chunk's life. ``SENDING`` found at a start means: in doubt."""

    PLANNED = "planned"
    WAITING = "waiting"
    """Not sent before another drop has settled an order of it."""
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
    """The outcome of one update, where it differs from its chunk's. ``pos`` counts from 0."""

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


_NUMBER: dict[str | None, int] = {None: -1, **{each.value: at for at, each in enumerate(Outcome)}}


class ChunkEnds(Struct, frozen=True, kw_only=True):
    """The fields of ``Chunk`` about each chunk's end, a value per chunk, ``no`` ascending.

    ``outcome``: its place in ``Outcome``, -1 for none. ``sending``: marked as on its way.
    ``http_status``: -1 for none. ``remark``: the place in ``said`` of its code and message.
    """

    no: "npt.NDArray[np.int32]"
    sending: "npt.NDArray[np.bool_]"
    outcome: "npt.NDArray[np.int8]"
    http_status: "npt.NDArray[np.int32]"
    attempts: "npt.NDArray[np.int32]"
    sent_at: "pa.Array"
    remark: "npt.NDArray[np.int32]"
    said: Sequence[tuple[str, str]]

    @classmethod
    def of(
        cls,
        *,
        no: Sequence[int],
        sending: Sequence[bool],
        outcome: Sequence[str | None],
        http_status: Sequence[int | None],
        attempts: Sequence[int],
        sent_at: Sequence[str],
        code: Sequence[str],
        message: Sequence[str],
    ) -> "ChunkEnds":
        """Return the columns, from values as ``Chunk`` and the ledger have them."""
        import numpy as np  # what opens a ledger need not settle a drop
        import pyarrow as pa

        remarks = list(zip(code, message, strict=True))
        said = {each: at for at, each in enumerate(dict.fromkeys(remarks))}
        return cls(
            no=np.array(no, dtype=np.int32),
            sending=np.array(sending, dtype=np.bool_),
            outcome=np.array(list(map(_NUMBER.__getitem__, outcome)), dtype=np.int8),
            http_status=np.array([-1 if s is None else s for s in http_status], dtype=np.int32),
            attempts=np.array(attempts, dtype=np.int32),
            sent_at=pa.array(sent_at, pa.string()),
            remark=np.array(list(map(said.__getitem__, remarks)), dtype=np.int32),
            said=tuple(said),
        )

    @property
    def calls(self) -> tuple[int, int]:
        """Return calls that left, and those among them that repeated another."""
        return int(self.attempts.sum()), int((self.attempts - 1).clip(0).sum())


ITEM_SEPARATOR = b",\n"
"""Between two updates of a frozen body. JSON text holds no raw newline, so a body can be cut here
and any part of it sent byte for byte as it was frozen."""


def join_items(items: Sequence[bytes]) -> bytes:
    """Return the body of a call that sends these updates."""
    return b"[" + ITEM_SEPARATOR.join(items) + b"]"


class ChunkBody:
    """The updates of one chunk, in order. Parsed on first use."""

    def __init__(self, body: bytes, size: int) -> None:
        self.body = body
        self.size = size

    @cached_property
    def _items(self) -> list[bytes]:
        return self.body[1:-1].split(ITEM_SEPARATOR)

    @cached_property
    def _heads(self) -> list[tuple[str, Milestone]]:
        parsed: list[dict[str, Any]] = orjson.loads(self.body)
        return [(item["orderId"], Milestone[item["orderStatus"].upper()]) for item in parsed]

    def head(self, pos: int) -> tuple[str, Milestone]:
        """Return order id and milestone of the update at this place."""
        return self._heads[pos]

    def part(self, positions: Sequence[int]) -> bytes:
        """Return the body of a call that sends only these places."""
        if len(positions) == self.size:
            return self.body
        return join_items([self._items[pos] for pos in positions])

    def order_ids(self, positions: Sequence[int]) -> list[str]:
        """Return their order ids."""
        return [self._heads[pos][0] for pos in positions]
