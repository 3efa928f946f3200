"""The vocabulary of files, updates and reports: roles, cells, statuses, outcomes."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from msgspec import Struct


class Role(StrEnum):
    """The purpose of a column. The value is the name that codes carry after the colon."""

    ORDER_ID = "order_id"
    AWB = "awb"
    STATUS = "status"
    STATUS_TYPE = "status_type"
    REASON_CODE = "reason_code"
    REMARK = "remark"
    LOCATION = "location"
    EVENT_TIME = "event_time"
    PROMISED = "promised_delivery_date"
    ESTIMATED = "estimated_delivery_date"
    DIRECTION = "direction"
    AUTO_DISPATCH = "auto_dispatch"
    SELF_SHIP = "self_ship"
    COURIER = "courier"


DELIVERY_DATES = (Role.PROMISED, Role.ESTIMATED)
"""The dates that are sent beside a status."""

DATE_ROLES = (Role.EVENT_TIME, *DELIVERY_DATES)
"""The columns that hold dates."""


class CellKind(IntEnum):
    """The kind of a spreadsheet cell before it became text. CSV cells are all TEXT."""

    TEXT = 0
    NUMBER = 1
    BOOLEAN = 2
    DATE = 3
    ERROR = 4


CELL_ERRORS: Mapping[int, str] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""The errors that a cell can show, by the number they have in binary workbooks."""


UNCALCULATED = "(formula without a result)"
"""Stands for a formula whose result was not stored: some programs that write workbooks leave
it to the spreadsheet program, and there is nothing to send until one has saved the file."""


EMPTY_SURPLUS = "(empty)"
"""Text beyond the last column of a row that is wider than most although its surplus cells
are empty. It goes into the rejects file, so that a row that comes back unmended is seen."""


class Outcome(StrEnum):
    """The end of a data row: exactly one per row, in the order of the contract."""

    ACCEPTED = "accepted"  # the API took it
    DUPLICATE = "duplicate"  # the order already has this status or a later one
    IGNORED = "ignored"  # no milestone to report
    REJECTED = "rejected"  # this row's data
    FAILED = "failed"  # the API refused it
    UNKNOWN = "unknown"  # the answer was lost and could not be settled
    UNSENT = "unsent"  # not sent; goes out later unless cancelled


CORRECTABLE = (Outcome.REJECTED, Outcome.FAILED)
"""Outcomes of rows that go into the rejects file: corrected, they are sent."""

FOR_A_PERSON = (*CORRECTABLE, Outcome.UNKNOWN)
"""Outcomes of rows that a person has to look at."""


class Milestone(IntEnum):
    """The five values of ``orderStatus``. The number is how blocks and the ledger store it."""

    BAG_PICKED = 1
    DELIVERY_DONE = 2
    RTO_BAG_DELIVERED = 3
    RETURN_BAG_IN_TRANSIT = 4
    RETURN_BAG_DELIVERED = 5

    @property
    def wire(self) -> str:
        """Return the text the API knows it by."""
        return self.name.lower()


NO_MILESTONE = 0
"""Stands in a block's ``status`` column where a row has no milestone."""


class Journey(IntEnum):
    """An order's way to the customer (or back to the seller: RTO), or a customer's return."""

    FORWARD = 0
    RETURN = 1


class Step(Struct, frozen=True, kw_only=True):
    """Where a milestone stands: its journey and how far along it is."""

    journey: Journey
    rank: int
    final: bool


STEPS: Mapping[Milestone, Step] = {
    Milestone.BAG_PICKED: Step(journey=Journey.FORWARD, rank=1, final=False),
    Milestone.DELIVERY_DONE: Step(journey=Journey.FORWARD, rank=2, final=True),
    Milestone.RTO_BAG_DELIVERED: Step(journey=Journey.FORWARD, rank=2, final=True),
    Milestone.RETURN_BAG_IN_TRANSIT: Step(journey=Journey.RETURN, rank=1, final=False),
    Milestone.RETURN_BAG_DELIVERED: Step(journey=Journey.RETURN, rank=2, final=True),
}
"""The published moves (docs/konnect-api.md): forward picked → delivered, RTO picked → delivered
back, return in transit → delivered. A customer return of a delivered order is a new journey."""

FINALS = tuple(milestone for milestone in Milestone if STEPS[milestone].final)
