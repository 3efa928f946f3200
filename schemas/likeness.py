"""How alike two texts are, by rapidfuzz: 0 to 100, by the edits that make one of the other.

It is loaded when something is compared for the first time: most files need nothing of it.
"""

from collections.abc import Iterable

PROBABLY = 60
"""From here on, "did you mean" is more help than noise."""


def alike(
    text: str, choices: Iterable[str], *, at_least: float, most: int | None = None
) -> list[tuple[str, float]]:
    """Return the choices that come near ``text``, the nearest first, with how near they come."""
    from rapidfuzz import fuzz, process

    found = process.extract(
        text, list(choices), scorer=fuzz.ratio, score_cutoff=at_least, limit=most
    )
    return [(choice, score) for choice, score, _ in found]


def nearest(text: str, choices: Iterable[str], *, at_least: float = PROBABLY) -> str | None:
    """Return the choice that comes nearest to ``text``, or None if none comes near."""
    found = alike(text, choices, at_least=at_least, most=1)
    return found[0][0] if found else None
