"""Decipher: what an answer of the status endpoint means for each row of its call.

One pure function; the one place where transient, held and refused are told apart. The fields of a
2xx answer are not published; sibling endpoints answer with counts and ``errors[]``, so those are
read from ``data`` or else from the top (konnect-api.md, "What is not published"). Where what is
said does not add up, the rows it leaves open are in doubt: neither accepted nor failed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from pipeline.ports import Reply
from pipeline.stages.answers import (
    Refusal,
    errors_of,
    json_object,
    levels,
    name_errors,
    names_an_order,
    speech,
)

_NOT_DONE = frozenset({408, 425, 429, 500, 503})
"""Answers that say the call was not carried out: safe to repeat."""

_BAD = frozenset({"FAILED", "FAILURE", "FAIL", "ERROR", "REJECTED"})
_HALF_BAD = frozenset({"PARTIAL", "PARTIAL_SUCCESS", "PARTIALLY_FAILED", "PARTIAL_FAILURE"})


class Meaning(StrEnum):
    """What to do about an answer."""

    DONE = "done"  # taken, except the rows in ``failed`` and ``doubtful``
    DOUBT = "doubt"  # taken or not: ask, never resend after a 2xx
    RETRY = "retry"  # not done: try again
    LIMITED = "limited"  # not done: too fast (429)
    LOST = "lost"  # no trustworthy answer (502, 504): done or not
    EXPIRED = "expired"  # 401: one new token, then hold
    HELD = "held"  # the API will not take us at all
    REFUSED = "refused"  # this content is refused whole


class Answer(Struct, frozen=True, kw_only=True):
    """An answer, understood. ``failed`` and ``doubtful`` name places in the call, from 0."""

    meaning: Meaning
    message: str = ""
    failed: Mapping[int, Refusal] = field(default_factory=dict)
    doubtful: frozenset[int] = frozenset()
    retry_after: float | None = None


_ALL_TAKEN = Answer(meaning=Meaning.DONE)
_FINE = (None, "SUCCESS")
_NOTHING: tuple[object, ...] = (None, {})
_PLAIN = frozenset({"payloadCount", "successCount", "failedCount", "status", "errors"})


def decipher(reply: Reply, order_ids: Sequence[str], *, now: datetime) -> Answer:
    """Say what ``reply`` means for the orders of its call, in their order. Never raises."""
    status = reply.status
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
        return Answer(meaning=Meaning.DOUBT, message="the answer is not a JSON object")
    size = len(order_ids)
    if _plainly_well(body, size):
        return _ALL_TAKEN
    counts = _counted(body)
    named, unnamed = name_errors(errors_of(body), order_ids)
    count, taken = counts.get("failedCount"), counts.get("successCount", counts.get("payloadCount"))
    if count == size and not counts.get("successCount"):
        word = unnamed or Refusal(code="", message=speech(reply, body))
        return Answer(
            meaning=Meaning.DONE, failed={pos: named.get(pos, word) for pos in range(size)}
        )
    everyone = frozenset(range(size))
    if count is not None and (count < len(named) or count > size):
        # It fails fewer than it names, or more than there are: not one row of it can be trusted.
        words = "the answer's counts and errors do not agree"
        return Answer(meaning=Meaning.DONE, doubtful=everyone, message=words)
    short = taken is not None and taken < size - len(named)
    more = count is not None and count > len(named)
    if short or more or unnamed is not None or _says_bad(body, named=bool(named)):
        return Answer(
            meaning=Meaning.DONE,
            failed=named,
            doubtful=everyone - named.keys(),
            message=(unnamed.message if unnamed else "")
            or "the answer counts failures without naming them",
        )
    return Answer(meaning=Meaning.DONE, failed=named)


def _plainly_well(body: Mapping[str, Any], size: int) -> bool:
    """The one shape that nearly every answer has; nothing else is said in it. Only a short cut."""
    data = body.get("data")
    return (
        isinstance(data, dict)
        and data.get("failedCount") == 0
        and data.get("successCount") == size
        and data.get("errors") == []
        and data.get("status") in _FINE
        and body.get("meta") in _NOTHING
        and data.keys() <= _PLAIN
        and len(body) <= 1 + ("meta" in body)
    )


def _counted(body: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for level in levels(body):
        for key in ("payloadCount", "successCount", "failedCount"):
            number = _number(level.get(key))
            if number is not None:
                counts.setdefault(key, number)
    return counts


def _number(value: object) -> int | None:
    """A count, also when it is written as text or with a fraction of nothing."""
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() and len(value) < 10 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _says_bad(body: Mapping[str, Any], *, named: bool) -> bool:
    """It says that something went wrong, beyond the rows it names."""
    meta = body.get("meta")
    for level in (*levels(body), meta if isinstance(meta, dict) else {}):
        if str(level.get("success", "")).strip().lower() == "false":
            return True
        for key in ("status", "statusCode"):
            word = level.get(key)
            if isinstance(word, str):
                word = word.strip().upper()
                if word in _BAD or (word in _HALF_BAD and not named):
                    return True
                word = int(word) if word.isdecimal() and len(word) == 3 else None
            if isinstance(word, int) and 400 <= word < 600:
                return True
    return False


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None if absent."""
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
