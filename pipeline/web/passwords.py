"""Passwords and tokens: only their hashes are kept, and checking one takes equal time always.

A password is hashed with argon2id. A token is 32 random bytes: nobody can guess it, so that a plain
SHA-256 is enough, and a machine may ask often.
"""

import hashlib
import hmac
import secrets
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()
_HASHING: Final = threading.BoundedSemaphore(2)
"""A hash takes 64 MB and a tenth of a second on purpose: not many side by side."""
_TOKEN_PREFIX: Final = "sha256:"  # noqa: S105 - how a hash begins, not a secret
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$2r9q7hyjLoz1v09V/z0S2Q"
    "$2+i59ZUOeW7U2dDg+BkCdgVVUWqSi8po414WV+2vnx0"
)
"""Checked for users that do not exist, so that the time taken does not show who does.

The hash of 32 random bytes, with the costs of ``_HASHER``: to make one at each start would take a
tenth of a second, in commands as well that check no password.
"""
_SHORTEST: Final = 8
_AROUND: Final = "0123456789!@#$%^&*()-_=+.,;:? "
"""Characters around a word that make it no harder to guess."""
LONGEST: Final = 1024
_FEWEST: Final = 4
"""Different characters in a password."""
_GUESSED_FIRST: Final = (
    "password",
    "passw0rd",
    "p@ssw0rd",
    "qwerty",
    "asdfgh",
    "letmein",
    "welcome",
    "iloveyou",
    "admin",
    "shipdrop",
    "changeme",
    "india",
)
"""Words that are tried first: a password is more than one of them with digits around it."""
RULES: Final = (
    f"At least {_SHORTEST} characters; several words are easy to keep in mind and hard to guess. "
    "Not the name, and not a word that is tried first, such as “password1”."
)


def password_problem(password: str, name: str = "") -> str:
    """Return the fault of a chosen password in a sentence, or ""."""
    if len(password) < _SHORTEST:
        return f"A password needs at least {_SHORTEST} characters."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if len(set(password)) < _FEWEST:
        return "The password is too simple: use more than three different characters."
    core = password.casefold().strip(_AROUND)
    if core in {name.casefold().strip(_AROUND), *_GUESSED_FIRST}:
        return "This password is too easy to guess: take another one, for example three words."
    if not core:
        return "The password is too easy to guess: use letters as well."
    return ""


def hash_password(password: str) -> str:
    """Return the text that stands for a password in ``web.users.<name>.password_hash``."""
    with _HASHING:
        return _HASHER.hash(password)


def new_token() -> tuple[str, str]:
    """Return a fresh token, and the text that stands for it in ``web.users.<name>.token_hash``."""
    token = f"sd_{secrets.token_urlsafe(32)}"
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """Return the text that stands for a token in the settings."""
    return _TOKEN_PREFIX + hashlib.sha256(token.encode()).hexdigest()


def is_password_hash(text: str) -> bool:
    """Return whether a text is a hash of ``hash_password``."""
    return text.startswith("$argon2id$")


def is_token_hash(text: str) -> bool:
    """Return whether a text is a hash of ``hash_token``."""
    return text.startswith(_TOKEN_PREFIX) and len(text) == len(_TOKEN_PREFIX) + 64


def password_fits(password: str, stored: str | None) -> bool:
    """Return whether this is the password; without a stored hash never, and no sooner."""
    try:
        with _HASHING:
            _HASHER.verify(stored or _NOBODY, password)
        return bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def token_fits(token: str, stored: str) -> bool:
    """Return whether this is the token."""
    return hmac.compare_digest(hash_token(token), stored)
