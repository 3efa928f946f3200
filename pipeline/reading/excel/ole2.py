"""OLE2 containers: their directory, whether one may be handed on, and the workbook's stream.

Enough of the format for these. The native reader believes the file: it follows a chain of
sectors that comes back to itself until memory ends, and asks at once for the room that a length or
a sector far beyond the file would need. No answer to that is an error it could catch, so all of it
is looked at before. A library for the format (olefile) does not do that: it reads as far as a
stream's length goes, does not look where its chain ends, and does not see entries that hang in no
folder, which the native reader goes by.
"""

import struct
from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.reading.file_type import Buffer

_FREE = 0xFFFFFFFA  # from here on a sector number is a mark, not a place
_END = 0xFFFFFFFE
_HEADER, _ENTRY = 512, 128
_USUAL = 9  # 512 bytes a sector; with larger ones lengths have eight bytes
_STREAMS = ("workbook", "book")
_SMALL = 4096
_ROOT = 5


class _Entry(Struct, frozen=True, kw_only=True):
    """A stream or folder. ``beside``: its neighbours in the same folder; ``below``: what it holds.

    All three are numbers of entries, or of none.
    """

    name: str
    kind: int
    beside: tuple[int, int]
    below: int
    start: int
    size: int


class Compound(Struct, frozen=True, kw_only=True):
    """An OLE2 container. ``table`` and ``small_table`` tell the sector that follows each.

    ``lengths``: how long the header says that directory, table and small table are, in sectors.
    ``sound``: the chain of the table itself ends, and lies within the file.
    """

    data: Buffer
    shift: int
    small_shift: int
    small_below: int
    starts: tuple[int, int]
    lengths: tuple[int, int, int]
    table: tuple[int, ...]
    small_table: tuple[int, ...]
    entries: tuple[_Entry, ...]
    sound: bool

    def names(self) -> frozenset[str]:
        """Return the names at the top, in no folder, in lower case."""
        found: set[int] = set()
        left = [self.entries[0].below] if self.entries else []
        while left:
            number = left.pop()
            if number < len(self.entries) and number not in found:
                found.add(number)
                left += self.entries[number].beside
        return frozenset(self.entries[number].name for number in found)

    @property
    def is_workbook(self) -> bool:
        """Return True when there is a workbook's stream at the top."""
        return not self.names().isdisjoint(_STREAMS)

    def fault(self) -> str:
        """Say why no reader should be given it, "" if one may."""
        sectors = _sectors_in(self.data, self.shift)
        directory_at, small_table_at = self.starts
        large, small = {directory_at}, set[int]()
        if self.lengths[2]:
            large.add(small_table_at)
        for entry in self.entries:
            if entry.kind == _ROOT and self.lengths[2]:
                large.add(entry.start)
            elif entry.name in _STREAMS:
                (small if self._small(entry) else large).add(entry.start)
        read = [each for each in self.entries if each.kind == _ROOT or each.name in _STREAMS]
        if max(self.lengths) > sectors or any(each.size > len(self.data) for each in read):
            return "it claims to be larger than it is"
        whole = self.sound and all(_ends(self.table, start, sectors) for start in large)
        if not whole or not all(_ends(self.small_table, at, len(self.small_table)) for at in small):
            return "a chain of its sectors does not end"
        return ""

    def workbook(self) -> bytes:
        """Return the bytes of the stream ``Workbook`` (or ``Book``), b"" if there is none.

        It is the first of that name, wherever it hangs, as the native reader has it.
        """
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
        return entry.size < min(self.small_below, _SMALL)


def open_compound(data: Buffer) -> Compound | None:
    """Look through an OLE2 container's tables; None if its header makes no sense."""
    if len(data) < _HEADER:
        return None
    shift, small_shift = struct.unpack_from("<HH", data, 30)
    if not 7 <= shift <= 16 or not 4 <= small_shift < shift:
        return None
    directory_length, table_length, directory_at = struct.unpack_from("<III", data, 40)
    small_below, small_table_at, small_length = struct.unpack_from("<III", data, 56)
    table, sound = _table(data, shift)
    directory = b"".join(_sectors(data, table, directory_at, shift))
    return Compound(
        data=data,
        shift=shift,
        small_shift=small_shift,
        small_below=small_below,
        starts=(directory_at, small_table_at),
        lengths=(directory_length, table_length, small_length),
        table=table,
        small_table=_numbers(b"".join(_sectors(data, table, small_table_at, shift))),
        entries=tuple(
            _entry(directory[at : at + _ENTRY], wide=shift > _USUAL)
            for at in range(0, len(directory) - _ENTRY + 1, _ENTRY)
        ),
        sound=sound,
    )


def _table(data: Buffer, shift: int) -> tuple[tuple[int, ...], bool]:
    """Return the sector that follows each sector, and whether the table itself is sound."""
    size, sectors = 1 << shift, _sectors_in(data, shift)
    places = list(struct.unpack_from("<109I", data, 76))
    more, seen = struct.unpack_from("<I", data, 68)[0], set[int]()
    while more < min(_FREE, sectors) and more not in seen:
        seen.add(more)
        sector = _sector(data, more, shift)
        if len(sector) < size:
            break
        *listed, more = _numbers(sector)
        places += listed
    kept = [place for place in places if place < _FREE]
    sound = more >= _FREE and all(place < sectors for place in kept) and len(kept) <= sectors
    kept = [place for place in kept if place < sectors][:sectors]
    return _numbers(b"".join(_sector(data, place, shift) for place in kept)), sound


def _sectors_in(data: Buffer, shift: int) -> int:
    """Return how many sectors there are after the header, the last of them perhaps cut."""
    return max(0, -(-len(data) // (1 << shift)) - 1)


def _sectors(data: Buffer, table: Sequence[int], start: int, shift: int) -> Iterator[bytes]:
    for at in _chain(table, start):
        yield _sector(data, at, shift)


def _chain(table: Sequence[int], start: int) -> Iterator[int]:
    at, left = start, len(table)
    while at < len(table) and left:
        yield at
        at, left = table[at], left - 1


def _ends(table: Sequence[int], start: int, sectors: int) -> bool:
    """Return whether a chain of sectors that are there comes to its end."""
    at, left = start, len(table)
    while at < min(len(table), sectors) and left:
        at, left = table[at], left - 1
    return at == _END


def _sector(data: Buffer, number: int, shift: int) -> bytes:
    at = (number + 1) << shift
    return bytes(data[at : at + (1 << shift)])


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 4
    return struct.unpack(f"<{count}I", data[: count * 4])


def _entry(raw: bytes, *, wide: bool) -> _Entry:
    length, kind = struct.unpack_from("<HB", raw, 64)
    name = raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", errors="replace")
    left, right, below = struct.unpack_from("<III", raw, 68)
    start, size = struct.unpack_from("<IQ" if wide else "<II", raw, 116)
    return _Entry(
        name=name.casefold(),
        kind=kind,
        beside=(left, right),
        below=below,
        start=start,
        size=size,
    )
