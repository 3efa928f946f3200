"""Shares: what one worker may take of the calls and the rate that all are allowed together."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

_LEAST_RATE = 1e-6
"""A smaller part of the rate than this is none; a rate of 0 would mean no bound."""


class Allowance(Struct, frozen=True, kw_only=True):
    """What all workers together may do: calls at once and a second (0: no bound)."""

    calls: int = 0
    rate: float = 0.0


def share(
    others: Sequence[sa.Row[Any]],
    active: int,
    wants: int,
    most: int,
    allowed: Allowance,
) -> tuple[int, float]:
    """A fair part of what is allowed, and never more than the others have left over."""
    calls, rate = most, 0.0
    if allowed.calls:
        fair = -(-allowed.calls // active) if wants else 0
        left = allowed.calls - sum(each.calls for each in others)
        calls = max(0, min(fair, left, most))
    if allowed.rate:
        fair_rate = allowed.rate / active if wants else 0.0
        rate = max(0.0, min(fair_rate, allowed.rate - sum(each.rate for each in others)))
        if rate < allowed.rate * _LEAST_RATE:
            calls, rate = 0, 0.0
    return calls, rate
