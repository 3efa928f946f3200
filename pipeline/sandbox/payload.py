"""Check the body of a status call: the faults for which the API refuses the whole array."""

from collections.abc import Mapping
from typing import Final

import orjson
from msgspec import Struct

from pipeline.sandbox.rules import BEFORE, MAX_ITEMS, State

_ITEM_KEYS: Final = frozenset({"orderId", "orderStatus", "meta"})
_META_TYPES: Final[Mapping[str, type]] = {
    "remark": str,
    "reasonCode": int,
    "dpLocation": str,
    "promised_delivery_date": str,
    "estimated_delivery_date": str,
}
_TYPE_NAMES: Final[Mapping[type, str]] = {str: "a string", int: "an integer"}
_STATUSES: Final[Mapping[str, State]] = {status.value: status for status in BEFORE}


class CallRefusedError(Exception):
    """The whole call is refused and nothing of it was applied."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status and the sentence for the answer."""
        super().__init__(message)
        self.status = status
        self.message = message


class Update(Struct, frozen=True, kw_only=True):
    """One checked item of a call."""

    order_id: str
    status: State
    meta: Mapping[str, str | int] | None


def parse(body: bytes) -> object:
    """Return the JSON value in `body`; raises CallRefusedError (400) when it is not JSON."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise CallRefusedError(400, f"the body is not JSON: {exc}") from exc
    return value


def check(payload: object) -> list[Update]:
    """Return the updates in a call's parsed body, in order.

    Raises CallRefusedError (400) that names the first wrong item by index, and its key.
    """
    if not isinstance(payload, list):
        raise CallRefusedError(400, "the body must be an array")
    if not 1 <= len(payload) <= MAX_ITEMS:
        raise CallRefusedError(400, f"the array must hold 1 to {MAX_ITEMS} items: {len(payload)}")
    updates = [_item(index, item) for index, item in enumerate(payload)]
    _no_order_twice(updates)
    return updates


def _item(index: int, item: object) -> Update:
    if not isinstance(item, dict):
        raise _wrong(index, "", "must be an object")
    for key in item:
        if key not in _ITEM_KEYS:
            raise _wrong(index, key, "is unknown")
    order_id = item.get("orderId")
    if not isinstance(order_id, str) or not order_id.strip():
        raise _wrong(index, "orderId", "must be a non-empty string")
    status = item.get("orderStatus")
    if not isinstance(status, str) or status not in _STATUSES:
        raise _wrong(index, "orderStatus", f"must be one of {', '.join(_STATUSES)}")
    meta = item.get("meta")
    if "meta" in item:
        _check_meta(index, meta)
    return Update(order_id=order_id, status=_STATUSES[status], meta=meta)


def _check_meta(index: int, meta: object) -> None:
    if not isinstance(meta, dict):
        raise _wrong(index, "meta", "must be an object")
    for key, value in meta.items():
        expected = _META_TYPES.get(key)
        if expected is None:
            raise _wrong(index, f"meta.{key}", "is unknown")
        # `type` and not `isinstance`: true is no integer.
        if type(value) is not expected:
            raise _wrong(index, f"meta.{key}", f"must be {_TYPE_NAMES[expected]}")
        if expected is str and value in {"", "nan", "NaN"}:
            raise _wrong(index, f"meta.{key}", "must not be empty or nan: leave it out")


def _no_order_twice(updates: list[Update]) -> None:
    first: dict[str, int] = {}
    for index, update in enumerate(updates):
        earlier = first.setdefault(update.order_id, index)
        if earlier != index:
            raise _wrong(index, "orderId", f"repeats the order of item {earlier}")


def _wrong(index: int, key: str, what: str) -> CallRefusedError:
    return CallRefusedError(400, f"item {index}: {key} {what}".replace("  ", " "))
