"""Tell by its words of what a heading speaks that no profile names, and what reads as a footer."""

import re
from collections.abc import Iterable, Sequence

from schemas.normalise import fold_header, kept
from schemas.word_lists import slips, word_set, word_sets

_WORD = re.compile(r"[a-z0-9]+")
HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=RTO|RVP|RTS)(?=[A-Z])")


def trimmed(cells: Sequence[str]) -> list[str]:
    """Return the cells without the empty ones at the end."""
    last = len(cells)
    while last and not cells[last - 1].strip():
        last -= 1
    return list(cells[:last])


#: Subjects that are not the shipment: such a column is neither its status nor its order.
_OTHERS = word_set(
    "account address amount approval bank bill billing buyer call charge claim cod comm "
    "communication complaint contact customer dispute email escalation financial gst inventory "
    "invoice item items kyc label manifest message mobile ndr notification notifications payment "
    "payout phone pickup price product push qc quantity refund refunds remittance return returns "
    "reverse seller settlement sku sms stock supplier sync tax ticket upload user vendor "
    "msg verification wa webhook whats whatsapp"
)

_EARLIER = word_set(
    "1st before earlier first former initial old past prev previous prior yesterday"
)
_DIVIDING = _EARLIER | word_set(
    "after code courier current date description last latest name new now text time today type "
    "updated value words yesterday"
)
_FREE_TEXT = word_set(
    "comment comments feedback instruction instructions note notes reason reasons remark remarks"
)

_PLACES_AND_THINGS = word_set(
    "address agent area boy brand branch category channel city client color colour company "
    "consignee country courier currency customer district dc destination driver email employee "
    "executive facility financial gender hsn hub "
    "lane locality location method mode name origin partner payment phone pin pincode postal "
    "postcode price product qty quantity region rider route seller service size sku state store "
    "tag tags tax title town url user vehicle vendor warehouse weight zip zone"
)

_ORDER = word_set("ord order orders so")
_NUMBERS = word_set("code codes id ids key no nos nr num number numbers ref reference")

_WHOSE = word_set("channel client customer main marketplace master parent sale sales seller web")

#: With one of these, a heading that speaks of an order and of a number does not mean the order's.
_NOT_ORDERS = word_set(
    "amount awb batch canceled cancelled contact count courier date digit digits email exchange "
    "group gst hub invoice item items last short wrong "
    "line lines manifest mobile of old older oldest package parcel payment phone pickup pincode "
    "price priority product qty quantity rank reason refund replacement return returns reverse "
    "route row rto rvp seq sequence serial shipping sku sl slno slot source sr srno state status "
    "step tags tax ticket time total type value wave weight"
)


#: No. Orders: how many.
_COUNTS_ORDERS = re.compile(r"\b(?:no|nos|nr|num|number|numbers)\b\W*orders\b")

_OF_ROWS = word_sets("sr no, s no, sl no, serial no, serial number, sno")
_OF_PEOPLE = word_set("mobile phone contact pin pincode postal postcode telephone zip zipcode")

_EXAMPLES = word_set(
    "demo demos dummy eg example examples guide guideline guidelines help illustration instruction "
    "instructions readme sample samples template tutorial "
    "delete deleted discard discarded ignore ignored junk test testing tests trash unused"
)
_BESIDE_EXAMPLE = word_set(
    "a be data do edit entries entry file fill filled filling for format how it me not of only "
    "order orders please read record records reference row rows send sheet tab table the this to "
    "upload use"
)


_NAMED_IN_WORDS = word_sets("read me, how to, not use, not upload, not send")


def is_example(tab: str) -> bool:
    """Return whether a tab's name calls its rows examples: Example, Sample Data, Read me."""
    words = frozenset(re.findall(r"[a-z]+", fold_header(HUMPS.sub(" ", tab))))
    named = (
        words & _EXAMPLES or words == {"format"} or any(each <= words for each in _NAMED_IN_WORDS)
    )
    return bool(named) and words <= _EXAMPLES | _BESIDE_EXAMPLE


_OLD_TABS = _EARLIER | word_set("backup older outdated superseded")
_NEW_TABS = word_set(
    "amended amendment amendments corrected correction corrections current final latest new newest "
    "rectified revised revision revisions today updated"
)


def age_of(tab: str) -> int:
    """Return which of several tabs holds by its name: 1 for a corrected one, -1 for an old one."""
    words = frozenset(re.findall(r"[a-z]+", fold_header(HUMPS.sub(" ", tab))))
    return bool(words & _NEW_TABS) - bool(words & _OLD_TABS)


_OLD_VERSIONS = word_set("backup old older outdated prev previous superseded")


def is_old_version(tab: str, others: Iterable[str]) -> bool:
    """Return whether a tab is by its name an old version of one of the others: 28 Nov (old).

    Old Delhi is a place.
    """
    words, bare = _words_and_rest(tab)
    old = _OLD_VERSIONS & {*(words if any(map(str.isdigit, tab)) else words[1:])}
    return bool(old and bare) and any(
        _words_and_rest(other)[1] == bare and not age_of(other) < 0 for other in others
    )


def _words_and_rest(tab: str) -> tuple[list[str], list[str]]:
    """Return the words of a tab's name, and those of them that do not say how old it is."""
    words = re.findall(r"[a-z0-9]+", fold_header(HUMPS.sub(" ", tab)))
    return words, [word for word in words if word not in _OLD_VERSIONS | _NEW_TABS]


@kept
def words_of(heading: str) -> frozenset[str]:
    """Return the words of a heading; ``orderStatus`` has two, a misspelt ``Statsu`` is status."""
    return frozenset(map(_spelled, _WORD.findall(fold_header(HUMPS.sub(" ", heading)))))


def _spelled(word: str) -> str:
    """Return the word that a misspelt one is, of those for statuses and their kinds."""
    return _SLIPS.get(word, word)


_SLIPS = slips(("group", "scan", "status", "type"))
del _SLIPS["stats"]  # a word of its own


def other_subjects(heading: str) -> frozenset[str]:
    """Return the words of a heading that name a subject other than the shipment."""
    return words_of(heading) & _OTHERS


def speaks_of_other(heading: str) -> bool:
    """Return whether a heading holds a subject other than the shipment (payment, return, item)."""
    return bool(other_subjects(heading))


def is_earlier(heading: str) -> bool:
    """Return whether a column is, by its heading, how things stood before."""
    return bool(words_of(heading) & _EARLIER)


def is_free_text(heading: str) -> bool:
    """Return whether a heading announces free text: remarks, notes, reasons."""
    return bool(words_of(heading) & _FREE_TEXT)


def divides_a_heading(cell: str) -> bool:
    """Return whether a cell is such as stands under another heading (Previous, Current, Date)."""
    words = words_of(cell)
    return bool(words) and len(words) < _FEW and bool(words & _DIVIDING)


_FEW = 4


#: A folded *Order ID.1* is "order id 1"; Order Number 1 is a column that people have.
_SECOND = re.compile(r"(?<=[a-z])\d$|(?<=id)[ .]\d$", re.IGNORECASE)


def is_of_messages(headings: Iterable[str]) -> bool:
    """Return whether a table is of messages to customers, not of shipments: Template, DLR, SMS ID.

    One with AWBs or couriers is of shipments, whatever it says of messages.
    """
    found = [words_of(heading) for heading in headings]
    if any(words & _OF_SHIPMENTS for words in found):
        return False
    return any(words in _OF_MESSAGES or words & _SURELY_MESSAGES for words in found)


_OF_SHIPMENTS = word_set("awb waybill airwaybill tracking courier carrier docket lrn shipment")
_SURELY_MESSAGES = word_set("dlr template whatsapp")
_OF_MESSAGES = word_sets(
    "message id, sms id, sms, webhook url, campaign, campaign name, clicked, opened, subject, "
    "gift card, gift card code, sender id"
)
STATUSES_OF_MESSAGES = word_set("bounced clicked opened read seen")
"""Ends that only a message has: it is delivered, and then read."""


def names_order(heading: str) -> bool:
    """Return whether a heading is a name of the order id (Sale Order No, order_code, Order #).

    Also with the digit that a program adds to a second one: Order ID.1, Order ID2, and without a
    space: Sale OrderNo.
    """
    words = words_of(_JOINED.sub("order ", _SECOND.sub("", heading)))
    numbered = bool(words & _NUMBERS) or "#" in heading
    counted = _COUNTS_ORDERS.search(fold_header(heading)) is not None
    return bool(words & _ORDER) and numbered and not words & _NOT_ORDERS and not counted


_JOINED = re.compile(r"(?i)\border(?=(?:code|id|no|num|number|ref)\b)")


def names_number(heading: str) -> bool:
    """Return whether a heading is that of an id or a number of something (Return ID, RMA No)."""
    words = words_of(heading)
    return 1 < len(words) < _FEW and bool(words & _NUMBERS)


def is_bare_order(heading: str) -> bool:
    """Return whether a heading only says order (Order, Sale Order): it may hold ids or not."""
    words = words_of(heading)
    return bool(words & _ORDER) and words <= _ORDER | _WHOSE


def is_plain_order(heading: str) -> bool:
    """Return whether a heading names the order id and says no more of it (Order No, Order Code).

    Or that it is the one of those who receive the updates (Fynd Order No).
    """
    words = words_of(_SECOND.sub("", heading))
    return names_order(heading) and words <= _ORDER | _NUMBERS | {"fynd"}


def is_instead(heading: str) -> bool:
    """Return whether a heading's ids replace those of others (Correct Order ID, Fynd ID)."""
    words = words_of(heading)
    meant = words & (_CORRECTED | {"fynd"}) and words & _NUMBERS
    return bool(meant) and words <= _CORRECTED | _OWN_IDS


_CORRECTED = word_set("actual correct corrected fixed new proper revised right updated")
_OWN_IDS = _ORDER | _NUMBERS | word_set("fynd shipment")


def is_of_person(heading: str) -> bool:
    """Return whether a column numbers people, phones, pin codes or the rows (Sr No)."""
    words = words_of(heading)
    return bool(words & _OF_PEOPLE) or words in _OF_ROWS


def is_place_or_thing(heading: str) -> bool:
    """Return whether a column is, by its heading, of places, people, goods or money."""
    return bool(words_of(heading) & _PLACES_AND_THINGS)


_COUNTED = r"(?:rows?|records?|orders?|shipments?|entries|items?|lines?)(?:\(s\))?"
_FOOTER = re.compile(
    rf"""(?:
      (?:grand|sub|net|overall)?[\s-]*totals?(?![\w-]).*
    | (?:total|no\.?\ of|number\ of|count\ of|sum\ of)\s+{_COUNTED}\b.*
    | (?:[a-z]+\s+){{0,3}}count\s*(?:[:=-].*)?
    | {_COUNTED}\s*(?:[:=]|\s-)\s*\d+
    | \(?\s*\d+\s+{_COUNTED}(?:\s+(?:affected|selected|returned|exported|found|fetched|in\ set)
        (?:\s*\(.*\))?)?\s*\)?\.?
    | (?:showing\s+)?(?:\d+\s*(?:-|to)\s*\d+\s+of\s+\d+|page\s+\d+(?:\s+of\s+\d+)?).*
    | (?:(?:this|the)\s+)?(?:report|file|data|export)?\s*(?:is\s+|was\s+)?
        (?:generated|downloaded|exported|printed|created|completed|extracted|prepared)\s+(?:on|by|at|from|via)\b.*
    | (?:this\s+is\s+an?\s+)?(?:system|computer|auto)[\s-]*generated\b.*
    | (?:checked|verified|prepared|approved|signed|issued|compiled|submitted)\s+by\b.*
    | authori[sz]ed\s+(?:by|signatory)\b.*
    | (?:last\s+)?(?:updated|refreshed)\s*(?:on\b|at\b|:).*
    | (?:source|as\s+on|as\s+of)\s*:.*
    | (?:(?:kind|best|warm)\s+)?regards\b.*|thanks\b.*|thank\s+you\b.*
    | (?:powered\s+by|disclaimer|confidential|copyright|©|note\s*:).*
    | end\s+of\s+(?:the\s+)?(?:report|file|data|list|document|export|records?)\b.*
    | eof | end
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_LINE = 2
"""A longer run of dashes and the like is a line."""

_AROUND = " \t\r\n\u00a0'\"`*#=-_~<>"


def reads_as_footer(cell: str) -> bool:
    """Return whether a cell that stands where an order id should is a footer's words, or a line."""
    words = cell.strip(_AROUND)
    return (not words and len(cell.strip()) > _LINE) or bool(_FOOTER.fullmatch(words))
