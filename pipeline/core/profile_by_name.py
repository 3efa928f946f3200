"""Which courier's profile a name means: the name that a person chose, a folder's or a file's."""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from pipeline.core.model import Drop, Notice
from schemas import similarity
from schemas.codes import Code
from schemas.courier import CAREFUL, GENERIC, Profile
from schemas.display import quoted
from schemas.normalise import fold

_WORD = re.compile(r"[^\W\d_]+")
_LONG = 5
"""Least length of a courier's name that is looked for inside another word, or misspelt."""

_NEARLY = 85.0


class Choice(Struct, frozen=True, kw_only=True):
    """The profile, why it was taken (a sentence's end), and the notices about it."""

    profile: Profile
    why: str
    notices: tuple[Notice, ...] = ()


def find_profile(name: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """Look a profile up by name or title; case, spaces, ``_`` and ``-`` do not matter.

    The very name goes first: one's own ``blue-dart`` is not the built-in ``bluedart``.
    """
    if name in profiles:
        return profiles[name]
    return next((profile for profile in profiles.values() if is_named(name, profile)), None)


def is_named(name: str, profile: Profile) -> bool:
    """Return whether this is the name or title of a profile."""
    return _plain(name) in {_plain(profile.name), _plain(profile.title)}


def near_profile(name: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """Return the one profile whose name a courier's name holds or nearly is, None if none is sure.

    ``Delhivery Surface`` holds delhivery, ``unicomerce`` nearly is unicommerce. Of profiles whose
    names hold each other, the longer one counts.
    """
    spoken = _plain(name)
    parts = _WORD.findall(fold(name))
    runs = {"".join(parts[a:b]) for a in range(len(parts)) for b in range(a + 1, len(parts) + 1)}
    found: dict[str, Profile] = {}
    for profile in profiles.values():
        if profile.name == GENERIC:
            continue
        for own in {_plain(profile.name), _plain(profile.title)}:
            held = own in runs or (len(own) >= _LONG and own in spoken)
            if held or (len(own) >= _LONG and similarity.nearest(own, runs, at_least=_NEARLY)):
                found[own] = profile
    sure = {
        profile.name: profile
        for own, profile in found.items()
        if not any(own != other and own in other for other in found)
    }
    return next(iter(sure.values())) if len(sure) == 1 else None


def did_you_mean(name: str, profiles: Mapping[str, Profile]) -> str:
    """Return the advice for a named courier without a profile."""
    spoken = {_plain(word): p.name for p in profiles.values() for word in (p.title, p.name)}
    return similarity.did_you_mean(_plain(name), spoken)


def profile_of_name(
    file_name: str, named: str | None, profiles: Mapping[str, Profile]
) -> Profile | None:
    """Return the profile that folder (``named``) or file name decide on before anything is read."""
    choice = decided(file_name, named, profiles)
    return choice.profile if choice else None


def _plain(name: str) -> str:
    return fold(name).replace(" ", "")


def decided(file_name: str, named: str | None, profiles: Mapping[str, Profile]) -> Choice | None:
    """Choose by folder or file name, if these say anything."""
    if named:
        found = find_profile(named, profiles)
        if found:
            return Choice(profile=found, why="it was named")
        near = near_profile(named, profiles)
        if near is None:
            return None
        why = f"the name {quoted(named)} is near to it"
        return Choice(profile=near, why=why, notices=(read_as_notice(near, why, named),))
    name = file_name.casefold()
    matching = [
        profile
        for profile in profiles.values()
        if any(fnmatchcase(name, pattern) for pattern in profile.file_names)
    ]
    if len(matching) == 1:
        return Choice(profile=matching[0], why="the file's name says so")
    return None


def read_as_notice(profile: Profile, why: str, named: str) -> Notice:
    """Build the notice of a named courier without a profile, naming the profile used instead."""
    return Notice(
        code=Code.COURIER_UNKNOWN,
        message=f"There is no profile for the courier {quoted(named)}; the file was read as "
        f"{quoted(profile.name)}: {why}. If that is wrong, name the folder after the courier whose "
        "profile it is.",
    )


def unknown(named: str, profiles: Mapping[str, Profile]) -> Notice:
    """Build the notice of a named courier whose file is read as a generic sheet, with care."""
    return Notice(
        code=Code.COURIER_UNKNOWN,
        message=f"There is no profile for the courier {quoted(named)}; the file was read as "
        f"{quoted(GENERIC)}, and statuses that mean different things at different couriers were "
        f"held. {did_you_mean(named, profiles)}",
    )


def without_type(profile: Profile) -> Notice:
    """Build the notice of a courier's file that lacks its status type."""
    return Notice(
        code=Code.COURIER_UNKNOWN,
        message=f"The file has no column for the status type, which files of {profile.title} have, "
        f"so it was read as {quoted(GENERIC)}, and statuses that mean different things at "
        'different couriers were held. If it has one, call it "Status Type", and upload the file '
        "again.",
    )


_GENERATIONS = 20


def profile_of_drop(drop_id: str, find: Callable[[str], Drop | None]) -> str | None:
    """Return the name of the profile, None if there is no such drop.

    ``CAREFUL`` where its folder, or that of the drop that it corrects, is of a courier without one.
    """
    found = find(drop_id)
    if found is None or found.courier != GENERIC:
        return None if found is None else found.courier
    drop: Drop | None = found
    for _ in range(_GENERATIONS):
        if drop is None:
            break
        if drop.folder:
            return GENERIC if drop.folder.casefold() == GENERIC else CAREFUL
        drop = find(drop.parent) if drop.parent else None
    return GENERIC
