"""Lists of words and phrases, each written as one text."""

from collections.abc import Collection


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text: ``"box carton"`` gives box and carton."""
    return frozenset(text.split())


def phrases(text: str) -> frozenset[str]:
    """Return the phrases of a text, which commas separate: ``"last scan, scan"``."""
    return frozenset(each.strip() for each in text.split(","))


def word_sets(text: str) -> frozenset[frozenset[str]]:
    """Return the words of each phrase of a text, for headings whose words come in any order."""
    return frozenset(map(word_set, phrases(text)))


def slips(words: Collection[str]) -> dict[str, str]:
    """Return each slip of these words → the word.

    One letter after the first is missing or doubled, or two letters changed places.
    """
    found = {}
    for word in words:
        for at in range(1, len(word)):
            found[word[:at] + word[at + 1 :]] = word
            found[word[:at] + word[at] + word[at:]] = word
            found[word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]] = word
    return {slip: word for slip, word in found.items() if slip not in words}
