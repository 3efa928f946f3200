"""Read an answer's body, whatever its shape: its errors, the orders they name, its words.

Used by ``parse_status_response`` alone. Everything here takes foreign data: bounded in
depth and length, and never raising.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from pipeline.core.ports import Reply

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST = 256 * 1024
"""Bytes of an answer that are looked into: many times what 20 orders need. A longer one is not
judged, since that would keep all other calls waiting."""

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
_ERROR_KEYS = ("errors", "error", "failed", "failures")
_YES_NO_KEYS = ("success", "ok")
_STATUS_KEYS = ("status", "statusCode", "status_code", "result")

_NO = frozenset({"FALSE", "NO", "0", ""})
_FAILED = re.compile("FAIL|ERROR|REJECT|INVALID")
_BAD = re.compile(
    "FAIL|ERROR|REJECT|INVALID|DENIED|FORBIDDEN|UNAUTH|EXPIRED|TIMEOUT|ABORT|CANCEL|EXCEPTION"
    "|UNAVAILABLE|MAINTENANCE|NOT[ _-]|^(FALSE|NO|KO|NOK|[45][0-9][0-9])$"
)
_HALF_BAD = re.compile("PARTIAL")
_GOOD_CODE = re.compile("0*|2[0-9][0-9]|OK|SUCCESS")
_SPEECH = 300
"""The API's words are cut to this many characters."""

_QUOTED, _UNQUOTED = 6, 12
"""An order's id in the API's words counts from this length on, in quotes and without: a shorter
word may be any number ("at least 10 characters")."""

_WORD = re.compile(r"[A-Za-z0-9_-]+")
_IN_QUOTES = re.compile(r"""["'`‘’“”«»]\s*([A-Za-z0-9_-]+)\s*["'`‘’“”«»]""")

_DEEPEST = 4
"""The depth to which an error is searched for its message."""


class Refusal(Struct, frozen=True, kw_only=True):
    """The API's error for one row."""

    code: str
    message: str


def is_json(reply: Reply) -> bool:
    """Return whether the body is JSON of any kind."""
    try:
        orjson.loads(reply.body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return False
    return True


def json_object(reply: Reply) -> dict[str, Any] | None:
    """Return the body, if it is a JSON object of which each field can be believed.

    None for one that is longer than ``LONGEST``, or has a key twice: it is not known which of the
    two values is meant.
    """
    text = reply.body.removeprefix(BYTE_ORDER_MARK)
    if len(text) > LONGEST:
        return None
    try:
        body = orjson.loads(text)
        if isinstance(body, dict) and not _has_a_key_twice(text):
            return body
    except (orjson.JSONDecodeError, RecursionError):
        pass
    return None


def _has_a_key_twice(text: bytes) -> bool:
    found = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


def levels(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return where counts and errors may lie: in ``data``, else on top, else in ``meta``."""
    return [
        *(each for each in (body.get("data"),) if isinstance(each, dict)),
        body,
        *(each for each in (body.get("meta"),) if isinstance(each, dict)),
    ]


def is_published(body: Mapping[str, Any]) -> bool:
    """Return whether it has the objects ``data`` and ``meta`` that the API publishes."""
    return isinstance(body.get("data"), dict) and isinstance(body.get("meta"), dict)


def says_bad(body: Mapping[str, Any], *, named: bool) -> bool:
    """Return whether it says that something went wrong; ``named``: beyond the rows it names."""
    return any(
        _says_no(level)
        or any(_is_bad(level[key], named=named) for key in _STATUS_KEYS if key in level)
        or not all(_is_good_code(level[key]) for key in _CODE_KEYS if key in level)
        for level in levels(body)
    )


def _says_no(level: Mapping[str, Any]) -> bool:
    values = (level[key] for key in _YES_NO_KEYS if level.get(key) is not None)
    return any(str(value).strip().upper() in _NO for value in values)


def _is_bad(status: object, *, named: bool) -> bool:
    """Return whether this, as the status of an answer, names a failure."""
    if isinstance(status, bool):
        return not status
    word = str(status).strip().upper() if isinstance(status, str | int) else ""
    return bool(_BAD.search(word)) or (bool(_HALF_BAD.search(word)) and not named)


def _is_good_code(code: object) -> bool:
    return code is None or bool(_GOOD_CODE.fullmatch(str(code).strip().upper()))


def errors_of(body: Mapping[str, Any]) -> list[Any]:
    """Return the errors it lists, as they are; the first list that is not empty."""
    for level in levels(body):
        for key in _ERROR_KEYS:
            if found := _listed(level.get(key)):
                return found
    return [item for items in _lists_of(body) for item in _bad_items(items)]


def _lists_of(body: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield lists in which an answer may report each item."""
    if isinstance(body.get("data"), list):
        yield body["data"]
    for level in levels(body):
        yield from (value for value in level.values() if isinstance(value, list))


def _listed(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        # {"<order id>": "why"}, or one error by itself
        known = any(key in value for key in (*_ID_KEYS, *_CODE_KEYS, *_WORD_KEYS))
        return [value] if known else [{"orderId": k, "error": v} for k, v in value.items()]
    if isinstance(value, str) and value.strip():
        return [value]
    return ["the answer names an error"] if value is True else []


def _bad_items(items: Sequence[object]) -> Iterator[object]:
    """Yield the items of an answer that lists all, of those that clearly did not go well."""
    for item in items:
        if not isinstance(item, dict):
            continue
        words = (item[key] for key in _STATUS_KEYS if isinstance(item.get(key), str))
        if (
            any(_listed(item.get(key)) for key in _ERROR_KEYS)
            or _says_no(item)
            or any(_FAILED.search(word.upper()) for word in words)
        ):
            yield item


def name_errors(
    errors: Sequence[Any], order_ids: Sequence[str]
) -> tuple[dict[int, Refusal], Refusal | None]:
    """Return errors by the place of their order, and one that names no order of the call."""
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
    """Return the place by order id; else by index; else by the one order that its words mention."""
    if isinstance(error, dict):
        ids = [error[key] for key in _ID_KEYS if isinstance(error.get(key), str | int)]
        for value in ids:
            if str(value).strip() in places:
                return places[str(value).strip()]
        if any(key in error for key in _ID_KEYS[:-1]):
            return None  # an order, but none of this call
        for key in _INDEX_KEYS:
            if (at := _whole_number(error.get(key))) is not None:
                words = set(_WORD.findall(_message_of(error)))
                others = {place for word, place in places.items() if word in words} - {at}
                return at if at < size and not others else None  # index and words may disagree
        error = _message_of(error)
    if not isinstance(error, str):
        return None
    found = {places[word] for word in _mentioned(error) if word in places}
    return found.pop() if len(found) == 1 else None


def _mentioned(text: str) -> Iterator[str]:
    """Yield the words of a text that may be an order's id and hardly anything else."""
    if len(whole := text.strip()) >= _QUOTED:
        yield whole
    yield from (word for word in _IN_QUOTES.findall(text) if len(word) >= _QUOTED)
    yield from (word for word in _WORD.findall(text) if len(word) >= _UNQUOTED)


def _whole_number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _message_of(error: Mapping[str, Any], depth: int = 0) -> str:
    for key in _WORD_KEYS:
        value = error.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, dict) and depth < _DEEPEST:
            return _message_of(value, depth + 1)
    return ""


def _refusal(error: object) -> Refusal:
    if isinstance(error, dict):
        code = next((str(error[key]) for key in _CODE_KEYS if error.get(key) is not None), "")
        words = _message_of(error) or _as_text(error)
        return Refusal(code=_cut(code), message=_cut(words))
    return Refusal(code="", message=_cut(str(error)))


def _as_text(error: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(error).decode()
    except orjson.JSONEncodeError:  # nested too deep to be meant
        return "an error without a message"


def names_an_order(reply: Reply, order_ids: Sequence[str]) -> bool:
    """Return whether the body speaks of an order of this call: in an id field, or in its words."""
    body = json_object(reply)
    if body is None:
        text = reply.body[:LONGEST].decode("utf-8", "replace")
        return not set(_mentioned(text)).isdisjoint(order_ids)
    if name_errors(errors_of(body), order_ids)[0]:
        return True
    return any(
        str(level.get(key, "")).strip() in order_ids for level in levels(body) for key in _ID_KEYS
    ) or any(not set(_mentioned(_message_of(each))).isdisjoint(order_ids) for each in levels(body))


def speech(reply: Reply, body: Mapping[str, Any] | None) -> str:
    """Return the API's words in short: a message of its JSON, or the start of the text."""
    for level in levels(body) if body is not None else ():
        if words := _message_of(level):
            return _cut(words)
    if body is not None and (errors := errors_of(body)):
        return _refusal(errors[0]).message
    text = re.sub(r"<[^>]*>", " ", reply.body[:4000].decode("utf-8", "replace"))
    return _cut(text)


def _cut(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[:4000]).split())
    return plain if len(plain) <= _SPEECH else plain[: _SPEECH - 1] + "…"
