"""Turn cells into lines of a CSV file of ours: guarded, quoted where needed, CRLF.

A cell is quoted if it holds a quote, any separator or line break that some reader knows, another
control character, or a space at either end. NUL becomes U+FFFD: many readers stop at NUL or drop
it, and an id with a dropped character would look sound. Nothing else is changed, so any reader of
quoted CSV gets the same cells back, and ``guard.unguard_cell`` the original text.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.formula_guard import RISKY, SPACES, guard_array
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
