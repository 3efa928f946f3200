"""Parse an answer of the status endpoint: its meaning for each row of its call.

One pure function; the one place that distinguishes transient, held and refused answers. The table
of docs/contract.md, "What the API's answers mean", has each shape. A success has the published
shape (the objects ``data`` and ``meta``) or the counts of the sibling endpoints, adding up, and
names no failure anywhere; all else under 2xx is in doubt: neither accepted nor failed. Of
``data`` and ``meta`` no field is published: one that is not known to go with a success, such as
``skipped``, ``jobId`` or ``next``, leaves the whole answer in doubt.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson
from msgspec import Struct, field

from pipeline.core.ports import Reply
from pipeline.delivery.api.response_errors import (
    BYTE_ORDER_MARK,
    LONGEST,
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
    HELD = "held"  # the API accepts no call of ours
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


ALL_TAKEN = Answer(meaning=Meaning.DONE)
_FINE = (None, "SUCCESS")
_NO_META: Mapping[str, Any] = {}
_PLAIN_STATUS = 200
_PLAIN = frozenset({"payloadCount", "successCount", "failedCount", "status", "errors"})

EMPTY = "an empty answer"
PAGE = "a page in place of an answer"
CUT_OFF = "an answer that is not JSON, or is cut off"
TOO_LONG = "an answer that is too long to be judged"
NO_OBJECT = "JSON that is not an object, or names a field twice"
ERROR = "an error under the status of a success"
NO_SUM = "counts that do not add up"
NO_SHAPE = "an object without the published fields of a success"


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
    size = len(order_ids)
    body = json_object(reply)
    if body is None:
        return _in_doubt(_kind_of_no_object(reply), reply, None)
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
            return Answer(meaning=Meaning.DONE, failed=named) if named else ALL_TAKEN
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
            or "the answer does not give a result for each order",
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
    if len(text) > LONGEST:
        return TOO_LONG
    return NO_OBJECT if is_json(reply) else CUT_OFF


def is_plain_success(reply: Reply, size: int) -> bool:
    """Return whether the answer has the shape that nearly all have: ``ALL_TAKEN``.

    Only a short cut, for which no order of the call need be known.
    """
    text = reply.body
    try:
        body = orjson.loads(text) if reply.status == _PLAIN_STATUS else None
    except orjson.JSONDecodeError:
        return False
    if not isinstance(body, dict):
        return False
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
        and text.count(b":") == len(body) + len(data) + len(meta)  # so that no key is there twice
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


_DEEPEST, _MOST_VALUES, _LONGEST_NAME, _LONGEST_TEXT = 6, 2000, 100, 2000
"""Limits of the part of an answer that is examined: levels, values, characters."""

_WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""The words of a field's name: ``requestId``, ``request_id`` and ``REQUEST-ID`` have two."""


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_HAPPENED = _set_of(
    "success successful successfully succeeded ok okay updated modified processed accepted taken "
    "done affected matched changed saved applied completed"
)
_THINGS = _set_of(
    "order orders shipment shipments item items record records row rows entries payload count "
    "total number ids"
)
"""A field named with these words alone counts or lists the orders that were taken."""
_COUNTS = frozenset({"count", "total", "number"})

_SPOKEN = _set_of(
    "message messages msg text title note detail details description info status result results "
    "outcome response summary code http api"
)
"""A field named with these words alone gives the result."""
_WHERE_NOW = frozenset({"orderstatus", "shipmentstatus"})
"""A field with one of these names gives the state of an order, before or after the call."""

_FAULTS = _set_of(
    "fail failed failure failures error errors reject rejected invalid skip skipped ignored "
    "missing unsuccessful unprocessed exception exceptions denied partial pending queued "
    "duplicate duplicates conflict conflicts warn warning warnings fault faults reason problem "
    "problems issue issues remaining left not dropped discarded unchanged dry simulated mock "
    "async retry cached more next test"
)
"""A field with one of these words in its name is harmless while it is 0, false or none."""

_NAMES = frozenset({"id", "uuid", "host", "hostname", "node", "region"})
_TIMES = _set_of("time timestamp at date ms seconds duration elapsed version")
_LABELLED = _set_of(
    "request requested req trace span correlation transaction session company seller store "
    "location user account application tenant client response execution processed "
    "updated created completed received total server api service build release event log message "
    "started start ended end finished current"
)
"""A field whose name has one of ``_NAMES`` or ``_TIMES``, and only these beside, is about a
request, a time or a machine, not about the result."""
_A_PLACE = re.compile(r"[A-Z][\w ,()-]*")

_FINE_CODES = frozenset({0, 200, 201, 202})
_NO_FAULT = frozenset({"false", "n/a", "na", "no", "none", "null"})

_NO_FAULTS = re.compile(
    r"\b(?:no|0|zero|without(?: any)?) (?:errors?|failures?|failed|rejected|skipped)\b"
)
_DONE = _set_of(
    "success successful successfully succeeded ok okay done updated processed accepted saved "
    "complete completed applied"
)
"""A text about the result must have one of these words in it."""
_BESIDE = _set_of(
    "a all and api batch been bulk call code data for has have http is are it message of "
    "operation order orders payload record records request requests response result row rows item "
    "items shipment shipments status statuses the this update updates was were with your"
)
"""Words that may stand beside them. With any other it may have gone in another way."""

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_STRANGE = re.compile(r"""[^\w\s.,:;!()\[\]"'’/-]""")
_ID = re.compile(r"[^\s,;:\"'()\[\]{}]+")
_LONG_ENOUGH = 4
"""A shorter order id in a text may be any number or word."""


class _Seen(Struct, kw_only=True):
    """The orders of the call that an answer has named so far, and the values looked at."""

    orders: set[str]
    values: int = 0


def speaks_against(body: Mapping[str, object], order_ids: Sequence[str]) -> bool:
    """Return whether an answer has anything in it but what is known to go with a success of all.

    Anything else speaks against it: a field that is not known, a count of another number, a word
    that a success need not have, some of the orders but not all, an order of another call.
    """
    seen = _Seen(orders=set())
    if any(_against(key, value, order_ids, seen, depth=1) for key, value in body.items()):
        return True
    return bool(seen.orders) and seen.orders != {*order_ids}


def _against(key: str, value: object, order_ids: Sequence[str], seen: _Seen, *, depth: int) -> bool:
    seen.values += 1
    if depth > _DEEPEST or seen.values > _MOST_VALUES or len(key) > _LONGEST_NAME:
        return True
    if key in order_ids:
        seen.orders.add(key)
        words = {"status"}
    else:
        words = {word.lower() for word in _WORDS.findall(key)}
    if value in (None, "", [], {}):
        # An order without a word of its own, or an empty list of successes, says something.
        return key in order_ids or (value == [] and not _HAPPENED.isdisjoint(words))
    if not isinstance(value, dict | list):
        return _is_against(words, value, order_ids, seen)
    if not words <= _HAPPENED | _THINGS | _SPOKEN | {"data", "meta"} or not words:
        return True
    below = value.items() if isinstance(value, dict) else ((key, each) for each in value)
    return any(_against(k, each, order_ids, seen, depth=depth + 1) for k, each in below)


def _is_against(words: set[str], value: object, order_ids: Sequence[str], seen: _Seen) -> bool:
    text = str(value).strip()
    if len(text) > _LONGEST_TEXT:
        return True
    number = None if isinstance(value, bool) else _number_in(text)
    if not _FAULTS.isdisjoint(words):
        return number != 0 and text.lower() not in _NO_FAULT
    if value is False:
        return True
    if text in order_ids:
        seen.orders.add(text)
        return not words <= _HAPPENED | _THINGS | {"id"}
    if _is_label(words, text):
        return False
    if (
        not words
        or not words <= _HAPPENED | _THINGS | _SPOKEN
        or "".join(sorted(words)) in _WHERE_NOW
    ):
        return True
    if value is True or text.lower() == "true":
        return words.isdisjoint(_HAPPENED | {"status"})
    if number is None:
        return not _tells_success(text, order_ids, seen)
    if words <= _HAPPENED | _THINGS or not words.isdisjoint(_COUNTS):
        return number != len(order_ids)
    return number not in _FINE_CODES


def _is_label(words: set[str], text: str) -> bool:
    """Return whether a field is about a request, a time, a machine or a place, as its name says."""
    if words and words <= {"dp", "location"}:
        return bool(_A_PLACE.fullmatch(text)) and _FAULTS.isdisjoint(text.lower().split())
    if not words <= _NAMES | _TIMES | _LABELLED or len(text) > _LONGEST_NAME:
        return False
    return not words.isdisjoint(_NAMES) or (
        not words.isdisjoint(_TIMES) and any(map(str.isdecimal, text))
    )


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _tells_success(text: str, order_ids: Sequence[str], seen: _Seen) -> bool:
    """Return whether a text says that it went well, in words that are known, and nothing else."""
    if _STRANGE.search(text):
        return False
    told = {word.rstrip(".!") for word in _ID.findall(text)}
    for each in order_ids:
        if len(each) >= _LONG_ENOUGH and each in told:
            seen.orders.add(each)
            text = text.replace(each, " ")
    words = _NO_FAULTS.sub(" ", " ".join(text.lower().replace("_", " ").split()))
    tokens = {*_TOKEN.findall(words)}
    numbers = {token for token in tokens if token.isdecimal()}
    return (
        not tokens.isdisjoint(_DONE)
        and tokens - numbers <= _DONE | _BESIDE
        and numbers <= {str(len(order_ids)), "200", "201", "202"}
    )
