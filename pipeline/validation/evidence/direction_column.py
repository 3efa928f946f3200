"""Columns that may say directions, each read through the blocks of its sheet."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from pipeline.validation.evidence.cells import SEEN, Texts
from pipeline.validation.evidence.traits import Trait, Traits
from schemas.direction_cells import claim_of, filled_way, is_open, may_speak
from schemas.directions import (
    DAMAGED,
    LETTERS,
    PAIRS,
    SHORT,
    are_short,
    direction_of,
    lone_word,
    may_be_directions,
    may_hide_words,
)
from schemas.looks import ALONE, Asks, Look
from schemas.normalise import fold, is_absent
from schemas.statuses import Direction
from schemas.vocabulary import UNCALCULATED, CellKind

NEARLY_ALL = 0.8

#: Filled: what stands there is known by its kind, so that ten thousand AWBs are one case.
_FILLED = "filled in"
_BACKWARD = {Direction.RTO, Direction.RETURN, Direction.BACK}


class DirectionColumn:
    """A column that may say directions. ``look``: by its heading; None where that says nothing.

    ``words``: those by which the courier itself tells a direction there, folded.

    Its blocks are given in their order. A block is read by what it shows itself and by what the
    others do (``traits``).
    """

    def __init__(
        self,
        at: int,
        look: Look | None,
        traits: Traits,
        words: Mapping[str, Direction] | None = None,
    ) -> None:
        self._at = at
        self._words = words or {}
        self._look = look if look or not words else Look(asks=Asks.PLAIN)
        self._traits = traits
        self._sure: bool | None = None
        self._last = ""

    def claims(self, texts: Texts, kinds: npt.NDArray[np.int8] | None) -> pa.Array | None:
        """Return for each cell ``direction:cell`` where it says one and "" elsewhere.

        None where no cell says one.
        """
        look = self._look_at(texts)
        claims = None if look is None else self._claims(texts, look)
        claims = self._with_errors(claims, texts.cells, kinds)
        of_both = look is not None and (look.asks is Asks.WORDS or look.sure)
        return self._grouped(claims, texts.cells) if of_both else claims

    def open_below(self, texts: Texts) -> pa.Array | None:
        """Return the claims of empty cells alone, which leave the direction open.

        For the column that the profile reads: of what stands in it, it says itself what that means.
        """
        claims = self.claims(texts, None)
        if claims is None:
            return None
        taken = pc.replace_substring_regex(claims, "^[^:]+", Direction.UNREADABLE.value)
        taken = pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts.cells), ""), taken, "")
        return taken if pc.any(pc.not_equal(taken, "")).as_py() else None

    @property
    def is_of_directions(self) -> bool:
        """Return whether nearly all of its cells are directions, whatever its heading says."""
        return self._holds(Trait.DIRECTIONS, found=False, matters=False)

    def _holds(self, trait: Trait, *, found: bool, matters: bool) -> bool:
        return self._traits.holds(self._at, trait, found=found, matters=matters)

    def _look_at(self, texts: Texts) -> Look | None:
        """Return how to read a block; it is sure where this block is, or the first with text."""
        look = self._look
        if look is not None and look.asks is Asks.FILLED:
            return look
        some = texts.first
        proven = (look is None or look.asks in {Asks.WORDS, *ALONE}) and _mostly_directions(some)
        sure = proven or (look is not None and look.sure and may_be_directions(some))
        if self._sure is None and not all(map(is_absent, some)):
            self._sure = sure
        sure = sure or bool(self._sure)
        if look is not None and look.asks not in ALONE:
            return replace(look, sure=sure)
        is_one = self._holds(Trait.DIRECTIONS, found=proven, matters=bool(some))
        fates = look.fates if look else ""
        return Look(asks=Asks.WORDS, sure=sure, fates=fates) if is_one else look

    def _claims(self, texts: Texts, look: Look) -> pa.Array | None:
        pattern = "" if self._words else may_speak(look)
        if pattern:  # every row may have another number, or name
            may = texts.matching(pattern)
            if not look.partly and not may.any():
                return None
            texts = Texts(pc.if_else(pa.array(may), texts.cells, ""))
        words = texts.words
        if look.bare or look.asks is Asks.FILLED:
            words = _summed_up(words, look)
        if look.partly or look.wholly:
            empty = any(map(is_absent, map(fold, words)))
            if self._holds(Trait.EMPTY, found=empty, matters=True) is look.wholly:
                return None
        letters = self._letters(look, words)
        claims = [_claim(cell, look, letters, self._words) for cell in words]
        return pa.array(claims, pa.string()).take(texts.encoded.indices) if any(claims) else None

    def _letters(self, look: Look, words: Sequence[str]) -> Mapping[str, Direction]:
        """Return what F and R mean, where both are there or nothing else is; and RET."""
        folded = {*sound(Counter(map(fold, words)))}
        meanings: dict[str, Direction] = {}
        f, r, some = "f" in folded, "r" in folded, not folded.isdisjoint(SHORT)
        if look.asks is Asks.WORDS and self._holds(
            Trait.SHORT,
            found=are_short(folded) or (some and f and look.letters),
            matters=some,
        ):
            meanings |= {**SHORT, **LETTERS} if look.letters else SHORT
        if look.pairs:
            ways = {PAIRS.get(lone_word(cell)) or direction_of(cell) for cell in folded}
            out, back = Direction.FORWARD in ways, Direction.BACK in ways
            has_out = self._holds(Trait.OUT, found=out, matters=back)
            if self._holds(Trait.IN, found=back, matters=out) and has_out:
                meanings |= PAIRS
        alone = look.letters and r and not folded - {*LETTERS}
        if look.sure:
            has_f = self._holds(Trait.F, found=f, matters=r)
            alone |= self._holds(Trait.R, found=r, matters=f) and has_f
        if look.both or self._holds(Trait.LETTERS, found=alone, matters=f or r):
            meanings |= LETTERS
        return meanings

    def _grouped(self, said: pa.Array | None, cells: pa.Array) -> pa.Array | None:
        """Return the claims, those of empty cells taken from a way back that stands above them.

        Where both ways are written out, an empty cell is none of them: such a column names the way
        in the first row of a group, or its cells are merged.
        """
        claims = [] if said is None else pc.unique(said).to_pylist()
        ways = {each.partition(":")[0] for each in claims if each}
        below, filled = False, said
        if self._last or ways - {Direction.FORWARD}:
            bare = pa.repeat("", len(cells)) if said is None else said
            filled, below, self._last = _filled_down(bare, cells, self._last)
        back = self._holds(Trait.BACK, found=bool(ways & _BACKWARD), matters=below)
        forward = self._holds(Trait.FORWARD, found=Direction.FORWARD in ways, matters=below)
        return filled if below and back and forward else said

    def _with_errors(
        self, claims: pa.Array | None, cells: pa.Array, kinds: npt.NDArray[np.int8] | None
    ) -> pa.Array | None:
        """Return the claims, and what cannot be read in a column of directions: it leaves it open.

        These are errors of formulas and damaged cells. A formula that finds no second AWB says that
        there is none.
        """
        asks = self._look.asks if self._look is not None else Asks.WORDS
        if asks in ALONE and not self.is_of_directions:
            return claims
        errors = _damaged(cells) if kinds is None else _damaged(cells) | (kinds == CellKind.ERROR)
        has_errors = bool(errors.any())
        said = self._holds(Trait.SAID, found=claims is not None, matters=has_errors)
        sure = self._look is not None and (
            self._look.sure
            or (asks is Asks.WORDS and pc.any(pc.equal(cells, UNCALCULATED)).as_py())
        )
        if not has_errors or asks is Asks.FILLED or not (said or sure or asks in _YES_OR_NO):
            return claims
        open_ones = pc.binary_join_element_wise(f"{Direction.UNREADABLE}:", cells, "")
        return pc.if_else(pa.array(errors), open_ones, "" if claims is None else claims)


_YES_OR_NO = {Asks.YES, Asks.NO}


def _damaged(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which cells are damaged, but for long texts, or a formula's error in a text file.

    #N/A says that nothing was found.
    """
    texts = cells.buffers()[2]
    plain = b"" if texts is None else texts.to_pybytes()
    if DAMAGED.encode() not in plain and b"#" not in plain:
        return np.zeros(len(cells), dtype=np.bool_)
    damaged: npt.NDArray[np.bool_] = pc.match_substring_regex(
        cells, f"{DAMAGED}|{_ERROR}"
    ).to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(damaged):
        cell = cells[at].as_py()
        damaged[at] = may_hide_words(cell) or DAMAGED not in cell
    return damaged


_ERROR = r"^\s*#(?:BLOCKED|CALC|DIV/0|ERROR|FIELD|NAME|NUM|REF|SPILL|VALUE)[!?]\s*$"


def _filled_down(claims: pa.Array, cells: pa.Array, before: str) -> tuple[pa.Array, bool, str]:
    """Return the claims with those of empty cells from above, whether there are any, and the last.

    ``before``: the claim of the last cell with text above these. Forward is not taken down.
    """
    empty = pc.equal(pc.utf8_trim_whitespace(cells), "").to_numpy(zero_copy_only=False)
    above = np.maximum.accumulate(np.where(empty, -1, np.arange(len(cells))))
    at_hand = pa.concat_arrays([pa.array([before], pa.string()), claims])
    filled = at_hand.take(pa.array(above + 1))
    forward = pc.starts_with(filled, f"{Direction.FORWARD}:")
    wanted = pc.and_not(pc.and_(pa.array(empty), pc.not_equal(filled, "")), forward)
    last = "" if forward[-1].as_py() else filled[-1].as_py()
    return pc.if_else(wanted, filled, claims), bool(pc.any(wanted).as_py()), last


_DITTO = r"""(?i)^\s*(?:["'`´“”′″,]{1,3}|[〃↑^]|\W?(?:do|ditto|same|(?:same )?as above)\W?)\s*$"""


def written_out(texts: Texts, before: str) -> Texts:
    """Return cells with ditto marks as the text above them. ``before``: that above the first."""
    marked = texts.matching(_DITTO)
    if not marked.any():
        return texts
    above = np.maximum.accumulate(np.where(marked, -1, np.arange(len(marked))))
    whole = pa.concat_arrays([pa.array([before], pa.string()), texts.cells])
    return Texts(whole.take(pa.array(above + 1)))


#: Behind a code, folded: 777 - RTO Lock.
_TEXT_OF_CODE = re.compile(r"(?<=\d)[ (:].*")


def _claim(
    cell: str, look: Look, letters: Mapping[str, Direction], own: Mapping[str, Direction]
) -> str:
    if len(cell) >= SEEN:
        return ""
    way = (letters and letters.get(lone_word(fold(cell)))) or claim_of(cell, look)
    if own:
        folded = fold(cell)
        codes = (folded, _TEXT_OF_CODE.sub("", folded), f"{folded.partition(' ')[0]} *")
        way = next(filter(None, map(own.get, codes)), way)
    if way is None and look.sure and is_open(cell, look):
        way = Direction.UNREADABLE
    return f"{way.value}:{cell.strip()}" if way else ""


def _summed_up(words: list[str], look: Look) -> list[str]:
    """Return numbers and dates, of which each cell has its own, as one text where they are many."""
    if len(words) <= SEEN:
        return words
    claim = partial(claim_of, look=look)
    return [
        _FILLED if claim(cell) is filled_way(look) and not direction_of(fold(cell)) else cell
        for cell in words
    ]


def _mostly_directions(first: Counter[str]) -> bool:
    """Return whether nearly all first cells with text are directions, whatever their heading."""
    some = sound(first)
    may_be, least = some.total(), NEARLY_ALL * some.total()
    for cell, count in some.most_common():
        may_be -= count if direction_of(cell) is None else 0
        if may_be < least:
            return False
    return bool(some)


def sound(folded: Mapping[str, int]) -> Counter[str]:
    """Return the texts that say something and are not damaged, and how often each is there."""
    return Counter(
        {
            text: count
            for text, count in folded.items()
            if not is_absent(text) and DAMAGED not in text
        }
    )
