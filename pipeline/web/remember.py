"""Remember a courier's status word: one more in its profile under ``couriers/``.

The profile is read again as it would be before it takes the old one's place; one that would not be
understood, or would contradict itself, is never written.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import tomlkit

from pipeline.core.errors import SettingsError
from pipeline.core.model import stamp
from pipeline.service.wiring import Site
from pipeline.storage.courier_profiles import read_profile
from pipeline.web.front import NotPossible, NotThere
from pipeline.web.profile_files import (
    PROFILES,
    Word,
    keep_words,
    source_of,
    words_of,
    write_profile,
)
from schemas.courier import GENERIC, Profile
from schemas.folding import fold, is_absent
from schemas.statuses import NOTHING, UNCLEAR, StatusVerdict
from schemas.vocabulary import Milestone

_LONGEST: Final = 200
#: What a list of the profile's statuses stands for.
_MEANINGS: Final[Mapping[str, int]] = {
    **{milestone.wire: int(milestone) for milestone in Milestone},
    "no_milestone": NOTHING,
    "ambiguous": UNCLEAR,
}


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
        try:
            taught = read_profile(made, origin=path.name)
        except SettingsError as error:
            raise NotPossible(f"It cannot be remembered: {error.message}") from error
        if taught.statuses.base.get(fold(said)) != _MEANINGS[key]:
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
    _known(site, courier)
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
        made = tomlkit.dumps(document)
        try:
            write_profile(site, path, made, who=who)
        except SettingsError as error:
            raise NotPossible(f"It cannot be forgotten: {error.message}") from error
        keep_words(site, courier, [each for each in words if each is not found])
    return found


def learned(site: Site, courier: str) -> list[Word]:
    """List the words that were taught for a courier and still hold, the newest first."""
    base = _known(site, courier).statuses.base
    hold = [each for each in words_of(site, courier) if base.get(fold(each.said)) is not None]
    return sorted(hold, key=lambda each: each.at, reverse=True)


def _known(site: Site, courier: str) -> Profile:
    profile = site.profiles.get(courier)
    if profile is None:
        raise NotThere("There is no courier of that name.")
    return profile


def _take_out(
    document: tomlkit.TOMLDocument, said: str, keys: Collection[str] = frozenset(_MEANINGS)
) -> bool:
    statuses: Any = document.get("statuses", {})
    for key in keys:
        for place, each in enumerate(statuses.get(key, ())):
            if fold(str(each)) == fold(said):
                del statuses[key][place]
                return True
    return False


def can_remember(profile: Profile | None, means: str) -> bool:
    """Tell whether a status stands for one thing by itself, so that others may stand for it."""
    return profile is not None and profile.statuses.base.get(fold(means), -1) >= NOTHING


def key_of(profile: Profile, means: str) -> str:
    """Return the milestone, or ``no_milestone``, that a status stands for. Raises NotPossible."""
    if means in _MEANINGS:
        return means
    meaning = profile.statuses.base.get(fold(means))
    for key, number in _MEANINGS.items():
        if number == meaning and number >= NOTHING:
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
    if ruling.verdict is not StatusVerdict.UNKNOWN:
        why = (
            "is ambiguous and must be decided row by row"
            if ruling.verdict is StatusVerdict.AMBIGUOUS
            else f"has a meaning at {profile.title} already"
        )
        raise NotPossible(f'Not remembered: "{said[:60]}" {why}.')
