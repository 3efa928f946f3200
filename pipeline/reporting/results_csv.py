"""``results.csv``: one line per data row of the dropped file, in its order; and CSV for reports."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.formula_guard import RISKY, SPACES, guard_array
from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from schemas.display import encodable

#: Excel takes a file without it for the local 8-bit encoding.
BOM = b"\xef\xbb\xbf"
_TEXT = pa.large_string()  # `string` overflows at 2 GB
_QUOTE = f'[\\x00-\\x1f\\x7f\u0085\u2028\u2029",;|]|^[{SPACES}]|[{SPACES}]$'
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*")
_UNUSUAL = f"{RISKY}|{_QUOTE}"


def csv_header(names: Iterable[str]) -> bytes:
    """Return the first line of a file, byte order mark included."""
    return BOM + (",".join(csv_cell(name) for name in names) + "\r\n").encode()


def csv_cell(text: str) -> str:
    """Return one cell as it stands in the file."""
    if _PLAIN.fullmatch(text):  # an Arrow call for each heading would cost more than the lines
        return text
    return str(csv_cells(pa.array([encodable(text)]))[0].as_py())


def csv_cells(column: Any) -> pa.Array:
    """Return a column as it stands in the file, as large_string; nulls become empty.

    Takes an Arrow array or chunked array: text is guarded and quoted, numbers stay numbers.
    """
    text = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        return pc.fill_null(text.cast(_TEXT), "")
    text = text.cast(_TEXT)
    if text.null_count:
        text = pc.fill_null(text, "")
    # Hardly any column holds such a cell: one look instead of three.
    if not pc.any(pc.match_substring_regex(text, _UNUSUAL)).as_py():
        return text
    text = guard_array(pc.replace_substring(text, "\x00", "\ufffd"))
    quoted = pc.match_substring_regex(text, _QUOTE)
    doubled = pc.replace_substring(text, '"', '""')
    quote = pa.scalar('"', _TEXT)
    wrapped = pc.binary_join_element_wise(quote, doubled, quote, pa.scalar("", _TEXT))
    return pc.if_else(quoted, wrapped, text)


def csv_lines(columns: Sequence[Any]) -> bytes:
    """Return lines of the columns, as UTF-8; without rows there are no bytes.

    A column is an array from ``csv_cells``, or one text from ``csv_cell`` that stands in every
    line. The first must be an array.
    """
    (lines,) = csv_pieces(columns, [len(columns[0])])
    return lines


def csv_pieces(columns: Sequence[Any], ends: Sequence[int]) -> list[bytes]:
    """Return the lines in pieces, each up to the next of these line numbers."""
    last = next(i for i in reversed(range(len(columns))) if not isinstance(columns[i], str))
    tail = "".join(f",{text}" for text in columns[last + 1 :]) + "\r\n"
    parts = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in columns[:last]]
    with_tail = pc.binary_join_element_wise(
        columns[last], pa.scalar(tail, _TEXT), pa.scalar("", _TEXT)
    )
    lines = pc.binary_join_element_wise(*parts, with_tail, pa.scalar(",", _TEXT))
    if not len(lines):
        return [b""] * len(ends)
    # The lines lie one after the other in the array's data: no need to take them apart.
    _, ends_at, data = lines.buffers()
    stops = np.frombuffer(ends_at, np.int64)[[0, *ends]].tolist()
    return [bytes(data[start:stop].to_pybytes()) for start, stop in pairwise(stops)]


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
