"""Show texts of somebody else's inside our own: one way for cells, names, paths and words."""

import re
from datetime import datetime, tzinfo

SHOWN = 60
"""Characters of a text that a message shows."""

_JOINERS = "\u200c\u200d"
"""They do not print, and Hindi is spelled with them."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def shown(text: object, limit: int | None = SHOWN) -> str:
    """Show a text, name or path: what does not print is escaped, cut to ``limit`` characters.

    A message travels to terminals, logs and web pages, so nothing that steers one may survive.
    """
    whole = str(text)
    seen = whole if limit is None else whole[: limit + 1]
    if not seen.isprintable():
        seen = "".join(map(_visible, seen))
    return seen if limit is None or len(seen) <= limit else seen[: limit - 1] + "…"


def quoted(value: str) -> str:
    """Show a cell in a message, in quotes."""
    return f'"{shown(value)}"'


def one_line(text: str) -> str:
    """Show a text whole, on one line, for a file: line ends are spaces."""
    return shown(encodable(text).replace("\n", " "), None).strip()


def clock_time(moment: datetime, zone: tzinfo) -> str:
    """Show a time for people, with its zone: ``2026-11-29 20:03:12 IST``.

    Raises ValueError for one that has no zone itself.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no zone")
    local = moment.astimezone(zone)
    name = f"{local:%Z}"  # "+04" where a zone has none
    whole = local.isoformat(sep=" ", timespec="seconds")
    return f"{local:%Y-%m-%d %H:%M:%S} {name}" if name.isalpha() else whole


def encodable(text: str) -> str:
    """Return U+FFFD for every lone surrogate: a file name need not be UTF-8, reports are."""
    return _SURROGATES.sub("\ufffd", text)


def counted(number: int, noun: str) -> str:
    """Return ``1 cell``, ``2 cells``, ``1,200 cells``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character == "\u00a0":
        return " "
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
