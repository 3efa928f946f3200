"""Answers: what an answer's body says, whatever its shape: its errors, whom they name, its words.

Used by ``decipher`` alone, which says what follows. Everything here takes foreign data: bounded in
depth and length, and never raising.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from pipeline.ports import Reply

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
_SPEECH = 300
"""The API's words are cut to this many characters."""

_DEEPEST = 4
"""How deep an error may hide its words."""


class Refusal(Struct, frozen=True, kw_only=True):
    """The API's word on one row."""

    code: str
    message: str


def json_object(reply: Reply) -> dict[str, Any] | None:
    """The body, if it is a JSON object."""
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def levels(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where counts and errors may lie: in ``data``, else on top."""
    data = body.get("data")
    return [data, body] if isinstance(data, dict) else [body]


def errors_of(body: Mapping[str, Any]) -> list[Any]:
    """The errors it lists, as they are; the first list that is not empty."""
    for level in levels(body):
        for key in _ERROR_KEYS:
            if found := _listed(level.get(key)):
                return found
    data = body.get("data")
    return list(_bad_items(data)) if isinstance(data, list) else []


def _listed(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        # {"<order id>": "why"}, or one error by itself
        known = any(key in value for key in (*_ID_KEYS, *_CODE_KEYS, *_WORD_KEYS))
        return [value] if known else [{"orderId": k, "error": v} for k, v in value.items()]
    if isinstance(value, str) and value.strip():
        return [value]
    return ["the answer speaks of an error"] if value is True else []


def _bad_items(items: Sequence[object]) -> Iterator[object]:
    """An answer that lists every item: those of them that did not go well."""
    for item in items:
        if not isinstance(item, dict):
            continue
        word = str(item.get("status", "")).strip().upper()
        said = any(_listed(item.get(key)) for key in _ERROR_KEYS)
        if said or item.get("success") is False or re.search("FAIL|ERROR|REJECT|INVALID", word):
            yield item


def name_errors(
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
    """By order id; else by index; else by the one order that its words mention."""
    if isinstance(error, dict):
        ids = [error[key] for key in _ID_KEYS if isinstance(error.get(key), str | int)]
        for value in ids:
            if str(value).strip() in places:
                return places[str(value).strip()]
        if any(key in error for key in _ID_KEYS[:-1]):
            return None  # an order, but none of this call
        for key in _INDEX_KEYS:
            if (at := _whole_number(error.get(key))) is not None:
                return at if at < size else None
        error = _words_of(error)
    if not isinstance(error, str):
        return None
    found = {places[word] for word in re.findall(r"[A-Za-z0-9_-]+", error) if word in places}
    return found.pop() if len(found) == 1 else None


def _whole_number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _words_of(error: Mapping[str, Any], depth: int = 0) -> str:
    for key in _WORD_KEYS:
        value = error.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, dict) and depth < _DEEPEST:
            return _words_of(value, depth + 1)
    return ""


def _refusal(error: object) -> Refusal:
    if isinstance(error, dict):
        code = next((str(error[key]) for key in _CODE_KEYS if error.get(key) is not None), "")
        words = _words_of(error) or _as_text(error)
        return Refusal(code=_cut(code), message=_cut(words))
    return Refusal(code="", message=_cut(str(error)))


def _as_text(error: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(error).decode()
    except orjson.JSONEncodeError:  # nested deeper than anybody means
        return "an error without words"


def names_an_order(reply: Reply, order_ids: Sequence[str]) -> bool:
    """Whether the body speaks of an order of this call."""
    text = reply.body.decode("utf-8", "replace")
    return not set(re.findall(r"[A-Za-z0-9_-]+", text)).isdisjoint(order_ids)


def speech(reply: Reply, body: Mapping[str, Any] | None) -> str:
    """The API's words, as short as they come: a message of its JSON, or the start of the text."""
    for level in levels(body) if body is not None else ():
        if words := _words_of(level):
            return _cut(words)
    if body is not None and (errors := errors_of(body)):
        return _refusal(errors[0]).message
    text = re.sub(r"<[^>]*>", " ", reply.body[:4000].decode("utf-8", "replace"))
    return _cut(text)


def _cut(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[:4000]).split())
    return plain if len(plain) <= _SPEECH else plain[: _SPEECH - 1] + "…"
