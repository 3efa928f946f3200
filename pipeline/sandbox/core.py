"""The sandbox's rules: what a call may hold, orders, their states, and its result. No I/O."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import orjson
from msgspec import Struct, field

from pipeline.sandbox.config import (
    BEFORE,
    COARSE,
    MAX_ITEMS,
    MOVES,
    Clock,
    OrderState,
    SandboxConfig,
)

_ITEM_KEYS: Final = frozenset({"orderId", "orderStatus", "meta"})
_META_TYPES: Final[Mapping[str, type]] = {
    "remark": str,
    "reasonCode": int,
    "dpLocation": str,
    "promised_delivery_date": str,
    "estimated_delivery_date": str,
}
_TYPE_NAMES: Final[Mapping[type, str]] = {str: "a string", int: "an integer"}
_STATUSES: Final[Mapping[str, OrderState]] = {status.value: status for status in BEFORE}


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
    status: OrderState
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


_NO_ORDERS: frozenset[str] = frozenset()


class RowError(Struct, frozen=True, kw_only=True):
    """One item that was refused while the call as a whole was taken."""

    index: int
    order_id: str
    code: str
    message: str


class CallResult(Struct, frozen=True, kw_only=True):
    """The result of a call: how many items it had, and which of them were refused."""

    count: int
    errors: tuple[RowError, ...]


class Accepted(NamedTuple):
    """One update that was applied."""

    status: OrderState
    call: int
    at: float
    meta: str | None  # as JSON: a tenth of a dictionary's memory


class Order(Struct):
    """An order: where it stands and how it came there."""

    state: OrderState
    history: list[Accepted] = field(default_factory=list)


class BodyTally(Struct):
    """Running counts of items."""

    accepted: int = 0
    refused: int = 0  # refused one by one, in a call that was taken
    illegal: int = 0  # of those: moves that the table forbids
    repeats: int = 0  # of those: the status the order already had
    duplicates: int = 0  # accepted although the same order and status had been applied before


class Sandbox:
    """The API's memory and judgement, usable without a server."""

    def __init__(self, config: SandboxConfig, clock: Clock) -> None:
        """Start with the configured orders."""
        self._config = config
        self._clock = clock
        self._orders = {order_id: Order(state) for order_id, state in config.orders.items()}
        self.tally = BodyTally()

    def __len__(self) -> int:
        """Return how many orders are known."""
        return len(self._orders)

    def orders(self) -> Iterator[tuple[str, Order]]:
        """Return every known order with its id."""
        return iter(self._orders.items())

    def go_on(self, orders: dict[str, Order], tally: BodyTally) -> None:
        """Hold these orders and counts, as a sandbox before this one did."""
        self._orders, self.tally = orders, tally

    def order(self, order_id: str) -> Order | None:
        """Return an order, or None when it is unknown."""
        return self._orders.get(order_id)

    def where(self, order_id: str) -> str | None:
        """Return an order's state in the words of `shipment/info`, or None when it is unknown."""
        order = self._orders.get(order_id)
        return None if order is None else COARSE[order.state]

    def apply(
        self,
        items: object,
        *,
        call: int = 0,
        refuse: frozenset[str] = _NO_ORDERS,
        poison: frozenset[str] = _NO_ORDERS,
    ) -> CallResult:
        """Apply a call's parsed body and return the result of each item.

        `call` is the number written into the history; items of orders in `refuse` fail one by
        one. Raises CallRefusedError, with nothing applied, when the array breaks the published
        form (400) or holds an order of `poison` (422).
        """
        updates = check(items)
        if poison and any(update.order_id in poison for update in updates):
            raise CallRefusedError(422, "the payload could not be processed")
        now = self._clock.now()
        errors = []
        for index, update in enumerate(updates):
            fault = self._refuse_one(update.order_id, refuse) or self._advance(update, call, now)
            if fault is not None:
                code, message = fault
                errors.append(
                    RowError(index=index, order_id=update.order_id, code=code, message=message)
                )
        self.tally.refused += len(errors)
        return CallResult(count=len(updates), errors=tuple(errors))

    def _refuse_one(self, order_id: str, refuse: frozenset[str]) -> tuple[str, str] | None:
        if order_id in refuse:
            return "D422", "order is refused on request"
        order = self._orders.get(order_id)
        if order is None:
            if self._config.unknown_orders == "refuse":
                return "O404", "order not found"
            return None
        if order.state is OrderState.CANCELLED:
            return "O400", "order is cancelled"
        if order.state is OrderState.NOT_SELF_SHIP:
            return "D422", "order is not on the self-ship model"
        return None

    def _advance(self, update: Update, call: int, now: float) -> tuple[str, str] | None:
        """Move the order, or say why not. An order that is refused is not created by it."""
        order = self._orders.get(update.order_id)
        known = order is not None
        if order is None:
            order = Order(self._first_state(update.status))
        status = update.status
        if status is order.state:
            if self._config.repeat == "refuse":
                self.tally.repeats += 1
                return "O400", f"order is already in {status}"
        elif status not in MOVES[order.state]:
            self.tally.illegal += 1
            return "D422", f"order cannot move from {order.state} to {status}"
        if not known:
            self._orders[update.order_id] = order
        self._record(order, update, call, now)
        return None

    def _first_state(self, status: OrderState) -> OrderState:
        return BEFORE[status] if self._config.unknown_orders == "infer" else OrderState.DP_ASSIGNED

    def _record(self, order: Order, update: Update, call: int, now: float) -> None:
        if any(earlier.status is update.status for earlier in order.history):
            self.tally.duplicates += 1
        self.tally.accepted += 1
        keep = self._config.keep_meta and update.meta is not None
        meta = orjson.dumps(update.meta).decode() if keep else None
        order.history.append(Accepted(update.status, call, now, meta))
        order.state = update.status
