"""Rows of a file by their numbers, in a file of several sheets by sheet and number.

A drop's facts keep them as JSON: ``12``, or ``["North", 12]``. In a file of several sheets a number
alone was noted by an earlier Shipdrop, or read in a rejects file that names no sheet: it may be
that of several rows.
"""

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct

RowKey = int | tuple[str, int]
"""A row's number, or sheet and number."""


def row_key(number: int, sheet: str = "") -> RowKey:
    """Return the key of a row; ``sheet``: "" where its file has only one."""
    name = " ".join(sheet.split())
    return (name, number) if name else number


def number_of(key: RowKey) -> int:
    """Return the row's number."""
    return key if isinstance(key, int) else key[1]


def sheet_of(key: RowKey) -> str:
    """Return the sheet's name, "" where none is known."""
    return "" if isinstance(key, int) else key[0]


def in_words(key: RowKey) -> str:
    """Return the row as people call it: ``12``, or ``12 of North``."""
    return str(key) if isinstance(key, int) else f"{key[1]} of {key[0]}"


def in_order(keys: Iterable[RowKey]) -> tuple[RowKey, ...]:
    """Return keys sorted by number, as facts keep them."""
    return tuple(sorted(keys, key=lambda key: (number_of(key), sheet_of(key))))


def without_doubles(keys: Iterable[RowKey], others: Iterable[RowKey] = ()) -> set[RowKey]:
    """Return the keys but for numbers alone that these or others name with their sheet.

    Both may be one row, which must not be counted twice: then another would seem to be done.
    """
    keys = set(keys)
    whole = {key[1] for key in (*keys, *others) if not isinstance(key, int)}
    return {key for key in keys if not isinstance(key, int) or key not in whole}


def rows_named(keys: Collection[RowKey], rows: Iterable[RowKey]) -> set[RowKey]:
    """Return those of some rows that are named for certain.

    A number alone is that of the only row that has it; of several it names none.
    """
    rows = list(rows)
    every, having = Counter(rows), Counter(map(number_of, rows))
    numbers = {
        number_of(key) for key in keys if isinstance(key, int) or number_of(key) in every
    }  # no sheet is named, or the rows have none
    numbers = {number for number in numbers if having[number] == 1}
    sole = (row for row, count in every.items() if count == 1)
    return {row for row in sole if row in keys or number_of(row) in numbers}


def rows_meant(keys: Collection[RowKey], rows: Iterable[RowKey]) -> set[RowKey]:
    """Return those of some rows that may be named: a number alone names each row that has it."""
    rows = list(rows)
    return {row for row in rows if row in keys or number_of(row) in keys} | rows_named(keys, rows)


class RejectedRow(Struct, frozen=True, kw_only=True):
    """A row of an earlier drop that was given back. Earlier builds kept less: there it is "".

    ``order_id`` and ``awb`` as the file had them; ``milestone``: its status, 0 where that is
    not known; ``said``: its status, type and direction, as one text;
    ``codes``: of its own faults; ``around``: the evidence about it (``validation.evidence.kept``).
    """

    sheet: str
    order_id: str
    awb: str = ""
    milestone: int = 0
    said: str = ""
    codes: str = ""
    around: str = ""
