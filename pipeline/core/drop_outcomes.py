"""A drop whose every row has its outcome: the input of results, rejects and summary."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.chunk_columns import ChunkEnds
from schemas.vocabulary import Outcome

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
_LEFT = [number for number, o in enumerate(OUTCOMES) if o in {Outcome.UNSENT, Outcome.UNKNOWN}]


class Remark(Struct, frozen=True, kw_only=True):
    """A code and sentence that delivery adds to a row."""

    code: str
    message: str


class Remarks(Mapping[int, Remark]):
    """Row → code and message of delivery.

    Many rows share few of them, so a row costs four bytes.
    """

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
        """Return codes and messages of these rows, null where nothing is said.

        None if nothing at all.
        """
        number = self.number[start:stop]
        if not (number >= 0).any():
            return None
        at = pa.array(number, mask=number < 0)
        codes, words = self._texts
        return codes.take(at), words.take(at)

    def by_code(self) -> list[tuple[str, int, int]]:
        """Return code, number of rows and first row of all that is said with a code."""
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


class _Calls(Struct, frozen=True, kw_only=True):
    """Number, attempts and time per chunk: line n + 1 is of chunk n, line 0 of rows without a call.

    -1, 0 and "" where nothing is known; a chunk that was only marked has not been sent.
    """

    no: npt.NDArray[np.int32]
    attempts: npt.NDArray[np.int32]
    sent_at: pa.Array

    @classmethod
    def of(cls, ends: ChunkEnds) -> "_Calls":
        length = int(ends.no.max(initial=-1)) + 2
        no = np.full(length, -1, dtype=np.int32)
        attempts = np.zeros(length, dtype=np.int32)
        place = np.full(length, -1, dtype=np.int32)
        no[ends.no + 1] = ends.no
        attempts[ends.no + 1] = ends.attempts
        place[ends.no + 1] = np.where(ends.attempts > 0, np.arange(len(ends.no)), -1)
        sent_at = ends.sent_at.take(pa.array(place, mask=place < 0))
        return cls(no=no, attempts=attempts, sent_at=pc.fill_null(sent_at, ""))


class DropOutcomes(Struct, frozen=True, kw_only=True, dict=True):
    """The whole drop. ``outcome`` per row: a number into ``OUTCOMES``, -1 for a skipped footer.

    ``call``: the row whose call a row shares (itself when sent, -1 without a call); ``remarks``:
    row → what delivery adds; ``http_status``: of the row's own call, -1 for none.
    """

    outcome: npt.NDArray[np.int8]
    call: npt.NDArray[np.int32]
    remarks: Remarks
    planned: pa.Table
    ends: ChunkEnds
    http_status: npt.NDArray[np.int32]

    def counts(self) -> dict[Outcome, int]:
        """Return rows by outcome."""
        found = np.bincount(self.outcome[self.outcome >= 0], minlength=len(OUTCOMES))
        return {outcome: int(found[number]) for number, outcome in enumerate(OUTCOMES)}

    def left(self) -> tuple[int, Remark | None]:
        """Count the rows that are not sent, or in doubt.

        Return that and the most frequent reason.
        """
        left = np.isin(self.outcome, _LEFT)
        said = self.remarks.number[left]
        said = said[said >= 0]
        most = self.remarks.said[int(np.bincount(said).argmax())] if len(said) else None
        return int(left.sum()), most

    @cached_property
    def _calls(self) -> _Calls:
        return _Calls.of(self.ends)

    @cached_property
    def _chunk_of(self) -> npt.NDArray[np.int32]:
        chunk: npt.NDArray[np.int32] = self.planned.column("chunk").to_numpy()
        return chunk

    def calls(self, start: int, stop: int) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Return chunk, HTTP status, attempts and time of each of these rows' calls."""
        call = self.call[start:stop]
        inside = np.flatnonzero(call >= 0)
        row = call[inside]
        line = np.zeros(len(call), dtype=np.int32)
        line[inside] = self._chunk_of[row] + 1
        line[line >= len(self._calls.no)] = 0
        status = np.full(len(call), -1, dtype=np.int32)
        status[inside] = self.http_status[row]
        no = self._calls.no[line]
        return (
            pa.array(no, mask=no < 0),
            pa.array(status, mask=status < 0),
            pa.array(self._calls.attempts[line]),
            self._calls.sent_at.take(pa.array(line)),
        )
