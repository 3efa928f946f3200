"""Remembering what a courier means by a status: one more word in its profile under ``couriers/``.

The profile is read again as it would be before it takes the old one's place; one that would not be
understood, or would contradict itself, is never written.
"""

import threading
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import tomlkit

from pipeline.core.errors import SettingsError
from pipeline.service.wiring import COURIERS, Site
from pipeline.storage.courier_profiles import profile_files, read_profile, text_of
from pipeline.storage.durable_files import make_directory, replace_with, storing
from pipeline.web.front import NotPossible
from schemas.courier import Profile
from schemas.folding import fold, is_absent
from schemas.statuses import NOTHING, Verdict
from schemas.vocabulary import Milestone

_LONGEST: Final = 200
_LOCK: Final = threading.Lock()
_COPIED: Final = (
    "# Copied from the profile that comes with Shipdrop, to remember what this courier says. This\n"
    "# file now stands in for it: compare the two when Shipdrop is upgraded.\n\n"
)


def remember(site: Site, courier: str, *, said: str, means: str) -> Path:
    """From now on ``said`` stands for what ``means`` stands for, in files of this courier.

    Raises NotPossible when that would contradict the profile, StorageError.
    """
    with _LOCK:
        path, text = _source(site, courier)
        profile = read_profile(text, origin=str(path))
        key = _key_of(profile, means)
        _may_be_taught(profile, said)
        document = tomlkit.parse(text)
        statuses: Any = document["statuses"]
        if key not in statuses:
            statuses[key] = tomlkit.array()
        statuses[key].append(said.strip())
        made = tomlkit.dumps(document)
        try:
            taught = read_profile(made, origin=path.name)
        except SettingsError as error:
            raise NotPossible(f"It cannot be remembered: {error.message}") from error
        if taught.statuses.base.get(fold(said)) != profile.statuses.base[fold(means)]:
            raise NotPossible("It cannot be remembered: the profile would not read it so.")
        with storing("write", path):
            make_directory(path.parent)
            replace_with(path, path.with_name(f".{path.name}.tmp"), [made.encode()])
        site.profiles.refresh()
    return path


def can_remember(profile: Profile | None, means: str) -> bool:
    """Tell whether a status may be learned as another word for ``means``."""
    return profile is not None and profile.statuses.base.get(fold(means), -1) >= NOTHING


def _source(site: Site, courier: str) -> tuple[Path, str]:
    """Where the courier's profile is to be written, and its text as it stands."""
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


def _key_of(profile: Profile, means: str) -> str:
    """The list of the profile that a status with this meaning stands in."""
    meaning = profile.statuses.base.get(fold(means))
    keys: Mapping[int, str] = {
        **{int(milestone): milestone.wire for milestone in Milestone},
        NOTHING: "no_milestone",
    }
    if meaning is None or meaning not in keys:
        raise NotPossible(
            f'"{means[:60]}" does not stand for one thing in the profile {profile.name} by itself, '
            "so nothing can be remembered for it."
        )
    return keys[meaning]


def _may_be_taught(profile: Profile, said: str) -> None:
    folded = fold(said)
    if not folded or is_absent(folded) or len(said) > _LONGEST or not said.isprintable():
        raise NotPossible("That is no status that could be remembered.")
    if "*" in said or ".." in said:
        raise NotPossible("A status with * or .. cannot be remembered here.")
    ruling = profile.statuses.rule(said)
    if ruling.verdict is not Verdict.UNKNOWN:
        raise NotPossible(
            f'"{said[:60]}" means something in the profile {profile.name} already, so it is not '
            "given another meaning here."
        )
