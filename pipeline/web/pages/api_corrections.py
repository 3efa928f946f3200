"""The JSON API of correcting: replace a value, send the corrected rows."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query

from pipeline.web.api_models import (
    AsideList,
    AsideOrder,
    AsideRow,
    CellFault,
    CellObject,
    CellOrder,
    CorrectionList,
    CorrectionRow,
    DropObject,
    Message,
    ReplaceOrder,
    SendOrder,
    Sent,
)
from pipeline.web.aside import rows_with, set_aside, take_back
from pipeline.web.correcting import lines_to_send, row_as_it_is
from pipeline.web.corrections import line_of, replace_value, send, table_of
from pipeline.web.drafts import Rule
from pipeline.web.front import AtFront, ByMachine, Looker, NotPossible
from pipeline.web.pages.api import LATER, PROBLEMS, DropId, drop_object
from pipeline.web.typing_in import Typed, keep

_PAGE: Final = 50

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.post("/drops/{drop_id}/corrections/replace", responses=LATER)
def replace_everywhere(
    front: AtFront, visitor: ByMachine, drop_id: DropId, order: ReplaceOrder
) -> Message:
    """Give all rows that have one value another; the value itself takes that back."""
    table = table_of(front, drop_id)
    if order.column not in table.rejects.headers:
        raise NotPossible("There is no such column.")
    rule = Rule(column=table.rejects.headers.index(order.column), old=order.old, new=order.new)
    message = replace_value(
        front, visitor, table, rule, remember_for=order.remember_for, who=order.who
    )
    return Message(said=message)


@router.post("/drops/{drop_id}/corrections/send", status_code=202, responses=LATER)
def send_corrected(front: AtFront, visitor: ByMachine, drop_id: DropId, order: SendOrder) -> Sent:
    """Send the corrected rows as a new drop."""
    return Sent(upload=send(front, visitor, drop_id, note=order.note, sure=order.sure))


@router.get("/drops/{drop_id}/corrections")
def rows_to_correct(
    front: AtFront,
    _visitor: Looker,
    drop_id: DropId,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> CorrectionList:
    """Show the rows that need somebody, as they are now, a page at a time."""
    table = table_of(front, drop_id)
    lines = table.lines_left.tolist()
    going = set(
        lines_to_send(
            table.rejects, table.draft, table.fixed, drop_id, whole_file=table.whole_file
        ).tolist()
    )
    rows = []
    for line in lines[(page - 1) * _PAGE : page * _PAGE]:
        verdict = table.draft.again.get(line)
        codes, message = verdict or (
            table.rejects.codes[line].as_py(),
            table.rejects.messages[line].as_py(),
        )
        values = row_as_it_is(table.rejects, table.draft, line)
        rows.append(
            CorrectionRow(
                row=int(table.rejects.rows[line].as_py()),
                codes=[each for each in codes.split(";") if each],
                message=message,
                cells=dict(zip(table.rejects.headers, values, strict=True)),
                goes_out=line in going,
            )
        )
    return CorrectionList(
        rows=rows, total=len(lines), page=page, pages=max(1, -(-len(lines) // _PAGE))
    )


@router.put("/drops/{drop_id}/corrections/cells", responses=LATER)
def put_cell(front: AtFront, visitor: ByMachine, drop_id: DropId, cell: CellOrder) -> CellObject:
    """Change one cell; the answer is what the rules of a run say of its row. 409 where it was
    changed.
    """
    rejects = table_of(front, drop_id).rejects
    lines = rejects.rows.to_pylist()
    if str(cell.row) not in lines or cell.column not in rejects.headers:
        raise NotPossible("There is no such cell among the rows to correct.")
    kept = keep(
        front,
        visitor,
        drop_id,
        Typed(
            line=lines.index(str(cell.row)),
            column=rejects.headers.index(cell.column),
            value=cell.value,
            had=cell.had,
        ),
    )
    if kept.conflicts:
        raise NotPossible(kept.conflicts[0].text, hint="Give what stands as had, to change it.")
    return CellObject(
        faults=[CellFault(column=each["column"], message=each["message"]) for each in kept.faults],
        goes_out=kept.going,
    )


@router.get("/drops/{drop_id}/set-aside")
def rows_set_aside(front: AtFront, _visitor: Looker, drop_id: DropId) -> AsideList:
    """List the rows of a drop that somebody set aside."""
    line_of(front, drop_id)
    full = front.site.ledger.find(drop_id)
    aside = full.facts.get("aside", ()) if full else ()
    return AsideList(
        rows=[
            AsideRow(row=row, reason=reason, who=who, at=datetime.fromisoformat(at))
            for row, reason, who, at in aside
        ]
    )


@router.post("/drops/{drop_id}/set-aside", responses=LATER)
def put_aside(front: AtFront, visitor: ByMachine, drop_id: DropId, order: AsideOrder) -> DropObject:
    """Set rows aside: nothing is to be done about them. By their numbers, or all with a fault."""
    line_of(front, drop_id)
    rows = set(order.rows)
    if order.fault:
        rows |= rows_with(table_of(front, drop_id), order.fault)
    set_aside(front, visitor, drop_id, rows, reason=order.reason, who=order.who)
    return drop_object(front, line_of(front, drop_id))


@router.delete("/drops/{drop_id}/set-aside", responses=LATER)
def put_back(
    front: AtFront,
    visitor: ByMachine,
    drop_id: DropId,
    rows: Annotated[list[Annotated[int, Query(ge=0, le=2**31)]], Query(max_length=10_000)],
) -> DropObject:
    """Take rows back that were set aside."""
    line_of(front, drop_id)
    take_back(front, visitor, drop_id, rows)
    return drop_object(front, line_of(front, drop_id))
