"""Everything a running sandbox remembers, in one place that a reset can replace."""

import random
from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from pipeline.sandbox.calls import CallLog, Kind, Stats
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.core import Order, Sandbox
from pipeline.sandbox.faults import FaultInjector
from pipeline.sandbox.payload import CallRefusedError
from pipeline.sandbox.tokens import TokenStore


class Backend(Struct, frozen=True, kw_only=True):
    """The parts behind the endpoints, and the questions that may be asked about them."""

    sandbox: Sandbox
    tokens: TokenStore
    faults: FaultInjector
    calls: CallLog

    def stats(self) -> Stats:
        """Return the counts since the start or the last reset."""
        tally, calls = self.sandbox.tally, self.calls
        return Stats(
            orders=len(self.sandbox),
            accepted=tally.accepted,
            refused=tally.refused,
            illegal=tally.illegal,
            repeats=tally.repeats,
            duplicates=tally.duplicates,
            info_calls=calls.kinds[Kind.INFO],
            token_calls=calls.kinds[Kind.TOKEN],
            calls=calls.kinds[Kind.STATUS],
            calls_refused=calls.refused,
            max_items=calls.max_items,
            max_concurrency=calls.max_running,
            status_codes=dict(calls.statuses),
            faults={str(kind): count for kind, count in calls.faults.items()},
        )

    def orders(self, order_id: str | None = None) -> dict[str, Any]:
        """Return state and history of one order, or of all: `{id: {"state", "history"}}`."""
        if order_id is not None:
            order = self.sandbox.order(order_id)
            return {} if order is None else {order_id: _described(order)}
        return {known_id: _described(order) for known_id, order in self.sandbox.orders()}

    def change_faults(self, changes: Mapping[str, object]) -> dict[str, Any]:
        """Replace the named faults and return all that are in force.

        Naming `expire_token_after` counts anew and revives the fixed token; `revive_token: true`
        only revives it. Raises CallRefusedError (400) for an unknown name or a wrong value.
        """
        wanted = dict(changes)
        revive = wanted.pop("revive_token", False)
        if not isinstance(revive, bool):
            raise CallRefusedError(400, "revive_token: true or false")
        faults = self.faults.change(wanted)
        rearm = "expire_token_after" in wanted
        self.tokens.adopt(faults, rearm=rearm, revive=revive or rearm)
        return self.faults.described()


def build_backend(config: SandboxConfig, clock: Clock, rng: random.Random) -> Backend:
    """Return a fresh backend for `config`."""
    return Backend(
        sandbox=Sandbox(config, clock),
        tokens=TokenStore(config, clock, rng),
        faults=FaultInjector(config.faults, clock, rng),
        calls=CallLog(config.call_log, clock),
    )


def _described(order: Order) -> dict[str, Any]:
    return {
        "state": order.state.value,
        "history": [
            {
                "status": update.status.value,
                "call": update.call,
                "at": update.at,
                "meta": None if update.meta is None else orjson.loads(update.meta),
            }
            for update in order.history
        ],
    }
