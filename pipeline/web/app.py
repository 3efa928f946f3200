"""The application: pages, endpoints for machines, error pages."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from pipeline.core.errors import DropChanged, ShipdropError, StorageError, UsageError
from pipeline.service.wiring import Site
from pipeline.web.api_base import in_words
from pipeline.web.context import (
    ChooseFirst,
    Elsewhere,
    LogInFirst,
    NotAllowed,
    NotPossible,
    NotThere,
    WebContext,
    context_of,
    page,
)
from pipeline.web.pages import (
    account,
    checks,
    corrections,
    couriers,
    drops,
    fix,
    machines,
    orders,
    people,
    reports,
    teach,
    to_do,
    upload,
)
from pipeline.web.people import NobodyThere, NotChanged
from pipeline.web.request_limits import Guard, TooLarge
from pipeline.web.staging import has_room

log = structlog.get_logger(__name__)

_UNSAVED_BYTES: Final = 1024 * 1024
_UNSAVED_FIELDS: Final = 5_000
_PAGES: Final = (
    r"(/drops/[a-z0-9]+/fix)(/.*)?",
    r"(/drops/[a-z0-9]+)/.+",
    r"(/checks/[0-9a-f]+).*",
    r"(/upload).*",
    r"(/teach/[a-z0-9]+(?:/words)?).*",
    r"(/account|/people).*",
)
_STATIC: Final = Path(__file__).parent / "static"
_STATUS: Final[dict[type[ShipdropError], int]] = {
    NotAllowed: 403,
    NotThere: 404,
    NotPossible: 409,
    NobodyThere: 404,
    NotChanged: 409,
    UsageError: 422,
    DropChanged: 409,
    StorageError: 503,
    account.TooOften: 429,
}


def create_app(site: Site) -> FastAPI:
    """Return the web page over one root. Raises SettingsError as ``WebContext`` does."""
    ctx = WebContext(site)
    app = FastAPI(
        title="Shipdrop",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.ctx = ctx
    for module in (
        *(to_do, fix, corrections, teach, drops, orders, checks, upload, couriers, reports),
        *(account, people, machines),
    ):
        # As they are: included, each route would be made anew, which the first request waits for.
        app.router.routes.extend(module.router.routes)
    app.mount("/static", _Static(directory=_STATIC), name="static")
    app.add_exception_handler(LogInFirst, _log_in_first)
    app.add_exception_handler(ChooseFirst, _choose_first)
    app.add_exception_handler(Elsewhere, _elsewhere)
    app.add_exception_handler(ShipdropError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(TooLarge, _too_large)
    app.add_middleware(
        Guard,
        web=site.settings.web,
        on_bug=_bug,
        needs_login=lambda: ctx.access.needs_login,
        has_room=lambda size: has_room(site, size),
    )
    return app


class _Static(StaticFiles):
    """Files whose address has their version: a browser keeps them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type] # passed on
        response.headers["cache-control"] = "public, max-age=86400"
        return response


def _is_machine(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/metrics", "/healthz", "/readyz"))


def _problem(request: Request, status: int, message: str, hint: str = "") -> Response:
    if _is_machine(request):
        return JSONResponse({"error": message, "hint": hint}, status_code=status)
    visitor = context_of(request).access.visitor(
        request.scope["session"], request.headers.get("authorization", "")
    )
    values = {"message": message, "hint": hint, "status": status, "back": _back(request)}
    return page(request, "problem.html", values, visitor=visitor, status=status)


def _back(request: Request) -> str:
    """Return the page of ours that somebody was on, else the first."""
    referer = urlsplit(request.headers.get("referer", ""))
    # A form goes to the address of its page: there, that page is where one was.
    another = request.method == "POST" or referer.path != request.url.path
    ours = referer.netloc == request.headers.get("host") and another
    return (
        f"{referer.path}?{referer.query}".rstrip("?")
        if ours and referer.path.startswith("/")
        else "/"
    )


async def _log_in_first(request: Request, _error: Exception) -> Response:
    if _is_machine(request):
        return JSONResponse(
            {"error": "Give your token.", "hint": "Authorization: Bearer …"},
            status_code=401,
            headers={"www-authenticate": "Bearer"},
        )
    if request.headers.get("hx-request"):
        shown = urlsplit(request.headers.get("hx-current-url", ""))
        ours = shown.netloc == request.headers.get("host")
        back = f"/login?next={quote(shown.path)}" if ours else "/login"
        return Response(status_code=401, headers={"hx-redirect": back})
    wanted = request.url.path if request.method == "GET" else await _page_of(request)
    return RedirectResponse(f"/login?next={quote(wanted)}", status_code=303)


async def _choose_first(request: Request, _error: Exception) -> Response:
    if _is_machine(request):
        words = "Somebody else chose your password: choose one of your own first."
        return JSONResponse({"error": words, "hint": "On the page Account."}, status_code=403)
    if request.headers.get("hx-request"):
        return Response(status_code=403, headers={"hx-redirect": "/account"})
    return RedirectResponse("/account", status_code=303)


async def _elsewhere(_request: Request, error: Exception) -> Response:
    return RedirectResponse(str(error), status_code=303)


async def _page_of(request: Request) -> str:
    """Return the page that a form came from.

    What was typed into it is kept until after the log-in.
    """
    path, ctx = request.url.path, context_of(request)
    for page_path in _PAGES:
        if found := re.fullmatch(page_path, path):
            break
    else:
        return "/"
    length = request.headers.get("content-length", "")
    if path.endswith(("/fix", "/fix/ids")) and length.isdecimal() and int(length) < _UNSAVED_BYTES:
        form = await request.form(max_files=0, max_fields=_UNSAVED_FIELDS)
        token, session = form.get("csrf"), request.scope["session"]
        if isinstance(token, str) and ctx.access.is_form_token(session, token):
            ctx.unsaved.keep(session, found[1], form)
    return found[1]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ShipdropError)  # noqa: S101 - as registered
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return _problem(request, status, error.message, error.hint)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    words = {404: "Page not found.", 405: "That cannot be done here."}
    response = _problem(request, error.status_code, words.get(error.status_code, error.detail))
    response.headers.update(error.headers or {})
    return response


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
    message, hint = in_words(error.errors(), request.scope["route"])
    return _problem(request, 422, message, hint if _is_machine(request) else "")


async def _too_large(request: Request, _error: Exception) -> Response:
    most = context_of(request).site.settings.web.max_upload_mb
    return _problem(request, 413, f"Too large: at most {most} MB in one upload, less elsewhere.")


async def _bug(request: Request, error: Exception) -> Response:
    log.error("web.bug", path=request.url.path, exc_info=error)
    return _problem(request, 500, "Shipdrop failed on this page.", "The log says how.")
