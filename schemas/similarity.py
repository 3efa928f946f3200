"""Measure the likeness of two texts by rapidfuzz: 0 to 100, by the edits between them.

It is loaded when two texts first look as if they might be: most files need nothing of it, and it
takes as long as reading some thousand rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

PROBABLY = 60
"""From here on, "did you mean" is more help than noise."""


def alike(
    text: str, choices: Iterable[str], *, at_least: float, most: int | None = None
) -> Sequence[tuple[str, float]]:
    """Return the choices that come near ``text``, the nearest first, with how near they come."""
    return _alike(text, tuple(choices), at_least, most)


@lru_cache(maxsize=1024)  # a courier's files have the headings and words of yesterday
def _alike(
    text: str, choices: tuple[str, ...], at_least: float, most: int | None
) -> tuple[tuple[str, float], ...]:
    letters = Counter(text)
    possible = [choice for choice in choices if _may_reach(at_least, letters, choice)]
    if not possible:
        return ()
    from rapidfuzz import fuzz, process

    found = process.extract(text, possible, scorer=fuzz.ratio, score_cutoff=at_least, limit=most)
    return tuple((choice, score) for choice, score, _ in found)


def nearest(text: str, choices: Iterable[str], *, at_least: float = PROBABLY) -> str | None:
    """Return the choice that comes nearest to ``text``, or None if none comes near."""
    found = alike(text, choices, at_least=at_least, most=1)
    return found[0][0] if found else None


def did_you_mean(word: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """Advise somebody who wrote an unknown word: the known one that is near it, or all of them.

    ``known``: the words, or what is compared → the word that is shown for it.
    """
    shown = dict(known) if isinstance(known, Mapping) else {each: each for each in known}
    near = nearest(word, shown)
    if near is not None:
        return f'Did you mean "{shown[near]}"?'
    return f"Known: {', '.join(dict.fromkeys(shown.values()))}."


def _may_reach(at_least: float, letters: Counter[str], choice: str) -> bool:
    """Return False when too few letters are shared for ``choice`` to come near."""
    both = letters.total() + len(choice)
    enough = (at_least - _ROUNDING) * both / 200
    if min(letters.total(), len(choice)) < enough:
        return False
    return sum(min(count, choice.count(letter)) for letter, count in letters.items()) >= enough


EQUAL = 1.0
"""A likeness that differs by less is no difference."""

_ROUNDING = 0.01
"""rapidfuzz takes in what misses the bound by a rounding error."""
