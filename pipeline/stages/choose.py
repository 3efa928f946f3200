"""Which courier's profile a file is read with, and where its header is."""

from collections.abc import Mapping, Sequence

from pipeline.errors import DropRefused
from pipeline.stages.headings import header_missing, heading_row
from pipeline.stages.mapping import data_header, fits
from pipeline.stages.named import Choice, decided
from schemas.courier import GENERIC, Profile
from schemas.folding import fold_header
from schemas.vocabulary import Role

_LONGEST = 120
"""No heading that a profile knows is longer."""


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
    choice = decided(file_name, named, profiles)
    if choice:
        return (choice.profile,)
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
    choice = decided(file_name, named, profiles)
    if choice:
        return choice
    fitting = [profile for profile in profiles.values() if _is_own(headers, profile, profiles)]
    if len(fitting) == 1:
        return Choice(profile=fitting[0], why="its header is this courier's")
    fallback = profiles.get(default) or profiles[GENERIC]
    return Choice(profile=fallback, why="nothing else decides (manifest.courier)")


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
