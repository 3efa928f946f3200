"""Texts of others in what we write to a file."""

import re
import unicodedata

_SURROGATES = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate: a file name need not be UTF-8, reports are."""
    return _SURROGATES.sub("\ufffd", text)


#: Marks, embeddings, overrides and isolates: they make a terminal show a line in another order.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """The text on one line, with what a terminal would obey escaped."""
    joined = " ".join(encodable(text).split("\n"))
    return "".join(_shown(char) for char in joined).strip()


def _shown(char: str) -> str:
    if char in _BIDI or unicodedata.category(char) in {"Cc", "Zl", "Zp"}:
        return char.encode("unicode_escape").decode()
    return char
