"""Which sheet of a workbook has which notes, whatever its format."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

from msgspec import Struct, field

from pipeline.reading.excel.notes.binary import (
    in_xls,
    in_xlsb,
    xls_cells,
    xls_formats,
    xls_struck,
    xlsb_cells,
    xlsb_formats,
    xlsb_sheets,
)
from pipeline.reading.excel.notes.number_format import formats_of, shown_as
from pipeline.reading.excel.notes.ods import HAS_STRUCK, ContentXml
from pipeline.reading.excel.notes.sheet_notes import ByHand, SheetNotes, WordFormat
from pipeline.reading.excel.notes.xlsx import (
    SheetXml,
    cells_styled,
    cells_with_texts,
    comments,
    letters_of,
    ranges,
    struck_styles,
    struck_texts,
    tables,
)
from pipeline.reading.excel.ole2 import open_compound
from pipeline.reading.excel.regular_rows import rows_with_plain_numbers
from pipeline.reading.excel.zip_parts import Package, plain_name
from pipeline.reading.file_type import Buffer

_NO_DIGIT = re.compile(r"[^0-9]")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)>")
_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)>")
_ID = re.compile(rb"\b(?:\w+:id|Id)\s*=\s*[\"']([^\"']*)[\"']")
_TARGET = re.compile(rb"\bTarget\s*=\s*[\"']([^\"']*)[\"']")
_COMMENTS = re.compile(r"(?:^|/)comments?\d*\.xml$", re.IGNORECASE)
_TABLES = re.compile(r"(?:^|/)table\d*\.xml$", re.IGNORECASE)
_BOOK, _TEXTS = "xl/workbook.xml", "xl/sharedstrings.xml"
_STYLES, _XML_STYLES, _CONTENT = "xl/styles.bin", "xl/styles.xml", "content.xml"


class ShownNumbers(Struct, frozen=True, kw_only=True):
    """The numbers of a column as a sheet shows them: by row the very text, or the format.

    A row that is in neither shows its number as it is.
    """

    texts: Mapping[int, str] = field(default_factory=dict)
    formats: Mapping[int, str] = field(default_factory=dict)

    def keeps(self, row: int, number: str) -> bool:
        """Return whether the text that is shown of a number holds all of its digits."""
        return number in _NO_DIGIT.sub("", self.texts.get(row, ""))

    def differs(self, row: int, number: str) -> str:
        """Return how a whole number is shown, "" where that is as it is stored."""
        text = self.texts.get(row)
        if text:
            return "" if text == number else f"as {text}"
        code = self.formats.get(row)
        if code is None:
            return ""
        shown = shown_as(number, code) if number.isdecimal() else None
        if shown is None:
            return f"in the format {code}"
        return "" if shown.strip() == number else f"as {shown.strip()}"


class Notes(Struct, frozen=True, kw_only=True):
    """The facts of a workbook that the native reader leaves out, by the place of its sheets."""

    sheets: list[SheetNotes]

    def sheet(self, index: int) -> SheetNotes:
        """Return the notes about a sheet."""
        return self.sheets[index] if index < len(self.sheets) else SheetNotes()

    def shown(self, _index: int, _column: int) -> ShownNumbers:
        """Return how a sheet shows the numbers in a column, which counts from column A as 0."""
        return ShownNumbers()

    def by_hand(self, _index: int) -> Sequence[ByHand]:
        """Return the cells of a sheet that somebody crossed out or commented on.

        Comments are read of XLSX alone, and of XLSB nothing.
        """
        return ()

    def table(self, _index: int, _tab: str, _row: int) -> str:
        """Return the name of the table, or of the range, that has a row of a sheet: of XLSX alone.

        "" without one.
        """
        return ""

    def word_formats(self, _index: int) -> Sequence[WordFormat]:
        """Return the cells of a sheet whose format may show words that are not stored: not of ODS.

        An ODS writes beside a number what it shows, but not beside a text.
        """
        return ()


class _InXls(Notes, frozen=True, kw_only=True):
    stream: bytes

    def shown(self, index: int, column: int) -> ShownNumbers:
        formats = xls_formats(self.stream)
        found = xls_cells(self.stream, index, formats.odd, only=column)
        return ShownNumbers(formats={row: formats.codes[style] for row, _, style in found})

    def word_formats(self, index: int) -> Sequence[WordFormat]:
        formats = xls_formats(self.stream)
        return formats.named(xls_cells(self.stream, index, formats.with_words))

    def by_hand(self, index: int) -> Sequence[ByHand]:
        found = xls_cells(self.stream, index, xls_struck(self.stream))
        return [(row, column, "") for row, column, _ in found]


class _InXlsb(Notes, frozen=True, kw_only=True):
    package: Package
    parts: list[str]

    def shown(self, index: int, column: int) -> ShownNumbers:
        formats = xlsb_formats(self.package.pieces(_STYLES))
        found = self._cells(index, formats.odd)
        return ShownNumbers(
            formats={row: formats.codes[style] for row, at, style in found if at == column}
        )

    def word_formats(self, index: int) -> Sequence[WordFormat]:
        formats = xlsb_formats(self.package.pieces(_STYLES))
        return formats.named(self._cells(index, formats.with_words))

    def _cells(self, index: int, styles: Collection[int]) -> Iterable[tuple[int, int, int]]:
        known = styles and index < len(self.parts)
        return xlsb_cells(self.package.pieces(self.parts[index]), styles) if known else ()


class _InXlsx(Notes, frozen=True, kw_only=True):
    package: Package
    parts: list[str]

    def shown(self, index: int, column: int) -> ShownNumbers:
        formats = formats_of(b"".join(self.package.pieces(_XML_STYLES)))
        odd = formats.odd
        if not odd or index >= len(self.parts):
            return ShownNumbers()
        others = set(formats.codes) - odd
        plain = rows_with_plain_numbers(letters_of(column), {*others, 0} - odd)
        walk = SheetXml(plain=plain, column=column, styles=odd)
        for piece in self.package.pieces(self.parts[index]):
            walk.add(piece)
        walk.end()
        return ShownNumbers(
            formats={row: formats.codes[style] for row, style in walk.styled.items()}
        )

    def word_formats(self, index: int) -> Sequence[WordFormat]:
        formats = formats_of(b"".join(self.package.pieces(_XML_STYLES)))
        styles = formats.with_words
        if not styles or index >= len(self.parts):
            return ()
        return formats.named(cells_styled(self.package.pieces(self.parts[index]), styles))

    def by_hand(self, index: int) -> Sequence[ByHand]:
        if index >= len(self.parts):
            return ()
        part = self.parts[index]
        found: list[ByHand] = []
        if struck := struck_styles(b"".join(self.package.pieces(_XML_STYLES))):
            cells = cells_styled(self.package.pieces(part), struck)
            found += [(row, column, "") for row, column, _ in cells]
        found += [(*place, "") for place in self.sheet(index).struck]
        if any(each.struck_texts for each in self.package.notes.get(_TEXTS, ())):
            texts = struck_texts(b"".join(self.package.pieces(_TEXTS)))
            found += [(*place, "") for place in cells_with_texts(self.package.pieces(part), texts)]
        for each in self._parts_beside(index, _COMMENTS):
            found += comments(each)
        return found

    def table(self, index: int, tab: str, row: int) -> str:
        named = [*chain(*map(tables, self._parts_beside(index, _TABLES)))]
        named += ranges(self.package.small(_BOOK), tab)
        return next((name for name, first, last in named if first <= row <= last), "")

    def _parts_beside(self, index: int, kind: re.Pattern[str]) -> Iterator[bytes]:
        """Give the parts of a kind that belong to a sheet."""
        folder, _, name = self.parts[index].rpartition("/") if index < len(self.parts) else [""] * 3
        for target in _targets(self.package, f"{folder}/_rels/{name}.rels").values():
            if kind.search(target):
                yield self.package.small(_beside(target, folder))


_OVERLAP = 64
"""Bytes of a piece that are looked at with the next: no attribute's name is cut in two."""


class _InOds(Notes, frozen=True, kw_only=True):
    package: Package

    def shown(self, index: int, column: int) -> ShownNumbers:
        walk = ContentXml((index, column))
        for piece in self.package.pieces(_CONTENT):
            walk.add(piece)
        walk.end()
        return ShownNumbers(texts=walk.shown)

    def by_hand(self, index: int) -> Sequence[ByHand]:
        pieces = chain((b"",), self.package.pieces(_CONTENT))
        if not any(HAS_STRUCK.search(last[-_OVERLAP:] + each) for last, each in pairwise(pieces)):
            return ()
        walk = ContentXml(every_row=True)
        for piece in self.package.pieces(_CONTENT):
            walk.add(piece)
        walk.end()
        return [(*place, "") for place in walk.sheets[index].struck]


def notes_of(package: Package | None, data: Buffer) -> Notes:
    """Return the notes about a workbook.

    ``package`` is the container that ``check_zip`` looked through, None for an XLS.
    """
    if package is None:
        compound = open_compound(data)
        stream = compound.workbook() if compound else b""
        return _InXls(sheets=in_xls(stream), stream=stream)
    if package.kind == "ods":
        return _InOds(sheets=list(package.notes.get(_CONTENT, ())), package=package)
    parts = _sheet_parts(package)
    if package.kind == "xlsb":
        sheets = [
            in_xlsb(package.pieces(part)) if part in package.suspects else SheetNotes()
            for part in parts
        ]
        return _InXlsb(sheets=sheets, package=package, parts=parts)
    sheets = [(package.notes.get(part) or [SheetNotes()])[0] for part in parts]
    return _InXlsx(sheets=sheets, package=package, parts=parts)


def _sheet_parts(package: Package) -> list[str]:
    """Return the part of each sheet in the workbook's order, "" where it is not known."""
    if package.kind == "xlsb":
        book = "workbook.bin"
        names = xlsb_sheets(package.pieces(f"xl/{book}"))
    else:
        book = "workbook.xml"
        found = (_ID.search(tag) for tag in _SHEET.findall(package.small(f"xl/{book}")))
        names = [_words(match[1]) if match else "" for match in found]
    targets = _targets(package, f"xl/_rels/{book}.rels")
    return [_part(targets[name]) if name in targets else "" for name in names]


def _targets(package: Package, part: str) -> dict[str, str]:
    """Return the targets of a part of relationships by their ids."""
    found = (
        (_ID.search(tag), _TARGET.search(tag)) for tag in _RELATIONSHIP.findall(package.small(part))
    )
    return {_words(name[1]): _words(target[1]) for name, target in found if name and target}


def _beside(target: str, folder: str) -> str:
    """Return the name of a part from its target, which may begin at the part that names it."""
    if target.startswith(("/", "\\")):
        return plain_name(target)
    return plain_name(posixpath.normpath(f"{folder}/{target}"))


def _part(target: str) -> str:
    plain = plain_name(target)
    return plain if plain.startswith("xl/") else f"xl/{plain.removeprefix('./')}"


def _words(text: bytes) -> str:
    from xml.sax.saxutils import unescape  # it brings urllib and http along

    return unescape(text.decode("utf-8", errors="replace"))
