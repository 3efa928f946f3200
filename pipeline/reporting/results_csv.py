"""``results.csv``: one line per data row of the dropped file, in its order."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reporting.csv_format import csv_cell, csv_cells, csv_header, csv_pieces

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


class Part(Struct, frozen=True, kw_only=True):
    """Lines of one drop's results file."""

    block: ResultBlock
    drop_id: str
    source_file: str


def results_header() -> bytes:
    """Return the first line of a results file: UTF-8 with a byte order mark, CRLF, ``COLUMNS``."""
    return csv_header(COLUMNS)


def results_lines(parts: Sequence[Part]) -> list[bytes]:
    """Return the lines of each of these parts, made at once: for few rows Arrow's calls are dear.

    Text is guarded against formulas (``core.formula_guard``), numbers are not; an unknown chunk
    or HTTP status is empty.
    """
    table = pa.concat_tables([part.block.table for part in parts])
    columns = [_cells(name, table.column(name)) for name in RESULT.names]
    sheet, drop_id, source_file = (
        _same([csv_cell(getter(part)) for part in parts], parts)
        for getter in (attrgetter("block.sheet"), attrgetter("drop_id"), attrgetter("source_file"))
    )
    ends = np.cumsum([part.block.table.num_rows for part in parts]).tolist()
    return csv_pieces([columns[0], sheet, *columns[1:], drop_id, source_file], ends)


def _same(texts: Sequence[str], parts: Sequence[Part]) -> pa.Array | str:
    """Return a column with the same text in all lines of a part."""
    if len(set(texts)) == 1:
        return texts[0]
    lengths = [part.block.table.num_rows for part in parts]
    return pa.array(texts, pa.large_string()).take(pa.array(np.repeat(range(len(parts)), lengths)))


def _cells(name: str, column: pa.ChunkedArray) -> pa.Array:
    if name not in _ALIKE:
        return csv_cells(column)
    encoded = column.combine_chunks().dictionary_encode()
    if len(encoded.dictionary) > len(column) // 4:
        return csv_cells(column)
    return pc.fill_null(csv_cells(encoded.dictionary).take(encoded.indices), "")
