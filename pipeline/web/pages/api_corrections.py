"""The JSON API of correcting: replace a value, send the corrected rows."""

from fastapi import APIRouter, Request

from pipeline.web.api_models import ReplaceOrder, Said, SendOrder, Sent
from pipeline.web.corrections import replace_value, send, table_of
from pipeline.web.drafts import Rule
from pipeline.web.front import AtFront, NotPossible, Operator, check_machine
from pipeline.web.pages.api import LATER, PROBLEMS, DropId

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.post("/drops/{drop_id}/corrections/replace", responses=LATER)
def replace_everywhere(
    request: Request, front: AtFront, visitor: Operator, drop_id: DropId, order: ReplaceOrder
) -> Said:
    """Give all rows that have one value another; the value itself takes that back."""
    check_machine(request, front, visitor)
    table = table_of(front, drop_id)
    if order.column not in table.rejects.headers:
        raise NotPossible("There is no such column.")
    rule = Rule(column=table.rejects.headers.index(order.column), old=order.old, new=order.new)
    told = replace_value(
        front, visitor, table, rule, remember_for=order.remember_for, who=order.who
    )
    return Said(said=told)


@router.post("/drops/{drop_id}/corrections/send", status_code=202, responses=LATER)
def send_corrected(
    request: Request, front: AtFront, visitor: Operator, drop_id: DropId, order: SendOrder
) -> Sent:
    """Send the corrected rows as a new drop."""
    check_machine(request, front, visitor)
    return Sent(upload=send(front, visitor, drop_id, note=order.note, sure=order.sure))
