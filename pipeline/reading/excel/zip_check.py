"""Containers are looked through before a native reader may touch them.

A zip is inflated once, piece by piece into nothing: what comes out is counted, its checksum
compared, and its XML searched for a document type and for cells so far apart that the reader,
which lays a sheet out in full, would ask for more memory than there is.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits
from pipeline.reading.csv.encoding import truncated
from pipeline.reading.excel.notes.ods import ContentXml
from pipeline.reading.excel.notes.sheet_notes import SheetNotes
from pipeline.reading.excel.notes.xlsx import NotWellFormed, SheetXml, TextsXml, XmlPart
from pipeline.reading.excel.ole2 import open_compound
from pipeline.reading.excel.zip_parts import (
    LOCAL_SIZE,
    Package,
    Unsound,
    inflated,
    peek,
    plain_name,
)
from pipeline.reading.file_type import Buffer, as_file, unsupported
from schemas.codes import Code
from schemas.display import counted, quoted

_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0[DE]\0|\0<\0!\0[DE]", re.IGNORECASE)
#: Records of merged cells, of hidden columns, and of an error cell, typed or computed, as a binary
#: sheet (XLSB) holds them.
_BINARY = re.compile(
    rb"\xb0\x01\x10(?:..[\0-\x10]\0){2}(?:..\0\0){2}|\x3c\x12(?:..\0\0){2}.{8}["
    + re.escape(bytes(range(1, 256, 2)))
    + rb"]|(?:\x03\x09|\x0b(?:[\0-\x7f]|[\x80-\xff][\x01-\x7f]))"
    rb"..\0\0.{4}[\0\x07\x0f\x17\x1d\x24\x2a\x2b]",
    re.DOTALL,
)
_COUNT = re.compile(rb"\b(?:uniqueC|c)ount\s*=\s*[\"']\s*(\d+)")
#: The native reader asks for room for as many shared texts as the part says it has.
_MOST_TEXTS = 1_000_000
_REACH = 64


_NEEDED = frozenset({"xl/sharedstrings.xml", "xl/workbook.xml", "xl/styles.xml", "content.xml"})


class Markup:
    """Looks through one part, piece by piece.

    ``suspect``: a binary sheet that may hold cells with an error, merged ones or hidden columns.
    ``texts``: how many shared texts it claims to have. ``malformed``: it is XML that the workbook's
    cells come from, and is not well-formed.
    """

    def __init__(self, part: str, *, xml: bool) -> None:
        """Take the part's name, as ``plain_name`` gives it."""
        self.extent = Extent()
        self.suspect = False
        self.texts = 0
        self.malformed = False
        self._part = part
        self._xml = xml
        self._tail = b""
        self._declares = False
        self._walk: XmlPart | None = self._walk_of(part) if part.endswith(".xml") else None

    def _walk_of(self, part: str) -> XmlPart:
        if part == "content.xml":
            return ContentXml()
        if part == "xl/sharedstrings.xml":
            return TextsXml()
        return SheetXml(plain_rows=self.extent.add_plain)

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        text = self._tail + piece
        if self._xml:
            if b"!" in piece and _DECLARATION.search(text):
                self._declares = True
            if b"uniqueCount" in text:
                counts = (int(number[:12]) for number in _COUNT.findall(text))
                self.texts = max(self.texts, *counts, 0)
            self._parse(piece)
        elif not self.suspect:
            self.suspect = _BINARY.search(text) is not None
        self._tail = piece[-_REACH:]

    def _parse(self, piece: bytes | None) -> None:
        """Hand the next piece to the parser; None at the end."""
        if self._walk is None or self._declares or self.malformed:
            return
        try:
            if piece is None:
                self._walk.end()
            else:
                self._walk.add(piece)
        except NotWellFormed:
            self.malformed = True

    def end(self) -> list[SheetNotes]:
        """Take note that the part has ended; return the notes about the sheets in it."""
        self._parse(None)
        walk = self._walk
        sheet = isinstance(walk, SheetXml) and walk.is_sheet
        if self.malformed:
            needed = self._part in _NEEDED or "/worksheets/" in self._part
            self.malformed = sheet or needed
            return []
        if isinstance(walk, TextsXml):
            return [walk.notes]
        if isinstance(walk, SheetXml) and sheet:
            self.extent.add_place(*walk.far)
            return [walk.notes]
        return walk.sheets if isinstance(walk, ContentXml) else []

    def fault(self, size: int) -> str:
        """Return the fault of a part of so many bytes in words, "" if there is none."""
        if self._declares:
            return "declares a document type"
        if self.texts > max(_MOST_TEXTS, size):
            return f"claims to hold {self.texts:,} texts"
        return self.extent.fault()


MAX_CELLS = 50_000_000
"""About 1.5 GB once laid out; a sheet of a million rows and 26 columns has 27 million."""

_MAX_ROW, _MAX_COLUMN = 1_048_576, 16_384
_LETTERS = 26
_WIDE = 100
_UNNOTICED_ROW = 99_999
_SPREAD = 32

#: Cells beyond column Z, and rows from 100,000 on: few enough to look at each.
_FAR = re.compile(rb' r="(?:([A-Za-z]{2,})(\d+)"|[A-Za-z]?(\d{6,})")')
#: The same address written in a way that spreadsheet programs do not.
_ODD = re.compile(rb"\sr\s*=\s*[\"']\s*([A-Za-z]*)(\d*)")


class Extent:
    """Tell from a worksheet's XML, piece by piece, how far apart its cells are.

    The native reader lays a sheet out as one full rectangle. Two cells, A1 and XFD1048576, are
    enough to make it ask for half a terabyte, and it does not survive the answer. ``<dimension>``
    is no help: it lies.
    """

    def __init__(self) -> None:
        self._row = 0
        self._column = 0
        self._tail = b""
        self._thorough = False

    @property
    def wide(self) -> bool:
        """Return True if the columns make every row count.

        The part has to be read again.
        """
        return self._column > _WIDE and not self._thorough

    def add_plain(self, rows: bytes) -> None:
        """Look for cells far out among plain rows."""
        for letters, row, high in _FAR.findall(rows):
            self._note(letters, row or high)

    def add_place(self, row: int, column: int) -> None:
        """Take in how far other cells are out; columns count from 1."""
        self._row = max(self._row, row)
        self._column = max(self._column, column if column > _LETTERS else 0)

    def add_thoroughly(self, piece: bytes) -> None:
        """Look at every cell."""
        self._thorough = True
        self._note_all(self._tail + piece)
        self._tail = piece[-_SPREAD:]

    def fault(self) -> str:
        """Return the fault of the sheet's size in words, "" if there is none."""
        if self._row > _MAX_ROW or self._column > _MAX_COLUMN:
            return "has a cell outside of any sheet"
        known = self._thorough or self._row > _UNNOTICED_ROW
        rows = self._row if known else _UNNOTICED_ROW
        columns = max(self._column, _LETTERS)
        if self._column and rows * columns > MAX_CELLS:
            return f"has cells {rows:,} rows and {columns:,} columns apart"
        return ""

    def _note_all(self, text: bytes) -> None:
        for letters, row in _ODD.findall(text):
            self._note(letters, row)

    def _note(self, letters: bytes, row: bytes) -> None:
        # More digits or letters than any sheet has are too many, whatever they say.
        self._row = max(self._row, int(row[:9] or b"0"))
        column = 0
        for letter in letters[:5].upper():
            column = column * _LETTERS + letter - 64
        if len(letters) > 1:
            self._column = max(self._column, column)


_RATIO, _RATIO_ABOVE = 200, 10 * 1024 * 1024
_ENTRY_BYTES = 600
_END, _END_SIZE = b"PK\x05\x06", 22

_OLE2_KINDS: tuple[tuple[str, str], ...] = (
    ("worddocument", "a Word document"),
    ("powerpoint document", "a PowerPoint presentation"),
    ("__properties_version1.0", "an Outlook message"),
    ("visiodocument", "a Visio drawing"),
)
_PACKAGE_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"wordprocessingml", "a Word document"),
    (b"presentationml", "a PowerPoint presentation"),
    (b"ms-visio", "a Visio drawing"),
)


def check_zip(data: Buffer, *, name: str, limits: Limits) -> Package:
    """Look through a zip container that should be a workbook.

    Raises ``DropRefused``: ``TRUNCATED``, ``UNSUPPORTED_TYPE`` (a zip that is no workbook),
    ``PASSWORD_PROTECTED``, ``UNSAFE_WORKBOOK`` (bombs, bad checksums, suspicious member names or
    XML) or ``UNREADABLE``.
    """
    members = _directory(data, name, limits)
    kind = _kind(data, members, name)
    if any(member.flag_bits & 1 for member in members):
        raise protected(name)
    _check_names(members, name)
    _check_places(data, members, name)
    if sum(member.file_size for member in members) > limits.max_inflated_bytes:
        raise _too_big(name)
    left = limits.max_inflated_bytes
    suspects: set[str] = set()
    notes: dict[str, list[SheetNotes]] = {}
    for member in members:
        size, markup = _check_member(data, member, name, left)
        left -= size
        part = plain_name(member.filename)
        if markup is None:
            continue
        notes[part] = markup.end()
        if why := _fault_of(data, member, markup, size):
            raise _unsafe(name, f"its part {quoted(member.filename)} {why}")
        if markup.malformed:
            raise _damaged(name, f"its part {quoted(member.filename)} is not well-formed XML")
        if markup.suspect:
            suspects.add(part)
    return Package(
        kind=kind,
        data=data,
        members={plain_name(member.filename): member for member in members},
        suspects=frozenset(suspects),
        notes=notes,
    )


def check_ole2(data: Buffer, *, name: str) -> str:
    """Return ``xls`` for an OLE2 container that may be a workbook.

    Raises ``DropRefused``: ``PASSWORD_PROTECTED`` (an encrypted XLSX lies in an OLE2 container),
    ``UNSUPPORTED_TYPE`` or ``UNREADABLE``.
    """
    compound = open_compound(data)
    if compound is None:
        return "xls"  # its reader says why it is none
    if not compound.is_workbook:
        names = compound.names()
        if "encryptedpackage" in names:
            raise protected(name)
        for stream, kind in _OLE2_KINDS:
            if stream in names:
                raise unsupported(name, kind)
    if why := compound.fault():
        raise _damaged(name, why)
    if _has_filepass(compound.workbook()):
        raise protected(name)
    return "xls"


def _has_filepass(stream: bytes) -> bool:
    """Return True if the stream of an XLS begins as an encrypted one does."""
    at = 4 + int.from_bytes(stream[2:4], "little")
    if stream[at : at + 4] == b"\x86\0\0\0":
        at += 4
    return stream[at : at + 2] == b"\x2f\0"


def protected(name: str) -> DropRefused:
    """Return the refusal of a workbook that is encrypted."""
    return DropRefused(
        Code.PASSWORD_PROTECTED,
        f"{quoted(name)} is protected with a password.",
        hint="Save it without a password and upload it again.",
    )


def _directory(data: Buffer, name: str, limits: Limits) -> Sequence[zipfile.ZipInfo]:
    end = data.rfind(_END, max(0, len(data) - 65535 - _END_SIZE))
    if end < 0 or len(data) - end < _END_SIZE:
        raise truncated(f"{quoted(name)} is a workbook whose end is missing.")
    too_many = _unsafe(name, f"it holds more than {limits.max_members:,} parts")
    # The directory's size bounds the time to read it; its count of entries may lie.
    if _directory_size(data, end) > limits.max_members * _ENTRY_BYTES:
        raise too_many
    try:
        with zipfile.ZipFile(as_file(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, RuntimeError, OSError) as error:
        raise _damaged(name, "its table of contents cannot be read") from error
    if len(members) > limits.max_members:
        raise too_many
    return members


def _directory_size(data: Buffer, end: int) -> int:
    size = int.from_bytes(data[end + 12 : end + 16], "little")
    if size < 0xFFFFFFFF or bytes(data[end - 20 : end - 16]) != b"PK\x06\x07":
        return size
    at = int.from_bytes(data[end - 12 : end - 4], "little")
    if bytes(data[at : at + 4]) != b"PK\x06\x06":
        return 0  # zipfile finds the directory missing without reading any of it
    return int.from_bytes(data[at + 40 : at + 48], "little")


def _kind(data: Buffer, members: Sequence[zipfile.ZipInfo], name: str) -> str:
    parts = {plain_name(member.filename): member for member in members}
    types = peek(data, parts.get("[content_types].xml"))
    if b"ms-excel.sheet.binary" in types or "xl/workbook.bin" in parts:
        return "xlsb"
    if b"spreadsheetml" in types or "xl/workbook.xml" in parts:
        return "xlsx"
    mime = peek(data, parts.get("mimetype")) or peek(data, parts.get("meta-inf/manifest.xml"))
    if b"opendocument.spreadsheet" in mime:
        if b"encryption-data" in peek(data, parts.get("meta-inf/manifest.xml")):
            raise protected(name)
        return "ods"
    for mark, kind in _PACKAGE_KINDS:
        if mark in types:
            raise unsupported(name, kind)
    if b"opendocument" in mime:
        raise unsupported(name, "an OpenDocument file without a spreadsheet")
    if any(part.endswith(".iwa") for part in parts):
        raise unsupported(name, "an Apple iWork document")
    raise unsupported(name, f"a zip archive of {counted(len(members), 'file')}")


def _check_names(members: Sequence[zipfile.ZipInfo], name: str) -> None:
    seen: set[str] = set()
    for member in members:
        plain = member.orig_filename.replace("\\", "/")
        if plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":" or "\0" in plain:
            raise _unsafe(name, f"its part {quoted(plain)} points outside of it")
        if plain.casefold() in seen:
            raise _unsafe(name, f"it holds the part {quoted(plain)} twice")
        seen.add(plain.casefold())


def _check_places(data: Buffer, members: Sequence[zipfile.ZipInfo], name: str) -> None:
    """Refuse parts that share bytes: with them a small file inflates without end."""
    free = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < free:
            raise _unsafe(name, "its parts overlap")
        free = member.header_offset + LOCAL_SIZE + member.compress_size
        if free > len(data):
            raise _unsafe(name, f"its part {quoted(member.filename)} goes on past its end")


def _check_member(
    data: Buffer, member: zipfile.ZipInfo, name: str, left: int
) -> tuple[int, Markup | None]:
    """Inflate one part into nothing; return its size, and its findings."""
    plain = plain_name(member.filename)
    xml = plain.endswith((".xml", ".rels", ".vml"))
    markup = Markup(plain, xml=xml) if xml or "/worksheets/" in plain else None
    size, check = 0, 0
    for piece in _bounded(data, member, name, left):
        size += len(piece)
        check = zlib.crc32(piece, check)
        if markup is not None:
            markup.add(piece)
    if size != member.file_size or check != member.CRC:
        raise _unsafe(name, f"its part {quoted(member.filename)} fails its checksum")
    return size, markup


def _fault_of(data: Buffer, member: zipfile.ZipInfo, markup: Markup, size: int) -> str:
    if markup.extent.wide:
        for piece, _ in inflated(data, member):
            markup.extent.add_thoroughly(piece)
    return markup.fault(size)


def _bounded(data: Buffer, member: zipfile.ZipInfo, name: str, left: int) -> Iterator[bytes]:
    """Inflate one part for as long as it keeps to what it says and to the limits."""
    part = f"its part {quoted(member.filename)}"
    size = 0
    try:
        for piece, taken in inflated(data, member):
            size += len(piece)
            if size > member.file_size:
                raise _unsafe(name, f"{part} is larger than it says")
            if size > left or (size > _RATIO_ABOVE and size >= taken * _RATIO):
                raise _too_big(name)
            yield piece
    except (zlib.error, Unsound) as error:
        raise _unsafe(name, f"{part} is damaged") from error


def _damaged(name: str, why: str) -> DropRefused:
    return DropRefused(
        Code.UNREADABLE,
        f"{quoted(name)} is damaged: {why}.",
        hint="Open it in a spreadsheet program, save it again and upload that.",
    )


def _too_big(name: str) -> DropRefused:
    return _unsafe(name, "it unpacks to far more data than a manifest can hold")


def _unsafe(name: str, why: str) -> DropRefused:
    return DropRefused(
        Code.UNSAFE_WORKBOOK,
        f"{quoted(name)} is not safe to open: {why}.",
        hint="Copy the table into a new workbook, or save it as CSV (UTF-8), and upload that.",
    )
