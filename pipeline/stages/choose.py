"""Which courier's profile a file is read with, and where its header is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipeline.codes import Code
from pipeline.errors import DropRefused
from pipeline.model import Notice, Role
from pipeline.stages.headings import header_missing, heading_row
from pipeline.stages.mapping import data_header, fits
from pipeline.stages.texts import quoted
from schemas.courier import GENERIC, Profile
from schemas.folding import fold, fold_header
from schemas.likeness import nearest

_LONGEST = 120
"""No heading that a profile knows is longer."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The profile, why it was taken (a sentence's end), and what must be said about it."""

    profile: Profile
    why: str
    notices: tuple[Notice, ...] = ()


class ProfileHeaderFinder:
    """Recognises the header row of any of the profiles that a file may be read with."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._profiles = tuple(profiles)
        self._needed = frozenset(
            alias
            for profile in self._profiles
            for role in profile.required
            for alias in profile.headers.get(role, ())
        )

    def fits(self, cells: Sequence[str]) -> bool:
        """Tell whether a row holds all roles that one of the profiles requires."""
        # Nearly every row that is asked about is a data row: without one exact heading of a
        # required role no profile fits, and one look tells that of all of them.
        if self._needed.isdisjoint(data_header(cell) for cell in cells if len(cell) < _LONGEST):
            return False
        return any(fits(cells, profile) for profile in self._profiles)

    def refusal(self, seen: Sequence[Sequence[str]]) -> DropRefused:
        """Build ``HEADER_NOT_FOUND`` from the first rows of a file: seen, missing, nearest.

        Judges by the row that comes closest to being a header, against the profile of which the
        fewest roles are missing then. A row of data is never taken for headings.
        """
        known = {
            alias
            for profile in self._profiles
            for aliases in profile.headers.values()
            for alias in aliases
        }
        statuses = {status for profile in self._profiles for status in profile.statuses.shown}
        row = heading_row(seen, known, statuses)
        profile = min(
            self._profiles, key=lambda each: (len(_lacking(row, each)), -len(each.required))
        )
        return header_missing(_lacking(row, profile) or profile.required, row, profile)


def candidates(
    *, file_name: str, named: str | None, profiles: Mapping[str, Profile], default: str
) -> tuple[Profile, ...]:
    """Profiles whose header may be looked for: one when name or file name already decide."""
    decided = _decided(file_name, named, profiles)
    if decided:
        return (decided.profile,)
    first = profiles.get(default) or profiles[GENERIC]
    return (first, *(profile for profile in profiles.values() if profile is not first))


def choose_profile(
    headers: Sequence[str],
    *,
    file_name: str,
    named: str | None,
    profiles: Mapping[str, Profile],
    default: str,
) -> Choice:
    """Choose in the order of the contract.

    ``named`` (``--courier``, the sub-folder, or the parent of a corrected file); else a profile's
    file-name pattern; else the one courier profile that the header fits; else ``default``. A
    name without a profile: ``generic`` and the notice ``COURIER_UNKNOWN``.
    """
    decided = _decided(file_name, named, profiles)
    if decided:
        return decided
    fitting = [profile for profile in profiles.values() if _is_own(headers, profile, profiles)]
    if len(fitting) == 1:
        return Choice(profile=fitting[0], why="its header is this courier's")
    fallback = profiles.get(default) or profiles[GENERIC]
    return Choice(profile=fallback, why="nothing else decides (manifest.courier)")


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
    near = nearest(_plain(name), spoken)
    return f'Did you mean "{spoken[near]}"?' if near else f"Known: {', '.join(profiles)}."


def profile_of_name(
    file_name: str, named: str | None, profiles: Mapping[str, Profile]
) -> Profile | None:
    """The profile that folder (``named``) or file name decide on before anything is read."""
    decided = _decided(file_name, named, profiles)
    return decided.profile if decided else None


def _plain(name: str) -> str:
    return fold(name).replace(" ", "")


def _decided(file_name: str, named: str | None, profiles: Mapping[str, Profile]) -> Choice | None:
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


def _is_own(headers: Sequence[str], profile: Profile, profiles: Mapping[str, Profile]) -> bool:
    """Tell whether a header speaks for one courier, not for any sheet.

    It holds all that the profile requires, and either a heading that only this courier writes
    (its ``signature``) or none of those that a generic sheet would need.
    """
    if profile.name == GENERIC or not fits(headers, profile, guess=False):
        return False
    folded = {fold_header(header) for header in headers}
    if not profile.signature.isdisjoint(folded):
        return True
    return not fits(headers, profiles[GENERIC], guess=False)


def _lacking(row: Sequence[str], profile: Profile) -> list[Role]:
    folded = {fold_header(cell) for cell in row}
    return [role for role in profile.required if folded.isdisjoint(profile.headers.get(role, ()))]
