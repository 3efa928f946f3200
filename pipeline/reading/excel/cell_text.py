"""Turn spreadsheet cells into text, with the kind of each cell before it became text.

A number's text is what a person would read as the same number: ``123456`` for 123456.0, and
Python's shortest exact form from 10^15 on, where digits have been lost, and for fractions. Dates
are ISO 8601: ``2024-06-26T10:00:00``, the date alone at midnight, the time alone without a date
(Excel's day 0); seconds are rounded, because a date cell is a binary fraction of a day.
Durations are ``h:mm:ss``. The native reader gives error cells and formulas without a stored
value as empty text.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.limits import EXACT_DIGITS
from schemas.vocabulary import CellKind

Column = tuple[pa.Array, npt.NDArray[np.int8] | None]
"""A column's text, and its ``CellKind`` per row (None: all of it is text)."""

_EXACT = 10.0**EXACT_DIGITS


def text_of(value: object) -> str:
    """Return one cell's text. ``value`` comes from the native reader."""
    return _TEXTS[type(value)](value)


def column_of(values: Sequence[Any]) -> Column:
    """Return a column's text and its ``CellKind`` per row, None if all of it is text."""
    types = set(map(type, values))
    if types <= {str}:
        return pa.array(values, pa.string()), None
    kinds = np.fromiter(map(_KINDS.__getitem__, map(type, values)), np.int8, len(values))
    if len(types) == 1 and (quick := _ALIKE.get(next(iter(types)))):
        texts = quick(values)
        if texts is not None:
            return texts, kinds
    texts = [_TEXTS[type(value)](value) for value in values]
    return pa.array(texts, pa.string()), kinds


def joined(pieces: Sequence[Column]) -> Column:
    """Return consecutive pieces of a column as one."""
    texts = pa.concat_arrays([text for text, _ in pieces])
    if all(kinds is None for _, kinds in pieces):
        return texts, None
    return texts, np.concatenate(
        [np.zeros(len(text), np.int8) if kinds is None else kinds for text, kinds in pieces]
    )


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return repr(value)


def _moment(value: dt.datetime) -> str:
    if value.microsecond:
        up = dt.timedelta(seconds=1 if value.microsecond >= 500_000 else 0)
        value = value.replace(microsecond=0)
        # The last second there is has no next one.
        if value.date() < dt.date.max:
            value += up
    if not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return value.isoformat()


def _time(value: dt.time) -> str:
    moment = dt.datetime.combine(dt.date(2000, 1, 1), value)
    return (moment + dt.timedelta(milliseconds=500)).time().replace(microsecond=0).isoformat()


def _duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    minutes, second = divmod(abs(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{'-' if seconds < 0 else ''}{hour}:{minute:02}:{second:02}"


def _dates(values: Sequence[dt.date]) -> pa.Array:
    return pa.array(values, pa.date32()).cast(pa.string())


def _whole_numbers(values: Sequence[float]) -> pa.Array | None:
    numbers = np.array(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    if not ((whole == numbers) & (np.abs(numbers) < _EXACT)).all():
        return None
    return pa.array(whole).cast(pa.string())


def _moments(values: Sequence[dt.datetime]) -> pa.Array | None:
    if any(value.microsecond for value in values):
        return None
    moments = pa.array(values, pa.timestamp("s"))
    if not (moments.cast(pa.int64()).to_numpy() % 86400).all():
        return None
    return pc.replace_substring(moments.cast(pa.string()), " ", "T")


#: Columns of one type, at once; None where a cell needs a closer look.
_ALIKE: Mapping[type, Callable[[Any], pa.Array | None]] = {
    dt.date: _dates,
    dt.datetime: _moments,
    float: _whole_numbers,
}

_TEXTS: Mapping[type, Callable[[Any], str]] = {
    str: str,
    float: _number,
    int: lambda value: _number(float(value)),
    bool: lambda value: "TRUE" if value else "FALSE",
    dt.datetime: _moment,
    dt.date: dt.date.isoformat,
    dt.time: _time,
    dt.timedelta: _duration,
}

_KINDS: Mapping[type, CellKind] = {
    str: CellKind.TEXT,
    float: CellKind.NUMBER,
    int: CellKind.NUMBER,
    bool: CellKind.BOOLEAN,
    dt.datetime: CellKind.DATE,
    dt.date: CellKind.DATE,
    dt.time: CellKind.DATE,
    dt.timedelta: CellKind.DATE,
}
