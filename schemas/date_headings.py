"""Read what a heading says of the dates below it: their zone, their event, that they are newer."""

import re
from collections.abc import Collection
from zoneinfo import ZoneInfo

from schemas.folding import fold_header
from schemas.vocabulary import STEPS, Milestone

_WORD = re.compile(r"[a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OFFSET = re.compile(r"(?<![0-9])([+-])(\d{1,2}):?([0-5]\d)?(?![0-9])")
_NAMED = re.compile(r"\b(UTC|GMT|IST)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b[A-Z][a-z]+/[A-Z][A-Za-z_]+\b")
_INDIA = "Asia/Kolkata"
_ODD_OFFSETS = {(1, 5, 30): _INDIA, (1, 5, 45): "Asia/Kathmandu", (1, 3, 30): "Asia/Tehran"}

_NEWER = frozenset({"updated", "new", "revised", "latest", "rescheduled", "modified", "changed"})

_TIME = frozenset({"date", "time", "datetime", "timestamp", "ts", "dt", "at", "on", "when"})
_ALONE = frozenset({"date", "datetime", "timestamp", "time"})
_EVENT = frozenset(
    {
        *("status", "scan", "scanned", "event", "update", "updated", "updation", "modified"),
        *("changed", "change", "activity", "last", "latest", "tracking", "checkpoint"),
    }
)
_DELIVERED = frozenset({"delivered", "delivery", "pod", "completed", "completion"})
_PICKED = frozenset({"picked", "pickup", "pick", "shipped", "shipment", "ship", "dispatched"})
#: Words of a time that is not the event's: still to come, or of something else.
_OTHER = frozenset(
    {
        *("expected", "expect", "promised", "promise", "estimated", "estimate", "est", "edd"),
        *("eta", "sla", "planned", "scheduled", "schedule", "target", "due", "requested", "next"),
        *("request", "preferred", "slot", "window", "invoice", "bill", "payment", "paid", "cod"),
        *("remittance", "settlement", "refund", "birth", "dob", "expiry", "manifest", "label"),
        *("print", "printed", "upload", "export", "report", "appointment", "rescheduled", "by"),
        *("commitment", "committed", "tat", "ageing", "aging", "days", "before", "cutoff", "ndr"),
        *("attempt", "attempts", "first", "return", "returned", "rto", "rvp", "reverse", "booking"),
        *("booked", "created", "creation", "placed", "weight", "revised", "new", "price", "user"),
        *("customer", "id", "no", "count", "type", "by", "name", "remark", "remarks", "location"),
    }
)
_UPDATES = (["last", "update"], ["last", "updated"], ["lastupdate"], ["lastupdated"])
_FINALS = frozenset(m for m in Milestone if STEPS[m].final)
ALWAYS = frozenset(Milestone)


def zone_named(heading: str) -> ZoneInfo | None:
    """Return the zone that a heading names (``Event Time (UTC)``, ``… IST``), None without one."""
    place = _PLACE.search(heading)
    if place:
        try:
            return ZoneInfo(place[0])
        except (KeyError, ValueError, OSError):
            return None
    offset = _OFFSET.search(heading) if "(" in heading or _NAMED.search(heading) else None
    if offset:
        sign, hours, minutes = offset[1], int(offset[2]), int(offset[3] or 0)
        if not minutes and hours <= 12:
            # The names of these zones count the other way round.
            return ZoneInfo(f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "UTC")
        known = _ODD_OFFSETS.get((1 if sign == "+" else -1, hours, minutes))
        return ZoneInfo(known) if known else None
    named = _NAMED.search(heading)
    if not named:
        return None
    return ZoneInfo(_INDIA if named[1].upper() == "IST" else "UTC")


def brings_up_to_date(heading: str, aliases: Collection[str]) -> bool:
    """Tell whether a heading is one of these (folded) and says that it is the newer one."""
    words = fold_header(heading).split()
    rest = " ".join(word for word in words if word not in _NEWER)
    return len(rest) < len(" ".join(words)) and rest in aliases


def event_told(heading: str) -> frozenset[Milestone]:
    """Return the milestones whose event a heading that no profile knows has the time of."""
    words = _WORD.findall(_HUMP.sub(" ", " ".join(heading.split())).casefold().replace("_", " "))
    said = frozenset(words) | frozenset({"last", "update"} if words in _UPDATES else ())
    if said & _OTHER or not said:
        return frozenset()
    if said <= _ALONE:
        return ALWAYS
    if said & _EVENT and (said & _TIME or words in _UPDATES):
        return ALWAYS if not said & _DELIVERED else _FINALS
    if said & _TIME and said & _DELIVERED:
        return _FINALS
    if said & _TIME and said & _PICKED:
        return frozenset({Milestone.BAG_PICKED})
    return frozenset()
