"""Settle: each row's one outcome, from what was planned and what the chunks came to.

Pure. The same function serves a drop that is through, one that waits for the API, a cancelled one
and a preview, since a chunk that was not sent has an outcome like any other: unsent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.codes import Code
from pipeline.model import RESULT, Disposition, Milestone, Outcome, ResultBlock
from pipeline.ports import Chunk, Verdict

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
_NUMBER = {outcome: number for number, outcome in enumerate(OUTCOMES)}
_SKIPPED = -1
_BY_DISPOSITION = {
    Disposition.SEND: _NUMBER[Outcome.UNSENT],
    Disposition.SHARED: _NUMBER[Outcome.UNSENT],
    Disposition.IGNORED: _NUMBER[Outcome.IGNORED],
    Disposition.REJECTED: _NUMBER[Outcome.REJECTED],
    Disposition.DUPLICATE: _NUMBER[Outcome.DUPLICATE],
    Disposition.SKIPPED: _SKIPPED,
}
_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)])
_OUTCOME_TEXT = pa.array([outcome.value for outcome in OUTCOMES])


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A code and sentence that delivery adds to a row."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The whole drop. ``outcome`` per row: a number into ``OUTCOMES``, -1 for a skipped footer.

    ``call``: the row whose call a row shares (itself when sent, -1 without a call); ``remarks``:
    row → what delivery adds.
    """

    outcome: npt.NDArray[np.int8]
    call: npt.NDArray[np.int32]
    remarks: Mapping[int, Remark]
    planned: pa.Table
    chunks: Mapping[int, Chunk]
    http_status: Mapping[int, int | None]

    def counts(self) -> dict[Outcome, int]:
        """Rows by outcome."""
        found = np.bincount(self.outcome[self.outcome >= 0], minlength=len(OUTCOMES))
        return {outcome: int(found[number]) for number, outcome in enumerate(OUTCOMES)}


def settle(
    planned: pa.Table, chunks: Sequence[Chunk], verdicts: Sequence[Verdict], *, waiting: Remark
) -> Settled:
    """Give every row of ``planned`` (schema ``PLANNED``) its outcome.

    ``waiting``: what is said of rows whose chunk was not sent.
    """
    disposition = planned.column("disposition").to_numpy()
    chunk = planned.column("chunk").to_numpy().astype(np.int64)
    pos = planned.column("pos").to_numpy().astype(np.int64)
    table = np.array([_BY_DISPOSITION[d] for d in sorted(Disposition)], dtype=np.int8)
    outcome = table[disposition]
    by_no = {each.no: each for each in chunks}
    sent = np.flatnonzero(disposition == Disposition.SEND)
    of_chunk = np.full(max(by_no, default=-1) + 1, _NUMBER[Outcome.UNSENT], dtype=np.int8)
    for no, each in by_no.items():
        of_chunk[no] = _NUMBER[each.outcome or Outcome.UNSENT]
    placed = sent[chunk[sent] >= 0]
    outcome[placed] = of_chunk[chunk[placed]]
    remarks = _chunk_remarks(by_no, chunk, placed, outcome, waiting)
    http_status = _overrule(verdicts, chunk, pos, placed, outcome, remarks)
    call = np.full(len(outcome), -1, dtype=np.int32)
    call[placed] = placed
    _share(planned, disposition, outcome, call, remarks)
    return Settled(
        outcome=outcome,
        call=call,
        remarks=remarks,
        planned=planned,
        chunks=by_no,
        http_status=http_status,
    )


def _chunk_remarks(
    chunks: Mapping[int, Chunk],
    chunk: npt.NDArray[np.int64],
    placed: npt.NDArray[np.int64],
    outcome: npt.NDArray[np.int8],
    waiting: Remark,
) -> dict[int, Remark]:
    remarks: dict[int, Remark] = {}
    for row in placed[outcome[placed] != _NUMBER[Outcome.ACCEPTED]].tolist():
        of = chunks[int(chunk[row])]
        remarks[row] = Remark(code=of.code, message=of.message) if of.code else waiting
    return remarks


def _overrule(
    verdicts: Sequence[Verdict],
    chunk: npt.NDArray[np.int64],
    pos: npt.NDArray[np.int64],
    placed: npt.NDArray[np.int64],
    outcome: npt.NDArray[np.int8],
    remarks: dict[int, Remark],
) -> dict[int, int | None]:
    """A verdict on one update overrules what its chunk says. Returns their HTTP status by row."""
    statuses: dict[int, int | None] = {}
    if not verdicts or not len(placed):
        return statuses
    key = chunk[placed] * 128 + pos[placed]
    order = np.argsort(key)
    wanted = np.array([v.chunk_no * 128 + v.pos for v in verdicts], dtype=np.int64)
    places = np.minimum(np.searchsorted(key[order], wanted), len(order) - 1)
    for verdict, place, want in zip(verdicts, places, wanted, strict=True):
        at = int(order[place])
        if key[at] != want:
            continue  # an update that we added: no row of the file
        row = int(placed[at])
        outcome[row] = _NUMBER[verdict.outcome]
        statuses[row] = verdict.http_status
        remarks.pop(row, None)
        if verdict.code:
            remarks[row] = Remark(code=verdict.code, message=verdict.message)
    return statuses


def _share(
    planned: pa.Table,
    disposition: npt.NDArray[np.int8],
    outcome: npt.NDArray[np.int8],
    call: npt.NDArray[np.int32],
    remarks: dict[int, Remark],
) -> None:
    """Rows that repeat a sent one share its outcome; when it was accepted they are duplicates."""
    shared = np.flatnonzero(disposition == Disposition.SHARED)
    leader = planned.column("leader").to_numpy()[shared]
    outcome[shared] = outcome[leader]
    accepted = outcome[shared] == _NUMBER[Outcome.ACCEPTED]
    outcome[shared[accepted]] = _NUMBER[Outcome.DUPLICATE]
    call[shared[~accepted]] = call[leader[~accepted]]
    for row, of in zip(shared[~accepted].tolist(), leader[~accepted].tolist(), strict=True):
        if of in remarks:
            remarks[row] = remarks[of]


def result_block(
    batch: pa.RecordBatch, start: int, settled: Settled, *, sheet: str, headers: tuple[str, ...]
) -> ResultBlock:
    """Turn a spooled block, whose first row has the number ``start``, into lines of results.

    Footers are left out. ``batch`` has the columns of ``PREPARED``, ``c0…`` and ``extra``.
    """
    stop = start + batch.num_rows
    outcome = settled.outcome[start:stop]
    planned = settled.planned.slice(start, batch.num_rows)
    codes, message = _said(batch, planned, settled, start)
    call = settled.call[start:stop]
    chunk, status, attempts, sent_at = _call_columns(call, settled)
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
    return {at: tuple(cells) for at, cells in enumerate(extra.to_pylist()) if cells}


def _said(
    batch: pa.RecordBatch, planned: pa.Table, settled: Settled, start: int
) -> tuple[pa.Array, pa.Array]:
    """Codes and messages: validation's, then the plan's, then delivery's."""
    remarks = [row for row in range(start, start + batch.num_rows) if row in settled.remarks]
    added = pc.not_equal(planned.column("codes").combine_chunks(), "")
    touched = set(np.flatnonzero(added.to_numpy(zero_copy_only=False)).tolist())
    touched.update(row - start for row in remarks)
    if not touched:
        return batch.column("codes"), batch.column("message")
    codes, messages = batch.column("codes").to_pylist(), batch.column("message").to_pylist()
    plan_codes = planned.column("codes").to_pylist()
    plan_messages = planned.column("message").to_pylist()
    for at in touched:
        remark = settled.remarks.get(start + at)
        parts = (codes[at], plan_codes[at], remark.code if remark else "")
        codes[at] = ";".join(part for part in parts if part)
        words = (messages[at], plan_messages[at], remark.message if remark else "")
        messages[at] = " ".join(word for word in words if word)
    return pa.array(codes, pa.string()), pa.array(messages, pa.string())


def _call_columns(
    call: npt.NDArray[np.int32], settled: Settled
) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Chunk, HTTP status, attempts and time of the call each row was in."""
    all_chunks = settled.planned.column("chunk").to_numpy()
    in_call = call >= 0
    numbers = np.where(in_call, all_chunks[np.maximum(call, 0)] if len(all_chunks) else 0, -1)
    unique, places = np.unique(numbers, return_inverse=True)
    calls = [settled.chunks.get(int(number)) for number in unique]
    status = pa.array([c.http_status if c else None for c in calls], pa.int32()).take(
        pa.array(places)
    )
    if settled.http_status:
        listed = status.to_pylist()
        for at, row in enumerate(call.tolist()):
            if row in settled.http_status:
                listed[at] = settled.http_status[row]
        status = pa.array(listed, pa.int32())
    return (
        pa.array([c.no if c else None for c in calls], pa.int32()).take(pa.array(places)),
        status,
        pa.array([c.attempts if c else 0 for c in calls], pa.int32()).take(pa.array(places)),
        pa.array([_sent(c) for c in calls], pa.string()).take(pa.array(places)),
    )


def _sent(chunk: Chunk | None) -> str:
    """When the call left; a chunk that was only marked has not been sent."""
    return chunk.sent_at if chunk and chunk.attempts else ""


def unsent(reason: str = "") -> Remark:
    """What is said of rows that wait."""
    return Remark(code=str(Code.NOT_SENT), message=f"Not sent yet. {reason}".strip())
