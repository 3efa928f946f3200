"""A starting profile that ``map`` makes from a sample, and that sample."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from pipeline.core.errors import UsageError
from schemas.normalise import fold, fold_header
from schemas.similarity import did_you_mean
from schemas.status_reader import MEANINGS
from schemas.vocabulary import Role


class RoleChoices(Struct, frozen=True, kw_only=True):
    """Hold a person's answers about a file: role → heading, and roles that no column has.

    ``sheet``: the sheet that has the headings; ``heading``: which of its first rows has them, from
    0. ``means``: status → its meaning,
    as a profile's lists are called; a key made by ``status_key`` is for one type and direction,
    a folded status for all. ``day_first``: role of a column of dates → the order of day and month.
    ``nothing``, ``parcels``, ``file_names``, ``by``, ``days``: as a profile has them.
    """

    columns: Mapping[Role, str] = field(default_factory=dict)
    none: frozenset[Role] = frozenset()
    sheet: str = ""
    heading: int | None = None
    means: Mapping[str, str] = field(default_factory=dict)
    day_first: Mapping[Role, bool] = field(default_factory=dict)
    nothing: tuple[str, ...] = ()
    parcels: str = ""
    file_names: tuple[str, ...] = ()
    by: str = ""
    days: tuple[str, ...] = ()

    def meaning_of(self, status: str, kind: str, direction: str) -> str:
        """Return the meaning that a person gave a status; "" without one."""
        own = self.means.get(status_key(status, kind, direction), "")
        return own or self.means.get(fold(status), "")


def status_key(status: str, kind: str, direction: str) -> str:
    """Return the key of a status beside its type and direction."""
    return "\x1f".join((fold(status), fold(kind), fold(direction)))


class Sample(Struct, frozen=True, kw_only=True):
    """A file of a courier without a profile. ``name``, ``title``: what the profile is called."""

    path: Path
    name: str
    title: str
    choices: RoleChoices = field(default_factory=RoleChoices)


class DraftColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column and the role it is taken for. ``confirmed``: it needs no check by a person."""

    column: str
    role: str
    confirmed: bool
    evidence: str


class DraftStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A status as the file writes it, beside its type and direction.

    ``suggestion``: its meaning, None where nothing can be suggested; ``elsewhere``: what the
    couriers named in ``elsewhere_by`` mean by it. ``example``: the first row that has it.
    """

    status: str
    status_type: str
    direction: str
    rows: int
    suggestion: str | None
    elsewhere: str | None = None
    elsewhere_by: str = ""
    example: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return its key among the statuses of the file."""
        return status_key(self.status, self.status_type, self.direction)


class SeenColumn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of a sample: its first different cells, and how many look like what.

    ``distinct``: different cells, None for very many. ``looks``: ``order_id``, ``awb``, ``date`` →
    cells of that shape. ``order``: the order of day and month that its dates prove: ``day_first``,
    ``month_first``, ``both``, ``either``, or "" for none.
    """

    heading: str
    cells: tuple[str, ...]
    filled: int
    distinct: int | None
    looks: Mapping[str, int]
    order: str = ""


class Tab(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the sample that has the headings. ``name``: "" for a CSV."""

    name: str
    rows: int


class ProfileDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A starting profile as TOML, and the evidence for its guesses.

    ``lines``: the first rows of ``sheet`` as they are; ``heading``: which of them has the headings.
    ``sheets``: all that have rows; "" stands for a CSV.
    """

    courier: str
    text: str
    rows: int
    columns: tuple[DraftColumn, ...]
    statuses: tuple[DraftStatus, ...]
    unconfirmed: tuple[str, ...]
    seen: tuple[SeenColumn, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    heading: int = 0
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    tabs: tuple[Tab, ...] = ()


def said(columns: Sequence[str], none: Sequence[str], means: Sequence[str] = ()) -> RoleChoices:
    """Read ``ROLE=HEADING``, ``ROLE`` and ``STATUS=MEANING``.

    Raises UsageError for a role or a meaning that is none.
    """
    pairs = [each.partition("=") for each in columns]
    for role, sign, heading in pairs:
        if not sign or not heading.strip():
            raise UsageError(
                f'"{role}{sign}" names no column.', hint='Write it like status="Last Event".'
            )
    roles = [*(_role(role).value for role, _, _ in pairs), *{_role(role).value for role in none}]
    for named in (roles, [fold_header(heading) for _, _, heading in pairs]):
        if twice := next((each for each in named if named.count(each) > 1), None):
            raise UsageError(
                f'"{twice}" is named twice.',
                hint="Name one column for a role, or say that it has none; one role for a column.",
            )
    return RoleChoices(
        columns={_role(role): heading.strip() for role, _, heading in pairs},
        none=frozenset(map(_role, none)),
        means=dict(map(_meaning, means)),
    )


def _meaning(text: str) -> tuple[str, str]:
    status, sign, word = text.rpartition("=")
    name = word.strip().casefold()
    known = {each: each for each in MEANINGS if each != "unconfirmed"}
    if not sign or not fold(status) or name not in known:
        raise UsageError(
            f'"{text}" does not say what a status means.',
            hint=did_you_mean(name, known)
            or f'Write it like "Cnee signed=delivery_done"; meanings: {", ".join(known)}.',
        )
    return fold(status), name


def _role(word: str) -> Role:
    known = {role.value: role for role in Role}
    if (name := word.strip().casefold()) not in known:
        message = f'"{word.strip()}" is not a role of a column.'
        raise UsageError(message, hint=did_you_mean(name, known))
    return known[name]
