"""Columns that may say which way a shipment went: their headings, and their cells.

A heading makes one look (``look_of``); a cell decides (``claim_of``).
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct

from schemas.date_headings import told_by
from schemas.directions import (
    DAMAGED,
    FAILED_WORDS,
    FILLERS,
    FORWARD_WORDS,
    HARMLESS,
    LETTERS,
    NEGATIONS,
    NOT_DELIVERED,
    RTO_WORDS,
    SELLERS,
    SHORT_TEXT,
    TO_ANOTHER,
    WAYS_BACK,
    WORD,
    direction_of,
    hides_a_known,
    in_english,
    in_plain_words,
    may_hide_words,
    shortened,
    speaks_against,
    way_named,
    way_of,
    with_known_ways,
    without_ticks,
    words_apart,
    words_in,
)
from schemas.headings import (
    HUMPS,
    is_earlier,
    is_free_text,
    other_subjects,
    several,
    speaks_of_other,
    words_of,
)
from schemas.normalise import FALSE_WORDS, TRUE_WORDS, fold, is_absent, is_lost
from schemas.status_headings import MEASURES, OF_PIVOTS, OF_STATUSES
from schemas.statuses import Direction
from schemas.vocabulary import Milestone

_TO_WHOM = several("delivered handed over returned to")
_OF_RECEIVERS = tuple(
    map(
        several,
        ("received by", "receiver", "receiver name", "recipient", "recipient name", "pod name"),
    )
)

#: Words beside the seller where a person's name is asked: Merchant is a family's name, too.
_BESIDE_SELLERS = several(
    "address at back by center centre dc facility guard hub point received return returned "
    "returns same security self staff store team the to warehouse wh"
)

#: Words for the shipment itself: beside goods and services, return and reverse mean other things.
_SURELY_BACK = RTO_WORDS | several("dto lautaya returned reversed rvp rvs vapas wapas wapsi")

#: In place of a receiver's name: Refused, Not delivered, NA - returned.
_NOBODY = several("canceled cancelled failed lost refused rejected returned undelivered")
_BESIDE_NOBODY = several(
    "accepted by consignee customer cx delivered delivery na not order received the to"
)
_CHANCES = several(
    "charge charges cost eligible fee free high insurance insured likely low medium policy "
    "prediction probability prone protected protection rate risk safe score zero"
)
_BESIDE_RETURN = (
    FAILED_WORDS
    | FILLERS
    | several(
        "aaya accepted approved at aya back closed complete completed created delivered done "
        "exchange for hua hub in ofd ofp out pending picked processed processing qc raised "
        "reached received refund refunded replacement request requested scheduled to transit "
        "under warehouse"
    )
)
_LOOKS = several(
    "bucket category class classification dir direction flow flag identifier indicator journey "
    "kind lane leg mode movement nature process product service stream task trip type"
)

#: Words that may stand beside the fate in a heading such as Is Cancelled, Order Lost (Y/N).
_ASKING = several(
    "aaya aya been flag gaya h hai has ho hua indicator is it kya mark marked n order orders "
    "record row shipment shipments was y yn"
)
_OF_FATES = tuple(
    map(
        several,
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
            "delivery confirmed",
            "delivery verified",
            *("not received", "non receipt", "misdelivered", "mis delivered", "in transit"),
            *("customer denied", "delivery denied", "fake pod", "false pod", "refused"),
            *("customer refused", "refused by customer", "customer received"),
            "received by customer",
            *("undel", "undeliverd", "undelvd", "undlvd", "cancled", "canceld", "cancelld"),
            *("cancelled by customer", "deliver", "deliverd", "delivred", "dlvd"),
            *("delivery done", "delivery complete", "delivery completed", "delivery success"),
            *("delivery successful", "recd by customer", "recd by cust", "success", "mila"),
            *("successful", "mila ya nahi", "customer ko mila", "destroyed", "disposed", "stolen"),
            *("seized", "missing", "untraceable", "auctioned"),
        ),
    )
)
_TRUE_DELIVERIES = tuple(
    map(
        several,
        (
            "delivered",
            "valid delivery",
            "genuine delivery",
            "delivery confirmed",
            "delivery verified",
            "customer received",
            "received by customer",
            *("deliver", "deliverd", "delivred", "dlvd", "delivery done", "delivery complete"),
            *("delivery completed", "delivery success", "delivery successful", "success"),
            *("successful", "recd by customer", "recd by cust", "mila", "mila ya nahi"),
            "customer ko mila",
        ),
    )
)  # of the same: a no says that it was none. Of an OTP it does not: few deliveries have one

#: When nobody has it any more. An attempt that failed has a date, too, and may end well.
_ENDS = several("cancel canceled cancellation cancelled lost")
_WHENS = several("at date datetime dt of on time timestamp")

#: Questions whether it came back, in other words than those for the ways.
_CAME_BACK = tuple(
    map(
        several,
        (
            *("came back", "received back", "sent back", "ret", "physically received back"),
            *("inwarded", "restocked"),
        ),
    )
)

#: Only a plain yes counts under these: Partial may be of a payment, Test of goods.
_IN_PART = tuple(
    map(
        several,
        (
            *("partial", "partial delivery", "partially delivered", "part delivery"),
            *("short delivery", "short delivered"),
        ),
    )
)
_NOT_COUNTED = tuple(
    map(
        several,
        (
            *("void", "voided", "reverted", "test", "dummy", "do not update", "do not upload"),
            *("delete", "deleted", "to be deleted", "remove", "removed", "discard", "discarded"),
            *("ignore", "ignored", "to be ignored", "exclude", "excluded", "skip", "skipped"),
            *("do not process", "do not send", "do not sync", "do not consider"),
            *("wrong status", "status wrong", "incorrect status", "status mismatch", "mismatch"),
            *("wrong awb", "awb mismatch", "superseded", "obsolete", "provisional"),
            "assumed",
        ),
    )
)

#: Whether a row is to be sent, and its status true: a no under these takes it back.
_COUNTED_IF = tuple(
    map(
        several,
        (
            *("include", "upload", "to upload", "to be uploaded", "send", "to be sent", "sync"),
            *("to be updated", "push to fynd", "upload to fynd", "send to fynd", "correct"),
            *("status correct", "correct status", "status match", "status matched", "final"),
            "status confirmed",
        ),
    )
)

#: Filled where the row has another than the true one.
_REPLACED = tuple(map(several, ("correct awb", "actual awb", "replaced by")))

#: Under Delivered? these are a no.
_NOT_YET = re.compile(r"(?:attempted|awaited|hold|in transit|on hold|partly|pending|tomorrow)\b")

#: Of these a number says how many pieces the customer did not get whole.
_LACKING = several(
    "bal balance canceled cancelled damage damaged damages lost missing pending refused rejected "
    "short shortage shortages undelivered"
)
_SHORT = several("short shortage shortages")
_COUNTED = several(
    "box boxes count item items no nos number pc pcs piece pieces pkgs qty quantity unit units"
)

#: Kinds of the place where it goes: only the seller's says something.
_OF_DESTINATIONS = tuple(
    map(
        several,
        ("destination type", "drop type", "drop location type", "delivered at", "to", "drop to"),
    )
)
_ELSEWHERE = r"(?:.* )?(?:branch|courier|dc|franchisee?|hub|transporter)(?: office)?"
_WHERE_NOW = tuple(map(several, ("currently with", "now with", "lying at", "physical location")))

#: Columns with whole scans, and cells that begin with one and tell of no delivery after it.
_STORIES = several("activity checkpoint event history log logs response scan timeline tracking")
_BESIDE_STORIES = several("api courier details events last latest scans track update updates")
_STORY = (
    r"[^a-z]*(?:(?:scan|status)\W+)?(?:(?:order|shipment) )?(?:(?:is|has been) )?(?:being )?"
    r"(?:not delivered|out for delivery|rto|return(?:ed|ing)? to|undelivered)\b"
    r"(?:[^d]|d[^e]|de[^l]|del[^i])*(?:d|de|del)?"
)

#: Deliveries that a customer may look at first.
_OPEN_BOXES = tuple(map(several, ("open box", "obd", "try buy", "tnb", "excess short")))
_OF_OPEN_BOXES = several(
    "and box buy delivery excess n obd open outcome result short status tnb try"
)
_SURE = frozenset({"dir", "direction"})
_OF_SHIPMENTS = several("consignment of order parcel shipment type")
_OF_WAYS = _SURE | {"flow", "journey", "leg", "movement", "trip"}

#: Whose custom it is, not the shipment's way: Return Customer, Returning Buyer.
_OF_CUSTOMERS = re.compile(
    r"(?:is )?return(?:ing|ed)? (?:customer|buyer|user|shopper|visitor|client)s?(?: flag| type)?"
)
_CUSTOMERS = several("buyer client customer shopper user visitor")
_KINDS = several("bucket category class flag group kind segment tag type")
_COUNTS = frozenset({"no", "number", "num"})

#: Subjects that only a shipment that comes back has anything for.
_FILLED = several(
    "action at awb bag code date datetime delivered docket dt id initiated lrn no number on "
    "intransit pickup reason received ref reference remark remarks requested status time "
    "timestamp track tracking type updated waybill"
)

#: First words of a cell that says yes or no, whatever comes behind.
_YES = several("haan han true y yes")
_NO = several("false n na nahi nahin never nil no non none nope not null without")
_NATIVE_NO = several(fold("नहीं नही नाही இல்லை లేదు ಇಲ್ಲ না ના ഇല്ല ਨਹੀਂ ନାହିଁ نہیں 否 不"))
_NOT_DONE = re.compile(
    r"\bnot (?:yet )?(?:applicable|cancelled|created|done|initiated|lost|marked|raised|required"
    r"|returned|rto|yet)$"
)
_USUAL = several("normal original outbound outward regular sale sales standard")

#: Whether and when one may return it: 7 days return.
_MAY_RETURN = several("allowed day days eligible policy returnable window")
_POLICY = _MAY_RETURN | several("easy exchange free only replacement return returns within")
_DATE = re.compile(r"\d{1,4}[ /](?:\d{1,2}|[a-z]{3,9})[ /]\d{2,4}\b")
_EMPTY_DATES = re.compile(r"0{2,4}[-/.]?0{2}[-/.]?0{2,4}.*|0?1[-/]0?1[-/]1970.*|1970[-/]01[-/]01.*")

#: Words that mean a way back under any heading: RTS may be ready to ship, and return a rule.
_PLAINLY_BACK = several("dto reverse reversed rto rts rvp rvs")

#: Arrows, folded, in a column of ways.
_LEFTWARD = several("← ⇐ ⟵ ⬅ ◀ ◄ < << <=")

#: Boxes that are ticked, or a no; in a column RTO an R may be a yes.
_MARKS = frozenset({"x", "☒", "☓", "●", "•", "*", "r"})


class Asks(Enum):
    """The way in which the cells of a column are read."""

    WORDS = "words"  # for words of a direction
    YES = "yes"  # for yes and no: its heading names the way
    NO = "no"  # for a no: its heading says what did not happen then
    WHOM = "whom"  # for the seller: its heading says to whom something was delivered
    FILLED = "filled"  # for anything: its heading names what only a shipment coming back has
    NOTES = "notes"  # for short notes of people: it has no heading
    PLAIN = "plain"  # for plain words of a way back alone: its heading says nothing
    REMARKS = "remarks"  # for remarks that say nothing but that the seller has it


ALONE = frozenset({Asks.NOTES, Asks.PLAIN, Asks.REMARKS})
"""Such columns are of directions only where nearly all of their cells are."""


class Look(Struct, frozen=True, kw_only=True):
    """The evidence to look for under a heading. ``way``: the direction that a yes means.

    ``sure``: it is a direction, so that words in it which nobody knows leave the direction open.
    ``letters``: F and R alone are directions in it; ``both``: its heading names these two;
    ``pairs``: Inbound is one beside Outbound. ``bare``: its heading names a way back, or that
    nobody has it, and nothing else. ``names``: it is of people's names. ``dated``: dates in it are
    compared with the event's. ``fates``: an expression for the plain words in it
    that are the fate of its row. ``partly``: it says something only where some rows are empty.
    ``carriers``: it is of couriers and their services, of which a name may say the way: Delhivery
    Reverse.
    """

    asks: Asks
    way: Direction = Direction.BLANK
    sure: bool = False
    letters: bool = False
    both: bool = False
    pairs: bool = False
    bare: bool = False
    names: bool = False
    dated: bool = False
    partly: bool = False
    fates: str = ""
    carriers: bool = False


def look_of(heading: str) -> Look | None:
    """Return the evidence to look for under a column's heading, or None."""
    spelled = _BOTH_WAYS.sub(r" \1 ", HUMPS.sub(" ", _with_lost_letter(heading)))
    words = words_of(shortened(with_known_ways(in_english(fold(spelled)))))
    back = words & WAYS_BACK
    if (whom := _whom_asked(words)) is not None:
        return whom
    if (fate := _fate_asked(words)) is not None and "%" not in heading:
        return fate
    if (
        "%" in heading
        or words & HARMLESS
        or {"by", "date"} <= words
        or ("of" in words and words & _COUNTS)
    ):
        return None
    if _OF_CUSTOMERS.fullmatch(fold(heading)) or (
        {"last", "date"} <= words and not back & RTO_WORDS and not words & {"scan", "status"}
    ):
        return None
    if "rev" in words and words <= {"rev"} | _COUNTS:  # a revision
        return None
    if back and "delivered" in words and _BOTH_ENDS.search(heading):  # Delivered/RTO asks nothing
        return Look(asks=Asks.PLAIN)
    if back or words & FORWARD_WORDS:
        return _look_of_way(words, back)
    both = {*LETTERS} <= words
    if not words & _LOOKS and not both:
        return None
    sure = both or bool(words & _SURE)
    letters = both or bool(words & _OF_WAYS)
    pairs = letters or words <= _OF_SHIPMENTS
    fates = _fates_under(words) if words <= _OF_ROWS | _OF_WAYS | {"delivery", "task"} else ""
    if words & _OF_WAYS:
        fates = f"{fates or _NOT_THERE}|{_FIRST_LEG}"
    return Look(
        asks=Asks.WORDS,
        sure=sure,
        letters=letters,
        both=both,
        pairs=pairs,
        fates=fates,
        carriers=bool(words & _OF_CARRIERS),
    )


OF_CARRIER = Look(asks=Asks.PLAIN, carriers=True)
_OF_CARRIERS = several(
    "carrier courier logistics method mode partner service shipper transporter vendor"
)

#: In the name of a company its trade is no way: Reverse Logistics Pvt Ltd.
_OF_COMPANIES = several("co company corp inc limited llc llp ltd private pvt")


def _whom_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column that says who has a shipment, or how much of it he took."""
    if words in _OF_RECEIVERS or words in _OF_DESTINATIONS:
        return Look(asks=Asks.WHOM, names=True)
    if {"to"} < words <= _TO_WHOM:
        return Look(asks=Asks.WHOM, fates=_ELSEWHERE if "delivered" in words else "")
    if words in _WHERE_NOW:
        return Look(asks=Asks.WHOM, fates=rf"{_ELSEWHERE}|(?:.* )?(?:transit|us|warehouse|wh)")
    if words <= _BESIDE_STORIES | _STORIES and words & _STORIES:
        return Look(asks=Asks.PLAIN, fates=_STORY)
    if words <= _OF_OPEN_BOXES and any(each <= words for each in _OPEN_BOXES):
        return Look(asks=Asks.WHOM, fates="failed|refused|rejected|returned.*|short.*")
    return None


#: Under these a fate is that of the row; under others (NDR Category) of something else or before.
_OF_ROWS = several(
    "bucket category claim class exception flag issue label order orders row shipment shipments "
    "tag type"
)
_SHIPMENT = r"(?:(?:order|parcel|shipment) )?(?:is |was )?"
_BUT = "(?: but .*)?"
#: Of the shipment under any heading; of the others one may be a paper's or an offer's fate.
_ITS_OWN = (
    rf"{_SHIPMENT}(?:fake delivery|lost in transit|non[ -]delivered"
    rf"|not (?:yet )?delivered{_BUT}|undelivered)"
    rf"|{TO_ANOTHER}|line ?haul|(?:hub|origin) to hub|hub delivery"
    "|stock transfer|stn"
)
_NOT_THERE = rf"{_ITS_OWN}|{_SHIPMENT}(?:fake|lost|not (?:yet )?received{_BUT})"
#: Short for the first of the ways that a parcel goes, where the heading asks for them.
_FIRST_LEG = "1 ?(?:/|of) ?[2-9]"
_NOT_TAKEN = rf"{_NOT_THERE}|{_SHIPMENT}(?:cancell?ed|refused|rejected)"

#: A claim may be refused or cancelled itself, and an exception be of an attempt before.
_OF_CLAIMS = several("claim claims complaint complaints customer exception issue ticket tickets")


def _look_of_way(words: frozenset[str], back: frozenset[str]) -> Look:
    """Return the evidence to look for under a heading that names a way. ``back``: its ways back."""
    way = way_of(words - FORWARD_WORDS) or Direction.FORWARD
    if back and back <= _SAID_OF_BOTH and not words & _CUSTOMERS:
        way = Direction.BACK
    subjects = words - back - FORWARD_WORDS - {"is", "flag", "identifier", "indicator", "to"}
    if back and subjects & _FILLED and "flag" not in words:
        return Look(asks=Asks.FILLED, way=way)
    sure = bool(back and words & FORWARD_WORDS)
    bare = bool(back) and "to" not in words and subjects <= _ASKING
    if sure and bare:  # Forward/Reverse: only a word for one of them says which
        return Look(asks=Asks.WORDS, sure=True, letters=True, both=True, pairs=True)
    return Look(asks=Asks.YES, way=way, sure=sure, bare=bare)


def _with_lost_letter(heading: str) -> str:
    """Return a heading that asks for a way with the letter that it lost: RV Flag, Is RO."""
    return _SHORT_RTO.sub("RTO", _SHORT_RVP.sub("RVP", heading))


_SHORT_RVP = re.compile(r"(?i)\brv(?=[ _-]?flag\b)")
_SHORT_RTO = re.compile(r"(?i)(?<=\bis[ _-])(?:ro|rt)\b|\b(?:ro|rt)(?=[ _-]?flag\b)")
_BOTH_ENDS = re.compile(r"(?i)[/&+|,]|\bor\b|\band\b")

RETURNS = frozenset({Direction.RETURN, Direction.BACK})
"""What a heading such as Is Returned asks for."""

#: In headings couriers call what goes back to the seller a return, too.
_SAID_OF_BOTH = several("return returned returns ret")
_BOTH_WAYS = re.compile(
    r"(?i)[(\[]\s*((?:f|fwd|forward)\s*[/|,&-]\s*(?:r|rev|reverse|return|rto|rvp))\s*[)\]]"
)


#: Beside a way back, what only a shipment has that went it, where others have none.
_ONLY_OF_BACK = several("ageing aging attempts courier days edd grn inscan inscanned scan scanned")
_NOT_PARTLY = _FILLED | several(
    "allowed eligible label max maximum policy returnable tat window within"
)
_FIRST = several("forward fwd frwd orig original ref")
_OF_AWBS = several("awb docket lrn tracking waybill")


def _is_of_way_out(words: frozenset[str]) -> bool:
    """Tell whether a column has the AWBs of the way out, of shipments that go back: Original AWB.

    A date at which the seller received it is filled for these alone, too, and so is an RMA.
    """
    if words & _OF_AWBS and words & _FIRST:
        return words <= _OF_AWBS | _FIRST | _COUNTED | {"id"}
    return words in _SELLERS_DATES


_SELLERS_DATES = tuple(
    map(
        several,
        ("seller received date", "received by seller date", "rma", "rma no", "rma id", "cir id"),
    )
)


def _fate_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column that asks whether a shipment did not arrive, or came back."""
    asked = words - _ASKING
    if asked in _OF_FATES:
        asks = Asks.NO if asked in _TRUE_DELIVERIES else Asks.YES
        dated = asked == {"undelivered"}
        return Look(asks=asks, way=Direction.UNDELIVERED, bare=asks is Asks.YES, dated=dated)
    if asked & _ENDS and asked & _WHENS and asked <= _ENDS | _WHENS:
        return Look(asks=Asks.FILLED, way=Direction.UNDELIVERED)
    lacking = asked & _LACKING
    if asked - lacking <= _COUNTED and (lacking and (asked & _COUNTED or lacking & _SHORT)):
        return Look(asks=Asks.YES, way=Direction.UNDELIVERED, bare=True)
    if asked in _IN_PART:
        return Look(asks=Asks.YES, way=Direction.UNDELIVERED)
    if asked in _NOT_COUNTED:
        return Look(asks=Asks.YES, way=Direction.WITHDRAWN)
    if asked in _COUNTED_IF:
        return Look(asks=Asks.NO, way=Direction.WITHDRAWN)
    if asked in _CAME_BACK:
        return Look(asks=Asks.YES, way=Direction.BACK, bare=True)
    if asked in _REPLACED:
        return Look(asks=Asks.FILLED, way=Direction.WITHDRAWN, partly=True)
    ruled = words & _SAID_OF_BOTH and words & {"courier", "days", "edd"}  # of a later return
    only_back = words & WAYS_BACK and words & _ONLY_OF_BACK and not (words & _NOT_PARTLY or ruled)
    if only_back or _is_of_way_out(words):
        return Look(asks=Asks.FILLED, way=Direction.BACK, partly=True)
    return None


OF_RETURN = Look(asks=Asks.FILLED, way=Direction.RETURN)
_AT_CUSTOMER = several("address city customer date drop name pickup pincode warehouse wh")


def only_of_returns(headings: Sequence[str]) -> frozenset[int]:
    """Return the columns that tell by other headings that a sheet is of customers' returns.

    A pickup at the customer, a drop at the warehouse and an RMA do, beside each other or beside a
    check or a refund, which alone say nothing.
    """
    words = [words_of(heading) for heading in headings]
    places = [each if each <= _AT_CUSTOMER else frozenset() for each in words]
    kinds = [
        {at for at, each in enumerate(places) if {"pickup", "customer"} <= each},
        {at for at, each in enumerate(places) if "drop" in each and each & {"warehouse", "wh"}},
        {at for at, each in enumerate(words) if each in _RMA},
    ]
    beside = [any("qc" in each for each in words), any("refund" in each for each in words)]
    told = sum(map(bool, (*kinds, *beside))) > 1
    return frozenset().union(*kinds) if told else frozenset()


_RMA = tuple(map(several, ("rma", "rma no", "rma number", "rma id")))


class Denial(Struct, frozen=True, kw_only=True):
    """A column that may deny milestones: by a yes, a no (``of_no``) or these ``words``.

    ``unless_all``: only where other rows of it say the contrary.
    """

    milestones: frozenset[Milestone]
    of_no: bool = False
    words: str = ""
    unless_all: bool = False

    def holds(self, cell: str) -> bool:
        """Tell whether a cell denies them."""
        folded = without_ticks(fold(cell)).strip()
        if self.words:
            return re.fullmatch(self.words, folded) is not None
        return folded in (FALSE_WORDS if self.of_no else TRUE_WORDS)


def denial_of(heading: str) -> Denial | None:
    """Return whether a column, by its heading, may deny milestones of its rows.

    The time of the delivery does by a word in its stead, where other rows have one.
    """
    told, planned = told_by(heading)
    if told == {Milestone.DELIVERY_DONE} and not planned:
        return Denial(milestones=told, words=_NO_TIME, unless_all=True)
    asked = words_of(heading) - _ASKING
    return _DENIALS.get(frozenset(asked))


_NO_TIME = (
    r"\W*(?:await(?:ed|ing)\b.*|not (?:yet )?(?:delivered|received|done)|not yet|pending\b.*"
    r"|rt[os]\b.*|tb[acd]|to be .*|undelivered|(?:expected|tentative)\b.*"
    r"|.*\b(?:expected|tentative))\W*"
)


_PICKED = frozenset({Milestone.BAG_PICKED})
_FETCHED = frozenset({Milestone.RETURN_BAG_IN_TRANSIT})
_RETURNED = frozenset({Milestone.RETURN_BAG_DELIVERED})
_AT_SELLER = frozenset({Milestone.RTO_BAG_DELIVERED})
_TAKEN_BACK = "cancell?ed|lost|refused|rejected"
_NONE = r"0+(?:\.0+)?"
_DENIALS = {
    several(words): denial
    for denial, headings in (
        (
            Denial(milestones=_PICKED | _FETCHED, of_no=True),
            ("picked", "picked up", "pickup done", "pickup completed", "pickup successful"),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED),
            (
                *("not picked", "not picked up", "pickup failed", "pickup cancelled"),
                *("pickup canceled", "fake pickup", "pickup refused", "customer refused pickup"),
            ),
        ),
        (
            Denial(
                milestones=_PICKED | _FETCHED,
                words="(?:pickup )?(?:cancell?ed|failed|not picked(?: up)?|pending)",
            ),
            ("pickup status",),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED, words=_NONE, unless_all=True),
            ("picked qty", "picked up qty", "picked quantity"),
        ),
        (
            Denial(milestones=_PICKED, of_no=True, unless_all=True),
            ("handed over", "handed over to courier", "manifested", "shipped"),
        ),
        (
            Denial(milestones=_FETCHED, words=r"(?:qc )?(?:fail(?:ed)?|not ok|rejected)"),
            ("qc", "qc status", "qc result", "doorstep qc", "doorstep qc status", "pickup qc"),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED | _RETURNED),
            ("cancelled", "canceled", "cancel"),
        ),
        (
            Denial(milestones=_FETCHED | _RETURNED),
            ("return cancelled", "return canceled", "return rejected", "return refused"),
        ),
        (
            Denial(milestones=_FETCHED | _RETURNED, words=f"(?:return )?(?:{_TAKEN_BACK})"),
            ("return status", "return state"),
        ),
        (
            Denial(
                milestones=_FETCHED | _RETURNED,
                words="(?:pickup )?(?:cancell?ed|failed|not picked(?: up)?)",
            ),
            ("return pickup status", "reverse pickup status"),
        ),
        (
            Denial(milestones=_RETURNED),
            (
                *("lost", "return lost", "return not received", "disputed", "dispute"),
                *("return disputed", "fake return", "return fake"),
            ),
        ),
        (
            Denial(milestones=_RETURNED, of_no=True),
            ("return received", "return accepted", "return received by seller"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, of_no=True, unless_all=True),
            ("received at wh", "received at warehouse"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, of_no=True),
            ("received by seller", "seller accepted", "accepted by seller", "seller received"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER),
            ("refused by seller", "seller refused", "rejected by seller", "seller rejected"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, words=_NONE, unless_all=True),
            ("received qty", "received quantity", "return received qty", "rto received qty"),
        ),
        (Denial(milestones=_AT_SELLER, of_no=True, unless_all=True), ("rto", "rto received")),
        (
            Denial(milestones=_AT_SELLER, of_no=True),
            ("rto received by seller", "rto accepted"),
        ),
        (
            Denial(milestones=_AT_SELLER),
            (
                *("rto cancelled", "rto lost", "rto dispute", "rto disputed", "rto not received"),
                *("rto fake", "fake rto", "rto refused", "rto rejected"),
            ),
        ),
    )
    for words in headings
}


def plain_look(heading: str) -> Look | None:
    """Return how to read a column for plain words for a way back or a fate, or None."""
    if not _may_name_ways(heading):
        return None
    words, others = words_of(heading), other_subjects(heading)
    if words & _OF_CARRIERS:
        return OF_CARRIER
    if not others <= _OF_CLAIMS or words & OF_STATUSES or _OF_A_DAY.fullmatch(fold(heading)):
        return Look(asks=Asks.PLAIN)
    known = words & (_OF_ROWS | _OF_CLAIMS | _OF_SORTS)
    return Look(asks=Asks.PLAIN, fates=_fates_under(words) if known else _ITS_OWN)


_OF_SORTS = several("alert disposition marking outcome position result segment stage tags")
_OF_A_DAY = re.compile(r"d(?:ay)?[- ]?\d+|last(?: exception)?|next .*")


def _fates_under(words: frozenset[str]) -> str:
    return _NOT_THERE if words & _OF_CLAIMS else _NOT_TAKEN


def _may_name_ways(heading: str) -> bool:
    """Tell whether a plain word for a way back says where a row went, under any such heading."""
    words = words_of(heading)
    passed = words & (HARMLESS | MEASURES | _SAID_BEFORE) or words in OF_PIVOTS
    of_another = bool(words & OF_STATUSES) and speaks_of_other(heading)  # Payment Status
    return not (passed or of_another or is_earlier(heading) or is_free_text(heading))


#: What is done about a parcel on its way, of which the end may be another.
_SAID_BEFORE = several("action agent attempt call dispatch failure ivr mile ndr request try")


def is_of_customers(heading: str) -> bool:
    """Tell whether a column is, by its heading, of kinds of customers: Customer Type."""
    words = words_of(heading)
    return bool(words & _CUSTOMERS) and bool(words & _KINDS) and words <= _CUSTOMERS | _KINDS


def claim_of(cell: str, look: Look) -> Direction | None:
    """Return the direction that a cell says, None if it says nothing about it."""
    if DAMAGED in cell:
        hides = may_hide_words(cell) if look.asks is not Asks.WORDS else hides_a_known(cell)
        if hides or _claimed(cell.replace(DAMAGED, ""), look) is not None:
            return Direction.UNREADABLE
        return None
    if look.asks in {Asks.YES, Asks.NO} and (fold(cell) in _MARKS or is_lost(cell)):
        return Direction.UNREADABLE
    if hides_a_known(cell) and direction_of(fold(cell)) is None:
        return Direction.UNREADABLE
    if look.carriers and _comes_back_by(fold(cell)):
        return Direction.BACK
    said = _claimed(cell, look)
    if said is None and _MAY_BE_GLUED.search(cell) and (apart := words_apart(cell)) != cell:
        return _claimed(apart, look)  # ReverseShipment, RTO1
    return said


_MAY_BE_GLUED = re.compile(r"(?i)r(?:ev|et|t|v)|dto|forward")


def _claimed(cell: str, look: Look) -> Direction | None:
    folded = without_ticks(in_english(fold(cell))).strip()
    if is_absent(folded) or not any(map(str.isalnum, folded)):
        return Direction.BACK if look.letters and folded in _LEFTWARD else None
    if look.asks in _READ:
        return _READ[look.asks](folded, look)
    said, first = direction_of(folded), next(iter(WORD.findall(folded)), "")
    if folded in FALSE_WORDS and look.way is Direction.FORWARD:
        return Direction.BACK
    if look.asks is Asks.NO:
        return (
            look.way
            if folded in FALSE_WORDS
            or first in {"false", "n", "nahi", "nahin", "no", "not"}
            or (look.way is Direction.UNDELIVERED and _NOT_YET.match(folded))
            else None
        )
    if said is not None:
        # RTS Status = Returned is no customer's return by itself.
        of_rto = look.way is Direction.RTO and folded in {"return", "returned"}
        return Direction.BACK if of_rto else said
    if look.asks is Asks.YES and (folded in TRUE_WORDS or (look.bare and first in _YES)):
        return look.way
    if _is_fate(folded, look):
        return Direction.UNDELIVERED
    if look.asks is Asks.WORDS or look.way is Direction.FORWARD:
        return Direction.BACK if _comes_back(folded) else None
    if _is_no(folded, look) and not (look.bare and NOT_DELIVERED.search(folded)):
        return None
    return filled_way(look) if look.bare or look.asks is Asks.FILLED else None


def may_speak(look: Look) -> str:
    """Return an expression that each cell with a claim matches, "" where any cell may have one."""
    if look.asks is Asks.NOTES:
        return r"\pL"
    if look.asks is Asks.REMARKS:
        sellers = "|".join(sorted(SELLERS | {"vendor", "warehouse"}))
        at_sellers = rf"(?:back|delivered|handed|return).{{0,30}}\b(?:{sellers})"
        return rf"(?i)^\W*(?:{at_sellers}|{_NOT_SENT}|{_REMARKED})\W*$"
    if look.asks is Asks.PLAIN:
        if look.carriers:
            return r"(?i)\br|dto|crn|ba?ck|aap|ap[ai]s|laut|to |2|[^\x00-\x7f]"
        ways = r"\br\W?[tv]\W?[op]|\br[tv]s|\brevers|\bdto|\bto (?:the )?[cmos]|[^\x00-\x7f]"
        ways += r"|\bna?hin?\b|\braddu?\b|\bcancel [a-z]"
        return rf"(?i){ways}|^\s*(?:{look.fates})\W*$" if look.fates else rf"(?i){ways}"
    said = "|".join(sorted(SELLERS | RTO_WORDS | _NOBODY | {"given", "not", "over to", "red to"}))
    return rf"(?i){said}|[^\x00-\x7f]" if look.names else ""


def filled_way(look: Look) -> Direction:
    """Return the way of whatever stands under a heading that names a way back, but for a no."""
    if look.way in {Direction.UNDELIVERED, Direction.WITHDRAWN}:
        return look.way
    if look.asks is not Asks.FILLED:
        return Direction.BACK
    return _MAY_BE.get(look.way, Direction.BACK)


_MAY_BE = {Direction.RTO: Direction.MAYBE_RTO, Direction.RETURN: Direction.MAYBE_RETURN}


def _is_no(folded: str, look: Look) -> bool:
    """Tell whether a cell says that a shipment did not go the way of its heading."""
    words = [word for word in WORD.findall(in_english(folded)) if word.strip("0")]
    subjects = {word for word in words if not word.isdecimal()}
    return (
        folded in FALSE_WORDS
        or folded in _NATIVE_NO
        or bool(_EMPTY_DATES.fullmatch(folded.replace(" ", "-")))
        or (look.dated and bool(_DATE.match(folded)))
        or (not words and "0" in folded)
        or (bool(words) and words[0] in _NO)
        or bool(_NOT_DONE.search(folded))
        or (look.bare and bool(words) and {*words} <= _USUAL)
        or (look.way is Direction.UNDELIVERED and folded == "delivered")
        or (look.bare and bool(subjects & _MAY_RETURN) and subjects <= _POLICY)
    )


def _handed_over(folded: str, look: Look) -> Direction | None:
    """Return that a shipment went back where it is the seller who has it, or that nobody has."""
    words, meant = words_in(folded), SELLERS | RTO_WORDS
    if _is_fate(folded, look) or NOT_DELIVERED.search(folded):
        return Direction.UNDELIVERED
    if words & (_NOBODY | {"not"}) and words <= _NOBODY | _BESIDE_NOBODY and words - {"na", "not"}:
        return Direction.UNDELIVERED
    if not words & meant or (look.names and not words <= meant | _BESIDE_SELLERS):
        return None
    return Direction.RTO if words & RTO_WORDS else Direction.BACK


def _plainly_said(folded: str, look: Look) -> Direction | None:
    """Return BACK for a cell that names a way back and says nothing else; likewise for a fate.

    Under a heading that speaks of something else it may be a cell of another column, so it holds a
    *Delivered* and makes it nothing else.
    """
    if _is_fate(folded, look):
        return Direction.UNDELIVERED
    if not words_in(in_plain_words(folded)) & _PLAINLY_BACK or direction_of(folded) is None:
        return None
    return Direction.BACK


def _is_fate(folded: str, look: Look) -> bool:
    said = bool(look.fates) and re.fullmatch(rf"(?:{look.fates})\W*", folded) is not None
    return said and "resolved" not in folded


def _comes_back(folded: str) -> bool:
    """Tell whether a short cell says among other words that a shipment comes back."""
    words = words_in(shortened(folded))
    if words & (NEGATIONS | _CHANCES | FORWARD_WORDS) or len(folded.split()) > SHORT_TEXT:
        return False
    others = words - WAYS_BACK
    return bool(words & _SURELY_BACK) or (others != words and others <= _BESIDE_RETURN)


def _comes_back_by(folded: str) -> bool:
    """Tell whether the name of a courier's account or service is that of a way back."""
    of_company = words_in(folded) & _OF_COMPANIES
    return not of_company and way_named(folded) not in {None, Direction.FORWARD}


def _noted(folded: str, _: Look) -> Direction | None:
    """Return the way that a short note beside a row names, or that nobody has it."""
    of_many = len(folded.split()) > SHORT_TEXT
    if of_many or folded in FALSE_WORDS or "if" in words_in(folded):
        return None
    way = way_named(folded)
    if way is not None:
        return None if way is Direction.FORWARD else Direction.BACK
    against = speaks_against(folded, Milestone.DELIVERY_DONE)
    return Direction.UNDELIVERED if against else None


def _remarked(folded: str, _: Look) -> Direction | None:
    """Return the direction where a remark says that alone: Delivered to Warehouse, Not delivered.

    *Undelivered* and *Refused* may be the remark on an attempt before.
    """
    if shortened(folded).strip(" !*()") in _AT_SELLERS:
        return Direction.BACK
    if re.fullmatch(rf"\W*(?:{_NOT_SENT})\W*", folded):
        return Direction.WITHDRAWN
    return Direction.UNDELIVERED if re.fullmatch(rf"\W*(?:{_REMARKED})\W*", folded) else None


_NOT_SENT = "(?:please |pls )?(?:do not|don'?t) (?:process|push|sync|update|upload)"
_REMARKED = (
    rf"{_SHIPMENT}(?:cancell?ed|lost(?: in transit)?|not delivered|not received(?: by customer)?)"
    r"|(?:fake|false|wrong) (?:delivered|delivery|pod|status)|rto delivered(?: to seller)?"
    r"|cust(?:omer)? (?:denies|denied) (?:the )?delivery|wrong entry(?: ignore)?"
    rf"|(?:entry|status) (?:is )?(?:galat|wrong)(?: hai)?|{TO_ANOTHER}"
)


_AT_SELLERS = frozenset({"rto", "rto warehouse"})

_READ = {
    Asks.WHOM: _handed_over,
    Asks.NOTES: _noted,
    Asks.PLAIN: _plainly_said,
    Asks.REMARKS: _remarked,
}


def is_of_returns(headings: Iterable[str]) -> bool:
    """Tell whether the headings of a table are those of returns: Return ID, return_action."""
    looks = (look_of(heading) for heading in headings)
    filled = [look for look in looks if look is not None and look.asks is Asks.FILLED]
    return sum(look.way in RETURNS for look in filled) > 1


def is_open(cell: str, look: Look) -> bool:
    """Tell whether a cell without a claim in a column that is a direction leaves it open."""
    folded = fold(cell)
    if is_lost(cell):
        return True
    if is_absent(folded) or not WORD.search(folded):
        return False
    no = folded in FALSE_WORDS or bool(words_in(folded) & NEGATIONS)
    return look.asks is Asks.WORDS or not no
