"""Find each row's one outcome, from the plan and the results of the chunks.

Pure. One function serves a finished drop, one that waits for the API, a cancelled one and a
preview, since a chunk that was not sent has an outcome like any other: unsent.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.chunks import ChunkEnds, Verdict
from pipeline.core.free_text import joined
from pipeline.core.model import Disposition, ResultBlock
from pipeline.core.rejects_file import UNCLEAR
from pipeline.core.row_columns import RESULT, TOO_OLD
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

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


_NUMBER = {outcome: number for number, outcome in enumerate(OUTCOMES)}
_ACCEPTED, _UNSENT = _NUMBER[Outcome.ACCEPTED], _NUMBER[Outcome.UNSENT]
_SKIPPED = -1
_WAITING, _NO_ANSWER, _OF_CHUNKS = range(3)
"""Numbers of remarks on chunks: it waits, its answer was lost; from the third on the ledger's."""
_BY_DISPOSITION = {
    Disposition.SEND: _NUMBER[Outcome.UNSENT],
    Disposition.SHARED: _NUMBER[Outcome.UNSENT],
    Disposition.IGNORED: _NUMBER[Outcome.IGNORED],
    Disposition.REJECTED: _NUMBER[Outcome.REJECTED],
    Disposition.DUPLICATE: _NUMBER[Outcome.DUPLICATE],
    Disposition.SKIPPED: _SKIPPED,
}
_DISPOSED = np.array([_BY_DISPOSITION[each] for each in sorted(Disposition)], dtype=np.int8)
_POSITIONS = 128
_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)])
_OUTCOME_TEXT = pa.array([outcome.value for outcome in OUTCOMES])


_LOST = Remark(
    code=str(Code.ANSWER_LOST),
    message="Not known whether the API took it: the answer was lost. Look the order up.",
)


NO_ENDS = ChunkEnds.of(
    **dict.fromkeys(("no", "sending", "outcome", "http_status", "attempts", "sent_at"), ()),
    code=(),
    message=(),
)
"""The outcomes of a plan without chunks."""


def outcomes_of(
    planned: pa.Table,
    ends: ChunkEnds,
    verdicts: Sequence[Verdict],
    *,
    waiting: Remark,
) -> DropOutcomes:
    """Give every row of ``planned`` (schema ``PLANNED``) its outcome.

    ``waiting``: the remark on rows whose chunk was not sent. ``ends``: ``NO_ENDS`` for a plan
    that is not frozen.
    """
    disposition = planned.column("disposition").to_numpy()
    chunk = planned.column("chunk").to_numpy()
    outcome = _DISPOSED[disposition]
    placed = np.flatnonzero((disposition == Disposition.SEND) & (chunk >= 0))
    of_chunk = _by_chunk(ends, int(chunk.max(initial=-1)) + 1, waiting)
    said = of_chunk.said
    number = np.full(len(outcome), -1, dtype=np.int32)
    http_status = np.full(len(outcome), -1, dtype=np.int32)
    outcome[placed] = of_chunk.outcome[chunk[placed]]
    number[placed] = of_chunk.remark[chunk[placed]]
    http_status[placed] = of_chunk.http_status[chunk[placed]]
    if verdicts and len(placed):
        pos = planned.column("pos").to_numpy()
        rows, given = _rows_of(_as_reported(verdicts, ends, waiting), chunk, pos, placed)
        outcome[rows] = [_NUMBER[each.outcome] for each in given]
        http_status[rows] = [_or_none(each.http_status) for each in given]
        number[rows] = np.arange(len(said), len(said) + len(given))
        number[rows[[not each.code for each in given]]] = -1
        said += [_words(each.outcome, each.code, each.message, waiting) for each in given]
    call = np.full(len(outcome), -1, dtype=np.int32)
    call[placed] = placed
    _share(planned, disposition, outcome, call, number)
    return DropOutcomes(
        outcome=outcome,
        call=call,
        remarks=Remarks(number, said),
        planned=planned,
        ends=ends,
        http_status=http_status,
    )


class _ByChunk(Struct, frozen=True, kw_only=True):
    """Outcome, HTTP status and remark (-1 for none) by chunk number; and the remarks."""

    outcome: npt.NDArray[np.int8]
    http_status: npt.NDArray[np.int32]
    remark: npt.NDArray[np.int32]
    said: list[Remark]


def _by_chunk(ends: ChunkEnds, length: int, waiting: Remark) -> _ByChunk:
    """Return the outcome of each chunk's updates; a chunk unknown to the ledger is unsent."""
    length = max(length, int(ends.no.max(initial=-1)) + 1)
    outcome = np.full(length, _UNSENT, dtype=np.int8)
    status = np.full(length, -1, dtype=np.int32)
    known = np.where(ends.outcome < 0, _UNSENT, ends.outcome).astype(np.int8)
    # Its answer was never recorded, so it may have been sent.
    lost = ends.sending & (known == _UNSENT)
    known[lost] = _NUMBER[Outcome.UNKNOWN]
    outcome[ends.no] = known
    status[ends.no] = ends.http_status
    remark = np.full(length, _WAITING, dtype=np.int32)
    remark[ends.no] = _remarks(ends, known, lost, waiting)
    # Numbered in the order of their first chunks: in this order the summary lists them.
    used, first = np.unique(remark[remark >= 0], return_index=True)
    number = np.full(len(ends.said) + _OF_CHUNKS, -1, dtype=np.int32)
    said: dict[Remark, int] = {}
    for each in used[np.argsort(first)].tolist():
        number[each] = said.setdefault(_remark(each, ends, waiting), len(said))
    remark[remark >= 0] = number[remark[remark >= 0]]
    return _ByChunk(outcome=outcome, http_status=status, remark=remark, said=list(said))


def _remarks(
    ends: ChunkEnds, outcome: npt.NDArray[np.int8], lost: npt.NDArray[np.bool_], waiting: Remark
) -> npt.NDArray[np.int32]:
    """Return the remark on each chunk, as ``_remark`` takes it; -1 for nothing."""
    without_code = np.array([not code for code, _ in ends.said], dtype=np.bool_)
    waits = without_code[ends.remark]
    if waiting.code == Code.CANCELLED:
        waits |= outcome == _UNSENT
    found = np.where(waits, _WAITING, ends.remark + _OF_CHUNKS)
    found[lost] = _NO_ANSWER
    found[outcome == _ACCEPTED] = -1
    return found


def _remark(number: int, ends: ChunkEnds, waiting: Remark) -> Remark:
    if number < _OF_CHUNKS:
        return waiting if number == _WAITING else _LOST
    code, message = ends.said[number - _OF_CHUNKS]
    return Remark(code=code, message=message)


def _words(outcome: Outcome, code: str, message: str, waiting: Remark) -> Remark:
    """Return the remark on a chunk or an update; of a cancelled one, not that it waits."""
    over = outcome is Outcome.UNSENT and waiting.code == Code.CANCELLED
    return Remark(code=code, message=message) if code and not over else waiting


def _as_reported(
    verdicts: Sequence[Verdict], ends: ChunkEnds, waiting: Remark
) -> Sequence[Verdict]:
    """Return the verdicts as the report shows them.

    A row whose answer was unclear is unknown in the ledger from the start. While its drop is open
    it is asked about and sent again if need be, so it is reported as unsent; a drop that is
    cancelled leaves it unknown.
    """
    if not any(each.code == Code.ANSWER_UNCLEAR for each in verdicts):
        return verdicts
    open_still = set(ends.no[ends.sending].tolist())
    over = waiting.code == Code.CANCELLED
    outcome = Outcome.UNKNOWN if over else Outcome.UNSENT
    words = "Look the order up." if over else "It is asked about, and sent again if need be."
    return [
        replace(each, outcome=outcome, message=f"{each.message} {words}")
        if each.code == Code.ANSWER_UNCLEAR and each.chunk_no in open_still
        else each
        for each in verdicts
    ]


def _or_none(status: int | None) -> int:
    return -1 if status is None else status


def _rows_of(
    verdicts: Sequence[Verdict],
    chunk: npt.NDArray[np.int32],
    pos: npt.NDArray[np.int8],
    placed: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], list[Verdict]]:
    """Return the rows that verdicts are about; those on a pickup that we added are about none."""
    key = chunk[placed].astype(np.int64) * _POSITIONS + pos[placed]
    order = np.argsort(key)
    wanted = np.array([v.chunk_no * _POSITIONS + v.pos for v in verdicts], dtype=np.int64)
    places = order[np.minimum(np.searchsorted(key, wanted, sorter=order), len(order) - 1)]
    ours = key[places] == wanted
    return placed[places[ours]], [verdicts[at] for at in np.flatnonzero(ours).tolist()]


def _share(
    planned: pa.Table,
    disposition: npt.NDArray[np.int8],
    outcome: npt.NDArray[np.int8],
    call: npt.NDArray[np.int32],
    remark: npt.NDArray[np.int32],
) -> None:
    """Give rows that repeat a sent one its outcome; when it was accepted they are duplicates."""
    shared = np.flatnonzero(disposition == Disposition.SHARED)
    leader = planned.column("leader").to_numpy()[shared]
    accepted = outcome[leader] == _NUMBER[Outcome.ACCEPTED]
    outcome[shared] = np.where(accepted, _NUMBER[Outcome.DUPLICATE], outcome[leader])
    call[shared[~accepted]] = call[leader[~accepted]]
    remark[shared[~accepted]] = remark[leader[~accepted]]


OF_RESULTS = (
    *("row", "order_id", "awb", "source_status", "status"),
    *("codes", "message", "extra"),
)
"""Columns of the spool that ``result_block`` takes beside the file's own cells."""


def result_block(
    batch: pa.RecordBatch,
    start: int,
    outcomes: DropOutcomes,
    *,
    sheet: str,
    headers: tuple[str, ...],
) -> ResultBlock:
    """Turn a spooled block, whose first row has the number ``start``, into lines of results.

    Footers are left out. ``batch`` has the columns of ``OF_RESULTS``, and a cell for each of
    ``headers`` (``c0…``).
    """
    stop = start + batch.num_rows
    outcome = outcomes.outcome[start:stop]
    codes, message = _said(batch, outcomes, start)
    chunk, status, attempts, sent_at = outcomes.calls(start, stop)
    table = pa.table(
        [
            batch.column("row"),
            batch.column("order_id"),
            batch.column("awb"),
            batch.column("source_status"),
            _WIRE.take(batch.column("status")),
            _OUTCOME_TEXT.take(pa.array(np.maximum(outcome, 0))),
            codes,
            message,
            chunk,
            status,
            attempts,
            sent_at,
        ],
        schema=RESULT,
    )
    cells = [batch.column(f"c{n}") for n in range(len(headers))]
    extra = batch.column("extra")
    kept = np.flatnonzero(outcome != _SKIPPED)
    if len(kept) < len(outcome):
        keep = pa.array(kept)
        table, extra = table.take(keep), extra.take(keep)
        cells = [cell.take(keep) for cell in cells]
    return ResultBlock(
        sheet=sheet, headers=headers, table=table, cells=tuple(cells), extra=_surplus(extra)
    )


def _surplus(extra: pa.Array) -> dict[int, tuple[str, ...]]:
    if extra.null_count == len(extra):
        return {}
    some = np.flatnonzero(extra.is_valid().to_numpy(zero_copy_only=False))
    lists = extra.take(pa.array(some)).to_pylist()
    return {int(at): tuple(cells) for at, cells in zip(some, lists, strict=True) if cells}


def _said(batch: pa.RecordBatch, outcomes: DropOutcomes, start: int) -> tuple[pa.Array, pa.Array]:
    """Return codes and messages: validation's, then the plan's, then delivery's."""
    planned = outcomes.planned.slice(start, batch.num_rows)
    codes, messages = [batch.column("codes")], [batch.column("message")]
    repeats = planned.column("disposition").to_numpy() == Disposition.DUPLICATE
    if repeats.any():
        faulty = pc.or_(pc.equal(codes[0], TOO_OLD), pc.match_substring(codes[0], UNCLEAR))
        was_sound = pc.and_(pa.array(repeats), faulty)  # and accepted
        codes, messages = ([pc.if_else(was_sound, "", each[0])] for each in (codes, messages))
    if pc.any(pc.not_equal(planned.column("codes"), "")).as_py():
        codes.append(planned.column("codes").combine_chunks())
        messages.append(planned.column("message").combine_chunks())
    if texts := outcomes.remarks.texts(start, start + batch.num_rows):
        codes.append(texts[0])
        messages.append(texts[1])
    return _joined(codes, ";"), _joined(messages, " ")


def _joined(texts: list[pa.Array], separator: str) -> pa.Array:
    if len(texts) == 1:
        return texts[0]
    return joined([pc.if_else(pc.equal(text, ""), None, text) for text in texts], separator)


def unsent(reason: str = "") -> Remark:
    """Return the remark on rows that wait."""
    return Remark(code=str(Code.NOT_SENT), message=f"Not sent yet. {reason}".strip())
