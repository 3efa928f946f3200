"""Tell which tabs of a workbook are named as days, and in which order these came."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from schemas.word_lists import word_set

_WORD = re.compile(r"[a-z]+|[0-9]+")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = (
    *("monday", "tues", "tuesday", "wednesday", "thur", "thurs", "thursday", "friday", "saturday"),
    *("sunday", "january", "february", "march", "april", "june", "july", "august", "sept"),
    *("september", "october", "november", "december"),
)
_MONTH = f"(?:{'|'.join(_MONTHS)})"
_DATE = re.compile(
    r"(?<!\d)(?:20\d\d[-_. ]\d\d?[-_. ]\d\d?|\d\d?[-_. ]\d\d?[-_. ]20\d\d"
    rf"|\d\d?[-_. ]?{_MONTH}(?![a-z])|(?<![a-z]){_MONTH}[-_. ]?\d\d?)(?!\d)"
)
_BEGUN = re.compile("booked|created|dispatch|manifest|placed")
_NUMBERED = frozenset({"date", "day", "week"})
_LAST_DAY, _LAST_MONTH = 31, 12
_LONGEST = 64
"""Characters of a tab's name that may be one of a day; spreadsheets show 31."""

#: After how many steps names begin anew: Sun, Mon are two days in a row, and Mon, Tue.
_ROUND = {"weekday": 7, "month": _LAST_MONTH, "number": _LAST_DAY, "date": 12 * _LAST_DAY}


def days_of(tabs: Sequence[str]) -> list[int]:
    """Return the place of each tab among those that are named as days, -1 for others.

    Days of several kinds (28 Nov, Friday) are not compared: those of the most tabs count.
    """
    read = [_day(tab) for tab in tabs]
    kinds = Counter(kind for kind, _ in filter(None, read))
    if not kinds:
        return [-1] * len(tabs)
    ((kind, _),) = kinds.most_common(1)
    days = sorted({day for each, day in filter(None, read) if each == kind})
    if kind in _ROUND:
        # The first one is behind the longest time without any.
        gaps = [
            day - last for last, day in zip([days[-1] - _ROUND[kind], *days], days, strict=False)
        ]
        first = gaps.index(max(gaps))
        days = [*days[first:], *days[:first]]
    return [days.index(each[1]) if each and each[0] == kind else -1 for each in read]


def columns_of_days(headings: Sequence[str]) -> list[int]:
    """Return the columns of a tracker that has one for each day, the oldest day first.

    Mon, Tue, Wed, or 27-Nov Status and 28-Nov Status; none where there is only one.
    """
    read = [_day(each) if _is_day_alone(each) else None for each in headings]
    kinds = Counter(day[0] for day in read if day and day[0] in _OF_TRACKERS)
    if not kinds or max(kinds.values()) == 1:
        return []
    ((kind, _),) = kinds.most_common(1)
    found = {at: day[1] for at, day in enumerate(read) if day and day[0] == kind}
    first, second, *_ = found.values()
    if kind == "weekday":  # the week may begin with any day
        return [*found] if (first - second) % len(_DAYS) != 1 else [*found][::-1]
    places = dict(zip(found, days_of([headings[at] for at in found]), strict=True))
    return sorted(found, key=places.__getitem__)


_OF_TRACKERS = frozenset({"counted", "date", "weekday"})


def _is_day_alone(heading: str) -> bool:
    words = {*re.findall("[a-z]+", heading.casefold())}
    return words <= {*_DAYS, *_MONTHS, *_LONG} | _BESIDE_DAYS


_BESIDE_DAYS = word_set(
    "as courier current date day delivery latest nd of on order rd scan shipment st status th "
    "tracking update"
)


@lru_cache(maxsize=256)
def is_of_later_day(other: str, name: str) -> bool:
    """Return whether two names of files have a date, and the other's is later: MIS_29-11-2026.

    Of a period, its last day counts; that orders were booked or sent off says nothing.
    """
    dates = [
        [] if _BEGUN.search(each.casefold()) else _DATE.findall(each.casefold())
        for each in (name, other)
    ]
    own, its = days_of([date[-1] if date else "" for date in dates])
    return -1 < own < its


def _day(tab: str) -> tuple[str, int] | None:
    """Return what kind of a day a tab is named as, and its number among such days."""
    if len(tab) > _LONGEST:
        return None
    words = [word[:3] if word in _LONG else word for word in _WORD.findall(tab.casefold())]
    numbers = [int(word) for word in words if word.isdecimal()]
    if numbers and numbers[0] > _LAST_DAY:  # 2026-11-27
        numbers = numbers[:0:-1]
    rest = {word for word in words if not word.isdecimal()} - {"st", "nd", "rd", "th"}
    month = next((_MONTHS.index(word) + 1 for word in words if word in _MONTHS), 0)
    weekday = next((_DAYS.index(word) for word in words if word in _DAYS), None)
    if not month and len(numbers) > 1:
        month = numbers.pop(1)
        if month > _LAST_MONTH >= numbers[0]:
            month, numbers[0] = numbers[0], month
    if month > _LAST_MONTH or any(not 0 < day <= _LAST_DAY for day in numbers[:1]):
        return None
    if month:
        return ("date", month * _LAST_DAY + numbers[0]) if numbers else ("month", month)
    if weekday is not None:
        return "weekday", weekday
    if len(numbers) == 1 and rest <= _NUMBERED:
        return ("number" if not rest else "counted"), numbers[0]
    return None
