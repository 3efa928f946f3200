"""Keep the evidence about a row, as one text, for the time when it returns in a rejects file.

Of a title, a note, a tab, a name, or a cell further up, a rejects file has nothing: such evidence
is kept whole. Of a column that comes back with the row, the row's own cell is kept: where it is
unchanged, the row is as it was, and where the column was deleted, the cell stays evidence. So is
the cell of a date that was not taken.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.free_text import without_absent
from pipeline.core.model import Block
from pipeline.core.rejects_file import AROUND, CELL, FILLED, NEXT, PART, Around, KeptEvidence
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.sources import cell_said, column_named, direction_said, is_column
from schemas.normalise import fold, fold_header
from schemas.statuses import Direction
from schemas.vocabulary import Role


def kept_evidence(block: Block, mapping: ColumnMap, ways: pa.Array) -> pa.Array:
    """Return for each row of a block the evidence about it as one text, "" where there is none.

    ``ways``: the way back that anything about a row names, "" for none.
    """
    parts = [*_parts(block, mapping, ways)]
    if not parts:
        return pa.repeat("", len(block))
    return pc.utf8_trim(pc.binary_join_element_wise(*parts, NEXT), NEXT)


def is_unchanged(kept: KeptEvidence, block: Block, headers: Sequence[str], pos: int) -> bool:
    """Return whether the cells of a row that returns are as its evidence had them.

    A column that is not there any more has not changed.
    """
    places = {fold_header(heading): at for at, heading in reversed([*enumerate(headers)])}
    here = ((places.get(fold_header(each.heading)), each.text) for each in kept.cells if each.tells)
    return all(
        fold(block.cells[at][pos].as_py()) == fold(cell) for at, cell in here if at is not None
    )


def around_now(
    kept: KeptEvidence, headers: Sequence[str], status: str, pasted: Sequence[str] = ()
) -> tuple[Around, ...]:
    """Return the evidence about a row that returns which its file has nothing of.

    Cells of columns that were deleted are among it. ``status``: the row's own; a cell that says
    the same of another column is no evidence against it. ``pasted``: the row's cells, where the
    rows of other drops are in the file: one that stands under another heading now came from a file
    whose columns have another order.
    """
    here = {*map(fold_header, headers)}
    now = dict(zip(map(fold_header, headers), map(fold, pasted), strict=False))
    moved = {
        each.heading
        for each in kept.cells
        if fold(each.text) in {*now.values()} - {now.get(fold_header(each.heading))}
    }
    return kept.around + tuple(
        Around(source=column_named((each.heading,), 0), words=each.text, way=each.way)
        for each in kept.cells
        if (fold_header(each.heading) not in here or each.heading in moved)
        and each.way is not Direction.BLANK
        and fold(each.text) != fold(status)
    )


def _parts(block: Block, mapping: ColumnMap, ways: pa.Array) -> Iterator[pa.Array]:
    columns = {column_named(mapping.headers, at): at for at in range(len(mapping.headers))}
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
                yield _cells(pc.if_else(filled, ways, ""), block, mapping, at, kind=FILLED)


def _around(source: str, claim: str) -> str:
    way, words = direction_said(source, claim), cell_said(source, claim)
    return PART.join((AROUND, source, way.value, words.replace(NEXT, " ")))


def _cells(
    ways: pa.Array, block: Block, mapping: ColumnMap, at: int, *, kind: str = CELL
) -> pa.Array:
    """Return the cells of a column in the rows about which it named a way, "" elsewhere."""
    heading = " ".join(mapping.headers[at].split())
    bare = pc.replace_substring(block.cells[at], NEXT, " ")
    cells = pc.binary_join_element_wise(kind, heading, ways, bare, PART)
    return pc.if_else(pc.equal(ways, ""), "", cells)
