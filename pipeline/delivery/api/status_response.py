"""Parse an answer of the status endpoint: its meaning for each row of its call.

One pure function; the one place that tells transient, held and refused answers apart. The table of
docs/contract.md, "What the API's answers mean", has each shape. A success is what has the published
shape (the objects ``data`` and ``meta``) or the counts of the sibling endpoints, adding up, and
names no failure anywhere; all else under 2xx is in doubt: neither accepted nor failed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from pipeline.core.ports import Reply
from pipeline.delivery.api.all_taken import speaks_against
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
