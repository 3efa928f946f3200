"""The corrected file: which lines of a rejects file go out, with which cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final

import pyarrow as pa
from msgspec import Struct

from pipeline.core.file_names import stem_of
from pipeline.reporting.rejects_csv import LEADING, LEADING_WITH_SHEET
from pipeline.reporting.results_csv import csv_cells, csv_header, csv_lines
from pipeline.storage.durable_files import storing
from pipeline.web.correct_rows.table import Lines, Table
from schemas.parcels import BLOCKED_AS, CONFIRMED, TO_CONFIRM
from schemas.vocabulary import Role

_NAME_BYTES: Final = 200
_ROWS_NAMED: Final = 20
"""Rows of one order id that a question names."""


def write_corrected(path: Path, table: Table, lines: Lines) -> None:
    """Write the corrected file: these lines as they are now. Raises StorageError."""
    with storing("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(_pieces(table, lines))


def corrected_name(source_file: str) -> str:
    """Return what the corrected file of a dropped file is called."""
    stem = stem_of(source_file)
    while len(stem.encode("utf-8", "replace")) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}_corrected.csv"


class SharedId(Struct, frozen=True, kw_only=True):
    """An order id that was typed into rows whose AWBs differ.

    ``rows``: number and AWB of each row that has it, ``sent``: of those that went out before.
    """

    order_id: str
    rows: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return the id and its rows in a sentence."""
        named = [f"row {row} (AWB {awb})" for row, awb in self.rows[:_ROWS_NAMED]]
        named += [f"row {row} (AWB {awb}), sent already" for row, awb in self.sent[:_ROWS_NAMED]]
        more = len(self.rows) + len(self.sent) - len(named)
        return f'"{self.order_id}": {", ".join(named)}' + (f" and {more} more" if more > 0 else "")


def shared_ids(
    table: Table, sent_with: Callable[[Set[str]], Mapping[str, Sequence[tuple[str, str]]]]
) -> list[SharedId]:
    """Find the order ids that were typed and would stand in rows with different AWBs.

    ``sent_with``: order id → row number and AWB of the rows of the same file that went out with it,
    as far as there are any.
    """
    rejects, lines = table.rejects, table.groups.ready
    ids, awbs = rejects.columns.get(Role.ORDER_ID), rejects.columns.get(Role.AWB)
    if ids is None or awbs is None:
        return []
    before = rejects.table.column(ids).take(pa.array(lines)).to_pylist()
    now, awb_of = (table.column(each, lines).to_pylist() for each in (ids, awbs))
    typed = {each.strip() for was, each in zip(before, now, strict=True) if each != was}
    rows: dict[str, list[tuple[str, str]]] = {each: [] for each in typed if each}
    for line, order_id, awb in zip(lines.tolist(), now, awb_of, strict=True):
        if order_id.strip() in rows:
            rows[order_id.strip()].append((rejects.called(line), awb.strip()))
    found, elsewhere = [], sent_with(rows.keys()) if rows else {}
    for order_id, here in rows.items():
        sent = tuple(elsewhere.get(order_id, ()))
        if len({awb.casefold() for _, awb in (*here, *sent) if awb}) > 1:
            found.append(SharedId(order_id=order_id, rows=tuple(here), sent=sent))
    return found


def _codes(table: Table, lines: Lines) -> pa.Array:
    """Return the codes of some lines, of those that came back the newest.

    A row that other rows hold, and that a user ticked since, has the confirmation instead.
    """
    joined = []
    for line, newest in zip(lines.tolist(), table.codes(lines), strict=True):
        labels = newest.split(";")
        free = [label for label in labels if label and label not in BLOCKED_AS.values()]
        told = table.draft.looked_at.get(line)
        held = not {*BLOCKED_AS.values()}.isdisjoint(labels)
        confirmed = told is not None and (TO_CONFIRM in told or held)
        joined.append(";".join([*free, CONFIRMED]) if confirmed else newest)
    return pa.array(joined, pa.string())


def _pieces(table: Table, lines: Lines) -> Iterator[bytes]:
    rejects, wanted = table.rejects, pa.array(lines)
    leading = LEADING if rejects.sheets is None else LEADING_WITH_SHEET
    yield csv_header((*leading, *rejects.headers))
    rows, messages, drops = (
        each.take(wanted) for each in (rejects.rows, rejects.messages, rejects.drops)
    )
    lead = [rows, _codes(table, lines), messages, drops]
    if rejects.sheets is not None:
        lead.append(rejects.sheets.take(wanted))
    cells = [table.column(column, lines) for column in range(len(rejects.headers))]
    yield csv_lines([csv_cells(each) for each in (*lead, *cells)])
