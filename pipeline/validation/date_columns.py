"""A column of dates into instants: vectorised where the shape is plain, exact everywhere."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.validation.date_parser import Reading, read_date
from schemas.courier import DateRule
from schemas.vocabulary import CellKind

ABSENT = -(2**62) - 1
"""Stands where a cell says that there is no date."""

UNREADABLE = -(2**62)
"""Stands where a cell is no date that this courier writes."""

# Plain shapes lie in this century: 1970-01-01 means "never" and takes the exact path.
_CLOCK = r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)?"
_YEAR_FIRST = rf"^20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]){_CLOCK}$"
_DAY_FIRST = {
    separator: rf"^(0[1-9]|[12]\d|3[01])[{separator}](0[1-9]|1[0-2])[{separator}]"
    rf"(20\d\d)({_CLOCK})$"
    for separator in "-/."
}
_MONTH_FIRST = {
    separator: rf"^(0[1-9]|1[0-2])[{separator}](0[1-9]|[12]\d|3[01])[{separator}]"
    rf"(20\d\d)({_CLOCK})$"
    for separator in "-/."
}


class Times(Struct, frozen=True, kw_only=True):
    """A column's instants: milliseconds since the epoch (UTC), ``ABSENT`` or ``UNREADABLE``."""

    ms: npt.NDArray[np.int64]

    @property
    def read(self) -> npt.NDArray[np.bool_]:
        """True where there is an instant."""
        mask: npt.NDArray[np.bool_] = (self.ms != ABSENT) & (self.ms != UNREADABLE)
        return mask

    def at(self, rows: npt.NDArray[np.int64]) -> "Times":
        """The instants of some rows."""
        return Times(ms=self.ms[rows])

    def without(self, rows: npt.NDArray[np.int64]) -> "Times":
        """The same with those of some rows absent."""
        ms = self.ms.copy()
        ms[rows] = ABSENT
        return Times(ms=ms)


def read_times(
    cells: pa.Array, kinds: npt.NDArray[np.int8] | None, rule: DateRule, zone: ZoneInfo
) -> Times:
    """Read a column of date cells; those without a zone are in ``zone``.

    Cells that a spreadsheet stored as dates hold ISO text and are never day- or month-first.
    """
    encoded = cells.dictionary_encode()
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    values = _read_values(encoded.dictionary, rule, zone)
    ms = values[indices] if len(values) else np.empty(0, dtype=np.int64)
    if kinds is not None:
        ms = np.where(kinds == CellKind.ERROR, ABSENT, ms)
    return Times(ms=ms)


def local_dates(times: Times, zone: ZoneInfo, form: str) -> pa.Array:
    """Write each instant as its date in ``zone`` (``strftime`` format), "" where there is none."""
    instants = pa.array(times.ms, mask=~times.read).cast(pa.timestamp("ms", tz="UTC"))
    local = pc.local_timestamp(instants.cast(pa.timestamp("ms", tz=zone.key)))
    days = local.cast(pa.date32(), safe=False).dictionary_encode()
    texts = [day.strftime(form) for day in days.dictionary.to_pylist()]
    return pc.fill_null(pa.array(texts, pa.string()).take(days.indices), "")


def _read_values(values: pa.Array, rule: DateRule, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Read distinct cells: the plain shapes all at once, the others one by one."""
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


def _plain(values: pa.Array, rule: DateRule) -> list[tuple[pa.Array, npt.NDArray[np.int64]]]:
    """Distinct cells of plain shape as ISO text, with their positions."""
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
    """ISO text to instants, all or none: None when one of them is no day of the calendar."""
    try:
        wall = texts.cast(pa.timestamp("ms"))
    except pa.ArrowInvalid:
        return None
    aware = pc.assume_timezone(wall, zone.key, ambiguous="earliest", nonexistent="latest")
    instants: npt.NDArray[np.int64] = aware.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return instants


def _instant(reading: Reading, zone: ZoneInfo) -> int:
    if reading.at is None:
        return ABSENT if reading.absent else UNREADABLE
    at: datetime = reading.at
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return round(at.timestamp() * 1000)
