"""From a rejects file and a draft to the corrected file: which lines go out, with which cells."""

from collections.abc import Iterator, Set
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.reporting.csv_format import csv_cell, csv_cells, csv_header, csv_lines
from pipeline.reporting.rejects_csv import LEADING
from pipeline.storage.durable_files import storing
from pipeline.storage.file_names import stem_of
from pipeline.web.drafts import Draft
from pipeline.web.faults import Rejects

_NAME_BYTES: Final = 200


def open_lines(rejects: Rejects, draft: Draft, fixed: Set[int]) -> npt.NDArray[np.int64]:
    """The lines that still need somebody: neither sound by now nor sent.

    ``fixed``: numbers of the dropped file's rows that a corrected file mended.
    """
    done = np.zeros(len(rejects), dtype=bool)
    if fixed:
        numbers = np.array([int(each) for each in rejects.rows.to_pylist()])
        done |= np.isin(numbers, list(fixed))
    done[[line for line in draft.sent if line < len(done)]] = True
    return np.flatnonzero(~done)


def changed_lines(rejects: Rejects, draft: Draft) -> npt.NDArray[np.bool_]:
    """Which lines have a cell that differs from the file."""
    changed = np.zeros(len(rejects), dtype=bool)
    for rule in draft.rules:
        column = rejects.table.column(rule.column)
        changed |= pc.equal(column, rule.old).to_numpy()
    for line in draft.cells:
        if line < len(changed):
            changed[line] = True
    return changed


def lines_to_send(
    rejects: Rejects, draft: Draft, fixed: Set[int], *, whole_file: bool
) -> npt.NDArray[np.int64]:
    """The lines that go out: those that were changed, and as somebody chose.

    ``whole_file``: nothing of the file was sent, so that all lines go out unless left out.
    """
    wanted = changed_lines(rejects, draft)
    if whole_file:
        wanted[:] = True
    for line, choice in draft.chosen.items():
        if line < len(wanted):
            wanted[line] = choice
    still_open = open_lines(rejects, draft, fixed)
    return still_open[wanted[still_open]]


def write_corrected(
    path: Path, rejects: Rejects, draft: Draft, drop_id: str, lines: npt.NDArray[np.int64]
) -> None:
    """Write the corrected file: these lines as they are now. Raises StorageError."""
    with storing("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(_pieces(rejects, draft, drop_id, lines))


def corrected_name(source_file: str) -> str:
    """What the corrected file of a dropped file is called."""
    stem = stem_of(source_file)
    while len(stem.encode("utf-8", "replace")) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}_corrected.csv"


def _pieces(
    rejects: Rejects, draft: Draft, drop_id: str, lines: npt.NDArray[np.int64]
) -> Iterator[bytes]:
    yield csv_header((*LEADING, *rejects.headers))
    wanted = pa.array(lines)
    lead = [each.take(wanted) for each in (rejects.rows, rejects.codes, rejects.messages)]
    cells = [
        _column(rejects, draft, column, lines, wanted) for column in range(len(rejects.headers))
    ]
    yield csv_lines(
        [*(csv_cells(each) for each in lead), csv_cell(drop_id), *(csv_cells(c) for c in cells)]
    )


def _column(
    rejects: Rejects, draft: Draft, column: int, lines: npt.NDArray[np.int64], wanted: pa.Array
) -> pa.Array:
    """A column as it is now: rules first, since single cells win over them."""
    original = rejects.table.column(column).take(wanted).combine_chunks()
    values = original
    for rule in draft.rules:
        if rule.column == column:
            values = pc.if_else(pc.equal(original, rule.old), rule.new, values)
    own = {line: row[column] for line, row in draft.cells.items() if column in row}
    if not own:
        return values
    texts = values.to_pylist()
    for place, line in enumerate(lines.tolist()):
        if line in own:
            texts[place] = own[line]
    return pa.array(texts, pa.string())
