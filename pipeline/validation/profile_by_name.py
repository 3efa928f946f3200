"""Which courier's profile a name means: somebody's word, a folder's or a file's name."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from pipeline.core.model import Notice
from schemas import likeness
from schemas.codes import Code
from schemas.courier import GENERIC, Profile
from schemas.display import quoted
from schemas.folding import fold


class Choice(Struct, frozen=True, kw_only=True):
    """The profile, why it was taken (a sentence's end), and what must be said about it."""

    profile: Profile
    why: str
    notices: tuple[Notice, ...] = ()


def find_profile(name: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """Look a profile up by name or title; case, spaces, ``_`` and ``-`` do not matter.

    The very name goes first: one's own ``blue-dart`` is not the built-in ``bluedart``.
    """
    if name in profiles:
        return profiles[name]
    wanted = _plain(name)
    return next(
        (
            profile
            for profile in profiles.values()
            if wanted in {_plain(profile.name), _plain(profile.title)}
        ),
        None,
    )


def did_you_mean(name: str, profiles: Mapping[str, Profile]) -> str:
    """Advise somebody who named a courier without a profile."""
    spoken = {_plain(word): p.name for p in profiles.values() for word in (p.title, p.name)}
    return likeness.did_you_mean(_plain(name), spoken)


def profile_of_name(
    file_name: str, named: str | None, profiles: Mapping[str, Profile]
) -> Profile | None:
    """The profile that folder (``named``) or file name decide on before anything is read."""
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
        return Choice(
            profile=profiles[GENERIC],
            why="the named courier has no profile",
            notices=(_unknown(named, profiles),),
        )
    name = file_name.casefold()
    matching = [
        profile
        for profile in profiles.values()
        if any(fnmatchcase(name, pattern) for pattern in profile.file_names)
    ]
    if len(matching) == 1:
        return Choice(profile=matching[0], why="the file's name says so")
    return None


def _unknown(named: str, profiles: Mapping[str, Profile]) -> Notice:
    return Notice(
        code=Code.COURIER_UNKNOWN,
        message=f"There is no profile for the courier {quoted(named)}; the file was read as "
        f"{quoted(GENERIC)}. {did_you_mean(named, profiles)}",
    )
