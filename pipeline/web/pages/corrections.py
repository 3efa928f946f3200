"""The JSON API of correcting: cells, pasted columns, one value everywhere; send, set aside."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import BeforeValidator, Field

from pipeline.core.row_keys import number_of, row_key, sheet_of
from pipeline.web.api_base import (
    IN_SHEET,
    LATER,
    OF_SHEET,
    Answer,
    DropId,
    Message,
    Order,
    RowNumber,
    api_router,
)
from pipeline.web.context import ByMachine, Ctx, Looker, NotPossible
from pipeline.web.correct_rows.cells import Typed, choose, keep, paste, replace_value, undo_paste
from pipeline.web.correct_rows.draft import Rule
from pipeline.web.correct_rows.editors import NeighbourObject
from pipeline.web.correct_rows.grid import View, lines_of
from pipeline.web.correct_rows.load import line_of, table_of
from pipeline.web.correct_rows.recheck import rechecked_table
from pipeline.web.correct_rows.send import send
from pipeline.web.correct_rows.table import Table
from pipeline.web.faults import Rejects
from pipeline.web.pages.drops import DropObject, drop_object
from pipeline.web.set_aside import rows_of_sheet, rows_with, set_aside, take_back
from schemas.display import counted

_PAGE: Final = 50

router = api_router()


class ReplaceOrder(Order):
    """One value for all rows that have another one."""

    column: str = Field(max_length=1000, description="The heading, as in the file.")
    old: str = Field(max_length=5000)
    new: str = Field(max_length=5000)
    remember_for: str = Field(default="", max_length=60, description="A courier's name.")
    who: str = Field(default="", max_length=100)


class SendOrder(Order):
    """Send the corrected rows."""

    note: str = Field(default="", max_length=1000)
    sure: str = Field(
        default="", max_length=60, description="As in the 409 for one order id in several rows."
    )


class Sent(Answer):
    """Corrected rows on their way. ``upload``: the name to follow them by."""

    upload: str
    rows: int
    skipped: int = Field(description="Rows that are still wrong: they were not sent.")


class AsideOrder(Order):
    """Rows about which nothing is to be done."""

    rows: list[RowNumber] = Field(default=[], max_length=100_000)
    sheet: str = Field(default="", max_length=200, description=OF_SHEET)
    fault: str = Field(default="", max_length=100, description="All rows left with this code.")
    reason: Literal["already delivered", "not ours", "duplicate", "other"]
    who: str = Field(default="", max_length=100, description="Without users: who says so.")


class AsideRow(Answer):
    """A row that was set aside."""

    row: int
    sheet: str = Field(description=IN_SHEET)
    reason: str = Field(description="Empty once the details of its drop were removed.")
    who: str
    at: datetime | None = Field(description="Empty where the time was not kept.")


class AsideList(Answer):
    """The rows of a drop that were set aside."""

    rows: list[AsideRow]


_Lines = Annotated[int, BeforeValidator(len)]


class CorrectionCounts(Answer):
    """The rows that need a person, by progress; each of them is in one of the four."""

    ready: _Lines = Field(description="Sound; sent with the next `send`.")
    wrong: _Lines = Field(description="Changed or ticked, and still wrong: not sent.")
    untouched: _Lines
    left_out: _Lines = Field(description="Rows that a person marked as not to be sent.")


class RowsMeant(Order):
    """Rows to correct, by their numbers or by their lines: one of the two."""

    rows: list[RowNumber] = Field(default=[], max_length=10_000)
    lines: list[RowNumber] = Field(
        default=[], max_length=10_000, description="As listed; tells rows of one number apart."
    )
    sheet: str = Field(default="", max_length=200, description=OF_SHEET)


class PasteOrder(RowsMeant):
    """A column to be filled down: a value for each row, an empty one leaves its row as it is."""

    column: str = Field(max_length=1000, description="The heading, as in the file.")
    values: list[Annotated[str, Field(max_length=5000)]] = Field(max_length=10_000)
    had: list[Annotated[str, Field(max_length=5000)]] | None = Field(
        default=None, max_length=10_000, description="What stood there when it was looked at."
    )
    who: str = Field(default="", max_length=100, description="Without users: who pastes it.")


class PasteObject(Answer):
    """A column was filled down. ``conflicts``: cells that somebody changed meanwhile."""

    filled: int
    conflicts: list[str]
    counts: CorrectionCounts


class ChoiceOrder(RowsMeant):
    """Whether rows are to be sent."""

    send: bool


class CorrectionRow(Answer):
    """A row that needs a person, as it is now. ``cells``: heading → text."""

    row: int
    sheet: str = Field(description=IN_SHEET)
    line: int = Field(description="Names the row where several sheets or files have its number.")
    codes: list[str]
    message: str
    cells: dict[str, str]
    goes_out: bool = Field(description="True when it would be sent with the others.")


class CorrectionList(Answer):
    """A page of rows that need a person, and their counts by progress.

    ``here``: who has them open on the page.
    """

    rows: list[CorrectionRow]
    counts: CorrectionCounts
    here: list[NeighbourObject]
    total: int
    page: int
    pages: int


class CellOrder(Order):
    """A cell as it is to be, of a row by its number or by its line: one of the two."""

    row: RowNumber | None = None
    line: RowNumber | None = Field(
        default=None, description="As listed; tells rows of one number apart."
    )
    sheet: str = Field(default="", max_length=200, description=OF_SHEET)
    column: str = Field(max_length=1000, description="The heading, as in the file.")
    value: str = Field(max_length=5000)
    had: str | None = Field(
        default=None, max_length=5000, description="What stood there when it was looked at."
    )


class CellFault(Answer):
    """A fault of the row now. ``column``: empty where it concerns the row."""

    column: str
    message: str


class CellObject(Answer):
    """A cell was kept. ``goes_out``: how many rows would be sent now."""

    faults: list[CellFault]
    goes_out: int


@router.post("/drops/{drop_id}/corrections/replace", responses=LATER)
def replace_everywhere(
    ctx: Ctx, visitor: ByMachine, drop_id: DropId, order: ReplaceOrder
) -> Message:
    """Give all rows that have one value another; the value itself takes that back."""
    table = table_of(ctx, drop_id)
    column = _column_of(table.rejects, order.column)
    rule = Rule(column=column, old=order.old, new=order.new)
    message = replace_value(
        ctx, visitor, table, rule, remember_for=order.remember_for, who=order.who
    )
    return Message(said=message)


@router.post("/drops/{drop_id}/corrections/send", status_code=202, responses=LATER)
def send_corrected(ctx: Ctx, visitor: ByMachine, drop_id: DropId, order: SendOrder) -> Sent:
    """Send the corrected rows as a new drop; rows that are still wrong stay."""
    sent = send(ctx, visitor, drop_id, note=order.note, sure=order.sure)
    return Sent(upload=sent.batch, rows=sent.rows, skipped=sent.skipped)


@router.get("/drops/{drop_id}/corrections")
def rows_to_correct(
    ctx: Ctx,
    _visitor: Looker,
    drop_id: DropId,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    fault: Annotated[
        str, Query(max_length=200, description="A code with its column, as STATUS_UNKNOWN:status.")
    ] = "",
    show: Annotated[
        Literal["", "ready", "wrong", "untouched", "left_out"], Query(description="How far.")
    ] = "",
    q: Annotated[str, Query(max_length=200, description="Stands in one of the cells.")] = "",
) -> CorrectionList:
    """Show the rows that need a person, as they are now, a page at a time."""
    table = rechecked_table(ctx, drop_id)
    lines = lines_of(table, View(fault=fault, show=show, q=q)).tolist()
    going = set(table.groups.ready.tolist())
    rows, keys = [], table.rejects.keys()
    for line in lines[(page - 1) * _PAGE : page * _PAGE]:
        codes, _ = table.draft.again.get(line) or (table.rejects.codes[line].as_py(), "")
        _, message, _ = table.faults(line)
        rows.append(
            CorrectionRow(
                row=number_of(keys[line]),
                sheet=sheet_of(keys[line]),
                line=line,
                codes=[each for each in codes.split(";") if each],
                message=message,
                cells=dict(zip(table.rejects.headers, table.row(line), strict=True)),
                goes_out=line in going,
            )
        )
    return CorrectionList(
        rows=rows,
        counts=CorrectionCounts.model_validate(table.groups),
        here=ctx.editors.others(drop_id),
        total=len(lines),
        page=page,
        pages=max(1, -(-len(lines) // _PAGE)),
    )


def _lines(table: Table, meant: RowsMeant) -> list[int]:
    """Return the lines of rows to correct. Raises NotPossible."""
    found = _lines_of(table.rejects, meant.rows, meant.lines, meant.sheet)
    left = set(table.lines_left.tolist())
    for line, row in zip(found, meant.rows or found, strict=True):
        if line not in left:
            named = f"Row {row}" if meant.rows else f"Line {line}"
            raise NotPossible(f"{named} is not among the rows to correct.")
    return found


def _column_of(rejects: Rejects, header: str) -> int:
    """Return the place of a column. Raises NotPossible."""
    if header not in rejects.headers:
        raise NotPossible("There is no such column.")
    return rejects.headers.index(header)


def _lines_of(rejects: Rejects, rows: Sequence[int], lines: Sequence[int], sheet: str) -> list[int]:
    """Return the lines that are meant. Raises NotPossible: a number is that of several rows."""
    if bool(rows) == bool(lines):
        raise NotPossible("Give row numbers or lines, one of the two, so nothing was changed.")
    at: dict[int, list[int]] = defaultdict(list)
    for line, key in enumerate(rejects.keys()):
        if not sheet or key == row_key(number_of(key), sheet):
            at[number_of(key)].append(line)
    for row in rows:
        if len(at[row]) > 1:
            raise NotPossible(
                f"{len(at[row])} rows to correct have the number {row}, in several sheets or "
                "files, so nothing was changed.",
                hint="Name their sheet, or their line, as the rows to correct are listed with it.",
            )
        if not at[row]:
            raise NotPossible(f"Row {row} is not among the rows to correct.")
    return [at[row][0] for row in rows] if rows else list(lines)


@router.put("/drops/{drop_id}/corrections/cells", responses=LATER)
def put_cell(ctx: Ctx, visitor: ByMachine, drop_id: DropId, cell: CellOrder) -> CellObject:
    """Change one cell; the answer is the result of a run's rules for its row. 409 where it was
    changed.
    """
    rejects = table_of(ctx, drop_id).rejects
    column = _column_of(rejects, cell.column)
    rows, lines = ([] if each is None else [each] for each in (cell.row, cell.line))
    (line,) = _lines_of(rejects, rows, lines, cell.sheet)
    typed = Typed(line=line, column=column, value=cell.value, had=cell.had)
    kept = keep(ctx, visitor, drop_id, typed)
    if kept.table is None:
        raise NotPossible(
            kept.conflicts[0].text, hint="Give the current value as had, to change it."
        )
    return CellObject(
        faults=[
            CellFault(column=rejects.headers[int(place)] if place else "", message=message)
            for place, message in kept.table.draft.judged.get(line, ())
        ],
        goes_out=len(kept.table.groups.ready),
    )


@router.post("/drops/{drop_id}/corrections/paste", responses=LATER)
def paste_values(ctx: Ctx, visitor: ByMachine, drop_id: DropId, order: PasteOrder) -> PasteObject:
    """Fill a column down: as many values as rows. One call is undone as a whole."""
    table = table_of(ctx, drop_id)
    column, lines = _column_of(table.rejects, order.column), _lines(table, order)
    had: Sequence[str | None] = order.had or [None] * len(lines)
    if len(order.values) != len(lines) or len(had) != len(lines):
        raise NotPossible(
            f"{len(order.values)} values for {len(lines)} rows: nothing was filled in."
        )
    kept = paste(
        ctx,
        visitor,
        drop_id,
        list(zip(lines, had, strict=True)),
        column=column,
        values=[each.strip() for each in order.values],
        who=order.who,
    )
    conflicts = [each.text for each in kept.conflicts]
    counts = CorrectionCounts.model_validate((kept.table or table).groups)
    return PasteObject(filled=kept.filled, conflicts=conflicts, counts=counts)


@router.delete("/drops/{drop_id}/corrections/paste", responses=LATER)
def take_paste_back(ctx: Ctx, visitor: ByMachine, drop_id: DropId) -> Message:
    """Put back what stood before the last paste, where it still stands."""
    return Message(said=f"Undone in {counted(undo_paste(ctx, visitor, drop_id), 'row')}.")


@router.put("/drops/{drop_id}/corrections/choice", responses=LATER)
def choose_rows(
    ctx: Ctx, visitor: ByMachine, drop_id: DropId, order: ChoiceOrder
) -> CorrectionCounts:
    """Set whether rows are to be sent, as a tick on the page does."""
    lines = _lines(table_of(ctx, drop_id), order)
    table = choose(ctx, visitor, drop_id, lines, wanted=order.send)
    return CorrectionCounts.model_validate(table.groups)


@router.get("/drops/{drop_id}/set-aside")
def rows_set_aside(ctx: Ctx, _visitor: Looker, drop_id: DropId) -> AsideList:
    """List the rows of a drop that were set aside."""
    line_of(ctx, drop_id)
    full = ctx.site.ledger.find(drop_id)
    return AsideList(
        rows=[
            AsideRow(
                row=number_of(each.row),
                sheet=sheet_of(each.row),
                reason=each.reason,
                who=each.who,
                at=datetime.fromisoformat(each.at) if each.at else None,
            )
            for each in (full.facts.aside if full else ())
        ]
    )


@router.post("/drops/{drop_id}/set-aside", responses=LATER)
def put_aside(ctx: Ctx, visitor: ByMachine, drop_id: DropId, order: AsideOrder) -> DropObject:
    """Set rows aside: nothing is to be done about them. By their numbers, or all with a fault."""
    line_of(ctx, drop_id)
    rows = rows_of_sheet(ctx, drop_id, order.rows, order.sheet, put=False)
    if order.fault:
        rows |= rows_with(table_of(ctx, drop_id), order.fault)
    set_aside(ctx, visitor, drop_id, rows, reason=order.reason, who=order.who)
    return drop_object(ctx, line_of(ctx, drop_id))


@router.delete("/drops/{drop_id}/set-aside", responses=LATER)
def put_back(
    ctx: Ctx,
    visitor: ByMachine,
    drop_id: DropId,
    rows: Annotated[list[Annotated[int, Query(ge=0, le=2**31)]], Query(max_length=10_000)],
    sheet: Annotated[str, Query(max_length=200, description="Of these rows.")] = "",
) -> DropObject:
    """Take rows back that were set aside."""
    line_of(ctx, drop_id)
    meant = rows_of_sheet(ctx, drop_id, rows, sheet, put=True)
    take_back(ctx, visitor, drop_id, meant)
    return drop_object(ctx, line_of(ctx, drop_id))
