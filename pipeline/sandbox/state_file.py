"""Keep what a sandbox holds over a restart: its orders with their histories, and the counts."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.sandbox.core import Accepted, BodyTally, Order, Sandbox
from pipeline.sandbox.rules import OrderState

_EVERY_SECONDS: Final = 1.0


class _Update(Struct, frozen=True, array_like=True):
    """One update of a history, as it is kept."""

    status: OrderState
    call: int
    at: float
    meta: str | None


class _Order(Struct, frozen=True):
    state: OrderState
    history: list[_Update]


class _Kept(Struct, frozen=True):
    orders: dict[str, _Order]
    tally: BodyTally


def take_up(sandbox: Sandbox, path: Path) -> None:
    """Have a sandbox go on where the file left off; where there is none it begins anew.

    Raises OSError, and ValueError for a file that is none of a sandbox.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return
    except msgspec.MsgspecError as exc:
        msg = f"{path} holds no state of a sandbox: {exc}"
        raise ValueError(msg) from exc
    orders = {
        order_id: Order(
            each.state,
            [
                Accepted(u.status, u.call, u.at, None if u.meta is None else u.meta.encode())
                for u in each.history
            ],
        )
        for order_id, each in kept.orders.items()
    }
    sandbox.go_on(orders, kept.tally)


def keep(sandbox: Sandbox, path: Path) -> None:
    """Write what a sandbox holds; whole, or not at all. Raises OSError."""
    orders = {
        order_id: _Order(
            order.state,
            [
                _Update(u.status, u.call, u.at, None if u.meta is None else u.meta.decode())
                for u in order.history
            ],
        )
        for order_id, order in sandbox.orders()
    }
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(msgspec.json.encode(_Kept(orders, sandbox.tally)))
    temporary.replace(path)


async def keep_up(current: Callable[[], Sandbox], path: Path) -> None:
    """Write it again whenever it has changed, once a second at most, until cancelled."""
    known: tuple[Sandbox, int] | None = None
    while True:
        sandbox = current()
        if known is None or known[0] is not sandbox or known[1] != sandbox.tally.accepted:
            known = (sandbox, sandbox.tally.accepted)
            keep(sandbox, path)
        await asyncio.sleep(_EVERY_SECONDS)
