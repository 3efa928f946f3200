"""Words of the page: counts, times, states, and a drop's result in one sentence."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.core.drop_lines import DropLine
from pipeline.core.model import DropState
from schemas.codes import Code
from schemas.display import counted, shown
from schemas.vocabulary import Outcome

#: Outcome → what it is called.
OUTCOMES: Final[Mapping[str, str]] = {
    "accepted": "Sent",
    "duplicate": "Already reported",
    "ignored": "No update needed",
    "rejected": "To correct",
    "failed": "Refused by Fynd",
    "unknown": "Unclear: check the order",
    "unsent": "Waiting to be sent",
}
STATES: Final[Mapping[str, str]] = {
    DropState.CLAIMING: "Received",
    DropState.CLAIMED: "Reading",
    DropState.OPEN: "Sending",
    DropState.COMPLETED: "Done",
    DropState.REFUSED: "Refused",
    DropState.CANCELLED: "Cancelled",
}
_RENAMED: Final = re.compile(r"Name the column of .*Then upload the file again\.$", re.DOTALL)
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_API: Final = re.compile(r"\b[Tt]he API\b")
_OUTCOME: Final = re.compile("`([a-z]+)`")
_SHOW_COLUMNS: Final = (
    "Teach Shipdrop this file: show it which column is which. If it has no order ids or no "
    "statuses, set it aside."
)
#: While nothing is sent.
WAITING_STATES: Final[Mapping[str, str]] = {**STATES, DropState.OPEN: "Waiting for Fynd"}
#: Request → what a badge says of it.
REQUESTS: Final[Mapping[str, str]] = {"retry": "will be retried", "cancel": "is being cancelled"}
#: Milestone → what the row was reported as.
REPORTED: Final[Mapping[str, str]] = {
    "bag_picked": "Picked up",
    "delivery_done": "Delivered",
    "rto_bag_delivered": "Returned to seller",
    "return_bag_in_transit": "Return picked up",
    "return_bag_delivered": "Return arrived",
}
#: Meaning of a status → what it is called where a courier is taught.
MEANINGS: Final[Mapping[str, str]] = {
    "bag_picked": "Picked up from us",
    "delivery_done": "Delivered",
    "rto_bag_delivered": "Returned to us, undelivered",
    "return_bag_in_transit": "Customer's return picked up",
    "return_bag_delivered": "Customer's return arrived",
    "no_milestone": "On the way: nothing to report",
    "ambiguous": "Not certain: ask me each time",
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
#: Why a file is read as a courier's, as the summary has it → as people read it.
WHY: Final[Mapping[str, str]] = {
    "it was named": "chosen by you",
    "its header is this courier's": "recognised by its columns",
    "the file's name says so": "recognised by its file name",
    "nothing else decides (manifest.courier)": ("no courier was recognised, so these apply"),
    "the named courier has no profile": ("the chosen courier has no profile, so these apply"),
}


class Progress(Struct, frozen=True, kw_only=True):
    """The progress of a drop: updates answered, of all that are to be sent."""

    answered: int
    total: int


def number(value: int | float) -> str:
    """Return ``1,240``."""
    return f"{value:,.0f}"


def ago(seconds: float) -> str:
    """Return ``just now``, ``40 s``, ``3 min``, ``5 h``, ``2 days``."""
    if seconds < 1.5:
        return "1 s"
    for limit, step, unit in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / step:.0f} {unit}"
    return counted(round(seconds / 86_400), "day")


def moment(when: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return ``14:02`` today, ``22 Nov, 14:02`` this year, with the year before."""
    local, today = when.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%-d %b, %H:%M}" if local.year == today.year else f"{local:%-d %b %Y, %H:%M}"


def outcome(name: str, state: str) -> str:
    """Name the outcome of rows. Unsent rows of a cancelled file are not sent."""
    stopped = name == Outcome.UNSENT and state == DropState.CANCELLED
    return "Not sent" if stopped else OUTCOMES[name]


def in_plain_words(text: str, zone: ZoneInfo, now: datetime) -> str:
    """Return a text of ours as a clerk reads it: Fynd, times of one zone, names of outcomes."""
    text = _STAMP.sub(lambda at: moment(datetime.fromisoformat(at[0]), zone, now), text)
    text = _OUTCOME.sub(lambda name: f'"{OUTCOMES.get(name[1], name[1])}"', text)
    return _API.sub("Fynd", text)


def file_name(name: str, limit: int) -> str:
    """Show a file's name; of a long one both ends, since date and version stand at the end."""
    whole = shown(name, None)
    if len(whole) <= limit:
        return whole
    end = limit // 2
    return f"{whole[: limit - end - 1]}…{whole[-end:]}"


def size(count: int) -> str:
    """Return ``812 bytes``, ``1.2 MB``."""
    if count < 1000:
        return counted(count, "byte")
    for limit, step, unit in ((1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if count < limit:
            return f"{count / step:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def day_name(day: date) -> str:
    """Return ``Saturday, 28 November``."""
    return f"{day:%A, %-d %B}"


def headline(drop: DropLine, progress: Progress | None, shut: str = "") -> str:
    """Return a drop's state in one sentence. ``shut``: why nothing is being sent at all, if so."""
    rows = drop.summary["rows"] if drop.summary else {}
    match drop.state:
        case DropState.CLAIMING | DropState.CLAIMED:
            return "Reading the file…"
        case DropState.OPEN:
            return _on_its_way(progress, shut)
        case DropState.REFUSED:
            if drop.fixed or drop.aside:
                return _what_is_left(drop)
            refused = (drop.summary or {}).get("refused") or {}
            return str(refused.get("message", "The file was refused."))
        case DropState.CANCELLED:
            return _cancelled(rows)
    if not rows.get("total", 0):
        return "The file has no data rows. Nothing was sent."
    if drop.put_off:
        return f"Set aside, with {counted(max(0, _open(drop)), 'row')} left."
    if drop.troubled and (drop.fixed or drop.aside or drop.returned):
        return _what_is_left(drop)
    return _needed(rows) if drop.troubled else f"Done. {_done(rows)}"


def on_page(message: str, instead: str) -> str:
    """Return what to do about a refused file where the page can do it.

    Rows are corrected there (``instead``); columns that are not known are taught, not renamed.
    """
    return _RENAMED.sub(_SHOW_COLUMNS, message.replace(Code.TOO_MANY_REJECTS.fix, instead))


def _open(drop: DropLine) -> int:
    return drop.troubled - drop.fixed - drop.aside - drop.returned


def _done(rows: Mapping[str, int]) -> str:
    if rows["total"] == 1 and rows.get(Outcome.ACCEPTED):
        return "The row was sent."
    parts = [
        f"{number(rows[outcome])} {one if rows[outcome] == 1 else many}"
        for outcome, one, many in (
            (Outcome.ACCEPTED, "row was sent", "rows were sent"),
            (Outcome.DUPLICATE, "was reported before", "were reported before"),
            (Outcome.IGNORED, "needed no update", "needed no update"),
            (Outcome.UNSENT, "was not sent", "were not sent"),
        )
        if rows.get(outcome)
    ]
    return f"{', '.join(parts)}." if parts else "Nothing was sent."


def _needed(rows: Mapping[str, int]) -> str:
    whole = rows["total"]
    parts: list[str] = []
    for outcome, one, many in (
        (Outcome.REJECTED, "must be corrected", "must be corrected"),
        (Outcome.FAILED, "was refused by Fynd", "were refused by Fynd"),
        (Outcome.UNKNOWN, "is unclear: check the order", "are unclear: check the orders"),
    ):
        count = rows.get(outcome, 0)
        if count:
            of = "" if parts or count == whole else f" of {number(whole)}"
            noun = "" if parts else (" rows" if of or count > 1 else " row")
            parts.append(f"{number(count)}{of}{noun} {one if count == 1 else many}")
    return f"{'; '.join(parts)}."


def _cancelled(rows: Mapping[str, int]) -> str:
    sent, left = (rows.get(each, 0) for each in (Outcome.ACCEPTED, Outcome.UNSENT))
    were = "was" if sent == 1 else "were"
    rest = f", {number(left)} {'was' if left == 1 else 'were'} not" if left else ""
    return f"Cancelled. {counted(sent, 'row')} {were} sent{rest}."


def _what_is_left(drop: DropLine) -> str:
    """Return a file some of whose rows were dealt with."""
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
        if drop.returned == drop.troubled:
            return f"{counted(drop.returned, 'row')} to correct in the file that this one corrects."
        all_of = "The row" if drop.troubled == 1 else f"All {counted(drop.troubled, 'row')}"
        is_done = "is done" if drop.troubled == 1 else "are done"
        return f"{all_of} that needed you {is_done}: {', '.join(done)}."
    if not drop.aside and not drop.returned:
        whole = counted(drop.troubled, "row")
        return f"{number(drop.fixed)} of {whole} corrected; {number(drop.need)} left."
    return f"{counted(drop.troubled, 'row')} needed you: {', '.join(done)}; {drop.need:,} left."


def _on_its_way(progress: Progress | None, shut: str) -> str:
    if progress is None or not progress.total:
        return f"Read, and waiting to be sent. {shut}".strip()
    progress_text = f"{number(progress.answered)} of {counted(progress.total, 'row')}"
    if not shut:
        return f"Sending: {progress_text}."
    return f"Paused at {progress_text}. {shut} It goes on by itself once Fynd takes calls again."
