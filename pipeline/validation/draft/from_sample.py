"""From a sample file to a starting profile: reading, guessing, writing. See ``shipdrop map``."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.core.errors import DropRefused, UsageError
from pipeline.reading.open_manifest import read_manifest
from pipeline.service.wiring import Site
from pipeline.storage.courier_profiles import read_profile
from pipeline.storage.file_names import shown
from pipeline.validation.draft.column_profile import (
    Collector,
    Heading,
    StatusCount,
    Survey,
    count_statuses,
    likely_header,
    survey,
)
from pipeline.validation.draft.profile_draft import draft_profile, suggestion
from pipeline.validation.draft.role_guess import Guess, Said, guess_roles
from pipeline.validation.profile_by_name import find_profile
from schemas.courier import GENERIC
from schemas.folding import fold
from schemas.profile import builtin_profiles
from schemas.vocabulary import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Draft(Struct, frozen=True, kw_only=True):
    """A starting profile: its name, its text, and what it was guessed from."""

    name: str
    text: str
    seen: Survey
    guesses: tuple[Guess, ...]
    statuses: tuple[StatusCount, ...]
    unconfirmed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        generic = builtin_profiles()[GENERIC]
        return {
            "courier": self.name,
            "rows": self.seen.rows,
            "columns": [
                {
                    "column": guess.header,
                    "role": guess.role.value,
                    "confirmed": guess.sure,
                    "evidence": guess.evidence,
                }
                for guess in self.guesses
            ],
            "statuses": [
                {
                    "status": each.status,
                    "status_type": each.kind,
                    "direction": each.direction,
                    "rows": each.rows,
                    "suggestion": suggestion(each, generic) or None,
                }
                for each in self.statuses
            ],
            "unconfirmed": list(self.unconfirmed),
        }


def draft_from(site: Site, file: Path, courier: str, told: Said | None = None) -> Draft:
    """Make a starting profile for ``courier`` from a sample file.

    ``told``: what a person says of the columns. Raises UsageError for a name that cannot be a new
    profile's, a column that is not there, or a file that cannot be opened, DropRefused for a file
    that cannot be read.
    """
    name = fold(courier).replace(" ", "-")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{shown(courier)} cannot be a profile's name.",
            hint="Use letters, digits, - and _, at most 40 of them.",
        )
    known = find_profile(courier, site.profiles)
    if known is not None and not known.unconfirmed:
        raise UsageError(
            f'There is a profile "{known.name}" already.',
            hint=f"`shipdrop profiles {known.name}` shows it; `shipdrop check FILE --courier "
            f"{known.name}` tries it.",
        )
    profiles = builtin_profiles()
    data = _bytes(file, site)
    manifest = read_manifest(
        data, name=file.name, limits=site.limits, header=Heading(_header(data, file, site))
    )
    seen = survey(manifest)
    guesses = guess_roles(seen, profiles, told)
    at: Mapping[Role, int] = {guess.role: guess.column for guess in guesses}
    statuses = (
        count_statuses(manifest, at[Role.STATUS], at.get(Role.STATUS_TYPE), at.get(Role.DIRECTION))
        if Role.STATUS in at
        else ()
    )
    text = draft_profile(
        name,
        " ".join(courier.split()),
        source=file.name,
        seen=seen,
        guesses=guesses,
        statuses=statuses,
        generic=profiles[GENERIC],
    )
    made = read_profile(text, origin=f"{name}.toml")  # what we write can be read
    return Draft(
        name=name,
        text=text,
        seen=seen,
        guesses=guesses,
        statuses=statuses,
        unconfirmed=made.unconfirmed,
    )


def _header(data: bytes, file: Path, site: Site) -> Sequence[str]:
    """The row of headings, among the first rows as the reader cuts them."""
    collector = Collector()
    try:
        read_manifest(data, name=file.name, limits=site.limits, header=collector)
    except DropRefused:
        if not collector.rows:
            raise
    return likely_header(collector.rows, builtin_profiles().values())


def _bytes(file: Path, site: Site) -> bytes:
    try:
        if file.stat().st_size > site.limits.max_bytes:
            raise UsageError(f"{shown(file, 200)} is larger than inbox.max_file_mb allows.")
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown(file, 200)} cannot be read: {error.strerror}.") from error
