"""Any text → UTF-8, a window at a time.

UTF-8 itself is never copied or decoded as a whole: it is validated in place and handed out as
windows of the file. Everything else is transcoded on the way.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from msgspec import Struct

from pipeline.core.errors import DropRefused
from pipeline.core.model import Notice
from pipeline.reading.file_type import Buffer, let_go
from schemas.codes import Code
from schemas.display import quoted

#: UTF-32 LE comes before UTF-16 LE: its mark begins with the other's.
_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    ("ï»¿".encode(), "utf-8"),  # that mark, read as Western European and written again
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SAMPLE = 4096
_PIECE = 1 << 20
CHECKED = 16 << 20
"""Bytes validated at a time: so much of a mapped file is in memory at once."""
_TERMINATOR = re.compile(rb"\r\r\n|\r\n|\r|\n")
_DOS_END = 0x1A
_REPLACEMENT, _BEYOND_ASCII = 0xFFFD, 0x80


class Encoding(Struct, frozen=True, kw_only=True):
    """The encoding of a text. ``start`` is where it begins, after a byte order mark.

    ``in_place``: the bytes are valid UTF-8 as they stand. ``wrapped``: every line is in quotes as
    a whole, which come off.
    """

    codec: str
    start: int
    in_place: bool
    notices: tuple[Notice, ...] = ()
    wrapped: bool = False

    @property
    def unit(self) -> int:
        """Return bytes of the smallest character."""
        return {"16": 2, "32": 4}.get(self.codec[4:6], 1)


class Text(Protocol):
    """The file's text as UTF-8, in windows. Positions count UTF-8 bytes from the first character.

    Positions asked for may only grow.
    """

    def load(self, at: int, size: int) -> tuple[bytes, bool]:
        """Return up to ``size`` bytes from ``at``, and whether the text ends with them."""
        ...


def choose_encoding(data: Buffer, *, name: str) -> Encoding:
    """Decide how ``data`` is encoded: byte order mark, NUL pattern, UTF-8, else cp1252.

    Raises ``DropRefused`` (``TRUNCATED``) if the last character is cut or the file ends in NULs.
    """
    head = bytes(data[:_SAMPLE])
    start, codec = 0, _by_nul_pattern(head)
    for mark, marked in _MARKS:
        # A program that does not know of marks puts another one before it.
        while head.startswith(mark, start) and (not start or marked == codec):
            start, codec = start + len(mark), marked
    if codec and codec != "utf-8":
        encoding = Encoding(codec=codec, start=start, in_place=False)
        _check_tail(data, encoding, name)
        return encoding
    _check_tail(data, Encoding(codec="utf-8", start=start, in_place=True), name)
    return _utf8_or_cp1252(data, start, name)


def open_text(data: Buffer, encoding: Encoding) -> Text:
    """Return the text of ``data`` from its beginning."""
    if encoding.in_place and not encoding.wrapped:
        return _InPlace(data=data, start=encoding.start)
    return _Transcoded(data=data, encoding=encoding)


def line_at(text: Text, position: int) -> int:
    """Return the number of the physical line at ``position``, as a text editor shows it."""
    lines, at = 1, 0
    while at < position:
        # Two bytes of overlap, so that a terminator is not counted twice or cut.
        window, last = text.load(at, min(_PIECE, position - at) + 2)
        step = len(window) if last else len(window) - 2
        for end in _TERMINATOR.finditer(window):
            if end.start() >= step or at + end.end() > position:
                break
            lines += 1
            step = max(step, end.end())
        at += step
        if last:
            break
    return lines


class _InPlace(Struct, frozen=True, kw_only=True):
    data: Buffer
    start: int

    def load(self, at: int, size: int) -> tuple[bytes, bool]:
        # A copy: a view, held by a traceback or one of Arrow's threads, would keep a mapped file
        # from closing.
        end = len(self.data) - (self.data[-1] == _DOS_END)
        first = self.start + at
        until = min(first + size, end)
        return bytes(self.data[first:until]), until >= end


class _Transcoded:
    def __init__(self, *, data: Buffer, encoding: Encoding) -> None:
        pieces = _transcode(data, encoding)
        self._pieces = _unwrapped(pieces) if encoding.wrapped else pieces
        self._buffer = b""
        self._base = 0
        self._ended = False

    def load(self, at: int, size: int) -> tuple[bytes, bool]:
        if self._base + len(self._buffer) < at + size and not self._ended:
            skip = max(0, at - self._base - len(self._buffer))
            parts = [self._buffer[at - self._base :]]
            have = len(parts[0])
            self._base = at
            while have < size and not self._ended:
                piece = next(self._pieces, None)
                self._ended = piece is None
                piece, skip = (piece or b"")[skip:], max(0, skip - len(piece or b""))
                parts.append(piece)
                have += len(parts[-1])
            self._buffer = b"".join(parts)
        first = at - self._base
        window = self._buffer[first : first + size]
        return window, self._ended and first + size >= len(self._buffer)


def _transcode(data: Buffer, encoding: Encoding) -> Iterator[bytes]:
    # A byte without a meaning becomes U+FFFD: allowed in a remark, rejected in an id or status.
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors="replace")
    for at in range(encoding.start, len(data), _PIECE):
        piece = bytes(data[at : at + _PIECE])
        last = at + _PIECE >= len(data)
        text = decoder.decode(piece, final=last)
        if last:
            text = text.removesuffix(chr(_DOS_END))
        yield text.encode("utf-8", errors="replace")


def unwrapped(line: bytes) -> bytes:
    """Take the quotes off that a line stands in as a whole; it may end in its line end."""
    text = line.rstrip(b"\r\n")
    if len(text) < 2 or text[:1] != b'"' or text[-1:] != b'"':
        return line
    return text[1:-1].replace(b'""', b'"') + line[len(text) :]


def _unwrapped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    buffer = b""
    for piece in pieces:
        *lines, buffer = (buffer + piece).split(b"\n")
        yield b"".join(unwrapped(line + b"\n") for line in lines)
    yield unwrapped(buffer)


def _by_nul_pattern(head: bytes) -> str:
    """Return the UTF-16 or UTF-32 codec whose NULs this looks like, or ""."""
    quads = len(head) // 4
    if not quads:
        return ""
    for codec in ("utf-32-le", "utf-32-be"):
        if _reads_as_text(head[: quads * 4], codec):
            return codec
    nul = [head[place : quads * 4 : 4].count(0) / quads for place in range(4)]
    even, odd = (nul[0] + nul[2]) / 2, (nul[1] + nul[3]) / 2
    # Delimiters, digits and line ends have a NUL half even in a script that has none otherwise.
    if odd > 0.25 and even <= odd / 10:
        return "utf-16-le"
    if even > 0.25 and odd <= even / 10:
        return "utf-16-be"
    return ""


def _reads_as_text(head: bytes, codec: str) -> bool:
    """Return whether this is UTF-32.

    No text in another encoding is, since its bytes are no zeros.
    """
    try:
        text = head.decode(codec)
    except UnicodeDecodeError:
        return False
    controls = sum(char < " " and char not in "\t\r\n" for char in text)
    return controls * 20 < len(text)


def _check_tail(data: Buffer, encoding: Encoding, name: str) -> None:
    unit = encoding.unit
    if len(data) > encoding.start and bytes(data[-unit:]) == b"\0" * unit:
        raise truncated(
            f"{quoted(name)} ends in NUL bytes: its end was reserved but never written."
        )
    if (len(data) - encoding.start) % unit:
        raise truncated(f"{quoted(name)} ends in the middle of a character.")


def truncated(message: str) -> DropRefused:
    """Return the refusal of a file that is not whole."""
    return DropRefused(
        Code.TRUNCATED,
        message,
        hint="The upload was probably interrupted: send the file again. If it is whole, add an "
        "empty line at its end first.",
    )


def _utf8_or_cp1252(data: Buffer, start: int, name: str) -> Encoding:
    if _valid_utf8(data):
        return Encoding(codec="utf-8", start=start, in_place=True)
    bad, cut = _first_bad(data)
    if cut and not _ascii_until(data, start, bad):
        raise truncated(f"{quoted(name)} ends in the middle of a character.")
    line = line_at(_InPlace(data=data, start=start), bad - start)
    where = f"The first such character is in line {line}. Save the file as CSV UTF-8."
    if start or _is_mostly_utf8(data, bad):
        codec = "utf-8"
        is_utf8 = "marked as UTF-8" if start else "UTF-8"
        what = f"The file is {is_utf8} but holds bytes that are not; they show as U+FFFD."
    else:
        codec, guess = "cp1252", _guess(data, bad)
        also = f", though it may be {guess}" if guess not in ("", "cp1252") else ""
        what = f"The file is not UTF-8; it was read as Western European (Windows-1252){also}."
    notice = Notice(code=Code.ENCODING_GUESSED, message=f"{what} {where}")
    return Encoding(codec=codec, start=start, in_place=False, notices=(notice,))


def _valid_utf8(data: Buffer) -> bool:
    # Arrow validates in place, at several GB a second, without making a str of it.
    whole, at = pa.py_buffer(data), 0
    while at < len(data):
        end = _before_character(data, at + CHECKED)
        offsets = pa.py_buffer(np.array([0, end - at], dtype=np.int64))
        part: Any = pa.LargeStringArray.from_buffers(1, offsets, whole.slice(at, end - at))
        try:
            part.validate(full=True)
        except pa.ArrowInvalid:
            return False
        let_go(data)
        at = end
    return True


def _before_character(data: Buffer, at: int) -> int:
    """Return ``at``, or the place shortly before it where the character it falls into begins.

    No character has more than three bytes that go on; where there are more, any place will do.
    """
    if at >= len(data):
        return len(data)
    return next((end for end in range(at, at - 4, -1) if data[end] & 0xC0 != 0x80), at)


def _first_bad(data: Buffer) -> tuple[int, bool]:
    """Return where the first invalid byte is, and whether it is only a character cut by the end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(data), _PIECE):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(bytes(data[at : at + _PIECE]), final=at + _PIECE >= len(data))
        except UnicodeDecodeError as error:
            bad = at - pending + error.start
            return bad, error.reason == "unexpected end of data" and bad >= len(data) - 3
        let_go(data)
    return len(data), False


def _is_mostly_utf8(data: Buffer, bad: int) -> bool:
    """Return whether more characters beyond ASCII are sound UTF-8 than bytes are not.

    An old code page hardly ever makes one such character by chance.
    """
    around = bytes(data[max(0, bad - CHECKED) : bad + CHECKED])
    text = np.frombuffer(around.decode("utf-8", errors="replace").encode("utf-32-le"), np.uint32)
    unread = int(np.count_nonzero(text == _REPLACEMENT))
    return int(np.count_nonzero(text >= _BEYOND_ASCII)) - unread > unread


def _ascii_until(data: Buffer, start: int, end: int) -> bool:
    return all(
        bytes(data[at : min(at + _PIECE, end)]).isascii() for at in range(start, end, _PIECE)
    )


def _guess(data: Buffer, bad: int) -> str:
    # Imported here: only files in an old encoding pay for its start-up.
    from charset_normalizer import from_bytes

    best = from_bytes(bytes(data[max(0, bad - 2048) : bad + 6144])).best()
    return best.encoding if best else ""
