"""Who may look, who may operate: users, sessions, the token against forged requests, log-in pace.

Without users (the default) the page listens on this machine only, and whoever sits at it operates.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.core.errors import SettingsError
from pipeline.service.settings import WebSettings, WebUser, is_loopback
from pipeline.web.passwords import is_password_hash, is_token_hash, password_fits, token_fits

_TRIES: Final = 5
"""Wrong log-ins of one user or address that cost no wait."""
_LONGEST_WAIT: Final = 300.0
_REMEMBERED: Final = 10_000
_SESSIONS: Final = 10_000
_SECRET_BYTES: Final = 32


class Right(StrEnum):
    """The rights of a user."""

    LOOK = "look"
    OPERATE = "operate"


class Visitor(Struct, frozen=True, kw_only=True):
    """Whoever sent a request. ``name`` is "" where nobody has to log in.

    ``by_token``: a machine that gave its token with the request, so that no other page of a browser
    can have sent it.
    """

    name: str
    right: Right
    by_token: bool = False

    @property
    def operates(self) -> bool:
        """Return True when this visitor may change something."""
        return self.right is Right.OPERATE


class _Session(Struct, frozen=True, kw_only=True):
    name: str
    ends_at: float


def check_listening(web: WebSettings) -> None:
    """Refuse to listen where strangers can reach us without a password.

    Raises:
        SettingsError: no user is set and the host is not this machine, or a hash is none.
    """
    for name, user in web.users.items():
        _check_user(name, user)
    if not web.users and not is_loopback(web.host):
        raise SettingsError(
            f"The web page does not listen on {web.host} without a password: everybody who can "
            "reach it could send shipments' statuses.",
            hint="Set web.users in shipdrop.toml (`shipdrop serve --hash-password` makes the "
            "hash), or listen on 127.0.0.1.",
        )
    if web.behind_proxy and not web.users:
        raise SettingsError(
            "A proxy brings requests from elsewhere: with web.behind_proxy the web page needs "
            "a password.",
            hint="Set web.users in shipdrop.toml.",
        )


def _check_user(name: str, user: WebUser) -> None:
    password = user.password_hash.get_secret_value() if user.password_hash else ""
    token = user.token_hash.get_secret_value() if user.token_hash else ""
    if password and not is_password_hash(password):
        raise SettingsError(
            f'The setting "web.users.{name}.password_hash" is not a hash.',
            hint="`shipdrop serve --hash-password` makes one; a password itself is never kept.",
        )
    if token and not is_token_hash(token):
        raise SettingsError(
            f'The setting "web.users.{name}.token_hash" is not the hash of a token.',
            hint="`shipdrop serve --new-token` makes a token and its hash.",
        )
    if not password and not token:
        raise SettingsError(
            f'The user "web.users.{name}" has neither password_hash nor token_hash.',
            hint="Give one of them, or take the user out.",
        )


class Throttle:
    """The wait after wrong log-ins, before the next try."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, *keys: str) -> float:
        """Return seconds until the next try; 0: now."""
        now = self._monotonic()
        with self._lock:
            return max((self._known.get(key, (0, now))[1] - now for key in keys), default=0.0)

    def failed(self, *keys: str) -> None:
        """Note a wrong try."""
        now = self._monotonic()
        with self._lock:
            for key in keys:
                count = self._known.pop(key, (0, 0.0))[0] + 1
                over = count - _TRIES
                pause = min(_LONGEST_WAIT, 2.0**over) if over >= 0 else 0.0
                self._known[key] = (count, now + pause)
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the wrong tries."""
        with self._lock:
            for key in keys:
                self._known.pop(key, None)


class Access:
    """Knows users and sessions. Safe from several threads."""

    def __init__(
        self, web: WebSettings, monotonic: Callable[[], float], *, secret: bytes | None = None
    ) -> None:
        """Take the settings; ``secret`` signs the forms, and is kept over restarts."""
        self._users: Mapping[str, WebUser] = web.users
        self._last = web.session_hours * 3600
        self._monotonic = monotonic
        self._secret = secret or secrets.token_bytes(32)
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()
        # A hash takes 64 MB and a tenth of a second on purpose: not many side by side.
        self._hashing = threading.BoundedSemaphore(2)
        self.throttle = Throttle(monotonic)

    @property
    def needs_login(self) -> bool:
        """Return True when users are set."""
        return bool(self._users)

    def visitor(self, session: str, authorization: str) -> Visitor | None:
        """Return who sent this cookie or ``Authorization`` header; None: nobody we know."""
        kind, _, token = authorization.partition(" ")
        if kind.casefold() == "bearer":
            return self._by_token(token.strip())
        if not self._users:
            return Visitor(name="", right=Right.OPERATE)
        with self._lock:
            found = self._sessions.get(_digest(session)) if session else None
        if found is None or found.ends_at < self._monotonic():
            return None
        return Visitor(name=found.name, right=Right(self._users[found.name].role))

    def log_in(self, name: str, password: str) -> str | None:
        """Return a new session's secret, or None when name and password do not fit."""
        user = self._users.get(name)
        stored = user.password_hash.get_secret_value() if user and user.password_hash else None
        with self._hashing:
            if not password_fits(password, stored):
                return None
        session = new_session()
        with self._lock:
            ends_at = self._monotonic() + self._last
            self._sessions[_digest(session)] = _Session(name=name, ends_at=ends_at)
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def log_out(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(session), None)

    def form_token(self, session: str) -> str:
        """Return what every form of this session carries: no other site can know it."""
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def is_form_token(self, session: str, given: str) -> bool:
        """Tell whether a form came from a page of ours in this session."""
        expected = self.form_token(session)
        return bool(session) and hmac.compare_digest(expected.encode(), given.encode())

    def _by_token(self, token: str) -> Visitor | None:
        for name, user in self._users.items():
            stored = user.token_hash.get_secret_value() if user.token_hash else ""
            if stored and token_fits(token, stored):
                return Visitor(name=name, right=Right(user.role), by_token=True)
        return None


def kept_secret(path: Path) -> bytes | None:
    """Return the secret that forms are known by, made when there is none; None: it cannot be kept.

    A form that was open before a restart is taken after it: what was typed is not lost.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            secret = file.read()
            if len(secret) < _SECRET_BYTES:
                secret = secrets.token_bytes(_SECRET_BYTES)
                file.seek(0)
                file.write(secret)
            return secret
    except OSError:
        return None


def new_session() -> str:
    """Return a fresh secret for a cookie."""
    return secrets.token_urlsafe(32)


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
