"""How a value of the file is shown inside a message."""

import unicodedata

_LONGEST = 60


def shown(value: str) -> str:
    """Return ``value`` in double quotes, control characters escaped, cut to about 60 characters.

    A message travels to terminals, logs and web pages, so nothing that steers one may survive.
    """
    cut = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    return '"' + "".join(_plain(char) for char in cut) + '"'


def counted(number: int, noun: str) -> str:
    """Return ``1 cell``, ``2 cells``, ``1,200 cells``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _plain(char: str) -> str:
    if char == "\n":
        return "\\n"
    if char != " " and unicodedata.category(char).startswith(("C", "Z")):
        return ascii(char)[1:-1]
    return char
