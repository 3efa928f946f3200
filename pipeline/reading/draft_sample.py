"""From a sample file to a starting profile: read, survey, guess, write.

It runs in the process that reads (``pipeline.reading.process.child_main``): a sample is a
stranger's file like any other.
"""

from collections.abc import Mapping, Sequence

from pipeline.core.draft import Draft, DraftColumn, DraftStatus, Sample
from pipeline.core.errors import DropRefused, StorageError
from pipeline.core.model import Limits
from pipeline.reading.open_manifest import read_manifest
from pipeline.storage.courier_profiles import read_profile
from pipeline.validation.draft.column_profile import (
    Collector,
    Heading,
    count_statuses,
    likely_header,
    survey,
)
from pipeline.validation.draft.profile_draft import draft_profile, suggestion
from pipeline.validation.draft.role_guess import guess_roles
from schemas.courier import GENERIC
from schemas.profile import builtin_profiles
from schemas.vocabulary import Role


def make_draft(sample: Sample, limits: Limits) -> Draft:
    """Make a starting profile from a sample.

    Raises DropRefused for a file that cannot be read, UsageError for a column that is not there.
    """
    profiles = builtin_profiles()
    generic = profiles[GENERIC]
    data = _bytes(sample)
    heading = Heading(_header(data, sample, limits))
    manifest = read_manifest(data, name=sample.path.name, limits=limits, header=heading)
    seen = survey(manifest)
    guesses = guess_roles(seen, profiles, sample.told)
    at: Mapping[Role, int] = {guess.role: guess.column for guess in guesses}
    statuses = (
        count_statuses(manifest, at[Role.STATUS], at.get(Role.STATUS_TYPE), at.get(Role.DIRECTION))
        if Role.STATUS in at
        else ()
    )
    text = draft_profile(
        sample.name,
        sample.title,
        source=sample.path.name,
        seen=seen,
        guesses=guesses,
        statuses=statuses,
        generic=generic,
    )
    made = read_profile(text, origin=f"{sample.name}.toml")  # what we write can be read
    return Draft(
        courier=sample.name,
        text=text,
        rows=seen.rows,
        columns=tuple(
            DraftColumn(
                column=guess.header,
                role=guess.role.value,
                confirmed=guess.sure,
                evidence=guess.evidence,
            )
            for guess in guesses
        ),
        statuses=tuple(
            DraftStatus(
                status=each.status,
                status_type=each.kind,
                direction=each.direction,
                rows=each.rows,
                suggestion=suggestion(each, generic) or None,
            )
            for each in statuses
        ),
        unconfirmed=made.unconfirmed,
    )


def _header(data: bytes, sample: Sample, limits: Limits) -> Sequence[str]:
    """Return the row of headings, among the first rows as the reader cuts them."""
    collector = Collector()
    try:
        read_manifest(data, name=sample.path.name, limits=limits, header=collector)
    except DropRefused:
        if not collector.rows:
            raise
    return likely_header(collector.rows, builtin_profiles().values())


def _bytes(sample: Sample) -> bytes:
    try:
        return sample.path.read_bytes()
    except OSError as error:
        raise StorageError(f"{sample.path.name} cannot be read: {error.strerror}.") from error
