"""The base of every page: the site, the templates, the visitor, and checked forms."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request
from msgspec import Struct
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.errors import ShipdropError, StorageError, UsageError
from pipeline.core.model import SheetFacts
from pipeline.service.settings import is_loopback
from pipeline.service.wiring import Site
from pipeline.web.access import Access, Visitor, kept_secret
from pipeline.web.api_base import check_address, check_form
from pipeline.web.caches import AnswerCache, KeptForPage, LruCache
from pipeline.web.correct_rows.draft import Drafts
from pipeline.web.correct_rows.editors import Editors
from pipeline.web.faults import Rejects, read_rejects
from pipeline.web.health_bar import HealthBar
from pipeline.web.metrics import Measures
from pipeline.web.people import People
from pipeline.web.request_limits import same_origin
from pipeline.web.sheets import SheetFiles, identity_of
from pipeline.web.templating import make_templates
from pipeline.web.to_do import ToDo
from pipeline.web.totals import DropTotals
from pipeline.web.words import STATES, WAITING_STATES

if TYPE_CHECKING:
    from pipeline.web.correct_rows.send import Sending

_T = TypeVar("_T")

_MAY_COME_FIRST: Final = ("/account", "/api/v1/account", "/session", "/logout")
"""Pages that are open to a user who has to choose a password."""
_FIELD_BYTES: Final = 1024 * 1024
_FIELDS: Final = 5_000
_LARGEST: Final = 64 * 1024 * 1024
_REJECTS_KEPT: Final = 4
"""Rejects files that are kept as they were read."""
_SHARED_SECONDS: Final = 0.7
"""Less than the pace at which a page that is kept up to date asks."""
_UNSAVED: Final = 20
_FORMS: Final = 1_000
"""Forms that are known to have been sent."""
_SAID: Final = 1_000
"""Sentences that wait for their page."""
_WARNED_SECONDS: Final = 300.0
"""Seconds before the end of a session at which the page warns."""


class WebContext:
    """Builds and holds the objects that all pages of one root share, as long as the server lives.

    ``uploads_sent``: the name of a form and what it brought → its batch; ``corrections_sent``: the
    name of a form and its drop → the result: a second click has no second effect.
    """

    def __init__(self, site: Site) -> None:
        """Open nothing before the first request needs it.

        Raises SettingsError where the list of people cannot be read.
        """
        from pipeline.web.teaching.steps import Teachings  # which raises errors of this module

        web, monotonic = site.settings.web, site.clock.monotonic
        self.site = site
        self.people = People(site.root, web, site.clock)
        self.access = Access(
            self.people.users,
            monotonic,
            hours=web.session_hours,
            exposed=web.behind_proxy or not is_loopback(web.host),
            secret=kept_secret(site.root / "state" / "web.key"),
        )
        self.health_bar = HealthBar(site)
        self.templates = make_templates(site, self.health_bar)
        self.totals = DropTotals(site, saves=True)
        self.to_do = ToDo(site, self.health_bar, self.totals)
        self.measures = Measures(site, self.health_bar, self.totals)
        self.files = SheetFiles()
        self.rejects_cache = LruCache[Path, Rejects](_REJECTS_KEPT)
        self.drafts = Drafts(site)
        self.editors = Editors(monotonic)
        self.teachings = Teachings(site)
        self.shared = AnswerCache(monotonic, seconds=_SHARED_SECONDS)
        self.uploads_sent = LruCache[tuple[str, str], str](_FORMS)
        self.corrections_sent: LruCache[tuple[str, str], Sending] = LruCache(_FORMS)
        self.unsaved = KeptForPage[FormData](_UNSAVED)
        self.said = KeptForPage[str](_SAID)

    def rejects(self, path: Path, sheets: Sequence[SheetFacts]) -> Rejects:
        """Return a rejects file, read again only if it changed.

        Raises StorageError, OSError.
        """
        identity = identity_of(path)
        if identity[1] > _LARGEST:
            raise StorageError(
                f"{path.name} is too large to be corrected here.",
                hint="Correct it in a spreadsheet, and upload it as it is.",
            )
        kept = self.rejects_cache.get(path)
        if kept is not None and kept.identity == identity:
            return kept
        return self.rejects_cache.put(path, read_rejects(path, sheets))


class LogInFirst(Exception):
    """Raised where a request needs a log-in."""


class ChooseFirst(Exception):
    """Raised where the user must first replace a password that another user chose."""


class NotAllowed(ShipdropError):
    """Raised where a request needs another right, or did not come from a page of ours."""


class NotThere(ShipdropError):
    """Raised where there is nothing under this address."""


class NotPossible(ShipdropError):
    """Raised where a request is understood and cannot be done."""


class Elsewhere(Exception):
    """Raised where another page is to be shown; its argument is that page's address."""


@contextmanager
def not_possible() -> Iterator[None]:
    """Say of a UsageError that the request was understood and cannot be done: 409, not 422."""
    try:
        yield
    except UsageError as error:
        raise NotPossible(error.message, hint=error.hint) from error


def context_of(request: Request) -> WebContext:
    """Return the context of the application that a request is for."""
    ctx: WebContext = request.app.state.ctx
    return ctx


Ctx = Annotated[WebContext, Depends(context_of)]


def looking(request: Request, ctx: Ctx) -> Visitor:
    """Return the visitor, who may look. Raises LogInFirst or ChooseFirst.

    Raises UsageError where a machine asks for more than is described.
    """
    header = request.headers.get("authorization", "")
    visitor = ctx.access.visitor(request.scope["session"], header)
    if visitor is None:
        raise LogInFirst
    if visitor.must_choose and not request.url.path.startswith(_MAY_COME_FIRST):
        raise ChooseFirst
    ctx.people.saw(visitor.name)
    if request.url.path.startswith("/api/"):
        check_address(request)
    return visitor


Looker = Annotated[Visitor, Depends(looking)]


def operating(visitor: Looker) -> Visitor:
    """Return the visitor, who may change something. Raises LogInFirst or NotAllowed."""
    if not visitor.operates:
        raise NotAllowed(
            "Your account is read-only.",
            hint="Ask your administrator for access.",
        )
    return visitor


Operator = Annotated[Visitor, Depends(operating)]


def managing(visitor: Looker) -> Visitor:
    """Return the visitor, who may manage users. Raises LogInFirst or NotAllowed."""
    if not visitor.manages:
        raise NotAllowed("This is for managers.", hint="Ask a manager, or your administrator.")
    return visitor


Manager = Annotated[Visitor, Depends(managing)]


def form_of(may: Callable[..., Visitor], *, files: bool = False) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return the dependency that reads a page's form, after a check of right and token.

    ``may``: as ``operating``. ``files``: it may bring files. It is closed after the answer. Raises
    NotAllowed when it did not come from a page of ours.
    """

    async def read(
        request: Request, ctx: Ctx, visitor: Annotated[Visitor, Depends(may)]
    ) -> AsyncIterator[FormData]:
        if not same_origin(request.headers):
            raise NotAllowed("This request came from another site.", hint="Use the page itself.")
        token = request.headers.get("x-csrf-token", "")
        if token:
            _check(token, request, ctx, visitor)
        async with _form(request, ctx, files=files) as form:
            if not token:
                _check(text_of(form, "csrf"), request, ctx, visitor)
            yield form

    return Depends(read)


Form = Annotated[FormData, form_of(operating)]
FormWithFiles = Annotated[FormData, form_of(operating, files=True)]


def _form(
    request: Request, ctx: WebContext, *, files: bool
) -> AbstractAsyncContextManager[FormData]:
    most = ctx.site.settings.web.max_upload_files if files else 0
    return request.form(max_files=most, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)


def check_machine(request: Request, ctx: WebContext, visitor: Visitor) -> None:
    """Check a request whose body is no form. Raises NotAllowed.

    A machine sends its token with the request. Without users there is none, and a browser that
    comes from another site says so in its headers.
    """
    if not same_origin(request.headers):
        raise NotAllowed("This request came from another site.")
    if ctx.access.needs_login:
        _check(request.headers.get("x-csrf-token", ""), request, ctx, visitor)


def by_machine(may: Callable[..., Visitor]) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return what an address takes a visitor by whose request has no form.

    ``may``: as ``operating``. Checked before the body is read. Raises LogInFirst or NotAllowed.
    """

    def checked(request: Request, ctx: Ctx, visitor: Annotated[Visitor, Depends(may)]) -> Visitor:
        check_machine(request, ctx, visitor)
        return visitor

    return Depends(checked)


ByMachine = Annotated[Visitor, by_machine(operating)]
LookerByMachine = Annotated[Visitor, by_machine(looking)]
ManagerByMachine = Annotated[Visitor, by_machine(managing)]


async def read_files(request: Request, ctx: Ctx, visitor: Operator) -> AsyncIterator[FormData]:
    """Read a form with files that a machine sent. Raises LogInFirst, NotAllowed, UsageError."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UsageError("The body must be multipart/form-data with the field files.")
    check_machine(request, ctx, visitor)
    async with _form(request, ctx, files=True) as form:
        check_form(form)
        yield form


FilesByMachine = Annotated[FormData, Depends(read_files)]


def _check(token: str, request: Request, ctx: WebContext, visitor: Visitor) -> None:
    if visitor.by_token:
        return
    if not ctx.access.is_form_token(request.scope["session"], token):
        raise NotAllowed(
            "The page was out of date.",
            hint="Load it again, then repeat what you did. Cells that were saved are kept.",
        )


def lead(request: Request, target: str, said: str = "") -> RedirectResponse:
    """Redirect to a page of ours after a change. ``said``: the message that it shows, once."""
    if said:
        ctx = context_of(request)
        ctx.said.keep(request.scope["session"], urlsplit(target).path, said)
    return RedirectResponse(target, status_code=303)


def told_once(request: Request) -> str:
    """Return the message of the change that led to a page, or ""."""
    return context_of(request).said.take(request.scope["session"], request.url.path) or ""


def text_of(form: FormData, name: str, default: str = "") -> str:
    """Return a text field of a form."""
    value = form.get(name, default)
    return value if isinstance(value, str) else default


def whole_number(text: str) -> int | None:
    """Return the number that a field of a form holds, None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def page(
    request: Request,
    template: str,
    values: Mapping[str, Any],
    *,
    visitor: Visitor | None,
    status: int = 200,
) -> Response:
    """Return a page as HTML. ``visitor``: None on pages for everybody."""
    ctx = context_of(request)
    api = ctx.health_bar.health().api if visitor is not None else ""
    given = {
        "states": WAITING_STATES if api in {"paused", "held"} else STATES,
        "stays": False,
        **values,
        "visitor": visitor,
        "csrf": ctx.access.form_token(request.scope["session"]),
        "needs_login": ctx.access.needs_login,
        "session": session_of(request, visitor),
        "to_do_count": _to_do_count(ctx) if visitor is not None else 0,
    }
    return ctx.templates.TemplateResponse(request, template, given, status_code=status)


class Ending(Struct, frozen=True, kw_only=True):
    """The end of a session. ``warn_in``: seconds until the page warns; 0: now."""

    at: datetime
    left: float
    warn_in: float


def session_of(request: Request, visitor: Visitor | None) -> Ending | None:
    """Return the end of a request's session; None: no session, or one without end."""
    ctx = context_of(request)
    left = ctx.access.seconds_left(request.scope["session"])
    if visitor is None or visitor.by_token or left is None:
        return None
    at = ctx.site.clock.now() + timedelta(seconds=left)
    return Ending(at=at, left=left, warn_in=max(0.0, left - _WARNED_SECONDS))


def _to_do_count(ctx: WebContext) -> int:
    """Return the number of the badge; 0 where the ledger cannot be read."""
    with suppress(StorageError):
        return ctx.to_do.count()
    return 0
