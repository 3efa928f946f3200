"""The settings of a sandbox, the orders it starts with, and its clock.

Wrong values raise pydantic.ValidationError, a ValueError.
"""

import csv
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from pipeline.sandbox.answers import UNCLEAR, Unclear

MAX_ITEMS: Final = 20
MAX_BODY_BYTES: Final = 1_000_000


class OrderState(StrEnum):
    """The state of an order."""

    DP_ASSIGNED = "dp_assigned"  # a courier has it to pick up
    BAG_PICKED = "bag_picked"
    DELIVERY_DONE = "delivery_done"
    RTO_BAG_DELIVERED = "rto_bag_delivered"  # never reached the customer, back at the seller
    RETURN_DP_ASSIGNED = "return_dp_assigned"  # a customer's return has a courier
    RETURN_BAG_IN_TRANSIT = "return_bag_in_transit"
    RETURN_BAG_DELIVERED = "return_bag_delivered"
    CANCELLED = "cancelled"  # takes no update
    NOT_SELF_SHIP = "not_self_ship"  # takes no update: another model ships it


# A delivered order may begin its return leg: the assignment of the return's courier happens on
# the other side, where we cannot see it.
MOVES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    OrderState.DP_ASSIGNED: frozenset({OrderState.BAG_PICKED}),
    OrderState.BAG_PICKED: frozenset({OrderState.DELIVERY_DONE, OrderState.RTO_BAG_DELIVERED}),
    OrderState.DELIVERY_DONE: frozenset({OrderState.RETURN_BAG_IN_TRANSIT}),
    OrderState.RTO_BAG_DELIVERED: frozenset(),
    OrderState.RETURN_DP_ASSIGNED: frozenset({OrderState.RETURN_BAG_IN_TRANSIT}),
    OrderState.RETURN_BAG_IN_TRANSIT: frozenset({OrderState.RETURN_BAG_DELIVERED}),
    OrderState.RETURN_BAG_DELIVERED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.NOT_SELF_SHIP: frozenset(),
}

# The statuses a call may carry, each with the state an unseen order is taken to stand in before it.
BEFORE: Final[Mapping[OrderState, OrderState]] = {
    OrderState.BAG_PICKED: OrderState.DP_ASSIGNED,
    OrderState.DELIVERY_DONE: OrderState.BAG_PICKED,
    OrderState.RTO_BAG_DELIVERED: OrderState.BAG_PICKED,
    OrderState.RETURN_BAG_IN_TRANSIT: OrderState.RETURN_DP_ASSIGNED,
    OrderState.RETURN_BAG_DELIVERED: OrderState.RETURN_BAG_IN_TRANSIT,
}

# The coarser vocabulary of `shipment/info`. CANCELLED is not published; it has to say something.
COARSE: Final[Mapping[OrderState, str]] = {
    OrderState.DP_ASSIGNED: "PROCESSING",
    OrderState.BAG_PICKED: "TRANSIT",
    OrderState.DELIVERY_DONE: "DELIVERED",
    OrderState.RTO_BAG_DELIVERED: "RETURN_DELIVERED",
    OrderState.RETURN_DP_ASSIGNED: "RETURN_PROCESSING",
    OrderState.RETURN_BAG_IN_TRANSIT: "RETURN_PROCESSING",
    OrderState.RETURN_BAG_DELIVERED: "RETURN_DELIVERED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.NOT_SELF_SHIP: "PROCESSING",
}


class Clock:
    """The sandbox's clock: that of the machine."""

    def now(self) -> float:
        """Return the wall clock, in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for intervals."""
        return time.monotonic()


Rate = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
HttpStatus = Annotated[int, Field(ge=200, le=599)]

_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Faults:
    """Everything that can be made to go wrong; the defaults are a perfect day.

    A rate is the probability that one status call meets the fault. At most one fault befalls a
    call, and the fields stand in the order in which they are tried.
    """

    latency_ms: Annotated[float, Field(ge=0)] = 0
    jitter_ms: Annotated[float, Field(ge=0)] = 0  # up to this much on top of the latency
    status_all: Annotated[int, Field(ge=0, le=599)] = 0  # every PUT gets this; 0: off
    down_seconds: tuple[Seconds, Seconds] | None = None  # 503 from A to B seconds after the start
    limit_per_second: Seconds = 0  # 0: no limit
    limit_burst: Count = 0  # how many calls may come at once; 0: one second's worth
    retry_after_form: Literal["seconds", "date", "none"] = "seconds"
    fail_first: Count = 0  # the first N PUTs fail
    fail_rate: Rate = 0
    fail_status: Annotated[tuple[HttpStatus, ...], Field(min_length=1)] = (500,)
    reset_rate: Rate = 0  # connection reset, nothing applied
    lose_rate: Rate = 0  # applied, connection dropped without an answer
    stall_rate: Rate = 0  # applied, answered late
    stall_seconds: Seconds = 60
    html_rate: Rate = 0  # a proxy's page; a 2xx was applied, for others a coin decides
    html_status: Annotated[tuple[HttpStatus, ...], Field(min_length=1)] = (200, 502)
    truncate_rate: Rate = 0  # applied, the answer's body is cut off
    truncate_form: Literal["json", "wire"] = "json"  # wire: fewer bytes than Content-Length says
    unclear_rate: Rate = 0  # an answer that does not say whether the call was taken
    unclear_shape: Annotated[tuple[Unclear, ...], Field(min_length=1)] = UNCLEAR
    unclear_applied: Rate = 0  # how often such a call was applied all the same
    unclear_info: bool = False  # shipment/info answers so as well, with the first of the shapes
    refuse_orders: frozenset[str] = frozenset()  # these orders fail, by name
    poison_orders: frozenset[str] = frozenset()  # a call with one of these is refused, unnamed
    partial_shape: Literal["data", "top", "strings", "index", "counts"] = "data"
    token_ttl_seconds: Seconds = 0  # of fetched tokens; 0: they last
    expire_token_after: Count = 0  # after N good PUTs every token dies, once; 0: off
    info_status: Annotated[int, Field(ge=0, le=599)] = 0  # every shipment/info gets this; 0: off
    token_status: Annotated[int, Field(ge=0, le=599)] = 0  # every token request gets this; 0: off

    @model_validator(mode="after")
    def _check(self) -> "Faults":
        """Refuse faults that only show when two values are compared."""
        if self.down_seconds is not None and self.down_seconds[0] > self.down_seconds[1]:
            msg = "down_seconds: A must not be after B"
            raise ValueError(msg)
        for name in ("status_all", "info_status", "token_status"):
            if 0 < getattr(self, name) < 200:
                msg = f"{name}: 0 or 200 to 599"
                raise ValueError(msg)
        return self


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class SandboxConfig:
    """The settings of a sandbox: address, tokens, orders, faults."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0  # 0: any free one
    token: str = "sandbox-token"  # the published token of a loopback stand-in
    username: str | None = None  # None: any name and password get a token
    password: str | None = None
    token_field: str = "access_token"  # a field's name; dots nest: data.token
    seed: int = 0
    unknown_orders: Literal["infer", "dp_assigned", "refuse"] = "infer"
    repeat: Literal["refuse", "accept"] = "refuse"
    orders: Mapping[str, OrderState] = Field(default_factory=dict)
    call_log: Count = 10_000  # how many calls to remember; 0: none
    keep_meta: bool = True  # remember the meta of accepted updates
    access_log: bool = False  # a log line per call
    keepalive_seconds: Seconds = 75  # idle connections are closed after this
    state_file: Path | None = None  # what it holds is kept there over a restart
    faults: Faults = Field(default_factory=Faults)


def readable(exc: ValidationError) -> str:
    """Return the error in one line: `fail_rate: Input should be less than or equal to 1`."""
    return "; ".join(
        ": ".join([*(str(part) for part in error["loc"]), error["msg"]]) for error in exc.errors()
    )


def load_orders(path: Path) -> dict[str, OrderState]:
    """Return order id → state from a file.

    `.json`: an object of id to state, or an array of `{"order_id", "state"}`. Anything else: CSV
    with the columns `order_id` and `state`. Raises OSError, or ValueError that names the place.
    """
    if path.suffix.casefold() == ".json":
        return _from_json(orjson.loads(path.read_bytes()))
    return _from_csv(path)


def _from_json(value: object) -> dict[str, OrderState]:
    match value:
        case dict():
            return {order_id: _state(state, order_id) for order_id, state in value.items()}
        case list():
            return dict(_pair(entry, f"entry {index}") for index, entry in enumerate(value))
        case _:
            msg = "orders: neither an object nor an array"
            raise ValueError(msg)


def _from_csv(path: Path) -> dict[str, OrderState]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return dict(
            _pair(row, f"line {number}") for number, row in enumerate(csv.DictReader(lines), 2)
        )


def _pair(entry: object, place: str) -> tuple[str, OrderState]:
    columns = entry if isinstance(entry, dict) else {}
    order_id = columns.get("order_id")
    if not isinstance(order_id, str) or not order_id:
        msg = f"orders, {place}: order_id and state are needed"
        raise ValueError(msg)
    return order_id, _state(columns.get("state"), place)


def _state(value: object, place: str) -> OrderState:
    try:
        return OrderState(str(value))
    except ValueError as exc:
        msg = f"orders, {place}: state is one of {', '.join(OrderState)}"
        raise ValueError(msg) from exc
