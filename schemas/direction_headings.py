"""Headings of columns that may say which way a shipment went.

A heading makes one look (``look_of``); a cell decides (``direction_cells``).
"""

import re
from collections.abc import Iterable, Sequence

from schemas.directions import (
    FORWARD_WORDS,
    HARMLESS,
    LETTERS,
    RTO_WORDS,
    TO_ANOTHER,
    WAYS_BACK,
    in_english,
    shortened,
    way_of,
    with_known_ways,
)
from schemas.headings import (
    HUMPS,
    is_earlier,
    is_free_text,
    other_subjects,
    words_of,
)
from schemas.looks import Asks, Look
from schemas.normalise import fold, kept
from schemas.status_headings import (
    MEASURES,
    OF_PIVOTS,
    OF_STATUSES,
    AsksStatus,
    asks_status,
)
from schemas.statuses import Direction
from schemas.word_lists import slips, word_set, word_sets

_TO_WHOM = word_set("delivered handed over returned to")
_OF_RECEIVERS = word_sets(
    "received by, receiver, receiver name, recipient, recipient name, pod name, signed by, "
    "pod signed by, accepted by, relation, relationship, receiver relation, receiver relationship, "
    "relation with receiver, consignee name"
)
_LOOKS = word_set(
    "bound bucket category class classification dir direction dirn doc document flag flow group "
    "grp head identifier indicator journey kind kya lane leg mode movement nature particulars "
    "process product service stream task trip type voucher way"
)

#: Words that may stand beside the fate in a heading such as Is Cancelled, Order Lost (Y/N).
ASKING = word_set(
    "aaya aya been flag gaya h hai has ho hua indicator is it kya mark marked n order orders "
    "maal parcel record row shipment shipments was y yn"
)
#: A no under these says that it was none. Of an OTP it does not: few deliveries have one.
_TRUE_DELIVERIES = word_sets(
    "delivered, valid delivery, genuine delivery, delivery confirmed, delivery verified, "
    "customer received, received by customer, deliver, deliverd, delivred, dlvd, delivery done, "
    "delivery complete, delivery completed, delivery success, delivery successful, success, "
    "successful, recd by customer, recd by cust, mil, mila, mila ya nahi, customer ko mila"
)
_OF_FATES = _TRUE_DELIVERIES | word_sets(
    "undelivered, not delivered, failed, delivery failed, cancelled, canceled, cancel, lost, "
    "lost damaged, lost or damaged, disputed, dispute raised, delivery disputed, fake delivery, "
    "false delivery, invalid delivery, wrong delivery, not received, non receipt, misdelivered, "
    "mis delivered, in transit, customer denied, delivery denied, fake pod, false pod, refused, "
    "customer refused, refused by customer, undel, undeliverd, undelvd, undlvd, cancled, canceld, "
    "cancelld, cancelled by customer, destroyed, disposed, stolen, seized, missing, untraceable, "
    "auctioned, fake, lost damage"
)

#: When nobody has it any more. An attempt that failed has a date, too, and may end well.
_ENDS = word_set("cancel canceled cancellation cancelled lost")
_WHENS = word_set("at date datetime dt of on time timestamp")

#: Questions whether it came back, in other words than those for the ways.
_CAME_BACK = word_sets(
    "came back, received back, sent back, ret, physically received back, inwarded, restocked, "
    "going back, coming back, back to wh, back to warehouse, seller received, seller recd, "
    "received by seller, recd back, rcvd back"
)

#: Only a plain yes counts under these: Partial may be of a payment, a dispute of a weight, Test of
#: goods.
_IN_PART = word_sets(
    "partial, partial delivery, partially delivered, part delivery, short delivery, "
    "short delivered, part, dispute"
)
_NOT_COUNTED = word_sets(
    "void, voided, reverted, test, dummy, do not update, do not upload, delete, deleted, "
    "to be deleted, remove, removed, discard, discarded, ignore, ignored, to be ignored, exclude, "
    "excluded, skip, skipped, do not process, do not send, do not sync, do not consider, "
    "wrong status, status wrong, incorrect status, status mismatch, mismatch, wrong awb, "
    "awb mismatch, superseded, obsolete, provisional, assumed, reopen, reopened, re open, "
    "re opened, hold, on hold"
)

#: Whether a row is to be sent, and its status true: a no under these takes it back.
_COUNTED_IF = word_sets(
    "include, upload, to upload, to be uploaded, send, to be sent, sync, to be updated, "
    "push to fynd, upload to fynd, send to fynd, correct, status correct, correct status, "
    "status match, status matched, final, status confirmed, push, valid"
)

#: Whether somebody looked at the status, and what he found.
_CHECKED = word_sets(
    "audit, check, checked, cross check, cross checked, status check, status ok, status verified, "
    "verified"
)

#: Who cancelled it, and why.
_CANCELLED_SO = word_sets(
    "cancelled by, canceled by, cancel reason, cancellation reason, cancelled reason, "
    "reason for cancellation"
)

#: Filled where the row has another than the true one.
_REPLACED = word_sets("correct awb, actual awb, replaced by")

#: Of these a number says how many pieces the customer did not get whole.
_LACKING = word_set(
    "bal balance canceled cancelled damage damaged damages lost missing pending refused rejected "
    "short shortage shortages undelivered"
)
_SHORT = word_set("short shortage shortages")
_COUNTED = word_set(
    "box boxes count item items no nos number pc pcs piece pieces pkgs qty quantity unit units"
)

#: Kinds of the place where it goes: only the seller's says something.
_OF_DESTINATIONS = word_sets(
    "destination type, drop type, drop location type, delivered at, to, drop to, delivery to, "
    "delivery location, delivered location, going to, moving to, sent to, ship to type, towards, "
    "dest type, final delivery location, handover, handover type, recipient type, receiver type, "
    "consignee type, ship to, shipped to, ship to type, to type, consignee"
)
#: From whom it goes: from the customer on the way back only.
_OF_ORIGINS = word_sets(
    "from, from type, ship from, shipped from, ship from type, picked from, pickup from, "
    "pickup type, origin type, consignor, consignor type, sender, sender type, shipper, "
    "shipper type"
)
_CUSTOMERS_PLACE = (
    r"(?:end )?(?:buyer|consignee|customer)s?(?:'s)?(?: (?:address|home|location|pick ?up))?"
    r"|returns?(?: pick ?up)?"
)
_OWN_WAREHOUSE = r"(?:our|own|central|client|seller|brand) (?:warehouse|wh)|returns? cent(?:er|re)"
_WAREHOUSE = rf"{_OWN_WAREHOUSE}|warehouse|wh"
_ELSEWHERE = r"(?:.* )?(?:branch|courier|dc|franchisee?|hub|transporter)(?: office)?"
_WHERE_NOW = word_sets(
    "currently with, now with, lying at, physical location, physical status, ground status, "
    "actual location, possession, current possession"
)

#: Columns with whole scans, and cells that begin with one and tell of no delivery after it.
_STORIES = word_set("activity checkpoint event history log logs response scan timeline tracking")
_BESIDE_STORIES = word_set("api courier details events last latest scans track update updates")
_STORY = (
    r"[^a-z]*(?:(?:scan|status)\W+)?(?:(?:order|shipment) )?(?:(?:is|has been) )?(?:being )?"
    r"(?:not delivered|out for delivery|rto|return(?:ed|ing)? to|undelivered)\b"
    r"(?:[^d]|d[^e]|de[^l]|del[^i])*(?:d|de|del)?"
)

#: Whether the proof of a delivery was accepted, and whether all is done.
_OF_PROOFS = word_sets(
    "pod verification, pod check, pod audit, pod approval, pod validation, delivery verification"
)
_OF_CLOSING = word_sets("closing status, closure status, shipment closure, final closure")

#: Deliveries that a customer may look at first.
_OPEN_BOXES = word_sets("open box, obd, try buy, tnb, excess short")
_OF_OPEN_BOXES = word_set(
    "and box buy delivery excess n obd open outcome result short status tnb try"
)
_SURE = frozenset({"dir", "direction"})
_OF_SHIPMENTS = word_set("consignment of order parcel shipment type")
_OF_WAYS = _SURE | {"bound", "dirn", "flow", "journey", "leg", "movement", "trip", "way"}
_INWARD = frozenset({"in", "inbound", "inward"})
_OUTWARD = frozenset({"out", "outbound", "outward"})

#: Whose custom it is, not the shipment's way: Return Customer, Returning Buyer.
_OF_CUSTOMERS = re.compile(
    r"(?:is )?return(?:ing|ed)? (?:customer|buyer|user|shopper|visitor|client)s?(?: flag| type)?"
)
_CUSTOMERS = word_set("buyer client customer shopper user visitor")
_KINDS = word_set("bucket category class flag group kind segment tag type")
_COUNTS = frozenset({"no", "number", "num"})

#: Subjects that only a shipment that comes back has anything for.
_FILLED = word_set(
    "ab abw action at aw awb bag cn code consignment date datetime delivered docket dt id "
    "initiated intransit lr lrn no number on pickup pod rcvd reason recd received ref reference "
    "remark remarks requested status time timestamp track tracking type updated waybill wb"
)


@kept
def look_of(heading: str) -> Look | None:
    """Return the evidence to look for under a column's heading, or None."""
    spelled = _BOTH_WAYS.sub(r" \1 ", HUMPS.sub(" ", _with_lost_letter(heading)))
    words = words_of(shortened(with_known_ways(in_english(fold(spelled)))))
    back = words & WAYS_BACK
    if (known := _whom_asked(words) or _way_asked(words)) is not None:
        return known
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
    if (not words & _LOOKS and not both) or words >= {"way", "bill"}:
        return None
    sure = both or bool(words & _SURE)
    letters = both or bool(words & _OF_WAYS)
    pairs = letters or words <= _OF_SHIPMENTS
    fates = _fates_of_kinds(heading)
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


def _fates_of_kinds(heading: str) -> str:
    words = words_of(heading)
    if words <= _OF_ROWS | _OF_WAYS | {"delivery", "task"}:
        partly = "|partial" if words >= {"delivery", "type"} else ""
        return _fates_under(words) + partly
    if words & OF_STATUSES:
        return _OF_TYPES
    return _ITS_OWN if _may_name_ways(heading) and not other_subjects(heading) else ""


#: Of what a row is billed for: the way back where it is that of its charges.
_CHARGES = word_set("bill billing charge charges cost freight rate tariff")
_SORTS = word_set("as category code head heads name sort type")
OF_CARRIER = Look(asks=Asks.PLAIN, carriers=True)
_OF_CARRIERS = word_set(
    "carrier courier lane logistics method mode partner route service shipper transporter vendor "
    "zone"
)


def _way_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column In/Out, and one that says what a row is billed for."""
    if words & _INWARD and words & _OUTWARD and words <= _INWARD | _OUTWARD:
        return Look(asks=Asks.WORDS, pairs=True)
    billed = words & _CHARGES and words & _SORTS and words <= _CHARGES | _SORTS
    return Look(asks=Asks.WORDS) if billed else None


def _whom_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column that says who has a shipment, or how much of it he took."""
    if words in _OF_ORIGINS:
        return Look(asks=Asks.PLAIN, way=Direction.BACK, fates=_CUSTOMERS_PLACE)
    if words in _OF_DESTINATIONS:
        # One beside Home and Office is the place of a customer.
        its_kind = words & {"at", "location", "type"}
        fates = _OWN_WAREHOUSE if its_kind else _WAREHOUSE
        return Look(asks=Asks.WHOM, way=Direction.BACK, fates=fates, names=True)
    if words in _OF_RECEIVERS:
        return Look(asks=Asks.WHOM, names=True)
    if {"to"} < words <= _TO_WHOM:
        fates = rf"{_ELSEWHERE}|{_OWN_WAREHOUSE}" if "delivered" in words else ""
        return Look(asks=Asks.WHOM, fates=fates)
    if words in _WHERE_NOW:
        return Look(asks=Asks.WHOM, fates=rf"{_ELSEWHERE}|(?:.* )?(?:transit|us|warehouse|wh)")
    if words == {"courier", "reply"} or (words <= _BESIDE_STORIES | _STORIES and words & _STORIES):
        return Look(asks=Asks.PLAIN, fates=_STORY)
    if words in _OF_PROOFS:
        return Look(asks=Asks.WHOM, fates="fake|failed|invalid|mismatch(?:ed)?|rejected")
    if words in _OF_CLOSING:
        return Look(asks=Asks.WHOM, fates="not closed|(?:re-?)?open(?:ed)?")
    if words <= _OF_OPEN_BOXES and any(each <= words for each in _OPEN_BOXES):
        return Look(asks=Asks.WHOM, fates="failed|refused|rejected|returned.*|short.*")
    return None


#: Under these a fate is that of the row; under others (NDR Category) of something else or before.
_OF_ROWS = word_set(
    "bucket category claim class exception flag issue label order orders row shipment shipments "
    "tag type"
)
SHIPMENT = r"(?:(?:order|parcel|shipment) )?(?:is |was )?"
_BUT = "(?: but .*)?"
#: Said by the seller, or of a row; under POD or Crates it is these that came back.
_WITH_US = (
    r"(?:came|come|got|received) back(?: .{0,25})?|(?:is |still |lying ){0,3}with (?:seller|us)"
)
#: Of the shipment under any heading; of the others one may be a paper's or an offer's fate.
_ITS_OWN = (
    rf"{SHIPMENT}(?:(?:fake|false) (?:delivery|pod)|lost in transit|non[ -]delivered"
    rf"|not (?:yet )?delivered{_BUT}|undelivered)"
    rf"|{TO_ANOTHER}|line ?haul|(?:hub|origin) to hub|hub delivery"
    "|stock transfer|stn"
    rf"|(?:order|parcel|shipment) (?:is |was )?(?:{_WITH_US})"
)
FOUND_WRONG = (
    rf"{_ITS_OWN}|(?:status )?(?:fake|galat|incorrect|mis ?match(?:ed)?|not (?:correct|ok|true)"
    r"|wrong)(?: (?:delivery|entry|hai|pod|status|update))?"
)
_NOT_THERE = rf"{_ITS_OWN}|{_WITH_US}|{SHIPMENT}(?:fake|lost|not (?:yet )?received{_BUT})"
#: Short for the first of the ways that a parcel goes, where the heading asks for them.
_FIRST_LEG = "1 ?(?:/|of) ?[2-9]"
#: Words and codes of scans under a type or group of statuses, that are none of a delivery.
_OF_CODES = "cn|it|lt|nd|od|pp|pu|rt|ud|undel|undlvd"
_OF_TYPES = rf"{_ITS_OWN}|lost|rt[os] in ?transit|in ?transit|out for delivery|{_OF_CODES}"
_NOT_TAKEN = rf"{_NOT_THERE}|{SHIPMENT}(?:cancell?ed|refused|rejected)"

#: A claim may be refused or cancelled itself, and an exception be of an attempt before.
_OF_CLAIMS = word_set("claim claims complaint complaints customer exception issue ticket tickets")


def _look_of_way(words: frozenset[str], back: frozenset[str]) -> Look:
    """Return the evidence to look for under a heading that names a way. ``back``: its ways back."""
    way = way_of(words - FORWARD_WORDS) or Direction.FORWARD
    if back and back <= _SAID_OF_BOTH and not words & _CUSTOMERS:
        way = Direction.BACK
    subjects = words - back - FORWARD_WORDS - {"is", "flag", "identifier", "indicator", "to"}
    if back and subjects & _FILLED and "flag" not in words:
        return Look(asks=Asks.FILLED, way=way)
    sure = bool(back and words & FORWARD_WORDS)
    bare = bool(back) and "to" not in words and subjects <= ASKING
    if sure and bare:  # Forward/Reverse: only a word for one of them says which
        return Look(asks=Asks.WORDS, sure=True, letters=True, both=True, pairs=True)
    return Look(asks=Asks.YES, way=way, sure=sure, bare=bare)


def _with_lost_letter(heading: str) -> str:
    """Return a heading that asks for a way or fate with the letter that it lost.

    RV Flag, Is RO, Is Revere Shipment, Retrn Tracking No.
    """
    whole = _SHORT_RTO.sub("RTO", _SHORT_RVP.sub("RVP", heading))
    return _ASKED_WORD.sub(lambda found: _SLIPS.get(found[0].casefold(), found[0]), whole)


_ASKED_WORD = re.compile(r"[A-Za-z]{5,10}")
_SLIPS = slips(("cancelled", "return", "returned", "reverse"))


_SHORT_RVP = re.compile(r"(?i)(?<=\bis[ _-])(?:rp|rv|vp)\b|\b(?:rp|rv|vp)(?=[ _-]?flag\b)")
_SHORT_RTO = re.compile(r"(?i)(?<=\bis[ _-])(?:ro|rt|to)\b|\b(?:ro|rt)(?=[ _-]?flag\b)")
_BOTH_ENDS = re.compile(r"(?i)[/&+|,]|\bor\b|\band\b")

RETURNS = frozenset({Direction.RETURN, Direction.BACK})
"""What a heading such as Is Returned asks for."""

#: In headings couriers call what goes back to the seller a return, too.
_SAID_OF_BOTH = word_set("return returned returns ret")
_BOTH_WAYS = re.compile(
    r"(?i)[(\[]\s*((?:f|fwd|forward)\s*[/|,&-]\s*(?:r|rev|reverse|return|rto|rvp))\s*[)\]]"
)


#: Beside a way back, what only a shipment has that went it, where others have none.
_ONLY_OF_BACK = word_set("ageing aging attempts courier days edd grn inscan inscanned scan scanned")
_NOT_PARTLY = _FILLED | word_set(
    "allowed eligible label max maximum policy returnable tat window within"
)
_FIRST = word_set("forward fwd frwd orig original ref")
_OF_AWBS = word_set("awb docket lrn tracking waybill")


def _is_of_way_out(words: frozenset[str]) -> bool:
    """Return whether a column has the AWBs of the way out, of shipments that go back: Original AWB.

    A date at which the seller received it is filled for these alone, too, and so is an RMA.
    """
    if words & _OF_AWBS and words & _FIRST:
        return words <= _OF_AWBS | _FIRST | _COUNTED | {"id"}
    return words in _SELLERS_DATES


_SELLERS_DATES = word_sets("seller received date, received by seller date, cir id")


def _fate_asked(words: frozenset[str]) -> Look | None:
    """Return how to read a column that asks whether a shipment did not arrive, or came back."""
    asked = words - ASKING
    if asked in _OF_FATES:
        asks = Asks.NO if asked in _TRUE_DELIVERIES else Asks.YES
        dated = asked == {"undelivered"}
        return Look(asks=asks, way=Direction.UNDELIVERED, bare=asks is Asks.YES, dated=dated)
    if asked & _ENDS and asked & _WHENS and asked <= _ENDS | _WHENS:
        return Look(asks=Asks.FILLED, way=Direction.UNDELIVERED)
    lacking = asked & _LACKING
    if asked - lacking <= _COUNTED and (lacking and (asked & _COUNTED or lacking & _SHORT)):
        return Look(asks=Asks.YES, way=Direction.UNDELIVERED, bare=True)
    if asked in _ASKED_SO:
        return _ASKED_SO[asked]
    if "back" in asked and asked - _WHENS in _CAME_BACK:  # Received Back Date
        return Look(asks=Asks.FILLED, way=Direction.BACK)
    ruled = words & _SAID_OF_BOTH and words & {"courier", "days", "edd"}  # of a later return
    only_back = words & WAYS_BACK and words & _ONLY_OF_BACK and not (words & _NOT_PARTLY or ruled)
    if only_back or _is_of_way_out(words):
        return Look(asks=Asks.FILLED, way=Direction.BACK, partly=True)
    return None


_RMA = word_sets("rma, rma no, rma number, rma id")
#: A refund has many a reason, and an exchange follows a delivery; a file of them alone is one of
#: returns.
_REFUNDS = word_sets("refund date, refunded on, exchange id, exchange order id") | {
    word_set(f"{of} {number}")
    for of in ("refund", "refund txn", "refund transaction", "credit note")
    for number in ("id", "no", "number", "ref", "reference")
}
_ASKED_SO = {
    words: look
    for headings, look in (
        (_IN_PART, Look(asks=Asks.YES, way=Direction.UNDELIVERED)),
        (_NOT_COUNTED, Look(asks=Asks.YES, way=Direction.WITHDRAWN)),
        (_COUNTED_IF, Look(asks=Asks.NO, way=Direction.WITHDRAWN)),
        (_CAME_BACK, Look(asks=Asks.YES, way=Direction.BACK, bare=True)),
        (_CHECKED, Look(asks=Asks.PLAIN, way=Direction.WITHDRAWN, fates=FOUND_WRONG)),
        (_CANCELLED_SO, Look(asks=Asks.FILLED, way=Direction.UNDELIVERED, partly=True)),
        (_REPLACED, Look(asks=Asks.FILLED, way=Direction.WITHDRAWN, partly=True)),
        (_RMA, Look(asks=Asks.FILLED, way=Direction.BACK)),
        (_REFUNDS, Look(asks=Asks.FILLED, way=Direction.BACK, wholly=True)),
    )
    for words in headings
}
OF_RETURN = Look(asks=Asks.FILLED, way=Direction.RETURN)
_AT_CUSTOMER = word_set("address city customer date drop name pickup pincode warehouse wh")


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


@kept
def plain_look(heading: str) -> Look | None:
    """Return how to read a column for plain words for a way back or a fate, or None."""
    if (words := words_of(heading)) & _OF_FILES and words <= _OF_FILES | _BESIDE_FILES:
        return Look(asks=Asks.PLAIN, files=True, partly=True)
    if words & _OF_STOCK and words & OF_STATUSES:
        return Look(asks=Asks.PLAIN, way=Direction.BACK, fates=_RESTOCKED)
    if not _may_name_ways(heading):
        return None
    others = other_subjects(heading)
    if words & _OF_CARRIERS:
        return OF_CARRIER
    if (
        not others <= _OF_CLAIMS | {"seller"}
        or (words & OF_STATUSES and not words & _OF_CLAIMS)
        or _OF_A_DAY.fullmatch(fold(heading))
    ):
        of_shipment = asks_status(heading) in {AsksStatus.ANY, AsksStatus.WORDS}
        return Look(asks=Asks.PLAIN, fates=_OF_CODES if of_shipment else "")
    known = words & (_OF_ROWS | _OF_CLAIMS | _OF_SORTS)
    own = rf"{_ITS_OWN}|{_WITH_US}" if "seller" in words else _ITS_OWN
    return Look(asks=Asks.PLAIN, fates=_fates_under(words) if known else own)


_OF_STOCK = word_set("inventory stock warehouse wh")
_RESTOCKED = (
    rf"{_WITH_US}|(?:rto |return )?(?:recd|rcvd) back|return (?:recd|received)|restocked|returned"
    "|back in stock"
)
_OF_FILES = word_set("file filename sheet sheetname tab workbook worksheet")
_BESIDE_FILES = word_set("data from name of original source")
_OF_SORTS = word_set("alert disposition marking outcome position result segment stage tags")
_OF_A_DAY = re.compile(r"d(?:ay)?[- ]?\d+|last(?: exception)?|next .*")


def _fates_under(words: frozenset[str]) -> str:
    return _NOT_THERE if words & _OF_CLAIMS else _NOT_TAKEN


def _may_name_ways(heading: str) -> bool:
    """Return whether a plain word for a way back says where a row went, under any such heading."""
    words = words_of(heading)
    passed = words & (_NO_WAYS | MEASURES | _SAID_BEFORE) or words in OF_PIVOTS
    others = other_subjects(heading) - _OF_CLAIMS
    of_another = bool(words & OF_STATUSES and others)  # Payment Status
    return not (passed or of_another or is_earlier(heading) or is_free_text(heading))


_NO_WAYS = HARMLESS - {"warehouse", "zone"} | {"brand", "brands"}

#: What is done about a parcel on its way, of which the end may be another.
_SAID_BEFORE = word_set("action agent attempt call dispatch failure ivr mile ndr request try")


def is_of_customers(heading: str) -> bool:
    """Return whether a column is, by its heading, of kinds of customers: Customer Type."""
    words = words_of(heading)
    return bool(words & _CUSTOMERS) and bool(words & _KINDS) and words <= _CUSTOMERS | _KINDS


def is_of_returns(headings: Iterable[str]) -> bool:
    """Return whether the headings of a table are those of returns: Return ID, return_action."""
    looks = (look_of(heading) for heading in headings)
    filled = [look for look in looks if look is not None and look.asks is Asks.FILLED]
    return sum(look.way in RETURNS for look in filled) > 1
