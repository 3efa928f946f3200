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
    reads_as_footer,
    speaks_of_other,
    words_of,
)
from schemas.statuses import Direction, Doubt, StatusTable, StatusVerdict, agrees
from schemas.vocabulary import Milestone


def _several(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[a-z0-9]+")

_RTO = frozenset({"rto", "rtos", "rts"})
_RETURN = _several("return returns returned reverse reversed rev rvp rvs dto crn rtn")
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
_DELIVERED_BACK = re.compile(
    r"\b(?:delivered|handed over) (?:back )?(?:to|at) (?:the )?"
    r"(?:consignor|merchant|origin|seller|sender|shipper)\b(?! (?!warehouse)\w)"
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
_OF_RECEIVERS = tuple(
    map(
        _several,
        ("received by", "receiver", "receiver name", "recipient", "recipient name", "pod name"),
    )
)
#: Words beside the seller where a person's name is asked: Merchant is a family's name, too.
_BESIDE_SELLERS = _several(
    "address at back by center centre dc facility guard hub point received return returned "
    "returns same security self staff store team the to warehouse wh"
)

_UNTRUE = _several(
    "destroyed dispute disputed fake false incorrect lost missing partial partially wrong wrongly"
)
_FAILED = _UNTRUE | _several(
    "canceled cancelled damaged failed refused rejected undelivered unsuccessful"
)

#: Whatever these say of in the name of a tab was no delivery, the others if they say it of one.
_DISPUTED = _several("dispute disputed disputes fake")
_NOT_SO = _several("false incorrect partial partially wrong wrongly")
_DELIVERIES = _several("delivered deliveries delivery pod")
_OF_MONEY = _several("bill billing cod invoice payment remittance settlement")

#: Words for the shipment itself: beside goods and services, return and reverse mean other things.
_SURELY_BACK = _RTO | _several("dto returned reversed rvp rvs")
_CHANCES = _several(
    "charge charges cost eligible fee free high insurance insured likely low medium policy "
    "prediction probability prone protected protection rate risk safe score zero"
)
_BESIDE_RETURN = (
    _FAILED
    | _FILLERS
    | _several(
        "accepted approved at back closed complete completed created delivered done exchange for "
        "hub in ofd ofp out pending picked processed processing qc raised reached received refund "
        "refunded replacement request requested scheduled to transit under warehouse"
    )
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
            "disputed",
            "dispute raised",
            "delivery disputed",
            "fake delivery",
            "false delivery",
            "invalid delivery",
            "wrong delivery",
            "valid delivery",
            "genuine delivery",
        ),
    )
)
_TRUE_DELIVERIES = tuple(
    map(_several, ("delivered", "valid delivery", "genuine delivery"))
)  # of the same: a no says that it was none

#: When nobody has it any more. An attempt that failed has a date, too, and may end well.
_ENDS = _several("canceled cancelled lost")
_WHENS = _several("at date datetime dt on time timestamp")

#: Questions whether it came back, in other words than those for the ways.
_CAME_BACK = tuple(map(_several, ("came back", "received back", "sent back", "wapas", "ret")))

_RESULTS = tuple(map(_several, ("result", "delivery result", "delivery outcome")))

#: Kinds of the place where it goes: only the seller's says something.
_OF_DESTINATIONS = tuple(
    map(_several, ("destination type", "drop type", "drop location type", "delivered at"))
)

_SURE = frozenset({"dir", "direction"})
_OF_SHIPMENTS = _several("consignment of order parcel shipment type")
_OF_WAYS = _SURE | {"flow", "journey", "leg", "movement", "trip"}

#: Letters that stand for the two ways where both of them are in a column that is a direction. Which
#: way back R is, reverse or RTO, nothing tells.
LETTERS: Mapping[str, Direction] = {"f": Direction.FORWARD, "r": Direction.BACK}

#: Short for a return beside words for directions or sales only: RET may be retail as well.
SHORT: Mapping[str, Direction] = {"ret": Direction.RETURN}

#: The same in plain English; Inbound alone may be a hub's word.
PAIRS: Mapping[str, Direction] = {
    **dict.fromkeys(("outbound", "outward"), Direction.FORWARD),
    **dict.fromkeys(("inbound", "inward"), Direction.BACK),
}

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

_CUSTOMERS = _several("buyer client customer shopper user visitor")
_KINDS = _several("bucket category class flag group kind segment tag type")

_COUNTS = frozenset({"no", "number", "num"})

#: Subjects that only a shipment that comes back has anything for.
_FILLED = _several(
    "action at awb bag code date datetime delivered docket dt id initiated lrn no number on "
    "pickup reason received ref reference remark remarks requested status time timestamp track "
    "tracking type waybill"
)

#: First words of a cell that says yes or no, whatever comes behind.
_YES = _several("true y yes")
_NO = _several("false n na nahi nahin never nil no non none nope not null without")
_NATIVE_NO = _several(fold("नहीं नही नाही இல்லை లేదు ಇಲ್ಲ না ના ഇല്ല ਨਹੀਂ ନାହିଁ نہیں 否 不"))
_NOT_DONE = re.compile(
    r"\bnot (?:yet )?(?:applicable|cancelled|created|done|initiated|lost|marked|raised|required"
    r"|returned|rto|yet)$"
)
_USUAL = _several("normal original outbound outward regular sale sales standard")
#: Whether and when one may return it: 7 days return.
_MAY_RETURN = _several("allowed day days eligible policy returnable window")
_POLICY = _MAY_RETURN | _several("easy exchange free only replacement return returns within")

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


#: Words that mean a way back under any heading: RTS may be ready to ship, and return a rule.
_PLAINLY_BACK = _several("dto reverse reversed rto rvp rvs")

#: Arrows, folded, in a column of ways.
_LEFTWARD = _several("← ⇐ ⟵ ⬅ ◀ ◄ < << <=")

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
    NOTES = "notes"  # for short notes of people: it has no heading
    PLAIN = "plain"  # for plain words of a way back alone: its heading says nothing


ALONE = frozenset({Asks.NOTES, Asks.PLAIN})
"""Such columns are of directions only where nearly all of their cells are."""


class Look(Struct, frozen=True, kw_only=True):
    """The evidence to look for under a heading. ``way``: the direction that a yes means.

    ``sure``: it is a direction, so that words in it which nobody knows leave the direction open.
    ``letters``: F and R alone are directions in it; ``both``: its heading names these two;
    ``pairs``: Inbound is one beside Outbound. ``bare``: its heading names a way back, or that
    nobody has it, and nothing else. ``names``: it is of people's names.
    """

    asks: Asks
    way: Direction = Direction.BLANK
    sure: bool = False
    letters: bool = False
    both: bool = False
    pairs: bool = False
    bare: bool = False
    names: bool = False


def look_of(heading: str) -> Look | None:
    """Return the evidence to look for under a column's heading, or None."""
    spelled = _BOTH_WAYS.sub(r" \1 ", _HUMPS.sub(" ", heading))
    words = words_of(_shortened(_in_english(fold(spelled))))
    back = words & _BACK
    if words in _OF_RECEIVERS or words in _OF_DESTINATIONS:
        return Look(asks=Asks.WHOM, names=True)
    if (fate := _fate_asked(words)) is not None and "%" not in heading:
        return fate
    if (
        "%" in heading
        or words & _HARMLESS
        or {"by", "date"} <= words
        or ("of" in words and words & _COUNTS)
    ):
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
        sure = bool(back and words & _FORWARD)
        bare = bool(back) and "to" not in words and subjects <= _ASKING
        return Look(asks=Asks.YES, way=way, sure=sure, bare=bare)
    if {"to"} < words <= _TO_WHOM:
        return Look(asks=Asks.WHOM)
    both = {*LETTERS} <= words
    if not words & _LOOKS and not both:
        return None
    sure = both or bool(words & _SURE)
    letters = both or bool(words & _OF_WAYS)
    pairs = letters or words <= _OF_SHIPMENTS
    return Look(asks=Asks.WORDS, sure=sure, letters=letters, both=both, pairs=pairs)


_BOTH_WAYS = re.compile(
    r"(?i)[(\[]\s*((?:f|fwd|forward)\s*[/|,&-]\s*(?:r|rev|reverse|return|rto|rvp))\s*[)\]]"
)


def _fate_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column that asks whether a shipment did not arrive, or came back."""
    asked = words - _ASKING
    if asked in _OF_FATES:
        asks = Asks.NO if asked in _TRUE_DELIVERIES else Asks.YES
        return Look(asks=asks, way=Direction.UNDELIVERED, bare=asks is Asks.YES)
    if asked & _ENDS and asked & _WHENS and asked <= _ENDS | _WHENS:
        return Look(asks=Asks.FILLED, way=Direction.UNDELIVERED)
    if asked in _CAME_BACK:
        return Look(asks=Asks.YES, way=Direction.BACK)
    return None


def may_name_ways(heading: str) -> bool:
    """Tell whether a plain word for a way back says where a row went, under any such heading."""
    words = words_of(heading)
    passed = words & (_HARMLESS | _MEASURES | _SAID_BEFORE) or words in _OF_PIVOTS
    of_another = bool(words & _OF_STATUSES) and speaks_of_other(heading)  # Payment Status
    return not (passed or of_another or is_earlier(heading) or is_free_text(heading))


#: What is done about a parcel on its way, of which the end may be another.
_SAID_BEFORE = _several("action attempt call dispatch mile ndr request")


def is_of_customers(heading: str) -> bool:
    """Tell whether a column is, by its heading, of kinds of customers: Customer Type."""
    words = words_of(heading)
    return bool(words & _CUSTOMERS) and bool(words & _KINDS) and words <= _CUSTOMERS | _KINDS


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
    if is_absent(folded) or not any(map(str.isalnum, folded)):
        return Direction.BACK if look.letters and folded in _LEFTWARD else None
    if look.asks in _READ:
        return _READ[look.asks](folded, look)
    said, first = direction_of(folded), next(iter(_WORD.findall(folded)), "")
    if folded in FALSE_WORDS and look.way is Direction.FORWARD:
        return Direction.BACK
    if look.asks is Asks.NO:
        return look.way if folded in FALSE_WORDS or first in {"false", "n", "no", "not"} else None
    if said is not None:
        return said
    if look.asks is Asks.YES and (folded in TRUE_WORDS or (look.bare and first in _YES)):
        return look.way
    if look.asks is Asks.WORDS or look.way is Direction.FORWARD:
        return Direction.BACK if _comes_back(folded) else None
    if _is_no(folded, look) and not (look.bare and _NOT_DELIVERED.search(folded)):
        return None
    return filled_way(look) if look.bare or look.asks is Asks.FILLED else None


def may_speak(look: Look) -> str:
    """Return an expression that each cell with a claim matches, "" where any cell may have one."""
    if look.asks is Asks.NOTES:
        return r"\pL"
    if look.asks is Asks.PLAIN:
        return r"(?i)\br\W?[tv]\W?[op]|\brvs|\brevers|\bdto|\bto (?:the )?[cmos]|[^\x00-\x7f]"
    return rf"(?i){'|'.join(sorted(_SELLERS | _RTO))}|[^\x00-\x7f]" if look.names else ""


def filled_way(look: Look) -> Direction:
    """Return the way of whatever stands under a heading that names a way back, but for a no."""
    if look.way is Direction.UNDELIVERED:
        return look.way
    if look.asks is not Asks.FILLED:
        return Direction.BACK
    return Direction.MAYBE_RTO if look.way is Direction.RTO else Direction.MAYBE_RETURN


def _is_no(folded: str, look: Look) -> bool:
    """Tell whether a cell says that a shipment did not go the way of its heading."""
    words = [word for word in _WORD.findall(_in_english(folded)) if word.strip("0")]
    subjects = {word for word in words if not word.isdecimal()}
    return (
        folded in FALSE_WORDS
        or folded in _NATIVE_NO
        or bool(_EMPTY_DATES.fullmatch(folded.replace(" ", "-")))
        or (not words and "0" in folded)
        or (bool(words) and words[0] in _NO)
        or bool(_NOT_DONE.search(folded))
        or (look.bare and bool(words) and {*words} <= _USUAL)
        or (look.way is Direction.UNDELIVERED and folded == "delivered")
        or (look.bare and bool(subjects & _MAY_RETURN) and subjects <= _POLICY)
    )


def _handed_over(folded: str, look: Look) -> Direction | None:
    """Return that a shipment went back where it is the seller who has it."""
    words, meant = _words(folded), _SELLERS | _RTO
    is_seller = words & meant and (not look.names or words <= meant | _BESIDE_SELLERS)
    return Direction.RTO if is_seller else None


def _plainly_said(folded: str, _: Look) -> Direction | None:
    """Return the way back that a cell names which says nothing else."""
    return direction_of(folded) if _words(_plain(folded)) & _PLAINLY_BACK else None


def _comes_back(folded: str) -> bool:
    """Tell whether a short cell says among other words that a shipment comes back."""
    words = _words(_shortened(folded))
    if words & (_NOT | _CHANCES | _FORWARD) or len(folded.split()) > _SHORT_TEXT:
        return False
    others = words - _BACK
    return bool(words & _SURELY_BACK) or (others != words and others <= _BESIDE_RETURN)


def _noted(folded: str, _: Look) -> Direction | None:
    """Return the way that a short note beside a row names, or that nobody has it."""
    of_many = len(folded.split()) > _SHORT_TEXT
    if of_many or folded in FALSE_WORDS or "if" in _words(folded):
        return None
    way = way_named(folded)
    if way is not None:
        return None if way is Direction.FORWARD else Direction.BACK
    against = speaks_against(folded, Milestone.DELIVERY_DONE)
    return Direction.UNDELIVERED if against else None


_READ = {Asks.WHOM: _handed_over, Asks.NOTES: _noted, Asks.PLAIN: _plainly_said}


def _without_ticks(folded: str) -> str:
    """Return a text with a tick or a cross alone as yes or no, and words without a tick."""
    plain = folded.replace(_VARIANT, "").strip()
    if plain and not plain.strip(_TICKS):
        return "yes"
    if plain and not plain.strip(_CROSSES):
        return "no"
    return plain.strip(_TICKS)


def lone_word(folded: str) -> str:
    """Return the word of a pair such as Inbound without words that do not change it."""
    words = folded.split()
    found = [word for word in words if word in PAIRS]
    return found[0] if found and len({*words} - _FILLERS) == 1 else folded


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


#: What is measured of a shipment or an order, not where it is: SLA Status = Delayed.
_MEASURES = _several("fraud risk sla tat weight")


class AsksStatus(Enum):
    """The way in which cells of a further column are read for statuses."""

    ANY = "any"  # its heading is known for statuses
    ENDS = "ends"  # it is of failed attempts, or of the seller's side: only an end says something
    WORDS = "words"  # its heading speaks of a status: words count, a number may mean another thing
    MOSTLY = "mostly"  # its heading says nothing: only where nearly all of its cells are statuses


def asks_status(heading: str) -> AsksStatus | None:
    """Return how a column is read for statuses, None if its heading speaks of other things."""
    words = words_of(heading)
    only_ends = other_subjects(heading) == {"ndr"} or words & {"attempt", "dispatch"}
    if words & _OF_STATUSES and only_ends and not is_earlier(heading):
        return AsksStatus.ENDS
    if speaks_of_other(heading) or is_earlier(heading) or is_free_text(heading):
        return None
    if words & _MEASURES or {"mid", "mile"} <= words:
        return None
    if words in _OF_PIVOTS:
        return None
    return AsksStatus.WORDS if words & _OF_STATUSES or words in _RESULTS else AsksStatus.MOSTLY


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
    folded = fold(cell)
    words = _words(folded)
    # A parcel that failed on the way out may well have come back.
    outward = milestone in {Milestone.BAG_PICKED, Milestone.DELIVERY_DONE}
    in_the_end = None if words & _NOT else _IN_THE_END.match(folded)
    against = _FAILED if outward else _UNTRUE
    if in_the_end:
        against -= _EXCUSED if in_the_end[1] else {"damaged"}
    if words & against:
        return True
    if milestone == Milestone.DELIVERY_DONE and _NOT_DELIVERED.search(folded):
        return True
    way = way_named(cell)
    return way is not None and not agrees(milestone, way)


_IN_THE_END = re.compile(r"(?:successfully )?delivered\b( (?:after|in|on)\b.* attempts?\b)?")
_EXCUSED = _several("damaged failed undelivered unsuccessful")
_NOT_DELIVERED = re.compile(r"\bnot (?:been |yet |be )?delivered\b")


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
    words = _words(_shortened(fold(name)))
    return None if words & _NOT else _said(words)


def fate_named(name: str) -> Direction | None:
    """Return the way that a tab or title names, or that its shipments were not delivered."""
    words = _words(fold(name))
    way = way_named(name)
    if way is not None or words & _DELIVERED_TOO:
        return way
    if not words & _NOT and _is_disputed(words):
        return Direction.UNDELIVERED
    if "delivered" in words and words & _SELLERS and words <= _BY_SELLERS:
        return Direction.BACK
    lacks = "delivered" in words and "not" in words
    if "delivered" in words and not lacks:
        return None
    if lacks or (words & _FATES and not words & _NOT):
        return Direction.UNDELIVERED
    strange = _words_like(_IN_CELL.findall(_in_english(fold(name))), _BACK | _FATES)
    return Direction.UNREADABLE if strange else None


#: Delivered by the seller is a sale.
_BY_SELLERS = (_SELLERS | _FILLERS | {"delivered"}) - {"by"}


def _is_disputed(words: frozenset[str]) -> bool:
    """Tell whether words say of deliveries, not of weights or money, that they were none."""
    said = _DISPUTED | _NOT_SO if words & _DELIVERIES else _DISPUTED
    return bool(words & said) and not words & (_HARMLESS | _OF_MONEY)


def back_beside(name: str, others: Iterable[str]) -> bool:
    """Tell whether a tab is of the way back because others are of its counterpart: R beside F."""
    ways = {_LONE.get(fold(other)) for other in others}
    return _LONE.get(fold(name)) is Direction.BACK and Direction.FORWARD in ways


_LONE = {**LETTERS, **PAIRS}
_FATES = frozenset({"cancelled", "canceled", "lost", "undelivered"})
_DELIVERED_TOO = frozenset({"all", "and", "or", "vs"})


def note_on_all(line: str) -> bool:
    """Tell whether a line says of all rows where they went: These are RTO shipments."""
    said = _ON_ALL.search(_in_english(fold(line)))
    words = said[1].split()[:_FEW_WORDS] if said else []
    return bool(words) and not {*words} & _HARMLESS and fate_named(" ".join(words)) is not None


def note_on_some(line: str) -> bool:
    """Tell whether a line says of some rows where they went: Row 3 to 5 are RTO, A1 is RTO."""
    folded = _in_english(fold(line))
    said = _VERB.search(folded) is not None and not _words(folded) & _HARMLESS
    return said and not reads_as_footer(line) and fate_named(line) is not None


def sides_of(line: str) -> tuple[bool, bool]:
    """Tell whether a line that names a way speaks of the rows above it, and of those below it.

    A title speaks of those below, a note on all rows of both unless it says which.
    """
    words = _words(fold(line)) if note_on_all(line) else _BELOW
    above, below = "above" in words, bool(words & _BELOW)
    return above or not below, below or not above


_VERB = re.compile(r"\b(?:am|are|is|was|were|came|come|gone|went|do not|dont|don't|hai|hain)\b")
_BELOW = _several("below beneath following follows hereunder underneath")
_ON_ALL = re.compile(
    r"\b(?:above|all|these|this (?:file|list|report|sheet))\b.{0,60}?\b(?:are|is|were|was) "
    r"(?:all |only |of |for |marked |as )*(.+)"
)


def _plain(folded: str) -> str:
    """Return a text in which every way back to the seller is called so in one word."""
    return _SPELLED.sub(lambda found: found[0].replace(" ", ""), _TO_SELLER.sub("rto", folded))


def _shortened(folded: str) -> str:
    """Return such a text in which a delivery to the seller is one, too."""
    return _plain(_DELIVERED_BACK.sub("rto", folded))


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
