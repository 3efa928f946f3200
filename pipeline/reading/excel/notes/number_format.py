"""Show a whole number as its number format does, as far as ids are concerned."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.parsers import expat

from msgspec import Struct

GENERAL = "General"
#: The formats that need not be written down, by number. Those of dates are not asked for.
_BUILT_IN: Mapping[int, str] = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    37: "#,##0_);(#,##0)",
    38: "#,##0_);(#,##0)",
    39: "#,##0.00_);(#,##0.00)",
    40: "#,##0.00_);(#,##0.00)",
    41: "#,##0",
    42: "#,##0",
    43: "#,##0.00",
    44: "#,##0.00",
    48: "##0.0E+0",
    49: "@",
}
_PLAIN = frozenset({GENERAL.casefold(), "0", "#", "@", ""})
_PART = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]|(?P<general>general)'
    r"|(?P<place>[0#?])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_COLOUR = re.compile(
    r"(?:black|blue|cyan|green|magenta|red|white|yellow|color\s*\d+)", re.IGNORECASE
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(\d+)")
_LITERAL = frozenset(" -+/():!^&'~{}<>=$")
_COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}


class NumberFormats(Struct, frozen=True):
    """The number formats of a workbook's cell styles. ``codes``: style → format."""

    codes: Mapping[int, str]

    @property
    def with_words(self) -> frozenset[int]:
        """Return the styles that show a text otherwise than it is stored, or a number in words."""
        return frozenset(
            style
            for style, code in self.codes.items()
            if shown_text("x", code).strip() != "x" or any(map(_has_words, _split(code)))
        )

    @property
    def odd(self) -> frozenset[int]:
        """Return the styles that may show a number in another way than it is stored."""
        return frozenset(
            style for style, code in self.codes.items() if code.casefold() not in _PLAIN
        )

    def named(self, cells: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, str]]:
        """Return row, column and format of cells of which these and the styles are given."""
        return sorted((row, column, self.codes[style]) for row, column, style in cells)


def format_of(number: int, own: Mapping[int, str]) -> str:
    """Return a format by its number; ``own`` are those that the workbook writes down."""
    return own.get(number) or _BUILT_IN.get(number, GENERAL)


def formats_of(styles: bytes) -> NumberFormats:
    """Return the formats that the part ``styles.xml`` gives to each cell style."""
    own: dict[int, str] = {}
    cells: list[int] = []
    inside: list[str] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        text = attributes.get("numFmtId", "0")
        number = int(text) if text.isdecimal() and len(text) < 9 else 0
        if local == "numFmt" and inside[-1:] == ["numFmts"]:
            own[number] = attributes.get("formatCode", "")
        elif local == "xf" and inside[-1:] == ["cellXfs"]:
            cells.append(number)
        inside.append(local)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: inside.pop()
    try:
        parser.Parse(styles, True)
    except (expat.ExpatError, ValueError, LookupError):
        return NumberFormats({})
    return NumberFormats({style: format_of(each, own) for style, each in enumerate(cells)})


def shown_as(number: str, code: str) -> str | None:
    """Return a whole number as a format shows it; None where that is not known.

    ``number``: its digits.
    """
    section = _section(code, int(number))
    if section is None:
        return None
    parts = [*_parts(section)]
    if any(kind == "unknown" for kind, _ in parts):
        return None
    places = [at for at, (kind, _) in enumerate(parts) if kind == "place"]
    marks = "".join(text for kind, text in parts if kind == "place")
    before, _, after = marks.partition(".")
    if "," in after or before.endswith(",") or before.startswith(",") or "." in after:
        return None
    if not places:
        return "".join(number if kind == "number" else text for kind, text in parts)
    return "".join(_filled(parts, number, grouped="," in before))


def shown_text(text: str, code: str) -> str:
    """Return a text as a format shows it: as it is, unless a section of the format is for texts."""
    sections = _split(code)
    last = [*_parts(sections[3 if len(sections) > 3 else -1])]
    if len(sections) < 4 and ("number", "@") not in last:
        return text
    return "".join(text if kind == "number" else said for kind, said in last if kind != "place")


def _has_words(section: str) -> bool:
    """Return whether a section shows letters in quotes, and is none of a date."""
    quoted = "".join(found["quoted"] or "" for found in _PART.finditer(section))
    return any(map(str.isalpha, quoted)) and ("unknown" not in dict(_parts(section)))


def _filled(parts: list[tuple[str, str]], number: str, *, grouped: bool) -> Iterator[str]:
    """Put the digits into their places, the first of which takes all that are left."""
    point = next((at for at, part in enumerate(parts) if part == ("place", ".")), len(parts))
    left = number.lstrip("0")
    whole = [at for at, (kind, text) in enumerate(parts[:point]) if kind == "place" and text != ","]
    into: dict[int, str] = {}
    for at in reversed(whole):
        digit, left = (left[-1:], left[:-1]) if at != whole[0] else (left, "")
        into[at] = digit or {"0": "0", "?": " "}.get(parts[at][1], "")
    if grouped and whole:
        into = dict.fromkeys(whole, "") | {whole[0]: f"{int(number):,}"}
    for at, (kind, text) in enumerate(parts):
        if kind == "number":
            yield number
        elif kind != "place":
            yield text
        elif at < point:
            yield into.get(at, "")
        elif text in ".0":
            yield text


def _parts(section: str) -> Iterator[tuple[str, str]]:
    for found in _PART.finditer(section):
        kind = found.lastgroup
        if kind in {"quoted", "escaped"}:
            yield "text", found[kind]
        elif kind == "bracket":
            inside = found[kind]
            if inside.startswith("$"):
                yield "text", inside[1:].partition("-")[0]
            elif not _COLOUR.fullmatch(inside) and not _CONDITION.fullmatch(inside):
                yield "unknown", inside
        elif kind == "general" or found[0] == "@":
            yield "number", found[0]
        elif kind == "place" or found[0] in ".,":
            yield "place", found[0]
        elif kind == "other":
            yield ("text" if found[0] in _LITERAL else "unknown"), found[0]


def _section(code: str, number: int) -> str | None:
    """Return the section of a format that such a number is shown by."""
    sections = _split(code)
    conditions: list[Any] = [
        next(
            (
                own_condition
                for each in _PART.finditer(section)
                if (own_condition := _CONDITION.fullmatch(each["bracket"] or ""))
            ),
            None,
        )
        for section in sections
    ]
    if not any(conditions):
        return sections[2] if number == 0 and len(sections) > 2 else sections[0]
    for section, condition in zip(sections, conditions, strict=True):
        if condition is None or _COMPARE[condition[1]](number, int(condition[2])):
            return section
    return None


def _split(code: str) -> list[str]:
    sections = [""]
    for found in _PART.finditer(code):
        if found[0] == ";":
            sections.append("")
        else:
            sections[-1] += found[0]
    return sections
