"""Read a drop's rows to correct: its rejects file, the draft, and what came back since."""

from collections.abc import Iterator, Set

from msgspec.structs import replace

from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import StorageError
from pipeline.core.model import DropState
from pipeline.core.row_keys import RowKey, rows_meant, rows_named
from pipeline.web import drop_view, uploads
from pipeline.web.context import NotPossible, NotThere, WebContext
from pipeline.web.correct_rows.draft import Draft
from pipeline.web.correct_rows.table import Table
from pipeline.web.faults import Rejects
from schemas.display import shown
from schemas.vocabulary import Outcome


def line_of(ctx: WebContext, drop_id: str) -> DropLine:
    """Return the drop with this id. Raises NotThere."""
    found = ctx.site.ledger.overview.lines([drop_id])
    if not found:
        raise NotThere(f"There is no file {drop_id[:60]}.")
    return found[0]


def table_of(ctx: WebContext, drop_id: str) -> Table:
    """Return the table of a drop. Raises NotThere, NotPossible."""
    drop = line_of(ctx, drop_id)
    full = ctx.site.ledger.find(drop_id)
    if drop.tidied_at and drop.need:
        raise NotPossible(
            "This file is old: its rows cannot be corrected here any more.",
            hint="Correct the original file, and upload it again: nothing is sent twice.",
        )
    if full is None or not full.facts.sheets:
        raise NotThere("There is nothing to correct in this file.")
    path = drop_view.outbox_file(ctx.site, drop, "rejects")
    try:
        rejects = ctx.rejects(path, full.facts.sheets)
    except StorageError as error:
        raise NotPossible(error.message, hint=error.hint) from error
    except OSError as error:
        raise NotThere(
            "The file of rows to correct is no longer there.",
            hint="Correct the original file, and upload it again: nothing is sent twice.",
        ) from error
    aside = {each.row: (each.reason, each.who, each.at) for each in full.facts.aside}
    elsewhere = {here for here, _ in full.facts.returned}
    fixed = {*full.facts.fixed_rows}
    if fixed or aside or elsewhere:
        rows = rejects.keys_of(drop_id).values()
        # A number that several rows have does not show which was corrected: the draft knows.
        fixed, elsewhere = rows_named(fixed, rows), rows_meant({*aside, *elsewhere}, rows)
    return Table(
        drop=drop,
        rejects=rejects,
        draft=_come_back(ctx, drop, rejects, fixed),
        fixed=frozenset(fixed | elsewhere),
        aside=aside,
        left_alone=frozenset(elsewhere),
    )


def overtaken_in_words(ctx: WebContext, table: Table) -> list[str]:
    """Report the rows changed here that another file corrected, or that were set aside."""
    draft, rejects = table.draft, table.rejects
    elsewhere, aside = table.done_elsewhere, table.aside_lines
    # A user who sets aside own entries knows it.
    by_others = {n for n, (_, by, _) in aside.items() if not by or by != draft.changed_by(n)}
    changed = [
        (line, f'Row {rejects.called(line)}, {rejects.headers[column]}: "{value}"')
        for line in sorted(by_others.union(elsewhere))
        for column, value in draft.typed(line).items()
        if value != rejects.table.column(column)[line].as_py()
    ]
    put = [f"{cell} was not sent: {aside_in_words(aside[n])}." for n, cell in changed if n in aside]
    found = [cell for line, cell in changed if line in elsewhere]
    if not found:
        return put
    children = ctx.site.ledger.overview.children(table.drop.drop_id)
    by_inbox = (
        each
        for each in children
        if (each.summary or {}).get("rows", {}).get(Outcome.ACCEPTED)
        and uploads.note_of(ctx.site, each) is None
    )
    names = dict.fromkeys(shown(each.source_file, 80) for each in by_inbox)
    return [f"Another file corrected these rows meanwhile: {', '.join(names)}.", *found, *put]


def aside_in_words(note: tuple[str, str, str]) -> str:
    """Return that a row was set aside meanwhile: by whom, and why."""
    reason, who, _ = note
    return f"the row was set aside meanwhile{f' by {who}' if who else ''} ({reason})"


def _come_back(ctx: WebContext, drop: DropLine, rejects: Rejects, fixed: Set[RowKey]) -> Draft:
    """Open the lines again that went out, by the page or by hand, and are no better."""
    draft = ctx.drafts.read(drop.drop_id, rejects)
    ended = [each for each in ctx.site.ledger.overview.children(drop.drop_id) if each.state.closed]
    new = [each for each in ended if each.drop_id not in draft.seen]
    if not new:
        return draft
    with ctx.drafts.changing(drop.drop_id, rejects) as sheet:
        keys = rejects.keys_of(drop.drop_id)
        for child in new:
            for row, values, verdict in _returned(ctx, child, rejects, sheet.draft):
                meant = rows_meant({row}, keys.values()) - fixed
                lines = [line for line, key in keys.items() if key in meant]
                for line in lines:
                    now = sheet.draft.row(rejects, line)
                    # A number alone may be that of several rows: no cells get into a wrong one.
                    cells = (len(lines) == 1 and values) or now
                    codes = verdict[0] or rejects.codes[line].as_py()
                    sheet.draft = sheet.draft.came_back(line, cells, (codes, verdict[1]))
        seen = {*sheet.draft.seen, *(each.drop_id for each in new)}
        sheet.draft = replace(sheet.draft, seen=tuple(sorted(seen)))
        return sheet.draft


def _returned(
    ctx: WebContext, child: DropLine, rejects: Rejects, draft: Draft
) -> Iterator[tuple[RowKey, tuple[str, ...], tuple[str, str]]]:
    """Yield the rows of a corrected file that need a person again: row, cells, codes, message.

    The cells are empty where they are unchanged.
    """
    full = ctx.site.ledger.find(child.drop_id)
    if child.state is not DropState.COMPLETED:
        # Nothing of it, or not all, was sent: the lines that went out with it are open again.
        note = uploads.note_of(ctx.site, child)
        why = (
            f"The corrected file {child.source_file} was {child.state}, so its rows are open again."
        )
        keys = rejects.keys() if note is not None else []
        for line, batch in draft.sent.items():
            if note is not None and batch == note.batch and line < len(rejects):
                yield keys[line], (), ("", why)
        return
    if full is None or not full.facts.returned:
        return
    there = dict(full.facts.returned)
    path = drop_view.outbox_file(ctx.site, child, "rejects")
    try:
        back = ctx.rejects(path, full.facts.sheets) if full.facts.sheets else None
    except (OSError, StorageError):
        back = None
    if back is None:  # or it is an old one, which has no sheets on record any more
        why = "It came back with a fault; its file is not there any more."
        yield from ((row, (), ("", why)) for row in there.values())
        return
    names = back.headers
    places = [names.index(each) if each in names else None for each in rejects.headers]
    for line, here in back.keys_of(child.drop_id).items():
        if here in there:
            values = tuple(
                "" if at is None else back.table.column(at)[line].as_py() for at in places
            )
            verdict = (back.codes[line].as_py(), back.messages[line].as_py())
            yield there[here], values, verdict
