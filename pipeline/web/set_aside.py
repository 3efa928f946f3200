"""Set rows aside: a user decides, with a reason and a name, to leave them as they are."""

from collections.abc import Collection
from functools import partial
from typing import Final

import structlog

from pipeline.core.corrections import with_aside, with_put_off, without_aside
from pipeline.core.errors import StorageError
from pipeline.core.model import DropState, stamp
from pipeline.core.row_keys import RowKey, in_order, in_words, row_key, rows_meant, sheet_of
from pipeline.web import drop_view
from pipeline.web.access import Visitor
from pipeline.web.context import NotPossible, WebContext
from pipeline.web.correct_rows.load import line_of, table_of
from pipeline.web.correct_rows.table import Table
from schemas.vocabulary import FOR_A_PERSON

log = structlog.get_logger(__name__)

OF_DROPS: Final = ("rows", "refused", "api")
"""Kinds of things to do that are drops."""
REASONS: Final = ("already delivered", "not ours", "duplicate", "other")
NO_MANIFEST: Final = "not a manifest"
"""The reason for a file that was refused because it is no manifest."""
REASONS_OF_FILES: Final = (NO_MANIFEST, *REASONS)


def set_aside(
    ctx: WebContext,
    visitor: Visitor,
    drop_id: str,
    rows: Collection[RowKey],
    *,
    reason: str,
    who: str,
) -> int:
    """Leave rows that need a person as they are; return how many.

    Raises NotThere, NotPossible (no reason, or a row that needs nobody), StorageError.
    """
    _check_reason(reason, REASONS)
    drop = line_of(ctx, drop_id)
    known = _rows_for_a_person(ctx, drop_id)
    others = in_order(row for row in rows if not rows_meant({row}, known))
    if not rows or others:
        named = f"Row {in_words(others[0])} needs nobody" if others else "No row was chosen"
        raise NotPossible(f"{named}, so nothing was set aside.", hint="Tick rows to correct.")
    rows = rows_meant(rows, known)
    at = stamp(ctx.site.clock.now())
    who = (visitor.name or who.strip())[:100]
    change = partial(with_aside, rows=rows, reason=reason, who=who, at=at)
    now = ctx.site.ledger.change_facts(drop.seq, change)
    log.info("web.set_aside", drop=drop_id, rows=len(rows), user=visitor.name)
    return min(len(now.facts.aside), len(rows)) if now else 0


def rows_of_sheet(
    ctx: WebContext, drop_id: str, numbers: Collection[int], sheet: str, *, put: bool
) -> set[RowKey]:
    """Return the rows with these numbers: of those set aside (``put``), or that need a person.

    Raises NotThere, NotPossible: no sheet is named, and several have a row of this number.
    """
    if put:
        full = ctx.site.ledger.find(drop_id)
        known = {each.row for each in full.facts.aside} if full else set()
    else:
        known = _rows_for_a_person(ctx, drop_id)
    found = set[RowKey]()
    for number in numbers:
        rows = rows_meant({row_key(number, sheet)}, known)
        if len(rows) > 1:
            raise NotPossible(
                f"{len(rows)} rows have the number {number}, so nothing was changed.",
                hint="Name the sheet: " + ", ".join(sheet_of(row) for row in in_order(rows)) + ".",
            )
        found |= rows or {row_key(number, sheet)}
    return found


def take_back(ctx: WebContext, visitor: Visitor, drop_id: str, rows: Collection[RowKey]) -> None:
    """Undo setting rows aside. Raises NotThere."""
    drop = line_of(ctx, drop_id)
    ctx.site.ledger.change_facts(drop.seq, partial(without_aside, rows={*rows}))
    log.info("web.taken_back", drop=drop_id, rows=len(rows), user=visitor.name)


def leave_aside(
    ctx: WebContext, visitor: Visitor, kind: str, key: str, *, reason: str, who: str
) -> None:
    """Take one item off the list of things to do: of a file everything that is left.

    Raises NotThere, NotPossible (no reason, or it is not on the list), StorageError.
    """
    who = (visitor.name or who.strip())[:100]
    if kind in OF_DROPS:
        drop = line_of(ctx, key)
        _check_reason(reason, REASONS_OF_FILES if drop.state is DropState.REFUSED else REASONS)
        if not drop.to_do:
            raise NotPossible("Nothing of this file is left to do.")
        note = (reason, who, stamp(ctx.site.clock.now()))
        ctx.site.ledger.change_facts(drop.seq, partial(with_put_off, note=note))
        log.info("web.file_set_aside", drop=key, user=visitor.name)
    else:
        _check_reason(reason, REASONS)
        items = [each for some in ctx.to_do.items().values() for each in some]
        item = next((each for each in items if (each.kind, each.key) == (kind, key)), None)
        if item is None:
            raise NotPossible("It is not on the list any more.")
        ctx.to_do.set_aside(item, reason=reason, who=who)
        log.info("web.put_off", kind=kind, user=visitor.name)


def take_back_thing(ctx: WebContext, visitor: Visitor, kind: str, key: str) -> None:
    """Put one thing back on the list. Raises NotThere, StorageError."""
    if kind in OF_DROPS:
        drop = line_of(ctx, key)
        ctx.site.ledger.change_facts(drop.seq, partial(with_put_off, note=None))
        log.info("web.file_taken_back", drop=key, user=visitor.name)
    else:
        ctx.to_do.take_back(kind, key)
        log.info("web.put_back", kind=kind, user=visitor.name)


def _check_reason(reason: str, reasons: Collection[str]) -> None:
    if reason not in reasons:
        raise NotPossible("Choose a reason first.", hint=f"One of: {', '.join(reasons)}.")


def rows_with(table: Table, label: str) -> set[RowKey]:
    """Return the rows left that have a fault."""
    left = table.left
    pairs = zip(left.keys(), left.codes.to_pylist(), strict=True)
    return {row for row, codes in pairs if label in codes.split(";")}


def rows_in(ctx: WebContext, drop_id: str, outcome: str) -> set[RowKey]:
    """Return the rows of a results file with an outcome; none where it is not there any more."""
    path = drop_view.outbox_file(ctx.site, line_of(ctx, drop_id), "results")
    try:
        sheet = ctx.files.open(path, drop_view.RESULT_COLUMNS)
        records = sheet.records(sheet.where("outcome", lambda each: each == outcome).tolist())
    except StorageError:
        return set()
    row, tab = sheet.header.index("row"), sheet.header.index("sheet")
    full = ctx.site.ledger.find(drop_id)
    several = full is not None and len(full.facts.sheets) > 1
    return {row_key(int(cells[row]), cells[tab] if several else "") for cells in records}


def _rows_for_a_person(ctx: WebContext, drop_id: str) -> set[RowKey]:
    """Return the rows that need a person: of a file of which nothing was sent, all to correct."""
    if line_of(ctx, drop_id).state is DropState.REFUSED:
        return set(table_of(ctx, drop_id).rejects.keys_of(drop_id).values())
    return set().union(*(rows_in(ctx, drop_id, outcome) for outcome in FOR_A_PERSON))
