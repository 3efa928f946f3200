"""What a row's shape says: shifted columns, missing cells, footers."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.codes import Code
from pipeline.model import Block, Fault, Role
from pipeline.stages.findings import Finding
from pipeline.stages.mapping import ColumnMap

_NEEDED = (Role.ORDER_ID, Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)


def structural(block: Block, mapping: ColumnMap) -> list[Finding]:
    """Take over the faults that the reader found.

    A row that lacks cells at its end goes on with ``ROW_SHORT`` while it has its id, status and
    direction; else it is ``ROW_RAGGED`` (hazards, section E). A cell counts as lacking when it
    and all cells after it are empty, which a short row cannot tell from being cut off.
    """
    grouped: dict[tuple[Code, str], dict[int, str]] = {}
    for at, faults in sorted(block.faults.items()):
        for fault in faults:
            judged = _judged(fault, at, block, mapping)
            told = grouped.setdefault((judged.code, judged.column), {})
            told[at] = f"{told[at]} {judged.message}" if at in told else judged.message
    return [
        Finding(
            code=code,
            column=column,
            rows=np.fromiter(told, dtype=np.int64, count=len(told)),
            sentences=pa.array(list(told.values()), pa.string()),
        )
        for (code, column), told in grouped.items()
    ]


def footers(block: Block, mapping: ColumnMap) -> npt.NDArray[np.bool_]:
    """True for rows without a status whose id is empty or begins with Total."""
    statuses = block.cells[mapping.columns[Role.STATUS]]
    empty = pc.equal(pc.utf8_trim_whitespace(statuses), "")
    mask: npt.NDArray[np.bool_] = empty.to_numpy(zero_copy_only=False).copy()
    rows = np.flatnonzero(mask)
    if len(rows):
        ids = block.cells[mapping.columns[Role.ORDER_ID]].take(pa.array(rows)).to_pylist()
        words = [cell.strip(" \t\r\n\u00a0'\"").casefold() for cell in ids]
        mask[rows] = [not word or word.startswith("total") for word in words]
    return mask


def _judged(fault: Fault, at: int, block: Block, mapping: ColumnMap) -> Fault:
    if fault.code is not Code.ROW_SHORT:
        return fault
    filled = [column for column, cells in enumerate(block.cells) if cells[at].as_py().strip()]
    end = filled[-1] if filled else -1
    lacking = [role for role in _NEEDED if mapping.columns.get(role, -1) > end]
    if not lacking:
        return fault
    return Fault(
        code=Code.ROW_RAGGED,
        column=fault.column,
        message=f"{fault.message} Without its {mapping.header(lacking[0])} it cannot be sent.",
    )
