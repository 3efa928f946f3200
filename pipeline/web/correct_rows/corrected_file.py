"""The corrected file: which lines of a rejects file go out, with which cells."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from pipeline.core.file_names import stem_of
from pipeline.reporting.rejects_csv import LEADING, LEADING_WITH_SHEET
from pipeline.reporting.results_csv import csv_cells, csv_header, csv_lines
from pipeline.storage.durable_files import storing
from pipeline.web.correct_rows.table import Lines, Table
from schemas.parcels import BLOCKED_AS, CONFIRMED, TO_CONFIRM

_NAME_BYTES: Final = 200


def write_corrected(path: Path, table: Table, lines: Lines) -> None:
    """Write the corrected file: these lines as they are now. Raises StorageError."""
    with storing("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(_pieces(table, lines))


def corrected_name(source_file: str) -> str:
    """Return what the corrected file of a dropped file is called."""
    stem = stem_of(source_file)
    while len(stem.encode("utf-8", "replace")) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}_corrected.csv"


def _codes(table: Table, lines: Lines) -> pa.Array:
    """Return the codes of some lines, of those that came back the newest.

    A row that other rows hold, and that a user ticked since, has the confirmation instead.
    """
    joined = []
    for line, newest in zip(lines.tolist(), table.codes(lines), strict=True):
        labels = newest.split(";")
        free = [label for label in labels if label and label not in BLOCKED_AS.values()]
        told = table.draft.looked_at.get(line)
        held = not {*BLOCKED_AS.values()}.isdisjoint(labels)
        confirmed = told is not None and (TO_CONFIRM in told or held)
        joined.append(";".join([*free, CONFIRMED]) if confirmed else newest)
    return pa.array(joined, pa.string())


def _pieces(table: Table, lines: Lines) -> Iterator[bytes]:
    rejects, wanted = table.rejects, pa.array(lines)
    leading = LEADING if rejects.sheets is None else LEADING_WITH_SHEET
    yield csv_header((*leading, *rejects.headers))
    rows, messages, drops = (
        each.take(wanted) for each in (rejects.rows, rejects.messages, rejects.drops)
    )
    lead = [rows, _codes(table, lines), messages, drops]
    if rejects.sheets is not None:
        lead.append(rejects.sheets.take(wanted))
    cells = [table.column(column, lines) for column in range(len(rejects.headers))]
    yield csv_lines([csv_cells(each) for each in (*lead, *cells)])
