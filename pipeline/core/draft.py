"""A starting profile that ``map`` makes from a sample: what it is made from, and what comes out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from pipeline.core.errors import UsageError
from schemas.likeness import did_you_mean
from schemas.vocabulary import Role


class Said(Struct, frozen=True, kw_only=True):
    """Hold a person's word on the columns: role → heading, and roles that no column has."""

    columns: Mapping[Role, str] = field(default_factory=dict)
    none: frozenset[Role] = frozenset()


class Sample(Struct, frozen=True, kw_only=True):
    """A file of a courier without a profile. ``name``, ``title``: what the profile is called."""

    path: Path
    name: str
    title: str
    told: Said = field(default_factory=Said)


class DraftColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column and the role it is taken for. ``confirmed``: nobody needs to look at it."""

    column: str
    role: str
    confirmed: bool
    evidence: str


class DraftStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A status as the file writes it, beside its type and direction. ``suggestion``: its meaning,
    None where nothing can be suggested.
    """

    status: str
    status_type: str
    direction: str
    rows: int
    suggestion: str | None


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A starting profile as TOML, and what it was guessed from."""

    courier: str
    text: str
    rows: int
    columns: tuple[DraftColumn, ...]
    statuses: tuple[DraftStatus, ...]
    unconfirmed: tuple[str, ...]


def said(columns: Sequence[str], none: Sequence[str]) -> Said:
    """Read ``ROLE=HEADING`` and ``ROLE``. Raises UsageError for a role that is none."""
    pairs = [each.partition("=") for each in columns]
    for role, sign, heading in pairs:
        if not sign or not heading.strip():
            raise UsageError(
                f'"{role}{sign}" names no column.', hint='Write it like status="Last Event".'
            )
    return Said(
        columns={_role(role): heading.strip() for role, _, heading in pairs},
        none=frozenset(map(_role, none)),
    )


def _role(word: str) -> Role:
    known = {role.value: role for role in Role}
    if (name := word.strip().casefold()) not in known:
        told = f'"{word.strip()}" is no role of a column.'
        raise UsageError(told, hint=did_you_mean(name, known))
    return known[name]
