"""Read from a heading the zone and the event of its dates, and whether they are newer."""

import re
from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.normalise import fold_header, kept
from schemas.vocabulary import FINALS, Milestone
from schemas.word_lists import phrases, word_set

_WORD = re.compile(r"[a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OFFSET = re.compile(r"(?<![0-9])([+-])(\d{1,2}):?([0-5]\d)?(?![0-9])")
_NAMED = re.compile(r"\b(UTC|GMT|IST)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b[A-Z][a-z]+/[A-Z][A-Za-z_]+\b")
_INDIA = "Asia/Kolkata"
_ODD_OFFSETS = {(1, 5, 30): _INDIA, (1, 5, 45): "Asia/Kathmandu", (1, 3, 30): "Asia/Tehran"}

_NEWER = frozenset(
    {
        *("updated", "new", "revised", "latest", "rescheduled", "modified", "changed"),
        *("current", "final"),
    }
)

_TIME = frozenset({"date", "time", "datetime", "timestamp", "ts", "dt", "at", "on", "when"})
_ALONE = frozenset({"date", "datetime", "timestamp", "time", "when"})
_EVENT = word_set(
    "status scan scanned event update updated updation modified changed change activity last "
    "latest tracking checkpoint attempted"
)
_DELIVERED = word_set(
    "delivered delivery pod completed completion del dlv dlvd deld deliverd delv dely dlvry dlvy "
    "delivary dilivery deliverey dl dod recieved received receipt reached drop recd arrival "
    "arrived fulfilled closed closure close"
)
_PICKED = word_set(
    "picked pickup pick shipped shipment shipping ship dispatched dispatch handover ofd drs"
)
#: Headings without a word for time whose cells are times, or say nothing here.
_BARE = phrases(
    "last update, last updated, lastupdate, lastupdated, updated, modified, last activity, "
    "last scan, last event, last modified, lastmodified, delivered, actual delivery, "
    "delivery actual, delivery, dlvd, delivery completed, order delivered, ata, latest scan, "
    "scan, event, received on, pod received, pod recd, latest activity, time stamp, dated, "
    "actual date, tarikh, customer received date, customer recd date, customer received on"
)
#: Words of the report itself, after which nothing in it happened.
_OF_REPORTS = frozenset({"as on", "as on date", "as of", "as of date"}) | {
    f"{what} {when}"
    for what in ("report", "reporting", "run", "mis", "data", "file", "sheet")
    for when in ("date", "dt", "datetime", "timestamp")
}
#: Words of when a row was written, or of a moment nobody names further: too old, or ahead, is that
#: of no event of today.
_OF_RECORDS = word_set(
    "pod epod e upload uploaded txn trans transaction entry posting posted process processed "
    "captured sync synced refresh refreshed load loaded extract extracted import imported log "
    "logged record recorded insert inserted ins row working ops shift business calendar run sheet "
    "runsheet drs image signature otp verified handed over finished done dd mm yy yyyy hh ss"
)
_OF_MOMENTS = frozenset({"day", "stamp", "datum", "dinank", "dd"})
#: Words of a time that is still to come, or of a length of time.
_AHEAD = word_set(
    "expected expect promised promise estimated estimate est edd eta sla planned scheduled "
    "schedule target due requested next request preferred slot window appointment rescheduled "
    "commitment committed tat ageing aging days before cutoff revised new count attempt attempts "
    "ndr return returned rto rvp reverse late delay risk type id no name remark remarks by not"
)
#: Words of other things that have a time too; not where it is said to be the delivery's.
_OTHER = word_set(
    "invoice bill payment paid cod remittance settlement refund birth dob expiry manifest label "
    "print printed upload export report first booking booked created creation placed weight price "
    "user customer location order ordered purchase approved"
)
#: Words of headings in the scripts that people here write, those that bind them left out.
_NATIVE = {
    word: english
    for english, words in (
        ("date", "दिनांक तारीख तारिख तिथि தேதி తేదీ ದಿನಾಂಕ তারিখ તારીખ തീയതി ਤਾਰੀਖ ତାରିଖ تاریخ"),
        ("time", "समय वेळ நேரம் సమయం ಸಮಯ সময় સમય സമയം وقت"),
        ("delivery", "डिलीवरी डिलिवरी वितरण டெலிவரி డెలివరీ ಡೆಲಿವರಿ ডেলিভারি ડિલિવરી"),
        ("status", "स्थिति स्टेटस"),
        ("update", "अपडेट अद्यतन"),
        ("scan", "स्कैन"),
        ("last", "अंतिम"),
        ("pickup", "पिकअप"),
        ("expected", "अपेक्षित अनुमानित संभावित"),
        ("order", "ऑर्डर"),
        ("", "की का के और"),
    )
    for word in words.split()
}
_OF_DELIVERY = re.compile(r"(?i)\W*d\W{0,2}o\W{0,2}d\W*")
_BETWEEN = re.compile(r"[\s/|(),:-]+")

ALWAYS = frozenset(Milestone)


class TimeNearness(IntEnum):
    """The nearness of the time under a heading to a row's event; the nearest goes first."""

    EVENT = 0  # that of any status
    END = 1  # that of a final status
    BEGIN = 2  # that of the pickup: what lies far from it is too old, or ahead, as well
    REPORT = 3  # that of the report, likewise


def zone_named(heading: str) -> ZoneInfo | None:
    """Return the zone that a heading names (``Event Time (UTC)``, ``… IST``), None without one."""
    heading = _spaced(heading) if "/" not in heading else heading
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
    """Return whether a heading is one of these (folded) and says that it is the newer one."""
    words = fold_header(heading).split()
    rest = " ".join(word for word in words if word not in _NEWER)
    return len(rest) < len(" ".join(words)) and rest in aliases


@kept
def event_meant(heading: str) -> TimeNearness | None:
    """Return which event a heading that no profile knows has the time of, None if of none."""
    words = _in_english(_WORD.findall(_spaced(heading).casefold()), heading)
    said = frozenset(words)
    ends = said & _DELIVERED
    if " ".join(words) in _BARE:
        return TimeNearness.END if ends else TimeNearness.EVENT
    if " ".join(words) in _OF_REPORTS:
        return TimeNearness.REPORT
    of_record = said & (_TIME | _OF_MOMENTS) and said <= _TIME | _OF_RECORDS | _OF_MOMENTS
    if not ends and not said <= _ALONE and of_record:
        return TimeNearness.REPORT
    if said & _AHEAD or (said & _OTHER and "delivered" not in said):
        return TimeNearness.REPORT if of_record else None
    if not said & _TIME:
        return None
    if ends:
        return TimeNearness.END
    if said <= _ALONE or said & _EVENT:
        return TimeNearness.EVENT
    return TimeNearness.BEGIN if said & _PICKED else None


#: Words of a delivery that may be one that was promised: its date may lie ahead.
_PLANNED = frozenset({"delivery", "del", "dlv", "dely", "dlvry", "delivary", "dilivery", "dl"})
_DONE = frozenset({"delivered", "pod", "dlvd", "deld", "deliverd", "dod"})
_FAILED = frozenset({"undelivered", "undelivery", "failed", "failure", "ndr", "unsuccessful"})
_PICKUP = frozenset({"picked", "pickup", "pick"})
_BEGUN = _PICKUP | {"booking", "booked", "manifested", "dispatched", "dispatch", "shipped"}
_BESIDE_BEGUN = word_set("actual awb courier event of scan shipment up")
#: Words that may stand beside them. Any other may make it the date of something else, such as
#: Delivered Feedback Date, Last Delivered Date, Account Status Date.
_BESIDE = word_set(
    "rto status event actual final order shipment parcel package consignment awb of to the in ist "
    "utc gmt courier"
)


@kept
def is_past(heading: str) -> bool:
    """Return whether a heading is that of the last event, and of nothing else: it lies in the past.

    Status Review Date may lie ahead.
    """
    said = frozenset(_WORD.findall(_spaced(heading).casefold()))
    return bool(said & _EVENT) and said <= _EVENT | _TIME


@kept
def told_by(heading: str) -> tuple[frozenset[Milestone], bool]:
    """Return the milestones whose own time a heading names, and whether it may be a planned one.

    Delivered Date: what else a row has a time of, the delivery was then.
    """
    said = frozenset(_WORD.findall(_spaced(heading).casefold()))
    back = said & {"rto"}
    if not said & _TIME or said - (_TIME | _PLANNED | _DONE | _PICKUP | _BESIDE):
        return frozenset(), False
    if "order" in said and not said & _DONE:
        return frozenset(), False
    if said & (_PLANNED | _DONE):
        end = Milestone.RTO_BAG_DELIVERED if back else Milestone.DELIVERY_DONE
        return frozenset({end}), bool(said & _PLANNED)
    if said & _PICKUP and not back:
        return frozenset({Milestone.BAG_PICKED}), True
    own = said & {"status", "event"} and not back
    return (ALWAYS if own else frozenset()), False


def told_apart(headings: Sequence[str], column: int) -> tuple[int, int] | None:
    """Return the columns of a date and of its time of day: Scan Date, Scan Time.

    ``column``: one of the two. None where it has no other.
    """
    columns = _columns_by_words(tuple(headings))
    own = tuple(_WORD.findall(_spaced(headings[column]).casefold()))
    for mine, other in (("date", "time"), ("time", "date")):
        if own.count(mine) == 1 and other not in own:
            twin = columns.get(tuple(other if word == mine else word for word in own), ())
            if len(twin) == len(columns[own]) == 1:
                return (column, twin[0]) if mine == "date" else (twin[0], column)
    return None


@lru_cache(maxsize=16)
def _columns_by_words(headings: tuple[str, ...]) -> Mapping[tuple[str, ...], Sequence[int]]:
    """Return the columns of a header by the words of their headings: each block asks for many."""
    found: dict[tuple[str, ...], list[int]] = {}
    for at, heading in enumerate(headings):
        found.setdefault(tuple(_WORD.findall(_spaced(heading).casefold())), []).append(at)
    return found


def names_a_time(heading: str) -> bool:
    """Return whether a heading has a word for a time: Order Date, Created At."""
    return not _TIME.isdisjoint(_WORD.findall(_spaced(heading).casefold()))


def failure_meant(heading: str) -> bool:
    """Return whether a heading is that of the time of a failed delivery (Undelivered Date).

    Undelivered alone may be one, too: a tracker has a date for each step.
    """
    said = frozenset(_WORD.findall(_spaced(heading).casefold()))
    known = _FAILED | _TIME | {"delivery", "last", "latest", "attempt", "recent"}
    dated = bool(said & _TIME) or said == {"undelivered"}
    return bool(said & _FAILED) and dated and said <= known


@kept
def begin_meant(heading: str) -> bool:
    """Return whether a heading is that of when a shipment was booked or picked up."""
    said = frozenset(_WORD.findall(_spaced(heading).casefold()))
    return bool(said & _TIME and said & _BEGUN) and said <= _TIME | _BEGUN | _BESIDE_BEGUN


def concerned(nearness: TimeNearness) -> frozenset[Milestone]:
    """Return the milestones for which such a time counts."""
    return frozenset(FINALS) if nearness is TimeNearness.END else ALWAYS


def _in_english(words: list[str], heading: str) -> list[str]:
    """Return the words of a heading with those of other scripts; none if one is not known."""
    others = [each for each in _BETWEEN.split(heading) if each and not each.isascii()]
    if not any(each in _NATIVE for each in others):
        return words
    known = all(each in _NATIVE for each in others)
    return [*words, *(_NATIVE[each] for each in others if _NATIVE[each])] if known else []


def _spaced(heading: str) -> str:
    """Return a heading with its words apart: ``lastUpdate``, ``delivered_ts``, D.O.D."""
    if _OF_DELIVERY.fullmatch(heading):
        return "dod date"
    return _HUMP.sub(" ", " ".join(heading.split())).replace("_", " ")
