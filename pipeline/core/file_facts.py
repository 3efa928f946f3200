"""A file that is to be read, and the facts about one that was read."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from pipeline.core.model import Limits, Notice, SheetFacts
from schemas.courier import Profile


class ReadingSettings(Struct, frozen=True, kw_only=True):
    """The settings of reading: profiles by name, limits, the zone of times without one."""

    profiles: Mapping[str, Profile]
    default: str
    limits: Limits
    timezone: str


class Source(Struct, frozen=True, kw_only=True):
    """A file to prepare. ``named``: the courier chosen for it; ``now``: when it was received."""

    path: Path
    name: str
    named: str | None
    now: datetime


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts about a file that was read to its end; its rows are in the spool.

    ``courier``: the name of the profile it was read with, and ``why``. ``total``: data rows,
    footers not counted. ``id_bad``: rows whose id is missing or invalid.
    """

    sheets: tuple[SheetFacts, ...]
    courier: str
    why: str
    total: int
    id_bad: int
    rejected: int
    notices: tuple[Notice, ...]
    blank: int
    header: int
    footer: int
    parent: str | None
    kind: str
