"""Look through an answer that names no failure for anything that speaks against its success.

Only ``data`` and ``meta`` are published, and none of their fields. So a field that is not known to
be harmless, such as ``skipped``, ``jobId`` or ``modifiedCount``, leaves the whole answer in doubt,
and the orders are asked about (docs/contract.md, "What the API's answers mean").
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

_DEEPEST = 6
"""Levels that are looked through; an answer with more leaves doubt."""

_LETTERS = re.compile(r"[^a-z]")

_FAULT = re.compile(
    "fail|err|reject|invalid|skip|ignor|missing|notfound|unsuccess|unprocess|exception|denied|"
    "partial|pending|queue|duplicate|conflict|warn"
)
_LATER = re.compile("^(job|task|batch|queue|process|operation|poll)(id|url|ref|reference)?$")
_COUNTED = re.compile("count|total|success|succe|updat|modif|process|accept|taken|done|payload")
_STATUS = re.compile("(status|code|result|state)$")
_LABEL = re.compile("(id|ids|key|hash|host|url|path|version|time|timestamp|at|date|ms|seconds)$")
"""Names of fields that say nothing of how it went: requestId, executionTime, apiVersion."""
_OF_ORDERS = frozenset({"orderid", "shipmentid"})
_WHERE_NOW = frozenset({"orderstatus", "shipmentstatus", "currentstatus", "state"})
_MAY_BE_FALSE = re.compile("^(has|is(async|retry|cached|test)|retry|cach|dry|test|async|more|next)")

_NO_FAULTS = re.compile(
    r"\b(?:no|0|zero|without(?: any)?) (?:\w+ )?(?:errors?|failures?|failed|rejected|skipped)\b"
)
_AGAINST = re.compile(
    r"\b(?:no|not|none|nothing|zero|un(?:able|available|authori[sz]ed|known|processed|changed)|"
    r"fail\w*|err\w*|invalid\w*|denied|forbidden|expired|exception\w*|reject\w*|partial\w*|"
    r"queued?|pending|processing|ignored?|skip\w*|cannot|missing|already|duplicate\w*|maintenance|"
    r"later|retry|time[sd]? ?out|abort\w*|cancel\w*|ko|nok)\b"
    r"|\b0 (?:of|orders?|shipments?|rows?|records?|items?|updated|processed|success\w*)\b"
    r"|\b(?:http|status|code|error)\W{0,2}[45]\d\d\b|\w+n[o'’]t\b|\w+exception\b"
)
_NO_FAULT = frozenset({"false", "n/a", "na", "no", "none", "null"})
_SOME_OF = re.compile(r"\b(\d+) ?(?:of|out of|/) ?(\d+)\b")


class _Found(Struct, kw_only=True):
    """The orders of the call that an answer names."""

    orders: set[str]


def speaks_against(body: Mapping[str, object], order_ids: Sequence[str]) -> bool:
    """Tell whether anything in an answer speaks against all orders of its call being accepted.

    A count of another number, a word of failure, a status that is no success, some of the orders
    but not all, an order of another call, or a promise to do it later.
    """
    found = _Found(orders=set())
    if _against("", body, order_ids, found, depth=0):
        return True
    return bool(found.orders) and found.orders != {*order_ids}


def _against(
    key: str, value: object, order_ids: Sequence[str], found: _Found, *, depth: int
) -> bool:
    if depth > _DEEPEST:
        return True
    name = _LETTERS.sub("", key.lower())
    if value in (None, "", [], {}):
        return False
    if key in order_ids:
        found.orders.add(key)
    if isinstance(value, Mapping):
        below = [(str(each), inner) for each, inner in value.items()]
    elif isinstance(value, list):
        below = [(key, inner) for inner in value]
    else:
        return _is_against(name, value, order_ids, found)
    if _FAULT.search(name) or name in _WHERE_NOW:
        return True
    return any(_against(k, inner, order_ids, found, depth=depth + 1) for k, inner in below)


def _is_against(name: str, value: object, order_ids: Sequence[str], found: _Found) -> bool:
    if isinstance(value, bool):
        return value if _FAULT.search(name) else not (value or _MAY_BE_FALSE.search(name))
    text = str(value).strip()
    if name in _OF_ORDERS or text in order_ids:
        found.orders.add(text)
        return text not in order_ids
    if name in _WHERE_NOW or _LATER.search(name):
        return True
    number = _number_in(text)
    if _FAULT.search(name):
        return number != 0 and text.lower() not in _NO_FAULT
    if _LABEL.search(name):
        return False
    if number is None:
        return _words_against(text)
    if _COUNTED.search(name):
        return number != len(order_ids)
    return bool(_STATUS.search(name)) and number != 0 and not 200 <= number < 300


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _words_against(text: str) -> bool:
    words = _NO_FAULTS.sub(" ", " ".join(text.lower().replace("_", " ").split()))
    parts = _SOME_OF.search(words)
    if parts and parts[1] != parts[2]:
        return True
    return bool(_AGAINST.search(words))
