"""How things are said on the page: counts, times, states, and a drop's verdict in one sentence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.core.model import DropState
from pipeline.core.ports import FOR_A_PERSON, DropLine
from schemas.vocabulary import Outcome

#: Outcome → what it means to a person, in two or three words.
MEANING: Final[Mapping[str, str]] = {
    "accepted": "the API took it",
    "duplicate": "known already",
    "ignored": "nothing to report",
    "rejected": "correct this row",
    "failed": "the API refused it",
    "unknown": "look the order up",
    "unsent": "goes out later",
}
STATES: Final[Mapping[str, str]] = {
    DropState.CLAIMING: "Being taken",
    DropState.CLAIMED: "Being read",
    DropState.OPEN: "Being sent",
    DropState.COMPLETED: "Through",
    DropState.REFUSED: "Refused",
    DropState.CANCELLED: "Cancelled",
}
#: The same while the API takes nothing.
WAITING_STATES: Final[Mapping[str, str]] = {**STATES, DropState.OPEN: "Waiting for the API"}
#: Milestone → what it is called where somebody chooses one.
MILESTONES: Final[Mapping[str, str]] = {
    "bag_picked": "Picked up from us",
    "delivery_done": "Delivered to the customer",
    "rto_bag_delivered": "Returned to us, undelivered",
    "return_bag_in_transit": "Return picked up from the customer",
    "return_bag_delivered": "Customer's return has arrived",
    "no_milestone": "On the way: nothing to report",
}
#: Why a file is read as a courier's → the same to a person.
CHOSEN: Final[Mapping[str, str]] = {
    "it was named": "chosen by you",
    "its header is this courier's": "recognised by its columns",
    "the file's name says so": "recognised by its name",
    "nothing else decides (manifest.courier)": "no courier is recognised, the general rules hold",
}
#: Meaning of a status → what it is called where a courier is taught.
MEANINGS: Final[Mapping[str, str]] = {
    "bag_picked": "Picked up from us",
    "delivery_done": "Delivered",
    "rto_bag_delivered": "Returned to us, undelivered",
    "return_bag_in_transit": "Customer's return picked up",
    "return_bag_delivered": "Customer's return arrived",
    "no_milestone": "On the way: nothing to report",
    "ambiguous": "Cannot be told: ask me each time",
}
#: Role of a column → what it is called.
ROLES: Final[Mapping[str, str]] = {
    "order_id": "Order id",
    "awb": "AWB",
    "status": "Status",
    "status_type": "Type of the status",
    "reason_code": "Reason",
    "remark": "Remark",
    "location": "Place",
    "event_time": "When it happened",
    "promised_delivery_date": "Promised delivery date",
    "estimated_delivery_date": "Estimated delivery date",
    "direction": "Direction (forward or return)",
    "auto_dispatch": "Auto-dispatch",
    "self_ship": "Self-ship",
    "courier": "Courier",
}
#: What is sent beside order id and status → what it is called.
FIELDS: Final[Mapping[str, str]] = {
    "remark": "Remark",
    "reasonCode": "Reason code",
    "dpLocation": "Place",
    "promised_delivery_date": "Promised delivery",
    "estimated_delivery_date": "Estimated delivery",
}


class Progress(Struct, frozen=True, kw_only=True):
    """How far a drop is: updates answered, of all that are to be sent."""

    answered: int
    total: int


def number(value: int | float) -> str:
    """``1,240``."""
    return f"{value:,.0f}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,240 rows``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def ago(seconds: float) -> str:
    """``just now``, ``40 s``, ``3 min``, ``5 h``, ``2 days``."""
    if seconds < 5:
        return "a moment"
    for limit, step, unit in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / step:.0f} {unit}"
    return counted(round(seconds / 86_400), "day")


def moment(when: datetime, zone: ZoneInfo, now: datetime) -> str:
    """``14:02`` today, ``22 Nov, 14:02`` this year, with the year before."""
    local, today = when.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%-d %b, %H:%M}" if local.year == today.year else f"{local:%-d %b %Y, %H:%M}"


def size(count: int) -> str:
    """``812 bytes``, ``1.2 MB``."""
    if count < 1000:
        return counted(count, "byte")
    for limit, step, unit in ((1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if count < limit:
            return f"{count / step:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def verdict(drop: DropLine, progress: Progress | None, shut: str = "") -> str:
    """A drop in one sentence. ``shut``: why nothing is being sent at all, if so."""
    rows = drop.summary["rows"] if drop.summary else {}
    match drop.state:
        case DropState.CLAIMING | DropState.CLAIMED:
            return "Received. It is being read."
        case DropState.OPEN:
            return _on_its_way(progress, shut)
        case DropState.REFUSED:
            refused = (drop.summary or {}).get("refused") or {}
            return str(refused.get("message", "The file was refused."))
        case DropState.CANCELLED:
            return f"Cancelled. {_said(rows, Outcome.ACCEPTED, Outcome.UNSENT)}."
    total, wanting = rows.get("total", 0), drop.troubled
    if not total:
        return "The file has no data rows. Nothing was sent."
    if not wanting:
        everything = f"All {counted(total, 'row')} are" if total > 1 else "The one row is"
        return f"{everything} through: {_said(rows, *Outcome)}. There is nothing to do."
    if drop.fixed or drop.aside or drop.returned:
        return _what_is_left(drop)
    return f"{number(wanting)} of {counted(total, 'row')} need you: {_said(rows, *FOR_A_PERSON)}."


def _what_is_left(drop: DropLine) -> str:
    """A file some of whose rows were dealt with."""
    done = [
        f"{number(count)} {said}"
        for count, said in (
            (drop.fixed, "corrected"),
            (drop.aside, "set aside"),
            (drop.returned, "open in the file it corrects"),
        )
        if count
    ]
    if not drop.need:
        whole = counted(drop.troubled, "row")
        return f"All {whole} that needed you are done: {', '.join(done)}."
    if not drop.aside and not drop.returned:
        return (
            f"{number(drop.fixed)} of {counted(drop.troubled, 'row')} that needed you are "
            f"corrected; {number(drop.need)} left."
        )
    return f"{counted(drop.troubled, 'row')} needed you: {', '.join(done)}; {drop.need:,} left."


def _on_its_way(progress: Progress | None, shut: str) -> str:
    if progress is None or not progress.total:
        return f"Read, and waiting to be sent. {shut}".strip()
    told = f"{number(progress.answered)} of {counted(progress.total, 'row')} sent"
    return f"{told}; the rest waits. {shut}" if shut else f"Being sent: {told}."


def _said(rows: Mapping[str, int], *outcomes: Outcome) -> str:
    told = [f"{number(rows[each])} {each.value}" for each in outcomes if rows.get(each)]
    return ", ".join(told) or "nothing was sent"
