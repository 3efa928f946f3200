"""Delimited text → manifest: one sheet whose blocks are read as they are asked for."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import DropRefused
from pipeline.core.model import Block, Limits, Manifest, ReadTally, Sheet
from pipeline.reading.csv.dialect import (
    MAX_RECORD,
    Dialect,
    broken_quote,
    choose_dialect,
    endless,
    has_spaced_quotes,
)
from pipeline.reading.csv.encoding import (
    Encoding,
    Text,
    choose_encoding,
    open_text,
    truncated,
)
from pipeline.reading.csv.fast_path import certify, parse
from pipeline.reading.csv.tokenizer import BrokenQuote, tokenize
from pipeline.reading.file_type import Buffer, check_not_binary, check_text
from pipeline.reading.header_row import HeaderFinder
from pipeline.reading.records import Heading, Parsed, Shaper, surplus_of
from pipeline.validation.profile_choice import LaterHeaders
from schemas.codes import Code
from schemas.display import quoted

SEGMENT = 2 * 1024 * 1024
"""Bytes read at a time, about 14,000 rows: a few are in memory, each some five times as large.

Smaller ones cost time, since each is judged by itself: 1.5 MB a tenth of all reading.
"""

_NEWLINES = b" \t\r\n"
_LITERAL_TAB = b"\\t"
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "\x01": "Ctrl-A"}


def read_csv(data: Buffer, *, name: str, limits: Limits, header: HeaderFinder) -> Manifest:
    """Open delimited text in any usual encoding and dialect.

    Raises ``DropRefused``: ``EMPTY_FILE``, ``UNSUPPORTED_TYPE``, ``TRUNCATED``, ``CSV_BROKEN`` or
    one about the header. The blocks may raise ``CSV_BROKEN``, ``TRUNCATED`` or ``TOO_MANY_ROWS``.
    """
    if not len(data):
        raise _empty(name)
    encoding = choose_encoding(data, name=name)
    if encoding.unit == 1:
        check_not_binary(data, name=name)
    if _is_empty(open_text(data, encoding)):
        raise _empty(name)
    start, _ = open_text(data, encoding).load(0, 4096)
    check_text(start.decode("utf-8", errors="ignore"), data, name=name)
    dialect, encoding = _dialect(data, encoding, limits, header)
    source = CsvBlocks(
        data=data,
        encoding=encoding,
        dialect=dialect,
        max_rows=limits.max_rows,
        later=header.later(dialect.headers),
    )
    sheet = Sheet(
        name="",
        header_row=dialect.row,
        headers=dialect.headers,
        blocks=source,
        title=dialect.title,
    )
    delimiter = _NAMES.get(dialect.delimiter, dialect.delimiter)
    return Manifest(
        sheets=(sheet,),
        notices=encoding.notices,
        kind="csv",
        dialect={"encoding": encoding.codec, "delimiter": delimiter},
    )


def _dialect(
    data: Buffer, encoding: Encoding, limits: Limits, header: HeaderFinder
) -> tuple[Dialect, Encoding]:
    """Find out how the text is cut; where every line is in quotes as a whole, they come off."""

    def chosen(how: Encoding) -> Dialect:
        return choose_dialect(lambda: open_text(data, how), limits, header)

    try:
        dialect = chosen(encoding)
    except DropRefused as refusal:
        head = open_text(data, encoding).load(0, 4096)[0]
        if refusal.code is not Code.HEADER_NOT_FOUND:
            raise
        if _LITERAL_TAB in head and b"\t" not in head:
            raise _literal_tabs() from refusal
        whole = replace(encoding, wrapped=True)
        if not head.lstrip(_NEWLINES).startswith(b'"'):
            raise
        try:
            dialect = chosen(whole)
        except DropRefused:
            raise refusal from None
        return dialect, whole
    return dialect, encoding


def _literal_tabs() -> DropRefused:
    return DropRefused(
        Code.HEADER_NOT_FOUND,
        r"The cells are separated by the two characters \t (a backslash and a t), not by tabs.",
        hint="Export the data again with a comma or a real tab between the cells, and upload that.",
    )


class CsvBlocks(Struct, frozen=True, kw_only=True):
    """The rows after the header. ``fast`` false reads everything by ``tokens`` alone."""

    data: Buffer
    encoding: Encoding
    dialect: Dialect
    max_rows: int
    later: LaterHeaders | None = None
    segment: int = SEGMENT
    fast: bool = True

    def __call__(self, tally: ReadTally) -> Iterator[Block]:
        """Yield the data rows; see ``pipeline.core.model.Sheet``."""
        dialect = self.dialect
        heading = Heading(row=dialect.row, cells=dialect.headers, later=self.later)
        shaper = Shaper(heading, tally, limit=self.max_rows)
        for parsed in self._parsed():
            blocks = list(shaper.shape(parsed))
            if shaper.cut and shaper.short == 1:
                row = parsed.first + len(parsed) - 1
                raise truncated(f"The file ends in the middle of row {row}, its last.")
            yield from blocks

    def _parsed(self) -> Iterator[Parsed]:
        text = open_text(self.data, self.encoding)
        at, record, size = self.dialect.at, self.dialect.row + 1, self.segment
        while True:
            window, last = text.load(at, size)
            if not len(window):
                return
            found = self._read(window, at, record, last=last)
            del window  # not kept while somebody judges what was in it
            if found is not None:
                parsed, used = found
                at, record, size = at + used, record + len(parsed), self.segment
                del found
                yield parsed
                del parsed
            elif size >= MAX_RECORD or last:
                raise endless(open_text(self.data, self.encoding), at)
            else:
                size *= 2

    def _read(self, window: bytes, at: int, first: int, *, last: bool) -> tuple[Parsed, int] | None:
        """Read the whole records of a window; None if not even one ends in it."""
        delimiter, width = self.dialect.delimiter, len(self.dialect.headers)
        fast = self.fast and not self.dialect.spaced
        layout = certify(window, ord(delimiter), last=last) if fast else None
        if layout is not None:
            parsed = parse(window, layout, delimiter, width=width, first=first)
            if parsed is not None:
                return parsed, layout.size
        return self._read_slowly(window, at, first, last=last)

    def _read_slowly(
        self, window: bytes, at: int, first: int, *, last: bool
    ) -> tuple[Parsed, int] | None:
        piece = window.decode("utf-8", errors="strict" if last else "ignore")
        delimiter = self.dialect.delimiter
        spaced = self.dialect.spaced or has_spaced_quotes(piece, delimiter)
        records: list[list[str]] = []
        end = 0
        try:
            for cells, after in tokenize(piece, delimiter, last=last, spaced=spaced):
                records.append(cells)
                end = after
        except BrokenQuote as broken:
            place = at + len(piece[: broken.at].encode())
            raise broken_quote(open_text(self.data, self.encoding), place, broken) from None
        if not records:
            return None
        open_end = last and piece[end - 1] not in "\r\n"
        return self._columns(records, first, open_end=open_end), len(piece[:end].encode())

    def _columns(self, records: list[list[str]], first: int, *, open_end: bool) -> Parsed:
        width = len(self.dialect.headers)
        counts = [len(cells) for cells in records]
        surplus = {}
        for at, cells in enumerate(records):
            if len(cells) < width:
                cells.extend([""] * (width - len(cells)))
            elif len(cells) > width and (extra := surplus_of(cells[width:])):
                surplus[at] = extra
        columns = zip(*(cells[:width] for cells in records), strict=True)
        return Parsed(
            first=first,
            cells=tuple(pa.array(column, pa.string()) for column in columns),
            counts=None if set(counts) == {width} else np.asarray(counts, dtype=np.int64),
            surplus=surplus,
            open_end=open_end,
        )


def _is_empty(text: Text) -> bool:
    at, last = 0, False
    while not last:
        window, last = text.load(at, 1 << 20)
        if window.strip(_NEWLINES):
            return False
        at += len(window)
    return True


def _empty(name: str) -> DropRefused:
    return DropRefused(
        Code.EMPTY_FILE,
        f"{quoted(name)} is empty.",
        hint="Export the data again and upload the new file.",
    )
