"""Send corrected rows: the sound ones go into the inbox as a new upload."""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Final

import pyarrow as pa
import structlog
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.planning.freeze import share_in_words
from pipeline.web import drop_view, staging, uploads
from pipeline.web.access import Visitor
from pipeline.web.context import NotPossible, WebContext
from pipeline.web.correct_rows import corrected_file
from pipeline.web.correct_rows.recheck import recheck_orders, rechecked_table
from pipeline.web.correct_rows.table import Table
from schemas.display import counted
from schemas.vocabulary import Outcome, Role

log = structlog.get_logger(__name__)

_ROWS_NAMED: Final = 20
"""Rows of one order id that a question names."""
_SENDING: Final = threading.Lock()
_SENT: Final = (Outcome.ACCEPTED.value, Outcome.DUPLICATE.value, Outcome.UNKNOWN.value)


class SharedId(Struct, frozen=True, kw_only=True):
    """An order id that was typed into rows whose AWBs differ.

    ``rows``: number and AWB of each row that has it, ``sent``: of those that went out before.
    """

    order_id: str
    rows: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return the id and its rows in a sentence."""
        named = [f"row {row} (AWB {awb})" for row, awb in self.rows[:_ROWS_NAMED]]
        named += [f"row {row} (AWB {awb}), sent already" for row, awb in self.sent[:_ROWS_NAMED]]
        more = len(self.rows) + len(self.sent) - len(named)
        return f'"{self.order_id}": {", ".join(named)}' + (f" and {more} more" if more > 0 else "")


class Sending(Struct, frozen=True, kw_only=True):
    """Corrected rows on their way. ``batch``: the upload; ``skipped``: rows that are wrong yet."""

    batch: str
    rows: int
    skipped: int

    @property
    def said(self) -> str:
        """Return in a sentence how many were sent, and why others were not."""
        are, they = ("is", "stays") if self.skipped == 1 else ("are", "stay")
        went = f"{counted(self.rows, 'row')} went out."
        return f"{went} {counted(self.skipped, 'row')} {are} still wrong and {they} here, not sent."


def doubts_of(ctx: WebContext, table: Table) -> list[SharedId]:
    """List the typed order ids that would stand in rows with different AWBs."""
    rejects, lines = table.rejects, table.groups.ready
    ids, awbs = rejects.columns.get(Role.ORDER_ID), rejects.columns.get(Role.AWB)
    if ids is None or awbs is None:
        return []
    before = rejects.table.column(ids).take(pa.array(lines)).to_pylist()
    now, awb_of = (table.column(each, lines).to_pylist() for each in (ids, awbs))
    typed = {each.strip() for was, each in zip(before, now, strict=True) if each != was}
    rows: dict[str, list[tuple[str, str]]] = {each: [] for each in typed if each}
    for line, order_id, awb in zip(lines.tolist(), now, awb_of, strict=True):
        if order_id.strip() in rows:
            rows[order_id.strip()].append((rejects.called(line), awb.strip()))
    found, elsewhere = [], _sent_with(ctx, table, rows.keys()) if rows else {}
    for order_id, here in rows.items():
        sent = tuple(elsewhere.get(order_id, ()))
        if len({awb.casefold() for _, awb in (*here, *sent) if awb}) > 1:
            found.append(SharedId(order_id=order_id, rows=tuple(here), sent=sent))
    return found


def mark_of(doubts: Sequence[SharedId]) -> str:
    """Return a name of these doubts: a request that sends it has confirmed them."""
    return hashlib.sha256("\n".join(each.text for each in doubts).encode()).hexdigest()[:16]


def _sent_with(
    ctx: WebContext, table: Table, order_ids: Set[str]
) -> Mapping[str, list[tuple[str, str]]]:
    """Return row number and AWB of the file's rows that went out with these order ids."""
    path = drop_view.outbox_file(ctx.site, table.drop, "results")
    try:
        sheet = ctx.files.open(path, (*drop_view.RESULT_COLUMNS, "order_id"))
        records = sheet.records(sheet.where("order_id", lambda each: each in order_ids).tolist())
    except StorageError:
        return {}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for cells in records:
        row = dict(zip(sheet.header, cells, strict=False))
        if row["outcome"] in _SENT:
            found[row["order_id"]].append((row["row"], row["awb"].strip()))
    return found


def send(
    ctx: WebContext, visitor: Visitor, drop_id: str, *, note: str, sure: str = "", once: str = ""
) -> Sending:
    """Write the corrected file of all sound rows, and put it into the inbox.

    ``sure``: the name of the doubts (``mark_of``) that a user confirmed. ``once``: the name of the
    form; a form that is sent again leads to its first batch. Raises NotPossible, StorageError.
    """
    with _SENDING:
        if once and (done := ctx.corrections_sent.get((once, drop_id))):
            return done
        sent = _send(ctx, visitor, drop_id, note, sure)
        return ctx.corrections_sent.put((once, drop_id), sent)


def _send(ctx: WebContext, visitor: Visitor, drop_id: str, note: str, sure: str) -> Sending:
    table = recheck_orders(ctx, rechecked_table(ctx, drop_id, again=True))
    lines, skipped = table.groups.ready, len(table.groups.wrong)
    if not len(lines):
        if skipped:
            raise NotPossible(
                f"Nothing was sent: {counted(skipped, 'row')} "
                f"{'is' if skipped == 1 else 'are'} still wrong.",
                hint="Correct the marked cells first.",
            )
        raise NotPossible("Choose at least one row to send.", hint="Correct a cell, or tick a row.")
    _check_share(ctx, table)
    doubts = doubts_of(ctx, table)
    if doubts and sure != mark_of(doubts):
        raise Doubtful(doubts)
    name = corrected_file.corrected_name(table.drop.source_file)
    kept = staging.Staged(
        batch=uploads.new_batch(), names=(name,), courier="", who=visitor.name, note=note
    )
    (path,) = kept.paths(ctx.site)
    corrected_file.write_corrected(path, table, lines)
    staging.send(ctx.site, kept, folder=table.drop.folder)
    with ctx.drafts.changing(drop_id, table.rejects) as sheet:
        sent = {**sheet.draft.sent, **dict.fromkeys(lines.tolist(), kept.batch)}
        sheet.draft = replace(sheet.draft, sent=sent, pasted=None)
    log.info("web.corrected", drop=drop_id, rows=len(lines), user=visitor.name, batch=kept.batch)
    return Sending(batch=kept.batch, rows=len(lines), skipped=skipped)


def _check_share(ctx: WebContext, table: Table) -> None:
    """Refuse to send rows of a refused file while too many are bad, as a run would.

    Raises NotPossible.
    """
    groups, total = table.groups, table.drop.total or 0
    left = len(groups.wrong) + len(groups.untouched)
    ratio = ctx.site.settings.manifest.max_reject_ratio
    if table.whole_file and left > ratio * max(total, len(table.rejects)):
        raise NotPossible(
            f"{left:,} of {counted(max(total, len(table.rejects)), 'row')} are still wrong, more "
            f"than {share_in_words(ratio)}, so nothing was sent.",
            hint="Correct more of them, or set aside those about which nothing is to be done.",
        )


class Doubtful(NotPossible):
    """One order id typed into rows whose AWBs differ: a user has to confirm it."""

    def __init__(self, doubts: Sequence[SharedId]) -> None:
        super().__init__(
            "One order id stands in rows with different AWBs: "
            + "; ".join(each.text for each in doubts[:5])
            + ".",
            hint="Correct the ids. If the rows do belong to one order, say so by sending again "
            f'with "sure": "{mark_of(doubts)}".',
        )
