"""Texts of others in what we write to a file."""

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate: a file name need not be UTF-8, reports are."""
    return _SURROGATES.sub("\ufffd", text)
