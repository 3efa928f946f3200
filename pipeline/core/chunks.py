"""Chunks as columns, before their first call and after their last, and their frozen bodies.

As columns they take some bytes each; a record is made only of the one that leaves now.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, overload

import orjson
from msgspec import Struct

from pipeline.core.ports import Chunk, ChunkState
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


EARLIER_OPEN = Code.EARLIER_OPEN.value
WAITS = "Not sent yet: an earlier status of this order, from another file, is still open."


@dataclass(frozen=True, kw_only=True)
class FreshChunks(Sequence[Chunk]):
    """The fields of ``ports.Chunk`` before its first call, a value per chunk.

    ``lengths``: asked for when it is needed, gives the bodies' lengths in bytes as they lie one
    after the other in the spool, a line end behind each; raises what writing them raised.
    ``doubtful``: its updates were sent before and nobody knows how that ended. ``behind_doubt``:
    nobody knows how an earlier step of its orders ended, which another file sent (code
    ``EARLIER_OPEN``); empty where none is. ``blocked``: so many of the last ones are not sent
    before other drops have settled their orders; ``blocked_words`` says so.
    """

    drop_seq: int
    wave: Sequence[int]
    size: "npt.NDArray[np.integer[Any]]"
    doubtful: Sequence[bool]
    lengths: "Callable[[], npt.NDArray[np.int64]]"
    behind_doubt: Sequence[bool] = ()
    blocked: int = 0
    blocked_words: str = ""

    @property
    def free(self) -> int:
        """Return how many chunks may be sent now."""
        return len(self) - self.blocked

    def _state(self, no: int) -> ChunkState:
        if no >= self.free:
            return ChunkState.WAITING
        return ChunkState.SENDING if self.doubtful[no] else ChunkState.PLANNED

    def _words(self, no: int) -> tuple[str, str]:
        """Return code and message."""
        if no >= self.free:
            return EARLIER_OPEN, self.blocked_words
        return (EARLIER_OPEN, WAITS) if self.behind_doubt and self.behind_doubt[no] else ("", "")

    @cached_property
    def _places(self) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]":
        """Return offset and length of each body."""
        lengths = self.lengths()
        return (lengths + 1).cumsum() - lengths - 1, lengths

    def columns(self) -> Mapping[str, Sequence[object]]:
        """Return the columns of the ledger's lines, by name.

        The bodies are on disk when it returns.
        """
        offset, length = self._places
        words = [self._words(no) for no in range(len(self))]
        return {
            "no": range(len(self)),
            "wave": self.wave,
            "offset": offset.tolist(),
            "length": length.tolist(),
            "size": self.size.tolist(),
            "state": [self._state(no).value for no in range(len(self))],
            "attempts": [0] * len(self),
            "code": [code for code, _ in words],
            "message": [message for _, message in words],
        }

    def waves(self) -> Iterator[range]:
        """Give the numbers of the free chunks of each wave, in the order in which waves travel."""
        numbered = enumerate(self.wave[: self.free])
        for _, each in groupby(numbered, key=itemgetter(1)):
            numbers = [no for no, _ in each]
            yield range(numbers[0], numbers[-1] + 1)

    @property
    def rows(self) -> int:
        """Return updates in those that are free."""
        return int(self.size[: self.free].sum())

    def __len__(self) -> int:
        return len(self.wave)

    @overload
    def __getitem__(self, no: int) -> Chunk: ...
    @overload
    def __getitem__(self, no: slice) -> list[Chunk]: ...
    def __getitem__(self, no: int | slice) -> Chunk | list[Chunk]:
        if isinstance(no, slice):
            return [self[each] for each in range(*no.indices(len(self)))]
        if not -len(self) <= no < len(self):
            raise IndexError(no)
        no %= len(self)
        offset, length = self._places
        code, message = self._words(no)
        return Chunk(
            drop_seq=self.drop_seq,
            no=no,
            wave=self.wave[no],
            offset=int(offset[no]),
            length=int(length[no]),
            size=int(self.size[no]),
            state=self._state(no),
            code=code,
            message=message,
        )


_NUMBER: dict[str | None, int] = {None: -1, **{each.value: at for at, each in enumerate(Outcome)}}


class ChunkEnds(Struct, frozen=True, kw_only=True):
    """The fields of ``ports.Chunk`` about each chunk's end, a value per chunk, ``no`` ascending.

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
        """Return the columns, from values as ``ports.Chunk`` and the ledger have them."""
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

    def order_ids(self, positions: Sequence[int]) -> "OrderIds":
        """Return their order ids; parsed when first looked at."""
        return OrderIds(self, positions)


class OrderIds(Sequence[str]):
    """Order ids of some places of a chunk body: a sequence whose length costs nothing."""

    def __init__(self, chunk_body: ChunkBody, positions: Sequence[int]) -> None:
        self._chunk_body = chunk_body
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._chunk_body.head(pos)[0] for pos in self._positions[at]]
        return self._chunk_body.head(self._positions[at])[0]

    def __iter__(self) -> Iterator[str]:
        return (self._chunk_body.head(pos)[0] for pos in self._positions)
