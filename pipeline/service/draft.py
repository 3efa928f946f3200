"""``map``: a sample file is read by the process that reads all files, and its draft handed back."""

import re
from pathlib import Path

from pipeline.core.draft import ProfileDraft, RoleChoices, Sample
from pipeline.core.errors import ReaderDied, UsageError
from pipeline.reading.drop_reader import poison
from pipeline.service.wiring import Site
from pipeline.validation.profile_by_name import find_profile
from schemas.display import shown
from schemas.folding import fold

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def draft_from(
    site: Site, file: Path, courier: str, choices: RoleChoices | None = None
) -> ProfileDraft:
    """Make a starting profile for ``courier`` from a sample file.

    ``choices``: what a person says of the columns. Raises UsageError for a name that cannot be a
    new profile's, a column that is not there, or a file that cannot be opened, DropRefused for a
    file that cannot be read.
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
    try:
        with file.open("rb"):
            size = file.stat().st_size
    except OSError as error:
        raise UsageError(f"{shown(file, 200)} cannot be read: {error.strerror}.") from error
    if size > site.limits.max_bytes:
        raise UsageError(f"{shown(file, 200)} is larger than inbox.max_file_mb allows.")
    title = " ".join(courier.split())
    sample = Sample(path=file.absolute(), name=name, title=title, choices=choices or RoleChoices())
    try:
        return site.readers.draft(sample)
    except ReaderDied:
        raise poison() from None
