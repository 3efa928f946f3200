"""Read the orders a sandbox starts with from a JSON or CSV file."""

import csv
from pathlib import Path

import orjson

from pipeline.sandbox.rules import State


def load_orders(path: Path) -> dict[str, State]:
    """Return order id → state from a file.

    `.json`: an object of id to state, or an array of `{"order_id", "state"}`. Anything else: CSV
    with the columns `order_id` and `state`. Raises OSError, or ValueError that names the place.
    """
    if path.suffix.casefold() == ".json":
        return _from_json(orjson.loads(path.read_bytes()))
    return _from_csv(path)


def _from_json(value: object) -> dict[str, State]:
    match value:
        case dict():
            return {order_id: _state(state, order_id) for order_id, state in value.items()}
        case list():
            return dict(_pair(entry, f"entry {index}") for index, entry in enumerate(value))
        case _:
            msg = "orders: neither an object nor an array"
            raise ValueError(msg)


def _from_csv(path: Path) -> dict[str, State]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return dict(
            _pair(row, f"line {number}") for number, row in enumerate(csv.DictReader(lines), 2)
        )


def _pair(entry: object, place: str) -> tuple[str, State]:
    columns = entry if isinstance(entry, dict) else {}
    order_id = columns.get("order_id")
    if not isinstance(order_id, str) or not order_id:
        msg = f"orders, {place}: order_id and state are needed"
        raise ValueError(msg)
    return order_id, _state(columns.get("state"), place)


def _state(value: object, place: str) -> State:
    try:
        return State(str(value))
    except ValueError as exc:
        msg = f"orders, {place}: state is one of {', '.join(State)}"
        raise ValueError(msg) from exc
