"""Checks and headers of every request: its host, its size, and the policy for browsers."""

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.settings import WebSettings, is_loopback
from pipeline.web.access import new_session

COOKIE: Final = "shipdrop_session"

#: Nothing from elsewhere, nothing inline: a hostile cell that became markup could still do nothing.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_SMALL_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request that brings no files."""
_BODIES: Final[Mapping[str, int]] = dict.fromkeys(("/login", "/logout"), 64 * 1024)
"""Bytes of requests that need no log-in."""
_BRING_FILES: Final = frozenset({"/upload", "/teach", "/api/v1/drops", "/api/v1/checks"})
_LONGEST_PART: Final = 200
"""Bytes of one part of an address."""
_TOGETHER: Final = 3
"""The number of uploads of the largest size that may arrive at the same time."""
_MB: Final = 1024 * 1024

Answer = Callable[[Request, Exception], Awaitable[Response]]


class Guard:
    """ASGI middleware: checks the host, bounds the body, gives cookie and headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        web: WebSettings,
        on_bug: Answer,
        needs_login: Callable[[], bool],
        has_room: Callable[[int], bool] = lambda _size: True,
    ) -> None:
        """Take the answer after a bug, and the check whether so many bytes find room on disk.

        ``needs_login``: whether there are users.
        """
        self._app = app
        self._web = web
        self._on_bug = on_bug
        self._needs_login = needs_login
        self._has_room = has_room
        self._largest = web.max_upload_mb * _MB + _SMALL_BODY
        self._on_the_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        scope["session"] = session or new_session()
        scope["answered"] = False
        send = self._dressed(scope, send, fresh=not session)
        refuse = partial(_refuse, scope, receive, send)
        if not self._host_is_ours(headers.get("host", "")):
            await refuse(421, "This server does not answer for that host name.")
            return
        if not _is_an_address(scope["path"]):
            await refuse(404, "There is nothing under this address.")
            return
        limit = self._limit(scope, headers)
        length = int(headers.get("content-length") or 0)
        if length > limit:
            await refuse(413, f"Too large: at most {_size(limit)} here.")
            return
        if limit < self._largest:
            await self._pass(scope, _bounded(receive, limit), send)
            return
        # Reserve the most for a body without a length.
        length = length or self._largest
        if self._on_the_way + length > _TOGETHER * self._largest:
            await refuse(503, "Too many uploads at once: send it again in a minute.")
            return
        if not self._has_room(self._on_the_way + length):
            await refuse(507, "There is no room for this on the disk.")
            return
        self._on_the_way += length
        try:
            await self._pass(scope, _bounded(receive, limit), send)
        finally:
            self._on_the_way -= length

    def _host_is_ours(self, host: str) -> bool:
        """Return whether the host is ours, against DNS rebinding."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._web.hosts:
            return True
        if self._needs_login():
            return not self._web.hosts or is_loopback(name)
        return is_loopback(name)

    def _limit(self, scope: Scope, headers: Headers) -> int:
        """Return how many bytes a request may bring: many only where it brings files."""
        brings = headers.get("content-type", "").casefold().startswith("multipart/form-data")
        if scope["path"] in _BRING_FILES and brings:
            return self._largest
        return _BODIES.get(scope["path"], _SMALL_BODY)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. A client that hangs up is no fault of ours; all else is reported."""
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - a bug: logged, and answered with 500
            response = await self._on_bug(Request(scope, receive), error)
            if not scope["answered"]:
                await response(scope, receive, send)

    def _dressed(self, scope: Scope, send: Send, *, fresh: bool) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["answered"] = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
                if fresh and "set-cookie" not in headers and _wants_cookie(scope):
                    headers.append("set-cookie", cookie(scope["session"], scope["scheme"]))
            await send(message)

        return dressed


def _is_an_address(path: str) -> bool:
    """Return whether each part of a path could be the name of something: a file, at the longest."""
    parts = path.split("/")
    return "\0" not in path and all(len(os.fsencode(part)) <= _LONGEST_PART for part in parts)


def _size(limit: int) -> str:
    return f"{limit // _MB} MB" if limit >= _MB else f"{limit // 1024} kB"


class TooLarge(Exception):
    """A body without a length that turned out too large."""


def cookie(session: str, scheme: str) -> str:
    """Return the ``Set-Cookie`` header for a session."""
    secure = "; Secure" if scheme == "https" else ""
    return f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax{secure}"


def same_origin(headers: Headers) -> bool:
    """Return whether a browser says that the request came from a page of ours, or is no browser."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _wants_cookie(scope: Scope) -> bool:
    path: str = scope["path"]
    return not path.startswith(("/static/", "/api/", "/healthz", "/readyz", "/metrics"))


def _bounded(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge
        return message

    return bounded


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
    response = PlainTextResponse(f"{words}\n", status, headers={"connection": "close"})
    await response(scope, receive, send)
