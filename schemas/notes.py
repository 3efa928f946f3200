"""Lines between and below the rows of a table: titles, and notes on where rows went."""

import re
from collections.abc import Sequence

from schemas.directions import HARMLESS, fate_named, in_english, words_in
from schemas.headings import reads_as_footer, several
from schemas.normalise import fold

_FEW_WORDS = 3


def note_on_all(line: str) -> bool:
    """Tell whether a line says of all rows where they went: These are RTO shipments."""
    said = _ON_ALL.search(in_english(fold(line)))
    words = said[1].split()[:_FEW_WORDS] if said else []
    return bool(words) and not {*words} & HARMLESS and fate_named(" ".join(words)) is not None


def note_on_some(line: str) -> bool:
    """Tell whether a line says of some rows where they went: Row 3 to 5 are RTO, A1 is RTO."""
    folded = in_english(fold(line))
    said = _VERB.search(folded) is not None and not words_in(folded) & HARMLESS
    return said and not reads_as_footer(line) and fate_named(line) is not None


def sides_of(line: str) -> tuple[bool, bool]:
    """Tell whether a line that names a way speaks of the rows above it, and of those below it.

    A title speaks of those below, a note on all rows of both unless it says which.
    """
    words = words_in(fold(line)) if note_on_all(line) else _BELOW
    above, below = "above" in words, bool(words & _BELOW)
    return above or not below, below or not above


_VERB = re.compile(r"\b(?:am|are|is|was|were|came|come|gone|went|do not|dont|don't|hai|hain)\b")
_BELOW = several("below beneath following follows hereunder underneath")
_ON_ALL = re.compile(
    r"\b(?:above|all|these|this (?:file|list|report|sheet))\b.{0,60}?\b(?:are|is|were|was) "
    r"(?:all |only |of |for |marked |as )*(.+)"
)


def is_title(cells: Sequence[str]) -> bool:
    """Tell whether the cells of a row read as a title: few words, and no number (Report | RTO)."""
    text = " ".join(cells)
    return (
        0 < len(cells) <= _TITLE_CELLS
        and not any(map(str.isdigit, text))
        and len(text.split()) <= _TITLE_WORDS
    )


_TITLE_CELLS, _TITLE_WORDS = 3, 5
