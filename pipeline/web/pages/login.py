"""Logging in and out."""

import ipaddress
import math
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from pipeline.web.access import Right, Visitor, new_session
from pipeline.web.front import AtFront, Looker, page, read_form, text_of
from pipeline.web.guarding import cookie
from pipeline.web.passwords import LONGEST
from pipeline.web.words import counted

log = structlog.get_logger(__name__)

router = APIRouter()

_STRANGER: Final = Visitor(name="", right=Right.LOOK)


@router.get("/login")
def login_page(request: Request, front: AtFront, next: str = "/") -> Response:  # noqa: A002 - the query
    """Return the form to log in."""
    if not front.access.needs_login:
        return RedirectResponse("/", status_code=303)
    return page(
        request, "login.html", {"next": _inside(next), "wrong": "", "name": ""}, visitor=None
    )


@router.post("/login")
async def log_in(request: Request, front: AtFront) -> Response:
    """Take name and password; a new session, or the form again."""
    form = await read_form(request, front, _STRANGER)
    name, password = text_of(form, "name")[:LONGEST], text_of(form, "password")[:LONGEST]
    target = _inside(text_of(form, "next", "/"))
    client = request.client.host if request.client else ""
    keys = throttled(name, client)
    wait = front.access.throttle.wait(*keys)
    if wait > 0:
        words = f"Too many attempts. Try again in {counted(math.ceil(wait), 'second')}."
        shown = page(
            request,
            "login.html",
            {"next": target, "wrong": words, "name": name},
            visitor=None,
            status=429,
        )
        shown.headers["retry-after"] = str(int(wait) + 1)
        return shown
    # Counted before it is looked at: many tries at once are many tries.
    front.access.throttle.failed(*keys)
    session = await run_in_threadpool(front.access.log_in, name, password)
    if session is None:
        log.warning("web.login_refused", address=client)
        values = {"next": target, "wrong": "Wrong name or password.", "name": name}
        return page(request, "login.html", values, visitor=None, status=403)
    front.access.throttle.succeeded(*keys)
    front.unsaved.move(request.scope["session"], session)
    log.info("web.login", user=name, address=client)
    response = RedirectResponse(target, status_code=303)
    response.headers["set-cookie"] = cookie(session, request.url.scheme)
    return response


@router.post("/logout")
async def log_out(request: Request, front: AtFront, visitor: Looker) -> Response:
    """End the session."""
    await read_form(request, front, visitor)
    front.access.log_out(request.scope["session"])
    response = RedirectResponse("/login", status_code=303)
    response.headers["set-cookie"] = cookie(new_session(), request.url.scheme)
    return response


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
