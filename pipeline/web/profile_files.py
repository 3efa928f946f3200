"""The profiles under ``ROOT/couriers`` as the page writes them, and who taught which word.

A profile is read as a whole before it takes the old one's place, and the one before is kept.
"""

import threading
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.core.errors import SettingsError
from pipeline.core.model import stamp
from pipeline.service.wiring import COURIERS, Site
from pipeline.storage.courier_profiles import profile_files, read_profile, text_of
from pipeline.storage.durable_files import make_directory, replace_with, storing
from pipeline.web.front import NotPossible
from schemas.courier import Profile

PROFILES: Final = threading.Lock()
"""Held by whoever changes a profile, from reading it to writing it."""
_COPIED: Final = (
    "# Copied from the profile that comes with Shipdrop, to remember what this courier says. This\n"
    "# file now stands in for it: compare the two when Shipdrop is upgraded.\n\n"
)


class Word(Struct, frozen=True, kw_only=True):
    """A word that somebody taught. ``means``: the milestone it stands for, or ``no_milestone``.

    ``at``: UTC, ISO 8601. ``who``: "" where nobody had to say.
    """

    said: str
    means: str
    who: str
    at: str


class Saved(Struct, frozen=True, kw_only=True):
    """A change of a profile: who made it, when, and a note. ``at``: UTC, ISO 8601."""

    who: str
    at: str
    note: str = ""


def source_of(site: Site, courier: str) -> tuple[Path, str]:
    """Return where the courier's profile is to be written, and its text as it stands.

    Raises NotPossible where there is none, or another profile cannot be read.
    """
    place = site.root / COURIERS
    for path in profile_files(place):
        try:
            text = text_of(path)
            if read_profile(text, origin=str(path)).name == courier:
                return path, text
        except SettingsError as error:
            raise NotPossible(f"It cannot be remembered: {error}") from error
    built_in = resources.files("schemas") / "couriers" / f"{courier}.toml"
    if not built_in.is_file():
        raise NotPossible(f'There is no profile for the courier "{courier}".')
    return place / f"{courier}.toml", _COPIED + built_in.read_text(encoding="utf-8")


def mark_of(text: str) -> str:
    """Return what tells one version of a profile from another."""
    return sha256(text.encode()).hexdigest()[:16]


def write_profile(site: Site, path: Path, text: str, *, who: str, note: str = "") -> Profile:
    """Put a profile in the place of the one before, which is kept; return it as it is read.

    Raises SettingsError for one that would not be understood, StorageError.
    """
    profile = read_profile(text, origin=path.name)
    saved = Saved(who=who[:100], at=stamp(site.clock.now()), note=note[:1000])
    place = _history(site, profile.name)
    name = saved.at.replace(":", "")
    if path.is_file():
        with storing("read", path):
            former = path.read_bytes()
        _write(place / f"{name}.toml", former)
    _write(place / f"{name}.json", msgspec.json.encode(saved))
    _write(path, text.encode())
    site.profiles.refresh()
    return profile


def last_saved(site: Site, courier: str) -> Saved | None:
    """Return who changed a courier's profile last on the page, and when; None: nobody."""
    for path in sorted(_history(site, courier).glob("*.json"), reverse=True):
        try:
            return msgspec.json.decode(path.read_bytes(), type=Saved)
        except (OSError, msgspec.MsgspecError):
            continue
    return None


def _history(site: Site, courier: str) -> Path:
    return site.root / "state" / "web" / "profiles" / courier


def words_of(site: Site, courier: str) -> list[Word]:
    """Return the words that were taught for a courier. Raises NotPossible."""
    try:
        return msgspec.json.decode(_record(site, courier).read_bytes(), type=list[Word])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise NotPossible("What was taught before cannot be read.") from error


def keep_words(site: Site, courier: str, words: list[Word]) -> None:
    """Keep the words that were taught for a courier. Raises StorageError."""
    _write(_record(site, courier), msgspec.json.encode(words))


def _record(site: Site, courier: str) -> Path:
    """Return the path of the history of taught words, which outlives the files of ``state/web``."""
    return site.root / "state" / "learned" / f"{courier}.json"


def _write(path: Path, data: bytes) -> None:
    with storing("write", path):
        make_directory(path.parent)
        replace_with(path, path.with_name(f".{path.name}.tmp"), [data])
