"""Who may call: the fixed token, and tokens issued for a name and password."""

import random
from typing import Any, Final

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.payload import CallRefusedError

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
        """Let a call through; raises CallRefusedError (401) that says what is wrong."""
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
