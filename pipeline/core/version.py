"""Which Shipdrop this is: its version, and the commit it was built from."""

from functools import cache
from importlib import metadata, resources
from typing import Final

from msgspec import Struct

CHECKOUT: Final = "checkout"
"""Stands for a commit where the code is not from a wheel."""


class Release(Struct, frozen=True):
    """A version as the package says, and the commit of the build; "unknown" if git was not there.

    >>> str(Release("1.0.0", "0123456789ab"))
    '1.0.0 (0123456789ab)'
    """

    version: str
    commit: str

    def __str__(self) -> str:
        return f"{self.version} ({self.commit})"


@cache
def this_release() -> Release:
    """Return the running release."""
    try:
        found = (resources.files("pipeline") / "commit.txt").read_text(encoding="utf-8")
        commit = found.strip() or "unknown"
    except FileNotFoundError:
        commit = CHECKOUT
    return Release(metadata.version("shipdrop"), commit)
