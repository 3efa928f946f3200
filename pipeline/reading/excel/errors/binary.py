"""Error cells of the two binary formats: XLS (BIFF records) and XLSB."""

import re
import struct
from collections.abc import Iterable, Iterator

from pipeline.reading.excel.errors.cells import NAMES, UNKNOWN, ErrorCells

_HINT = re.compile(
    rb"\x05\x02\x08\0.{6}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]\x01|\x06\0..(?:.{6})\x02.[\0-\x2b].{3}\xff\xff",
    re.DOTALL,
)
_BOF, _EOF, _BOUND_SHEET, _BOOL_OR_ERROR, _FORMULA = 0x0809, 0x000A, 0x0085, 0x0205, 0x0006
_ROW, _CELL_ERROR, _FORMULA_ERROR, _SHEET = 0, 3, 11, 156
#: A record holds a cell, at most 32,767 characters; what says that it is longer is no record.
_LONGEST = 1 << 20


def in_xls(stream: bytes) -> list[ErrorCells]:
    """Return the error cells of each sheet of a workbook stream, in the workbook's order.

    An empty list if there is none at all.
    """
    if _HINT.search(stream) is None:
        return []
    starts = [
        struct.unpack_from("<I", body)[0]
        for kind, body in _biff(stream, 0)
        if kind == _BOUND_SHEET and len(body) >= 4
    ]
    return [_xls_sheet(stream, start) for start in starts]


def _xls_sheet(stream: bytes, start: int) -> ErrorCells:
    found = ErrorCells()
    for kind, body in _biff(stream, start):
        if kind == _BOOL_OR_ERROR and len(body) >= 8 and body[7] == 1:
            code = body[6]
        elif kind == _FORMULA and len(body) >= 14 and body[6] == 2 and body[12:14] == b"\xff\xff":
            code = body[8]
        else:
            continue
        row, column = struct.unpack_from("<HH", body)
        found.add(row + 1, column, NAMES.get(code, UNKNOWN))
    return found


def _biff(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records from ``at`` to the end of what begins there; charts lie inside sheets."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, stream[at + 4 : at + 4 + size]
        if depth <= 0:
            return
        at += 4 + size


def in_xlsb(pieces: Iterable[bytes]) -> ErrorCells:
    """Find the error cells of an XLSB worksheet part, given piece by piece."""
    found = ErrorCells()
    row = 0
    for kind, body in _records(pieces):
        if kind == _ROW and len(body) >= 4:
            row = struct.unpack_from("<I", body)[0] + 1
        elif kind in {_CELL_ERROR, _FORMULA_ERROR} and len(body) >= 9:
            column = struct.unpack_from("<I", body)[0]
            found.add(row, column, NAMES.get(body[8], UNKNOWN))
    return found


def xlsb_sheets(pieces: Iterable[bytes]) -> list[str]:
    """Return the relationship of each sheet of the part ``workbook.bin``, in its order."""
    names = []
    for kind, body in _records(pieces):
        if kind == _SHEET and len(body) >= 12:
            length = min(struct.unpack_from("<I", body, 8)[0], 255)
            names.append(body[12 : 12 + 2 * length].decode("utf-16-le", errors="replace"))
    return names


def _records(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    held = b""
    for piece in pieces:
        held += piece
        at = 0
        while (head := _head(held, at)) is not None:
            kind, start, end = head
            if end - start > _LONGEST:
                return
            if end > len(held):
                break
            yield kind, held[start:end]
            at = end
        held = held[at:]


def _head(held: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a record's kind, and where its body begins and ends; None if its head is cut."""
    if at >= len(held):
        return None
    kind, at = held[at], at + 1
    if kind & 0x80:
        if at >= len(held):
            return None
        kind, at = (kind & 0x7F) | (held[at] & 0x7F) << 7, at + 1
    size = 0
    for shift in (0, 7, 14, 21):
        if at >= len(held):
            return None
        byte, at = held[at], at + 1
        size |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return kind, at, at + size
