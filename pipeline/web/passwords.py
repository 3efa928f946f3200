"""Passwords and tokens: only their hashes are kept, and checking one takes equal time always.

A password is hashed with argon2id. A token is 32 random bytes: nobody can guess it, so that a plain
SHA-256 is enough, and a machine may ask often.
"""

import hashlib
import hmac
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()
_TOKEN_PREFIX: Final = "sha256:"  # noqa: S105 - how a hash begins, not a secret
_NOBODY: Final = _HASHER.hash(secrets.token_hex(16))
"""Checked for users that do not exist, so that the time taken does not tell who does."""


def hash_password(password: str) -> str:
    """Return the text that stands for a password in ``web.users.<name>.password_hash``."""
    return _HASHER.hash(password)


def new_token() -> tuple[str, str]:
    """Return a fresh token, and the text that stands for it in ``web.users.<name>.token_hash``."""
    token = f"sd_{secrets.token_urlsafe(32)}"
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """Return the text that stands for a token in the settings."""
    return _TOKEN_PREFIX + hashlib.sha256(token.encode()).hexdigest()


def is_password_hash(text: str) -> bool:
    """Tell whether a text is a hash of ``hash_password``."""
    return text.startswith("$argon2id$")


def is_token_hash(text: str) -> bool:
    """Tell whether a text is a hash of ``hash_token``."""
    return text.startswith(_TOKEN_PREFIX) and len(text) == len(_TOKEN_PREFIX) + 64


def password_fits(password: str, stored: str | None) -> bool:
    """Tell whether this is the password; without a stored hash never, and no sooner."""
    try:
        _HASHER.verify(stored or _NOBODY, password)
        return stored is not None
    except (VerificationError, InvalidHashError):
        return False


def token_fits(token: str, stored: str) -> bool:
    """Tell whether this is the token."""
    return hmac.compare_digest(hash_token(token), stored)
