"""A plain table of what was measured."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measure; ``met`` is None where there is no target."""

    case: str
    measure: str
    result: str
    target: str = ""
    met: bool | None = None


def at_most(case: str, measure: str, value: float, target: float, unit: str = "") -> Line:
    """A measure that should be small."""
    return _judged(case, measure, value, unit, f"<= {target:g}{unit}", met=value <= target)


def at_least(case: str, measure: str, value: float, target: float, unit: str = "") -> Line:
    """A measure that should be large."""
    return _judged(case, measure, value, unit, f">= {target:g}{unit}", met=value >= target)


def plain(case: str, measure: str, value: float, unit: str = "") -> Line:
    """A measure without a target."""
    return Line(case=case, measure=measure, result=_number(value, unit))


def _judged(case: str, measure: str, value: float, unit: str, target: str, *, met: bool) -> Line:
    result = _number(value, unit)
    return Line(case=case, measure=measure, result=result, target=target, met=met)


def _number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 20 else 2
    return f"{value:,.{digits}f}{unit}"


def shown(lines: Iterable[Line]) -> str:
    """The lines as aligned columns."""
    word = {None: "", True: "met", False: "MISSED"}
    rows = [("case", "measure", "result", "target", "")]
    rows += [(each.case, each.measure, each.result, each.target, word[each.met]) for each in lines]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    left = {0, 1, 4}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
