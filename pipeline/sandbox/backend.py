"""The memory of a running sandbox, and its tokens; a reset replaces both."""

import random
from collections import Counter, deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import orjson
from msgspec import Struct, field
from msgspec.structs import asdict

from pipeline.sandbox.config import Clock, Faults, SandboxConfig
from pipeline.sandbox.core import CallRefusedError, Order, Sandbox
from pipeline.sandbox.faults import FaultInjector


class Kind(StrEnum):
    """Which endpoint a call was for."""

    STATUS = "status"
    INFO = "info"
    TOKEN = "token"


class Call(Struct, kw_only=True):
    """One call; the outcome is filled in when it is known."""

    number: int
    kind: Kind
    at: float
    method: str
    path: str
    updates: list[tuple[str, str]] = field(default_factory=list)
    status: int | None = None  # None: not answered yet, or never
    fault: str | None = None
    ended: float | None = None  # when it was answered or given up; None: still running

    def described(self) -> dict[str, Any]:
        """Return the call as plain JSON values."""
        plain = {name: value for name, value in asdict(self).items() if name != "kind"}
        return {**plain, "updates": [list(update) for update in self.updates]}


class CallLog:
    """Counts every call and keeps the last `size` of them."""

    def __init__(self, size: int, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._kept: deque[Call] = deque(maxlen=size)
        self.keeps = size > 0
        self._number = 0
        self._running = 0
        self.max_running = 0
        self.max_items = 0
        self.refused = 0
        self.kinds: Counter[Kind] = Counter()
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def begin(self, kind: Kind, method: str, path: str) -> Call:
        """Record that a call has arrived."""
        self._number += 1
        self.kinds[kind] += 1
        call = Call(number=self._number, kind=kind, at=self._clock.now(), method=method, path=path)
        if self.keeps:
            self._kept.append(call)
        if kind is Kind.STATUS:
            self._running += 1
            self.max_running = max(self.max_running, self._running)
        return call

    def end(self, call: Call) -> None:
        """Count a call's outcome."""
        call.ended = self._clock.now()
        if call.kind is not Kind.STATUS:
            return
        self._running -= 1
        self.statuses["none" if call.status is None else str(call.status)] += 1
        if call.fault is not None:
            self.faults[call.fault] += 1

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the kept calls after that number, in order of arrival."""
        return [call.described() for call in self._kept if call.number > number]


_MAX_TOKENS: Final = 100  # live ones; the oldest makes room, so that memory stays bounded


class TokenStore:
    """Issues tokens and turns away those that are missing, unknown or dead."""

    def __init__(self, config: SandboxConfig, clock: Clock, rng: random.Random) -> None:
        """Start with only the fixed token."""
        self._config = config
        self._clock = clock
        self._rng = rng
        self._issued: dict[str, float] = {}
        self._fixed_alive = True
        self._ttl = config.faults.token_ttl_seconds
        self._puts_left = config.faults.expire_token_after

    def adopt(self, faults: Faults, *, rearm: bool, revive: bool) -> None:
        """Follow changed faults: `rearm` counts calls anew, `revive` brings the fixed one back."""
        self._ttl = faults.token_ttl_seconds
        if rearm:
            self._puts_left = faults.expire_token_after
        if revive:
            self._fixed_alive = True

    def issue(self, username: str, password: str) -> dict[str, Any]:
        """Return the answer that carries a new token; raises CallRefusedError (401)."""
        config = self._config
        if config.username is not None and (username, password) != (
            config.username,
            config.password or "",
        ):
            raise CallRefusedError(401, "wrong username or password")
        token = f"sbx-{self._rng.getrandbits(128):032x}"
        while len(self._issued) >= _MAX_TOKENS:
            del self._issued[next(iter(self._issued))]
        self._issued[token] = self._clock.monotonic()
        return self._answer(token)

    def admit(self, token: str | None) -> None:
        """Let a call through; raises CallRefusedError (401) with the reason."""
        if token is None:
            raise CallRefusedError(401, "x-access-token is missing")
        if token == self._config.token:
            if not self._fixed_alive:
                raise CallRefusedError(401, "token has expired")
            return
        issued_at = self._issued.get(token)
        if issued_at is None:
            raise CallRefusedError(401, "token is unknown or has expired")
        if self._ttl and self._clock.monotonic() - issued_at >= self._ttl:
            del self._issued[token]
            raise CallRefusedError(401, "token has expired")

    def count_put(self) -> None:
        """Count one admitted status call; the last one of `expire_token_after` kills all tokens."""
        if self._puts_left:
            self._puts_left -= 1
            if not self._puts_left:
                self._issued.clear()
                self._fixed_alive = False

    def _answer(self, token: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        *outer, name = self._config.token_field.split(".")
        inner = answer
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[name] = token
        inner.setdefault("status", "SUCCESS")
        return answer


class Backend(Struct, frozen=True, kw_only=True):
    """The parts behind the endpoints, and the questions that may be asked about them."""

    sandbox: Sandbox
    tokens: TokenStore
    faults: FaultInjector
    calls: CallLog

    def stats(self) -> dict[str, Any]:
        """Return the counts since the start or the last reset: `calls` and on of status calls."""
        tally, calls = self.sandbox.tally, self.calls
        return {
            "orders": len(self.sandbox),
            **asdict(tally),
            "info_calls": calls.kinds[Kind.INFO],
            "token_calls": calls.kinds[Kind.TOKEN],
            "calls": calls.kinds[Kind.STATUS],
            "calls_refused": calls.refused,
            "max_items": calls.max_items,
            "max_concurrency": calls.max_running,
            "status_codes": dict(calls.statuses),
            "faults": {str(kind): count for kind, count in calls.faults.items()},
        }

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
