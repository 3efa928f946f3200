"""Texts of others in what we write: cells in messages, names in reports."""

import re

SHOWN = 60
"""Characters of a cell that a message shows."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def quoted(value: str, *, limit: int = SHOWN) -> str:
    """Show a cell in a message: in quotes, controls escaped, cut to about 60 characters."""
    cut = value if len(value) <= limit else value[: limit - 1] + "…"
    if cut.isprintable():
        return f'"{cut}"'
    safe = "".join(each if each.isprintable() else _escaped(each) for each in cut)
    return f'"{safe}"'


def _escaped(character: str) -> str:
    if character == "\u00a0":
        return " "
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def encodable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate: a file name need not be UTF-8, reports are."""
    return _SURROGATES.sub("\ufffd", text)
