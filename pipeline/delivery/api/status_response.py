"""Parse an answer of the status endpoint: its meaning for each row of its call.

One pure function; the one place that tells transient, held and refused answers apart. The table of
docs/contract.md, "What the API's answers mean", has each shape. A success is what has the published
shape (the objects ``data`` and ``meta``) or the counts of the sibling endpoints, adding up, and
names no failure anywhere; all else under 2xx is in doubt: neither accepted nor failed. Of
``data`` and ``meta`` no field is published: one that is not known to be harmless, such as
``skipped``, ``jobId`` or ``modifiedCount``, leaves the whole answer in doubt.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from pipeline.core.ports import Reply
from pipeline.delivery.api.response_errors import (
    BYTE_ORDER_MARK,
    Refusal,
    errors_of,
    is_json,
    is_published,
    json_object,
    levels,
    name_errors,
    names_an_order,
    says_bad,
    speech,
)

_NOT_DONE = frozenset({408, 425, 429, 500, 503})
"""Answers that say the call was not carried out: safe to repeat."""


class Meaning(StrEnum):
    """The consequence of an answer."""

    DONE = "done"  # taken, except the rows in ``failed`` and ``doubtful``
    DOUBT = "doubt"  # a 2xx that does not say whether it was taken: ask
    RETRY = "retry"  # not done: try again
    LIMITED = "limited"  # not done: too fast (429)
    LOST = "lost"  # no trustworthy answer (502, 504): done or not
    EXPIRED = "expired"  # 401: one new token, then hold
    HELD = "held"  # the API will not take us at all
    REFUSED = "refused"  # this content is refused whole


class Answer(Struct, frozen=True, kw_only=True):
    """An answer, understood. ``failed`` and ``doubtful`` name places in the call, from 0.

    ``kind``: of an answer in doubt, what it is; the same kind again and again is an outage.
    """

    meaning: Meaning
    message: str = ""
    failed: Mapping[int, Refusal] = field(default_factory=dict)
    doubtful: frozenset[int] = frozenset()
    retry_after: float | None = None
    kind: str = ""


_ALL_TAKEN = Answer(meaning=Meaning.DONE)
_FINE = (None, "SUCCESS")
_NO_META: Mapping[str, Any] = {}
_PLAIN = frozenset({"payloadCount", "successCount", "failedCount", "status", "errors"})

EMPTY = "an empty answer"
PAGE = "a page in place of an answer"
CUT_OFF = "an answer that is not JSON, or is cut off"
NO_OBJECT = "JSON that is not an object"
ERROR = "an error under the status of a success"
NO_SUM = "counts that do not add up"
NO_SHAPE = "an object without what the API publishes of a success"


class _Counts(Struct, frozen=True, kw_only=True):
    """The counts of an answer, None where there is none. ``clear``: they do not contradict."""

    seen: int | None
    taken: int | None
    failed: int | None
    clear: bool

    def add_up(self, size: int, named: int) -> bool:
        """Return whether they fit a call of ``size`` orders that were all taken but ``named``."""
        return (
            self.clear
            and self.taken in {None, size - named}
            and self.failed in {None, named}
            and self.seen in {None, size}
        )

    @property
    def tell_taken(self) -> bool:
        """Return whether they say how many orders were taken."""
        return self.taken is not None or (self.seen is not None and self.failed is not None)

    def all_failed(self, size: int) -> bool:
        """Return whether they say that not one of the orders was taken."""
        return (
            self.clear
            and self.failed == size
            and self.taken in {None, 0}
            and self.seen in {None, size}
        )

    def some_taken(self, size: int) -> bool:
        """Return whether they say that the call was carried out, at least in part."""
        return bool(self.taken) or 0 < (self.failed or 0) < size


def parse_status_response(reply: Reply, order_ids: Sequence[str], *, now: datetime) -> Answer:
    """Return the meaning of ``reply`` for the orders of its call, in their order. Never raises."""
    status = reply.status
    if status == 206:
        return _in_doubt(CUT_OFF, reply, None)
    if 200 <= status < 300:
        return _taken(reply, order_ids)
    body = json_object(reply)
    words = speech(reply, body)
    if status == 429:
        return Answer(meaning=Meaning.LIMITED, message=words, retry_after=retry_after(reply, now))
    if status in _NOT_DONE:
        return Answer(meaning=Meaning.RETRY, message=words, retry_after=retry_after(reply, now))
    if status >= 500:
        return Answer(meaning=Meaning.LOST, message=words, retry_after=retry_after(reply, now))
    if status == 401:
        return Answer(meaning=Meaning.EXPIRED, message=words)
    if status in {403, 407} or status < 400:
        return Answer(meaning=Meaning.HELD, message=words)
    if status in {404, 405} and not names_an_order(reply, order_ids):
        return Answer(meaning=Meaning.HELD, message=words)
    named = name_errors(errors_of(body) if body else [], order_ids)[0]
    return Answer(meaning=Meaning.REFUSED, message=words, failed=named)


def _taken(reply: Reply, order_ids: Sequence[str]) -> Answer:
    body = json_object(reply)
    if body is None:
        return _in_doubt(_kind_of_no_object(reply), reply, None)
    size = len(order_ids)
    if _plainly_well(body, size):
        return _ALL_TAKEN
    counts = _counted(body)
    named, unnamed = name_errors(errors_of(body), order_ids)
    if counts.all_failed(size):
        word = unnamed or Refusal(code="", message=speech(reply, body))
        return Answer(
            meaning=Meaning.DONE, failed={pos: named.get(pos, word) for pos in range(size)}
        )
    bad = unnamed is not None or says_bad(body, named=bool(named))
    bad = bad or (not named and speaks_against(body, order_ids))
    if not bad and counts.add_up(size, len(named)):
        counted = counts.failed is not None if named else is_published(body)
        if counted or counts.tell_taken:
            return Answer(meaning=Meaning.DONE, failed=named) if named else _ALL_TAKEN
        if not named:
            return _in_doubt(NO_SHAPE, reply, body)
    everyone = frozenset(range(size))
    if len(named) > (counts.failed if counts.failed is not None else size) or not counts.clear:
        # It fails fewer than it names, or contradicts itself: not one row of it can be trusted.
        return _in_doubt(NO_SUM, reply, body)
    if named or counts.some_taken(size):
        return Answer(
            meaning=Meaning.DONE,
            failed=named,
            doubtful=everyone - named.keys(),
            message=(unnamed.message if unnamed else "")
            or "the answer does not say of each order how it went",
        )
    return _in_doubt(ERROR if bad else NO_SUM, reply, body)


def _in_doubt(kind: str, reply: Reply, body: Mapping[str, Any] | None) -> Answer:
    words = speech(reply, body)
    return Answer(meaning=Meaning.DOUBT, kind=kind, message=f"{kind}: {words}" if words else kind)


def _kind_of_no_object(reply: Reply) -> str:
    text = reply.body.removeprefix(BYTE_ORDER_MARK).lstrip()
    if not text:
        return EMPTY
    if text.startswith(b"<"):
        return PAGE
    return NO_OBJECT if is_json(reply) else CUT_OFF


def _plainly_well(body: Mapping[str, Any], size: int) -> bool:
    """Return whether the answer has the shape that nearly all have. Only a short cut."""
    data, meta = body.get("data"), body.get("meta", _NO_META)
    return (
        isinstance(data, dict)
        and (data.get("failedCount"), data.get("successCount")) == (0, size)
        and data.get("payloadCount", size) == size
        and not any(isinstance(value, bool) for value in data.values())
        and data.get("errors") == []
        and data.get("status") in _FINE
        and isinstance(meta, dict)
        and len(meta) <= ("requestId" in meta)
        and data.keys() <= _PLAIN
        and len(body) <= 1 + ("meta" in body)
    )


def _counted(body: Mapping[str, Any]) -> _Counts:
    found: dict[str, set[int]] = {}
    for level in levels(body):
        for key in ("payloadCount", "successCount", "failedCount"):
            number = _number(level.get(key))
            if number is not None:
                found.setdefault(key, set()).add(number)
    first = {key: next(iter(numbers)) for key, numbers in found.items()}
    return _Counts(
        seen=first.get("payloadCount"),
        taken=first.get("successCount"),
        failed=first.get("failedCount"),
        clear=all(len(numbers) == 1 and min(numbers) >= 0 for numbers in found.values()),
    )


def _number(value: object) -> int | None:
    """Return a count, also when it is written as text or with a fraction of nothing."""
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() and len(value) < 10 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Return seconds to wait, from either form of the header (RFC 9110, 10.2.3); None if absent."""
    value = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


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
_NOTHING_DONE = re.compile("dry|simul|mock|sandbox|valid|async|schedul|receiv|deferr|test")
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
    not_done = _NOTHING_DONE.search(name) and not _LABEL.search(name)
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
