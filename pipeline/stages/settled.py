"""A drop whose every row has its outcome: what results, rejects and summary are made from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.model import Outcome
from pipeline.ports import Chunk

#: One line per row of the drop, in its order: what the plan decided. ``codes`` and ``message`` are
#: what planning adds to validation's.
PLANNED = pa.schema(
    [
        pa.field("disposition", pa.int8(), nullable=False),
        pa.field("leader", pa.int32(), nullable=False),
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("pos", pa.int8(), nullable=False),
        pa.field("codes", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A code and sentence that delivery adds to a row."""

    code: str
    message: str


class Remarks(Mapping[int, Remark]):
    """Row → what delivery adds to it. Many rows share few remarks, so a row costs four bytes."""

    def __init__(self, number: npt.NDArray[np.int32], said: Sequence[Remark]) -> None:
        self.number = number
        self.said = said

    def __getitem__(self, row: int) -> Remark:
        number = self.number[row] if 0 <= row < len(self.number) else -1
        if number < 0:
            raise KeyError(row)
        return self.said[number]

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self.number >= 0).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self.number >= 0))

    def texts(self, start: int, stop: int) -> tuple[pa.Array, pa.Array] | None:
        """Codes and messages of these rows, null where nothing is said; None if nothing at all."""
        number = self.number[start:stop]
        if not (number >= 0).any():
            return None
        at = pa.array(number, mask=number < 0)
        codes, words = self._texts
        return codes.take(at), words.take(at)

    def by_code(self) -> list[tuple[str, int, int]]:
        """Code, number of rows and first row of all that is said with a code."""
        rows = np.flatnonzero(self.number >= 0)
        if not len(rows):
            return []
        encoded = self._texts[0].dictionary_encode()
        group = encoded.indices.fill_null(-1).to_numpy()[self.number[rows]]
        rows, group = rows[group >= 0], group[group >= 0]
        codes = encoded.dictionary.to_pylist()
        counts = np.bincount(group, minlength=len(codes)).tolist()
        first = np.full(len(codes), len(self.number))
        np.minimum.at(first, group, rows)
        return [each for each in zip(codes, counts, first.tolist(), strict=True) if each[1]]

    @cached_property
    def _texts(self) -> tuple[pa.Array, pa.Array]:
        codes = pa.array([remark.code or None for remark in self.said], pa.string())
        words = pa.array([remark.message or None for remark in self.said], pa.string())
        return codes, words


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The whole drop. ``outcome`` per row: a number into ``OUTCOMES``, -1 for a skipped footer.

    ``call``: the row whose call a row shares (itself when sent, -1 without a call); ``remarks``:
    row → what delivery adds; ``http_status``: of the row's own call, -1 for none.
    """

    outcome: npt.NDArray[np.int8]
    call: npt.NDArray[np.int32]
    remarks: Remarks
    planned: pa.Table
    chunks: Mapping[int, Chunk]
    http_status: npt.NDArray[np.int32]

    def counts(self) -> dict[Outcome, int]:
        """Rows by outcome."""
        found = np.bincount(self.outcome[self.outcome >= 0], minlength=len(OUTCOMES))
        return {outcome: int(found[number]) for number, outcome in enumerate(OUTCOMES)}

    @cached_property
    def _calls(self) -> pa.Table:
        """Number, attempts and time per chunk; null, 0 and "" where nothing has left."""
        last = max(self.chunks, default=-1)

        def column(first: object, value: Callable[[Chunk], object], kind: pa.DataType) -> pa.Array:
            every = map(self.chunks.get, range(last + 1))
            told = (first if chunk is None else value(chunk) for chunk in every)
            return pa.array(chain([first], told), kind, size=last + 2)

        return pa.table(
            {
                "chunk": column(None, attrgetter("no"), pa.int32()),
                "attempts": column(0, attrgetter("attempts"), pa.int32()),
                "sent_at": column("", _sent, pa.string()),
            }
        )

    @cached_property
    def _chunk_of(self) -> npt.NDArray[np.int32]:
        chunk: npt.NDArray[np.int32] = self.planned.column("chunk").to_numpy()
        return chunk

    def calls(self, start: int, stop: int) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Chunk, HTTP status, attempts and time of the call that each of these rows was in."""
        call = self.call[start:stop]
        inside = np.flatnonzero(call >= 0)
        row = call[inside]
        # Line 0 of _calls is for rows without a call, line n + 1 for chunk n.
        line = np.zeros(len(call), dtype=np.int32)
        line[inside] = self._chunk_of[row] + 1
        line[line >= len(self._calls)] = 0
        status = np.full(len(call), -1, dtype=np.int32)
        status[inside] = self.http_status[row]
        told = self._calls.take(pa.array(line)).combine_chunks()
        return (
            told.column("chunk").combine_chunks(),
            pa.array(status, mask=status < 0),
            told.column("attempts").combine_chunks(),
            told.column("sent_at").combine_chunks(),
        )


def _sent(chunk: Chunk) -> str:
    """When the call left; a chunk that was only marked has not been sent."""
    return chunk.sent_at if chunk.attempts else ""
