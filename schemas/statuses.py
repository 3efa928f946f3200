"""Look statuses up in the courier's own table: exactly, never by a guess."""

from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from schemas.normalise import fold, is_absent
from schemas.similarity import nearest
from schemas.vocabulary import Milestone

Meaning = int
"""A ``Milestone``'s number, or one of these: what a table says about one status."""

NOTHING: Meaning = 0
UNCLEAR: Meaning = -1
UNCONFIRMED: Meaning = -2
"""Nobody has said yet what the status means: it was found by ``shipdrop map``."""

IN_WORDS: Mapping[str, str] = {
    "bag_picked": "Picked up from us",
    "delivery_done": "Delivered to the customer",
    "rto_bag_delivered": "Returned to us, undelivered",
    "return_bag_in_transit": "Return picked up from the customer",
    "return_bag_delivered": "Customer's return has arrived",
    "no_milestone": "On the way: nothing to report",
}
"""Milestone, or no milestone → what it is called where somebody chooses one."""

WILDCARD = "*"
"""Stands in a type's table for every status that the table does not name."""


class Direction(StrEnum):
    """Which way a row's shipment travels, from its direction column."""

    BLANK = ""  # no column, or nothing in it: the forward way, as couriers leave it out
    FORWARD = "forward"
    RETURN = "return"  # a customer's return
    RTO = "rto"  # undelivered, on its way back to the seller
    MAYBE_RTO = "maybe_rto"  # a second AWB is filled in, so "delivered" may mean "delivered back"
    MAYBE_RETURN = "maybe_return"  # something is filled in that only a return has
    BACK = "back"  # on its way back, be it a return or to the seller
    UNDELIVERED = "undelivered"  # which way is not told, only that no customer has it
    WITHDRAWN = "withdrawn"  # somebody crossed the row out
    DENIED = "denied"  # another column says that it did not come to its status
    UNREADABLE = "unreadable"  # a word that the profile does not know


class StatusMeaning(IntEnum):
    """The result of resolving a status. The canonical manifest holds its number."""

    MILESTONE = 0
    NO_MILESTONE = 1
    AMBIGUOUS = 2
    UNCONFIRMED = 3
    UNKNOWN = 4
    MISSING = 5
    BROKEN = 6  # an error stands in a cell that it is made of, so it cannot be resolved


class Doubt(Enum):
    """Why a status is ambiguous."""

    NONE = ""
    LISTED = "listed"  # the table says that it means different things
    NUMBER = "number"  # a bare number that the table does not hold
    TYPE = "type"  # known, but not together with this status type
    DIRECTION = "direction"  # contradicts the row's direction
    EVIDENCE = "evidence"  # contradicts what the file says elsewhere
    OTHER = "other"  # another column of the row gives another status
    COURIER = "courier"  # the courier whose heading the file has means something else by it
    BLANK = "blank"  # the table needs the direction for it, and the row has none


class Ruling(Struct, frozen=True, kw_only=True):
    """The meaning of one combination of status, type and direction."""

    meaning: StatusMeaning
    milestone: int = 0
    doubt: Doubt = Doubt.NONE


class StatusCase(Struct, frozen=True, kw_only=True):
    """One combination of the cells that decide a status, as they stand in the file, resolved.

    ``source``: where the direction was taken from when no column is one for it, or what the status
    contradicts (``Doubt.EVIDENCE``, ``Doubt.OTHER``; what stands there is ``direction_cell``), as
    messages name it: ``the column "Leg"``. ``way``: RTO or RETURN where a direction, title, tab or
    name speaks of a way back, whatever was decided by it; else BLANK.
    """

    status: str
    kind: str
    direction_cell: str
    direction: Direction
    ruling: Ruling
    source: str = ""
    way: Direction = Direction.BLANK


#: Milestones that agree with a direction when the courier's table has no rule of its own for it.
_AGREES: Mapping[Direction, frozenset[int]] = {
    Direction.BLANK: frozenset(Milestone),
    Direction.FORWARD: frozenset(
        {Milestone.BAG_PICKED, Milestone.DELIVERY_DONE, Milestone.RTO_BAG_DELIVERED}
    ),
    Direction.RETURN: frozenset({Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED}),
    Direction.RTO: frozenset({Milestone.RTO_BAG_DELIVERED}),
    Direction.MAYBE_RTO: frozenset({Milestone.BAG_PICKED, Milestone.RTO_BAG_DELIVERED}),
    Direction.MAYBE_RETURN: frozenset(
        {Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED}
    ),
    Direction.BACK: frozenset(
        {
            Milestone.RTO_BAG_DELIVERED,
            Milestone.RETURN_BAG_IN_TRANSIT,
            Milestone.RETURN_BAG_DELIVERED,
        }
    ),
    Direction.UNDELIVERED: frozenset(Milestone) - {Milestone.DELIVERY_DONE},
    Direction.WITHDRAWN: frozenset(),
    Direction.DENIED: frozenset(),
    Direction.UNREADABLE: frozenset(),
}


def agrees(milestone: int, direction: Direction) -> bool:
    """Return whether a shipment that travels this way can come to a milestone."""
    return milestone in _AGREES[direction]


class StatusTable(Struct, frozen=True, kw_only=True):
    """A courier's vocabulary; every key is folded.

    ``base``: status → meaning. ``by_direction``: entries that hold for one direction and go
    before ``base``. ``by_type``: for couriers whose statuses come in pairs, type → status →
    meaning; a type's ``*`` stands for any other status. ``joined``: the type is the first half of
    the status (``S`` + ``015``). ``scans``: reason column → milestone, for rows of ``scan_types``
    that have no milestone of their own. ``nothing_begins``: beginnings of statuses that are known
    to have no milestone (a profile's ``assigned_*``); never of one that has.
    ``shown``, ``shown_types``: folded → as the profile writes it. ``common``,
    ``common_by_direction``: like ``base`` and ``by_direction``, what any courier means by a
    status; they hold for statuses that stand nowhere else in the vocabulary.
    """

    base: Mapping[str, Meaning]
    by_direction: Mapping[Direction, Mapping[str, Meaning]] = field(default_factory=dict)
    by_type: Mapping[str, Mapping[str, Meaning]] = field(default_factory=dict)
    joined: bool = False
    scans: Mapping[str, Meaning] = field(default_factory=dict)
    scan_types: frozenset[str] = frozenset()
    nothing_begins: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    shown_types: Mapping[str, str] = field(default_factory=dict)
    common: Mapping[str, Meaning] = field(default_factory=dict)
    common_by_direction: Mapping[Direction, Mapping[str, Meaning]] = field(default_factory=dict)

    def knowing(self, other: "StatusTable") -> "StatusTable":
        """Return the vocabulary with the statuses of another one added.

        Where a status has no meaning without its type, the other's milestones are left out: it
        does not know which types go with them.
        """
        tables = (self.base, self.scans, *self.by_direction.values(), *self.by_type.values())
        own = {key for table in tables for key in table}
        typed = bool(self.by_type)

        def taken(table: Mapping[str, Meaning]) -> dict[str, Meaning]:
            return {
                key: meaning
                for key, meaning in table.items()
                if key not in own and not (typed and meaning > NOTHING)
            }

        return replace(
            self,
            common=taken(other.base),
            common_by_direction={way: taken(table) for way, table in other.by_direction.items()},
        )

    def offered(self) -> tuple[str, ...]:
        """Return the statuses with a clear meaning, as the profile writes them, for drop-downs.

        Where statuses only mean something together with a type, those of all types. The names
        that the API uses are nobody's words: they stand at the end.
        """
        tables = (self.base, *self.by_type.values())
        keys = (key for table in tables for key, meaning in table.items() if meaning >= NOTHING)
        words = dict.fromkeys(self.shown.get(key, key) for key in keys if key != WILDCARD)
        wires = {milestone.wire for milestone in Milestone}
        return tuple(sorted(words, key=lambda word: word in wires))

    def in_words(self, word: str) -> str:
        """Return what a word means; all that it may mean where its type or direction decides."""
        key, every = fold(word), (self.base, *self.by_type.values(), *self.by_direction.values())
        found = {meaning for each in every if (meaning := each.get(key, UNCLEAR)) >= NOTHING}
        names = ("no_milestone" if each == NOTHING else Milestone(each).wire for each in found)
        known = {IN_WORDS[each] for each in names}
        return " or ".join(each for each in IN_WORDS.values() if each in known)

    def agrees_on(self, status: str, meaning: Meaning) -> bool:
        """Return whether a status, folded, has this meaning here, or no confirmed one."""
        return self.base.get(status, UNCONFIRMED) in {meaning, UNCONFIRMED}

    def rule(
        self,
        status: str,
        *,
        status_type: str = "",
        direction: Direction = Direction.BLANK,
        scan: str = "",
    ) -> Ruling:
        """Resolve the cells of one row, given as they stand in the file."""
        key = fold(status)
        if not key:
            return Ruling(meaning=StatusMeaning.MISSING)
        kind = fold(status_type)
        if is_absent(kind) and kind not in self.by_type:
            kind = ""
        plain, key = key, self._joined(key, kind)
        special = self.by_direction.get(direction, {}).get(key)
        if special is None:
            special = self.common_by_direction.get(direction, {}).get(key)
        if special == UNCLEAR and direction is Direction.BLANK:
            return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.BLANK)
        if special is not None:
            return _ruling(special)
        meaning = self._meaning(key, kind)
        if meaning is None:
            return self._unresolved(key, "" if key == plain else plain)
        if meaning == NOTHING and self.scans and (kind in self.scan_types or not self.scan_types):
            meaning = self.scans.get(fold(scan), NOTHING)
        if meaning > NOTHING and meaning not in _AGREES[direction]:
            return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.DIRECTION)
        return _ruling(meaning)

    def _meaning(self, key: str, kind: str) -> Meaning | None:
        typed = self.by_type.get(kind)
        if typed is not None:
            meaning = typed.get(key, typed.get(WILDCARD))
            if meaning is not None:
                return meaning
        meaning = self.base.get(key)
        if meaning is None and key.startswith(self.nothing_begins) and not self._near(key):
            return NOTHING
        return self.common.get(key) if meaning is None else meaning

    def _near(self, key: str) -> bool:
        """Return whether this is a misspelt milestone.

        It must not pass as one of a family without any.
        """
        milestones = [known for known, meaning in self.base.items() if meaning > NOTHING]
        return nearest(key, milestones, at_least=85) is not None

    def _joined(self, key: str, kind: str) -> str:
        """Return a status with its type before it, where that is a part of it."""
        return f"{kind} {key}" if self.joined and kind and not key.startswith(f"{kind} ") else key

    def _unresolved(self, key: str, alone: str) -> Ruling:
        """Rule on a status that the tables do not hold: absent, contradictory, a number, or new.

        ``alone``: without the type that was joined to it. Words need none, unless they are those of
        a milestone.
        """
        words = self._meaning(alone, "") if alone else None
        if words == NOTHING:
            return _ruling(words)
        if words is not None:
            return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.TYPE)
        if is_absent(key):
            return Ruling(meaning=StatusMeaning.MISSING)
        if any(key in typed for typed in self.by_type.values()):
            return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.TYPE)
        if key.replace(" ", "").isdecimal():
            return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.NUMBER)
        return Ruling(meaning=StatusMeaning.UNKNOWN)


def _ruling(meaning: Meaning) -> Ruling:
    if meaning == NOTHING:
        return Ruling(meaning=StatusMeaning.NO_MILESTONE)
    if meaning == UNCLEAR:
        return Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.LISTED)
    if meaning == UNCONFIRMED:
        return Ruling(meaning=StatusMeaning.UNCONFIRMED)
    return Ruling(meaning=StatusMeaning.MILESTONE, milestone=meaning)
