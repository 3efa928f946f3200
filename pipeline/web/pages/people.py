"""People: who may use the page, and in which role; for managers."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pipeline.core.errors import UsageError
from pipeline.web.access import Right, Visitor
from pipeline.web.context import (
    Ctx,
    Manager,
    WebContext,
    form_of,
    lead,
    managing,
    page,
    text_of,
    told_once,
    whole_number,
)
from pipeline.web.passwords import LONGEST, RULES
from pipeline.web.people import ROLES, NotChanged

router = APIRouter(include_in_schema=False)

ManagerForm = Annotated[FormData, form_of(managing)]

_MAY: Final = {
    Right.LOOK: "sees everything and changes nothing",
    Right.OPERATE: "uploads, corrects and sends files, and teaches couriers",
    Right.MANAGE: "does all of this, and says who may do what",
}


@router.get("/people")
def people_page(request: Request, ctx: Ctx, visitor: Manager) -> Response:
    """List everybody who may log in, with what was changed."""
    values = _values(ctx) | {"done": told_once(request)}
    return page(request, "people.html", values, visitor=visitor)


@router.post("/people")
def add_person(request: Request, ctx: Ctx, visitor: Manager, form: ManagerForm) -> Response:
    """Add somebody."""
    name, role = text_of(form, "name").strip(), text_of(form, "role")
    password = text_of(form, "password")[: LONGEST + 1]
    try:
        ctx.people.add(visitor.name, name, _right_of(role), password)
    except NotChanged as error:
        more = {"wrong": error.message, "given": {"name": name, "role": role}}
        return page(request, "people.html", _values(ctx) | more, visitor=visitor, status=422)
    done = f"{name} can log in now. Tell them the password: it is not shown again."
    return lead(request, "/people", done)


@router.post("/people/change")
def change_person(request: Request, ctx: Ctx, visitor: Manager, form: ManagerForm) -> Response:
    """Change somebody: the role, off or on, a new password; or take them off the list."""
    try:
        done = _changed(ctx, visitor, form)
    except NotChanged as error:
        more = {"wrong": f"{error.message} {error.hint}".strip()}
        return page(request, "people.html", _values(ctx) | more, visitor=visitor, status=409)
    return lead(request, "/people", done)


def _changed(ctx: WebContext, visitor: Visitor, form: FormData) -> str:
    people, by = ctx.people, visitor.name
    name, go = text_of(form, "person"), text_of(form, "go")
    version = whole_number(text_of(form, "version"))
    if go == "role":
        role = _right_of(text_of(form, "role"))
        people.change(by, name, role=role, version=version)
        return f"{name} is {ROLES[role].lower()} now."
    if go in {"off", "on"}:
        people.change(by, name, off=go == "off", version=version)
        return f"{name} can {'not log in any more' if go == 'off' else 'log in again'}."
    if go == "password":
        password = text_of(form, "password")[: LONGEST + 1]
        people.change(by, name, password=password, version=version)
        return f"{name} has a new password, and is logged out. Tell them: it is not shown again."
    if go == "remove":
        people.remove(by, name, version)
        return f"{name} is removed."
    raise UsageError("Choose what to change.")


def _right_of(role: str) -> Right:
    try:
        return Right(role)
    except ValueError:
        raise UsageError("Choose one of the roles.") from None


def _values(ctx: WebContext) -> dict[str, Any]:
    everybody = ctx.people.everybody()
    return {
        "everybody": everybody,
        "seen": ctx.people.seen,
        "changes": ctx.people.changes()[:100],
        "roles": ROLES,
        "may": _MAY,
        "rules": RULES,
        "done": "",
        "wrong": "",
        "given": {"name": "", "role": "operate" if everybody else "manage"},
    }
