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
    "partial|pending|queue|duplicate|conflict|warn|fault|reason|problem|issue|^remaining$|^left$"
)
_LATER = re.compile("^(job|task|batch|queue|process|operation|poll)(id|url|ref|reference)?$")
_COUNTED = re.compile(
    "count|total|success|succe|updat|modif|process|accept|taken|done|payload|affect|match|chang|"
    "saved|appl|complet|(order|shipment|item|record|row)s?$"
)
_STATUS = re.compile("(status|code|result|state)s?$")
_FINE_CODES = frozenset({0, 200, 201, 202})
_SPOKEN = re.compile(
    "(message|msg|text|title|note|details?|description|info|status|state|result|outcome|response|"
    "summary)s?$"
)
_NOT_DONE = re.compile("dry|simul|mock|sandbox|valid|async|schedul|receiv|deferr|test")
"""Names of fields that, if true or counted, say that nothing was done yet, or never will be."""
_LABEL = re.compile("(id|ids|key|hash|host|url|path|version|time|timestamp|at|date|ms|seconds)$")
"""Names of fields that say nothing of how it went: requestId, executionTime, apiVersion."""
_OF_ORDERS = frozenset({"orderid", "shipmentid"})
_WHERE_NOW = frozenset({"orderstatus", "shipmentstatus", "currentstatus", "state"})
_MAY_BE_FALSE = re.compile(
    "^(has|is(async|retry|cached|test)|retry|cach|dry|test|async|more|next|simul|mock|sandbox)"
)

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
_DONE = re.compile(
    r"\b(?:success\w*|succeeded|ok|okay|done|updated|processed|accepted|saved|completed?|applied)\b"
)
"""A text that tells how it went counts as a success only with one of these words in it."""

_NUMBER = re.compile(r"(?<![\w.-])\d{1,6}(?![\w.-])")
_ID = re.compile(r"[^\s,;:\"'()\[\]{}]+")
_LONG_ENOUGH = 4
"""A shorter order id in a text may be any number or word."""

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
    not_done = _NOT_DONE.search(name) and not _LABEL.search(name)
    if isinstance(value, bool):
        if _FAULT.search(name) or not_done:
            return value
        return not (value or _MAY_BE_FALSE.search(name))
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
        found.orders |= _named_in(text, order_ids)
        return _words_against(text, len(order_ids), tells=bool(_SPOKEN.search(name)))
    if not_done:
        return number != 0
    if _STATUS.search(name):
        return number not in _FINE_CODES
    return bool(_COUNTED.search(name)) and number != len(order_ids)


def _named_in(text: str, order_ids: Sequence[str]) -> set[str]:
    """Return the orders of the call that a text names as whole words."""
    words = {word.rstrip(".!") for word in _ID.findall(text)}
    return {each for each in order_ids if len(each) >= _LONG_ENOUGH and each in words}


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _words_against(text: str, size: int, *, tells: bool) -> bool:
    """Tell whether a text speaks against a success; ``tells``: it has to speak for one."""
    words = _NO_FAULTS.sub(" ", " ".join(text.lower().replace("_", " ").split()))
    parts = _SOME_OF.search(words)
    if parts and parts[1] != parts[2]:
        return True
    if _AGAINST.search(words):
        return True
    counts = {int(number) for number in _NUMBER.findall(words)} - _FINE_CODES
    return tells and (not _DONE.search(words) or not counts <= {size})
