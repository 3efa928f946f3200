"""Replace one value in all rows that have it, and teach it to the courier where that is asked."""

import numpy as np
import pyarrow.compute as pc
import structlog
from msgspec.structs import replace

from pipeline.core.drop_lines import DropLine
from pipeline.web.access import Visitor
from pipeline.web.context import NotPossible, NotThere, WebContext
from pipeline.web.correct_rows.draft import Rule
from pipeline.web.correct_rows.table import Table
from pipeline.web.teaching.profile_files import forget, key_of, remember
from schemas.courier import GENERIC
from schemas.display import counted
from schemas.vocabulary import Role

log = structlog.get_logger(__name__)


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
