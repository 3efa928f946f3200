"""The parts of a workbook's zip container, inflated piece by piece."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from pipeline.reading.excel.notes.sheet_notes import SheetNotes
from pipeline.reading.file_type import Buffer

LOCAL_SIZE = 30
_TAKE, _PIECE = 64 * 1024, 1024 * 1024
_PEEK = 4 * 1024 * 1024


class Package(Struct, frozen=True, kw_only=True):
    """A sound workbook in a zip container.

    ``kind``: ``xlsx``, ``xlsb`` or ``ods``. ``suspects``: names of the binary parts that may hold
    error cells. ``notes``: part → those about the sheets in it. Names are as ``plain_name`` gives
    them.
    """

    kind: str
    data: Buffer
    members: Mapping[str, zipfile.ZipInfo]
    suspects: frozenset[str]
    notes: Mapping[str, Sequence[SheetNotes]]

    def pieces(self, part: str) -> Iterator[bytes]:
        """Yield a part's content piece by piece; nothing if there is no such part."""
        member = self.members.get(part)
        if member is not None:
            yield from (piece for piece, _ in inflated(self.data, member))

    def small(self, part: str) -> bytes:
        """Return a part's content, b"" if it is missing or larger than some MB."""
        return peek(self.data, self.members.get(part))


class Unsound(Exception):
    """A part whose bytes do not end where they should."""


def inflated(data: Buffer, member: zipfile.ZipInfo) -> Iterator[tuple[bytes, int]]:
    """Yield a part's content piece by piece, with the bytes of the file it took so far.

    What the directory says of its size is not believed. Raises ``Unsound`` or ``zlib.error``.
    """
    local = bytes(data[member.header_offset : member.header_offset + LOCAL_SIZE])
    if len(local) < LOCAL_SIZE or local[:4] != b"PK\x03\x04":
        raise Unsound
    skip = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    start = member.header_offset + LOCAL_SIZE + skip
    end = start + member.compress_size
    if end > len(data):
        raise Unsound
    if member.compress_type == zipfile.ZIP_STORED:
        for at in range(start, end, _PIECE):
            until = min(at + _PIECE, end)
            yield bytes(data[at:until]), until - start
        return
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise Unsound
    inflater = zlib.decompressobj(-15)
    for at in range(start, end, _TAKE):
        until = min(at + _TAKE, end)
        rest = bytes(data[at:until])
        # What one call returns is bounded, so some of it may still be inside when all is taken.
        while not inflater.eof:
            piece = inflater.decompress(rest, _PIECE)
            rest = inflater.unconsumed_tail
            if not piece:
                break
            yield piece, until - start - len(rest)
    if not inflater.eof:
        raise Unsound


def plain_name(member: str) -> str:
    """Return a part's name as the directory of any producer may be asked for it."""
    return member.replace("\\", "/").lstrip("/").casefold()


def peek(data: Buffer, member: zipfile.ZipInfo | None) -> bytes:
    """Return a small part's content, b"" if it is missing, large or unreadable."""
    if member is None or member.flag_bits & 1:
        return b""
    parts, size = [], 0
    try:
        for piece, _ in inflated(data, member):
            parts.append(piece)
            size += len(piece)
            if size > _PEEK:
                return b""
    except (zlib.error, Unsound):
        return b""
    return b"".join(parts)
