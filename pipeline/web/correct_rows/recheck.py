"""Check rows as they are now by the code of a run; keep the result until they change."""

import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from pipeline.core.errors import ShipdropError
from pipeline.service.check import check_file_rows
from pipeline.web.context import WebContext
from pipeline.web.correct_rows import corrected_file
from pipeline.web.correct_rows.load import table_of
from pipeline.web.correct_rows.table import Table
from pipeline.web.faults import bad_columns
from schemas.codes import ERRORS, Code
from schemas.vocabulary import Role

_JUDGES: Final = threading.BoundedSemaphore(1)
"""One at a time: the rows are read by the process that reads files."""
_BEGUN: Final = threading.Event()
_AT_ONCE: Final = 10_000
"""Rows judged together; the run that takes them judges whatever is beyond."""
_FIRST_ROW: Final = 2
"""Record number of the first row below a header."""

_ROW: Final = re.compile(r'\b([Rr]ow) (\d{1,6})\b(?! of ")')
"""A row of the file that is judged; ``row 3 of "monday.csv"`` is one of another file."""

Faults = tuple[tuple[str, str], ...]
"""Faults of a row: column ("" where they concern the row) and message."""


def rechecked_table(ctx: WebContext, drop_id: str, *, again: bool = False) -> Table:
    """Return the rows to correct, with each changed or ticked row checked.

    ``again``: wrong rows are checked once more, since the courier's profile may have changed.
    Raises NotThere, NotPossible; with ``again`` also UsageError and StorageError, where rows
    cannot be checked.
    """
    table = table_of(ctx, drop_id)
    lines = _unchecked(table, again=again)
    if not lines:
        return table
    try:
        with _JUDGES:
            judged = recheck_rows(ctx, table, lines)
    except ShipdropError:
        if again:
            raise
        return table
    keep_faults(ctx, table, judged)
    return table_of(ctx, drop_id)


def get_ready(ctx: WebContext, table: Table) -> None:
    """Start the process that reads files, so that the first cell is judged as quickly as others."""
    lines = table.lines_left[:1].tolist()
    if not lines or _BEGUN.is_set():
        return
    _BEGUN.set()
    threading.Thread(target=_recheck_idly, args=(ctx, table, lines), daemon=True).start()


def _recheck_idly(ctx: WebContext, table: Table, lines: Sequence[int]) -> None:
    with suppress(ShipdropError), _JUDGES:
        recheck_rows(ctx, table, lines)


def recheck_orders(ctx: WebContext, table: Table) -> Table:
    """Return the table with the ready rows checked together with other rows of their orders.

    One parcel of an order proves nothing while another is open. A row that a user ticked as it is
    counts as confirmed. Raises UsageError, StorageError.
    """
    changed, chosen = table.changed, table.draft.chosen
    going = table.groups.ready.tolist()
    ready = {line for line in going if changed[line] or not chosen.get(line)}
    lines = _of_split_orders(table, ready)
    if not lines:
        return table
    with _JUDGES:
        judged = recheck_rows(ctx, table, lines)
    keep_faults(ctx, table, {line: judged[line] for line in lines if line in ready})
    return table_of(ctx, table.drop.drop_id)


def _of_split_orders(table: Table, ready: Set[int]) -> list[int]:
    """Return the open rows of each order of which some are ready and some are not."""
    column, left = table.rejects.columns.get(Role.ORDER_ID), table.lines_left
    if column is None or not ready:
        return []
    ids = table.column(column, left)
    orders: dict[str, list[int]] = defaultdict(list)
    for line, order_id in zip(left.tolist(), ids.to_pylist(), strict=True):
        orders[order_id.strip()].append(line)
    split = (each for each in orders.values() if 0 < len(ready & set(each)) < len(each))
    return sorted(line for each in split for line in each)[:_AT_ONCE]


def _unchecked(table: Table, *, again: bool) -> list[int]:
    touched, judged = table.touched.copy(), table.draft.judged
    # Rows of a refused file that were sound may be wrong beside others.
    touched[[line for line, found in judged.items() if found and line < len(touched)]] = True
    left = table.lines_left
    lines = left[touched[left]].tolist()
    return [line for line in lines if line not in judged or (again and judged[line])][:_AT_ONCE]


def recheck_rows(ctx: WebContext, table: Table, lines: Sequence[int]) -> dict[int, Faults]:
    """Return the faults of rows as they are now; none for those that are sound.

    Raises UsageError, StorageError.
    """
    with tempfile.TemporaryDirectory(prefix="shipdrop-rows-") as folder:
        path = Path(folder) / corrected_file.corrected_name(table.drop.source_file)
        corrected_file.write_corrected(path, table, np.array(lines, np.int64))
        checked = check_file_rows(ctx.site, path, courier=table.drop.courier or None)
    refused = (checked.summary["refused"] or {}).get("message", "")
    if refused and not checked.rejected:
        return dict.fromkeys(lines, (("", refused),))
    numbers = [table.rejects.called(line) for line in lines]
    found: dict[int, Faults] = {}
    for at, line in enumerate(lines, _FIRST_ROW):
        codes, message = checked.rejected.get(at, ("", ""))
        found[line] = _faults(table, codes, _of_the_file(message, numbers))
    return found


def _of_the_file(message: str, numbers: Sequence[str]) -> str:
    """Return a message with the rows' numbers in the file that was uploaded."""

    def number(found: re.Match[str]) -> str:
        at = int(found[2]) - _FIRST_ROW
        return f"{found[1]} {numbers[at]}" if 0 <= at < len(numbers) else found[0]

    return _ROW.sub(number, message)


def keep_faults(ctx: WebContext, table: Table, judged: Mapping[int, Faults]) -> None:
    """Keep judgements of rows that are still as they were. Raises StorageError."""
    seen = table.draft
    with ctx.drafts.changing(table.drop.drop_id, table.rejects) as sheet:
        now = sheet.draft
        same = {
            line: faults
            for line, faults in judged.items()
            if now.cells.get(line) == seen.cells.get(line)
            and now.chosen.get(line) == seen.chosen.get(line)
            and now.rules == seen.rules
        }
        sheet.draft = replace(now, judged={**now.judged, **same})


def _faults(table: Table, codes: str, message: str) -> Faults:
    """Return each wrong column with the row's message; the row itself where no column is."""
    if not codes and not message:
        return ()
    serious = ";".join(each for each in codes.split(";") if _is_error(each))
    places = bad_columns(table.rejects, serious)
    return tuple((str(place), message) for place in places) or (("", message),)


def _is_error(label: str) -> bool:
    return Code.__members__.get(label.partition(":")[0]) in ERRORS
