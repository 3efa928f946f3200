"""Keep the evidence about a row, as one text, for the time when it returns in a rejects file.

Of a title, a note, a tab, a name, or a cell further up, a rejects file has nothing: such evidence
is kept whole. Of a column that comes back with the row, the row's own cell is kept: where it is
unchanged, the row is as it was. So is the cell of a date that was not taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence import NAMES, cell_said, column_named, direction_said, is_column
from schemas.codes import Code
from schemas.normalise import fold, fold_header
from schemas.statuses import Direction

_NEXT, _PART = "\x1e", "\x1f"
_AROUND, _CELL, _DATE = "around", "cell", "date"
_OF_DATES = re.compile(rf"(?:{Code.DATE_DROPPED}|{Code.DATE_INVALID}):")


class Around(Struct, frozen=True, kw_only=True):
    """Evidence that does not come back: its source in messages, its words, and their way."""

    source: str
    words: str
    way: Direction


class KeptEvidence(Struct, frozen=True, kw_only=True):
    """The evidence about a row.

    ``cells``: folded headings of columns, each with its cell. ``dates``: roles of dates that were
    not taken, each with its cell.
    """

    around: tuple[Around, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    dates: tuple[tuple[str, str], ...] = ()


def kept_evidence(block: Block, mapping: ColumnMap) -> pa.Array:
    """Return for each row of a block the evidence about it as one text, "" where there is none."""
    parts = [*_parts(block, mapping)]
    if not parts:
        return pa.repeat("", len(block))
    return pc.utf8_trim(pc.binary_join_element_wise(*parts, _NEXT), _NEXT)


def evidence_in(text: str) -> KeptEvidence:
    """Return the evidence of a text that ``kept_evidence`` made."""
    around: list[Around] = []
    named: dict[str, list[tuple[str, str]]] = {_CELL: [], _DATE: []}
    for part in filter(None, text.split(_NEXT)):
        kind, first, way, words = part.split(_PART, 3)
        if kind in named:
            named[kind].append((first, words))
        else:
            around.append(Around(source=first, words=words, way=Direction(way)))
    return KeptEvidence(around=tuple(around), cells=tuple(named[_CELL]), dates=tuple(named[_DATE]))


def with_dates(around: pa.Array, codes: pa.Array, dates: Mapping[str, pa.Array]) -> pa.Array:
    """Add to the evidence about rows the cells of dates that were not taken, by their codes.

    Other rows of the file may have shown which number is the month. ``dates``: cells by role.
    """
    rows = pc.match_substring_regex(codes, _OF_DATES.pattern).to_numpy(zero_copy_only=False)
    texts: list[str] = around.to_pylist()
    for at in np.flatnonzero(rows).tolist():
        for role, cells in dates.items():
            if re.search(rf"{_OF_DATES.pattern}{role}\b", codes[at].as_py()):
                cell = cells[at].as_py().replace(_NEXT, " ")
                texts[at] += _NEXT + _PART.join((_DATE, role, "", cell))
    return pa.array(texts, pa.string()) if rows.any() else around


def is_unchanged(kept: KeptEvidence, block: Block, headers: Sequence[str], pos: int) -> bool:
    """Tell whether the cells of a row that returns are as its evidence had them.

    A column that is not there any more has not changed.
    """
    places = {fold_header(heading): at for at, heading in reversed([*enumerate(headers)])}
    here = ((places[heading], cell) for heading, cell in kept.cells if heading in places)
    return all(fold(block.cells[at][pos].as_py()) == fold(cell) for at, cell in here)


def _parts(block: Block, mapping: ColumnMap) -> Iterator[pa.Array]:
    columns = {column_named(mapping.headers, at): at for at in range(len(mapping.headers))}
    for source, words in mapping.around.items():
        if source not in NAMES:
            yield pa.repeat(_around(source, words), len(block))
    for source, claims in block.said.items():
        encoded = claims.dictionary_encode()
        texts = [
            _around(source, claim) if claim else "" for claim in encoded.dictionary.to_pylist()
        ]
        around = pa.array(texts, pa.string()).take(encoded.indices)
        if is_column(source) and source in columns:
            own = pc.utf8_trim_whitespace(block.cells[columns[source]])
            above = pc.and_(pc.not_equal(claims, ""), pc.equal(own, ""))
            yield pc.if_else(above, around, "")
            yield _cells(claims, block, mapping, columns[source])
        else:
            yield around
    for source, statuses in block.others.items():
        if source in columns:
            yield _cells(statuses, block, mapping, columns[source])


def _around(source: str, claim: str) -> str:
    way, words = direction_said(source, claim), cell_said(source, claim)
    return _PART.join((_AROUND, source, way.value, words.replace(_NEXT, " ")))


def _cells(spoke: pa.Array, block: Block, mapping: ColumnMap, at: int) -> pa.Array:
    """Return the cells of a column in the rows about which it spoke, "" elsewhere."""
    start = _PART.join((_CELL, fold_header(mapping.headers[at]), "", ""))
    bare = pc.replace_substring(block.cells[at], _NEXT, " ")
    return pc.if_else(pc.not_equal(spoke, ""), pc.binary_join_element_wise(start, bare, ""), "")
