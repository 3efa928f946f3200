"""A drop's rows to correct, with their changes so far; one value for all rows that have another."""

from collections.abc import Iterator, Mapping, Set

import numpy as np
import numpy.typing as npt
import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.core.model import DropState
from pipeline.core.ports import DropLine
from pipeline.core.row_keys import RowKey, number_of, rows_meant, rows_named
from pipeline.web import drop_view, uploads
from pipeline.web.access import Visitor
from pipeline.web.context import NotPossible, NotThere, WebContext
from pipeline.web.correct_rows import corrected_file
from pipeline.web.correct_rows.draft import Draft, Rule
from pipeline.web.faults import Rejects
from pipeline.web.profile_files import forget, key_of, remember
from schemas.courier import GENERIC
from schemas.display import counted, shown
from schemas.vocabulary import Outcome, Role

log = structlog.get_logger(__name__)


class Table(Struct, frozen=True, kw_only=True):
    """A drop's rejects file, and its changes so far.

    ``fixed``: rows that need no correction here: they were corrected or set aside, or are corrected
    in the file that this one corrects. ``aside``: row → reason, who, when. ``left_alone``: rows
    that were set aside, or are corrected in the file that this one corrects.
    """

    drop: DropLine
    rejects: Rejects
    draft: Draft
    fixed: frozenset[RowKey]
    aside: Mapping[RowKey, tuple[str, str, str]]
    left_alone: frozenset[RowKey] = frozenset()

    @property
    def lines_left(self) -> npt.NDArray[np.int64]:
        """Return the lines that need a person."""
        return corrected_file.open_lines(self.rejects, self.draft, self.fixed, self.drop.drop_id)

    @property
    def groups(self) -> corrected_file.LineGroups:
        """Return how far its lines are."""
        return corrected_file.group_lines(
            self.rejects, self.draft, self.lines_left, whole_file=self.whole_file
        )

    @property
    def done_elsewhere(self) -> dict[int, RowKey]:
        """Return the lines whose rows a file from the inbox corrected: line → row."""
        rows = self.fixed - self.left_alone
        keys = self.rejects.keys_of(self.drop.drop_id) if rows else {}
        return {n: key for n, key in keys.items() if key in rows and n not in self.draft.sent}

    @property
    def aside_lines(self) -> dict[int, tuple[str, str, str]]:
        """Return the lines whose rows somebody set aside: line → reason, who, when."""
        keys = self.rejects.keys_of(self.drop.drop_id) if self.aside else {}
        known = {
            n: self.aside.get(key) or self.aside.get(number_of(key)) for n, key in keys.items()
        }
        return {n: note for n, note in known.items() if note and n not in self.draft.sent}

    @property
    def left(self) -> Rejects:
        """Return the rejects of the lines that need a person, with their newest faults."""
        return corrected_file.rejects_left(self.rejects, self.draft, self.lines_left)

    @property
    def whole_file(self) -> bool:
        """Return True when nothing of the file was sent, so that all of it goes out again."""
        return self.drop.state is DropState.REFUSED


def line_of(ctx: WebContext, drop_id: str) -> DropLine:
    """Return the drop with this id. Raises NotThere."""
    found = ctx.site.ledger.lines([drop_id])
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
        # A number of several rows tells of none of them that it was corrected: the draft knows.
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
    """Say which rows that somebody changed here were corrected by another file, or set aside."""
    draft, rejects = table.draft, table.rejects
    elsewhere, aside = table.done_elsewhere, table.aside_lines
    # Whoever sets aside what they typed themselves knows it.
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
    children = ctx.site.ledger.children(table.drop.drop_id)
    by_inbox = (
        each
        for each in children
        if (each.summary or {}).get("rows", {}).get(Outcome.ACCEPTED)
        and uploads.note_of(ctx.site, each) is None
    )
    names = dict.fromkeys(shown(each.source_file, 80) for each in by_inbox)
    return [f"Another file corrected these rows meanwhile: {', '.join(names)}.", *found, *put]


def aside_in_words(note: tuple[str, str, str]) -> str:
    """Say that a row was set aside meanwhile: by whom, and why."""
    reason, who, _ = note
    return f"the row was set aside meanwhile{f' by {who}' if who else ''} ({reason})"


def _come_back(ctx: WebContext, drop: DropLine, rejects: Rejects, fixed: Set[RowKey]) -> Draft:
    """Open the lines again that went out, by the page or by hand, and are no better."""
    draft = ctx.drafts.read(drop.drop_id, rejects)
    ended = [each for each in ctx.site.ledger.children(drop.drop_id) if each.state.closed]
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
                    now = corrected_file.row_as_it_is(rejects, sheet.draft, line)
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
        why = f"The corrected file {child.source_file} was {child.state}: nothing came of it."
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


def replace_value(
    ctx: WebContext,
    visitor: Visitor,
    table: Table,
    rule: Rule,
    *,
    remember_for: str = "",
    who: str,
) -> str:
    """Replace one value in all rows; return a sentence about it.

    The value itself takes a replacement back, and with it the word that was taught.
    ``remember_for``: the courier that writes the old value for what the new one means. Raises
    NotPossible, StorageError.
    """
    rejects, drop = table.rejects, table.drop
    if rule.column >= len(rejects.headers):
        raise NotPossible("There is no such column.")
    if rejects.identifies(rule.column) and rule.old != rule.new:
        raise NotPossible(
            f'"{rejects.headers[rule.column]}" is corrected one row at a time.',
            hint="Each row has an order id and an AWB of its own: one value in several rows would "
            "report several orders as one.",
        )
    changed = corrected_file.rows_with_value(table.left, rule)
    message = f'{counted(changed, "row")} changed: "{rule.old}" is now "{rule.new}".'
    if rule.old == rule.new:
        message = "Undone." + _unlearn(ctx, table, rule)
    elif remember_for:
        lesson = _learn(ctx, visitor, table, rule, remember_for, who)
        message += lesson[1]
        rule = replace(rule, taught=lesson[0])
    with ctx.drafts.changing(drop.drop_id, rejects) as sheet:
        lines = corrected_file.lines_with_value(rejects, rule)
        # A word that was taught, or is so no more, may make any other row sound, or wrong.
        draft = sheet.draft.unjudged(lines)
        plain = replace(draft, judged={}) if remember_for or rule.old == rule.new else draft
        sheet.draft = plain.with_rule(rule)
    return message


def _learn(
    ctx: WebContext, visitor: Visitor, table: Table, rule: Rule, courier: str, who: str
) -> tuple[str, str]:
    """Teach a word; return the courier that learned it, or "", and a sentence."""
    profile = ctx.site.profiles.get(table.drop.courier)
    if rule.column != table.rejects.columns.get(Role.STATUS) or profile is None:
        return "", " Only a status can be remembered."
    try:
        means = key_of(profile, rule.new)
        remember(ctx.site, courier, said=rule.old, means=means, who=visitor.name or who)
    except NotPossible as error:
        return "", f" {error}"
    log.info("web.remembered", courier=courier, user=visitor.name)
    return courier, f' From now on "{rule.old}" means {rule.new} in files of {courier}.'


def _unlearn(ctx: WebContext, table: Table, rule: Rule) -> str:
    earlier = next(
        (e for e in table.draft.rules if (e.column, e.old) == (rule.column, rule.old)), None
    )
    if earlier is None or not earlier.taught:
        return ""
    try:
        forget(ctx.site, earlier.taught, rule.old)
    except NotThere:
        return f" {earlier.taught} had not kept it any more."
    except NotPossible as error:
        return f" {earlier.taught} still reads it as before: {error}"
    return f" {earlier.taught} has forgotten it, too."


def couriers_to_teach(ctx: WebContext, drop: DropLine) -> list[tuple[str, str]]:
    """List the couriers that a word may be remembered for: (name, title), the drop's own first."""
    known = [(name, each.title) for name, each in ctx.site.profiles.items() if name != GENERIC]
    return sorted(known, key=lambda each: (each[0] != drop.courier, each[1].casefold()))
