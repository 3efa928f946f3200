"""Read a column of dates into instants: vectorised where the shape is plain, exact everywhere.

One cell becomes an instant or a wall-clock time by exact shapes only, never by a guess.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.free_text import are_alike
from schemas.courier import DateRule
from schemas.normalise import INVISIBLE, is_absent
from schemas.vocabulary import CellKind

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_WEEKDAY = r"(?:(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:[a-z]*day)?[.,]?\s+)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_HALF = r"\s*(?P<half>[ap]\.?m\.?)?\s*(?:hrs?\.?|hours|h|uhr)?"
_CLOCK = (
    r"(?P<hour>\d{1,2})(?P<point>[:.])(?P<minute>\d{2})"
    r"(?:(?P=point)(?P<second>\d{2})(?:[.,:](?P<part>\d{1,9}))?)?"
)
_INDIA = r"\s*(?:\(?india standard time\)?|ist|\[asia/(?:kolkata|calcutta)\])"
_GREENWICH = r"\s*(?:\(?coordinated universal time\)?|\(?greenwich mean time\)?|utc|gmt|\[utc\])"
_ZONE = (
    rf"(?P<zone>z|utc|gmt|ist|(?:gmt|utc)?\+05:?30(?:{_INDIA})?"
    rf"|(?:gmt|utc)?[+-]00:?00(?:{_GREENWICH})?|(?:gmt|utc)?[+-]\d{{2}}:?\d{{2}})"
)
_TIME = (
    r"(?:(?:\s*[t,]\s*|\s+(?:(?:at|um|-)\s+)?)"
    rf"(?:{_CLOCK}{_HALF}|(?P<packed>\d{{4}}|\d{{6}})\s*(?:hrs?\.?)?)\s*{_ZONE}?)?"
)
_TIME_OF_NAMED = _TIME.replace(r"\s*[t,]\s*|", r"\s*[t,:]\s*|", 1)
_DAYS = (
    r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
    r"(?P<first>\d{1,2})(?P<sep>[-/. ])(?P<second_>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
)
_NAMED_DAYS = (
    rf"{_DAY}[-/ .,]*(?P<name>[a-z]{{3,9}})[-/ .,]*{_YEAR}",
    rf"(?P<name>[a-z]{{3,9}})[-/ .]*{_DAY}[-/ ,]+{_YEAR}",
)
_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        *(_WEEKDAY + day + _TIME for day in (*_DAYS, r"(?P<eight>\d{8})")),
        *(_WEEKDAY + day + _TIME_OF_NAMED for day in _NAMED_DAYS),
        # 20261127101500; what a program prints of a date in C or Java; the time before the date.
        r"(?P<eight>20\d{6})(?P<packed>\d{6})",
        rf"{_WEEKDAY}(?P<name>[a-z]{{3,9}})\s+{_DAY}\s+{_CLOCK}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})",
        *(rf"{_CLOCK}{_HALF}[\s,]+(?:on\s+)?{day}" for day in (*_DAYS, *_NAMED_DAYS)),
    )
)
_NOTHING = re.compile(
    r"#+|0?0:00(?::00)?|[-'.]+|0{4}[-/]0{2}[-/]0{2}.*|1900[-/]01[-/]00.*|00?[-/]00?[-/](19|00)00.*"
)
_IST = timezone(timedelta(hours=5, minutes=30))
_EPOCH_DAY = date(1970, 1, 1)
_EXCEL_ZERO = (date(1899, 12, 30), date(1899, 12, 31))
_EXCEL_START = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial number is wall-clock time
_EPOCH_DIGITS = {"epoch": {10, 13}, "epoch_seconds": {10}, "epoch_millis": {13}}
_LONGEST = 64
_LAST_SERIAL = 2_958_465


class DateReading(Struct, frozen=True):
    """A date cell's moment. ``at`` is aware for an instant, naive for wall-clock time.

    Without ``at`` the cell says nothing (``absent``) or is not a date.
    """

    at: datetime | None = None
    absent: bool = False


#: A time of day alone: its date stands in another column, or nowhere.
_CLOCK_ALONE = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]\.?m\.?)?")

_ABSENT = DateReading(absent=True)
_UNREADABLE = DateReading()


def read_date(cell: str, rule: DateRule) -> DateReading:
    """Read one cell (hazards, section D)."""
    text = cell.strip(INVISIBLE + " \t\r\n\u00a0").casefold()
    if is_absent(text) or _NOTHING.fullmatch(text) or _CLOCK_ALONE.fullmatch(text):
        return _ABSENT
    if len(text) > _LONGEST:
        return _UNREADABLE
    try:
        at = _read(text.removeprefix("'"), rule)
    except (ValueError, OverflowError):
        return _UNREADABLE
    if at is None:
        return _UNREADABLE
    if at.date() == _EPOCH_DAY or at.date() in _EXCEL_ZERO:
        return _ABSENT
    return DateReading(at=at)


def with_years(cells: pa.Array, latest: datetime) -> pa.Array:
    """Return dates without a year, as spreadsheets show them (29-Nov), with the year they are of.

    The last one in which the day is not after ``latest`` (aware). A month before a number (Nov-29)
    may have that for its year, and a month in digits its day for one: both stay as they are.
    """
    encoded = cells.dictionary_encode()
    texts = [_with_year(cell, latest) for cell in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _with_year(cell: str, latest: datetime) -> str:
    found = _NO_YEAR.fullmatch(cell.strip())
    if found is None:
        return cell
    for year in (latest.year, latest.year - 1):
        text = f"{found[1]}-{found[2]}-{year}{found[3] or ''}"
        at = read_date(text, DateRule()).at
        if at is not None and at.date() <= latest.date():
            return text
    return cell


_NO_YEAR = re.compile(r"(?i)(\d{1,2})(?:st|nd|rd|th)?[-/ .]*([a-z]{3,9})([ ,]+\d{1,2}[:.]\d{2}.*)?")


def with_clocks(dates: pa.Array, clocks: pa.Array, otherwise: pa.Array) -> pa.Array:
    """Join dates and the times of day beside them, where a cell is no more than that.

    HHMM loses its leading zeros in a spreadsheet: 930 is 09:30. ``otherwise``: the other cells.
    """
    date, clock = pc.utf8_trim_whitespace(dates), pc.utf8_trim_whitespace(clocks)
    fits = pc.and_(
        pc.match_substring_regex(date, _DATE_CELL), pc.match_substring_regex(clock, _CLOCK_CELL)
    )
    packed = pc.match_substring_regex(clock, r"^[0-9]{3}$")
    padded = pc.if_else(packed, pc.utf8_lpad(clock, width=4, padding="0"), clock)
    return pc.if_else(fits, pc.binary_join_element_wise(date, padded, "T"), otherwise)


_DATE_CELL = r"^'?[0-9A-Za-z]+(?:[-/. ,]+[0-9A-Za-z]+){2}$|^[0-9]{8}$"
_CLOCK_CELL = r"(?i)^[0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2})?(?: ?[ap]\.?m\.?)?$|^[0-9]{3,4}$"


def clock_alone(cell: str) -> int | None:
    """Return the milliseconds since midnight of a time of day alone, None for all else."""
    text = cell.strip(INVISIBLE + " \t\r\n\u00a0").casefold()
    if not _CLOCK_ALONE.fullmatch(text):
        return None
    at = read_date(f"2026-01-01 {text}", DateRule()).at
    return None if at is None else ((at.hour * 60 + at.minute) * 60 + at.second) * 1000


def _read(text: str, rule: DateRule) -> datetime | None:
    if rule.read_as != "text":
        at = _declared(text, rule.read_as)
        if at is not None:
            return at
    for shape in _SHAPES:
        match = shape.fullmatch(text)
        if match:
            return _assemble(match.groupdict(), rule)
    return None


def _declared(text: str, read_as: str) -> datetime | None:
    """Return the moment of a number, in a column that is declared to hold instants or serials."""
    number = re.fullmatch(r"(\d+)(?:\.(\d+))?", text)
    if not number:
        return None
    whole, part = number.group(1), number.group(2)
    if read_as == "serial":
        serial = float(text)
        if not 1 <= serial <= _LAST_SERIAL or 60 <= serial < 61:
            raise ValueError(text)
        return _EXCEL_START + timedelta(days=serial if serial > 60 else serial + 1)
    if int(whole) == 0:
        return datetime(1970, 1, 1, tzinfo=UTC)
    if len(whole) not in _EPOCH_DIGITS[read_as] or (part and part.strip("0")):
        raise ValueError(text)
    return datetime.fromtimestamp(int(whole) / (1 if len(whole) == 10 else 1000), UTC)


def _assemble(found: dict[str, str | None], rule: DateRule) -> datetime | None:
    day = _day(found, rule)
    if day is None:
        return None
    clock = _clock(found)
    zone = _zone(found.get("zone"))
    return datetime.combine(day, clock, zone)


def _day(found: dict[str, str | None], rule: DateRule) -> date | None:
    eight = found.get("eight")
    if eight:
        return _eight_digits(eight, rule)
    year = int(found["year"] or 0)
    if len(found["year"] or "") == 2:
        year += 2000
    name = found.get("name")
    if name:
        month = _MONTHS.get(name)
        return None if month is None else date(year, month, int(found["day"] or 0))
    if found.get("month"):
        return date(year, int(found["month"] or 0), int(found["day"] or 0))
    first, second = int(found["first"] or 0), int(found["second_"] or 0)
    if rule.is_day_first(found["sep"] or ""):
        return date(year, second, first)
    return date(year, first, second)


def _eight_digits(text: str, rule: DateRule) -> date:
    """Read DDMMYYYY (or MMDDYYYY), or YYYYMMDD: a year 19xx or 20xx is never day and month too."""
    if text[4:6] in {"19", "20"}:
        first, second = int(text[:2]), int(text[2:4])
        day, month = (first, second) if rule.is_day_first("") else (second, first)
        return date(int(text[4:]), month, day)
    if text[:2] not in {"19", "20"}:
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _clock(found: dict[str, str | None]) -> time:
    packed = found.get("packed")
    if packed:
        return time(int(packed[:2]), int(packed[2:4]), int(packed[4:] or 0))
    if not found.get("hour"):
        return time()
    hour = int(found["hour"] or 0)
    half = found.get("half")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    micro = int((found.get("part") or "").ljust(6, "0")[:6])
    return time(hour, int(found["minute"] or 0), int(found["second"] or 0), micro)


def _zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text in {"z", "utc", "gmt"}:
        return UTC
    text = re.sub(r"^(?:gmt|utc)(?=[+-])", "", text)
    if text == "ist":
        return _IST
    sign = -1 if text[0] == "-" else 1
    digits = text[1:6].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


ABSENT = -(2**62) - 1
"""Stands where a cell says that there is no date."""

UNREADABLE = -(2**62)
"""Stands where a cell is no date that this courier writes."""

# Plain shapes lie in this century: 1970-01-01 means "never" and takes the exact path.
_PLAIN_CLOCK = r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)?"
_YEAR_FIRST = rf"^20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]){_PLAIN_CLOCK}$"
_DAY_FIRST = {
    separator: rf"^(0[1-9]|[12]\d|3[01])[{separator}](0[1-9]|1[0-2])[{separator}]"
    rf"(20\d\d)({_PLAIN_CLOCK})$"
    for separator in "-/."
}
_MONTH_FIRST = {
    separator: rf"^(0[1-9]|1[0-2])[{separator}](0[1-9]|[12]\d|3[01])[{separator}]"
    rf"(20\d\d)({_PLAIN_CLOCK})$"
    for separator in "-/."
}


class Times(Struct, frozen=True, kw_only=True):
    """A column's instants: milliseconds since the epoch (UTC), ``ABSENT`` or ``UNREADABLE``."""

    ms: npt.NDArray[np.int64]

    @property
    def read(self) -> npt.NDArray[np.bool_]:
        """Return True where there is an instant."""
        mask: npt.NDArray[np.bool_] = (self.ms != ABSENT) & (self.ms != UNREADABLE)
        return mask

    def at(self, rows: npt.NDArray[np.int64]) -> "Times":
        """Return the instants of some rows."""
        return Times(ms=self.ms[rows])

    def without(self, rows: npt.NDArray[np.int64]) -> "Times":
        """Return the same with those of some rows absent."""
        ms = self.ms.copy()
        ms[rows] = ABSENT
        return Times(ms=ms)


def read_times(
    cells: pa.Array, kinds: npt.NDArray[np.int8] | None, rule: DateRule, zone: ZoneInfo
) -> Times:
    """Read a column of date cells; those without a zone are in ``zone``.

    Cells that a spreadsheet stored as dates hold ISO text and are never day- or month-first.
    """
    if are_alike(cells):
        encoded = cells.dictionary_encode()
        ms = _read_values(encoded.dictionary, rule, zone)[encoded.indices]
    else:
        ms = _read_values(cells, rule, zone)
    if kinds is not None:
        ms = np.where(kinds == CellKind.ERROR, ABSENT, ms)
    return Times(ms=ms)


def local_dates(times: Times, zone: ZoneInfo, form: str) -> pa.DictionaryArray:
    """Write each instant as its date in ``zone`` (``strftime`` format), null where there is none.

    They are encoded as a dictionary, in which a date may come again.
    """
    encoded = pa.array(times.ms, mask=~times.read).dictionary_encode()
    instants = encoded.dictionary.cast(pa.timestamp("ms", tz=zone.key))
    days = pc.local_timestamp(instants).cast(pa.date32(), safe=False).dictionary_encode()
    texts = pa.array([day.strftime(form) for day in days.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices, texts.take(days.indices))


def _read_values(values: pa.Array, rule: DateRule, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Read cells: the plain shapes all at once, the others one by one."""
    if rule.read_as == "text" and (every := _cast_iso(values, zone)) is not None:
        return every
    ms = np.full(len(values), ABSENT, dtype=np.int64)
    left = np.ones(len(values), dtype=np.bool_)
    if rule.read_as == "text":
        for texts, where in _plain(values, rule):
            wall = _cast(texts, zone)
            if wall is not None:
                ms[where] = wall
                left[where] = False
    odd = np.flatnonzero(left)
    if len(odd):
        ms[odd] = [_instant(read_date(cell, rule), zone) for cell in values.take(odd).to_pylist()]
    return ms


_ISO_LENGTHS = pa.array(
    [*map(len, ("2026-11-28", "2026-11-28 10:15", "2026-11-28 10:15:30"))], pa.int32()
)


def _cast_iso(values: pa.Array, zone: ZoneInfo) -> npt.NDArray[np.int64] | None:
    """Cast a column of nothing but ISO text; None where it has anything else.

    Of texts of these lengths, Arrow casts those that ``_YEAR_FIRST`` matches and no others, in a
    fifth of the time.
    """
    sized = pc.is_in(pc.binary_length(values), value_set=_ISO_LENGTHS)
    plain = pc.and_(sized, pc.starts_with(values, "20"))
    return _cast(values, zone) if pc.all(plain).as_py() else None


def _plain(values: pa.Array, rule: DateRule) -> list[tuple[pa.Array, npt.NDArray[np.int64]]]:
    """Return cells of plain shape as ISO text, with their positions."""
    found = []
    hits = pc.match_substring_regex(values, _YEAR_FIRST).to_numpy(zero_copy_only=False)
    if hits.any():
        where = np.flatnonzero(hits)
        found.append((values.take(pa.array(where)), where))
    left = np.flatnonzero(~hits)  # mostly nothing: a column has one shape
    for separator in "-/.":
        if not len(left):
            break
        day_first = rule.is_day_first(separator)
        pattern = (_DAY_FIRST if day_first else _MONTH_FIRST)[separator]
        rest = values.take(pa.array(left))
        hits = pc.match_substring_regex(rest, pattern).to_numpy(zero_copy_only=False)
        if hits.any():
            order = r"\3-\2-\1\4" if day_first else r"\3-\1-\2\4"
            texts = pc.replace_substring_regex(rest.filter(pa.array(hits)), pattern, order)
            found.append((texts, left[hits]))
            left = left[~hits]
    return found


def _cast(texts: pa.Array, zone: ZoneInfo) -> npt.NDArray[np.int64] | None:
    """Cast ISO text to instants, all or none: None when one of them is no day of the calendar."""
    try:
        wall = texts.cast(pa.timestamp("ms"))
    except pa.ArrowInvalid:
        return None
    aware = pc.assume_timezone(wall, zone.key, ambiguous="earliest", nonexistent="latest")
    instants: npt.NDArray[np.int64] = aware.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return instants


def _instant(reading: DateReading, zone: ZoneInfo) -> int:
    if reading.at is None:
        return ABSENT if reading.absent else UNREADABLE
    at: datetime = reading.at
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return round(at.timestamp() * 1000)
