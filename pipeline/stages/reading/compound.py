"""OLE2 containers: whether one may be handed on, and the one stream of it that an XLS workbook is.

Enough of the format for these two. Nothing is believed: a chain that leaves the file ends there,
and one that comes back to itself is found before the native reader follows it, which it would do
until memory ends.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.stages.reading.sniff import Buffer

_FREE = 0xFFFFFFFA  # from here on a sector number is a mark, not a place
_HEADER, _ENTRY = 512, 128
_STREAMS = ("workbook", "book")
_SMALL = 4096
_ROOT, _STREAM = 5, 2


@dataclass(frozen=True, kw_only=True)
class _Entry:
    name: str
    kind: int
    start: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Compound:
    """An OLE2 container. ``table`` and ``small_table`` tell the sector that follows each."""

    data: Buffer
    shift: int
    small_shift: int
    small_below: int
    starts: tuple[int, int]
    table: tuple[int, ...]
    small_table: tuple[int, ...]
    entries: tuple[_Entry, ...]
    endless: bool

    def is_endless(self) -> bool:
        """Tell whether a chain of sectors that a reader may follow comes back to itself."""
        large = {*self.starts, *(entry.start for entry in self.entries if not self._small(entry))}
        small = {entry.start for entry in self.entries if self._small(entry)}
        return (
            self.endless
            or any(_loops(self.table, start) for start in large)
            or any(_loops(self.small_table, start) for start in small)
        )

    def workbook(self) -> bytes:
        """Return the bytes of the stream ``Workbook`` (or ``Book``), b"" if there is none."""
        found = (entry for name in _STREAMS for entry in self.entries if entry.name == name)
        wanted = next(found, None)
        if wanted is None:
            return b""
        if not self._small(wanted):
            return b"".join(_sectors(self.data, self.table, wanted.start, self.shift))[
                : wanted.size
            ]
        # A short stream lies in pieces inside the root's own stream.
        store = b"".join(_sectors(self.data, self.table, self.entries[0].start, self.shift))
        piece = 1 << self.small_shift
        pieces = (at * piece for at in _chain(self.small_table, wanted.start))
        return b"".join(store[at : at + piece] for at in pieces)[: wanted.size]

    def _small(self, entry: _Entry) -> bool:
        return entry.kind == _STREAM and entry.size < min(self.small_below, _SMALL)


def open_compound(data: Buffer) -> Compound | None:
    """Look through an OLE2 container's tables; None if its header makes no sense."""
    if len(data) < _HEADER:
        return None
    shift, small_shift = struct.unpack_from("<HH", data, 30)
    if not 7 <= shift <= 16 or not 4 <= small_shift < shift:
        return None
    directory_at, _, small_below, small_table_at = struct.unpack_from("<IIII", data, 48)
    table, endless = _table(data, shift)
    directory = b"".join(_sectors(data, table, directory_at, shift))
    return Compound(
        data=data,
        shift=shift,
        small_shift=small_shift,
        small_below=small_below,
        starts=(directory_at, small_table_at),
        table=table,
        small_table=_numbers(b"".join(_sectors(data, table, small_table_at, shift))),
        entries=tuple(
            _entry(directory[at : at + _ENTRY])
            for at in range(0, len(directory) - _ENTRY + 1, _ENTRY)
            if directory[at + 66] in {_ROOT, _STREAM}
        ),
        endless=endless,
    )


def _table(data: Buffer, shift: int) -> tuple[tuple[int, ...], bool]:
    """Return the sector that follows each sector, and whether the table itself never ends."""
    size = 1 << shift
    places = list(struct.unpack_from("<109I", data, 76))
    more, seen = struct.unpack_from("<I", data, 68)[0], set[int]()
    while more < _FREE and more not in seen:
        seen.add(more)
        sector = _sector(data, more, shift)
        if len(sector) < size:
            break
        *listed, more = _numbers(sector)
        places += listed
    kept = [place for place in places if place < _FREE][: len(data) >> shift]
    return _numbers(b"".join(_sector(data, place, shift) for place in kept)), more in seen


def _sectors(data: Buffer, table: Sequence[int], start: int, shift: int) -> Iterator[bytes]:
    for at in _chain(table, start):
        yield _sector(data, at, shift)


def _chain(table: Sequence[int], start: int) -> Iterator[int]:
    at, left = start, len(table)
    while at < len(table) and left:
        yield at
        at, left = table[at], left - 1


def _loops(table: Sequence[int], start: int) -> bool:
    at, left = start, len(table)
    while at < len(table) and left:
        at, left = table[at], left - 1
    # As many steps as there are sectors, and still at one of them.
    return at < len(table)


def _sector(data: Buffer, number: int, shift: int) -> bytes:
    at = (number + 1) << shift
    return bytes(data[at : at + (1 << shift)])


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 4
    return struct.unpack(f"<{count}I", data[: count * 4])


def _entry(raw: bytes) -> _Entry:
    length, kind = struct.unpack_from("<HB", raw, 64)
    name = raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", errors="replace")
    start, size = struct.unpack_from("<II", raw, 116)
    return _Entry(name=name.casefold(), kind=kind, start=start, size=size)
