"""Entries typed or pasted, or put in place of one value in all rows that have it.

They are applied where they are changes, and kept apart where two people differ.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.drop_lines import DropLine
from pipeline.core.model import stamp
from pipeline.web.access import Visitor
from pipeline.web.context import NotPossible, NotThere, WebContext
from pipeline.web.correct_rows.draft import Draft, DraftSheet, Paste, Rule
from pipeline.web.correct_rows.load import aside_in_words, table_of
from pipeline.web.correct_rows.recheck import keep_faults, recheck_rows, rechecked_table
from pipeline.web.correct_rows.table import Table
from pipeline.web.teaching.profile_files import forget, key_of, remember
from schemas.courier import GENERIC
from schemas.display import counted
from schemas.vocabulary import Role

log = structlog.get_logger(__name__)


class Typed(Struct, frozen=True, kw_only=True):
    """A cell as a user left it. ``had``: the text shown there before, None: the present one."""

    line: int
    column: int
    value: str
    had: str | None


class Conflict(Struct, frozen=True, kw_only=True):
    """A cell that two people changed: the saved text, its author, and the other's text.

    ``sent``: the row went out with what stands. ``done``: how it was done otherwise, if it was.
    """

    typed: Typed
    row: str
    header: str
    now: str
    who: str
    sent: bool
    done: str = ""

    @property
    def text(self) -> str:
        """Return both values in a sentence."""
        if self.done:
            return (
                f"Row {self.row}, {self.header}: {self.done}, so it is done. Yours, which was not "
                f'sent: "{self.typed.value}".'
            )
        by = f" by {self.who}" if self.who else ""
        what = "was sent meanwhile" if self.sent else "was changed meanwhile"
        return (
            f'Row {self.row}, {self.header}: {what}{by}, as "{self.now}". '
            f'Yours: "{self.typed.value}".'
        )


def take_over(
    sheet: DraftSheet, table: Table, cells: Sequence[Typed], *, who: str, at: str
) -> tuple[list[Conflict], dict[Typed, str]]:
    """Put typed entries into the draft.

    Return the cells that another user changed meanwhile, and those that were taken over, each with
    the text that stood there.

    Only a cell that differs from what was shown is a change: what another person typed into other
    cells stays. Where both changed one cell, or the row is done by now, what stands stays.
    """
    rejects, left = table.rejects, set(table.lines_left.tolist())
    conflicts: list[Conflict] = []
    taken: dict[Typed, str] = {}
    changes: list[tuple[int, int, str, str]] = []
    draft, room = sheet.draft, sheet.room
    for cell in cells:
        if cell.line >= len(rejects) or cell.column >= len(rejects.headers):
            continue
        original = rejects.table.column(cell.column)[cell.line].as_py()
        now = draft.value(cell.line, cell.column, original)
        had = now if cell.had is None else cell.had
        if as_typed(cell.value) in {as_typed(had), as_typed(now)}:
            continue
        if cell.line not in left or as_typed(had) != as_typed(now):
            conflicts.append(_conflict(table, draft, cell, now))
        elif len(changes) < room:
            changes.append((cell.line, cell.column, cell.value, original))
            taken[cell] = now
    sheet.draft = draft.with_cells(changes, who=who, at=at)
    return conflicts, taken


def _conflict(table: Table, draft: Draft, cell: Typed, now: str) -> Conflict:
    done = "another file corrected this row meanwhile" if cell.line in table.done_elsewhere else ""
    if note := table.aside_lines.get(cell.line):
        done = aside_in_words(note)
    return Conflict(
        typed=cell,
        row=table.rejects.called(cell.line),
        header=table.rejects.headers[cell.column],
        now=now,
        who=draft.changed_by(cell.line),
        sent=cell.line in draft.sent,
        done=done,
    )


def as_typed(text: str) -> str:
    """Return a text as far as a browser gives it back: it has its own line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Kept(Struct, frozen=True, kw_only=True):
    """The result of keeping something.

    ``table``: as it is now, None where nothing was kept; ``left_over``: what found no row.
    """

    conflicts: Sequence[Conflict]
    table: Table | None = None
    filled: int = 0
    left_over: int = 0


def keep(ctx: WebContext, visitor: Visitor, drop_id: str, cell: Typed) -> Kept:
    """Keep one cell, and check its row. Raises NotThere, NotPossible, StorageError."""
    table = table_of(ctx, drop_id)
    if cell.line >= len(table.rejects) or cell.column >= len(table.rejects.headers):
        raise NotPossible("There is no such cell.")
    at = stamp(ctx.site.clock.now())
    with ctx.drafts.changing(drop_id, table.rejects) as sheet:
        conflicts, _ = take_over(sheet, table, [cell], who=visitor.name, at=at)
    if conflicts:
        return Kept(conflicts=conflicts)
    table = table_of(ctx, drop_id)
    keep_faults(ctx, table, recheck_rows(ctx, table, [cell.line]))
    return Kept(conflicts=(), table=rechecked_table(ctx, drop_id), filled=1)


def choose(
    ctx: WebContext, visitor: Visitor, drop_id: str, lines: Sequence[int], *, wanted: bool
) -> Table:
    """Keep a choice of whether to send rows; return the table as it is now.

    Raises NotThere, NotPossible, StorageError.
    """
    table = table_of(ctx, drop_id)
    if not lines or not set(lines) <= set(table.lines_left.tolist()):
        raise NotPossible("There is no such row to correct.")
    with ctx.drafts.changing(drop_id, table.rejects) as sheet:
        for line in lines:
            sheet.draft = sheet.draft.chosen_to_go(line, wanted)
    log.info("web.chosen", drop=drop_id, rows=len(lines), user=visitor.name)
    return rechecked_table(ctx, drop_id)


def column_pasted(text: str) -> list[str]:
    """Return the lines of a column that was copied from a spreadsheet.

    Raises NotPossible: there are several columns, or a cell of several lines, which is copied in
    quotation marks and looks like several cells.
    """
    lines = as_typed(text).removesuffix("\n").split("\n")
    if any(line.startswith('"') and line.count('"') % 2 for line in lines):
        raise NotPossible(
            "A cell of several lines was pasted, so nothing was filled in.",
            hint="Type such a cell, and paste the others.",
        )
    if any("\t" in line.strip() for line in lines):
        raise NotPossible(
            "Several columns were pasted, so nothing was filled in.", hint="Copy one column only."
        )
    return [line.strip() for line in lines]


def ids_by_awb(text: str, awbs: Sequence[str]) -> list[str]:
    """Return an id for each of these AWBs, "" for none, where both were pasted side by side.

    Empty where the lines are not pairs of such an AWB and an id, each AWB once: nothing is guessed.
    """
    lines = [line.split("\t") for line in as_typed(text).split("\n") if line.strip()]
    pairs = [[cell.strip() for cell in line] for line in lines]
    known = {awb.strip() for awb in awbs if awb.strip()}
    if not pairs or any(len(pair) != 2 for pair in pairs) or len(known) != len(awbs):
        return []
    for at in (0, 1):
        found = {pair[at]: pair[1 - at] for pair in pairs}
        if len(found) == len(pairs) and found.keys() <= known:
            return [found.get(awb.strip(), "") for awb in awbs]
    return []


def paste(
    ctx: WebContext,
    visitor: Visitor,
    drop_id: str,
    cells: Sequence[tuple[int, str | None]],
    *,
    column: int,
    values: Sequence[str],
    who: str = "",
) -> Kept:
    """Fill a column down, an empty line leaving its row as it is. One call is undone as a whole.

    ``cells``: line, and the text shown in it (None: whatever stands), in their order. Raises
    NotThere, NotPossible, StorageError.
    """
    table = table_of(ctx, drop_id)
    rejects, left = table.rejects, set(table.lines_left.tolist())
    if column >= len(rejects.headers) or not {line for line, _ in cells} <= left:
        raise NotPossible("Some of these rows are not there any more.", hint="Load the page again.")
    who, at = visitor.name or who, stamp(ctx.site.clock.now())
    typed = [
        Typed(line=line, column=column, value=value, had=had)
        for (line, had), value in zip(cells, values, strict=False)
        if value
    ]
    with ctx.drafts.changing(drop_id, rejects) as sheet:
        conflicts, taken = take_over(sheet, table, typed, who=who, at=at)
        if taken:
            had = {cell.line: text for cell, text in taken.items()}
            now = {cell.line: cell.value for cell in taken}
            pasted = Paste(column=column, had=had, now=now, who=who)
            sheet.draft = replace(sheet.draft, pasted=pasted)
    log.info("web.pasted", drop=drop_id, rows=len(taken), user=visitor.name)
    return Kept(
        conflicts=conflicts,
        table=rechecked_table(ctx, drop_id),
        filled=len(taken),
        left_over=sum(1 for value in values[len(cells) :] if value),
    )


def undo_paste(ctx: WebContext, visitor: Visitor, drop_id: str) -> int:
    """Put back what stood before the last paste, where it still stands; return in how many rows.

    Raises NotThere, NotPossible (nothing was pasted), StorageError.
    """
    table = table_of(ctx, drop_id)
    rejects = table.rejects
    at = stamp(ctx.site.clock.now())
    with ctx.drafts.changing(drop_id, rejects) as sheet:
        pasted = sheet.draft.pasted
        if pasted is None:
            raise NotPossible("There is no paste to undo.")
        back = []
        for line, text in pasted.had.items():
            original = rejects.table.column(pasted.column)[line].as_py()
            stands = sheet.draft.value(line, pasted.column, original) == pasted.now[line]
            if stands and line not in sheet.draft.sent:
                back.append((line, pasted.column, text, original))
        sheet.draft = replace(sheet.draft.with_cells(back, who=visitor.name, at=at), pasted=None)
    log.info("web.paste_undone", drop=drop_id, rows=len(back), user=visitor.name)
    return len(back)


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
    changed = pc.sum(pc.equal(table.left.table.column(rule.column), rule.old)).as_py() or 0
    message = f'{counted(changed, "row")} changed: "{rule.old}" is now "{rule.new}".'
    if rule.old == rule.new:
        message = "Undone." + _unlearn(ctx, table, rule)
    elif remember_for:
        lesson = _learn(ctx, visitor, table, rule, remember_for, who)
        message += lesson[1]
        rule = replace(rule, taught=lesson[0])
    with ctx.drafts.changing(drop.drop_id, rejects) as sheet:
        same = pc.equal(rejects.table.column(rule.column), rule.old).to_numpy()
        lines = np.flatnonzero(same).tolist()
        # A word that was taught or forgotten may make any other row sound, or wrong.
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
