"""Rights to look, operate, manage: sessions, form tokens, and waits after wrong log-ins.

Without users (the default) the page listens on this machine only, and every visitor may do
everything.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.errors import SettingsError
from pipeline.service.settings import WebSettings, WebUser, is_loopback
from pipeline.web.caches import LruCache
from pipeline.web.passwords import is_password_hash, is_token_hash, password_fits, token_fits

_TRIES: Final = 5
"""Wrong log-ins of one user or address before the first wait."""
_LONGEST_WAIT: Final = 300.0
_REMEMBERED: Final = 10_000
_SESSIONS: Final = 10_000
_EARLIER: Final = 3
"""Sessions that a browser had before, whose open pages are still good."""
_SECRET_BYTES: Final = 32


class Right(StrEnum):
    """The rights of a user; each has those before it."""

    LOOK = "look"
    OPERATE = "operate"
    MANAGE = "manage"


class Visitor(Struct, frozen=True, kw_only=True):
    """The sender of a request. ``name`` is "" where no log-in is needed.

    ``by_token``: a machine that gave its token with the request, so that no other page of a browser
    can have sent it. ``must_choose``: somebody else chose the password, so another one comes first.
    """

    name: str
    right: Right
    by_token: bool = False
    must_choose: bool = False

    @property
    def operates(self) -> bool:
        """Return True when this visitor may change something."""
        return self.right in {Right.OPERATE, Right.MANAGE}

    @property
    def manages(self) -> bool:
        """Return True when this visitor may change the rights of users."""
        return self.right is Right.MANAGE


class User(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user who may log in. ``password`` and ``token``: their hashes, "" for none.

    ``kept``: named in the settings, so not changed on the page. ``version`` grows by each change.
    """

    name: str
    right: Right = field(name="role")
    password: str = ""
    token: str = ""
    off: bool = False
    must_choose: bool = False
    kept: bool = False
    version: int = 1


class _Session(Struct, frozen=True, kw_only=True):
    """A session. It ends when the password that it began with is replaced.

    ``earlier``: sessions of the same user in that browser, the last first.
    """

    name: str
    password: str
    ends_at: float
    earlier: tuple[str, ...] = ()


def check_listening(web: WebSettings, users: Mapping[str, User]) -> None:
    """Refuse to listen where strangers can reach us without a password.

    Raises:
        SettingsError: there is no user and the host is not this machine, or a hash is none.
    """
    for name, user in web.users.items():
        _check_user(name, user)
    if not users and not is_loopback(web.host):
        raise SettingsError(
            f"The web page does not listen on {web.host} without a password: everybody who can "
            "reach it could send shipments' statuses.",
            hint="Set web.users in shipdrop.toml (`shipdrop serve --hash-password` makes the "
            "hash), or listen on 127.0.0.1; there a first person can be added at /people.",
        )
    if web.behind_proxy and not users:
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
        self._known = LruCache[str, tuple[int, float]](_REMEMBERED)
        self._lock = threading.RLock()

    def wait(self, *keys: str) -> float:
        """Return seconds until the next try; 0: now."""
        now = self._monotonic()
        return max(((self._known.get(key) or (0, now))[1] - now for key in keys), default=0.0)

    def begin(self, *keys: str) -> float:
        """Return seconds until the next try; 0: it may be now, and is noted as a wrong one.

        Noted before it is looked at: many tries at once are many tries.
        """
        with self._lock:
            wait = max(0.0, self.wait(*keys))
            if not wait:
                self.failed(*keys)
        return wait

    def failed(self, *keys: str) -> None:
        """Note a wrong try."""
        now = self._monotonic()
        with self._lock:
            for key in keys:
                count = (self._known.get(key) or (0, 0.0))[0] + 1
                over = count - _TRIES
                pause = min(_LONGEST_WAIT, 2.0**over) if over >= 0 else 0.0
                self._known.put(key, (count, now + pause))

    def succeeded(self, *keys: str) -> None:
        """Forget the wrong tries."""
        for key in keys:
            self._known.pop(key)


class Access:
    """Keeps the sessions, and reads the list of users at each request. Thread-safe."""

    def __init__(
        self,
        users: Callable[[], Mapping[str, User]],
        monotonic: Callable[[], float],
        *,
        hours: float,
        exposed: bool = False,
        secret: bytes | None = None,
    ) -> None:
        """Take the hours that a session lasts; ``secret`` signs forms, and is kept over restarts.

        ``exposed``: strangers can reach us, so that nobody gets in without a log-in, come what may.
        """
        self._users = users
        self._last = hours * 3600
        self._monotonic = monotonic
        self._exposed = exposed
        self._secret = secret or secrets.token_bytes(32)
        self._sessions = LruCache[str, _Session](_SESSIONS)
        self._lock = threading.Lock()
        self.throttle = Throttle(monotonic)

    @property
    def needs_login(self) -> bool:
        """Return True when there are users."""
        return self._exposed or bool(self._users())

    def visitor(self, session: str, authorization: str) -> Visitor | None:
        """Return the user of this cookie or ``Authorization`` header; None: unknown."""
        kind, _, token = authorization.partition(" ")
        if kind.casefold() == "bearer":
            return self._by_token(token.strip())
        if not self.needs_login:
            return Visitor(name="", right=Right.MANAGE)
        found = self._found(session)
        user = self._users()[found.name] if found else None
        if user is None:
            return None
        return Visitor(name=user.name, right=user.right, must_choose=user.must_choose)

    def log_in(self, name: str, password: str, *, before: str = "") -> str | None:
        """Return the secret of a new session, or None for a wrong name or password.

        ``before``: the session that the browser had until now.
        """
        user = self._users().get(name)
        stored = user.password if user is not None and not user.off else ""
        if not password_fits(password, stored):
            return None
        return self._begin(name, stored, before)

    def begin_again(self, session: str) -> str | None:
        """Replace the session of a user who just chose another password; return the new one."""
        self.log_out(session)
        user = self._users().get(self.name_of(session))
        return self._begin(user.name, user.password, session) if user and not user.off else None

    def stay(self, session: str) -> None:
        """Let a session last as long as a new one."""
        found, digest = self._found(session), _digest(session)
        with self._lock:
            # Not where it was ended, or put off, meanwhile.
            if found is not None and self._sessions.get(digest) is found:
                self._sessions.put(digest, replace(found, ends_at=self._end()))

    def seconds_left(self, session: str) -> float | None:
        """Return the seconds until a session ends; None: there is no session."""
        found = self._found(session)
        return found.ends_at - self._monotonic() if found else None

    def log_out(self, session: str) -> None:
        """End a session."""
        digest = _digest(session)
        with self._lock:
            if (found := self._sessions.get(digest)) is not None:
                self._sessions.put(digest, replace(found, ends_at=float("-inf")))

    def name_of(self, session: str) -> str:
        """Return the user of a session, ended or not; "": unknown."""
        found = self._sessions.get(_digest(session))
        return found.name if found else ""

    def form_token(self, session: str) -> str:
        """Return the token that every form of this session carries; no other site can know it."""
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def is_form_token(self, session: str, given: str) -> bool:
        """Return whether this is the form token of the session.

        Or of one that this user had before it in this browser: a page that was open over a log-out
        and a log-in can still be sent.
        """
        found = self._sessions.get(_digest(session))
        sessions = (session, *(found.earlier if found else ()))
        return any(
            hmac.compare_digest(self.form_token(each).encode(), given.encode())
            for each in sessions
            if each
        )

    def _found(self, session: str) -> _Session | None:
        """Return a valid session: its user may log in, and the password is unchanged."""
        found = self._sessions.get(_digest(session)) if session else None
        if found is None or found.ends_at < self._monotonic():
            return None
        user = self._users().get(found.name)
        holds = user is not None and not user.off and user.password == found.password
        return found if holds else None

    def _begin(self, name: str, password: str, before: str = "") -> str:
        session = new_session()
        known = self._sessions.get(_digest(before))
        earlier = (before, *known.earlier)[:_EARLIER] if known and known.name == name else ()
        made = _Session(name=name, password=password, ends_at=self._end(), earlier=earlier)
        self._sessions.put(_digest(session), made)
        return session

    def _end(self) -> float:
        return self._monotonic() + self._last

    def _by_token(self, token: str) -> Visitor | None:
        for user in self._users().values():
            if user.token and not user.off and token_fits(token, user.token):
                return Visitor(name=user.name, right=user.right, by_token=True)
        return None


def kept_secret(path: Path) -> bytes | None:
    """Return the secret that forms are known by, made when there is none; None: it cannot be kept.

    A form that was open before a restart is accepted after it: typed text is not lost.
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
