"""What holds for every request: whose host it names, how large it is, and what browsers may do."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.settings import WebSettings, is_loopback
from pipeline.web.access import new_session

COOKIE: Final = "shipdrop_session"

#: Nothing from elsewhere, nothing inline: a hostile cell that became markup could still do nothing.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final[Mapping[str, str]] = {
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


class Guard:
    """ASGI middleware: checks the host, bounds the body, gives cookie and headers."""

    def __init__(self, app: ASGIApp, *, web: WebSettings) -> None:
        self._app = app
        self._web = web
        self._limit = web.max_upload_mb * 1024 * 1024 + _SMALL_BODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not _host_is_ours(headers.get("host", ""), self._web):
            await _answer(send, 421, "This server does not answer for that host name.")
            return
        if int(headers.get("content-length") or 0) > self._limit:
            await _answer(
                send, 413, f"Too large: at most {self._web.max_upload_mb} MB in one upload."
            )
            return
        session = _cookie(headers) or ""
        fresh = not session
        if fresh:
            session = new_session()
        scope["session"] = session
        await self._app(scope, _bounded(receive, self._limit), self._dressed(scope, send, fresh))

    def _dressed(self, scope: Scope, send: Send, fresh: bool) -> Send:  # noqa: FBT001 - its own
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
                if fresh and "set-cookie" not in headers and _wants_cookie(scope):
                    headers.append("set-cookie", cookie(scope["session"], scope["scheme"]))
            await send(message)

        return dressed


class TooLarge(Exception):
    """A body without a length that turned out too large."""


def cookie(session: str, scheme: str) -> str:
    """The ``Set-Cookie`` header for a session."""
    secure = "; Secure" if scheme == "https" else ""
    return f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax{secure}"


def same_origin(headers: Headers) -> bool:
    """Tell whether a browser says that the request came from a page of ours, or is no browser."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _host_is_ours(host: str, web: WebSettings) -> bool:
    """Against names of strangers that lead to this machine (DNS rebinding)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in web.hosts:
        return True
    if web.users:
        return not web.hosts or is_loopback(name)
    return is_loopback(name)


def _cookie(headers: Headers) -> str | None:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None


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


async def _answer(send: Send, status: int, words: str) -> None:
    body = (words + "\n").encode()
    head = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
