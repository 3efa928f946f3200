"""A corrected rejects file: undo the guard, and the damage of a spreadsheet to ids.

``restore`` → the ledger is asked for the ids at ``references`` → ``restore_ids``. Columns whose
name begins with ``_reject`` are not data; two of them say where each row came from.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from pipeline.core.formula_guard import unguard_array, unguard_cell
from pipeline.core.model import Block, Manifest, ReadTally, RowFacts, Sheet
from pipeline.core.rejects_file import (
    REJECT_CODES,
    ROWS_SHEET,
    SAYING,
    UNCLEAR,
    column_of,
    evidence_in,
    is_rejects_header,
    may_be_mended,
    plain_heading,
    references,
    rendering_matches,
    sheets_named,
    without_drop,
    words_of,
)
from pipeline.core.row_keys import RejectedRow, row_key
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.kept import around_now, is_unchanged
from pipeline.validation.evidence.sources import column_named
from schemas.codes import Code
from schemas.display import quoted
from schemas.limits import ID_SHAPE
from schemas.parcels import AROUND_AN_ID, BLOCKED_AS, is_confirmed
from schemas.statuses import Direction
from schemas.vocabulary import CellKind, Role

#: An id that a spreadsheet took for a date or a truth value: 12-Mar, Dec-34, 28-11-2026, TRUE.
_AS_A_DATE = re.compile(
    r"[0-9]{1,4}[-/. ](?:[0-9]{1,2}|[A-Za-z]{3,9})(?:[-/. ][0-9]{1,4})?"
    r"|[A-Za-z]{3,9}[-/. ][0-9]{2,4}"
)
_TRUTH = re.compile(r"(?i)true|false")


def origin(kind: str, sheet: str) -> str:
    """Return how a rejects file came back: ``csv``, ``twin`` (our workbook) or ``workbook``.

    ``kind`` is ``Manifest.kind``, ``sheet`` the name of the sheet.
    """
    if kind == "csv":
        return kind
    return "twin" if sheet == ROWS_SHEET else "workbook"


_NO_WAY = frozenset({Direction.UNREADABLE, Direction.WITHDRAWN})
Original = tuple[str, str]
"""A sheet, "" where it was not kept, and the order id of a row there as the file had it."""


def restore_headers(headers: Sequence[str], origin: str) -> tuple[str, ...]:
    """Give the headers without the guard; ``origin`` as in ``restore``."""
    if not headers or origin == "twin":
        return tuple(headers)
    text = unguard_array(pa.array(headers, pa.string()), only_guarded=origin != "csv")
    return tuple(text.to_pylist())


def restore(block: Block, headers: Sequence[str], origin: str) -> Block:
    """Return the block with its original text; ``origin`` comes from the function of that name.

    From a CSV, one leading ``'`` goes from every cell. Our own workbook has none of ours. In
    another one, somebody may have saved the CSV as a workbook: there a ``'`` goes only where the
    guard would have put one. Noted are rows that were rejected for surplus cells and still have
    text under the nameless columns at the end (``RowFacts.beyond``), and those that rows held which
    are not in the file (``RowFacts.codes``).
    """
    csv = origin == "csv"
    cells = block.cells
    if origin != "twin":
        cells = tuple(unguard_array(column, only_guarded=not csv) for column in cells)
    extra = {
        pos: tuple(unguard_cell(cell) if csv else cell for cell in surplus)
        for pos, surplus in block.extra.items()
    }
    facts = dict(block.facts)
    for pos, text in _still_beyond(replace(block, cells=cells), headers).items():
        facts[pos] = replace(facts.get(pos, RowFacts()), beyond=text)
    for pos, text in _held(replace(block, cells=cells), headers).items():
        facts[pos] = replace(facts.get(pos, RowFacts()), codes=text)
    return replace(block, cells=cells, extra=extra, facts=facts)


def restore_ids(
    block: Block,
    headers: Sequence[str],
    id_column: int,
    originals: Mapping[tuple[str, int], Sequence[Original]],
) -> Block:
    """Give back the original ids where a spreadsheet damaged them.

    ``originals`` maps a reference to the sheets that have this record number, each with the id
    there. The rows with a restored id are noted (``RowFacts.damaged_id``), and those whose cell may
    be any of several ids (``RowFacts.shown``): they are never sent. A cell that is no rendering of
    its original stays as it is.
    """
    ids = block.cells[id_column].to_pylist()
    kinds = block.kinds.get(id_column)
    restored: dict[int, str] = {}
    facts = dict(block.facts)
    found = zip(references(block, headers), sheets_named(block, headers), strict=True)
    for pos, (reference, tab) in enumerate(found):
        kind = CellKind.TEXT if kinds is None else CellKind(int(kinds[pos]))
        candidates = _known(originals, reference, tab) if reference else set()
        matches = sorted(each for each in candidates if rendering_matches(each, ids[pos], kind))
        fact = facts.get(pos, RowFacts())
        if len(matches) == 1:
            restored[pos] = matches[0]
            facts[pos] = replace(fact, damaged_id=ids[pos])
        elif matches and ids[pos] not in candidates:
            several = " or ".join(map(quoted, matches))
            shown = {id_column: f"as {several} in the file it was rejected from"}
            facts[pos] = replace(fact, shown={**fact.shown, **shown})
    if facts == block.facts:
        return block
    return replace(_with_ids(block, id_column, restored), facts=facts)


def _with_ids(block: Block, id_column: int, restored: Mapping[int, str]) -> Block:
    ids = block.cells[id_column]
    mask = np.zeros(len(block), dtype=bool)
    mask[list(restored)] = True
    new = pa.array([restored[pos] for pos in sorted(restored)], ids.type)
    cells = list(block.cells)
    cells[id_column] = pc.replace_with_mask(ids, pa.array(mask), new)
    kinds = dict(block.kinds)
    if id_column in kinds:
        kinds[id_column] = _as_text(kinds[id_column], mask)
    return replace(block, cells=tuple(cells), kinds=kinds)


def _as_text(kinds: npt.NDArray[np.int8], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    changed = kinds.copy()
    changed[mask] = CellKind.TEXT
    return changed


def _still_beyond(block: Block, headers: Sequence[str]) -> dict[int, str]:
    """Find rows whose text right of the last named column was, or may be, a shifted column."""
    named = max((i for i, header in enumerate(headers) if plain_heading(header)), default=-1)
    codes = column_of(block, headers, REJECT_CODES)
    found: dict[int, str] = {}
    for column in block.cells[named + 1 :]:
        filled = pc.not_equal(column, "")
        if codes is not None:
            filled = pc.and_(filled, pc.match_substring(codes, str(Code.ROW_RAGGED)))
        for pos in np.flatnonzero(filled.to_numpy(zero_copy_only=False)).tolist():
            found.setdefault(pos, column[pos].as_py())
    return found


def _held(block: Block, headers: Sequence[str]) -> dict[int, str]:
    """Find rows that were held because of others."""
    codes = column_of(block, headers, REJECT_CODES)
    if codes is None:
        return {}
    hit = pc.match_substring_regex(codes, "|".join(BLOCKED_AS.values()))
    return {pos: codes[pos].as_py() for pos in np.flatnonzero(hit).tolist()}


class EarlierDrops(Protocol):
    """Earlier drops, for a rejects file that comes back."""

    def courier(self, drop_id: str) -> str | None: ...
    def rejected_ids(self, drop_id: str) -> Mapping[tuple[str, int], Sequence[Original]]: ...
    def rejected(self, drop_id: str) -> Mapping[tuple[str, int], Sequence[RejectedRow]]: ...


def parent_of(manifest: Manifest, earlier: EarlierDrops) -> str | None:
    """Return the drop that a rejects file came from: the first it names that we know."""
    for sheet in manifest.sheets:
        if not is_rejects_header(sheet.headers):
            continue
        block = next(iter(sheet.blocks(ReadTally())), None)
        named = references(unguarded(block, sheet, manifest), sheet.headers) if block else []
        for drop_id in dict.fromkeys(reference[0] for reference in named if reference):
            if earlier.courier(drop_id) is not None:
                return drop_id
    return None


def couriers(block: Block, headers: tuple[str, ...], earlier: EarlierDrops) -> list[str | None]:
    """Return for each row the courier of the drop that it came from, None where nobody knows it."""
    found: dict[str, str | None] = {}
    names = []
    for reference in references(block, headers):
        drop_id = reference[0] if reference else ""
        if drop_id not in found:
            found[drop_id] = earlier.courier(drop_id) if drop_id else None
        names.append(found[drop_id])
    return names


def unguarded(block: Block, sheet: Sheet, manifest: Manifest) -> Block:
    """Return the block with its cells as they were before we guarded them."""
    return restore(block, sheet.headers, origin(manifest.kind, sheet.name))


def restored(
    block: Block, headers: tuple[str, ...], mapping: ColumnMap, earlier: EarlierDrops
) -> Block:
    """Give ids back that a spreadsheet damaged, where the parent knows them."""
    column = mapping.columns[Role.ORDER_ID]
    drops = {found[0] for found in references(block, headers) if found}
    originals: dict[tuple[str, int], Sequence[Original]] = {}
    for drop_id in sorted(drops):
        originals |= earlier.rejected_ids(drop_id)
    whole = restore_ids(block, headers, column, originals) if originals else block
    return _as_they_were(whole, headers, mapping, earlier)


def _as_they_were(
    block: Block, headers: Sequence[str], mapping: ColumnMap, earlier: EarlierDrops
) -> Block:
    """Note of rows that come back what their file said of them, and which are as they were.

    A tab, a title or other rows may have left a status open, and a rejects file has none of these.
    Nor has it a column of directions that somebody deleted.
    Nor has it the kind of a cell, by which an id was damaged. Where somebody emptied the codes of a
    row, that is a person's word for it.
    """
    codes = column_of(block, headers, REJECT_CODES)
    columns = {
        role.value: block.cells[at] for role, at in mapping.columns.items() if role in SAYING
    }
    said, tabs = words_of(columns, len(block)), sheets_named(block, headers)
    named, facts = references(block, headers), dict(block.facts)
    rejected: dict[tuple[str, int], Sequence[RejectedRow]] = {}
    drops = sorted({found[0] for found in named if found})
    for drop_id in drops:
        rejected |= earlier.rejected(drop_id)
    pasted, emptied = len(drops) > 1, without_drop(block, headers)
    by_id: dict[str, list[RejectedRow]] = {}
    for each in chain.from_iterable(rejected.values()):
        by_id.setdefault(each.order_id, []).append(each)
    id_column = mapping.columns[Role.ORDER_ID]
    ids = block.cells[id_column].to_pylist()
    statuses = block.cells[mapping.columns[Role.STATUS]]
    for pos, reference in enumerate(named):
        kept = rejected.get(reference, ()) if reference else ()
        kept = [each for each in kept if _is_of(each.sheet, tabs[pos])] or kept
        order = ids[pos].strip(AROUND_AN_ID)
        is_its = not kept or any(may_be_mended(each.order_id, order) for each in kept)
        if ids[pos] not in {each.order_id for each in kept}:
            kept = by_id.get(ids[pos], kept)  # it was sorted away from its reference
        nobodys = not kept and bool(drops) and emptied[pos]
        word = None if codes is None else codes[pos].as_py().strip()
        fact = facts.get(pos, RowFacts())
        if word != "" or not any(each.codes for each in kept):
            own = word or ";".join(each.codes for each in kept)
            evidence = [evidence_in(each.around) for each in kept]
            same = [
                each.said == said[pos] and is_unchanged(of_row, block, headers, pos)
                for each, of_row in zip(kept, evidence, strict=True)
            ]
            # A word that was copied to the row of another order is nobody's.
            copied = not is_its and is_confirmed(own)
            was_unclear = UNCLEAR in own or any(UNCLEAR in each.codes for each in kept)
            unclear = (UNCLEAR in own or copied) and was_unclear and (any(same) or not kept)
            around = tuple(
                (said_around.source, said_around.words, said_around.way.value)
                for each, of_row in zip(kept, evidence, strict=True)
                for said_around in around_now(
                    of_row,
                    headers,
                    statuses[pos].as_py(),
                    [column[pos].as_py() for column in block.cells] if pasted else (),
                )
                # Evidence that names no way is settled by a person who changes the row.
                if said_around.way not in _NO_WAY or UNCLEAR not in each.codes
            )
            if unclear or around:
                told = UNCLEAR if copied else fact.codes or own
                fact = replace(fact, still_unclear=unclear, around=around, codes=told)
        ragged = Code.ROW_RAGGED in (word or "")
        fact = replace(
            fact,
            held_as=max((each.milestone for each in kept), default=0),
            moved=_moved_date(block, mapping, pos, kept) if pasted or ragged else None,
            nobodys=nobodys,
        )
        if dates := _dates_as_they_were(block, mapping, pos, kept):
            fact = replace(fact, two_way=dates)
        if (doubt := _doubt_of_id(ids[pos], kept)) and id_column not in fact.shown:
            fact = replace(fact, shown={**fact.shown, id_column: doubt})
        if fact != RowFacts():
            facts[pos] = fact
    return replace(block, facts=facts) if facts != block.facts else block


def _dates_as_they_were(
    block: Block, mapping: ColumnMap, pos: int, kept: Sequence[RejectedRow]
) -> frozenset[str]:
    """Return the roles of dates that were not taken before, and whose cells nobody has changed."""
    return frozenset(
        role
        for each in kept
        for role, cell in evidence_in(each.around).dates
        if (at := mapping.columns.get(Role(role))) is not None
        and block.cells[at][pos].as_py().strip() == cell.strip()
    )


def _moved_date(
    block: Block, mapping: ColumnMap, pos: int, kept: Sequence[RejectedRow]
) -> tuple[str, str] | None:
    """Return a column that has the date of another one of the row's own file, and that date.

    The rows of one file were pasted below those of another whose columns have another order.
    """
    for each in kept:
        were = evidence_in(each.around).were
        places = [mapping.columns.get(Role(role)) for role, _ in were]
        now = ["" if at is None else block.cells[at][pos].as_py() for at in places]
        before = [cell for _, cell in were]
        if now != before and sorted(now) == sorted(before):
            at = next(
                at for at, *cells in zip(places, now, before, strict=True) if len({*cells}) > 1
            )
            return column_named(mapping.headers, at or 0), block.cells[at or 0][pos].as_py()
    return None


def _doubt_of_id(order_id: str, kept: Sequence[RejectedRow]) -> str:
    """Return how the id of a row was shown that must not go out as it stands, "" where it may.

    It was damaged already, by its number format or the kind of its cell, and nobody has changed it;
    or a spreadsheet made a date or a truth value of a sound id.
    """
    seen = order_id.strip()
    for each in kept:
        is_kind = _TRUTH.fullmatch(seen) and Code.ID_INVALID in each.codes
        if seen == each.order_id.strip() and (Code.ID_DAMAGED in each.codes or is_kind):
            return "in another way in the file it was rejected from"
    sound = [each.order_id for each in kept if re.match(ID_SHAPE, each.order_id)]
    if len(sound) < len(kept) or seen in sound or not sound:
        return ""
    if _AS_A_DATE.fullmatch(seen) or _TRUTH.fullmatch(seen):
        return f"as {' or '.join(map(quoted, sorted({*sound})))} in the file it was rejected from"
    return ""


def _known(
    rows: Mapping[tuple[str, int], Sequence[Original]], reference: tuple[str, int], tab: str
) -> set[str]:
    """Return the texts of the row that is referred to, of all sheets where its own is not known."""
    known = rows.get(reference, ())
    return {text for _, text in _of_sheet(known, tab) or known}


def _of_sheet(known: Sequence[Original], tab: str) -> list[Original]:
    """Return the rows of the sheet with this name; none where no name is given."""
    return [each for each in known if _is_of(each[0], tab)]


def _is_of(sheet: str, tab: str) -> bool:
    """Return whether a sheet has this name; it has not where no name is given."""
    wanted = row_key(0, tab)
    return wanted != 0 and row_key(0, sheet) == wanted
