"""The evidence to look for in a column that may say which way a shipment went."""

from enum import Enum

from msgspec import Struct

from schemas.statuses import Direction


class Asks(Enum):
    """The way in which the cells of a column are read."""

    WORDS = "words"  # for words of a direction
    YES = "yes"  # for yes and no: its heading names the way
    NO = "no"  # for a no: its heading says what did not happen then
    WHOM = "whom"  # for the seller: its heading says to whom something was delivered
    FILLED = "filled"  # for anything: its heading names what only a shipment coming back has
    NOTES = "notes"  # for short notes of people: it has no heading
    PLAIN = "plain"  # for plain words of a way back alone: its heading says nothing
    REMARKS = "remarks"  # for remarks that say nothing but that the seller has it


ALONE = frozenset({Asks.NOTES, Asks.PLAIN, Asks.REMARKS})
"""Such columns are of directions only where nearly all of their cells are."""


class Look(Struct, frozen=True, kw_only=True):
    """The evidence to look for under a heading. ``way``: the direction that a yes means.

    ``sure``: it is a direction, so that words in it which nobody knows leave the direction open.
    ``letters``: F and R alone are directions in it; ``both``: its heading names these two;
    ``pairs``: Inbound is one beside Outbound. ``bare``: its heading names a way back, or that
    nobody has it, and nothing else. ``names``: it is of people's names. ``dated``: dates in it are
    compared with the event's. ``fates``: an expression for the plain words in it
    that are the fate of its row. ``partly``: it says something only where some rows are empty.
    ``wholly``: only where none is.
    ``carriers``: it is of couriers and their services, of which a name may say the way: Delhivery
    Reverse. ``files``: so may the names in it, of the files or tabs that were put together.
    """

    asks: Asks
    way: Direction = Direction.BLANK
    sure: bool = False
    letters: bool = False
    both: bool = False
    pairs: bool = False
    bare: bool = False
    names: bool = False
    dated: bool = False
    partly: bool = False
    wholly: bool = False
    fates: str = ""
    carriers: bool = False
    files: bool = False
