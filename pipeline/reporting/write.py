"""Write the reports of a drop into the outbox: results, rejects and, last, the summary."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

import numpy as np
from msgspec import Struct

from pipeline.core.errors import DropRefused
from pipeline.core.file_names import (
    REFUSED,
    REJECTS,
    REJECTS_XLSX,
    RESULTS,
    SUMMARY,
    file_name,
)
from pipeline.core.model import Block, Drop, DropFacts, Notice, ResultBlock, group_notices
from pipeline.core.rejects_file import is_rejects_header, references, sheets_named
from pipeline.core.row_keys import RowKey, row_key
from pipeline.core.summary import json_text
from pipeline.reporting.rejects_csv import rejects_csv, rejects_table
from pipeline.reporting.rows import Report, results_pieces
from pipeline.reporting.summary_json import summary_object
from pipeline.storage.root_folders import Folders
from schemas.codes import ERRORS, Code
from schemas.display import clock_time, counted, encodable, one_line
from schemas.vocabulary import CORRECTABLE, Outcome

_DEFAULT_HINT = "Correct the file and send it again."
#: Only a file that failed on the way may have been sent in part.
_WHAT_WAS_SENT = {Code.PROCESSING_FAILED: "Its results file says what was sent before that."}


def refusal_text(
    drop: Drop,
    refusal: DropRefused,
    zone: tzinfo,
    *,
    rejects: str = "",
    faults: Iterable[Notice] = (),
) -> bytes:
    """Give the text as UTF-8 with CRLF: the reason, what to do, then the details.

    ``rejects`` names the file with the rows to correct, where there is one; ``faults`` says what
    is wrong with them. Control and direction characters of file names and values are escaped: the
    text is shown in terminals. Times are shown in ``zone``; raises ValueError if one has none.
    """
    wrong = [
        f"  {counted(each.count, 'row')}: {each.code}. {one_line(each.message)}" for each in faults
    ]
    lines = (
        one_line(refusal.message),
        "",
        f"What to do: {one_line(refusal.hint) or _DEFAULT_HINT}",
        "",
        _WHAT_WAS_SENT.get(refusal.code, "Nothing of this file was sent."),
        "",
        *(["The most frequent faults, each with its first row:", *wrong, ""] if wrong else []),
        f"File:      {one_line(drop.source_file)}",
        *([f"Rejects:   {one_line(rejects)}"] if rejects else []),
        f"Received:  {clock_time(drop.received_at, zone)}",
        f"Code:      {refusal.code}",
        f"Drop:      {one_line(drop.drop_id)}",
        "",
    )
    return "\r\n".join(lines).encode()


_SOUND = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.IGNORED})


class Corrections(Struct, frozen=True, kw_only=True):
    """The parent's rows that came back, and those of them that are now sound.

    ``returned``: those that are not, each as (its row here, its row in the parent).
    """

    rows: frozenset[RowKey]
    fixed: frozenset[RowKey]
    returned: tuple[tuple[RowKey, RowKey], ...] = ()


def corrections(
    blocks: Iterable[ResultBlock],
    parent: str,
    *,
    several: bool = False,
    sheets: Collection[str] | None = None,
) -> Corrections:
    """Look through a drop's rows for those that say they correct ``parent``.

    ``several``: the drop has several sheets. ``sheets``: those that keys of the parent's rows name;
    a row that names another one is known by its number alone. None: any.
    """
    known_sheets = None if sheets is None else {row_key(0, each) for each in sheets}
    returned_rows: set[RowKey] = set()
    fixed: set[RowKey] = set()
    returned: list[tuple[RowKey, RowKey]] = []
    for block in blocks:
        if not is_rejects_header(block.headers):
            continue
        rows = block.table.column("row").to_numpy().astype(np.int32)
        read = Block(rows=rows, cells=block.cells)
        known, tabs = references(read, block.headers), sheets_named(read, block.headers)
        outcomes = block.table.column("outcome").to_pylist()
        own = block.sheet if several else ""
        for row, reference, tab, outcome in zip(rows.tolist(), known, tabs, outcomes, strict=True):
            if reference is not None and reference[0] == parent:
                is_known = known_sheets is None or row_key(0, tab) in known_sheets
                there = row_key(reference[1], tab if is_known else "")
                returned_rows.add(there)
                if outcome in _SOUND:
                    fixed.add(there)
                elif outcome in CORRECTABLE:
                    returned.append((row_key(row, own), there))
    return Corrections(
        rows=frozenset(returned_rows), fixed=frozenset(fixed), returned=tuple(returned)
    )


_CODES = frozenset(Code)
#: Kinds of faults that REFUSED.txt lists; the rejects file has them all.
_FAULTS_TOLD = 5


def write_report(report: Report, folders: Folders) -> dict[str, Any]:
    """Write results, rejects if any, and then the summary; return the summary's object.

    Raises StorageError when the outbox cannot be written; doing it again is fine.
    """
    drop = report.drop
    files = {"results": file_name(drop, RESULTS)}
    pieces: Iterable[bytes] = report.lines or results_pieces(report)
    folders.outbox.write(drop.folder, files["results"], pieces, more_follows=True)
    files |= _write_rejects(report, folders)
    return write_summary(drop, summary_of(report, files), folders)


def write_summary(drop: Drop, summary: dict[str, Any], folders: Folders) -> dict[str, Any]:
    """Write the summary, whose presence means that the other files are complete; return it.

    As with all that is written here, the name is on the disk after ``Outbox.sync``.
    """
    text = [json_text(summary)]
    folders.outbox.write(drop.folder, file_name(drop, SUMMARY), text, more_follows=True)
    return summary


def write_refusal(
    drop: Drop,
    refusal: DropRefused,
    folders: Folders,
    zone: tzinfo,
    *,
    rejects: str = "",
    faults: Iterable[Notice] = (),
) -> str:
    """Write REFUSED.txt: the reason in one plain sentence, and what to do. Returns its name.

    ``zone``: of the times in it. ``rejects``: the file with the rows to correct, and ``faults``:
    what is wrong with them.
    """
    name = file_name(drop, REFUSED)
    text = refusal_text(drop, refusal, zone, rejects=rejects, faults=faults)
    folders.outbox.write(drop.folder, name, [text], more_follows=True)
    return name


def refused_summary(
    drop: Drop, refusal: DropRefused, files: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    """Return the summary of a file that was refused whole; ``more``: as ``summary_object``."""
    reason = Notice(code=refusal.code, message=str(refusal))
    return summary_object(drop, refused=reason, files=files, **more)


def write_refused_rows(
    report: Report, refusal: DropRefused, folders: Folders, zone: tzinfo
) -> dict[str, Any]:
    """Write the files of a drop that is refused for its many bad rows: REFUSED.txt, the rows that
    replace it once they are corrected, and the summary. Returns the summary's object.
    """
    drop = report.drop
    rejects = _write_rejects(report, folders)
    faults = [each for each in group_notices(drop.facts.notices) if each.code in ERRORS]
    table = rejects.get("rejects_xlsx") or rejects.get("rejects", "")
    refused = write_refusal(
        drop, refusal, folders, zone, rejects=table, faults=faults[:_FAULTS_TOLD]
    )
    files = {"refused": refused, **rejects}
    files["summary"] = file_name(drop, SUMMARY)
    return write_summary(drop, refused_rows_summary(report, refusal, files), folders)


def refused_rows_summary(
    report: Report, refusal: DropRefused, files: Mapping[str, str]
) -> dict[str, Any]:
    """Return the summary of a file that is refused for its many bad rows.

    It lists the faults.
    """
    drop, facts = report.drop, report.drop.facts
    more = {"columns": columns_of(facts)}
    return refused_summary(drop, refusal, files, notices=facts.notices, more=more)


def _write_rejects(report: Report, folders: Folders) -> dict[str, str]:
    drop = report.drop
    names = {"rejects": file_name(drop, REJECTS), "rejects_xlsx": file_name(drop, REJECTS_XLSX)}
    rejects = None
    if _needs_person(report):
        rejects = rejects_table(
            report,
            drop_id=drop.drop_id,
            parent=drop.parent,
            whole_file=report.whole_file,
            columns=report.role_columns,
            several=report.several,
        )
    if rejects is None or not rejects.layout.rows:
        for name in names.values():
            folders.outbox.remove(drop.folder, name)
        return {}
    pieces = rejects_csv(rejects)
    folders.outbox.write(drop.folder, names["rejects"], pieces, more_follows=True)
    from pipeline.reporting.rejects_xlsx import rejects_xlsx  # only here: it takes long

    table = report.profile.statuses if report.profile else None
    statuses = table.offered() if table else ()
    workbook = rejects_xlsx(
        rejects,
        created=drop.received_at,
        statuses=statuses,
        meanings=[*map(table.in_words, statuses)] if table else (),
        scratch=str(report.spool.folder),
    )
    if workbook is None:
        del names["rejects_xlsx"]
    else:
        folders.outbox.write(drop.folder, names["rejects_xlsx"], [workbook], more_follows=True)
    return names


def _needs_person(report: Report) -> bool:
    counts = report.outcomes.counts()
    return report.whole_file or bool(counts[Outcome.REJECTED] or counts[Outcome.FAILED])


def summary_of(report: Report, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the summary of a drop whose files have these names."""
    outcomes, facts = report.outcomes, report.drop.facts
    return summary_object(
        report.drop,
        counts=outcomes.counts(),
        calls=outcomes.ends.calls,
        notices=[*facts.notices, *_delivery_notices(report)],
        skipped=facts.skipped,
        corrections=_corrections(report),
        files={**files, "summary": file_name(report.drop, SUMMARY)},
        more={
            "courier_why": facts.courier_why,
            "columns": columns_of(facts),
            "open": report.open,
        },
    )


def columns_of(facts: DropFacts) -> list[dict[str, Any]]:
    """Return per sheet the headings that were read, their roles, and the other headings.

    Empty for a drop that was read by a version that did not note it.
    """
    return [
        {
            "sheet": sheet.name,
            "used": [
                {
                    "column": encodable(" ".join(sheet.headers[at].split())),
                    "role": role,
                    "matched": sheet.matched.get(role, ""),
                }
                for role, at in sheet.roles.items()
            ],
            "unused": [encodable(header) for header in sheet.unused],
            "heard": {encodable(name): about for name, about in sheet.heard.items()},
        }
        for sheet in facts.sheets
        if sheet.matched
    ]


def _corrections(report: Report) -> tuple[int, int] | None:
    """Return for a rejects file that came back: its rows, and those of them that are now sound."""
    if report.drop.parent is None:
        return None
    found = corrections(report.blocks(), report.drop.parent)
    return len(found.rows), len(found.fixed)


def corrections_in(child: Report, parent: Drop) -> Corrections:
    """Return the outcomes of the parent's rows in this drop of corrected rejects."""
    sheets = None if parent.facts.tidied else parent.facts.key_sheets
    return corrections(child.blocks(), parent.drop_id, several=child.several, sheets=sheets)


def summary_again(parent: Drop, folders: Folders) -> None:
    """Write the summary of a closed drop as its facts have it now.

    If the details were removed, the summary stays as it was, if there is one.
    """
    name, summary = file_name(parent, SUMMARY), parent.facts.summary or {}
    if parent.facts.tidied:
        before = folders.outbox.read(parent.folder, name)
        if before is None:
            return
        summary = {**json.loads(before), "corrections": summary["corrections"]}
    folders.outbox.write(parent.folder, name, [json_text(summary)])


def _delivery_notices(report: Report) -> list[Notice]:
    """Return delivery's remarks on rows, one notice per code; the results file has the rows."""
    remarks = report.outcomes.remarks
    counted = [each for each in remarks.by_code() if each[0] in _CODES]
    number = _record_numbers(report, sorted(first for _, _, first in counted))
    return [
        Notice(
            code=Code[code],
            message=remarks[first].message,
            count=count,
            example_row=number[first],
        )
        for code, count, first in counted
    ]


def _record_numbers(report: Report, rows: Sequence[int]) -> dict[int, int]:
    """Return the record numbers of these rows, which are counted through all sheets."""
    found: dict[int, int] = {}
    start = at = 0
    for number in range(len(report.drop.facts.sheets)):
        if at == len(rows):
            break
        for batch in report.spool.blocks(number, ["row"]):
            stop = start + batch.num_rows
            while at < len(rows) and rows[at] < stop:
                found[rows[at]] = batch.column("row")[rows[at] - start].as_py()
                at += 1
            start = stop
    return found
