"""Free text: tidied for the API, and turned into JSON."""

import re
from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

_BREAKS = re.compile(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+")
#: Controls, soft hyphen, zero-width, marks of direction (bidi overrides), byte order mark, lone
#: surrogates. The joiners U+200C and U+200D stay: emoji and Indian scripts need them.
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0001]+"
)


def tidied(value: str, *, limit: int) -> tuple[str, bool]:
    """Return free text fit for JSON, and whether it had to be cut (hazards, section C).

    Line breaks become a space, controls, lone surrogates and bidi overrides go, the ends are
    stripped, and what is longer than ``limit`` code points is cut.
    """
    # Only the beginning of a very long text is looked at, unless it is mostly unwanted.
    for part in (value[: limit * 4], value):
        clean = part.strip() if part.isprintable() else _cleaned(part)
        if len(clean) > limit:
            return clean[:limit].rstrip(), True
        if len(part) == len(value):
            break
    return clean, False


def _cleaned(text: str) -> str:
    return _UNWANTED.sub("", _BREAKS.sub(" ", text)).strip()


def tidy_column(cells: pa.Array, *, limit: int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Tidy a column of strings; also say per row whether it was cut."""
    encoded = cells.dictionary_encode()
    pairs = [tidied(value, limit=limit) for value in encoded.dictionary.to_pylist()]
    texts = pa.array([text for text, _ in pairs], pa.string())
    cuts = np.array([cut for _, cut in pairs], dtype=np.bool_)
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    cut_rows = cuts[indices] if len(cuts) else np.zeros(len(cells), dtype=np.bool_)
    return texts.take(encoded.indices), cut_rows


def json_member(name: str, cells: pa.Array, *, quoted: bool = True) -> pa.Array:
    """Turn a column of strings into members of a JSON object, ``"name":"cell"``.

    Null where a cell is empty, so that joins leave it out; what is not ``quoted`` is JSON already.
    """
    encoded = cells.dictionary_encode()
    members = [
        f'"{name}":{orjson.dumps(value).decode() if quoted else value}' if value else None
        for value in encoded.dictionary.to_pylist()
    ]
    return pa.array(members, pa.string()).take(encoded.indices)


def joined(columns: Sequence[pa.Array], separator: str) -> pa.Array:
    """Join what is not null of some columns per row; "" where all of them are null."""
    nothing = reduce(pc.and_, (pc.is_null(column) for column in columns))
    # Arrow leaves rows out, and makes the column shorter, where it has nothing to join.
    first = pc.if_else(nothing, "", columns[0])
    return pc.binary_join_element_wise(first, *columns[1:], separator, null_handling="skip")
