"""Corrected rows of a closed drop, rows set aside, and what is left to do: all among its facts."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from pipeline.core.model import DropFacts, DropState, SetAside
from pipeline.core.row_keys import RowKey, in_order, without_doubles
from schemas.vocabulary import CORRECTABLE, FOR_A_PERSON


def with_fixed(facts: DropFacts, rows: Collection[RowKey]) -> DropFacts:
    """Add rows that were corrected in another drop; the facts as they are without a summary."""
    if facts.summary is None:
        return facts
    fixed = without_doubles({*facts.fixed_rows, *rows})
    left = without_doubles((each.row for each in facts.aside), fixed) - fixed
    return replace(
        facts,
        summary=counted_in(facts.summary, fixed),
        fixed_rows=in_order(fixed),
        aside=tuple(each for each in facts.aside if each.row in left),
    )


def counted_in(summary: Mapping[str, Any], fixed: Collection[RowKey]) -> Mapping[str, Any]:
    """Return a summary that says how many of its rows were corrected."""
    rows = sum(summary["rows"][outcome] for outcome in CORRECTABLE)
    counts = {"rows": max(rows, len(fixed)), "fixed": len(fixed)}
    return {**summary, "corrections": counts}


def with_aside(
    facts: DropFacts, rows: Collection[RowKey], *, reason: str, who: str, at: str
) -> DropFacts:
    """Leave rows as they are, but for those that were corrected."""
    fixed = {*facts.fixed_rows}
    aside = [
        *without_aside(facts, rows).aside,
        *(SetAside(row, reason, who, at) for row in in_order({*rows} - fixed)),
    ]
    left = without_doubles((each.row for each in aside), fixed)
    return replace(
        facts,
        fixed_rows=in_order(without_doubles(fixed, left)),
        aside=tuple(each for each in aside if each.row in left),
    )


def without_aside(facts: DropFacts, rows: Collection[RowKey]) -> DropFacts:
    """Return the corrections without these rows set aside: they need a person again."""
    return replace(facts, aside=tuple(each for each in facts.aside if each.row not in rows))


def with_put_off(facts: DropFacts, note: tuple[str, str, str] | None) -> DropFacts:
    """Set the drop aside: reason, who, when; None takes that back."""
    return replace(facts, put_off=note)


def left_to_do(state: DropState, facts: DropFacts) -> tuple[int, bool]:
    """Return how many rows need a person now, and whether anything of the drop is left to do.

    A refused file is to do until its rows, if any, were sent corrected, or it was set aside.
    """
    if facts.put_off:
        return 0, False
    troubled = sum(facts.rows.get(each, 0) for each in FOR_A_PERSON) or facts.to_correct
    done = len(facts.fixed_rows) + len(facts.aside) + len(facts.returned)
    need = max(0, troubled - done)
    return need, state.closed and (need > 0 or (state is DropState.REFUSED and not troubled))
