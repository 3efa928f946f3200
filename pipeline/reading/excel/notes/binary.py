"""Read error cells, formats, hidden and merged ones of the binary formats, XLS (BIFF) and XLSB."""

import re
import struct
from collections.abc import Collection, Iterable, Iterator

from pipeline.reading.excel.notes.number_format import NumberFormats, format_of
from pipeline.reading.excel.notes.sheet_notes import UNKNOWN, SheetNotes
from schemas.vocabulary import CELL_ERRORS

_HINT = re.compile(
    rb"\x05\x02\x08\0.{6}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]\x01|\x06\0..(?:.{6})\x02.[\0-\x2b].{3}\xff\xff",
    re.DOTALL,
)
_BOF, _EOF, _BOUND_SHEET, _BOOL_OR_ERROR, _FORMULA = 0x0809, 0x000A, 0x0085, 0x0205, 0x0006
_ROW, _CELL_ERROR, _FORMULA_ERROR, _SHEET, _MERGED = 0, 3, 11, 156, 176
_XLS_ROW, _XLS_COLUMNS, _XLS_FORMAT, _XLS_XF = 0x0208, 0x007D, 0x041E, 0x00E0
_XLS_FONT, _STRUCK, _NO_FONT = 0x0031, 0x08, 4  # no font has the number 4
_XLS_NUMBER, _XLS_RK, _XLS_MANY = 0x0203, 0x027E, 0x00BD
_XLS_NUMBERS = frozenset({_XLS_NUMBER, _XLS_RK, _XLS_MANY, _FORMULA})
_XLS_TEXTS = frozenset({0x00FD, 0x0204, 0x00D6})
_COLUMNS, _FORMAT, _XF, _XFS, _XFS_END = 60, 44, 47, 617, 618
_VALUES = frozenset({2, 5, 9, 6, 7, 8})  # short and long numbers, texts, and results of formulas
#: A row, or some columns, of an XLS that are hidden.
_HIDDEN = re.compile(
    rb"\x08\x02\x10\0.{12}[\x20-\x3f\x60-\x7f\xa0-\xbf\xe0-\xff]"
    rb"|\x7d\0[\x0b\x0c]\0.{8}[" + re.escape(bytes(range(1, 256, 2))) + rb"]",
    re.DOTALL,
)
_ROW_HIDDEN, _COLUMN_HIDDEN, _BINARY_ROW_HIDDEN = 0x20, 0x01, 0x10
#: A record holds a cell, at most 32,767 characters; what says that it is longer is no record.
_LONGEST = 1 << 20


def in_xls(stream: bytes) -> list[SheetNotes]:
    """Return the notes about each sheet of a workbook stream, in the workbook's order.

    An empty list if there is nothing to note.
    """
    if _HINT.search(stream) is None and _HIDDEN.search(stream) is None:
        return []
    return [_xls_sheet(stream, start) for start in _xls_starts(stream)]


def _xls_starts(stream: bytes) -> list[int]:
    return [
        struct.unpack_from("<I", body)[0]
        for kind, body in _biff(stream, 0)
        if kind == _BOUND_SHEET and len(body) >= 4
    ]


def xls_formats(stream: bytes) -> NumberFormats:
    """Return the number formats of the cell styles of a workbook stream."""
    own: dict[int, str] = {}
    styles: list[int] = []
    for kind, body in _biff(stream, 0):
        if kind == _XLS_FORMAT and len(body) >= 5:
            own[struct.unpack_from("<H", body)[0]] = _xls_text(body[2:])
        elif kind == _XLS_XF and len(body) >= 4:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    return NumberFormats({at: format_of(number, own) for at, number in enumerate(styles)})


def xls_struck(stream: bytes) -> frozenset[int]:
    """Return the cell styles of a workbook stream whose text is crossed out."""
    fonts: list[bool] = []
    styles: list[int] = []
    for kind, body in _biff(stream, 0):
        if kind == _XLS_FONT and len(body) >= 4:
            fonts.append(bool(body[2] & _STRUCK))
            if len(fonts) == _NO_FONT:
                fonts.append(False)
        elif kind == _XLS_XF and len(body) >= 4:
            styles.append(struct.unpack_from("<H", body)[0])
    struck = {at for at, crossed in enumerate(fonts) if crossed}
    return frozenset(style for style, font in enumerate(styles) if font in struck)


def xls_cells(
    stream: bytes, index: int, styles: Collection[int], *, only: int | None = None
) -> Iterator[tuple[int, int, int]]:
    """Yield row (from 1), column and style of the cells of a sheet that have one of the styles.

    ``only``: of the numbers in this column.
    """
    starts = _xls_starts(stream) if styles else []
    if index >= len(starts):
        return
    wanted = _XLS_NUMBERS if only is not None else _XLS_NUMBERS | _XLS_TEXTS
    for kind, body in _biff(stream, starts[index]):
        if kind not in wanted or len(body) < 6:
            continue
        row, column, style = struct.unpack_from("<HHH", body)
        # A record of many numbers ends in the column of the last one.
        last = len(body) - 7 if kind == _XLS_MANY else 0
        more = (struct.unpack_from("<H", body, place)[0] for place in range(10, last, 6))
        for at, its in enumerate((style, *more), start=column):
            if its in styles and only in {None, at}:
                yield row + 1, at, its


def _xls_text(body: bytes) -> str:
    """Return the text of a format, as Excel 97 and later write it, or else as Excel 95 does."""
    length, wide = struct.unpack_from("<HB", body)
    if wide == 0 and len(body) >= 3 + length:
        return body[3 : 3 + length].decode("latin-1")
    if wide == 1 and len(body) >= 3 + 2 * length:
        return body[3 : 3 + 2 * length].decode("utf-16-le", errors="replace")
    return body[1 : 1 + body[0]].decode("latin-1")


def _xls_sheet(stream: bytes, start: int) -> SheetNotes:
    found = SheetNotes()
    for kind, body in _biff(stream, start):
        if kind == _BOOL_OR_ERROR and len(body) >= 8 and body[7] == 1:
            code = body[6]
        elif kind == _FORMULA and len(body) >= 14 and body[6] == 2 and body[12:14] == b"\xff\xff":
            code = body[8]
        else:
            _note_hidden(found, kind, body)
            continue
        row, column = struct.unpack_from("<HH", body)
        found.add(row + 1, column, CELL_ERRORS.get(code, UNKNOWN))
    return found


def _note_hidden(found: SheetNotes, kind: int, body: bytes) -> None:
    """Note a row with cells, or columns, that an XLS hides."""
    if kind == _XLS_ROW and len(body) >= 13 and body[12] & _ROW_HIDDEN:
        row, first, after = struct.unpack_from("<HHH", body)
        if after > first:
            found.hidden_rows.append(row + 1)
    elif kind == _XLS_COLUMNS and len(body) >= 9 and body[8] & _COLUMN_HIDDEN:
        first, last = struct.unpack_from("<HH", body)
        found.hidden_columns.append((first, last))


def _biff(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records from ``at`` to the end of that substream; charts lie inside sheets."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, stream[at + 4 : at + 4 + size]
        if depth <= 0:
            return
        at += 4 + size


def in_xlsb(pieces: Iterable[bytes]) -> SheetNotes:
    """Return the notes about an XLSB worksheet part, given piece by piece."""
    found = SheetNotes()
    row = 0
    for kind, body in _records(pieces):
        if kind == _ROW and len(body) >= 4:
            row = struct.unpack_from("<I", body)[0] + 1
            if len(body) >= 12 and body[11] & _BINARY_ROW_HIDDEN:
                found.hidden_rows.append(row)
        elif kind == _COLUMNS and len(body) >= 17 and body[16] & _COLUMN_HIDDEN:
            found.hidden_columns.append(struct.unpack_from("<II", body))
        elif kind == _MERGED and len(body) >= 16:
            first, last, left, right = struct.unpack_from("<IIII", body)
            found.merged.append((left, right, first + 1, last + 1))
        elif kind in {_CELL_ERROR, _FORMULA_ERROR} and len(body) >= 9:
            column = struct.unpack_from("<I", body)[0]
            found.add(row, column, CELL_ERRORS.get(body[8], UNKNOWN))
    return found


def xlsb_formats(styles: Iterable[bytes]) -> NumberFormats:
    """Return the number formats of the cell styles of the part ``styles.bin``."""
    own: dict[int, str] = {}
    numbers: list[int] = []
    inside = False
    for kind, body in _records(styles):
        if kind == _FORMAT and len(body) >= 6:
            number, length = struct.unpack_from("<HI", body)
            own[number] = body[6 : 6 + 2 * length].decode("utf-16-le", errors="replace")
        elif kind in {_XFS, _XFS_END}:
            inside = kind == _XFS
        elif kind == _XF and inside and len(body) >= 4:
            numbers.append(struct.unpack_from("<H", body, 2)[0])
    return NumberFormats({at: format_of(number, own) for at, number in enumerate(numbers)})


def xlsb_cells(sheet: Iterable[bytes], styles: Collection[int]) -> Iterator[tuple[int, int, int]]:
    """Yield row (from 1), column and style of the cells of a sheet that have one of the styles."""
    row = 0
    for kind, body in _records(sheet):
        if kind == _ROW and len(body) >= 4:
            row = struct.unpack_from("<I", body)[0] + 1
        elif kind in _VALUES and len(body) >= 8:
            column, style = struct.unpack_from("<II", body)
            if (style & 0xFFFFFF) in styles:
                yield row, column, style & 0xFFFFFF


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
