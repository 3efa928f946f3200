"""Order ids unlike all others of their file: counts of a summary, words, dates, AWBs, two at once.

``Order ID | Status`` stand above a pivot table's lines as well, and a total below a table's rows.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.model import Block, RowFacts
from pipeline.validation.order_ids import unnumbered
from schemas.headings import reads_as_footer
from schemas.normalise import fold, is_absent
from schemas.order_ids import only_digits
from schemas.word_lists import word_set

_COUNT_LENGTH = 7
_MOST_COUNTS = 30
_FEWEST_USUAL = 4
_USUAL_PER_COUNT = 2
_USUAL_PER_WORD = 4
_DAY_LENGTH = 11
_SEEN = 256
_AROUND = " \t'\"`"
_COUNT = r"^[1-9][0-9]*$"
_WORD = r"[A-Za-z]+(?:[_-][A-Za-z]+)*"
_MONTH = r"\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d\d"
_DAY = r"\d{1,2}-(?:\d{1,2}|[A-Za-z]{3,9})-(?:\d\d){1,2}|\d{4}-\d{1,2}-\d{1,2}"
_DATED = rf"^(?:{_MONTH}|{_DAY})$"
_NEVER = word_set(
    "above await awaited awaiting blank cancel cancelled check cod ditto do dummy duplicate empty "
    "error false hold invalid later manual missing na nf no offline pending prepaid replacement "
    "return rto same self tba tbc tbd test total true unknown walkin yes"
)
"""Words that no order is called, be the file as short as it may."""
_NOTHING = re.compile(r"not? ?(?:av\w*|found|given|id|order|order ?id|received|shared|yet)|xx+")


class _Odd(Struct, frozen=True):
    """An id that may be none.

    ``count``: the number that it is, 0 for a word or a date, -1 for a word that none is called.
    """

    count: int
    taken: bool


class OddIds(Struct, kw_only=True):
    """Finds them, block by block, by what is known of the file so far.

    ``before``: all that was known when the file was read once before. ``late``: tells whether more
    is known in the end than when a block was judged.
    """

    before: "OddIds | None" = None
    rows: int = 0
    counts: int = 0
    words: int = 0
    judged: set[_Odd] = field(default_factory=set)

    @property
    def late(self) -> bool:
        """Return whether an id was judged otherwise than it would be now."""
        return self.before is None and any(
            self.is_odd(each.count) != each.taken for each in self.judged
        )

    def see(self, block: Block, column: int) -> Block:
        """Take in a block, and return it with the ids marked that are unlike the others."""
        cells = block.cells[column]
        lengths = pc.binary_length(cells)
        found = self._candidates(cells, lengths)
        self.rows += len(cells)
        if not found:
            return block
        counts = {
            at: int(text) if text.isdecimal() else -_is_never(fold(text))
            for at, text in found.items()
        }
        self.counts += sum(count > 0 for count in counts.values())
        self.words += sum(count <= 0 for count in counts.values())
        known = self.before or self
        taken = {at: known.is_odd(count) for at, count in counts.items()}
        self.judged |= {_Odd(counts[at], odd) for at, odd in taken.items()}
        marked = {
            at: replace(block.facts.get(at, RowFacts()), odd_id=found[at])
            for at, odd in taken.items()
            if odd
        }
        return replace(block, facts={**block.facts, **marked}) if marked else block

    def is_odd(self, count: int) -> bool:
        """Return whether an id that is this number, or 0 for a word, is unlike the others."""
        usual = self.rows - self.counts - self.words
        if count < 0:
            return usual > 0
        if usual < _FEWEST_USUAL:
            return 0 < count <= self.rows and self.rows > self.counts
        if count == 0:
            return usual >= _USUAL_PER_WORD * self.words
        few = self.counts <= min(_MOST_COUNTS, usual // _USUAL_PER_COUNT)
        return few and count <= self.rows

    def _candidates(self, cells: pa.Array, lengths: pa.Array) -> dict[int, str]:
        """Return the ids that may be a count, a word, a date or two; no counts where many are."""
        words = unnumbered(cells).tolist()
        dates = pc.and_(pc.less_equal(lengths, _DAY_LENGTH), pc.match_substring(cells, "-"))
        places = np.ones(len(cells), dtype=np.bool_)
        places[words] = False
        usual = {*pc.unique(lengths.filter(pa.array(places))).to_pylist()} if words else set[int]()
        found = {
            at: text
            for at in (*words, *_matching(cells, dates, _DATED))
            if self._is_word(text := cells[at].as_py().strip(_AROUND), usual)
        }
        found |= _doubled(cells, lengths)
        counts = _matching(cells, pc.less_equal(lengths, _COUNT_LENGTH), _COUNT)
        if len(counts) <= _MOST_COUNTS:
            return found | {at: cells[at].as_py().strip(_AROUND) for at in counts}
        self.counts += len(counts)
        return found

    def _is_word(self, text: str, usual: set[int]) -> bool:
        """Return whether an id is a date, or a word that is not as long as others are."""
        if not re.fullmatch(_WORD, text):
            return bool(re.fullmatch(_DATED, text))
        alike = text.isupper() and len(text) in usual and not _is_never(fold(text))
        return not is_absent(text.casefold()) and (not alike or reads_as_footer(text))


def _is_never(folded: str) -> bool:
    """Return whether no order is called so: Pending, NotFound, walk-in."""
    return folded.replace(" ", "") in _NEVER or _NOTHING.fullmatch(folded) is not None


def mark_odd_ids(block: Block, known: OddIds, ids_at: int, awbs_at: int | None) -> Block:
    """Return a block with the ids marked that are unlike others, pushed aside, or AWBs."""
    if _are_alike(block.cells[ids_at]):
        known.rows += len(block)
        return block
    block = mark_pushed(known.see(block, ids_at), ids_at)
    return block if awbs_at is None else mark_awbs(block, ids_at, awbs_at)


def _are_alike(cells: pa.Array) -> bool:
    """Return whether all are numbers of one length, too long for a count, and none begins with 0.

    Then none of them can be unlike the others.
    """
    if not only_digits(cells) or pc.any(pc.starts_with(cells, "0")).as_py():
        return False
    lengths = pc.min_max(pc.binary_length(cells)).as_py()
    return bool(lengths["min"] == lengths["max"] and (lengths["min"] or 0) > _COUNT_LENGTH)


def mark_awbs(block: Block, ids_at: int, awbs_at: int) -> Block:
    """Return a block with the ids marked that are AWBs: their row's, or with words for an AWB.

    Only where they look like the AWBs of other rows, and the ids of other rows look otherwise: a
    seller's own delivery may have the order id for its AWB.
    """
    ids, awbs = (pc.utf8_trim(block.cells[at], _AROUND) for at in (ids_at, awbs_at))
    filled = pc.and_(pc.not_equal(ids, ""), pc.not_equal(awbs, ""))
    same = pc.equal(ids, awbs)
    doubtful = pc.and_(filled, pc.or_(same, pc.invert(pc.match_substring_regex(awbs, "[0-9]"))))
    others = pc.indices_nonzero(pc.and_not(filled, doubtful)).slice(0, _ENOUGH)
    if not len(others) or not pc.any(doubtful).as_py():
        return block
    of_ids = {*map(_shape, ids.take(others).to_pylist())}
    of_awbs = {*map(_shape, awbs.take(others).to_pylist())}
    begun = {beginning for beginning, _ in of_awbs}
    marked = {
        at: replace(block.facts.get(at, RowFacts()), odd_id=text)
        for at in pc.indices_nonzero(doubtful).to_pylist()
        if (shape := _shape(text := ids[at].as_py())) not in of_ids
        and (shape[0] in begun if same[at].as_py() else shape[1] and shape in of_awbs)
    }
    return replace(block, facts={**block.facts, **marked}) if marked else block


def mark_pushed(block: Block, ids_at: int) -> Block:
    """Return a block with the ids marked whose row has its own id one cell further right.

    There stands what looks like the ids of other rows, or one of 20 digits as the API has them
    (docs/konnect-api.md), and the id does not: 12, FYA1003.
    """
    if ids_at + 1 >= len(block.cells):
        return block
    ids, beside = (pc.utf8_trim(block.cells[at], _AROUND) for at in (ids_at, ids_at + 1))
    like_one = pc.match_substring_regex(beside, _LIKE_AN_ID)
    if not 0 < (pc.sum(like_one).as_py() or 0) <= min(_MOST_COUNTS, len(ids) // _USUAL_PER_COUNT):
        return block  # an AWB, nearly always
    rows = pc.indices_nonzero(like_one).to_pylist()
    others = pc.indices_nonzero(pc.invert(like_one)).slice(0, _ENOUGH)
    usual = {*map(_shape, ids.take(others).to_pylist())}
    marked = {
        at: replace(block.facts.get(at, RowFacts()), odd_id=text)
        for at in rows
        if _shape(text := ids[at].as_py()) not in usual
        and (_shape(own := beside[at].as_py()) in usual or _OF_API.fullmatch(own))
    }
    return replace(block, facts={**block.facts, **marked}) if marked else block


_LIKE_AN_ID = r"^[A-Za-z]{0,4}[-_]?[0-9]{8,}$"
_OF_API = re.compile(r"[0-9]{20}")
_ENOUGH = 5000


def _shape(text: str) -> tuple[str, int]:
    """Return the beginning of an id, and the length of one that is a number."""
    beginning = text.rstrip("0123456789").casefold()
    return beginning, 0 if beginning else len(text)


def _doubled(cells: pa.Array, lengths: pa.Array) -> dict[int, str]:
    """Return the ids that are two of the shape that others have: FYA1001-FYA2001."""
    filled = lengths.filter(pc.greater(lengths, 0))
    if not len(filled):
        return {}
    length = pc.mode(filled)[0]["mode"].as_py()
    places = pc.indices_nonzero(pc.equal(lengths, 2 * length + 1)).to_pylist()
    found = {at: cells[at].as_py() for at in places[:_MOST_COUNTS]}
    kinds = {_shape(text[:length]) for text in found.values() if _joins(text, length)}
    if kinds:
        usual = cells.filter(pc.equal(lengths, length))[:_SEEN].to_pylist()
        kinds &= {*map(_shape, usual)}
    return {
        at: text
        for at, text in found.items()
        if _joins(text, length) and _shape(text[:length]) in kinds
    }


def _joins(text: str, length: int) -> bool:
    return not text[length].isalnum() and _shape(text[:length]) == _shape(text[length + 1 :])


def _matching(cells: pa.Array, some: pa.Array, pattern: str) -> list[int]:
    """Return the places of those among some cells that match a pattern."""
    if not pc.any(some).as_py():
        return []
    found: list[int] = pc.indices_nonzero(
        pc.and_(some, pc.match_substring_regex(cells, pattern))
    ).to_pylist()
    return found
