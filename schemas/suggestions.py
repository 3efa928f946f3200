"""Suggest the known status that somebody probably meant, never one that says the opposite."""

import re
from collections.abc import Mapping

from schemas.directions import (
    FAILED_WORDS,
    FORWARD_WORDS,
    LETTERS,
    NEGATIONS,
    SELLERS,
    WAYS_BACK,
    in_english,
)
from schemas.normalise import fold
from schemas.similarity import EQUAL, PROBABLY, alike, nearest
from schemas.word_lists import word_set

#: Words that a status may have or lack without saying anything else.
_SAYS_NO_MORE = word_set(
    "a an are awb bag been by consignment courier has have is item order package parcel shipment "
    "status succesfully successful successfully sucessfully surface the up was were"
)
_TELLING = WAYS_BACK | FORWARD_WORDS | FAILED_WORDS | NEGATIONS | SELLERS
_TELLING |= {"delivered", "received", *LETTERS}
_TURNING = word_set("de dis in mis no non not re un")
_BETWEEN = re.compile(r"[\s,;:/|()\[\]\"'!._*#~=+-]+")
_DOUBTFUL = frozenset("?✗✘❌✖✕")
_LOOKED_AT = 12
_NEARLY = 80
_PART = 2
"""A word of fewer letters than half of a known one, or with another first one, is another word."""
_JOINED = 2
"""A word that has more letters beyond those of a known one is more than that word."""


def statuses_meant(said: str, shown: Mapping[str, str]) -> list[str]:
    """Return the statuses that somebody who wrote ``said`` probably meant; empty if unclear.

    ``shown``: a status, folded → as it is shown. Several where they come equally near. None that
    lacks a word of what was written, or has another, but for misspelt and harmless ones: "Pickup
    Not Done" is not meant as "Pickup Done", nor "Delivered to Seller" as "Delivered".
    """
    written = fold(said)
    near = [
        (status, score)
        for status, score in alike(written, shown, at_least=PROBABLY, most=_LOOKED_AT)
        if status != written and _may_mean(written, status) and not _REV.search(status)
    ]
    return [shown[status] for status, score in near if near[0][1] - score < EQUAL]


_REV = re.compile(r"\brev\b")
"""A short word that others are near to: Re-Delivered is no REV Delivered."""


def _may_mean(written: str, status: str) -> bool:
    """Return whether each word of the one is, misspelt or not, a word of the other."""
    if not _DOUBTFUL.isdisjoint(written):
        return False
    own, its = (list(filter(None, _BETWEEN.split(in_english(each)))) for each in (written, status))
    if "".join(own) == "".join(its):
        return True
    return all(
        any(_is_like(word, known) for known in its) for word in own if word not in _SAYS_NO_MORE
    ) and all(
        any(_is_like(word, known) for word in own) for known in its if known not in _SAYS_NO_MORE
    )


def _is_like(word: str, known: str) -> bool:
    """Return whether a word is a known one, misspelt or not, and nothing else."""
    if word == known or len(word) == len(known) == 1:
        return not {word, known} & LETTERS.keys() or word == known
    if nearest(word, (known, *_TELLING)) != known:
        both = {word, known} <= _TELLING
        return both and (word.startswith(known) or known.startswith(word))
    turned = _turns(word, known) or _turns(known, word)
    alone = word[0] == known[0] and len(known) <= len(word) * _PART
    near = alone or bool(alike(word, (known,), at_least=_NEARLY))
    return near and not turned and len(word) <= len(known) + _JOINED


def _turns(word: str, other: str) -> bool:
    """Return whether a word is another one with a part that says the opposite."""
    rests = {word.removeprefix(each) for each in _TURNING if not other.startswith(each)}
    rests |= {word.removesuffix(each) for each in NEGATIONS if not other.endswith(each)}
    return any(rest and alike(rest, (other,), at_least=_NEARLY) for rest in rests - {word})
