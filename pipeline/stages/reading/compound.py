"""The one stream of an OLE2 container that an XLS workbook is: enough of the format for that.

Nothing is believed: a chain that leaves the file, or comes back to itself, ends the stream. What
the container means beyond this stream is the native reader's business.
"""

import struct
from collections.abc import Iterator

from pipeline.stages.reading.sniff import Buffer

_FREE = 0xFFFFFFFA  # from here on a sector number is a mark, not a place
_HEADER, _ENTRY = 512, 128
_STREAMS = ("workbook", "book")
_SMALL = 4096


def workbook_stream(data: Buffer) -> bytes:
    """Return the bytes of the stream ``Workbook`` (or ``Book``), b"" if there is none."""
    if len(data) < _HEADER:
        return b""
    shift, small_shift = struct.unpack_from("<HH", data, 30)
    if not 7 <= shift <= 16 or not 4 <= small_shift < shift:
        return b""
    directory_at, _, small_below, small_table_at = struct.unpack_from("<IIII", data, 48)
    table = _table(data, shift)
    directory = b"".join(_sectors(data, table, directory_at, shift))
    entries = [directory[at : at + _ENTRY] for at in range(0, len(directory) - 127, _ENTRY)]
    wanted = next((entry for name in _STREAMS for entry in entries if _name(entry) == name), None)
    if wanted is None:
        return b""
    start, size = struct.unpack_from("<II", wanted, 116)
    if size >= min(small_below, _SMALL):
        return b"".join(_sectors(data, table, start, shift))[:size]
    # A short stream lies in pieces inside the root's own stream.
    store = b"".join(_sectors(data, table, struct.unpack_from("<I", entries[0], 116)[0], shift))
    small_table = _numbers(b"".join(_sectors(data, table, small_table_at, shift)))
    piece = 1 << small_shift
    return b"".join(store[at * piece : (at + 1) * piece] for at in _chain(small_table, start))[
        :size
    ]


def _table(data: Buffer, shift: int) -> tuple[int, ...]:
    """Return the sector that follows each sector."""
    size = 1 << shift
    places = list(struct.unpack_from("<109I", data, 76))
    more, seen = struct.unpack_from("<I", data, 68)[0], 0
    while more < _FREE and seen <= len(data) >> shift:
        sector = _sector(data, more, shift)
        if len(sector) < size:
            break
        *listed, more = _numbers(sector)
        places += listed
        seen += 1
    kept = [place for place in places if place < _FREE][: len(data) >> shift]
    return _numbers(b"".join(_sector(data, place, shift) for place in kept))


def _sectors(data: Buffer, table: tuple[int, ...], start: int, shift: int) -> Iterator[bytes]:
    for at in _chain(table, start):
        yield _sector(data, at, shift)


def _chain(table: tuple[int, ...], start: int) -> Iterator[int]:
    at, left = start, len(table)
    while at < len(table) and left:
        yield at
        at, left = table[at], left - 1


def _sector(data: Buffer, number: int, shift: int) -> bytes:
    at = (number + 1) << shift
    return bytes(data[at : at + (1 << shift)])


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 4
    return struct.unpack(f"<{count}I", data[: count * 4])


def _name(entry: bytes) -> str:
    length = min(struct.unpack_from("<H", entry, 64)[0], 64)
    return entry[: max(0, length - 2)].decode("utf-16-le", errors="replace").casefold()
