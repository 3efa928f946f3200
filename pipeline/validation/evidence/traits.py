"""Facts about a whole sheet that decide how its blocks are read, gathered from all of them."""

from enum import Enum, auto

from msgspec import Struct, field

from schemas.notes import note_on_all, note_on_some


class Trait(Enum):
    """A fact about a column that one block shows and that holds for all of them."""

    DIRECTIONS = auto()  # nearly all of its cells are directions, though its heading says nothing
    STATUSES = auto()  # nearly all of its cells are statuses
    SAID = auto()  # one of its cells says a direction
    FORWARD = auto()  # one of its cells says forward
    BACK = auto()  # one of its cells says a way back
    F = auto()  # one of its cells is F
    R = auto()  # one of its cells is R
    OUT = auto()  # one of its cells is Outbound
    IN = auto()  # one of its cells is Inbound
    LETTERS = auto()  # F and R are directions in it
    SHORT = auto()  # RET is a direction in it
    EMPTY = auto()  # one of its cells is empty, or says that there is none
    RTO_ENDS = auto()  # one of its statuses says in full that a shipment came back by RTO
    PICKUPS = auto()  # one of its statuses is of a pickup, or before it
    FAILURES = auto()  # one of its statuses is of an attempt at the customer that failed
    PLAIN_IDS = auto()  # one of its ids has no RET as a part of its own


class Traits(Struct, kw_only=True):
    """Traits of a sheet's columns, and the notes on all of its rows; it only ever gets more.

    A block is judged with what is known so far. ``late``: something came up that would have
    changed how an earlier block was judged. Then the sheet is read once more, with all of it known
    from the start. ``notes``: by record number; ``ending``: those that are notes because no row
    stands below them, ``followed``: lines that have rows below. ``lists``: ids that the sheet
    lists, by how messages name the list and its words.
    """

    known: set[tuple[int, Trait]] = field(default_factory=set)
    notes: dict[int, str] = field(default_factory=dict)
    ending: set[int] = field(default_factory=set)
    followed: set[int] = field(default_factory=set)
    lists: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    missed: set[tuple[int, Trait]] = field(default_factory=set)
    late: bool = False

    def holds(self, column: int, trait: Trait, *, found: bool, matters: bool) -> bool:
        """Return whether a column has a trait, in this block or in any that is known.

        ``found``: this block shows it. ``matters``: it would change how this block is judged.
        """
        key = column, trait
        if found and key not in self.known:
            self.known.add(key)
            self.late |= key in self.missed
        if key in self.known:
            return True
        if matters:
            self.missed.add(key)
        return False

    def note(self, row: int, line: str, *, first: bool) -> None:
        """Take in a note on the rows above; ``first``: it stands in the first block."""
        self.late |= not first and row not in self.notes
        self.notes[row] = line

    def is_last(self, row: int, line: str) -> bool:
        """Return whether a line below which a block has no rows may be a note on those above it.

        It is one, until a later block has rows.
        """
        if row in self.followed or note_on_all(line) or not note_on_some(line):
            return False
        self.ending.add(row)
        return True

    def more_below(self, row: int) -> None:
        """Take in that there are rows from this one on: lines above it were not the last."""
        before = {at for at in self.ending if at < row}
        self.followed |= before
        self.late |= bool(before)
        for at in before:
            self.ending.discard(at)
            del self.notes[at]

    def list(self, name: tuple[str, str], ids: frozenset[str], *, first: bool) -> None:
        """Take in ids that the sheet lists; ``first``: they stand in the first block."""
        known = self.lists.setdefault(name, set())
        self.late |= not first and not ids <= known
        known |= ids  # a list may grow by one id a row

    def again(self) -> "Traits":
        """Return them as they are known when the sheet is read once more."""
        return Traits(
            known=self.known,
            notes=self.notes,
            ending=self.ending,
            followed=self.followed,
            lists=self.lists,
        )
