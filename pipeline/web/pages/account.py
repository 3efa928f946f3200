"""Logging in and out, one's own account, and the list of people who may log in."""

import ipaddress
import math
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.errors import ShipdropError, UsageError
from pipeline.web.access import Right, Visitor
from pipeline.web.context import (
    Ctx,
    Looker,
    Manager,
    WebContext,
    form_of,
    lead,
    looking,
    managing,
    page,
    session_of,
    text_of,
    told_once,
    whole_number,
)
from pipeline.web.passwords import LONGEST, RULES
from pipeline.web.people import KEPT, ROLES, NotChanged, WrongPassword
from pipeline.web.request_limits import cookie
from pipeline.web.templating import address
from schemas.display import counted

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

LookerForm = Annotated[FormData, form_of(looking)]


def _anybody() -> Visitor:
    return Visitor(name="", right=Right.LOOK)


@router.get("/login")
def login_page(request: Request, ctx: Ctx, next: str = "/") -> Response:  # noqa: A002 - the query
    """Return the form to log in."""
    if not ctx.access.needs_login:
        return RedirectResponse("/", status_code=303)
    return page(
        request, "login.html", {"next": _inside(next), "wrong": "", "name": ""}, visitor=None
    )


@router.post("/login")
def log_in(request: Request, ctx: Ctx, form: Annotated[FormData, form_of(_anybody)]) -> Response:
    """Take name and password; a new session, or the form again."""
    name, password = text_of(form, "name")[:LONGEST], text_of(form, "password")[:LONGEST]
    target = _inside(text_of(form, "next", "/"))
    client = request.client.host if request.client else ""
    keys = throttled(name, client)
    values = {"next": target, "name": name}
    wait = ctx.access.throttle.begin(*keys)
    if wait > 0:
        values |= {"wrong": _too_often(wait)}
        shown = page(request, "login.html", values, visitor=None, status=429)
        shown.headers["retry-after"] = str(int(wait) + 1)
        return shown
    before = request.scope["session"]
    session = ctx.access.log_in(name, password, before=before)
    if session is None:
        log.warning("web.login_refused", address=client)
        values |= {"wrong": "Wrong name or password."}
        return page(request, "login.html", values, visitor=None, status=403)
    ctx.access.throttle.succeeded(*keys)
    if ctx.access.name_of(before) in {"", name}:
        ctx.unsaved.move(before, session)
    log.info("web.login", user=name, address=client)
    response = RedirectResponse(target, status_code=303)
    response.headers["set-cookie"] = cookie(session, request.url.scheme)
    return response


@router.post("/logout")
def log_out(request: Request, ctx: Ctx, _form: LookerForm) -> Response:
    """End the session. Its cookie, worth nothing now, stays until the next log-in.

    By it, what is typed in another window is kept for whoever typed it.
    """
    ctx.access.log_out(request.scope["session"])
    return RedirectResponse("/login", status_code=303)


def throttled(name: str, address: str) -> tuple[str, str]:
    """Return what wrong tries are counted by: an address, and a user as tried from there.

    Never a user alone, or strangers could lock everybody out. An IPv6 network is one address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        known = address
    else:
        known = (
            str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
        )
    return f"user {name} from {known}", f"address {known}"


def _inside(target: str) -> str:
    """Return a path of ours, never another site."""
    parts = urlsplit(target)
    sound = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if sound and not parts.netloc and not parts.scheme else "/"


_STAYS = "stays"


@router.get("/account")
def account_page(request: Request, ctx: Ctx, visitor: Looker) -> Response:
    """Show who one is, and the form for another password."""
    values = _values(request, ctx, visitor) | {"done": told_once(request)}
    return page(request, "account.html", values, visitor=visitor)


@router.post("/account/password")
def change_password(request: Request, ctx: Ctx, visitor: Looker, form: LookerForm) -> Response:
    """Take the current password and a new one, twice."""
    old, new = text_of(form, "old")[: LONGEST + 1], text_of(form, "new")[: LONGEST + 1]
    try:
        if new != text_of(form, "again"):
            raise NotChanged("The two new passwords differ. Type the new one twice.")
        choose_password(request, ctx, visitor, old, new)
    except (NotChanged, TooOften) as error:
        status = 429 if isinstance(error, TooOften) else 422
        values = _values(request, ctx, visitor) | {"wrong": error.message}
        return page(request, "account.html", values, visitor=visitor, status=status)
    done = "Your password was changed. You are logged out everywhere else."
    response = lead(request, "/account", done)
    keep_logged_in(request, ctx, response)
    return response


def keep_logged_in(request: Request, ctx: WebContext, response: Response) -> None:
    """Give whoever just changed the own password a session in the place of the one that ended."""
    before = request.scope["session"]
    session = ctx.access.begin_again(before)
    if session is not None:
        ctx.unsaved.move(before, session)
        ctx.said.move(before, session)
        response.headers["set-cookie"] = cookie(session, request.url.scheme)


class TooOften(ShipdropError):
    """Raised after many wrong passwords: the next try has to wait."""


def _too_often(wait: float) -> str:
    return f"Too many attempts. Try again in {counted(math.ceil(wait), 'second')}."


def choose_password(
    request: Request, ctx: WebContext, visitor: Visitor, old: str, new: str
) -> None:
    """Give a visitor a new password, by the current one. Wrong tries wait as those of a log-in do.

    Raises NotChanged, TooOften, StorageError.
    """
    if not visitor.name or visitor.by_token:
        raise NotChanged("You have no password here.")
    keys = throttled(visitor.name, request.client.host if request.client else "")
    wait = ctx.access.throttle.begin(*keys)
    if wait > 0:
        raise TooOften(_too_often(wait))
    try:
        ctx.people.choose_password(visitor.name, old, new)
    except WrongPassword:
        log.warning("web.password_refused", user=visitor.name)
        raise
    except NotChanged:
        ctx.access.throttle.succeeded(*keys)
        raise
    ctx.access.throttle.succeeded(*keys)


@router.get("/session")
def session_left(request: Request, _front: Ctx, visitor: Looker, said: str = "") -> Response:
    """Return the warning before the end of a session, or what waits until it is due."""
    stays = said == _STAYS
    return page(request, "_session.html", {"stays": stays}, visitor=visitor)


@router.post("/account/stay")
def stay(request: Request, ctx: Ctx, _form: LookerForm) -> Response:
    """Let the session last as long as a new one."""
    ctx.access.stay(request.scope["session"])
    by_script = request.headers.get("hx-request")
    target = address("/session", said=_STAYS) if by_script else "/account"
    return RedirectResponse(target, status_code=303)


def _values(request: Request, ctx: WebContext, visitor: Visitor) -> dict[str, Any]:
    user = ctx.people.users().get(visitor.name)
    return {
        "role": ROLES[visitor.right],
        "kept": KEPT if ctx.people.is_kept(visitor.name) else "",
        "has_password": bool(user and user.password),
        "rules": RULES,
        "done": "",
        "wrong": "",
        "ending": session_of(request, visitor),
    }


ManagerForm = Annotated[FormData, form_of(managing)]

_MAY: Final = {
    Right.LOOK: "sees everything and changes nothing",
    Right.OPERATE: "uploads, corrects and sends files, and teaches couriers",
    Right.MANAGE: "does all of this, and says who may do what",
}


@router.get("/people")
def people_page(request: Request, ctx: Ctx, visitor: Manager) -> Response:
    """List everybody who may log in, with what was changed."""
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
