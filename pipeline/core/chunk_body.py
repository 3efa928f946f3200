"""A chunk's frozen body, opened only where a part of it matters."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import orjson

from schemas.vocabulary import Milestone

ITEM_SEPARATOR = b",\n"
"""Between two updates of a frozen body. JSON text holds no raw newline, so a body can be cut here
and any part of it sent byte for byte as it was frozen."""


def join_items(items: Sequence[bytes]) -> bytes:
    """Return the body of a call that sends these updates."""
    return b"[" + ITEM_SEPARATOR.join(items) + b"]"


class ChunkBody:
    """The updates of one chunk, in order. Parsed on first use."""

    def __init__(self, body: bytes, size: int) -> None:
        self.body = body
        self.size = size

    @cached_property
    def _items(self) -> list[bytes]:
        return self.body[1:-1].split(ITEM_SEPARATOR)

    @cached_property
    def _heads(self) -> list[tuple[str, Milestone]]:
        parsed: list[dict[str, Any]] = orjson.loads(self.body)
        return [(item["orderId"], Milestone[item["orderStatus"].upper()]) for item in parsed]

    def head(self, pos: int) -> tuple[str, Milestone]:
        """Return order id and milestone of the update at this place."""
        return self._heads[pos]

    def part(self, positions: Sequence[int]) -> bytes:
        """Return the body of a call that sends only these places."""
        if len(positions) == self.size:
            return self.body
        return join_items([self._items[pos] for pos in positions])

    def order_ids(self, positions: Sequence[int]) -> "OrderIds":
        """Return their order ids; parsed when first looked at."""
        return OrderIds(self, positions)


class OrderIds(Sequence[str]):
    """Order ids of some places of a chunk body: a sequence whose length costs nothing."""

    def __init__(self, chunk_body: ChunkBody, positions: Sequence[int]) -> None:
        self._chunk_body = chunk_body
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._chunk_body.head(pos)[0] for pos in self._positions[at]]
        return self._chunk_body.head(self._positions[at])[0]

    def __iter__(self) -> Iterator[str]:
        return (self._chunk_body.head(pos)[0] for pos in self._positions)
