"""Fold texts from different hands so that they compare: headers, statuses, codes, names."""

import re
import unicodedata
from collections.abc import Callable, Set
from functools import lru_cache, partial, wraps
from typing import TypeVar

from schemas.word_lists import phrases, word_set

_Answer = TypeVar("_Answer")


def kept(judge: Callable[[str], _Answer]) -> Callable[[str], _Answer]:
    """Keep what a function says of short texts.

    The same few headings and words come with every file, and are asked about by every profile. A
    long text is a cell of its own, and is not kept.
    """
    known = lru_cache(maxsize=4096)(judge)

    @wraps(judge)
    def asked(text: str) -> _Answer:
        return (known if len(text) <= _USUAL_LENGTH else judge)(text)

    return asked


_USUAL_LENGTH = 80

_RUNS = re.compile(r"[\s_.\-]+")
_ZONE = re.compile(r"(?<=[a-z]) (?:utc|gmt|ist)(?: ?\+?\d{1,2}:?\d\d)?$|^(?:utc|gmt|ist) (?=[a-z])")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD = re.compile(r"[a-z0-9]+")

#: Words that make another column of it, though they stand in brackets: Status (Yesterday).
_TELLING = word_set(
    "before earlier former last old prev previous prior yesterday exchange refund replacement "
    "return returned returns reverse rto rts rvp cod invoice item payment cancelled canceled wrong"
)

#: So does a plan beside a status or a time: Status (Expected). EDD (Expected Delivery Date) is a
#: remark.
_PLANNED = word_set("expected planned plan tentative target forecast proposed provisional")
_EVENTS = frozenset({"status", "event", "scan", "updated", "delivered"})

#: And so do others beside the words of some columns, but not Last Updated (Pickup/Delivery).
_STEPS = word_set("pickup dispatch dispatched booking booked manifest manifested")
_DATES = frozenset({"date", "time", "updated", "scan", "edd", "promise", "delivered"})
_PLACES = frozenset({"consignee", "customer", "destination", "drop", "origin", "pickup", "seller"})
_OWN = frozenset({"accounts", "confidential", "finance", "internal", "ops", "private"})
_TELLING_BESIDE = (
    (_EVENTS, _PLANNED),
    (_DATES, _STEPS),
    (frozenset({"awb", "waybill", "tracking"}), _STEPS),
    (frozenset({"location"}), _PLACES | {"source", "warehouse"}),
    (frozenset({"comment", "comments", "remark", "remarks"}), _OWN),
)

#: Characters nobody sees: zero-width, joiners, byte order mark, soft hyphen. Only ever taken off
#: the ends of a text, or out of a header.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"

ABSENT = frozenset({"", "'"}) | phrases(
    "na, n/a, n.a., n.a, n a, #n/a, #na, #n/a n/a, <na>, <n/a>, (n/a), null, (null), [null], "
    r"<null>, \n, \\n, #null!, nan, -nan, nat, 1.#qnan, -1.#qnan, 1.#ind, -1.#ind, none, (none), "
    "[none], <none>, nil, nill, undefined, (undefined), blank, (blank), [blank], <blank>, (empty), "
    "[empty], <empty>, not available, not applicable, #ref!, #value!, #name?, #div/0!, #num!, "
    "0000 00 00, 0000 00 00 00:00:00, 0000-00-00, 0000-00-00 00:00:00"
)
"""Words that programs and people write for nothing (folded, or in small letters); so
do such words in quotes or dashes, and cells of nothing but dashes (``is_absent``)."""

_AROUND = " '\"-\u2010\u2011\u2012\u2013\u2014\u2015\u2212_.?"

TRUE_WORDS = frozenset({"true", "1", "1 0", "yes", "y", "t"})
FALSE_WORDS = frozenset({"false", "0", "0 0", "no", "n", "f"})


def visible(text: str) -> str:
    """Return a text without what nobody sees, such as a stray byte in the middle of a word."""
    if text.isprintable():
        return text
    return "".join(each for each in text if each.isprintable() or each.isspace())


@kept
def fold(text: str) -> str:
    """Return ``text`` in the form in which tables are looked up.

    NFKC, casefold, runs of space, ``_``, ``-`` and ``.`` to one space, ends stripped (hazards,
    section B). Two texts match when their folded forms are equal; there is no substring match.
    """
    if text.isascii():
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKC", _read_again(text)).casefold()
        plain = plain.strip(INVISIBLE + " \t\r\n")
    return _RUNS.sub(" ", plain).strip()


def _read_again(text: str) -> str:
    """Return a text as it was, where its UTF-8 was read in a code page of Windows or DOS."""
    for bytes_of in _PAGES if _BEGINS.search(text) else ():
        try:
            return text.translate(bytes_of).encode("latin-1").decode()
        except UnicodeError:
            continue
    return text


def _bytes_of(page: str) -> dict[int, int]:
    """Return the bytes of a page's characters; it leaves some of 0x80 to 0x9F as they are."""
    found = {ord(bytes([byte]).decode(page, "replace")): byte for byte in range(0x80, 0x100)}
    return dict.fromkeys(range(0xA0, 0x100), _NONE) | found | {_NONE: _NONE}


_NONE = 0xFFFD
"""A character that no page has."""
_CODE_PAGES = ("cp1252", "cp437")
_PAGES = [*map(_bytes_of, _CODE_PAGES)]
_FIRST_BYTES = bytes(range(0xC2, 0xF5))
_BEGINS = re.compile(rf"[{''.join(map(_FIRST_BYTES.decode, _CODE_PAGES))}][^\x00-\x7f]")


@kept
def fold_header(text: str) -> str:
    """Return a column header in the form in which aliases are looked up.

    Like ``fold``, and without asterisks, invisible characters (with the quotes that a mark makes
    part of the text), remarks in brackets such as ``(dd-mm-yyyy)`` (hazards, section E; those that
    name another column, such as ``(Yesterday)``, stay) and a zone at its beginning or end
    (``UTC``).
    """
    bare = visible(text)
    if _BRACKETS.search(bare):
        words = {*_WORD.findall(bare.casefold().replace("_", " "))}
        bare = _BRACKETS.sub(partial(_remark, beside=words), bare)
    bare = bare.replace("*", " ")
    if not bare.isascii():
        bare = "".join(character for character in bare if character not in INVISIBLE)
    if text[:1] in INVISIBLE:
        bare = _unwrapped(bare)
    folded = _ZONE.sub("", fold(bare))
    return folded.rstrip(" :") if folded else fold(text.replace("*", " "))


def _remark(bracket: re.Match[str], beside: Set[str]) -> str:
    """Return nothing for a remark such as ``(dd-mm-yyyy)``, and words that tell without it.

    ``beside``: the words of the header.
    """
    text = bracket[0][1:-1]
    words = {*_WORD.findall(text.casefold())}
    tells = bool(words & _TELLING) or any(
        beside & of and words and words <= telling for of, telling in _TELLING_BESIDE
    )
    return f" {text} " if tells else " "


def _unwrapped(text: str) -> str:
    """Take one complete pair of quotes off.

    Only behind a mark, which made them part of the text. Quotes behind a space are no such thing:
    there a comma in a cell splits it, so the rows below cannot be trusted.
    """
    plain = text.strip()
    return plain[1:-1] if len(plain) > 2 and plain[0] == plain[-1] and plain[0] in "\"'`" else text


def is_absent(folded: str) -> bool:
    """Return whether a folded cell says "nothing here" (``#N/A``, ``NULL``, ``-``, empty)."""
    return folded in ABSENT or folded.strip(_AROUND) in ABSENT


def is_lost(cell: str) -> bool:
    """Return whether of a cell only question marks are left, as of a tick without an encoding."""
    return "?" in cell and not cell.strip(" ?")
