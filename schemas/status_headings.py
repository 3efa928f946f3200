"""Further columns that may give a status: their headings, and their cells."""

from enum import Enum

from schemas.directions import DAMAGED, hides_a_known, may_hide_words, words_in, words_like
from schemas.headings import (
    is_earlier,
    is_free_text,
    other_subjects,
    words_of,
)
from schemas.normalise import fold, kept
from schemas.similarity import nearest
from schemas.statuses import Doubt, StatusMeaning, StatusTable
from schemas.suggestions import statuses_meant
from schemas.word_lists import word_set

_RESULTS = word_set("outcome result")
_BESIDE_RESULTS = _RESULTS | word_set("delivery desc description final text")
_FAILURE_HEADINGS = word_set(
    "ndr rto rts return undelivered undelivery nondelivery delay delayed delays failure failed "
    "fail attempt exception cancel cancellation cancelled"
)
_FAILURES = word_set(
    "not refused refuse refusal unavailable unreachable unable cancelled canceled undelivered ndr "
    "rto wrong incorrect incomplete closed reschedule rescheduled reattempt failed delay delayed "
    "denied rejected unserviceable inaccessible lost damaged"
)

#: Headings that a spreadsheet writes above the lines of a pivot table.
OF_PIVOTS = (word_set("row labels"), word_set("column labels"))
OF_STATUSES = word_set("event events scan stage stat status statuses sts")

#: Those who say where a shipment is, and when they are asked: Customer Says, Call Status.
_SAYING = word_set("call customer seller verification")

#: What is measured of a shipment or an order, not where it is: SLA Status = Delayed.
MEASURES = word_set("delay fraud risk sla tat weight")

#: Steps and systems of the seller's side, whose words are behind the courier's: WMS Status.
_BEHIND = word_set(
    "app attempt dashboard dispatch erp fulfillment fulfilment fynd my oms our packing shopify "
    "system web website wms inventory stock warehouse wh"
)


#: Beside a word for a status these leave it that of the shipment; any other, such as UPI or
#: Recon, may be of another thing.
_OF_SHIPMENTS = word_set(
    "actual app as audit awb bag box by carrier check checked closing closure code confirmed "
    "consignment courier cur curent curr current dashboard dc delivery "
    "desc dlv fulfillment fulfilment ground "
    "lm manual my ops our physical reverified shpmt system validated verified web website "
    "description detail details docket event final hub id in info last latest line live logistics "
    "movement name new now of on or order orders package parcel partner portal present real rto "
    "rts s scan seller shipment shipments shipping sub text the time to today track tracking "
    "transit transport transporter type update updated waybill words "
    "amended correct corrected correction fixed per proper rectified revised right true "
    "apr aug dec feb jan jul jun mar may nov oct sep am pm"
)


#: Alone, they are of where the shipment is.
_NEWEST = word_set("as current latest now of on present today")


class AsksStatus(Enum):
    """The way in which cells of a further column are read for statuses."""

    ANY = "any"  # its heading is known for statuses
    ENDS = "ends"  # it is of failed attempts, or of the seller's side: only an end says something
    WORDS = "words"  # its heading speaks of a status: words count, a number may mean another thing
    MOSTLY = "mostly"  # its heading says nothing: only where nearly all of its cells are statuses


@kept
def asks_status(heading: str) -> AsksStatus | None:
    """Return how a column is read for statuses, None if its heading speaks of other things."""
    words = words_of(heading)
    others = other_subjects(heading)
    only_ends = others == {"ndr"} or (words & _BEHIND and others <= _BEHIND)
    if words & OF_STATUSES and only_ends and not is_earlier(heading):
        return AsksStatus.ENDS
    if others and others <= _SAYING and not (is_earlier(heading) or is_free_text(heading)):
        return AsksStatus.MOSTLY
    if others or is_earlier(heading) or is_free_text(heading):
        return None
    if words & MEASURES or {"mid", "mile"} <= words:
        return None
    if words in OF_PIVOTS:
        return None
    of_shipment = all(map(_is_of_shipment, words))
    named = (words & OF_STATUSES and of_shipment) or (words and words <= _NEWEST)
    if named and words & _CODES and not words & _OF_ORDERS:
        return AsksStatus.ANY
    return (
        AsksStatus.WORDS
        if named or (words & _RESULTS and words <= _BESIDE_RESULTS)
        else AsksStatus.MOSTLY
    )


def _is_of_shipment(word: str) -> bool:
    """Return whether a word, or what it misspells (Shipmnt, not Ewaybill), leaves it of those."""
    if word.isdigit() or word in OF_STATUSES | _OF_SHIPMENTS:
        return True
    near = nearest(word, _LONGER, at_least=_MISSPELT)
    return near is not None and near not in word


_LONGER = tuple(sorted(word for word in _OF_SHIPMENTS if len(word) > len("sub")))
_MISSPELT = 83  # two letters of it changed places
_CODES = word_set("code id")
_OF_ORDERS = word_set("order orders")  # Shiprocket's have other numbers than its shipments


def gives_status(cell: str, table: StatusTable, *, numbers: bool) -> bool:
    """Return whether a cell is a status of a courier's table, whatever it means there."""
    if not numbers and not any(map(str.isalpha, cell)):
        return False
    ruling = table.rule(cell)
    known = {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE, StatusMeaning.AMBIGUOUS}
    return ruling.meaning in known and ruling.doubt is not Doubt.NUMBER


def hides_status(cell: str, table: StatusTable) -> bool:
    """Return whether a cell of a status column is damaged and may have been a status."""
    return (
        may_hide_words(cell)
        or hides_a_known(cell)
        or (DAMAGED in cell and gives_status(cell.replace(DAMAGED, ""), table, numbers=False))
        or bool(words_like([fold(cell)], table.shown))
    )


def misspells_another(cell: str, milestone: int, table: StatusTable) -> bool:
    """Return whether a cell is probably a misspelt status of the table that means something else.

    ``milestone``: what it is beside: a delivery, and *Undeliverd* or *In Trasit*.
    """
    meant = statuses_meant(cell, table.shown) if len("RT") < len(cell) <= _LONGEST else []
    return any(table.rule(each).milestone != milestone for each in meant)


_LONGEST = 40


def speaks_of_failure(heading: str, cell: str) -> bool:
    """Return whether a reason is a failed attempt's, by its heading or its own words."""
    if words_of(heading) & _FAILURE_HEADINGS:
        return True
    return bool(words_in(fold(cell)) & _FAILURES)
