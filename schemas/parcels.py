"""Tell the parcels of an order apart, and read the words about one of them.

An order may travel in several parcels, each with an AWB of its own. A final status is the order's
only when each of them has come to it.
"""

import re
from collections.abc import Sequence
from enum import IntEnum

from schemas.codes import Code
from schemas.directions import RTO_WORDS, speaks_against, way_named
from schemas.headings import words_of
from schemas.limits import EXACT_DIGITS
from schemas.normalise import ABSENT, TRUE_WORDS, fold, fold_header
from schemas.statuses import Direction, Doubt, StatusCase, StatusMeaning
from schemas.vocabulary import STEPS, Journey, Milestone, Role
from schemas.word_lists import word_set, word_sets

ANY, ALL = "any", "all"
"""Values of a profile's ``parcels``: a final status holds for the order when any of its parcels
has it, or (the default) when all have."""


class BlockReason(IntEnum):
    """Why a row of a rejects file that came back had been held, by rows that are not in it."""

    FREE = 0
    PARCELS = 1
    TAKEN_BACK = 2
    UNCLEAR = 3  # by a tab, a title or other rows, which are not there any more
    MOVED = 4  # it was not: its cells stand under other headings than in its own file


BLOCKED_AS = {
    BlockReason.PARCELS: f"{Code.PARCELS_OPEN}:{Role.AWB}",
    BlockReason.TAKEN_BACK: f"{Code.STATUS_CONFLICT}:{Role.EVENT_TIME}",
}
"""How a rejects file says so: while that stands there, a final status is not sent."""

CONFIRMED = "CONFIRMED"
"""A person's word under ``_reject_codes``: the row's status is true of the whole order."""

CONFIRMED_CELL = rf"(?i)(?:^|;)\s*{CONFIRMED}\s*(?:;|$)"
"""A cell of codes in which it stands, among others or alone."""

TO_CONFIRM = f"on the page, or write {CONFIRMED} under _reject_codes and upload the row again"
"""The end of each sentence that asks for that word, after "tick the row"."""


def is_confirmed(codes: str) -> bool:
    """Return whether a person's word stands in a cell of codes."""
    return re.search(CONFIRMED_CELL, codes) is not None


class Said(IntEnum):
    """The word of a row on its parcel that is remembered for later files."""

    NOTHING = 0  # it is not known to be under way: not picked up yet, on paper, a return, unclear
    ON_ITS_WAY = 1
    ON_ITS_WAY_BACK = 2  # to the seller
    CANCELLED = 3
    ENDED = 4  # its row has a final status
    RETURNING = 5  # from the customer, or on a way back of which kind is not told
    MAYBE_BACK = 6  # its row was not understood, or its file refused, and it names a way back
    DENIED = 7  # its row says delivered, and was rejected: something says that no customer has it
    UNDELIVERED = 8  # its row was rejected, and its own status says so: Undeliverd
    ON_ITS_WAY_AGAIN = 9  # to the customer: its RTO was called off
    NOT_PICKED = 10  # at the seller: the pickup failed or was called off
    NOT_RETURNED = 11  # nor at the customer
    AT_A_HUB = 12  # to the customer, by a scan of a hub, which may be booked hours late
    UNCLEAR = 13  # its row says delivered, and was rejected: another column says otherwise


UNHEARD = frozenset({Said.MAYBE_BACK, Said.DENIED, Said.UNDELIVERED})
"""Words of rows that were not accepted, their numbers in a row; they hold until it is corrected."""


_WORD = re.compile(r"[a-z0-9]+")

AWB_LENGTH = 64
"""Characters of an AWB that tell it from others; the ledger keeps no more."""

AROUND_AN_ID = " \t\r\n'\"`=\u00a0"
"""Characters that may stand around an AWB or item id and are no part of it."""

AWB_SHAPE = rf"^[{AROUND_AN_ID}]*[A-Za-z/_-]*[0-9][A-Za-z0-9/_-]{{2,}}[{AROUND_AN_ID}]*$"
"""A cell that may be an AWB, if it is no date."""

LIKE_AN_AWB = r"^[^A-Za-z]*$|(?:[0-9][^0-9]*){5}"
"""A number, or letters with as many digits as couriers' AWBs have at least. SKU-001, as it stands
under a heading that was moved, has fewer."""

PIN_CODE = r"^[1-9][0-9]{5}$"
"""An Indian PIN code; it stands under the heading of a second AWB where headings were exchanged."""

WITH_COUNTRY = r"^\+[0-9]"
MOBILE = r"^(?:0|91)?[6-9][0-9]{9}$"
"""A phone number with the sign of its country, and an Indian mobile as it stands beside such."""

DAY = r"^[0-9]{1,4}[/-](?:[0-9]{1,2}|[A-Za-z]{3,9})[/-][0-9]{1,4}$"
"""A date alone, as a cell beside an AWB may hold it."""

BACK_IN_ID = r"(?i)(?:^|[-_/ ])(?:dto|return|reverse|rto|rvp)[0-9]?(?:[-_/ ]|$)"
"""An order id or AWB of a shipment that comes back, as couriers and shops mark them."""

SHORT_IN_ID = r"(?i)[-_/ ](?:ret|rev|rtn)[0-9]?$|^(?:ret|rev|rtn)[-_/ ][a-z]+[0-9]"
"""Marks that say so only where other ids of the sheet are without them."""

WAY_OF_ACCOUNT = r"(?:[-_/ ](?i:dto|reverse|rto|rvp)|[a-z](?:DTO|RTO|Rto|RVP|Rvp|Reverse))\s*$"
"""The end of the name of an account or client for one way: ACME-RTO, FyndRvp."""

WORD_IN_ID = "(?i)dto|ret|rev|rtn|rto|rvp"
"""Ids without such a part have neither of the two."""

NO_ID = rf"^(?:[0\-.,/ ]*|{'|'.join(re.escape(word) for word in sorted(ABSENT))})$"
"""A cell, in small letters, that holds no such id."""

#: Headings, folded and without spaces, of what tells the parcels or items of an order apart where
#: there is no AWB; the ones that tell parcels first.
_HEADINGS = (
    *(
        f"{what}{number}"
        for what in (
            *("tracking", "docket", "consignment", "airwaybill", "lr", "cnote", "cn"),
            *("track", "gr", "pod", "article", "forwarding"),
        )
        for number in ("id", "no", "number", "code", "ref", "reference")
    ),
    *(
        f"{what}{way}{number}"
        for what in (
            *("", "forward", "courier", "child", "main", "master", "mpschild", "mps", "slave"),
            *("sub", "secondary", "parcel", "package", "piece", "box"),
        )
        for way in ("awb", "waybill", "hawb", "airwaybill")
        for number in ("", "no", "number", "code")
    ),
    *("awb/tracking", "awb/trackingno", "awb/lr", "awb/lrno", "lr/awbno", "docket/awbno"),
    *("docket", "consignment", "cnote", "lr", "tracking", "awb/trackingid", "srshipmentid"),
    *("logisticsid", "courierref", "courierrefno", "courierreference", "trackinglink"),
    *("trackingurl", "deliverychallan", "deliverychallanno"),
    *(
        f"{what}{number}"
        for what in (
            *("parcel", "package", "shippingpackage", "shipment", "subshipment", "box", "carton"),
            *("piece", "fulfilment", "fulfillment", "delivery", "mpschild", "child"),
        )
        for number in ("id", "no", "number", "code", "ref", "reference")
    ),
    *(
        f"{what}{number}"
        for what in (
            "orderitem", "saleorderitem", "suborder", "orderline", "lineitem", "orderlineitem",
            "item", "line", "channelorderitem", "product",
        )
        for number in ("id", "no", "number", "code")
    ),
    "packetno", "packetid", "packet", "carton", "box",
    "parcel", "package", "lineitem", "item",
    "suborder", "sellersku", "itemsku", "productsku", "skuid", "skucode", "sku", "asin", "fsn",
    "ean", "barcode", "productname", "producttitle", "itemname", "product", "article",
    *("variant", "variantid", "variantname", "colour", "color"),
)  # fmt: skip

_ITEMS = frozenset(_HEADINGS[_HEADINGS.index("orderitemid") :])

#: Words of a heading of the boxes that travel under one AWB; and such as mean one only where a
#: cell numbers it among all: Part, 1 of 2.
_PIECES = word_set(
    "bori box bundle carton cartoon child ctn lpn nag packet package parcel parsal pc piece pkg "
    "pkt slave"
)
_MAYBE_PIECES = word_set(
    "boxes cartons fulfillment fulfilment packages packets part pcs pieces pkgs secondary "
    "shipment split sub"
)
_BESIDE_PIECES = word_set("awb code count id mps name no num number of order waybill")

_DAMAGED = re.compile(r"[0-9]+(?:[.,][0-9]+)?e\+?[0-9]+|#{2,}|#(?!n/?a)[a-z0-9/_]+[!?]?|\*{2,}")
_LONG_NUMBER = re.compile(rf"[1-9][0-9]{{{EXACT_DIGITS - 1}}}([0-9]+)")

_RETURNING = frozenset({Direction.RETURN, Direction.MAYBE_RETURN, Direction.BACK})
_WAYS_BACK = frozenset({Direction.RTO, Direction.RETURN, Direction.BACK})
_CANCELLED = frozenset({"cancelled", "canceled", "cancel", "cncl", "cancld"})
_BESIDE_CANCELLED = word_set(
    "order shipment awb parcel package item is has been by seller merchant customer client buyer "
    "before dispatch shipping the on request self auto system"
)
#: Words of what still happens to a parcel, on paper, when it has come to its end.
_ON_PAPER = word_set(
    "pod epod cod remitted remittance paid payment invoice invoiced billed closed archived "
    "completed complete feedback rating settled reconciled signature weight acknowledged"
)
#: Words of what only a parcel that was picked up can be; a number or a code says too little.
_MOVING = word_set(
    "transit intransit ofd undelivered delivery delivered ndr reached arrived departed dispatched "
    "hub destination shipped connected bagged rto rts lost damaged misrouted reattempt attempt"
)
#: Words of the scan of a hub on the way: nobody tried to deliver it.
_AT_HUBS = word_set("arrived bagged connected departed destination hub intransit reached transit")
_BESIDE_HUBS = word_set("at bag center centre city dc facility from in origin received scan the to")
#: Words beside RTO of a parcel that goes on to the customer after all.
_REVOKED = frozenset({"cancelled", "canceled", "revoked", "revoke", "withdrawn", "declined"})
_CALLED_OFF = _REVOKED | {"rejected", "refused"}
#: Types of scans on the way back, where couriers write one beside the status or before it.
_TYPES_BACK = frozenset({"rt", "rto", "rts"})
_NOT_MOVING = word_set("pickup pick pickups manifested manifest awaiting ready scheduled")
_NO_PICKUP = re.compile(
    r"\b(?:not (?:(?:been|yet) )*pick(?:ed|up)?"
    r"|(?:pick ?up|picked|pick|return|rvp|reverse|rev)s? (?:(?:attempt|has|is|order|request|was) )*"
    r"(?:(?:been|not) )*(?:cance\w*ed|cancel|cncl|fail\w*|unsuccessful"
    r"|(?<=not )(?:done|picked|successful))"
    r"|(?:cancel\w*|fail\w*|unsuccessful|not) (?:(?:attempt|of|return|reverse|to) )*"
    r"(?:pick ?up|pick|return|rvp|reverse|rev)s?(?! (?:initiated|to)\b))\b"
)
#: A customer who has not picked a parcel, or a call, up; or a parcel on its way.
_NOT_AT_SELLER = word_set(
    "attempted buyer call calling calls consignee customer delivered delivery hub mobile ndr ofd "
    "origin phone receiver ringing rto rts undelivered"
)
_FAILED = frozenset({"attempt", "attempted", "ndr", "reattempt", "ud", "undelivered"})
_NOT_DELIVERED = word_set(
    "not un non never to be partially partial failed fail attempt attempted cannot could wrongly "
    "wrong mistake fake false reversed rto rts origin seller returned return"
)


def parcel_heading(headings: tuple[str, ...], taken: set[int]) -> int | None:
    """Return the column, none of ``taken``, that tells parcels or items apart, or None."""
    folded = [fold_header(heading).replace("#", "no").replace(" ", "") for heading in headings]
    places = {name: at for at, name in reversed(list(enumerate(folded))) if at not in taken}
    return next((places[name] for name in _HEADINGS if name in places), None)


def piece_heading(headings: Sequence[str], taken: set[int]) -> tuple[int, bool] | None:
    """Return the column, none of ``taken``, that tells the boxes of one AWB apart, or None.

    And whether every cell of it does, or only one that numbers its box among all (``boxes_in``).
    """
    found = []
    for at, heading in enumerate(headings):
        words = {word for word in words_of(heading) if not word.isdigit()}
        known = _PIECES | _MAYBE_PIECES | _BESIDE_PIECES
        if at not in taken and words <= known and words & (_PIECES | _MAYBE_PIECES):
            surely = bool(words & _PIECES) and not words & {"count", "name", "of"}
            found.append((not surely, at))
    unsure, first = min(found, default=(False, -1))
    return None if first < 0 else (first, not unsure)


def split_heading(headings: Sequence[str], taken: set[int]) -> int | None:
    """Return the column, none of ``taken``, that tells whether an order was split, or None."""
    words = [words_of(heading) for heading in headings]
    return next(
        (
            at
            for at, said in enumerate(words)
            if at not in taken and said & _SPLIT and said <= _OF_SPLITS
        ),
        None,
    )


_SPLIT = word_set("mps multi multiple split")
_OF_SPLITS = _SPLIT | word_set("awb box flag is n order orders piece shipment shipments type y yn")
_OF_SEVERAL = _SPLIT | TRUE_WORDS | {"child", "master"}


def is_of_several(cell: str, heading: str) -> bool:
    """Return whether a cell under such a heading says that an order has more parcels.

    1 is a yes under Is MPS, and one box under MPS.
    """
    folded = fold(cell)
    counts = folded.startswith("1") and not words_of(heading) & {"flag", "is", "split"}
    return folded in _OF_SEVERAL and not counts


_NUMBERED_BOX = re.compile(r"(?:[a-z]+ ?)?([0-9]{1,3}) ?(?:/|of|out of) ?([0-9]{1,3})")
NUMBERED = r"(?i)^(?:[a-z]+ ?)?[0-9]{1,3} ?(?:/|of|out of) ?[0-9]{1,3}$|[a-z0-9][-_/][0-9]{1,2}$"
"""A cell that numbers a box among all, or a part of a shipment: 1 of 2, FYA1-2."""


def boxes_in(cell: str, heading: str = "") -> int:
    """Return of how many boxes a cell numbers one: 2 of Box 1 of 2, 1/2. 0 where it does not.

    Under a heading of several (Pieces, Boxes) 2/2 are all of them.
    """
    found = _NUMBERED_BOX.fullmatch(fold(cell))
    if not found or not 0 < int(found[1]) <= int(found[2]):
        return 0
    several_named = any(word.endswith("s") for word in words_of(heading))
    return 0 if several_named and int(found[1]) == int(found[2]) else int(found[2])


#: Words for the same things: the pieces of a shipment, and the goods in it.
_COUNTED = (
    word_set(
        "articles awbs box boxes carton cartons child ctn mps nag package packages parcel parcels "
        "pc pcs piece pieces pkg pkgs pkt pkts"
    ),
    word_set("item items qty quantity unit units"),
)
_BESIDE_COUNTED = word_set("count no nos number num of total")
_ORDERED = word_set("ord order ordered")
_SENT = word_set("dispatched sent shipped")
_IN_ALL = _ORDERED | _SENT | {"booked", "invoice", "invoiced"}
_DELIVERED = word_set("accepted del delivered dlv dlvd fulfilled pod recd received")


def counts_delivered(headings: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of columns: how many pieces of a row were delivered, and how many there are."""
    words = [words_of(heading) for heading in headings]
    found = []
    for counted in _COUNTED:
        own = counted | _BESIDE_COUNTED
        named = [(at, said) for at, said in enumerate(words) if said & counted]
        every = [at for at, said in named if said <= own | _IN_ALL]
        every.sort(key=lambda at: bool(_ORDERED & words[at]))  # a row may be of a part of its order
        done = [at for at, said in named if said & _DELIVERED and said <= own | _DELIVERED]
        done += [at for at, said in enumerate(words) if said in _BARE]  # Qty, Delivered
        found += [(at, every[0]) for at in done if every]
        sent = [at for at in every if is_sent(headings[at])]
        found += [(at, every[-1]) for at in sent[:1] if _ORDERED & words[every[-1]]]
    return found


def is_sent(heading: str) -> bool:
    """Return whether a column counts what was sent: Shipped Qty."""
    return not words_of(heading).isdisjoint(_SENT)


_BARE = word_sets("delivered, del, dlv, dlvd")


def item_heading(headings: tuple[str, ...], taken: set[int]) -> int | None:
    """Return the column, none of ``taken``, that tells the items of a parcel apart, or None."""
    at = parcel_heading(headings, taken)
    folded = "" if at is None else fold_header(headings[at]).replace("#", "no").replace(" ", "")
    return at if folded in _ITEMS else None


def parts_delivered(headings: Sequence[str]) -> list[int]:
    """Return the columns that may tell both in one cell: Pieces Delivered, 1 of 3."""
    counted = _COUNTED[0] | _COUNTED[1]
    known = counted | _BESIDE_COUNTED | _DELIVERED - {"received"}
    words = [words_of(heading) for heading in headings]
    return [
        at
        for at, said in enumerate(words)
        if said <= known and ({"delivered"} < said or (said & _DELIVERED and said & counted))
    ]


def same_parcel_unknown(awbs: Sequence[str]) -> list[bool]:
    """Tell of each AWB whether two parcels may share it, as a spreadsheet damaged it.

    ``1.49E+15``, an error, ``####``. A number past 15 digits counts where all such end in zeros.
    """
    bare = [awb.strip(AROUND_AN_ID).casefold().removesuffix(".0") for awb in awbs]
    long = [_LONG_NUMBER.fullmatch(each) for each in bare]
    rounded = all(not each[1].strip("0") for each in long if each)
    return [
        _DAMAGED.fullmatch(text) is not None or (rounded and number is not None)
        for text, number in zip(bare, long, strict=True)
    ]


def is_not_delivered(status: str) -> bool:
    """Return whether a status says that a parcel did not come to its customer, misspelt or not."""
    undelivered = _UNDELIVERED.search(fold(status)) is not None
    return undelivered or speaks_against(status, Milestone.DELIVERY_DONE)


_UNDELIVERED = re.compile(r"\b(?:un|non|not)\W?de?l")


def is_before_pickup(status: str) -> bool:
    """Return whether a status is of a pickup to come: Manifested, Pickup Scheduled."""
    return bool(_words(status) & _NOT_MOVING)


def is_failed_attempt(status: str) -> bool:
    """Return whether a status is of an attempt that failed: NDR, Undelivered."""
    return bool(_words(status) & _FAILED)


def is_not_picked(status: str) -> bool:
    """Return whether a status says that a pickup came to nothing: Not Picked, Return Cancelled."""
    plain = " ".join(_WORD.findall(fold(status)))
    none = _NO_PICKUP.search(plain) and not {*plain.split()} & _NOT_AT_SELLER
    return bool(none) or is_cancelled(status)


def is_cancelled(status: str) -> bool:
    """Return whether a status says that there is no shipment any more."""
    words = _words(status)
    return bool(words & _CANCELLED) and words <= _CANCELLED | _BESIDE_CANCELLED


def is_lost(status: str) -> bool:
    """Return whether a status says that nobody has a parcel, which may be found again later."""
    return bool(_words(status) & {"lost", "untraceable"})


def is_on_paper(status: str) -> bool:
    """Return whether a status is about papers or money after the parcel has arrived."""
    words = _words(status)
    return bool(words & _ON_PAPER) or ("delivered" in words and not words & _NOT_DELIVERED)


def is_return(status: str) -> bool:
    """Return whether a status that is understood speaks of a customer's return."""
    return way_named(status) is Direction.RETURN


def goes_back(status: str) -> bool:
    """Return whether a status or its type says that a parcel goes back to the seller.

    "RTO Initiated", and "RT" before all else, as couriers write the type of such scans.
    """
    first = _WORD.match(fold(status))
    is_typed = first is not None and first[0] in _TYPES_BACK
    return (is_typed or way_named(status) is Direction.RTO) and not _words(status) & _REVOKED


def said_of(case: StatusCase) -> Said:
    """Return the word of a row with this status on its parcel, as later files may need it."""
    ruling, words = case.ruling, _words(case.status)
    if ruling.meaning not in {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE}:
        return Said.NOTHING
    if ruling.milestone:
        step = STEPS[Milestone(ruling.milestone)]
        if step.journey is Journey.RETURN or case.direction in _RETURNING:
            return Said.NOTHING
        return Said.ENDED if step.final else Said.ON_ITS_WAY
    if {case.direction, case.way} & _RETURNING or is_return(case.status):
        none = Said.NOT_RETURNED if is_not_picked(case.status) else Said.NOTHING
        return none if none or words & _CALLED_OFF else Said.RETURNING
    if is_not_picked(case.status):
        return Said.CANCELLED if is_cancelled(case.status) else Said.NOT_PICKED
    if _turns_back(case):
        return Said.ON_ITS_WAY_BACK
    if words & _REVOKED and words & RTO_WORDS:
        return Said.ON_ITS_WAY_AGAIN
    if is_on_paper(case.status) or words & _NOT_MOVING or not words & _MOVING:
        return Said.NOTHING
    if is_at_hub(case.status):
        return Said.AT_A_HUB
    return Said.ON_ITS_WAY_BACK if goes_back(case.status) else Said.ON_ITS_WAY


def is_at_hub(status: str) -> bool:
    """Return whether a status is the scan of a hub on the way, which only follows a pickup."""
    words = _words(status)
    return bool(words & _MOVING) and words <= _AT_HUBS | _BESIDE_HUBS


def said_unheard(case: StatusCase) -> Said:
    """Return the word of a row that was rejected, or whose file was refused.

    A way back counts, to the seller or from the customer, a shipment that was cancelled, and one
    that was not delivered by its status or by what stands beside it.
    """
    if _words(case.status) & _CALLED_OFF and not is_cancelled(case.status):
        return Said.NOTHING
    names = case.way is not Direction.BLANK or way_named(case.status) in _WAYS_BACK
    back = names or goes_back(case.status) or _turns_back(case) or is_cancelled(case.status)
    if back:
        return Said.MAYBE_BACK
    beside, ruling = case.direction_cell, case.ruling
    denied = ruling.doubt is Doubt.EVIDENCE and case.direction is Direction.UNDELIVERED
    if denied or (ruling.doubt is Doubt.OTHER and is_not_delivered(beside)):
        return Said.NOTHING if is_not_delivered(case.status) else Said.DENIED
    if ruling.doubt is Doubt.OTHER and is_on_paper(case.status) and not is_on_paper(beside):
        return Said.UNCLEAR
    unknown = ruling.meaning is StatusMeaning.UNKNOWN
    return Said.UNDELIVERED if unknown and is_not_delivered(case.status) else Said.NOTHING


def _turns_back(case: StatusCase) -> bool:
    """Return whether something beside the status names the way back to the seller."""
    if _words(case.status) & _REVOKED:
        return False
    return Direction.RTO in {case.direction, case.way} or goes_back(case.kind)


_NUMBERED = re.compile(r"[a-z/_-]*[0-9][a-z0-9/_-]*")


def parcel_of(awb: str) -> str:
    """Return an AWB as two files may both write it, "" for a cell that is none."""
    bare = awb.strip(AROUND_AN_ID).casefold().removesuffix(".0")
    if not _NUMBERED.fullmatch(bare) or re.match(DAY, bare):
        return ""
    return bare.lstrip("0") if bare.isdecimal() else bare


BY_AWB = "awb:"
"""Begins the name under which the ledger keeps a row whose order id is lost. No order id has it."""

_DIGITS_OF_AN_AWB = 5
"""An AWB with fewer, such as a running number, may be another order's as well."""


def awb_key(awb: str) -> str:
    """Return the name by which a row without an order id is found, "" where its AWB is none."""
    parcel = parcel_of(awb)
    return BY_AWB + parcel if sum(map(str.isdigit, parcel)) >= _DIGITS_OF_AN_AWB else ""


def _words(status: str) -> frozenset[str]:
    return frozenset(_WORD.findall(fold(status)))
