"""``results.csv``: one line per data row of the dropped file, in its order."""

from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.model import RESULT, ResultBlock
from pipeline.stages.report_csv import csv_cell, csv_cells, csv_header, csv_lines

#: The columns in their order; new ones are only ever added at the end (outside contract).
COLUMNS: Final = (
    "row",
    "sheet",
    "order_id",
    "awb",
    "source_status",
    "order_status",
    "outcome",
    "codes",
    "message",
    "chunk",
    "http_status",
    "attempts",
    "sent_at",
    "drop_id",
    "source_file",
)


_ALIKE = frozenset({"source_status", "order_status", "outcome", "codes", "sent_at"})
"""Columns in which many rows say the same: only what differs is looked at."""


def results_csv(
    blocks: Iterable[ResultBlock], *, drop_id: str, source_file: str
) -> Iterator[bytes]:
    """Give the file piece by piece: the header, then the lines of each block.

    UTF-8 with a byte order mark, CRLF, columns ``COLUMNS``. Text is guarded against formulas
    (``pipeline.stages.guard``), numbers are not; an unknown chunk or HTTP status is empty. The
    header comes even when there are no blocks.
    """
    yield results_header()
    for block in blocks:
        yield results_lines(block, drop_id=drop_id, source_file=source_file)


def results_header() -> bytes:
    """The first line."""
    return csv_header(COLUMNS)


def results_lines(block: ResultBlock, *, drop_id: str, source_file: str) -> bytes:
    """The lines of one block."""
    columns = [_cells(name, block.table.column(name)) for name in RESULT.names]
    same_for_all = [csv_cell(drop_id), csv_cell(source_file)]
    return csv_lines([columns[0], csv_cell(block.sheet), *columns[1:], *same_for_all])


def _cells(name: str, column: pa.ChunkedArray) -> pa.Array:
    if name not in _ALIKE:
        return csv_cells(column)
    encoded = column.combine_chunks().dictionary_encode()
    if len(encoded.dictionary) > len(column) // 4:
        return csv_cells(column)
    return pc.fill_null(csv_cells(encoded.dictionary).take(encoded.indices), "")
