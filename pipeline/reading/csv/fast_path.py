"""CSV, a few megabytes at a time: the fast path for text whose quoting is provably regular.

The proof. Reading starts outside quotes. If every quote of odd number stands right after a
delimiter, a line end or the start (or right after the quote before it: ``""`` is one quote inside
a cell), and every quote of even number stands right before a delimiter, a line end or the end (or
before its twin), then by induction over the cells every reading agrees on which delimiters and
line ends are data. If no quote stands at the start of a cell, all of them are data. In both cases
numpy knows every record's bounds, and Arrow's reader makes the columns. Anything else, and a quote
behind a delimiter and spaces, is left to ``tokenize``.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct
from pyarrow import csv as pa_csv

from pipeline.reading.csv.tokenizer import tokenize
from pipeline.reading.records import Parsed, surplus_of

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_LF, _CR, _SPACE, _QUOTE = 10, 13, 32, 34
_MARK = b"\xef\xbb\xbf"


class Layout(Struct, frozen=True, kw_only=True):
    """Where the records of a window are. ``size``: bytes up to the end of the last whole one.

    ``starts``, ``ends`` bound each record without its line end, ``nexts`` is where the line end
    is over. ``quotes``: those that are syntax, None if all are data. ``multiline``: some line ends
    are data. ``open_end``: the last record ends with the text, without a line end.
    """

    size: int
    starts: Places
    ends: Places
    nexts: Places
    quotes: Places | None
    multiline: bool
    open_end: bool


def certify(window: bytes, delimiter: int, *, last: bool) -> Layout | None:
    """Return the layout of the whole records in ``window``, or None if it cannot be proved.

    ``window`` starts with a record; ``last``: the text ends with it. None also when no record ends
    inside it.
    """
    data: Bytes = np.frombuffer(window, dtype=np.uint8)
    if not last:
        data = _without_unsure_end(data)
    # Arrow would take a byte order mark for one although it is data here.
    if not len(data) or window[:3] == _MARK:
        return None
    regular, quotes = _quoting(data, delimiter)
    if not regular:
        return None
    ends, nexts = _line_ends(data)
    multiline = False
    if quotes is not None:
        outside = np.searchsorted(quotes, nexts) % 2 == 0
        multiline = not bool(outside.all())
        ends, nexts = ends[outside], nexts[outside]
    size = int(nexts[-1]) if len(nexts) else 0
    open_end = last and size < len(data)
    if open_end:
        size = len(data)
        ends, nexts = np.append(ends, size), np.append(nexts, size)
    if not size or (open_end and quotes is not None and len(quotes) % 2):
        return None
    return Layout(
        size=size,
        starts=np.concatenate((np.zeros(1, dtype=np.int64), nexts[:-1])),
        ends=ends,
        nexts=nexts,
        quotes=quotes,
        multiline=multiline,
        open_end=open_end,
    )


def parse(
    window: bytes, layout: Layout, delimiter: str, *, width: int, first: int
) -> Parsed | None:
    """Read the records of a certified window into columns of text; None if Arrow disagrees.

    Arrow is asked at once and refuses the window if some record is not ``width`` cells wide; only
    then are the records measured and mended.
    """
    data: Bytes = np.frombuffer(window, dtype=np.uint8)[: layout.size]
    columns = None
    if not _doubled(layout).any():
        columns = _columns(data, layout, delimiter, width)
    if columns is not None:
        return Parsed(first=first, cells=columns, open_end=layout.open_end)
    cuts = _delimiters(data, layout, ord(delimiter))
    counts: Places = np.diff(np.searchsorted(cuts, layout.ends), prepend=0) + 1
    long, starts = _too_long(cuts, counts, width)
    columns = _columns(
        _mended(data, layout, counts, (long, starts), ord(delimiter), width),
        layout,
        delimiter,
        width,
    )
    if columns is None:
        return None
    filled = layout.ends[long] - starts != counts[long] - width
    surplus = _surplus(data, layout, long[filled], starts[filled], delimiter)
    return Parsed(
        first=first, cells=columns, counts=counts, surplus=surplus, open_end=layout.open_end
    )


def _doubled(layout: Layout) -> npt.NDArray[np.bool_]:
    """Return which records end in CRCRLF."""
    doubled: npt.NDArray[np.bool_] = layout.nexts - layout.ends == 3
    return doubled


def _delimiters(data: Bytes, layout: Layout, delimiter: int) -> Places:
    found = data == delimiter
    if layout.quotes is not None:
        marks = np.zeros(len(data), dtype=np.uint8)
        marks[layout.quotes[: np.searchsorted(layout.quotes, layout.size)]] = 1
        found &= ~np.bitwise_xor.accumulate(marks).view(np.bool_)
    return np.flatnonzero(found)


def _without_unsure_end(data: Bytes) -> Bytes:
    """Leave out CRs at the end whose line end may go on in the next window."""
    size = len(data)
    for _ in range(2):
        if size and data[size - 1] == _CR:
            size -= 1
    return data[:size]


def _quoting(data: Bytes, delimiter: int) -> tuple[bool, Places | None]:
    """Return whether the quoting is regular, and the quotes that are syntax (None: all are data).

    Whatever follows the last quote of odd number is still open; it is judged with the next window.
    """
    quotes = np.flatnonzero(data == _QUOTE)
    if not len(quotes):
        return True, None
    before = data[quotes - 1]
    spaced = re.escape(bytes([delimiter])) + b' +"'
    if (before == _SPACE).any() and re.search(spaced, data.data):
        return False, None
    after_edge = _is_edge(before, delimiter)
    after_edge[0] |= quotes[0] == 0
    if not after_edge.any():
        return True, None
    opening, closing = quotes[0::2], quotes[1::2]
    twin = opening[1:] == closing[: len(opening) - 1] + 1
    opens = after_edge[0::2]
    opens[1:] |= twin
    closes = _is_edge(data[np.minimum(closing + 1, len(data) - 1)], delimiter)
    closes |= closing + 1 == len(data)
    closes[: len(twin)] |= twin
    return bool(opens.all() and closes.all()), quotes


def _is_edge(data: Bytes, delimiter: int) -> npt.NDArray[np.bool_]:
    edge: npt.NDArray[np.bool_] = (data == delimiter) | (data == _LF) | (data == _CR)
    return edge


def _line_ends(data: Bytes) -> tuple[Places, Places]:
    """Return where each line end starts and where it is over; CRCRLF is one."""
    feeds = np.flatnonzero(data == _LF)
    count = np.count_nonzero(data == _CR)
    if not count:
        return feeds, feeds + 1
    if count == len(feeds) and bool((data[feeds - 1] == _CR).all()):
        return feeds - 1, feeds + 1
    returns = np.flatnonzero(data == _CR)
    padded = np.concatenate((np.zeros(2, np.uint8), data, np.zeros(2, np.uint8)))
    before = padded[feeds + 1] == _CR
    twice = before & (padded[feeds] == _CR)
    starts = feeds - before - twice
    follow, after = padded[returns + 3], padded[np.minimum(returns + 4, len(padded) - 1)]
    alone = returns[(follow != _LF) & ~((follow == _CR) & (after == _LF))]
    order = np.argsort(np.concatenate((starts, alone)), kind="stable")
    return (
        np.concatenate((starts, alone))[order],
        np.concatenate((feeds + 1, alone + 1))[order],
    )


def _too_long(cuts: Places, counts: Places, width: int) -> tuple[Places, Places]:
    """Return the records that are too long, and where the delimiter after their last cell is."""
    before = np.cumsum(counts - 1) - (counts - 1)
    long = np.flatnonzero(counts > width)
    return long, cuts[before[long] + width - 1]


def _surplus(
    data: Bytes, layout: Layout, rows: Places, starts: Places, delimiter: str
) -> dict[int, tuple[str, ...]]:
    """Return the text beyond the last column, by record, where it is not empty."""
    surplus: dict[int, tuple[str, ...]] = {}
    for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
        text = bytes(data[start + 1 : layout.ends[row]]).decode()
        # Without quotes as syntax every delimiter counts, also one beside a quote.
        cells = (
            text.split(delimiter)
            if layout.quotes is None
            else next(tokenize(text, delimiter, last=True))[0]
        )
        if extra := surplus_of(cells):
            surplus[row] = extra
    return surplus


def _mended(
    data: Bytes,
    layout: Layout,
    counts: Places,
    too_long: tuple[Places, Places],
    delimiter: int,
    width: int,
) -> Bytes:
    """Return the bytes with every record brought to ``width`` cells and plain line ends."""
    long, starts = too_long
    edges = np.zeros(len(data) + 1, dtype=np.int8)
    edges[starts] = 1
    edges[layout.ends[long]] = -1
    keep = np.add.accumulate(edges[:-1], dtype=np.int8) == 0
    keep[layout.ends[_doubled(layout)]] = False
    missing = np.maximum(width - counts, 0)
    kept: Bytes = data[keep]
    if not missing.any():
        return kept
    places = np.repeat(layout.ends - np.searchsorted(np.flatnonzero(~keep), layout.ends), missing)
    return np.insert(kept, places, np.uint8(delimiter))


_FOR_THREADS = 1 << 18
"""Bytes; less is read sooner than other threads are woken."""


def _columns(
    data: Bytes, layout: Layout, delimiter: str, width: int
) -> tuple[pa.Array, ...] | None:
    """Read mended bytes; None if Arrow finds other records than the layout has."""
    names = [str(at) for at in range(width)]
    longest = int((layout.nexts - layout.starts).max()) + width
    # A quoted line end must not fall on the edge of one of Arrow's blocks.
    block = len(data) + 1 if layout.multiline else max(1 << 20, 2 * longest)
    try:
        table: Any = pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(data)),
            read_options=pa_csv.ReadOptions(
                column_names=names, block_size=block, use_threads=len(data) >= _FOR_THREADS
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if layout.quotes is not None else False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=layout.multiline,
                ignore_empty_lines=False,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                check_utf8=False,
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
                null_values=[],
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(layout.ends):
        return None
    return tuple(
        column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for column in table.columns
    )
