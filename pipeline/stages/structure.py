"""What a row's shape says: shifted columns, missing cells, cells without a value, footers."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.model import Block, Fault
from pipeline.stages.findings import Finding, found
from pipeline.stages.mapping import ColumnMap
from pipeline.stages.quoting import quoted
from pipeline.stages.reading.error_cells import NAMES, UNCALCULATED
from schemas.codes import Code
from schemas.courier import Profile
from schemas.vocabulary import CellKind, Role

_NEEDED = (Role.ORDER_ID, Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)

#: What an update is decided by. An id is judged as an id; anything else an update can go without.
_DECIDING = (
    Role.STATUS,
    Role.STATUS_TYPE,
    Role.DIRECTION,
    Role.SELF_SHIP,
    Role.AUTO_DISPATCH,
    Role.EVENT_TIME,
)
_NOT_FOUND = "#N/A"
_ERRORS = pa.array([*NAMES.values()], pa.string())
_OF_STATUS = (Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION)


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


def broken_cells(block: Block, mapping: ColumnMap, profile: Profile) -> list[Finding]:
    """Reject rows whose update would be decided by an error cell (hazards, section E).

    In a CSV it is the text of one: a status like that is an unknown status anyhow.

    A direction that a formula failed to give is not an absent direction. ``#N/A`` in the event
    time, or where a second AWB is looked for, says "nothing here" as it does in a CSV.
    """
    columns = [(role, mapping.columns.get(role)) for role in _DECIDING]
    if profile.filled_rto_awb:
        columns.append((Role.AWB, mapping.helpers.get("rto_awb")))
    findings = []
    for role, column in columns:
        if column is None:
            continue
        broken = _broken(block, column, typed_only=role is Role.STATUS)
        if role in {Role.EVENT_TIME, Role.AWB}:
            broken &= _differs(block.cells[column], _NOT_FOUND)
        rows = np.flatnonzero(broken)
        if len(rows):
            header = " ".join(mapping.headers[column].split())
            cells = block.cells[column].take(pa.array(rows))
            args = (Code.CELL_INVALID, role.value, header, block, rows, cells)
            findings.append(found(*args, _about_broken))
    return findings


def _broken(block: Block, column: int, *, typed_only: bool) -> npt.NDArray[np.bool_]:
    """True where a cell is an error, or, in a CSV, the text that a spreadsheet shows for one."""
    kinds = block.kinds.get(column)
    broken = np.zeros(len(block), dtype=np.bool_) if kinds is None else kinds == CellKind.ERROR
    cells = block.cells[column]
    if not typed_only and pc.any(pc.starts_with(cells, "#")).as_py():
        shown: npt.NDArray[np.bool_] = pc.is_in(cells, value_set=_ERRORS).to_numpy(
            zero_copy_only=False
        )
        broken = broken | shown
    return broken


def _differs(cells: pa.Array, text: str) -> npt.NDArray[np.bool_]:
    other: npt.NDArray[np.bool_] = pc.not_equal(cells, text).to_numpy(zero_copy_only=False)
    return other


def without_status(block: Block, mapping: ColumnMap) -> npt.NDArray[np.int64]:
    """Positions whose status cannot be judged, because an error stands in a cell it is made of."""
    broken = np.zeros(len(block), dtype=np.bool_)
    for role in _OF_STATUS:
        kinds = block.kinds.get(mapping.columns.get(role, -1))
        if kinds is not None:
            broken |= kinds == CellKind.ERROR
    return np.flatnonzero(broken)


def _about_broken(cell: str) -> str:
    if cell == UNCALCULATED:
        return (
            "the result of this cell's formula is not stored in the file. Open it in a spreadsheet "
            "program, save it and drop that."
        )
    return (
        f"{quoted(cell)} is the error of a formula, not a value. Correct the formula, or type the "
        "value in."
    )


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
