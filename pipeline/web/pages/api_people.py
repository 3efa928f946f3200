"""The JSON API of people: who may log in, in which role, and one's own account."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from pipeline.web.api_models import (
    AccountObject,
    Message,
    NewPassword,
    NewPerson,
    PeopleList,
    PersonChange,
    PersonChanged,
    PersonObject,
    Problem,
)
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
from pipeline.web.pages.api import PROBLEMS
from pipeline.web.people import Known

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

_CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "Not possible; the message says why."}
}
_PACED: Final[dict[int | str, dict[str, Any]]] = {
    **_CONFLICT,
    429: {"model": Problem, "description": "Too many wrong passwords: wait."},
}
Name = Annotated[str, Path(min_length=1, max_length=100)]
Version = Annotated[int | None, Query(ge=0, le=2**31, description="As it was when looked at.")]


@router.get("/people")
def people(ctx: Ctx, _visitor: Manager) -> PeopleList:
    """List everybody who may log in, and what was changed, the newest first. For managers."""
    return PeopleList(
        people=[_object(each) for each in ctx.people.everybody()],
        changes=[
            PersonChanged(
                at=datetime.fromisoformat(each.at), by=each.by, name=each.name, did=each.did
            )
            for each in ctx.people.changes()
        ],
    )


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
    for each in ctx.people.everybody():
        if each.name == name:
            return _object(each)
    raise NotThere("There is nobody of that name.")


def _object(known: Known) -> PersonObject:
    return PersonObject(
        name=known.name,
        role=known.role,
        off=known.off,
        kept_in_settings=known.kept,
        must_choose_password=known.must_choose,
        version=known.version,
        last_seen_at=known.seen,
    )
