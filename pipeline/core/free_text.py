"""Free text: tidied for the API, and turned into JSON."""

import re
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from schemas.normalise import fold, is_absent
from schemas.update import REASON_SHAPE

_REASON = re.compile(REASON_SHAPE)
_LONGEST_ABSENT = 24
_SOME = 2048
_BREAKS = re.compile(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+")
#: Controls, soft hyphen, zero-width, marks of direction (bidi overrides), byte order mark, lone
#: surrogates. The joiners U+200C and U+200D stay: emoji and Indian scripts need them.
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0001]+"
)

#: Is tidied, or escaped in JSON: what is not printable ASCII, quotes, backslashes, spaces at ends.
_OTHERWISE = r"^$|^ | $|[^ !#-\[\]-~]"


def are_alike(cells: pa.Array) -> bool:
    """Tell by its first cells whether many of a column are alike, so that distinct ones are few."""
    some = cells.slice(0, _SOME)
    return len(pc.unique(some)) <= len(some) // 2


def tidied(value: str, *, limit: int) -> str:
    """Return free text fit for JSON (hazards, section C).

    Line breaks become a space, controls, lone surrogates and bidi overrides go, the ends are
    stripped, and what is longer than ``limit`` code points is cut.
    """
    # Only the beginning of a very long text is looked at, unless it is mostly unwanted.
    for part in (value[: limit * 4], value):
        clean = part.strip() if part.isprintable() else _cleaned(part)
        if len(clean) > limit:
            return clean[:limit].rstrip()
        if len(part) == len(value):
            break
    return clean


def _cleaned(text: str) -> str:
    return _UNWANTED.sub("", _BREAKS.sub(" ", text)).strip()


def length_of(value: str, *, limit: int) -> int:
    """Count the code points of a text once it is tidied.

    A very long text is counted only until it is longer than ``limit``.
    """
    for part in (value[: limit * 4], value):
        length = len(part.strip() if part.isprintable() else _cleaned(part))
        if length > limit or len(part) == len(value):
            break
    return length


def lengths(cells: pa.Array, *, limit: int) -> pa.Array | None:
    """Count the code points at most that each cell has when tidied; None if none is too long.

    Only what is longer than ``limit`` before it is tidied is counted exactly.
    """
    if not len(cells) or pc.max(pc.binary_length(cells)).as_py() <= limit:
        return None
    counts = pc.utf8_length(cells)
    long = np.flatnonzero(pc.greater(counts, limit).to_numpy(zero_copy_only=False))
    if not len(long):
        return None
    encoded = cells.take(pa.array(long)).dictionary_encode()
    exact = [length_of(value, limit=limit) for value in encoded.dictionary.to_pylist()]
    mask = np.zeros(len(cells), dtype=np.bool_)
    mask[long] = True
    return pc.replace_with_mask(
        counts, pa.array(mask), pa.array(exact, counts.type).take(encoded.indices)
    )


def read_reasons(cells: pa.Array, known: Mapping[str, int]) -> tuple[pa.Array, pa.Array]:
    """Split reasons into integers (as text) and words; "" where a cell has none of the kind.

    ``known``: folded text → its number. The integers are encoded as a dictionary.
    """
    encoded = cells.dictionary_encode()
    numbers, words = [], []
    for cell in encoded.dictionary.to_pylist():
        text = tidied(cell, limit=len(cell) + 1)
        key = fold(text)
        code = known.get(key)
        number = str(code) if code is not None else text if _REASON.fullmatch(text) else ""
        numbers.append(number)
        words.append("" if number or is_absent(key) else text)
    return (
        pa.DictionaryArray.from_arrays(encoded.indices, pa.array(numbers, pa.string())),
        pa.array(words, pa.string()).take(encoded.indices),
    )


def without_absent(cells: pa.Array) -> pa.Array:
    """Trim a column of strings; "" for the words that say that there is nothing."""
    encoded = cells.dictionary_encode()
    words = pc.utf8_trim_whitespace(encoded.dictionary)
    short = pc.less_equal(pc.binary_length(words), _LONGEST_ABSENT).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(short)
    said = [is_absent(fold(word)) for word in words.take(pa.array(rows)).to_pylist()]
    short[rows] = said
    words = pc.if_else(pa.array(short), "", words)
    return cells if words.equals(encoded.dictionary) else words.take(encoded.indices)


def with_reasons(remarks: pa.Array, words: pa.Array) -> pa.Array:
    """Put a reason in words before the remark, where the cap cannot cut it off."""
    if not pc.any(pc.not_equal(words, "")).as_py():
        return remarks
    same = pc.or_(pc.equal(remarks, ""), pc.equal(remarks, words))
    both = pc.if_else(same, words, pc.binary_join_element_wise(words, remarks, ": "))
    return pc.if_else(pc.equal(words, ""), remarks, both)


def folded(cells: pa.Array) -> pa.Array:
    """Fold a column of strings (see ``schemas.normalise.fold``)."""
    encoded = cells.dictionary_encode()
    keys = [fold(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(keys, pa.string()).take(encoded.indices)


def json_member(name: str, cells: pa.Array, *, limit: int, quoted: bool = True) -> pa.Array:
    """Turn a column of strings into members of a JSON object, ``"name":"cell"``, tidied.

    Null where a cell is empty, so that joins leave it out; what is not ``quoted`` is JSON already.
    ``cells`` may be encoded as a dictionary.
    """
    encoded = cells if isinstance(cells, pa.DictionaryArray) else cells.dictionary_encode()
    words, mark = encoded.dictionary, '"' if quoted else ""
    members = pc.binary_join_element_wise(f'"{name}":{mark}', words, mark, "")
    # Remarks may all differ, and most are written as they stand.
    other = pc.or_(
        pc.match_substring_regex(words, _OTHERWISE), pc.greater(pc.binary_length(words), limit)
    )
    if pc.any(other).as_py():
        values = [tidied(value, limit=limit) for value in words.filter(other).to_pylist()]
        written = [
            f'"{name}":{orjson.dumps(value).decode() if quoted else value}' if value else None
            for value in values
        ]
        members = pc.replace_with_mask(members, other, pa.array(written, pa.string()))
    return members.take(encoded.indices)


def joined(columns: Sequence[pa.Array], separator: str) -> pa.Array:
    """Join the values of some columns per row without the nulls; "" where all are null."""
    first, *others = columns
    if all(column.null_count for column in columns):
        # Arrow leaves rows out, and makes the column shorter, where it has nothing to join.
        nothing = reduce(pc.and_, (pc.is_null(column) for column in columns))
        first = pc.if_else(nothing, "", first)
    return pc.binary_join_element_wise(first, *others, separator, null_handling="skip")
