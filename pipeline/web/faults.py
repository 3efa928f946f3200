"""The rows of a drop that need a person, read from its rejects file and grouped by fault."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.formula_guard import unguard_array
from pipeline.core.model import SheetFacts
from pipeline.core.row_keys import RowKey, in_words, row_key
from pipeline.reporting.rejects_csv import LEADING, LEADING_WITH_SHEET
from pipeline.web.sheets import Identity, identity_of, read_table
from schemas.codes import Code
from schemas.display import one_line
from schemas.vocabulary import Role

_FURTHER: Final = re.compile(r"[:;,](?= )|\.$")
VALUES_SHOWN: Final = 20
"""Values of one fault that are listed; the grid has them all."""

_HERE: Final[Mapping[str, str]] = {
    Code.STATUS_MISSING: "Enter the status as the courier gives it, or set the row aside.",
    Code.STATUS_UNKNOWN: (
        "Correct the spelling, or choose one from the list in the cell. If the courier really "
        "uses this word, teach it."
    ),
    Code.STATUS_UNCONFIRMED: "Say what the status means: teach Shipdrop this file.",
    Code.STATUS_CONFLICT: "Find out which is true, and set the other rows of this order aside.",
    Code.PARCELS_OPEN: (
        "Upload a file in which all parcels of the order have reached it. If they all have, tick "
        "the row."
    ),
    Code.NOT_SELF_SHIP: "Set the row aside, or correct the self-ship column.",
    Code.ROW_RAGGED: (
        "Put a text that a comma cut in two back into one cell, move the cells after it under "
        "their headings, and fill in those that are missing."
    ),
    Code.API_REFUSED: (
        "Read Fynd's answer. Correct the row and send it again, or set it aside where the order "
        "is in the right state already."
    ),
    Code.EARLIER_FAILED: "Correct the earlier row first; both are here.",
}
"""Code → advice for the page, where it differs from that for a spreadsheet."""

IDENTIFIERS: Final = (Role.ORDER_ID, Role.AWB)
"""Roles that identify a row: corrected one row at a time."""


class Rejects(Struct, frozen=True, kw_only=True):
    """A rejects file, its cells as they were in the dropped file.

    ``headers``: the original columns. ``columns``: role → place among them. ``rows``, ``codes``,
    ``messages``, ``drops``: what we wrote before them, a value per line. A line of another drop
    than the file's came back with rows of several drops: its number is one of that drop's.
    ``sheets``: the sheet of each line, None in a file that does not name it.
    """

    identity: Identity
    headers: tuple[str, ...]
    columns: Mapping[str, int]
    table: pa.Table
    rows: pa.ChunkedArray
    codes: pa.ChunkedArray
    messages: pa.ChunkedArray
    drops: pa.ChunkedArray
    sheets: pa.ChunkedArray | None = None

    def keys(self) -> list[RowKey]:
        """Return for each line the row that it is of."""
        numbers = self.rows.to_pylist()
        sheets = [""] * len(numbers) if self.sheets is None else self.sheets.to_pylist()
        return [row_key(int(row), sheet) for row, sheet in zip(numbers, sheets, strict=True)]

    def keys_of(self, drop_id: str) -> dict[int, RowKey]:
        """Return line → row, of the rows of this drop."""
        mine = pc.equal(self.drops, drop_id).to_pylist()
        return {line: key for line, key in enumerate(self.keys()) if mine[line]}

    def called(self, line: int) -> str:
        """Return what people call the row of a line: ``12``, or ``12 of North``."""
        sheet = "" if self.sheets is None else self.sheets[line].as_py()
        return in_words(row_key(int(self.rows[line].as_py()), sheet))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def identifies(self, column: int) -> bool:
        """Return whether this column holds order ids or AWBs."""
        return column in {self.columns.get(role) for role in IDENTIFIERS}


class ValueFault(Struct, frozen=True, kw_only=True):
    """A value that is wrong in ``count`` rows."""

    value: str
    count: int


class FaultGroup(Struct, frozen=True, kw_only=True):
    """A fault: code and column, how many rows have it, which values, and what to do about it.

    ``column``: its place among the original columns, None when the fault concerns the row.
    """

    label: str
    code: str
    header: str
    column: int | None
    count: int
    what: str
    fix: str
    values: Sequence[ValueFault]
    more_values: int

    @property
    def here(self) -> str:
        """Return the advice for the page."""
        return _HERE.get(self.code, self.fix)

    @property
    def brief(self) -> str:
        """Return a fault as the text of a button: up to the first reason or list."""
        return _FURTHER.split(self.what or self.code, maxsplit=1)[0]

    @property
    def replaceable(self) -> bool:
        """Return True when a value is wrong in itself, so that it may be replaced everywhere.

        Of two endings of one order neither word is wrong. An order id or AWB belongs to one row:
        a damaged id that is in many rows was different in each.
        """
        role = self.label.partition(":")[2]
        return bool(self.values) and self.code != Code.STATUS_CONFLICT and role not in IDENTIFIERS


def read_rejects(path: Path, sheets: Sequence[SheetFacts]) -> Rejects:
    """Read a rejects file; ``sheets`` as in the drop's facts. Raises StorageError, OSError."""
    identity = identity_of(path)
    header, table = read_table(path)
    has_sheets = header[: len(LEADING_WITH_SHEET)] == LEADING_WITH_SHEET
    lead = len(LEADING_WITH_SHEET if has_sheets else LEADING)
    plain = pa.table(
        {name: unguard_array(_whole(table.column(name))) for name in table.column_names}
    )
    headers = header[lead:]
    return Rejects(
        identity=identity,
        headers=headers,
        columns=_roles(headers, sheets),
        table=plain.select(range(lead, len(header))).rename_columns(
            [f"c{n}" for n in range(len(headers))]
        ),
        rows=plain.column(0),
        codes=plain.column(1),
        messages=plain.column(2),
        drops=plain.column(3),
        sheets=plain.column(4) if has_sheets else None,
    )


def grouped(rejects: Rejects) -> list[FaultGroup]:
    """Return the faults of the file, the most frequent first."""
    counts: Counter[str] = Counter()
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for codes, count in _value_counts(rejects.codes):
        for label in filter(None, codes.split(";")):
            counts[label] += count
    for label in counts:
        column = rejects.columns.get(label.partition(":")[2])
        if column is not None:
            values[label] = _values_with(rejects, label, column)
    return [_group(rejects, label, n, values.get(label)) for label, n in counts.most_common()]


def bad_columns(rejects: Rejects, codes: str) -> list[int]:
    """Return the places among the original columns of the cells that these codes are about."""
    roles = (label.partition(":")[2] for label in codes.split(";"))
    return list(dict.fromkeys(rejects.columns[each] for each in roles if each in rejects.columns))


def _group(rejects: Rejects, label: str, count: int, values: "Counter[str] | None") -> FaultGroup:
    code, _, role = label.partition(":")
    known = Code.__members__.get(code)
    column = rejects.columns.get(role)
    common = values.most_common(VALUES_SHOWN) if values else []
    return FaultGroup(
        label=label,
        code=code,
        header=one_line(rejects.headers[column]) if column is not None else role,
        column=column,
        count=count,
        what=known.what if known else "",
        fix=known.fix if known else "See the message of each row.",
        values=[ValueFault(value=value, count=n) for value, n in common],
        more_values=max(0, len(values) - len(common)) if values else 0,
    )


def _values_with(rejects: Rejects, label: str, column: int) -> "Counter[str]":
    pairs = pa.table({"codes": rejects.codes, "value": rejects.table.column(column)})
    found: Counter[str] = Counter()
    for each in pairs.group_by(["codes", "value"]).aggregate([([], "count_all")]).to_pylist():
        if label in each["codes"].split(";"):
            found[each["value"]] += each["count_all"]
    return found


def _value_counts(column: pa.ChunkedArray) -> Iterable[tuple[str, int]]:
    for each in column.value_counts().to_pylist():
        yield each["values"], each["counts"]


def _roles(headers: Sequence[str], sheets: Sequence[SheetFacts]) -> dict[str, int]:
    """Return role → place among the columns of the rejects file, which are those of its sheets."""
    found: dict[str, int] = {}
    for sheet in sheets:
        for role, index in sheet.roles.items():
            name = sheet.headers[index]
            if role not in found and name in headers:
                found[role] = headers.index(name)
    return found


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
