"""Evidence about shipments outside the columns that are read for it.

A column that no profile knows, the name of a tab, a title between two tables or a file's name may
say that parcels came back; another column may give another status. Headings and names only make
one look: a cell decides, and only words that are plain anywhere count.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct

from schemas.folding import FALSE_WORDS, TRUE_WORDS, fold, is_absent, is_lost
from schemas.headings import HUMPS as _HUMPS
from schemas.headings import (
    is_earlier,
    is_free_text,
    other_subjects,
    speaks_of_other,
    words_of,
)
from schemas.statuses import Direction, Doubt, StatusTable, StatusVerdict, agrees
from schemas.vocabulary import Milestone


def _several(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[a-z0-9]+")

_RTO = frozenset({"rto", "rtos", "rts"})
_RETURN = frozenset(
    {"return", "returns", "returned", "reverse", "reversed", "rev", "rvp", "dto", "crn", "rtn"}
)
_FORWARD = frozenset({"forward", "fwd"})
_BACKWARD = frozenset({"backward", "backwards"})
_BACK = _RTO | _RETURN | _BACKWARD
_NOT = _several("no non not without excl excluding excluded except never please kindly")

#: Words that may stand beside a direction in a cell without changing it.
_FILLERS = _several(
    "air aggregator awb b2b b2c bag by cod consignment courier customer d2c delivery drop express "
    "flow initiated journey leg logistics mode mps order orders package parcel pick pickup pickups "
    "ppd prepaid qc sale sales seller service shipment shipments standard surface trip type up"
)
_TO_SELLER = re.compile(
    r"\b(return|returned|returning|back) to (the )?"
    r"(consignor|merchant|origin|seller|sender|shipper)\b"
)
_SPELLED = re.compile(r"\b(r t o|r v p|r t s)\b")

#: The same words as people write them in their own scripts, and what follows a stem in these.
_NATIVE = tuple(
    (re.compile(rf"(?:{'|'.join(fold(each) for each in words.split())})[^\s,()]*"), f" {english} ")
    for english, words in (
        ("rto", "आरटीओ आर\\s?टी\\s?ओ ஆர்டிஓ ஆர்\\s?டி\\s?ஓ ఆర్టీఓ ಆರ್ಟಿಒ আরটিও આરટીઓ ആർടിഒ"),
        ("rto", "ਆਰਟੀਓ ଆରଟିଓ آر\\s?ٹی\\s?او"),
        ("return", "रिटर्न वापसी वापस ரிட்டர்ன் திரும்ப రిటర్న్ ರಿಟರ್ನ್ রিটার্ন ফেরত રિટર્ન પરત റിട്ടേൺ"),
        ("return", "परत ਵਾਪਸ ਰਿਟਰਨ ଫେରସ୍ତ ଫେରତ ରିଟର୍ଣ୍ଣ ରିଟର୍ନ واپس ریٹرن"),
        ("reverse", "रिवर्स ரிவர்ஸ் రివర్స్ ರಿವರ್ಸ್ রিভার্স રિવર્સ റിവേഴ്സ് ਰਿਵਰਸ ରିଭର୍ସ ریورس"),
        ("forward", "फॉरवर्ड फ़ॉरवर्ड फारवर्ड ஃபார்வர்ட் பார்வர்ட் ఫార్వర్డ్ ಫಾರ್ವರ್ಡ್ ফরোয়ার্ড ફોરવર્ડ"),
        ("forward", "ਫਾਰਵਰਡ ଫରୱାର୍ଡ فارورڈ"),
    )
)

_TO_WHOM = _several("delivered handed over returned to")
_SELLERS = _several("consignor merchant origin seller sender shipper")

_UNTRUE = _several(
    "destroyed dispute disputed fake false incorrect lost missing partial partially wrong wrongly"
)
_FAILED = _UNTRUE | _several(
    "canceled cancelled damaged failed refused rejected undelivered unsuccessful"
)

_LOOKS = _several(
    "bucket category class classification dir direction flow flag identifier indicator journey "
    "kind lane leg mode movement nature process product service stream task trip type"
)

#: Words that may stand beside the fate in a heading such as Is Cancelled, Order Lost (Y/N).
_ASKING = _several("been flag has indicator is marked n order orders shipment shipments was y yn")
_OF_FATES = tuple(
    map(
        _several,
        (
            "undelivered",
            "not delivered",
            "delivered",
            "failed",
            "delivery failed",
            "cancelled",
            "canceled",
            "cancel",
            "lost",
            "lost damaged",
            "lost or damaged",
        ),
    )
)

_SURE = frozenset({"dir", "direction"})
_OF_WAYS = _SURE | {"flow", "journey", "leg", "movement", "trip"}

#: Letters that stand for the two ways where both of them are in a column that is a direction. Which
#: way back R is, reverse or RTO, nothing tells.
LETTERS: Mapping[str, Direction] = {"f": Direction.FORWARD, "r": Direction.BACK}

#: Short for a return beside words for directions or sales only: RET may be retail as well.
SHORT: Mapping[str, Direction] = {"ret": Direction.RETURN}

DAMAGED = "\ufffd"
"""Stands for a byte that was no text."""

_FEW, _SHORT = 12, 24

#: Subjects of a heading that make "RTO" or "return" in it a matter of place, price or rules.
_HARMLESS = _several(
    "acceptance accepted address allowed amount amt applicable attempts available cash center "
    "centre charge charges city closes contact cost costs count country days dc deadline "
    "district due eligibility eligible expected expires expiry facility fee fees freight gst "
    "gstin history hub included instructions insurance insured label likelihood location mobile "
    "name past percent percentage phone pin pincode policy postcode prediction previous price "
    "prior probability promise promised propensity protection rate refund returnable risk score "
    "serviceability serviceable slip state store tax till town until valid validity value "
    "vendor warehouse weight window zip zone"
)

#: Whose custom it is, not the shipment's way: Return Customer, Returning Buyer.
_OF_CUSTOMERS = re.compile(
    r"(?:is )?return(?:ing|ed)? (?:customer|buyer|user|shopper|visitor|client)s?(?: flag| type)?"
)

_COUNTS = frozenset({"no", "number", "num"})

#: Subjects that only a shipment that comes back has anything for.
_FILLED = _several(
    "action at awb bag code date datetime delivered docket dt id initiated lrn no number on "
    "pickup reason received ref reference remark remarks requested status time timestamp track "
    "tracking type waybill"
)

_EMPTY_DATES = re.compile(r"0{2,4}[-/.]?0{2}[-/.]?0{2,4}.*|0?1[-/]0?1[-/]1970.*|1970[-/]01[-/]01.*")


_FAILURE_HEADINGS = _several(
    "ndr rto rts return undelivered undelivery nondelivery delay delayed delays failure failed "
    "fail attempt exception cancel cancellation cancelled"
)
_FAILURES = _several(
    "not refused refuse refusal unavailable unreachable unable cancelled canceled undelivered ndr "
    "rto wrong incorrect incomplete closed reschedule rescheduled reattempt failed delay delayed "
    "denied rejected unserviceable inaccessible lost damaged"
)


#: Boxes that are ticked, or a no; in a column RTO an R may be a yes.
_MARKS = frozenset({"x", "☒", "☓", "●", "•", "*", "r"})

_TICKS, _CROSSES = "✔✓☑✅√🗸", "✗✘❌✖✕"
_VARIANT = "\ufe0f"
"""Follows a character that is shown in colour."""


class Asks(Enum):
    """The way in which the cells of a column are read."""

    WORDS = "words"  # for words of a direction
    YES = "yes"  # for yes and no: its heading names the way
    NO = "no"  # for a no: its heading says what did not happen then
    WHOM = "whom"  # for the seller: its heading says to whom something was delivered
    FILLED = "filled"  # for anything: its heading names what only a shipment coming back has


class Look(Struct, frozen=True, kw_only=True):
    """The evidence to look for under a heading. ``way``: the direction that a yes means.

    ``sure``: it is a direction, so that words in it which nobody knows leave the direction open.
    ``letters``: F and R alone are directions in it; ``both``: its heading names these two.
    """

    asks: Asks
    way: Direction = Direction.BLANK
    sure: bool = False
    letters: bool = False
    both: bool = False


def look_of(heading: str) -> Look | None:
    """Return the evidence to look for under a column's heading, or None."""
    words = words_of(_plain(_in_english(fold(_HUMPS.sub(" ", heading)))))
    back = words & _BACK
    if words & _HARMLESS or {"by", "date"} <= words or ("of" in words and words & _COUNTS):
        return None
    if _OF_CUSTOMERS.fullmatch(fold(heading)) or ({"last", "date"} <= words and not back & _RTO):
        return None
    if "rev" in words and words <= {"rev"} | _COUNTS:  # a revision
        return None
    if back or words & _FORWARD:
        way = _said(words - _FORWARD) or Direction.FORWARD
        subjects = words - back - _FORWARD - {"is", "flag", "identifier", "indicator", "to"}
        if back and subjects & _FILLED and "flag" not in words:
            return Look(asks=Asks.FILLED, way=way)
        return Look(asks=Asks.YES, way=way, sure=bool(back and words & _FORWARD))
    if {"to"} < words <= _TO_WHOM:
        return Look(asks=Asks.WHOM)
    if (fate := words - _ASKING) and fate in _OF_FATES:
        return Look(asks=Asks.NO if fate == {"delivered"} else Asks.YES, way=Direction.UNDELIVERED)
    both = {*LETTERS} <= words
    if not words & _LOOKS and not both:
        return None
    sure = both or bool(words & _SURE)
    return Look(asks=Asks.WORDS, sure=sure, letters=both or bool(words & _OF_WAYS), both=both)


def claim_of(cell: str, look: Look) -> Direction | None:
    """Return the direction that a cell says, None if it says nothing about it."""
    if DAMAGED in cell:
        hides = may_hide_words(cell) if look.asks is not Asks.WORDS else _hides_a_known(cell)
        if hides or _claimed(cell.replace(DAMAGED, ""), look) is not None:
            return Direction.UNREADABLE
        return None
    if look.asks in {Asks.YES, Asks.NO} and (fold(cell) in _MARKS or is_lost(cell)):
        return Direction.UNREADABLE
    claim = _claimed(cell, look)
    return Direction.UNREADABLE if claim is None and _hides_a_known(cell) else claim


def _claimed(cell: str, look: Look) -> Direction | None:
    folded = _without_ticks(_in_english(fold(cell))).strip()
    if is_absent(folded) or not _WORD.search(folded):
        return None
    if look.asks is Asks.WHOM:
        return Direction.RTO if _words(folded) & _SELLERS else None
    said = direction_of(folded)
    if folded in FALSE_WORDS and look.way is Direction.FORWARD:
        return Direction.BACK
    if look.asks is Asks.NO:
        return look.way if folded in FALSE_WORDS else None
    if said is not None or look.asks is Asks.WORDS or _words(folded) & _NOT:
        return said
    if look.way is Direction.UNDELIVERED and _words(folded) & _FATES:
        return look.way
    if folded in FALSE_WORDS or _EMPTY_DATES.fullmatch(folded.replace(" ", "-")):
        return None
    if folded in TRUE_WORDS:
        return look.way
    if look.asks is Asks.FILLED:
        return Direction.MAYBE_RTO if look.way is Direction.RTO else Direction.MAYBE_RETURN
    return None


def _without_ticks(folded: str) -> str:
    """Return a text with a tick or a cross alone as yes or no, and words without a tick."""
    plain = folded.replace(_VARIANT, "").strip()
    if plain and not plain.strip(_TICKS):
        return "yes"
    if plain and not plain.strip(_CROSSES):
        return "no"
    return plain.strip(_TICKS)


def are_short(folded: Collection[str]) -> bool:
    """Tell whether folded cells of a column use the short words (``SHORT``) for directions.

    They do beside a direction, and where nothing but words of sales is beside them.
    """
    others = {*folded} - SHORT.keys()
    return len(others) < len({*folded}) and (
        others <= _FILLERS or any(direction_of(each) is not None for each in others)
    )


def is_of_returns(headings: Iterable[str]) -> bool:
    """Tell whether the headings of a table are those of returns: Return ID, return_action."""
    looks = (look_of(heading) for heading in headings)
    filled = [look for look in looks if look is not None and look.asks is Asks.FILLED]
    return sum(look.way is Direction.RETURN for look in filled) > 1


#: Headings that a spreadsheet writes above the lines of a pivot table.
_OF_PIVOTS = (_several("row labels"), _several("column labels"))

_OF_STATUSES = _several("event events scan stage status statuses")


class AsksStatus(Enum):
    """The way in which cells of a further column are read for statuses."""

    ANY = "any"  # its heading is known for statuses
    ENDS = "ends"  # its heading speaks of failed attempts: only an end says something
    WORDS = "words"  # its heading speaks of a status: words count, a number may mean another thing
    MOSTLY = "mostly"  # its heading says nothing: only where nearly all of its cells are statuses


def asks_status(heading: str) -> AsksStatus | None:
    """Return how a column is read for statuses, None if its heading speaks of other things."""
    words = words_of(heading)
    of_attempts = other_subjects(heading) == {"ndr"} or "attempt" in words
    if words & _OF_STATUSES and of_attempts and not is_earlier(heading):
        return AsksStatus.ENDS
    if speaks_of_other(heading) or is_earlier(heading) or is_free_text(heading):
        return None
    if words in _OF_PIVOTS:
        return None
    return AsksStatus.WORDS if words_of(heading) & _OF_STATUSES else AsksStatus.MOSTLY


def gives_status(cell: str, table: StatusTable, *, numbers: bool) -> bool:
    """Tell whether a cell is a status of a courier's table, whatever it means there."""
    if not numbers and not any(map(str.isalpha, cell)):
        return False
    ruling = table.rule(cell)
    known = {StatusVerdict.MILESTONE, StatusVerdict.NO_MILESTONE, StatusVerdict.AMBIGUOUS}
    return ruling.verdict in known and ruling.doubt is not Doubt.NUMBER


def hides_status(cell: str, table: StatusTable) -> bool:
    """Tell whether a cell of a status column is damaged and may have been a status: not a text."""
    return (
        may_hide_words(cell)
        or _hides_a_known(cell)
        or (DAMAGED in cell and gives_status(cell.replace(DAMAGED, ""), table, numbers=False))
        or bool(_words_like([fold(cell)], table.shown))
    )


_FEW_WORDS = 3


def may_hide_words(cell: str) -> bool:
    """Tell whether a damaged cell may say something: it is short, or a word of it may be known."""
    return DAMAGED in cell and (len(cell.split()) <= _SHORT_TEXT or _hides_a_known(cell))


def _hides_a_known(cell: str) -> bool:
    """Tell whether a damaged word of a cell may be one that speaks of a way or a fate."""
    return _is_strange(cell) and bool(
        _words_like(_IN_CELL.findall(_in_english(fold(cell))), _KNOWN)
    )


def _words_like(damaged: Iterable[str], known: Collection[str]) -> frozenset[str]:
    """Return which known words damaged ones may have been, a letter being another or too many.

    A byte of another encoding leaves a mark, a ``?`` or one or two strange letters.
    """
    found = set[str]()
    for word in damaged:
        if _is_strange(word) and any(map(str.isascii, filter(str.isalnum, word))):
            like = re.compile(".?".join(map(re.escape, _STRANGE.split(word))))
            found.update(each for each in known if like.fullmatch(each))
    return frozenset(found)


def _is_strange(text: str) -> bool:
    return "?" in text or not text.isascii()


_STRANGE = re.compile(r"\?+|[^\x00-\x7f]+")
_IN_CELL = re.compile(r"[^\s,;:/|()\"'!]+")


_SHORT_TEXT = 4
_KNOWN = _BACK | _FORWARD | _FAILED | {"delivered"}


def is_open(cell: str, look: Look) -> bool:
    """Tell whether a cell without a claim in a column that is a direction leaves it open."""
    folded = fold(cell)
    if is_lost(cell):
        return True
    if is_absent(folded) or not _WORD.search(folded):
        return False
    no = folded in FALSE_WORDS or bool(_words(folded) & _NOT)
    return look.asks is Asks.WORDS or not no


def may_be_directions(cells: Iterable[str]) -> bool:
    """Tell whether these folded cells could all be words for a direction: few, and short."""
    words = {cell for cell in cells if not is_absent(cell)}
    return len(words) <= _FEW and all(
        len(word) <= _SHORT and len(word.split()) <= 3 for word in words
    )


def speaks_against(cell: str, milestone: int) -> bool:
    """Tell whether words that no table holds say that a shipment did not come to a milestone.

    "RTO done" or "Refund - returned" beside a delivery, "Cancelled" or "Lost" beside any.
    """
    words = _words(fold(cell))
    # A parcel that failed on the way out may well have come back.
    outward = milestone in {Milestone.BAG_PICKED, Milestone.DELIVERY_DONE}
    if words & (_FAILED if outward else _UNTRUE):
        return True
    way = way_named(cell)
    return way is not None and not agrees(milestone, way)


def direction_of(folded: str) -> Direction | None:
    """Return the direction that a cell's words mean anywhere, None if they mean none or other."""
    words = _words(_plain(folded))
    others = words - _BACK - _FORWARD - _FILLERS
    if words & _NOT or any(len(word) > 1 for word in others):
        return None
    return _said(words)


def speaks_of_failure(heading: str, cell: str) -> bool:
    """Tell whether a reason is that of an attempt that failed, by its heading or its own words."""
    if words_of(heading) & _FAILURE_HEADINGS:
        return True
    return bool(_words(fold(cell)) & _FAILURES)


def way_named(name: str) -> Direction | None:
    """Return the way that the name of a tab, table or file names among other words, or None."""
    words = _words(_plain(fold(name)))
    return None if words & _NOT else _said(words)


def fate_named(name: str) -> Direction | None:
    """Return the way that a tab or title names, or that its shipments were not delivered."""
    words = _words(fold(name))
    way = way_named(name)
    if way is not None or words & _DELIVERED_TOO:
        return way
    lacks = "delivered" in words and "not" in words
    if "delivered" in words and not lacks:
        return None
    if lacks or (words & _FATES and not words & _NOT):
        return Direction.UNDELIVERED
    strange = _words_like(_IN_CELL.findall(_in_english(fold(name))), _BACK | _FATES)
    return Direction.UNREADABLE if strange else None


_FATES = frozenset({"cancelled", "canceled", "lost", "undelivered"})
_DELIVERED_TOO = frozenset({"all", "and", "or", "vs"})


def note_on_all(line: str) -> bool:
    """Tell whether a line says of all rows where they went: These are RTO shipments."""
    said = _ON_ALL.search(_in_english(fold(line)))
    words = said[1].split()[:_FEW_WORDS] if said else []
    return bool(words) and not {*words} & _HARMLESS and fate_named(" ".join(words)) is not None


def sides_of(line: str) -> tuple[bool, bool]:
    """Tell whether a line that names a way speaks of the rows above it, and of those below it.

    A title speaks of those below, a note on all rows of both unless it says which.
    """
    words = _words(fold(line)) if note_on_all(line) else _BELOW
    above, below = "above" in words, bool(words & _BELOW)
    return above or not below, below or not above


_BELOW = _several("below beneath following follows hereunder underneath")
_ON_ALL = re.compile(
    r"\b(?:above|all|these|this (?:file|list|report|sheet))\b.{0,60}?\b(?:are|is|were|was) "
    r"(?:all |only |of |for |marked |as )*(.+)"
)


def _plain(folded: str) -> str:
    """Return a text in which every way back to the seller is called so in one word."""
    return _SPELLED.sub(lambda found: found[0].replace(" ", ""), _TO_SELLER.sub("rto", folded))


def is_title(cells: Sequence[str]) -> bool:
    """Tell whether the cells of a row read as a title: few words, and no number (Report | RTO)."""
    text = " ".join(cells)
    return (
        0 < len(cells) <= _TITLE_CELLS
        and not any(map(str.isdigit, text))
        and len(text.split()) <= _TITLE_WORDS
    )


_TITLE_CELLS, _TITLE_WORDS = 3, 5


def _said(words: frozenset[str]) -> Direction | None:
    ways = [
        way
        for way, named in (
            (Direction.FORWARD, _FORWARD),
            (Direction.RETURN, _RETURN),
            (Direction.RTO, _RTO),
            (Direction.BACK, _BACKWARD),
        )
        if words & named
    ]
    if len(ways) > 1 and Direction.FORWARD not in ways:
        return Direction.BACK
    return ways[0] if len(ways) == 1 else None


def _words(folded: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_in_english(folded)))


def _in_english(folded: str) -> str:
    """Return a text with the words for a direction in English, whatever script they are in."""
    if folded.isascii():
        return folded
    for native, english in _NATIVE:
        folded = native.sub(english, folded)
    return folded
