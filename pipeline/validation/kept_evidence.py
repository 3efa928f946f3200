"""Keep the evidence about a row, as one text, for the time when it returns in a rejects file.

Of a title, a note, a tab, a name, or a cell further up, a rejects file has nothing: such evidence
is kept whole. Of a column that comes back with the row, the row's own cell is kept: where it is
unchanged, the row is as it was, and where the column was deleted, the cell stays evidence. So is
the cell of a date that was not taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.free_text import without_absent
from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence import (
    NAMES,
    cell_said,
    column_named,
    direction_said,
    is_column,
)
from schemas.codes import Code
from schemas.normalise import fold, fold_header
from schemas.statuses import Direction
from schemas.vocabulary import Role

_NEXT, _PART = "\x1e", "\x1f"
_AROUND, _CELL, _FILLED, _DATE = "around", "cell", "filled", "date"
_OF_DATES = re.compile(rf"(?:{Code.DATE_DROPPED}|{Code.DATE_INVALID}):")


class Around(Struct, frozen=True, kw_only=True):
    """Evidence that does not come back: its source in messages, its words, and their way."""

    source: str
    words: str
    way: Direction


class KeptCell(Struct, frozen=True, kw_only=True):
    """A cell that spoke about its row, and the way that it said.

    ``tells``: a row in which it is another has changed.
    """

    heading: str
    text: str
    way: Direction
    tells: bool = True


class KeptEvidence(Struct, frozen=True, kw_only=True):
    """The evidence about a row.

    ``dates``: roles of dates that were not taken, each with its cell.
    """

    around: tuple[Around, ...] = ()
    cells: tuple[KeptCell, ...] = ()
    dates: tuple[tuple[str, str], ...] = ()


def kept_evidence(block: Block, mapping: ColumnMap, ways: pa.Array) -> pa.Array:
    """Return for each row of a block the evidence about it as one text, "" where there is none.

    ``ways``: the way back that anything about a row names, "" for none.
    """
    parts = [*_parts(block, mapping, ways)]
    if not parts:
        return pa.repeat("", len(block))
    return pc.utf8_trim(pc.binary_join_element_wise(*parts, _NEXT), _NEXT)


def evidence_in(text: str) -> KeptEvidence:
    """Return the evidence of a text that ``kept_evidence`` made."""
    around: list[Around] = []
    cells: list[KeptCell] = []
    dates: list[tuple[str, str]] = []
    for part in filter(None, text.split(_NEXT)):
        kind, first, way, words = part.split(_PART, 3)
        if kind == _DATE:
            dates.append((first, words))
        elif kind == _AROUND:
            around.append(Around(source=first, words=words, way=Direction(way)))
        else:
            tells = kind == _CELL
            cells.append(KeptCell(heading=first, text=words, way=Direction(way), tells=tells))
    return KeptEvidence(around=tuple(around), cells=tuple(cells), dates=tuple(dates))


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
    here = ((places.get(fold_header(each.heading)), each.text) for each in kept.cells if each.tells)
    return all(
        fold(block.cells[at][pos].as_py()) == fold(cell) for at, cell in here if at is not None
    )


def around_now(kept: KeptEvidence, headers: Sequence[str], status: str) -> tuple[Around, ...]:
    """Return the evidence about a row that returns which its file has nothing of.

    Cells of columns that were deleted are among it. ``status``: the row's own; a cell that says
    the same of another column is no evidence against it.
    """
    here = {*map(fold_header, headers)}
    return kept.around + tuple(
        Around(source=column_named((each.heading,), 0), words=each.text, way=each.way)
        for each in kept.cells
        if fold_header(each.heading) not in here
        and each.way is not Direction.BLANK
        and fold(each.text) != fold(status)
    )


def _parts(block: Block, mapping: ColumnMap, ways: pa.Array) -> Iterator[pa.Array]:
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
            said = pc.replace_substring_regex(claims, "(?s):.*", "")
            yield _cells(said, block, mapping, columns[source])
        else:
            yield around
    for source, statuses in block.others.items():
        if source in columns:
            said = pc.if_else(pc.equal(statuses, ""), "", Direction.UNREADABLE.value)
            yield _cells(said, block, mapping, columns[source])
    if pc.any(pc.not_equal(ways, "")).as_py():
        for at in (mapping.columns.get(Role.DIRECTION), mapping.helpers.get("rto_awb")):
            if at is not None:
                filled = pc.not_equal(without_absent(block.cells[at]), "")
                yield _cells(pc.if_else(filled, ways, ""), block, mapping, at, kind=_FILLED)


def _around(source: str, claim: str) -> str:
    way, words = direction_said(source, claim), cell_said(source, claim)
    return _PART.join((_AROUND, source, way.value, words.replace(_NEXT, " ")))


def _cells(
    ways: pa.Array, block: Block, mapping: ColumnMap, at: int, *, kind: str = _CELL
) -> pa.Array:
    """Return the cells of a column in the rows about which it named a way, "" elsewhere."""
    heading = " ".join(mapping.headers[at].split())
    bare = pc.replace_substring(block.cells[at], _NEXT, " ")
    cells = pc.binary_join_element_wise(kind, heading, ways, bare, _PART)
    return pc.if_else(pc.equal(ways, ""), "", cells)
