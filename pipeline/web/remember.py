"""Remembering what a courier means by a status: one more word in its profile under ``couriers/``.

The profile is read again as it would be before it takes the old one's place; one that would not be
understood, or would contradict itself, is never written.
"""

import threading
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import tomlkit
from msgspec import Struct

from pipeline.core.errors import SettingsError
from pipeline.core.model import stamp
from pipeline.service.wiring import COURIERS, Site
from pipeline.storage.courier_profiles import profile_files, read_profile, text_of
from pipeline.storage.durable_files import make_directory, replace_with, storing
from pipeline.web.front import NotPossible, NotThere
from schemas.courier import GENERIC, Profile
from schemas.folding import fold, is_absent
from schemas.statuses import NOTHING, Verdict
from schemas.vocabulary import Milestone

_LONGEST: Final = 200
_LOCK: Final = threading.Lock()
_COPIED: Final = (
    "# Copied from the profile that comes with Shipdrop, to remember what this courier says. This\n"
    "# file now stands in for it: compare the two when Shipdrop is upgraded.\n\n"
)
#: What a list of the profile's statuses stands for.
_MEANINGS: Final[Mapping[str, int]] = {
    **{milestone.wire: int(milestone) for milestone in Milestone},
    "no_milestone": NOTHING,
}


class Word(Struct, frozen=True, kw_only=True):
    """A word that somebody taught. ``means``: the milestone it stands for, or ``no_milestone``.

    ``at``: UTC, ISO 8601. ``who``: "" where nobody had to say.
    """

    said: str
    means: str
    who: str
    at: str


def remember(site: Site, courier: str, *, said: str, means: str, who: str) -> Word:
    """Read ``said`` as ``means`` in files of this courier from now on, and note who taught it.

    ``means``: a status that the profile knows, a milestone, or ``no_milestone``. A word that was
    taught before gets the new meaning. Raises NotPossible when that would contradict the profile,
    StorageError.
    """
    if courier == GENERIC:
        raise NotPossible(
            "Which courier is this file from? A word is kept for one courier.",
            hint="The general rules are those of every courier that is not known; they learn no "
            "words, since each would change how all of their files are read.",
        )
    said = said.strip()
    _known(site, courier)
    with _LOCK:
        path, text = _source(site, courier)
        document = tomlkit.parse(text)
        words = _words(site, courier)
        if any(fold(each.said) == fold(said) for each in words):
            _take_out(document, said)
        profile = read_profile(tomlkit.dumps(document), origin=str(path))
        key = key_of(profile, means)
        _may_be_taught(profile, said)
        statuses: Any = document.setdefault("statuses", tomlkit.table())
        if key not in statuses:
            statuses[key] = tomlkit.array()
        statuses[key].append(said)
        made = tomlkit.dumps(document)
        try:
            taught = read_profile(made, origin=path.name)
        except SettingsError as error:
            raise NotPossible(f"It cannot be remembered: {error.message}") from error
        if taught.statuses.base.get(fold(said)) != _MEANINGS[key]:
            raise NotPossible("It cannot be remembered: the profile would not read it so.")
        word = Word(said=said, means=key, who=who[:100], at=stamp(site.clock.now()))
        others = [each for each in words if fold(each.said) != fold(said)]
        _write(path, made.encode())
        _write(_record(site, courier), msgspec.json.encode([*others, word]))
        site.profiles.refresh()
    return word


def forget(site: Site, courier: str, said: str) -> Word:
    """Take a word that was taught out of the courier's profile; return it as it was.

    Raises NotThere when nobody taught it, or it is gone, NotPossible, StorageError.
    """
    _known(site, courier)
    with _LOCK:
        words = _words(site, courier)
        found = next((each for each in words if fold(each.said) == fold(said)), None)
        path, text = _source(site, courier)
        document = tomlkit.parse(text)
        if found is None or not _take_out(document, said):
            raise NotThere(
                f'"{said[:60]}" is not among the words that were taught for {courier[:60]}.',
                hint="The courier's page lists them.",
            )
        made = tomlkit.dumps(document)
        try:
            read_profile(made, origin=path.name)
        except SettingsError as error:
            raise NotPossible(f"It cannot be forgotten: {error.message}") from error
        _write(path, made.encode())
        _write(_record(site, courier), msgspec.json.encode([e for e in words if e is not found]))
        site.profiles.refresh()
    return found


def learned(site: Site, courier: str) -> list[Word]:
    """List the words that were taught for a courier and still hold, the newest first."""
    base = _known(site, courier).statuses.base
    hold = [each for each in _words(site, courier) if base.get(fold(each.said)) is not None]
    return sorted(hold, key=lambda each: each.at, reverse=True)


def _known(site: Site, courier: str) -> Profile:
    profile = site.profiles.get(courier)
    if profile is None:
        raise NotThere("There is no courier of that name.")
    return profile


def _words(site: Site, courier: str) -> list[Word]:
    try:
        return msgspec.json.decode(_record(site, courier).read_bytes(), type=list[Word])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise NotPossible("What was taught before cannot be read.") from error


def _record(site: Site, courier: str) -> Path:
    """Where is kept who taught what: not below ``state/web``, whose files go with their rows."""
    return site.root / "state" / "learned" / f"{courier}.json"


def _take_out(document: tomlkit.TOMLDocument, said: str) -> bool:
    statuses: Any = document.get("statuses", {})
    for key in _MEANINGS:
        for place, each in enumerate(statuses.get(key, ())):
            if fold(str(each)) == fold(said):
                del statuses[key][place]
                return True
    return False


def _write(path: Path, data: bytes) -> None:
    with storing("write", path):
        make_directory(path.parent)
        replace_with(path, path.with_name(f".{path.name}.tmp"), [data])


def can_remember(profile: Profile | None, means: str) -> bool:
    """Tell whether a status stands for one thing by itself, so that others may stand for it."""
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


def key_of(profile: Profile, means: str) -> str:
    """Return the milestone, or ``no_milestone``, that a status stands for. Raises NotPossible."""
    if means in _MEANINGS:
        return means
    meaning = profile.statuses.base.get(fold(means))
    for key, number in _MEANINGS.items():
        if number == meaning:
            return key
    raise NotPossible(
        f'"{means[:60]}" does not stand for one thing in the profile {profile.name} by itself, '
        "so nothing can be remembered for it."
    )


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
