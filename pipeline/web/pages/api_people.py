"""The JSON API of people: who may log in, in which role, and one's own account."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response
from pydantic import Field, SecretStr

from pipeline.web.access import Right, User
from pipeline.web.api_base import Answer, Message, Order, Problem, Responses, api_router
from pipeline.web.context import (
    Ctx,
    Looker,
    LookerByMachine,
    Manager,
    ManagerByMachine,
    NotThere,
    WebContext,
    session_of,
)
from pipeline.web.pages.account import choose_password, keep_logged_in

router = api_router()

_CONFLICT: Final[Responses] = {
    409: {"model": Problem, "description": "Not possible; the message says why."}
}
_PACED: Final[Responses] = {
    **_CONFLICT,
    429: {"model": Problem, "description": "Too many wrong passwords: wait."},
}
Name = Annotated[str, Path(min_length=1, max_length=100)]
Version = Annotated[int | None, Query(ge=0, le=2**31, description="As it was when looked at.")]


class PersonObject(Answer):
    """Somebody who may log in."""

    name: str
    role: Right
    off: bool = Field(description="Switched off: cannot log in.")
    kept_in_settings: bool = Field(description="Named in the settings, so not changed here.")
    must_choose_password: bool = Field(description="Has a password that somebody else chose.")
    version: int = Field(description="Grows by each change; give it back with a change of yours.")
    last_seen_at: datetime | None


class PersonChanged(Answer):
    """A change of who may do what. ``by``: empty where nobody had to log in."""

    at: datetime
    by: str
    name: str
    did: str


class PeopleList(Answer):
    """Everybody who may log in, and what was changed, the newest first."""

    people: list[PersonObject]
    changes: list[PersonChanged]


_Role = Annotated[Right, Field(strict=False)]  # strict is an object of ours, which JSON has not
_Password = Annotated[SecretStr, Field(max_length=1024)]


class NewPerson(Order):
    """Somebody to add. The first one of all has to be a manager."""

    name: str = Field(min_length=1, max_length=100)
    role: _Role
    password: _Password


class PersonChange(Order):
    """A change; fields that are left out stay as they are. ``version``: as when looked at."""

    role: _Role | None = None
    off: bool | None = None
    password: _Password | None = None
    version: Annotated[int, Field(ge=0, le=2**31)] | None = None


class NewPassword(Order):
    """A password of one's own, and the current one."""

    old: _Password
    new: _Password


class AccountObject(Answer):
    """Whoever asks. ``name``: empty where nobody has to log in."""

    name: str
    role: Right
    kept_in_settings: bool
    must_choose_password: bool
    session_ends_at: datetime | None = Field(description="null: a token, or no log-in.")


@router.get("/people")
def people(ctx: Ctx, _visitor: Manager) -> PeopleList:
    """List everybody who may log in, and what was changed, the newest first. For managers."""
    people = [_object(ctx, each) for each in ctx.people.everybody()]
    return PeopleList.model_validate({"people": people, "changes": ctx.people.changes()})


@router.post("/people", status_code=201, responses=_CONFLICT)
def add(ctx: Ctx, visitor: ManagerByMachine, person: NewPerson) -> PersonObject:
    """Add somebody, who chooses another password after the first log-in. For managers."""
    secret = person.password.get_secret_value()
    ctx.people.add(visitor.name, person.name, person.role, secret)
    return _named(ctx, person.name.strip())


@router.patch("/people/{name}", responses=_CONFLICT)
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


@router.delete("/people/{name}", responses=_CONFLICT)
def remove(ctx: Ctx, visitor: ManagerByMachine, name: Name, version: Version = None) -> Message:
    """Take somebody off the list. For managers."""
    ctx.people.remove(visitor.name, name, version)
    return Message(said=f"{name} is removed.")


@router.get("/account")
def account(request: Request, ctx: Ctx, visitor: Looker) -> AccountObject:
    """Tell who asks, and until when the session lasts."""
    ending = session_of(request, visitor)
    return AccountObject(
        name=visitor.name,
        role=visitor.right,
        kept_in_settings=ctx.people.is_kept(visitor.name),
        must_choose_password=visitor.must_choose,
        session_ends_at=ending.at if ending else None,
    )


@router.put("/account/password", responses=_PACED)
def password(
    request: Request,
    response: Response,
    ctx: Ctx,
    visitor: LookerByMachine,
    given: NewPassword,
) -> Message:
    """Change one's own password; every other session of it ends, and this one has a new cookie."""
    old, new = given.old.get_secret_value(), given.new.get_secret_value()
    choose_password(request, ctx, visitor, old, new)
    keep_logged_in(request, ctx, response)
    return Message(said="The password was changed.")


@router.post("/account/stay")
def stay(request: Request, ctx: Ctx, visitor: LookerByMachine) -> AccountObject:
    """Let the session last as long as a new one."""
    ctx.access.stay(request.scope["session"])
    return account(request, ctx, visitor)


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
