"""Entries typed into cells: applied where they are changes, kept apart where two differ."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.model import stamp
from pipeline.service.check import check_files
from pipeline.web import correcting
from pipeline.web.access import Visitor
from pipeline.web.corrections import Table, table_of
from pipeline.web.drafts import Draft, DraftSheet
from pipeline.web.faults import Rejects
from pipeline.web.front import Front, NotPossible

_JUDGES: Final = threading.BoundedSemaphore(1)
"""One row at a time: it is read by the process that reads files."""


class Typed(Struct, frozen=True, kw_only=True):
    """A cell as somebody left it. ``had``: the text shown there before, None: the present one."""

    line: int
    column: int
    value: str
    had: str | None


class Conflict(Struct, frozen=True, kw_only=True):
    """A cell that two people changed: what stands, by whom, and what the other one typed.

    ``sent``: the row went out with what stands.
    """

    typed: Typed
    row: str
    header: str
    now: str
    who: str
    at: str
    sent: bool

    @property
    def text(self) -> str:
        """Return both values in a sentence."""
        by = f" by {self.who}" if self.who else ""
        what = "was sent meanwhile" if self.sent else "was changed meanwhile"
        return (
            f'Row {self.row}, {self.header}: {what}{by}, as "{self.now}". '
            f'Yours: "{self.typed.value}".'
        )


def take_over(
    sheet: DraftSheet, rejects: Rejects, cells: Sequence[Typed], *, who: str, at: str
) -> list[Conflict]:
    """Put typed entries into the draft; return the cells that somebody else changed meanwhile.

    Only a cell that differs from what was shown is a change: what another person typed into other
    cells stays. Where both changed one cell, what stands stays.
    """
    conflicts: list[Conflict] = []
    draft = sheet.draft
    for cell in cells:
        if cell.line >= len(rejects) or cell.column >= len(rejects.headers) or sheet.is_full:
            continue
        original = rejects.table.column(cell.column)[cell.line].as_py()
        now = draft.value(cell.line, cell.column, original)
        had = now if cell.had is None else cell.had
        if as_typed(cell.value) in {as_typed(had), as_typed(now)}:
            continue
        sent = cell.line in draft.sent
        if sent or as_typed(had) != as_typed(now):
            conflicts.append(_conflict(draft, rejects, cell, now, sent=sent))
            continue
        draft = draft.with_cell(cell.line, cell.column, cell.value, original)
        draft = replace(
            draft,
            touched={**draft.touched, cell.line: (who, at)},
            judged={line: faults for line, faults in draft.judged.items() if line != cell.line},
        )
    sheet.draft = draft
    return conflicts


def _conflict(draft: Draft, rejects: Rejects, cell: Typed, now: str, *, sent: bool) -> Conflict:
    who, at = draft.touched.get(cell.line, ("", ""))
    return Conflict(
        typed=cell,
        row=rejects.rows[cell.line].as_py(),
        header=rejects.headers[cell.column],
        now=now,
        who=who,
        at=at,
        sent=sent,
    )


def as_typed(text: str) -> str:
    """Return a text as far as a browser gives it back: it has its own line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Kept(Struct, frozen=True, kw_only=True):
    """The result of keeping a cell. ``going``: how many rows would be sent now."""

    conflicts: Sequence[Conflict]
    faults: Sequence[Mapping[str, str]] = ()
    going: int = 0


def keep(front: Front, visitor: Visitor, drop_id: str, cell: Typed) -> Kept:
    """Keep one cell, and judge its row. Raises NotThere, NotPossible, StorageError."""
    table = table_of(front, drop_id)
    if cell.line >= len(table.rejects) or cell.column >= len(table.rejects.headers):
        raise NotPossible("There is no such cell.")
    at = stamp(front.site.clock.now())
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        conflicts = take_over(sheet, table.rejects, [cell], who=visitor.name, at=at)
    if conflicts:
        return Kept(conflicts=conflicts)
    table = table_of(front, drop_id)
    lines = correcting.lines_to_send(
        table.rejects,
        table.draft,
        table.fixed,
        drop_id,
        whole_file=table.whole_file,
    )
    with _JUDGES:
        faults = judge(front, table, cell.line)
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        if sheet.draft.cells.get(cell.line) == table.draft.cells.get(cell.line):
            judged = tuple((each["place"], each["message"]) for each in faults)
            sheet.draft = replace(sheet.draft, judged={**sheet.draft.judged, cell.line: judged})
    return Kept(conflicts=(), faults=faults, going=len(lines))


def judge(front: Front, table: Table, line: int) -> list[Mapping[str, str]]:
    """Return the faults of a row as it is now, by the code of a run: column (or "") and message.

    Raises UsageError, StorageError.
    """
    with tempfile.TemporaryDirectory(prefix="shipdrop-row-") as folder:
        path = Path(folder) / correcting.corrected_name(table.drop.source_file)
        lines = np.array([line], np.int64)
        correcting.write_corrected(path, table.rejects, table.draft, lines)
        (checked,) = check_files(front.site, [path], courier=table.drop.courier or None, out=None)
    return [_fault(table, each) for each in checked.summary["errors"]]


def _fault(table: Table, fault: Mapping[str, str]) -> Mapping[str, str]:
    place = table.rejects.columns.get(fault["column"])
    header = table.rejects.headers[place] if place is not None else ""
    # The row's number in the small file says nothing to anybody.
    begin, colon, rest = fault["message"].partition(": ")
    message = rest if colon and begin.startswith("Row ") else fault["message"]
    return {"column": header, "place": "" if place is None else str(place), "message": message}
