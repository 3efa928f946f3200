"""In which order files of the inbox are taken.

Oldest first, by modification time, then name. Where a courier's profile tells how it writes a time
into its file names (``file_time``), that time orders the files of this courier among themselves:
uploads keep or lose modification times as they like. Correctness never depends on the order.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from pipeline.core.model import ReadyFile
from pipeline.validation.profile_by_name import profile_of_name
from schemas.courier import Profile, pattern_of

_Key = tuple[str, datetime]


def by_arrival(
    ready: Sequence[ReadyFile], profiles: Mapping[str, Profile]
) -> tuple[ReadyFile, ...]:
    """Return the files in the order to take them; ``ready`` is oldest first.

    The files of a courier whose names tell a time share the places they have among all files, in
    the order of these times.
    """
    if not any(profile.file_time for profile in profiles.values()):
        return tuple(ready)
    by_courier: dict[str, list[tuple[datetime, int]]] = {}
    for place, file in enumerate(ready):
        if found := _key_of(file, profiles):
            courier, moment = found
            by_courier.setdefault(courier, []).append((moment, place))
    ordered = list(ready)
    for moments in by_courier.values():
        places = sorted(place for _, place in moments)
        for place, (_, taken_from) in zip(places, sorted(moments), strict=True):
            ordered[place] = ready[taken_from]
    return tuple(ordered)


def _key_of(file: ReadyFile, profiles: Mapping[str, Profile]) -> _Key | None:
    """Return the courier and the time its file name tells, or None."""
    profile = profile_of_name(file.name, file.folder or None, profiles)
    if profile is None or not profile.file_time:
        return None
    moment = _reader(profile.file_time)(file.name)
    return (profile.name, moment) if moment else None


@lru_cache(maxsize=64)
def _reader(file_time: str) -> Callable[[str], datetime | None]:
    pattern = re.compile(pattern_of(file_time))

    def read(name: str) -> datetime | None:
        for found in pattern.finditer(name):
            try:
                return datetime.strptime(found[0], file_time).replace(tzinfo=UTC)
            except ValueError:
                continue  # digits that are no time
        return None

    return read
