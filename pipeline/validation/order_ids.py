"""Order ids: clean a cell's ends before it is judged, and nothing more."""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import DropRefused
from schemas.codes import Code
from schemas.display import quoted
from schemas.limits import EXACT_DIGITS, ID_LENGTH, ID_SHAPE
from schemas.normalise import INVISIBLE, is_absent
from schemas.order_ids import only_digits
from schemas.vocabulary import CellKind

_ENDS = INVISIBLE + " \t\r\n\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
_ENDS += "\u2008\u2009\u200a\u202f\u205f\u3000"
_PAIRS = frozenset({('"', '"'), ("'", "'"), ("`", "`"), ("`", "'"), ("“", "”"), ("‘", "’")})
_WHOLE_FLOAT = re.compile(rf"([0-9]{{1,{EXACT_DIGITS}}})\.0")


_ENOUGH = 20
"""From so many rows on it is no accident that each of them has another number as its order id."""

_COUNTRY = r"^(?:\+?91[ -]?|0)([6-9][0-9]{9})$"
_MOST = 0.9
_WORDS = r"^[A-Za-z][A-Za-z _-]*$"


def check_order_ids(ids: pa.Array, heading: str, others: Iterable[tuple[str, pa.Array]]) -> None:
    """Refuse a file (``WRONG_COLUMN``) whose order ids are another column's, or plain words.

    ``others``: headings and cells of columns that never hold order ids, though they look like some.
    """
    filled = ids
    if not only_digits(ids):
        trimmed = pc.utf8_trim_whitespace(ids)
        filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    count = len(filled) - filled.null_count
    if count < _ENOUGH:
        return
    for other, cells in others:
        if _same(filled[:_ENOUGH], cells[:_ENOUGH]) and _same(filled, cells):
            raise DropRefused(
                Code.WRONG_COLUMN,
                f"In every row the column {quoted(heading)} holds what the column {quoted(other)} "
                f"holds ({quoted(filled.drop_null()[0].as_py())}), which is never the order id.",
                hint="Put the order ids into the column for them, and upload the file again. If "
                f"these are the order ids, delete the column {quoted(other)}.",
            )
    words = 0 if only_digits(filled) else pc.sum(pc.match_substring_regex(filled, _WORDS)).as_py()
    if words > _MOST * count:
        raise DropRefused(
            Code.WRONG_COLUMN,
            f"{words} of {count} cells in the column {quoted(heading)} are words without a number "
            f"({quoted(filled.drop_null()[0].as_py())}), so it is probably not the order id.",
            hint="Check which column holds the order ids, correct its heading or contents, and "
            "upload the file again.",
        )


def crossed(ids: pa.Array, awbs: pa.Array) -> npt.NDArray[np.bool_]:
    """Return the rows whose id and AWB look as AWB and id of others do: FYE1, 99 and 99, FYE1.

    A second table was pasted below, with its columns in another order. The fewer ones, or all
    where these are many: then nothing tells which of the two are right.
    """
    none = np.zeros(len(ids), dtype=np.bool_)
    if only_digits(ids):
        return none
    lettered = _mask(pc.match_substring_regex(ids, _LETTERED))
    if lettered.all() or not lettered.any():
        return none
    of_awbs = _mask(pc.match_substring_regex(awbs, _LETTERED))
    kinds = []
    for kind, cells, others in ((lettered & ~of_awbs, ids, awbs), (of_awbs & ~lettered, awbs, ids)):
        rows = np.flatnonzero(kind & _mask(pc.match_substring_regex(others, r"^\s*[0-9]{5}")))
        texts = cells.take(pa.array(rows)).to_pylist()
        kinds.append({int(at): _prefix(text) for at, text in zip(rows, texts, strict=True)})
    both = {*kinds[0].values()} & {*kinds[1].values()}
    fewer, more = sorted(
        ([at for at, prefix in kind.items() if prefix in both] for kind in kinds), key=len
    )
    none[fewer] = True
    none[more if len(fewer) * _MANY > len(more) else []] = True
    return none


_LETTERED = r"^\s*[A-Za-z]{2,}[-_]?[0-9]"
_MANY = 5


def _prefix(text: str) -> str:
    return text.strip().rstrip("0123456789").casefold()


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return mask


def _same(filled: pa.Array, cells: pa.Array) -> bool:
    """Return whether each id is what the other column has, a phone's +91 or 0 left out."""
    bare = pc.replace_substring_regex(pc.utf8_trim_whitespace(cells), _COUNTRY, r"\1")
    return bool(pc.all(pc.equal(filled, bare)).as_py())


def canonical_ids(
    cells: pa.Array,
    kinds: npt.NDArray[np.int8] | None,
    *,
    bare: npt.NDArray[np.int64] | None = None,
) -> pa.Array:
    """Return the ids as they are judged and sent; "" where the cell says that there is none.

    One complete wrapper (``="…"``, ``"…"``, ``'…'``, or a leading ``'`` or backtick), the white
    space and the invisible characters at the ends are taken off, and ``.0`` from a whole number of
    at most 15 digits (hazards, section A). Nothing inside an id is ever changed. No order is called
    0 or 000. ``bare``: what ``unnumbered`` returns of the cells, where it is known.
    """
    if only_digits(cells):
        plain = pc.less_equal(pc.binary_length(cells), ID_LENGTH)
    else:
        plain = pc.match_substring_regex(cells, ID_SHAPE)
    odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    look = np.union1d(odd, unnumbered(cells) if bare is None else bare)
    errors: list[int] = [] if kinds is None else np.flatnonzero(kinds == CellKind.ERROR).tolist()
    fixed = {
        int(at): clean
        for at, value in zip(look, cells.take(pa.array(look)).to_pylist(), strict=True)
        if (clean := _canonical(value)) != value
    }
    fixed.update(dict.fromkeys(errors, ""))
    if not fixed:
        return cells
    mask = np.zeros(len(cells), dtype=np.bool_)
    mask[list(fixed)] = True
    values = pa.array([fixed[at] for at in sorted(fixed)], pa.string())
    return pc.replace_with_mask(cells, pa.array(mask), values)


def unnumbered(cells: pa.Array) -> npt.NDArray[np.int64]:
    """Return the cells without a digit but 0: a word, or nothing, although shaped like an id."""
    if only_digits(cells) and not pc.any(pc.starts_with(cells, "0")).as_py():
        return np.zeros(0, dtype=np.int64)
    digits = pc.match_substring_regex(cells, "[1-9]")
    return np.flatnonzero(~digits.to_numpy(zero_copy_only=False))


def _canonical(value: str) -> str:
    text = value.strip(_ENDS)
    if text.startswith('="') and text.endswith('"') and len(text) >= 3:
        text = text[2:-1]
    elif len(text) >= 2 and (text[0], text[-1]) in _PAIRS:
        text = text[1:-1]
    else:
        text = text[1:] if text.startswith(("'", "`")) else text
    text = text.strip(_ENDS)
    if is_absent(text.casefold()) or not text.strip("-"):
        return ""
    whole = _WHOLE_FLOAT.fullmatch(text)
    bare = whole.group(1) if whole else text
    return bare if bare.strip("0") else ""
