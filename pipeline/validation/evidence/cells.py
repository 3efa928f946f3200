"""Questions to all cells of a column at once."""

import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.free_text import are_alike
from schemas.normalise import fold, is_absent

FEW = 512
"""Cells that plain Python has looked at before Arrow would have begun."""

SEEN = 256
"""Cells from this length on say nothing; and so many of a column show what it holds."""


class Texts:
    """A column of a block. What several collectors ask of it is looked up once."""

    def __init__(self, cells: pa.Array) -> None:
        self.cells = cells

    @cached_property
    def encoded(self) -> pa.DictionaryArray:
        """Return the distinct cells, and which of them each row has."""
        return self.cells.dictionary_encode()

    @cached_property
    def words(self) -> list[str]:
        """Return the distinct cells."""
        words: list[str] = self.encoded.dictionary.to_pylist()
        return words

    @cached_property
    def first(self) -> Counter[str]:
        """Return the first texts, folded, and how often each is there."""
        first = Counter(self.cells.slice(0, SEEN).to_pylist())
        if not any(map(str.strip, first)):
            filled = self.cells.filter(pc.greater(pc.binary_length(self.cells), 0)).slice(0, SEEN)
            return Counter(map(fold, filled.to_pylist()))
        folded = Counter[str]()
        for text, count in first.items():
            if text.strip():
                folded[fold(text)] += count
        return folded

    def matching(self, pattern: str) -> npt.NDArray[np.bool_]:
        """Return which cells match an expression; a text that comes again is looked at once.

        Few short ones are looked at by ``re``, which keeps what it compiled, and each once, however
        many files and blocks it comes in: RE2 would compile the expression anew for each of them.
        """
        texts, words = self._distinct
        if words and max(map(len, words)) < SEEN:
            found = np.array([_matches(pattern, word) for word in words])
        else:
            found = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
        return found if texts is self.cells else found[self.encoded.indices]

    @cached_property
    def _distinct(self) -> tuple[pa.Array, list[str]]:
        """Return the distinct cells, or all where these are few or differ; of few also a list."""
        if len(self.cells) <= FEW or not are_alike(self.cells):
            return self.cells, self.cells.to_pylist() if len(self.cells) <= FEW else []
        return self.encoded.dictionary, self.words if len(self.encoded.dictionary) <= FEW else []


@lru_cache(maxsize=4096)
def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.ASCII) is not None


def which(cells: pa.Array, tells: Callable[[str], bool]) -> pa.Array:
    """Tell of which cells something is true."""
    encoded = cells.dictionary_encode()
    found = [tells(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def says_nothing(cell: str) -> bool:
    """Return whether a cell is empty, or says that there is nothing."""
    return is_absent(fold(cell))


def empty_cells(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which cells are empty."""
    empty: npt.NDArray[np.bool_] = pc.equal(pc.binary_length(cells), 0).to_numpy(
        zero_copy_only=False
    )
    return empty
