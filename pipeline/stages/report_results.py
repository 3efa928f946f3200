"""``results.csv``: one line per data row of the dropped file, in its order."""

from collections.abc import Iterable, Iterator
from typing import Final

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


def results_csv(
    blocks: Iterable[ResultBlock], *, drop_id: str, source_file: str
) -> Iterator[bytes]:
    """Give the file piece by piece: the header, then the lines of each block.

    UTF-8 with a byte order mark, CRLF, columns ``COLUMNS``. Text is guarded against formulas
    (``pipeline.stages.guard``), numbers are not; an unknown chunk or HTTP status is empty. The
    header comes even when there are no blocks.
    """
    yield csv_header(COLUMNS)
    same_for_all = [csv_cell(drop_id), csv_cell(source_file)]
    for block in blocks:
        columns = [csv_cells(block.table.column(name)) for name in RESULT.names]
        yield csv_lines([columns[0], csv_cell(block.sheet), *columns[1:], *same_for_all])
