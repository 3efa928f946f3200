"""Cells that say which way a shipment went, by the look that their heading asks for."""

import re

from schemas.direction_headings import FOUND_WRONG, SHIPMENT, look_of, plain_look
from schemas.directions import (
    DAMAGED,
    FAILED_WORDS,
    FILLERS,
    FORWARD_WORDS,
    IN_PART,
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
    is_crossed,
    may_hide_words,
    shortened,
    speaks_against,
    way_named,
    way_of_file,
    without_ticks,
    words_apart,
    words_in,
    words_like,
)
from schemas.looks import Asks, Look
from schemas.normalise import FALSE_WORDS, TRUE_WORDS, fold, is_absent, is_lost
from schemas.statuses import Direction
from schemas.vocabulary import Milestone
from schemas.word_lists import word_set

#: Words beside the seller where a person's name is asked: Merchant is a family's name, too.
_BESIDE_SELLERS = word_set(
    "address at back by center centre dc dept desk facility fynd godown guard hub point received "
    "return returned returns same security self staff store team the to warehouse wh"
)

#: Words for the shipment itself: beside goods and services, return and reverse mean other things.
_SURELY_BACK = RTO_WORDS | word_set("dto lautaya returned reversed rvp rvs vapas wapas wapsi")

#: In place of a receiver's name: Refused, Not delivered, NA - returned.
_NOBODY = word_set("canceled cancelled failed lost refused rejected returned undelivered")
_WITH_SELLERS = SELLERS | RTO_WORDS | {"vendor"}
_BESIDE_NOBODY = word_set(
    "accepted by consignee customer cx delivered delivery na not order received the to"
)
_CHANCES = word_set(
    "charge charges cost eligible fee free high insurance insured likely low medium policy "
    "prediction probability prone protected protection rate risk safe score zero"
)
_BESIDE_RETURN = (
    FAILED_WORDS
    | FILLERS
    | word_set(
        "aaya accepted approved at aya back closed complete completed created delivered done "
        "exchange for hua hub in invoice memo note ofd ofp out pending picked processed processing "
        "qc raised reached received refund refunded replacement request requested scheduled to "
        "transit under warehouse"
    )
)

#: Under Delivered? these are a no.
_NOT_YET = re.compile(r"(?:attempted|awaited|hold|in transit|on hold|partly|pending|tomorrow)\b")

_NO_SAID = word_set("false galat incorrect invalid mismatch n nahi nahin no nope not wrong")

#: First words of a cell that says yes or no, whatever comes behind.
_YES = word_set("haan han true y yes")
_TRUE = TRUE_WORDS | {"done", "ha", "haan", "han"}
_NO = word_set("false n na nahi nahin never nil no non none nope not null without")
_NATIVE_NO = word_set(fold("नहीं नही नाही இல்லை లేదు ಇಲ್ಲ না ના ഇല്ല ਨਹੀਂ ନାହିଁ نہیں 否 不"))
_NOT_DONE = re.compile(
    r"\bnot (?:yet )?(?:applicable|cancelled|created|done|initiated|lost|marked|raised|required"
    r"|returned|rto|yet)$"
)
_USUAL = word_set("normal original outbound outward regular sale sales standard")

#: Whether and when one may return it: 7 days return.
_MAY_RETURN = word_set("allowed day days eligible policy returnable window")
_POLICY = _MAY_RETURN | word_set("easy exchange free only replacement return returns within")
_DATE = re.compile(r"\d{1,4}[ /](?:\d{1,2}|[a-z]{3,9})[ /]\d{2,4}\b")
_EMPTY_DATES = re.compile(
    r"0{2,4}[-/.]?0{2}[-/.]?0{2,4}.*|(?:0?1[-/]){2}(?:0001|19[07]0).*"
    r"|(?:0001|1970)[-/]01[-/]01.*|1900[-/]01[-/]0[01].*|(?:00?[-/]0?1|0?1[-/]00?)[-/]1900.*"
)

#: Words that mean a way back under any heading: RTS may be ready to ship, and return a rule.
_PLAINLY_BACK = word_set(
    "b2o dto lautaya r2o r2s reverse reversed rto rtod rts rvp rvs vaapas vapas vapasi vapsi wapas "
    "wapsi"
)

#: Arrows, folded, in a column of ways.
_LEFTWARD = word_set("← ⇐ ⟵ ⬅ ◀ ◄ < << <=")

#: Boxes that are ticked, or a no; in a column RTO an R may be a yes.
_MARKS = frozenset({"x", "☒", "☓", "●", "•", "*", "r"})

#: In the name of a company its trade is no way: Reverse Logistics Pvt Ltd.
_OF_COMPANIES = word_set("co company corp inc limited llc llp ltd private pvt")


def claim_of(cell: str, look: Look) -> Direction | None:
    """Return the direction that a cell says, None if it says nothing about it."""
    if DAMAGED in cell:
        hides = _hides_a_word(cell, look)
        if hides or _claimed(cell.replace(DAMAGED, ""), look) is not None:
            return Direction.UNREADABLE
        return None
    if look.asks in {Asks.YES, Asks.NO} and (fold(cell) in _MARKS or is_lost(cell)):
        return Direction.UNREADABLE
    if hides_a_known(cell) and direction_of(fold(cell)) is None:
        return Direction.UNREADABLE
    if is_crossed(cell) and (look.asks is Asks.NOTES or look.fates == FOUND_WRONG):
        return look.way or Direction.UNDELIVERED
    if look.carriers and _comes_back_by(fold(cell)):
        return Direction.BACK
    if look.files:
        return None if way_of_file(cell) in {None, Direction.FORWARD} else Direction.BACK
    said = _claimed(cell, look)
    if said is None and look.asks in _OF_FIELDS:
        said = _said_in_fields(cell)
    if said is None and _MAY_BE_GLUED.search(cell) and (apart := words_apart(cell)) != cell:
        return _claimed(apart, look)  # ReverseShipment, RTO1
    return said


_OF_FIELDS = frozenset({Asks.NOTES, Asks.PLAIN, Asks.WORDS})


def _said_in_fields(cell: str) -> Direction | None:
    """Return what a field of a text in JSON, XML or the like says: {"rto":true}, RTO: Yes."""
    for name, value in _FIELD.findall(cell):
        look = look_of(name) or plain_look(name)
        said = look and claim_of(value, look)
        if said and said is not Direction.FORWARD:
            return said
    return None


_FIELD = re.compile(r"""\b([A-Za-z]\w{1,30})["']?\s?[:=>]\s?["']?([A-Za-z0-9][\w /-]{0,40})""")
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
            or first in _NO_SAID
            or (look.way is Direction.UNDELIVERED and _NOT_YET.match(folded))
            else None
        )
    if said is not None:
        # Returned may have come from the customer or not, and so may Return under RTS Status.
        of_rto = folded == "returned" or (look.way is Direction.RTO and folded == "return")
        return Direction.BACK if of_rto else said
    if look.asks is Asks.YES and (folded in _TRUE or (look.bare and first in _YES)):
        return look.way
    if _is_fate(folded, look):
        return Direction.UNDELIVERED
    if look.asks is Asks.WORDS or look.way is Direction.FORWARD:
        return Direction.BACK if _comes_back(folded) else None
    if _is_no(folded, look) and not (look.bare and NOT_DELIVERED.search(folded)):
        return None
    return filled_way(look) if look.bare or look.asks is Asks.FILLED else None


def _hides_a_word(cell: str, look: Look) -> bool:
    """Return whether a damaged cell may be a word that speaks; a name or a place is none."""
    if look.asks is Asks.WHOM:
        words = fold(cell).split()
        return hides_a_known(cell) or bool(words_like(words, SELLERS | _NOBODY | {"not", "to"}))
    return hides_a_known(cell) if look.asks in {Asks.WORDS, Asks.PLAIN} else may_hide_words(cell)


def may_speak(look: Look) -> str:
    """Return an expression that each cell with a claim matches, "" where any cell may have one."""
    if look.asks is Asks.NOTES:
        return r"[A-Za-z]|[^\x00-\x7f]"
    if look.wholly:
        return r"\d"  # Pending is no number of a refund
    if look.asks is Asks.REMARKS:
        sellers = "|".join(sorted(SELLERS | {"vendor", "warehouse"}))
        at_sellers = rf"(?:back|delivered|handed|return).{{0,30}}\b(?:{sellers})"
        return rf"(?i)^\W*(?:{at_sellers}|{_NOT_SENT}|{_REMARKED})\W*$"
    if look.asks is Asks.PLAIN:
        if look.files:
            return r"(?i)r\W?(?:t\W?[ovs]|et|ev|v)|dto|crn|ba?ck|aap|ap[ai]s|to |[^\x00-\x7f]"
        if look.carriers:
            return r"(?i)\br|dto|crn|ba?ck|aap|ap[ai]s|laut|to |2|[^\x00-\x7f]"
        ways = r"\br\W?[tv]\W?[op]|\br[tv]s|\brevers|\bdto|\bto (?:the )?[cmos]|[^\x00-\x7f]"
        ways += r"|^\s*[{<]|\b[br]2[os]\b|[vw]a+pa?s|lautaya|\bna?hin?\b|\braddu?\b|\bcancel [a-z]"
        return rf"(?i){ways}|^\s*(?:{look.fates})\W*$" if look.fates else rf"(?i){ways}"
    said = "|".join(sorted(_WITH_SELLERS | _NOBODY | {"given", "not", "over to", "red to"}))
    said += rf"|^\s*(?:{look.fates})\W*$" if look.fates else ""
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
    """Return whether a cell says that a shipment did not go the way of its heading."""
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
    words, meant = words_in(folded), _WITH_SELLERS
    if _is_fate(folded, look):
        return look.way or Direction.UNDELIVERED
    if NOT_DELIVERED.search(folded):
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
        return look.way or Direction.UNDELIVERED
    if not words_in(in_plain_words(folded)) & _PLAINLY_BACK or direction_of(folded) is None:
        return None
    return Direction.BACK


def _is_fate(folded: str, look: Look) -> bool:
    said = bool(look.fates) and re.fullmatch(rf"(?:{look.fates})\W*", folded) is not None
    return said and "resolved" not in folded


def _comes_back(folded: str) -> bool:
    """Return whether a short cell says among other words that a shipment comes back."""
    words = words_in(shortened(folded))
    if words & (NEGATIONS | _CHANCES | FORWARD_WORDS) or len(folded.split()) > SHORT_TEXT:
        return False
    others = words - WAYS_BACK
    return bool(words & _SURELY_BACK) or (others != words and others <= _BESIDE_RETURN)


def _comes_back_by(folded: str) -> bool:
    """Return whether the name of a courier's account or service is that of a way back."""
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

    *Undelivered* and *Refused* may be the remark on an attempt before, and longer texts that
    mention a return of anything.
    """
    if shortened(folded).strip(" !*()") in _AT_SELLERS:
        return Direction.BACK
    if re.fullmatch(rf"\W*(?:{_NOT_SENT})\W*", folded):
        return Direction.WITHDRAWN
    return Direction.UNDELIVERED if re.fullmatch(rf"\W*(?:{_REMARKED})\W*", folded) else None


_NOT_SENT = (
    "(?:please |pls )?(?:ignore|(?:do not|don'?t) (?:mark(?: as)? delivered|process|push|sync"
    "|update|upload))"
)
_REMARKED = (
    rf"{SHIPMENT}(?:cancell?ed(?: by customer)?|lost(?: in transit)?"
    r"|not (?:yet )?delivered(?: to customer)?"
    r"|not (?:yet )?received(?: by (?:customer|consignee))?)"
    r"|(?:cust(?:omer)? (?:claims |says )?)?non[- ]receipt|parcel nahin? mil[ai]"
    r"|wrongly (?:marked )?(?:as )?delivered|(?:marked (?:as )?)?delivered by mistake"
    r"|cust(?:omer)? (?:(?:complain(?:s|ed)|says|said) )?(?:not received"
    r"|(?:has|did) not receive[d]?(?: (?:it|(?:the |his |her )?(?:order|parcel|shipment)))?)"
    r"|(?:fake|false|galat|wrong(?:ly)?) (?:delivered|delivery|pod|status|updated?)"
    r"|rto delivered(?: to seller)?|galti se delivered|fake"
    r"|(?:(?:actual(?:ly)?|it is|this is|ye) )+rto|(?:ye )?rto (?:hai|ho ga[iy][ai]?)(?: ye)?"
    r"|(?:(?:maal|parcel|shipment) )?wapas (?:aa|ho) ?(?:ga[iy][ai]?|ya)"
    r"|(?:(?:pls|please|kindly) )?(?:change|consider|mark|treat|update)(?: it)?(?: as| to)? "
    r"(?:rt[os]|return(?:ed)?|undelivered)"
    r"|cust(?:omer)? (?:denies|denied) (?:the )?delivery|wrong entry(?: ignore)?"
    rf"|(?:entry|status) (?:is )?(?:galat|wrong)(?: hai)?|{TO_ANOTHER}|{IN_PART}"
)


_AT_SELLERS = frozenset({"rto", "rto warehouse"})

_READ = {
    Asks.WHOM: _handed_over,
    Asks.NOTES: _noted,
    Asks.PLAIN: _plainly_said,
    Asks.REMARKS: _remarked,
}


def is_open(cell: str, look: Look) -> bool:
    """Return whether a cell without a claim in a column that is a direction leaves it open."""
    folded = fold(cell)
    if is_lost(cell):
        return True
    if is_absent(folded) or not WORD.search(folded):
        return False
    no = folded in FALSE_WORDS or bool(words_in(folded) & NEGATIONS)
    return look.asks is Asks.WORDS or not no
