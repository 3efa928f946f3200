"""Recognise a file's type by its bytes. The name is never asked: extensions lie."""

import io
import mmap
import re
from enum import StrEnum
from typing import IO, cast

from pipeline.core.errors import DropRefused
from schemas.codes import Code
from schemas.display import quoted

Buffer = bytes | mmap.mmap


def let_go(data: Buffer) -> None:
    """Release the memory of a mapped file: pages that were read count as this process's own.

    It stays readable; what is wanted once more is fetched once more.
    """
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


class Nature(StrEnum):
    """The kinds of bytes that go on to a reader of their own."""

    TEXT = "text"
    ZIP = "zip"
    OLE2 = "ole2"


_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a rich text (RTF) document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"MZ\x90\x00", "a Windows program"),
    (b"\x7fELF", "a program"),
)

#: Plain text that is another format, recognised in its first characters.
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"\s*<\?xml[^>]*>\s*<\?mso-application[^>]*Excel|\s*<\?xml[^>]*>\s*(?:<!--.*?-->\s*)?"
            r"<(?:ss:)?Workbook\b",
            re.DOTALL,
        ),
        "an Excel 2003 XML workbook",
    ),
    (
        re.compile(
            r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|table|meta|script|style|"
            r"div|br|p|tr|td|h\d|font|center)\b",
            re.DOTALL | re.IGNORECASE,
        ),
        "an HTML page",
    ),
    (re.compile(r"\s*<(?:\?xml\b|!DOCTYPE\b|svg\b)", re.IGNORECASE), "an XML document"),
    (
        re.compile(r"(?:[A-Za-z-]+: [^\n]*\n)*MIME-Version: ", re.IGNORECASE),
        "a web archive or an e-mail (MIME)",
    ),
    (re.compile(r'\s*(?:\{\s*"[^"]*"\s*:|\[\s*[\[{])'), "a JSON document"),
    (re.compile(r"\s*%PDF-"), "a PDF document"),
)

_HINT = "Save the data as a CSV file (UTF-8) or an Excel workbook and upload that."
_TAG_FIRST = re.compile(r"\s*(?:<!--.*?-->\s*)*<[A-Za-z][\w:.-]*[\s/>]", re.DOTALL)
_SYLK_START = re.compile(r"ID;P[^\r\n]*[\r\n]+[A-Z]{1,2};")
_SYLK_END = re.compile(rb"[\r\n]E\s*\Z")
_CONTROLS = bytes(set(range(32)) - set(b"\x01\t\n\v\f\r\x1a")) + b"\x7f"


def as_file(data: Buffer) -> IO[bytes]:
    """Return an object with ``read``, ``seek`` and ``tell``; a mapped file is not copied."""
    if isinstance(data, mmap.mmap):
        data.seek(0)
        return cast("IO[bytes]", data)
    return io.BytesIO(data)


def nature_of(data: Buffer, *, name: str) -> Nature:
    """Tell text from zip and OLE2 containers by the first bytes.

    Raises ``DropRefused`` (``UNSUPPORTED_TYPE``) for every other format known by its signature,
    naming it.
    """
    start = bytes(data[:1024])
    if start.startswith(_ZIP):
        return Nature.ZIP
    if start.startswith(_OLE2):
        return Nature.OLE2
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            raise unsupported(name, kind)
    return Nature.TEXT


def check_text(head: str, data: Buffer, *, name: str) -> None:
    """Refuse text that is another format: HTML, XML, JSON, SYLK, an e-mail.

    ``head``: the first characters, decoded. Raises ``DropRefused`` (``UNSUPPORTED_TYPE``).
    """
    for pattern, kind in _MARKUP:
        if pattern.match(head):
            raise unsupported(name, kind)
    tail = bytes(data[-16:])
    if _TAG_FIRST.match(head) and tail.rstrip().endswith(b">"):
        raise unsupported(name, "a markup document")
    # "ID;P…" alone is no proof: a CSV header may begin "ID;Promise Date".
    if _SYLK_START.match(head) and _SYLK_END.search(tail):
        raise unsupported(name, "a SYLK spreadsheet")


def check_not_binary(data: Buffer, *, name: str) -> None:
    """Refuse bytes that are no text: more than one in twenty is a control character.

    Only for single-byte text and UTF-8; raises ``DropRefused`` (``UNSUPPORTED_TYPE``).
    """
    sample = bytes(data[:65536])
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls >= 4 and controls * 20 > len(sample):
        raise unsupported(name, "binary data of an unknown kind")


def unsupported(name: str, kind: str) -> DropRefused:
    """Return the refusal of a file that is ``kind`` (with its article) instead of a table."""
    return DropRefused(
        Code.UNSUPPORTED_TYPE,
        f"{quoted(name)} is {kind}. Only CSV and Excel files can be read.",
        hint=_HINT,
    )
