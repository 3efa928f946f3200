"""Logging in and out, and one's own account: pages and JSON."""

import ipaddress
import math
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.errors import ShipdropError
from pipeline.web.access import Right, Visitor
from pipeline.web.api_base import Answer, Message, Order, Problem, Responses, api_router
from pipeline.web.context import (
    Ctx,
    Looker,
    LookerByMachine,
    WebContext,
    form_of,
    lead,
    looking,
    page,
    session_of,
    text_of,
    told_once,
)
from pipeline.web.pages.people import CONFLICT, Password
from pipeline.web.passwords import LONGEST, RULES
from pipeline.web.people import KEPT, ROLES, NotChanged, WrongPassword
from pipeline.web.request_limits import cookie
from pipeline.web.templating import address
from schemas.display import counted

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)
api = api_router(router)

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

    By it, text that is typed in another window is kept for its author.
    """
    ctx.access.log_out(request.scope["session"])
    return RedirectResponse("/login", status_code=303)


def throttled(name: str, address: str) -> tuple[str, str]:
    """Return the keys by which wrong tries are counted: an address, and a user as tried from there.

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
    """Show the visitor's name, and the form for another password."""
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
    """Give a user who just changed the password a session in place of the one that ended."""
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
def stay_logged_in(request: Request, ctx: Ctx, _form: LookerForm) -> Response:
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


_PACED: Final[Responses] = {
    **CONFLICT,
    429: {"model": Problem, "description": "Too many wrong passwords: wait."},
}


class NewPassword(Order):
    """A password of one's own, and the current one."""

    old: Password
    new: Password


class AccountObject(Answer):
    """The visitor. ``name``: empty where nobody has to log in."""

    name: str
    role: Right
    kept_in_settings: bool
    must_choose_password: bool
    session_ends_at: datetime | None = Field(description="null: a token, or no log-in.")


@api.get("/account")
def account(request: Request, ctx: Ctx, visitor: Looker) -> AccountObject:
    """Return the visitor, and the end of the session."""
    ending = session_of(request, visitor)
    return AccountObject(
        name=visitor.name,
        role=visitor.right,
        kept_in_settings=ctx.people.is_kept(visitor.name),
        must_choose_password=visitor.must_choose,
        session_ends_at=ending.at if ending else None,
    )


@api.put("/account/password", responses=_PACED)
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


@api.post("/account/stay")
def stay(request: Request, ctx: Ctx, visitor: LookerByMachine) -> AccountObject:
    """Let the session last as long as a new one."""
    ctx.access.stay(request.scope["session"])
    return account(request, ctx, visitor)
