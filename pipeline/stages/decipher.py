"""Decipher: what an answer of the status endpoint means for each row of its call.

One pure function; the one place where transient, held and refused are told apart. The fields of a
2xx answer are not published; sibling endpoints answer with counts and ``errors[]``, so those are
read from ``data`` or else from the top (konnect-api.md, "What is not published").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson

from pipeline.ports import Reply

_NOT_DONE = frozenset({408, 425, 429, 500, 503})
"""Answers that say the call was not carried out: safe to repeat."""

_ID_KEYS = ("orderId", "order_id", "orderid", "shipmentId", "shipment_id", "id")
_INDEX_KEYS = ("index", "idx", "position")
_CODE_KEYS = ("code", "errorCode", "error_code")
_WORD_KEYS = (
    "message",
    "error_message",
    "errorMessage",
    "error",
    "reason",
    "detail",
    "description",
)
_BAD_WORDS = frozenset({"FAILED", "FAILURE", "FAIL", "ERROR", "REJECTED"})
_SPEECH = 300
"""The API's words are cut to this many characters."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The API's word on one row."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer, understood. ``failed`` and ``doubtful`` name places in the call, from 0."""

    meaning: Meaning
    message: str = ""
    failed: Mapping[int, Refusal] = field(default_factory=dict)
    doubtful: frozenset[int] = frozenset()
    retry_after: float | None = None


def decipher(reply: Reply, order_ids: Sequence[str], *, now: datetime) -> Answer:
    """Say what ``reply`` means for the orders of its call, in their order. Never raises."""
    status = reply.status
    if 200 <= status < 300:
        return _taken(reply, order_ids)
    words = _speech(reply)
    if status == 429:
        return Answer(meaning=Meaning.LIMITED, message=words, retry_after=_retry_after(reply, now))
    if status in _NOT_DONE:
        return Answer(meaning=Meaning.RETRY, message=words, retry_after=_retry_after(reply, now))
    if status >= 500:
        return Answer(meaning=Meaning.LOST, message=words, retry_after=_retry_after(reply, now))
    if status == 401:
        return Answer(meaning=Meaning.EXPIRED, message=words)
    if status in {403, 407} or status < 400:
        return Answer(meaning=Meaning.HELD, message=words)
    if status in {404, 405} and not _names_an_order(reply, order_ids):
        return Answer(meaning=Meaning.HELD, message=words)
    return Answer(
        meaning=Meaning.REFUSED, message=words, failed=_named(_errors(_object(reply)), order_ids)[0]
    )


def _taken(reply: Reply, order_ids: Sequence[str]) -> Answer:
    body = _object(reply)
    if body is None:
        return Answer(meaning=Meaning.DOUBT, message="the answer is not a JSON object")
    counts = _counted(body)
    failed, unnamed = _named(_errors(body), order_ids)
    count = counts.get("failedCount")
    everyone = frozenset(range(len(order_ids)))
    if count is not None and count >= len(order_ids):
        word = unnamed or Refusal(code="", message=_speech(reply))
        return Answer(
            meaning=Meaning.DONE, failed={pos: failed.get(pos, word) for pos in sorted(everyone)}
        )
    taken = counts.get("successCount")
    missing = taken is not None and taken < len(order_ids) - len(failed)
    more = count is not None and count > len(failed)
    said_bad = _says_bad(body) and not failed
    if missing or more or unnamed is not None or said_bad:
        return Answer(
            meaning=Meaning.DONE,
            failed=failed,
            doubtful=everyone - failed.keys(),
            message=(unnamed.message if unnamed else "")
            or "the answer counts failures without naming them",
        )
    return Answer(meaning=Meaning.DONE, failed=failed)


def _object(reply: Reply) -> dict[str, Any] | None:
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _inner(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Where counts and errors may lie: in ``data``, else on top."""
    data = body.get("data")
    return [data, body] if isinstance(data, dict) else [body]


def _counted(body: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for level in _inner(body):
        for key in ("successCount", "failedCount"):
            value = level.get(key)
            if isinstance(value, str) and value.isdecimal():
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                counts.setdefault(key, value)
    return counts


def _says_bad(body: dict[str, Any]) -> bool:
    for level in _inner(body):
        if level.get("success") is False:
            return True
        word = level.get("status")
        if isinstance(word, str):
            return word.strip().upper() in _BAD_WORDS
    return False


def _errors(body: dict[str, Any] | None) -> list[Any]:
    for level in _inner(body) if body is not None else []:
        for key in ("errors", "error"):
            value = level.get(key)
            if isinstance(value, list) and value:
                return value
            if isinstance(value, dict) and value:
                # {"<order id>": "why"}, or one error by itself
                known = any(k in value for k in (*_ID_KEYS, *_CODE_KEYS, *_WORD_KEYS))
                return [value] if known else [{"orderId": k, "error": v} for k, v in value.items()]
            if isinstance(value, str) and value.strip():
                return [value]
    return []


def _named(
    errors: Sequence[Any], order_ids: Sequence[str]
) -> tuple[dict[int, Refusal], Refusal | None]:
    """Errors by the place of their order, and one that names no order of this call, if any."""
    if not errors:
        return {}, None
    places = {order_id: pos for pos, order_id in enumerate(order_ids)}
    named: dict[int, Refusal] = {}
    unnamed: Refusal | None = None
    for error in errors:
        pos = _place(error, places, len(order_ids))
        refusal = _refusal(error)
        if pos is None:
            unnamed = unnamed or refusal
        else:
            named.setdefault(pos, refusal)
    return named, unnamed


def _place(error: object, places: Mapping[str, int], size: int) -> int | None:
    if isinstance(error, str):
        found = {places[word] for word in re.findall(r"[A-Za-z0-9_-]+", error) if word in places}
        return found.pop() if len(found) == 1 else None
    if not isinstance(error, dict):
        return None
    for key in _ID_KEYS:
        value = error.get(key)
        if value is not None and not isinstance(value, bool) and str(value).strip() in places:
            return places[str(value).strip()]
    for key in _INDEX_KEYS:
        value = error.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < size:
            return value
    return _place(_words_of(error), places, size)


def _words_of(error: Mapping[str, Any]) -> str:
    for key in _WORD_KEYS:
        value = error.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, dict):
            return _words_of(value)
    return ""


def _refusal(error: object) -> Refusal:
    if isinstance(error, dict):
        code = next((str(error[key]) for key in _CODE_KEYS if error.get(key) is not None), "")
        words = _words_of(error) or orjson.dumps(error, default=str).decode()
        return Refusal(code=_cut(code), message=_cut(words))
    return Refusal(code="", message=_cut(str(error)))


def _names_an_order(reply: Reply, order_ids: Sequence[str]) -> bool:
    text = reply.body.decode("utf-8", "replace")
    return not set(re.findall(r"[A-Za-z0-9_-]+", text)).isdisjoint(order_ids)


def _speech(reply: Reply) -> str:
    """The API's words, as short as they come: a message of its JSON, or the start of the text."""
    body = _object(reply)
    if body is not None:
        for level in _inner(body):
            if words := _words_of(level):
                return _cut(words)
            if errors := _errors(body):
                return _refusal(errors[0]).message
    text = re.sub(r"<[^>]*>", " ", reply.body[:4000].decode("utf-8", "replace"))
    return _cut(text)


def _cut(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _SPEECH else plain[: _SPEECH - 1] + "…"


def _retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None if absent."""
    value = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
