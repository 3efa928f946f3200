"""Runs of ordinary rows in a part's XML, which need no closer look.

Expat takes a microsecond for each element that is looked at, and a sheet has millions. Nearly all
of them are alike, and Arrow's regular expressions, which never go back, read them in a tenth of
that time: a run that fits is well-formed, and holds nothing that a reader looks for. An empty row
stands in for it, with the number of its last; all else goes to the parser as it is.
"""

import re
from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

_LONGEST = 8 * 1024 * 1024
"""Bytes without the end of a row that wait for it."""

_TEXT = r"(?:[^<&\x00-\x08\x0b\x0c\x0e-\x1f]|&(?:amp|lt|gt|quot|apos);)"
_VALUE = r'(?:[^"<&\x00-\x1f]|&(?:amp|lt|gt|quot|apos);)*'
_SPACE = r"[ \t\r\n]*"
_LAST_ROW = re.compile(rb'.*<row r="(\d+)"', re.DOTALL)


class Plain(Struct, frozen=True, kw_only=True):
    """A kind of runs: elements that begin and end so, and a pattern for one of them.

    ``stand_in``: makes what takes the place of a run. ``near``: a stricter pattern, "" for none: of
    runs that fit it nothing need be looked at.
    """

    begin: bytes
    end: bytes
    pattern: str
    stand_in: Callable[[bytes], bytes]
    near: str = ""


class Stretch(Struct, frozen=True):
    """A stretch of a part: whether it is a plain run, and whether one that fits ``near``."""

    text: bytes
    plain: bool = False
    near: bool = False


class PlainRuns:
    """Takes plain runs out of a part that comes piece by piece.

    ``plain``: what they look like; None where none is looked for.
    """

    def __init__(self, plain: Plain | None) -> None:
        self._plain = plain
        self._buffer = b""

    def add(self, piece: bytes) -> list[Stretch]:
        """Return the bytes that may go on."""
        plain = self._plain
        if plain is None:
            return [Stretch(piece)]
        text = self._buffer + piece
        cut = text.rfind(plain.end) + len(plain.end)
        if cut < len(plain.end):
            self._buffer = text if len(text) < _LONGEST else b""
            return [] if self._buffer else [Stretch(text)]
        self._buffer = text[cut:]
        begin = text.find(plain.begin, 0, cut)
        if begin < 0:
            return [Stretch(text[:cut])]
        run = text[begin:cut]
        near = bool(plain.near) and _fits(run, plain.near)
        fits = near or _fits(run, plain.pattern)
        return [Stretch(text[:begin]), Stretch(run, fits, near)]

    def rest(self) -> bytes:
        """Return the bytes that were still held back when the part has ended."""
        return self._buffer

    def stand_in(self, run: bytes) -> bytes:
        """Return the stand-in for a plain run."""
        return self._plain.stand_in(run) if self._plain else run


def _fits(run: bytes, pattern: str) -> bool:
    ends = pa.py_buffer(np.array([0, len(run)], dtype=np.int32))
    whole = pa.StringArray.from_buffers(1, ends, pa.py_buffer(run))
    return bool(pc.match_substring_regex(whole, pattern)[0].as_py())


def _optional(*names: str) -> str:
    """Match these attributes in this order, each at most once."""
    return "".join(rf'(?: {name}="{_VALUE}")?' for name in names)


def _repeated(element: str) -> str:
    return rf"\A(?:{element}{_SPACE})*\z"


def _row(cell: str, number: str = "[0-9]{1,7}") -> str:
    shown = r'(?: hidden="(?:0|false)")?'
    attributes = (
        rf' r="{number}"'
        + _optional("spans", "s", "customFormat", "ht")
        + shown
        + _optional("customHeight", "outlineLevel", "collapsed", "thickTop", "thickBot", "ph")
        + _optional("x14ac:dyDescent")
    )
    return _repeated(rf"<row{attributes} ?(?:/>|>{_SPACE}(?:{cell}{_SPACE})*</row>)")


def _cell(place: str, *, number: str, row: str = "[0-9]{1,7}") -> str:
    """Match a cell that is no error, and no formula without its result."""
    formula = rf"<f{_optional('aca', 't', 'ref', 'ca', 'si')} ?(?:/>|>{_TEXT}*</f>)"
    text = rf'<is>{_SPACE}<t(?: xml:space="preserve")? ?(?:/>|>{_TEXT}*</t>){_SPACE}</is>'
    inside = rf"(?:(?:{formula}{_SPACE})?<v>{_TEXT}+</v>|<v>{_TEXT}*</v>|{text})?"
    style = '(?: s="[0-9]{1,6}")?'
    kind = rf'(?:{style} t="(?:s|str|inlineStr|b|d)"|{number}(?: t="n")?)'
    return rf'<c r="{place}{row}"{kind} ?(?:/>|>{_SPACE}{inside}{_SPACE}</c>)'


def _stand_in_rows(run: bytes) -> bytes:
    last = _LAST_ROW.match(run)
    return b'<row r="%b"/>' % (last[1] if last else b"0")


def _rows(cell: str, near: str = "") -> Plain:
    return Plain(
        begin=b"<row ", end=b"</row>", pattern=_row(cell), stand_in=_stand_in_rows, near=near
    )


_ANY_STYLE = '(?: s="[0-9]{1,6}")?'
_NEAR = "[0-9]{1,5}"
ROWS = _rows(
    _cell("[A-Z]{1,3}", number=_ANY_STYLE),
    near=_row(_cell("[A-Z]", number=_ANY_STYLE, row=_NEAR), _NEAR),
)
"""Rows of an XLSX sheet that are not hidden, their cells sound; near: in columns A to Z and rows to
99,999."""

TEXTS = Plain(
    begin=b"<si>",
    end=b"</si>",
    pattern=_repeated(
        rf'<si>{_SPACE}<t(?: xml:space="preserve")? ?(?:/>|>{_TEXT}*</t>){_SPACE}</si>'
    ),
    stand_in=lambda _: b"<si/>",
)
"""Shared texts of an XLSX without formats of their own."""

_ODS_CELL = (
    "<table:(?:covered-)?table-cell"
    + _optional("table:style-name", "table:content-validation-name")
    + _optional("table:number-columns-repeated", "table:number-columns-spanned")
    + '(?: table:number-rows-spanned="1")?'
    + _optional("table:formula", "office:value-type")
    + _optional("office:currency", "office:(?:date-|time-|boolean-|string-)?value")
    + '(?: calcext:value-type="(?:string|float|date|time|percentage|currency|boolean)")?'
    + rf" ?(?:/>|>{_SPACE}(?:<text:p>{_TEXT}*</text:p>{_SPACE})*</table:table-cell>)"
)
ODS_ROWS = Plain(
    begin=b"<table:table-row ",
    end=b"</table:table-row>",
    pattern=_repeated(
        rf'<table:table-row(?: table:style-name="{_VALUE}")? ?>{_SPACE}(?:{_ODS_CELL}{_SPACE})*'
        "</table:table-row>"
    ),
    stand_in=lambda run: (
        b'<table:table-row table:number-rows-repeated="%d"/>' % run.count(b"</table:table-row>")
    ),
)
"""Rows of an ODS sheet that are not hidden and not repeated, their cells no errors, and of this
row only."""


def rows_with_plain_numbers(column: str, styles: Collection[int]) -> Plain | None:
    """Return rows whose numbers in one column have one of these styles; None for too many.

    ``column``: its letters.
    """
    if len(styles) > _MOST_STYLES:
        return None
    wanted = "|".join(map(str, sorted(styles)))
    number = rf'(?: s="(?:{wanted})")' + ("?" if 0 in styles else "")
    here = _cell(column, number=number)
    others = _cell(_other_columns(column), number=_ANY_STYLE)
    return _rows(rf"(?:{here}|{others})")


_MOST_STYLES = 500


def _other_columns(column: str) -> str:
    """Match the letters of every column but one."""
    longer = [f"[A-Z]{{{size}}}" for size in (1, 2, 3) if size != len(column)]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    same = [
        f"{column[:at]}[{alphabet.replace(letter, '')}][A-Z]{{{len(column) - at - 1}}}"
        for at, letter in enumerate(column)
    ]
    return f"(?:{'|'.join((*longer, *same))})"
