"""Small pictures as SVG: plain shapes whose colours and sizes come from the style sheet.

What a picture shows is always in a table or sentence beside it, too.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from schemas.vocabulary import Outcome

_FEWEST: Final = 14
"""Columns a picture has room for, at least: a few must not look like a wall."""

_ORDER: Final = [outcome.value for outcome in Outcome]


def bar(rows: Mapping[str, int], total: int | None = None) -> Markup:
    """Outcomes side by side, as wide as their share; what is missing to ``total`` stays empty."""
    counts = [(name, rows.get(name, 0)) for name in _ORDER if rows.get(name, 0)]
    whole = max(total or 0, sum(count for _, count in counts))
    if not whole:
        return Markup("")
    parts, at = [], 0.0
    for name, count in counts:
        # A single bad row among a million must still be seen.
        width = max(100 * count / whole, 1.2)
        parts.append(
            Markup('<rect class="f-{}" x="{:.2f}" y="0" width="{:.2f}" height="8"/>').format(
                name, min(at, 98.8), width
            )
        )
        at += 100 * count / whole
    said = ", ".join(f"{count:,} {name}" for name, count in counts)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><rect class="f-none" width="100" height="8"/>{}</svg>'
    ).format(said, Markup("").join(parts))


def columns(
    labels: Sequence[str], stacks: Sequence[Mapping[str, float]], *, says: str, kinds: Sequence[str]
) -> Markup:
    """Stacked columns, one per label; ``kinds`` from the bottom up, as in the style sheet."""
    high = max((sum(stack.values()) for stack in stacks), default=0) or 1
    width, height, gap = 640, 160, 4
    step = width / max(_FEWEST, len(labels))
    parts = []
    for place, (label, stack) in enumerate(zip(labels, stacks, strict=True)):
        at = float(height)
        for kind in kinds:
            value = stack.get(kind, 0)
            if not value:
                continue
            tall = max(1.0, value / high * height)
            at -= tall
            parts.append(
                Markup(
                    '<rect class="f-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{}</title></rect>"
                ).format(
                    kind,
                    place * step + gap / 2,
                    max(0.0, at),
                    step - gap,
                    tall,
                    f"{label}: {value:,.6g} {kind}",
                )
            )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>'
    ).format(width, height, says, Markup("").join(parts))
