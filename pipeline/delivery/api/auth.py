"""The token every call carries: fixed, from a file that is read again when it changes, or fetched.

However many calls wait for a token, one is fetched for all of them.
"""

import asyncio
import html
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import orjson
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.errors import Held, Transient
from pipeline.core.ports import Reply

_TOKEN_NAMES = ("access_token", "accessToken", "token")


class Credentials(Struct, frozen=True, kw_only=True):
    """The source of a token: fixed, a file that is read again when it changes, or the API.

    With both, the file counts, and the fixed one while the file cannot be read.
    """

    token: str | None = None
    token_file: Path | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class Tokens:
    """The token of one API. Lives in one event loop. ``fetch`` (name, password) → a token."""

    def __init__(
        self, credentials: Credentials, fetch: Callable[[str, str], Awaitable[str]]
    ) -> None:
        self._file = credentials.token_file
        self._login = (
            (credentials.username, credentials.password or "") if credentials.username else None
        )
        self._fetch = fetch
        self._fixed = credentials.token or ""
        self._token = self._fixed
        self._checked = ""
        self._file_stamp: tuple[int, int, int] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0

    async def current(self) -> str:
        """Return the token. Raises Held when there is none, Transient when it may come later."""
        if self._file is not None:
            self._read(self._file)
        elif not self._token and self._login is not None:
            await self._fetched(self._login)
        if self._token != self._checked:
            self._checked = _sound(self._token, "api.token")
        if not self._token:
            raise Held("There is no token for the API.", hint="Set api.token or api.token_file.")
        return self._token

    async def renew(self, generation: int) -> bool:
        """Get a token instead of that of ``generation``; False when there is no way to one.

        Raises Held, Transient.
        """
        if generation != self.generation:
            return True
        if self._file is not None:
            return self._read(self._file)
        if self._login is None:
            return False
        await self._fetched(self._login)
        return True

    def _read(self, path: Path) -> bool:
        """Read the file if it is another than last time; True when the token is another."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp == self._file_stamp:
                return False
            token = _sound(path.read_text(encoding="utf-8").strip(), f"the token file {path}")
        except (OSError, UnicodeDecodeError) as error:
            if self._fixed:
                return self._take(self._fixed, None)
            raise Held(
                f"The token file {path} cannot be read: {type(error).__name__}.",
                hint="Put the token into it, readable for this service.",
            ) from None
        return self._take(token, stamp)

    def _take(self, token: str, stamp: tuple[int, int, int] | None) -> bool:
        """Use this token from now on, of a file that looks so; True when it is another."""
        self._file_stamp = stamp
        changed = token != self._token
        self._token = token
        self.generation += changed
        return changed

    async def _fetched(self, login: tuple[str, str]) -> None:
        """Wait for the one fetch that is under way, or begin it."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_one(login))
            self._fetching.add_done_callback(self._forget)
        await asyncio.shield(self._fetching)

    async def _fetch_one(self, login: tuple[str, str]) -> None:
        try:
            token = await self._fetch(*login)
        except Transient as error:
            # The call that needs the token has not left, whatever became of this one.
            raise Transient(error.message, in_doubt=False, hint=error.hint) from error
        self._token = _sound(token, "the token that the API gave")
        self.generation += 1

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # who waits for it has it; without a waiter nobody needs it


_MASK = b"[secret]"
_LONG_ENOUGH = 8
"""A shorter secret is covered only where it is a whole word: it may be part of anything."""
_MOST_SECRETS = 8


class Masks:
    """Cover the secrets in answers: an API may repeat them, and its words are kept and shown.

    The mask has a word that no success has, so that a covered answer is never believed.
    """

    def __init__(self) -> None:
        self._forms: dict[str, list[bytes]] = {}

    def learn(self, secret: str) -> None:
        """Cover this secret too; the last few are remembered, since late answers may have them."""
        if secret and secret not in self._forms:
            quoted = json.dumps(secret)[1:-1]
            unquoted = json.dumps(secret, ensure_ascii=False)[1:-1]
            forms = {secret, quoted, unquoted, quoted.replace("/", r"\/"), quote(secret)}
            forms |= {quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
            longest_first = sorted((each.encode() for each in forms), key=len, reverse=True)
            self._forms[secret] = longest_first
            if len(self._forms) > _MOST_SECRETS:
                del self._forms[next(iter(self._forms))]

    def cover(self, reply: Reply) -> Reply:
        """Return the answer without secrets."""
        body = reply.body
        for forms in self._forms.values():
            for form in forms:
                if form not in body:
                    continue
                if len(form) >= _LONG_ENOUGH:
                    body = body.replace(form, _MASK)
                else:
                    body = re.sub(rb"(?<!\w)" + re.escape(form) + rb"(?!\w)", _MASK, body)
        return reply if body is reply.body else replace(reply, body=body)


def _sound(token: str, what: str) -> str:
    """Return the token, if it can travel in a header."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise Held(f"There are characters in {what} that no token has.")
    return token


def token_in(body: bytes) -> str | None:
    """Return the token in an answer of the token endpoint, whose field names are not published."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for level in (found, found.get("data") if isinstance(found, dict) else None):
        if isinstance(level, dict):
            for name in _TOKEN_NAMES:
                if isinstance(level.get(name), str) and level[name]:
                    return str(level[name])
    return None
