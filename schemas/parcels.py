"""Tell the parcels of an order apart, and read the words about one of them.

An order may travel in several parcels, each with an AWB of its own. A final status is the order's
only when each of them has come to it.
"""

import re
from enum import IntEnum

from schemas.codes import Code
from schemas.evidence import way_named
from schemas.folding import ABSENT, fold, fold_header
from schemas.statuses import Direction
from schemas.vocabulary import Role

ANY, ALL = "any", "all"
"""What a profile's ``parcels`` may say: a final status holds for the order when any of its parcels
has it, or (the default) when all have."""


class HoldReason(IntEnum):
    """Why a row of a rejects file that came back had been held, by rows that are not in it."""

    FREE = 0
    PARCELS = 1
    TAKEN_BACK = 2


HELD_AS = {
    HoldReason.PARCELS: f"{Code.PARCELS_OPEN}:{Role.AWB}",
    HoldReason.TAKEN_BACK: f"{Code.STATUS_CONFLICT}:{Role.EVENT_TIME}",
}
"""How a rejects file says so: while that stands there, a final status is not sent."""


_WORD = re.compile(r"[a-z0-9]+")

AROUND_AN_ID = " \t\r\n'\"`=\u00a0"
"""What may stand around an AWB or item id and is no part of it."""

AWB_SHAPE = rf"^[{AROUND_AN_ID}]*[A-Za-z/_-]*[0-9][A-Za-z0-9/_-]{{2,}}[{AROUND_AN_ID}]*$"
"""A cell that may be an AWB, if it is no date."""

DAY = r"^[0-9]{1,4}[/-](?:[0-9]{1,2}|[A-Za-z]{3,9})[/-][0-9]{1,4}$"
"""A date alone, as a cell beside an AWB may hold it."""

NO_ID = rf"^(?:[0\-.,/ ]*|{'|'.join(re.escape(word) for word in sorted(ABSENT))})$"
"""A cell, in small letters, that holds no such id."""

#: Headings, folded and without spaces, of what tells the parcels or items of an order apart where
#: there is no AWB; the ones that tell parcels first.
_HEADINGS = (
    *(
        f"{what}{number}"
        for what in ("tracking", "docket", "consignment", "airwaybill", "lr", "cnote", "cn")
        for number in ("id", "no", "number", "code", "ref", "reference")
    ),
    *(f"{what}awb{number}" for what in ("forward", "courier") for number in ("", "no", "number")),
    *(
        f"{what}{number}"
        for what in ("parcel", "package", "shippingpackage", "shipment", "box", "carton", "piece")
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
    "suborder", "sellersku", "itemsku", "productsku", "skuid", "skucode", "sku", "asin", "fsn",
    "ean", "barcode",
)  # fmt: skip

_CANCELLED = frozenset({"cancelled", "canceled", "cancel", "cncl", "cancld"})
_BESIDE_CANCELLED = frozenset(
    {
        *("order", "shipment", "awb", "parcel", "package", "item", "is", "has", "been", "by"),
        *("seller", "merchant", "customer", "client", "buyer", "before", "dispatch", "shipping"),
        *("the", "on", "request", "self", "auto", "system"),
    }
)
#: Words of what still happens to a parcel, on paper, when it has come to its end.
_ON_PAPER = frozenset(
    {
        *("pod", "epod", "cod", "remitted", "remittance", "paid", "payment", "invoice", "invoiced"),
        *("billed", "closed", "archived", "completed", "complete", "feedback", "rating", "settled"),
        *("reconciled", "signature", "weight"),
    }
)
_NOT_DELIVERED = frozenset(
    {
        *("not", "un", "non", "never", "to", "be", "partially", "partial", "failed", "fail"),
        *("attempt", "attempted", "cannot", "could", "wrongly", "wrong", "mistake", "fake"),
        *("false", "reversed", "rto", "rts", "origin", "seller", "returned", "return"),
    }
)


def parcel_heading(headings: tuple[str, ...], taken: set[int]) -> int | None:
    """Return the column, none of ``taken``, that tells parcels or items apart, or None."""
    folded = [fold_header(heading).replace(" ", "") for heading in headings]
    places = {name: at for at, name in reversed(list(enumerate(folded))) if at not in taken}
    return next((places[name] for name in _HEADINGS if name in places), None)


def is_cancelled(status: str) -> bool:
    """Tell whether a status says that there is no shipment any more."""
    words = _words(status)
    return bool(words & _CANCELLED) and words <= _CANCELLED | _BESIDE_CANCELLED


def is_on_paper(status: str) -> bool:
    """Tell whether a status is about papers or money after the parcel has arrived."""
    words = _words(status)
    return bool(words & _ON_PAPER) or ("delivered" in words and not words & _NOT_DELIVERED)


def is_return(status: str) -> bool:
    """Tell whether a status that is understood speaks of a customer's return."""
    return way_named(status) is Direction.RETURN


def _words(status: str) -> frozenset[str]:
    return frozenset(_WORD.findall(fold(status)))
