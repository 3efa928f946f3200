"""Protocols that the steps need from outside, and the record that crosses one of them.

``delivery.api`` and ``cluster.lease`` implement these.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True):
    """An answer as it came: header names in lower case, body undecoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Presence(Protocol):
    """The right of this process to act on a root that other processes work on too.

    ``require_valid`` raises ``Fenced`` once others may have taken over; call it right before any
    action that cannot be undone: it costs next to nothing. ``name`` is this process's alone.
    """

    @property
    def name(self) -> str: ...
    def require_valid(self) -> None: ...


class StatusApi(Protocol):
    """The receiving API. Each call raises ``Transient`` when no answer came."""

    async def put_status(self, body: bytes) -> Reply: ...
    async def order_info(self, order_id: str) -> Reply: ...
    @property
    def token_generation(self) -> int: ...
    async def renew_token(self, generation: int) -> bool: ...
    async def close(self) -> None: ...
