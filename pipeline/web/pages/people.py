"""The list of people who may log in, for managers: page and JSON."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, SecretStr
from starlette.datastructures import FormData
from starlette.responses import Response

from pipeline.core.errors import UsageError
from pipeline.web.access import Right, User, Visitor
from pipeline.web.api_base import Answer, Message, Order, Problem, Responses, api_router
from pipeline.web.context import (
    Ctx,
    Manager,
    ManagerByMachine,
    NotThere,
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
api = api_router(router)

ManagerForm = Annotated[FormData, form_of(managing)]
_MAY: Final = {
    Right.LOOK: "sees everything and changes nothing",
    Right.OPERATE: "uploads, corrects and sends files, and teaches couriers",
    Right.MANAGE: "does all of this, and says who may do what",
}


@router.get("/people")
def people_page(request: Request, ctx: Ctx, visitor: Manager) -> Response:
    """List everybody who may log in, with the changes."""
    values = _of_people(ctx) | {"done": told_once(request)}
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
        return page(request, "people.html", _of_people(ctx) | more, visitor=visitor, status=422)
    done = f"{name} can log in now. Tell them the password: it is not shown again."
    return lead(request, "/people", done)


@router.post("/people/change")
def change_person(request: Request, ctx: Ctx, visitor: Manager, form: ManagerForm) -> Response:
    """Change somebody: the role, off or on, a new password; or take them off the list."""
    try:
        done = _changed(ctx, visitor, form)
    except NotChanged as error:
        more = {"wrong": f"{error.message} {error.hint}".strip()}
        return page(request, "people.html", _of_people(ctx) | more, visitor=visitor, status=409)
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


def _of_people(ctx: WebContext) -> dict[str, Any]:
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


CONFLICT: Final[Responses] = {
    409: {"model": Problem, "description": "Not possible; the message says why."}
}
Name = Annotated[str, Path(min_length=1, max_length=100)]
Version = Annotated[int | None, Query(ge=0, le=2**31, description="The version that was read.")]


class PersonObject(Answer):
    """Somebody who may log in."""

    name: str
    role: Right
    off: bool = Field(description="Switched off: cannot log in.")
    kept_in_settings: bool = Field(description="Named in the settings, so not changed here.")
    must_choose_password: bool = Field(description="Has a password that somebody else chose.")
    version: int = Field(description="Grows with each change; send it with your own change.")
    last_seen_at: datetime | None


class PersonChanged(Answer):
    """A change of who may do what. ``by``: empty where nobody had to log in."""

    at: datetime
    by: str
    name: str
    did: str


class PeopleList(Answer):
    """Everybody who may log in, and the changes, the newest first."""

    people: list[PersonObject]
    changes: list[PersonChanged]


_Role = Annotated[Right, Field(strict=False)]  # strict is an object of ours, which JSON has not
Password = Annotated[SecretStr, Field(max_length=1024)]


class NewPerson(Order):
    """Somebody to add. The first one of all has to be a manager."""

    name: str = Field(min_length=1, max_length=100)
    role: _Role
    password: Password


class PersonChange(Order):
    """A change; fields that are left out stay as they are. ``version``: as when looked at."""

    role: _Role | None = None
    off: bool | None = None
    password: Password | None = None
    version: Annotated[int, Field(ge=0, le=2**31)] | None = None


@api.get("/people")
def people(ctx: Ctx, _visitor: Manager) -> PeopleList:
    """List everybody who may log in, and the changes, the newest first. For managers."""
    people = [_object(ctx, each) for each in ctx.people.everybody()]
    return PeopleList.model_validate({"people": people, "changes": ctx.people.changes()})


@api.post("/people", status_code=201, responses=CONFLICT)
def add(ctx: Ctx, visitor: ManagerByMachine, person: NewPerson) -> PersonObject:
    """Add somebody, who chooses another password after the first log-in. For managers."""
    secret = person.password.get_secret_value()
    ctx.people.add(visitor.name, person.name, person.role, secret)
    return _named(ctx, person.name.strip())


@api.patch("/people/{name}", responses=CONFLICT)
def change(ctx: Ctx, visitor: ManagerByMachine, name: Name, change: PersonChange) -> PersonObject:
    """Change somebody's role, switch them off or on, or give them a password. For managers."""
    ctx.people.change(
        visitor.name,
        name,
        role=change.role,
        off=change.off,
        password=change.password.get_secret_value() if change.password else None,
        version=change.version,
    )
    return _named(ctx, name)


@api.delete("/people/{name}", responses=CONFLICT)
def remove(ctx: Ctx, visitor: ManagerByMachine, name: Name, version: Version = None) -> Message:
    """Take somebody off the list. For managers."""
    ctx.people.remove(visitor.name, name, version)
    return Message(said=f"{name} is removed.")


def _named(ctx: WebContext, name: str) -> PersonObject:
    user = ctx.people.users().get(name)
    if user is None:
        raise NotThere("There is nobody of that name.")
    return _object(ctx, user)


def _object(ctx: WebContext, user: User) -> PersonObject:
    return PersonObject(
        name=user.name,
        role=user.right,
        off=user.off,
        kept_in_settings=user.kept,
        must_choose_password=user.must_choose,
        version=user.version,
        last_seen_at=ctx.people.seen(user.name),
    )
