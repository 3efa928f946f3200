"""The XML of an XLSX sheet, read by an XML parser while it is inflated."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any
from xml.parsers import expat

from pipeline.reading.excel.notes.sheet_notes import UNKNOWN, SheetNotes
from pipeline.reading.excel.regular_rows import ROWS, TEXTS, Plain, PlainRuns
from schemas.vocabulary import UNCALCULATED

_PLACE = re.compile(r"\s*([A-Za-z]*)(\d*)")
_ERROR = re.compile(r"\s*(#[A-Z0-9/!?_]{1,20})\s*")
_ON = frozenset({"1", "true"})
_LETTERS = 26


class NotWellFormed(Exception):
    """XML that no parser can make sense of."""


class XmlPart:
    """Takes in an XML part piece by piece; its elements may be looked at by who knows them.

    Document types, and with them entities, are refused before this.
    """

    def __init__(self, plain: Plain | None = None) -> None:
        self._runs = PlainRuns(plain)
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True

    def add(self, piece: bytes) -> None:
        """Take in the next piece. Raises ``NotWellFormed``."""
        for stretch in self._runs.add(piece):
            if stretch.plain and not stretch.near:
                self.note_plain(stretch.text)
            text = self._runs.stand_in(stretch.text) if stretch.plain else stretch.text
            self._parse(text, last=False)

    def note_plain(self, run: bytes) -> None:
        """Note a run of plain elements that is left out and is not near."""

    def end(self) -> None:
        """Take note that the part has ended. Raises ``NotWellFormed``."""
        self._parse(self._runs.rest(), last=True)

    def _parse(self, text: bytes, *, last: bool) -> None:
        try:
            self.parser.Parse(text, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise NotWellFormed from error


class TextsXml(XmlPart):
    """The part of shared texts. ``notes`` tells whether a part of one is crossed out."""

    def __init__(self) -> None:
        super().__init__(TEXTS)
        self.notes = SheetNotes()
        self.parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if _local(name) == "strike" and is_struck(attributes):
            self.notes.struck_texts = True


class SheetXml(XmlPart):
    """The part of a sheet. ``notes`` is complete once it has ended.

    ``column`` and ``styles``: where a number stands in this column (from 0) with one of these
    styles, ``styled`` has the style by row. ``far``: the highest row and column of all cells but
    those of plain rows, which go to ``plain_rows``.
    """

    def __init__(
        self,
        *,
        plain: Plain | None = ROWS,
        column: int = -1,
        styles: Collection[int] = (),
        plain_rows: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        super().__init__(plain)
        self.notes = SheetNotes()
        self.styled: dict[int, int] = {}
        self._wanted, self._styles = column, frozenset(styles)
        self._plain_rows = plain_rows
        self.far = (0, 0)
        self._row = 0
        self._column = -1
        self._hidden = self._filled = False
        self._kind = ""
        self._formula = self._valued = self._rich = False
        self._text: list[str] = []
        self.is_sheet = False
        self.parser.StartElementHandler = self._root

    def note_plain(self, run: bytes) -> None:
        """Hand a run on to who asked for it."""
        self._plain_rows(run)

    def _root(self, name: str, _: Mapping[str, str]) -> None:
        self.is_sheet = _local(name) in {"worksheet", "sheetData", "row"}
        self.parser.StartElementHandler = self._start if self.is_sheet else None
        self.parser.EndElementHandler = self._end if self.is_sheet else None
        if self.is_sheet:
            self._start(name, _)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        if local == "c":
            self._begin_cell(attributes)
        elif local == "row":
            text = attributes.get("r", "").strip()
            self._row = int(text[:9]) if text.isdecimal() else self._row + 1
            self._column = -1
            self._hidden = attributes.get("hidden") in _ON
            self._filled = False
            self._note_place(self._row, 0)
        elif local == "f":
            self._formula = True
        elif local == "v":
            self._valued = True
            if self._kind == "e" or self._formula:
                self.parser.CharacterDataHandler = self._text.append
        elif local == "is":
            self._rich = True
        elif local == "strike" and self._rich and is_struck(attributes):
            self.notes.struck.append((self._row, self._column))
        elif local == "col" and attributes.get("hidden") in _ON:
            first, last = attributes.get("min", ""), attributes.get("max", "")
            if first.isdecimal() and last.isdecimal():
                self.notes.hidden_columns.append((int(first[:9]) - 1, int(last[:9]) - 1))

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        row, column = place_of(attributes.get("r", ""))
        self._row = row or self._row
        self._column = column - 1 if column else self._column + 1
        self._kind = attributes.get("t", "")
        self._formula = self._valued = self._rich = False
        self._text.clear()
        self._note_place(self._row, self._column + 1)
        if self._column == self._wanted and self._kind in {"", "n"}:
            style = attributes.get("s", "0")
            if style.isdecimal() and int(style[:9]) in self._styles:
                self.styled[self._row] = int(style[:9])

    def _note_place(self, row: int, column: int) -> None:
        last, widest = self.far
        if row > last or column > widest:
            self.far = (max(row, last), max(column, widest))

    def _end(self, name: str) -> None:
        local = _local(name)
        if local == "v":
            self.parser.CharacterDataHandler = None
        elif local == "c":
            self._filled = self._filled or self._formula or self._valued or self._rich
            text = "".join(self._text)
            if self._kind == "e":
                shown = _ERROR.fullmatch(text)
                self.notes.add(self._row, self._column, shown[1] if shown else UNKNOWN)
            elif self._formula and not (text.strip() or self._rich) and self._kind != "str":
                self.notes.add(self._row, self._column, UNCALCULATED)
        elif local == "row" and self._hidden and self._filled:
            self.notes.hidden_rows.append(self._row)


def _local(name: str) -> str:
    return name if ":" not in name else name.rpartition(":")[2]


def is_struck(attributes: Mapping[str, str]) -> bool:
    """Return whether an element ``strike`` with these attributes crosses a text out."""
    return attributes.get("val") not in {"0", "false"}


def letters_of(column: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    left = column + 1
    while left:
        left, letter = divmod(left - 1, _LETTERS)
        letters = chr(65 + letter) + letters
    return letters


def place_of(address: str) -> tuple[int, int]:
    """Return row and column of an address, both from 1; 0 where it lacks one.

    More digits or letters than any sheet has are too many, whatever they say.
    """
    found = _PLACE.match(address)
    letters, digits = found.groups() if found else ("", "")
    column = 0
    for letter in letters[:5].upper():
        column = column * _LETTERS + ord(letter) - 64
    return int(digits[:9] or "0"), column


_LONGEST_TAG = 1024
_SHARED = re.compile(rb"<(?:\w+:)?si\s*/>|<(?:\w+:)?si\b.*?</(?:\w+:)?si\s*>", re.DOTALL)
_STRUCK = re.compile(rb"<(?:\w+:)?strike\b(?![^>]*val=[\"'](?:0|false))")
_SHARED_CELL = re.compile(
    rb"<(?:\w+:)?c(?=[^>]*\st=[\"']s[\"'])([^>]*)>\s*<(?:\w+:)?v>\s*(\d{1,9})\s*<"
)
_ADDRESS = re.compile(rb"\sr=[\"']([A-Za-z]{1,3}[0-9]{1,7})[\"']")


def struck_styles(styles: bytes) -> frozenset[int]:
    """Return the cell styles of the part ``styles.xml`` whose text is crossed out."""
    fonts: list[bool] = []
    cells: list[int] = []
    inside: list[str] = []

    def start(local: str, attributes: Mapping[str, str]) -> None:
        if local == "font" and inside[-1:] == ["fonts"]:
            fonts.append(False)
        elif local == "strike" and inside[-2:] == ["fonts", "font"]:
            fonts[-1] = is_struck(attributes)
        elif local == "xf" and inside[-1:] == ["cellXfs"]:
            text = attributes.get("fontId", "0")
            cells.append(int(text) if text.isdecimal() and len(text) < 9 else 0)
        inside.append(local)

    _walk(styles, start, lambda _: inside.pop())
    struck = {font for font, crossed in enumerate(fonts) if crossed}
    return frozenset(style for style, font in enumerate(cells) if font in struck)


def struck_texts(part: bytes) -> frozenset[int]:
    """Return the numbers of the shared texts of which a part is crossed out."""
    texts = _SHARED.findall(part)
    return frozenset(number for number, text in enumerate(texts) if _STRUCK.search(text))


def cells_with_texts(pieces: Iterable[bytes], texts: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield row (from 1) and column (from 0) of each cell that shows one of these shared texts."""
    held = b""
    for piece in pieces:
        text = held + piece
        end = 0
        for found in _SHARED_CELL.finditer(text):
            end, address = found.end(), _ADDRESS.search(found[1])
            if address and int(found[2]) in texts:
                row, column = place_of(address[1].decode())
                yield row, column - 1
        held = text[end:][-_LONGEST_TAG:]


def cells_styled(
    pieces: Iterable[bytes], styles: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """Yield row (from 1), column (from 0) and style of each cell that has one of the styles.

    By a pattern, which is ten times as fast as a parser; a cell that says its address is found.
    """
    numbers = b"|".join(str(style).encode() for style in sorted(styles))
    tag = re.compile(rb"<(?:\w+:)?c(?=[^>]*\ss=[\"'](" + numbers + rb")[\"'])([^>]*)>")
    held = b""
    for piece in pieces:
        text = held + piece
        cut = text.rfind(b">") + 1
        for found in tag.finditer(text, 0, cut):
            if address := _ADDRESS.search(found[2]):
                row, column = place_of(address[1].decode())
                yield row, column - 1, int(found[1])
        held = text[cut:][-_LONGEST_TAG:]


def comments(part: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield row (from 1), column (from 0) and text of each comment in a part of comments."""
    found: list[tuple[str, list[str]]] = []
    parser = expat.ParserCreate()

    def start(local: str, attributes: Mapping[str, str]) -> None:
        if local == "comment":
            found.append((attributes.get("ref", ""), []))
        elif local == "t" and found:
            parser.CharacterDataHandler = found[-1][1].append

    def end(local: str) -> None:
        if local == "t":
            parser.CharacterDataHandler = None

    _walk(part, start, end, parser)
    for address, texts in found:
        row, column = place_of(address)
        yield row, column - 1, " ".join("".join(texts).split())


def tables(part: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last row of the table that a part of tables holds."""
    found: list[tuple[str, str]] = []

    def start(local: str, attributes: Mapping[str, str]) -> None:
        if local == "table":
            name = attributes.get("displayName") or attributes.get("name", "")
            found.append((name, attributes.get("ref", "")))

    _walk(part, start, lambda _: None)
    for name, ref in found:
        yield (name, *_rows_of(ref))


def ranges(book: bytes, tab: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last row of the ranges of several columns on a tab that have a name."""
    found: list[tuple[str, list[str]]] = []
    parser = expat.ParserCreate()

    def start(local: str, attributes: Mapping[str, str]) -> None:
        if local == "definedName" and not attributes.get("name", "").startswith("_xlnm."):
            found.append((attributes.get("name", ""), []))
            parser.CharacterDataHandler = found[-1][1].append

    def end(local: str) -> None:
        if local == "definedName":
            parser.CharacterDataHandler = None

    _walk(book, start, end, parser)
    for name, texts in found:
        sheet, _, place = "".join(texts).replace("$", "").rpartition("!")
        first, _, last = place.partition(":")
        if sheet.strip("'").replace("''", "'") == tab and place_of(first)[1] < place_of(last)[1]:
            yield (name, *_rows_of(place))


def _rows_of(place: str) -> tuple[int, int]:
    first, _, last = place.partition(":")
    return place_of(first)[0], place_of(last)[0]


def _walk(
    part: bytes,
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], Any],
    parser: expat.XMLParserType | None = None,
) -> None:
    """Hand the elements of a part, without their prefixes, to two functions, as far as it goes."""
    parser = parser or expat.ParserCreate()
    parser.StartElementHandler = lambda name, found: start(name.rpartition(":")[2], found)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    try:
        parser.Parse(part, True)
    except (expat.ExpatError, ValueError, LookupError):
        return
