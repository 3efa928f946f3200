"""Lists of words and phrases, each written as one text."""


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text: ``"box carton"`` gives box and carton."""
    return frozenset(text.split())


def phrases(text: str) -> frozenset[str]:
    """Return the phrases of a text, which commas separate: ``"last scan, scan"``."""
    return frozenset(each.strip() for each in text.split(","))


def word_sets(text: str) -> frozenset[frozenset[str]]:
    """Return the words of each phrase of a text, for headings whose words come in any order."""
    return frozenset(map(word_set, phrases(text)))
