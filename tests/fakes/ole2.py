"""OLE2 containers, and the old Excel workbooks (BIFF8) that lie in them."""

import struct
from collections.abc import Mapping, Sequence

Folder = Mapping[str, "bytes | Folder"]

_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_ROOT, _STREAM, _STORAGE = 5, 2, 1
_SECTOR = 512


def ole2(content: Folder) -> bytes:
    """Return a container with these streams; a mapping becomes a folder ("storage") of its own.

    Every stream gets at least 4,096 bytes (zeros at its end): shorter ones lie elsewhere.
    """
    entries: list[bytes] = []
    sectors: list[bytes] = []
    table: list[int] = []

    def add(name: str, kind: int, *, start: int = 0, size: int = 0) -> int:
        text = name.encode("utf-16-le")
        head = text.ljust(64, b"\0") + struct.pack("<HBB", len(text) + 2, kind, 1)
        entries.append(
            head
            + struct.pack("<III", _FREE, _FREE, _FREE).ljust(48, b"\0")
            + struct.pack("<IQ", start, size)
        )
        return len(entries) - 1

    def fill(number: int, folder: Folder) -> None:
        """Hang the parts of a folder below it, each to the right of the one before."""
        before = None
        for name, value in folder.items():
            if isinstance(value, bytes):
                data = value.ljust(4096, b"\0")
                pieces = [data[at : at + _SECTOR] for at in range(0, len(data), _SECTOR)]
                made = add(name, _STREAM, start=len(sectors), size=len(data))
                sectors.extend(piece.ljust(_SECTOR, b"\0") for piece in pieces)
                table.extend([*range(len(sectors) - len(pieces) + 1, len(sectors)), _END])
            else:
                made = add(name, _STORAGE)
                fill(made, value)
            place, owner = (76, number) if before is None else (72, before)
            entry = bytearray(entries[owner])
            struct.pack_into("<I", entry, place, made)
            entries[owner] = bytes(entry)
            before = made

    fill(add("Root Entry", _ROOT, start=_END), content)
    directory = b"".join(entries)
    directory_at = len(sectors)
    pieces = [directory[at : at + _SECTOR] for at in range(0, len(directory), _SECTOR)]
    sectors.extend(piece.ljust(_SECTOR, b"\0") for piece in pieces)
    table.extend([*range(directory_at + 1, len(sectors)), _END])
    assert len(table) < 127, "more needs a second sector for the table"
    sectors.append(struct.pack("<128I", *table, _TABLE, *[_FREE] * (127 - len(table))))
    header = bytes.fromhex("d0cf11e0a1b11ae1").ljust(24, b"\0")
    header += struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6).ljust(20, b"\0")
    header += struct.pack("<IIIIIIII", 1, directory_at, 0, 4096, _END, 0, _END, 0)
    header += struct.pack("<109I", len(table), *[_FREE] * 108)
    return header + b"".join(sectors)


def xls(
    rows: Sequence[Sequence[object]], *, protected: bool = False, struck: Sequence[int] = ()
) -> bytes:
    """Return the stream ``Workbook`` of a workbook with one sheet.

    Cells are text, both also with a format (``(12, "0000")``), or an error as ValueError; an
    empty text is no cell. ``struck``: rows, from 1, whose texts are crossed out.
    """
    start = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 6))
    if protected:
        start += record(0x002F, bytes(54))
    codes = ["General", *(cell[1] for cells in rows for cell in cells if isinstance(cell, tuple))]
    for number, code in enumerate(codes):
        head = struct.pack("<HHB", 164 + number, len(code), 0)
        start += record(0x041E, head + code.encode("latin-1"))
    start += _styles(len(codes))
    named = b"\x05\x00" + b"Cells"
    place = len(start) + 4 + 6 + len(named) + 4
    sheet = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 6))
    numbered = 0
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if isinstance(cell, ValueError):
                sheet += record(0x0205, struct.pack("<HHHBB", row, column, 0, 0x2A, 1))
            elif isinstance(cell, tuple):
                numbered += 1
                if isinstance(cell[0], str):
                    sheet += _text(row, column, numbered, cell[0])
                else:
                    sheet += record(0x0203, struct.pack("<HHHd", row, column, numbered, cell[0]))
            elif text := str(cell):
                sheet += _text(row, column, len(codes) if row + 1 in struck else 0, text)
    sheet += record(0x000A)
    return start + record(0x0085, struct.pack("<IH", place, 0) + named) + record(0x000A) + sheet


def _styles(count: int) -> bytes:
    """Return a style for each format, and one whose text is crossed out."""
    # The last font has the number 5.
    fonts = (record(0x0031, struct.pack("<HH", 200, each) + bytes(12)) for each in (0, 0, 0, 0, 8))
    styles = [(0, 164 + number) for number in range(count)] + [(5, 0)]
    records = (record(0x00E0, struct.pack("<HH", *each) + bytes(16)) for each in styles)
    return b"".join((*fonts, *records))


def _text(row: int, column: int, style: int, text: str) -> bytes:
    head = struct.pack("<HHHHB", row, column, style, len(text), 1)
    return record(0x0204, head + text.encode("utf-16-le"))


def record(kind: int, body: bytes = b"") -> bytes:
    """Return one record of a workbook."""
    return struct.pack("<HH", kind, len(body)) + body
