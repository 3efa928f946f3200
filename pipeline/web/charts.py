"""Small pictures as SVG: plain shapes whose colours and sizes come from the style sheet.

What a picture shows is always in a table or sentence beside it, too.
"""

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from schemas.vocabulary import Outcome

_ORDER: Final = [outcome.value for outcome in Outcome]


def bar(rows: Mapping[str, int], total: int | None = None) -> Markup:
    """Return outcomes side by side, as wide as their share.

    What is missing to ``total`` stays empty.
    """
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
