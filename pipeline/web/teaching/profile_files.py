"""The profiles under ``ROOT/couriers`` as the page writes them, and who taught which word.

A profile is read as a whole before it takes the old one's place, and the one before is kept.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
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
from pipeline.storage.durable_files import storing
from pipeline.web.context import NotPossible, NotThere
from pipeline.web.state_files import place_of, read_json, write, write_json
from schemas.courier import GENERIC, Profile
from schemas.normalise import fold, is_absent
from schemas.status_reader import MEANINGS
from schemas.statuses import NOTHING, UNCLEAR, StatusMeaning

PROFILES: Final = threading.Lock()
"""Held while a profile is changed, from reading it to writing it."""
_COPIED: Final = (
    "# Copied from the profile that comes with Shipdrop, to remember what this courier says. This\n"
    "# file now stands in for it: compare the two when Shipdrop is upgraded.\n\n"
)


class Word(Struct, frozen=True, kw_only=True):
    """A word that was taught. ``means``: the milestone it stands for, or ``no_milestone``.

    ``at``: UTC, ISO 8601. ``who``: "" without users.
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
    """Return a text that identifies a version of a profile."""
    return sha256(text.encode()).hexdigest()[:16]


def write_profile(site: Site, path: Path, text: str, *, who: str, note: str = "") -> Profile:
    """Replace a profile, keep the old one, and return the new one as it is read.

    Raises SettingsError for one that would not be understood, StorageError.
    """
    profile = read_profile(text, origin=path.name)
    saved = Saved(who=who[:100], at=stamp(site.clock.now()), note=note[:1000])
    place = _history(site, profile.name)
    name = saved.at.replace(":", "")
    if path.is_file():
        with storing("read", path):
            former = path.read_bytes()
        write(place / f"{name}.toml", former)
    write_json(place / f"{name}.json", saved)
    write(path, text.encode())
    site.profiles.refresh()
    return profile


@contextmanager
def understood(otherwise: str) -> Iterator[None]:
    """Raise NotPossible, with the reason, for a profile that would not be understood."""
    try:
        yield
    except SettingsError as error:
        raise NotPossible(f"{otherwise}: {error.message}", hint=error.hint) from error


def last_saved(site: Site, courier: str) -> Saved | None:
    """Return who changed a courier's profile last on the page, and when; None: nobody."""
    paths = sorted(_history(site, courier).glob("*.json"), reverse=True)
    return next((saved for path in paths if (saved := read_json(path, Saved))), None)


def _history(site: Site, courier: str) -> Path:
    return place_of(site.root) / "profiles" / courier


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
    write_json(_record(site, courier), words)


def _record(site: Site, courier: str) -> Path:
    """Return the path of the history of taught words, which outlives the files of ``state/web``."""
    return site.root / "state" / "learned" / f"{courier}.json"


_LONGEST: Final = 200
#: List of a profile's statuses → its meaning, of those that a person may choose.
MEANS: Final[Mapping[str, int]] = {
    word: meaning for word, meaning in MEANINGS.items() if word != "unconfirmed"
}


def word_of(meaning: int) -> str:
    """Return the name of a meaning in a profile; "" for an unconfirmed one."""
    return next((word for word, each in MEANS.items() if each == meaning), "")


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
    profile_of(site, courier)
    with PROFILES:
        path, text = source_of(site, courier)
        document = tomlkit.parse(text)
        words = words_of(site, courier)
        if any(fold(each.said) == fold(said) for each in words):
            _take_out(document, said)
        _take_out(document, said, {"unconfirmed"})  # it waited for somebody to say what it means
        profile = read_profile(tomlkit.dumps(document), origin=str(path))
        key = key_of(profile, means)
        _may_be_taught(profile, said)
        statuses: Any = document.setdefault("statuses", tomlkit.table())
        if key not in statuses:
            statuses[key] = tomlkit.array()
        statuses[key].append(said)
        made = tomlkit.dumps(document)
        with understood("It cannot be remembered"):
            taught = read_profile(made, origin=path.name)
        if taught.statuses.base.get(fold(said)) != MEANS[key]:
            raise NotPossible("It cannot be remembered: the profile would not read it so.")
        word = Word(said=said, means=key, who=who[:100], at=stamp(site.clock.now()))
        others = [each for each in words if fold(each.said) != fold(said)]
        write_profile(site, path, made, who=who)
        keep_words(site, courier, [*others, word])
    return word


def forget(site: Site, courier: str, said: str, *, who: str = "") -> Word:
    """Take a word that was taught out of the courier's profile; return it as it was.

    Raises NotThere when nobody taught it, or it is gone, NotPossible, StorageError.
    """
    profile_of(site, courier)
    with PROFILES:
        words = words_of(site, courier)
        found = next((each for each in words if fold(each.said) == fold(said)), None)
        path, text = source_of(site, courier)
        document = tomlkit.parse(text)
        if found is None or not _take_out(document, said):
            raise NotThere(
                f'"{said[:60]}" is not among the words that were taught for {courier[:60]}.',
                hint="The courier's page lists them.",
            )
        with understood("It cannot be forgotten"):
            write_profile(site, path, tomlkit.dumps(document), who=who)
        keep_words(site, courier, [each for each in words if each is not found])
    return found


def learned(site: Site, courier: str) -> list[Word]:
    """List the words that were taught for a courier and still hold, the newest first."""
    base = profile_of(site, courier).statuses.base
    hold = [each for each in words_of(site, courier) if base.get(fold(each.said)) is not None]
    return sorted(hold, key=lambda each: each.at, reverse=True)


def profile_of(site: Site, courier: str) -> Profile:
    """Return the profile of a courier. Raises NotThere."""
    profile = site.profiles.get(courier)
    if profile is None:
        raise NotThere("There is no courier of that name.")
    return profile


def _take_out(
    document: tomlkit.TOMLDocument, said: str, keys: Collection[str] = frozenset(MEANS)
) -> bool:
    statuses: Any = document.get("statuses", {})
    for key in keys:
        for place, each in enumerate(statuses.get(key, ())):
            if fold(str(each)) == fold(said):
                del statuses[key][place]
                return True
    return False


def key_of(profile: Profile, means: str) -> str:
    """Return the milestone, or ``no_milestone``, that a status stands for. Raises NotPossible."""
    if means in MEANS:
        return means
    meaning = profile.statuses.base.get(fold(means), UNCLEAR)
    if meaning >= NOTHING:
        return word_of(meaning)
    raise NotPossible(
        f'"{means[:60]}" does not stand for one thing in the profile {profile.name} by itself, '
        "so nothing can be remembered for it."
    )


def _may_be_taught(profile: Profile, said: str) -> None:
    folded = fold(said)
    if not folded or is_absent(folded) or len(said) > _LONGEST or not said.isprintable():
        raise NotPossible("That is not a status that can be remembered.")
    if "*" in said or ".." in said:
        raise NotPossible("A status with * or .. cannot be remembered here.")
    ruling = profile.statuses.rule(said)
    if ruling.meaning is not StatusMeaning.UNKNOWN:
        why = (
            "is ambiguous and must be decided row by row"
            if ruling.meaning is StatusMeaning.AMBIGUOUS
            else f"has a meaning at {profile.title} already"
        )
        raise NotPossible(f'Not remembered: "{said[:60]}" {why}.')
