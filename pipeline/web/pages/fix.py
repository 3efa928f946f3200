"""Correcting rows: a cell in the grid, or one value everywhere; then a new drop by the inbox."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Query, Request
from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, RedirectResponse, Response

from pipeline.core.model import stamp
from pipeline.web import correcting, faults, uploads
from pipeline.web.access import Visitor
from pipeline.web.aside import REASONS, rows_in, rows_with, set_aside, take_back
from pipeline.web.corrections import (
    Doubtful,
    Table,
    couriers_to_teach,
    doubts_of,
    mark_of,
    replace_value,
    send,
    table_of,
)
from pipeline.web.drafts import DraftSheet, Rule
from pipeline.web.faults import Rejects
from pipeline.web.front import AtFront, Front, NotPossible, Operator, page, read_form, show, text_of
from pipeline.web.templating import address
from pipeline.web.typing_in import Conflict, Typed, keep, take_over
from pipeline.web.words import counted
from schemas.folding import fold
from schemas.likeness import nearest
from schemas.vocabulary import Outcome, Role

router = APIRouter()

_PAGE: Final = 20
_WIDE: Final = 40
"""Columns beyond which only the wrong cells of a row can be edited here."""


@router.get("/drops/{drop_id}/fix")
def fix_page(
    request: Request,
    front: AtFront,
    visitor: Operator,
    drop_id: str,
    column: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    value: Annotated[str, Query(max_length=5000)] = "",
    page_no: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
    said: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Return the rows that need somebody, to be edited."""
    unsaved = front.unsaved.take(request.scope["session"], request.url.path)
    conflicts = _keep_form(front, visitor, drop_id, unsaved) if unsaved else []
    table = table_of(front, drop_id)
    values = _shown(front, table, page_no)
    values["offer"] = _offer(front, table, column, value) if column is not None else None
    values["said"] = said
    if unsaved:
        values["said"] = "You are logged in again. What you typed is kept here, and not sent yet."
        values |= {"conflicts": conflicts, "note": text_of(unsaved, "note")}
    return page(request, "fix.html", values, visitor=visitor)


def _shown(front: Front, table: Table, page_no: int) -> dict[str, Any]:
    lines = table.lines_left
    pages = max(1, -(-len(lines) // _PAGE))
    page_no = min(page_no, pages)
    some = lines[(page_no - 1) * _PAGE : page_no * _PAGE].tolist()
    going = correcting.lines_to_send(
        table.rejects,
        table.draft,
        table.fixed,
        table.drop.drop_id,
        whole_file=table.whole_file,
    )
    profile = front.site.profiles.get(table.drop.courier)
    doubts = doubts_of(front, table)
    return {
        "drop": table.drop,
        "headers": table.rejects.headers,
        "rows": _rows(table, some, set(going.tolist())),
        "left": len(lines),
        "done": len(table.rejects) - len(lines),
        "going": len(going),
        "whole_file": table.whole_file,
        "page": page_no,
        "pages": pages,
        "groups": [group for group in faults.grouped(_first_time(table)) if group.replaceable],
        "rules": [(table.rejects.headers[r.column], r) for r in table.draft.rules],
        "status_column": table.rejects.columns.get(Role.STATUS),
        "statuses": profile.statuses.offered() if profile else (),
        "sent": sorted(set(table.draft.sent.values())),
        "doubts": doubts,
        "sure": mark_of(doubts),
        "conflicts": (),
        "note": "",
        "reasons": REASONS,
        "aside": sorted(table.aside.items()),
        "once": uploads.new_batch(),
    }


def _first_time(table: Table) -> Rejects:
    """Return the faults of the lines that were not sent yet: only they have the file's values."""
    lines = [each for each in table.lines_left.tolist() if each not in table.draft.again]
    return correcting.what_is_left(table.rejects, table.draft, np.array(lines, np.int64))


def _rows(table: Table, lines: Sequence[int], going: set[int]) -> list[dict[str, Any]]:
    rejects, found = table.rejects, []
    wide = len(rejects.headers) > _WIDE
    for line in lines:
        verdict = table.draft.again.get(line)
        codes, message = verdict or (rejects.codes[line].as_py(), rejects.messages[line].as_py())
        tried = table.draft.tried.get(line)
        judged = table.draft.judged.get(line) if line in table.draft.cells else None
        bad = faults.bad_columns(rejects, codes)
        if judged is not None:
            message = " ".join(said for _, said in judged)
            bad = {int(place): "still wrong" for place, _ in judged if place}
        cells = []
        for column in range(len(rejects.headers)):
            original = rejects.table.column(column)[line].as_py()
            now = table.draft.value(line, column, original)
            original = tried[column] if tried else original
            cells.append(
                {
                    "column": column,
                    "value": now,
                    "original": original,
                    "changed": now != original,
                    "bad": bad.get(column, "") if now == original or judged is not None else "",
                    "editable": not wide or column in bad or now != original,
                }
            )
        found.append(
            {
                "line": line,
                "number": rejects.rows[line].as_py(),
                "message": message,
                "came_back": verdict is not None,
                "cells": cells,
                "going": line in going,
            }
        )
    return found


def _offer(front: Front, table: Table, column: int, value: str) -> dict[str, Any] | None:
    """Return a value that many rows have, how many, and what it probably should be."""
    if column >= len(table.rejects.headers) or table.rejects.identifies(column):
        return None
    cells = _first_time(table).table.column(column).to_pylist()
    count = sum(cell == value for cell in cells)
    profile = front.site.profiles.get(table.drop.courier)
    is_status = column == table.rejects.columns.get(Role.STATUS)
    near = _nearest(value, profile.statuses.offered()) if is_status and profile and value else ""
    return {
        "column": column,
        "header": table.rejects.headers[column],
        "value": value,
        "count": count,
        "near": near,
        "is_status": is_status,
        "teach": couriers_to_teach(front, table.drop) if is_status and value else (),
        "courier": table.drop.courier,
    }


def _nearest(value: str, statuses: Sequence[str]) -> str:
    """Return the status that somebody probably meant, as the courier writes it, or ""."""
    by_fold = {fold(status): status for status in statuses}
    return by_fold.get(nearest(fold(value), by_fold) or "", "")


@router.post("/drops/{drop_id}/fix/replace")
async def replace_page(
    request: Request, front: AtFront, visitor: Operator, drop_id: str
) -> Response:
    """Give all rows that have one value another."""
    form = await read_form(request, front, visitor)
    said = await run_in_threadpool(_replace, front, visitor, drop_id, form)
    target = request.url_for("fix_page", drop_id=drop_id).include_query_params(said=said)
    return RedirectResponse(f"{target.path}?{target.query}", status_code=303)


def _replace(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> str:
    table = table_of(front, drop_id)
    column = _whole_number(text_of(form, "column"))
    if column is None:
        raise NotPossible("There is no such column.")
    rule = Rule(column=column, old=text_of(form, "old"), new=text_of(form, "new"))
    if rule.new != rule.old:
        rule = replace(rule, new=rule.new.strip())
    courier = text_of(form, "remember")
    return replace_value(
        front, visitor, table, rule, remember_for=courier, who=text_of(form, "who").strip()
    )


@router.post("/drops/{drop_id}/fix")
async def save(request: Request, front: AtFront, visitor: Operator, drop_id: str) -> Response:
    """Keep what was typed; then send it, or show the next page."""
    form = await read_form(request, front, visitor)
    target = await run_in_threadpool(_save, front, visitor, drop_id, form)
    if isinstance(target, str):
        return RedirectResponse(target, status_code=303)
    page_no = _whole_number(text_of(form, "page")) or 1
    values = await run_in_threadpool(_page_values, front, drop_id, page_no)
    values |= {"conflicts": target, "note": text_of(form, "note")}
    return await show(request, "fix.html", values, visitor=visitor, status=409)


def _page_values(front: Front, drop_id: str, page_no: int) -> dict[str, Any]:
    return {**_shown(front, table_of(front, drop_id), page_no), "offer": None, "said": ""}


def _save(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> str | list[Conflict]:
    conflicts = _keep_form(front, visitor, drop_id, form)
    if conflicts:
        return conflicts
    go = text_of(form, "go")
    if go.startswith("aside"):
        return _set_aside(front, visitor, drop_id, form, go)
    if go == "send":
        note, sure = text_of(form, "note"), text_of(form, "sure") if form.get("is_sure") else ""
        once = text_of(form, "once")
        try:
            return f"/uploads/{send(front, visitor, drop_id, note=note, sure=sure, once=once)}"
        except Doubtful:
            return f"/drops/{drop_id}/fix#asked"  # the page asks
    number = _whole_number(go) or 1
    return f"/drops/{drop_id}/fix?page={number}"


def _set_aside(front: Front, visitor: Visitor, drop_id: str, form: FormData, go: str) -> str:
    """Return one row by its own button, or all that are ticked on this page."""
    rejects = table_of(front, drop_id).rejects
    line = _whole_number(go.removeprefix("aside-"))
    ticked = [
        _whole_number(name.removeprefix("send-")) for name in form if name.startswith("send-")
    ]
    lines = [line] if line is not None else ticked
    rows = {
        int(rejects.rows[each].as_py())
        for each in lines
        if each is not None and each < len(rejects)
    }
    count = set_aside(
        front, visitor, drop_id, rows, reason=text_of(form, "reason"), who=text_of(form, "who")
    )
    said = f"{counted(count, 'row')} {'is' if count == 1 else 'are'} set aside."
    page_no = _whole_number(text_of(form, "page")) or 1
    return address(f"/drops/{drop_id}/fix", page=page_no, said=said)


@router.post("/drops/{drop_id}/aside")
async def aside_fault(
    request: Request, front: AtFront, visitor: Operator, drop_id: str
) -> Response:
    """Set aside all rows with a fault; or take rows back."""
    form = await read_form(request, front, visitor)
    target = await run_in_threadpool(_aside_fault, front, visitor, drop_id, form)
    return RedirectResponse(target, status_code=303)


def _aside_fault(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> str:
    row = _whole_number(text_of(form, "row"))
    if row is not None:
        take_back(front, visitor, drop_id, {row})
        return address(f"/drops/{drop_id}/fix", said=f"Row {row} is to be corrected again.")
    label = text_of(form, "fault")
    unknown = label == Outcome.UNKNOWN
    rows = rows_in(front, drop_id, label) if unknown else rows_with(table_of(front, drop_id), label)
    who = text_of(form, "who")
    set_aside(front, visitor, drop_id, rows, reason=text_of(form, "reason"), who=who)
    return f"/drops/{drop_id}"


def _keep_form(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> list[Conflict]:
    table = table_of(front, drop_id)
    who = visitor.name or text_of(form, "who").strip()
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        return _take_over(sheet, table.rejects, form, who, stamp(front.site.clock.now()))


def _take_over(
    sheet: DraftSheet, rejects: Rejects, form: FormData, who: str, at: str
) -> list[Conflict]:
    """Put typed cells and choices into the draft, if they differ from the ones that were shown."""
    cells = []
    for name, typed in form.multi_items():
        kind, _, place = name.partition("-")
        if not isinstance(typed, str):
            continue
        if kind == "cell":
            line, column = (_whole_number(part) for part in (*place.split("-"), "")[:2])
            if line is not None and column is not None:
                had = form.get(f"had-{place}")
                had = had if isinstance(had, str) else None
                cells.append(Typed(line=line, column=column, value=typed, had=had))
        elif kind == "was":
            line = _whole_number(place)
            wanted = form.get(f"send-{place}") is not None
            if line is not None and line < len(rejects) and wanted != (typed == "1"):
                sheet.draft = replace(sheet.draft, chosen={**sheet.draft.chosen, line: wanted})
    return take_over(sheet, rejects, cells, who=who, at=at)


@router.post("/drops/{drop_id}/fix/cell")
async def keep_cell(request: Request, front: AtFront, visitor: Operator, drop_id: str) -> Response:
    """Keep one cell as it was left, and say what the code of a run says of its row."""
    form = await read_form(request, front, visitor)
    answer, status = await run_in_threadpool(_keep_cell, front, visitor, drop_id, form)
    return JSONResponse(answer, status_code=status)


def _keep_cell(
    front: Front, visitor: Visitor, drop_id: str, form: FormData
) -> tuple[dict[str, Any], int]:
    line, column = (_whole_number(text_of(form, name)) for name in ("line", "column"))
    if line is None or column is None:
        raise NotPossible("There is no such cell.")
    cell = Typed(line=line, column=column, value=text_of(form, "value"), had=text_of(form, "had"))
    kept = keep(front, visitor, drop_id, cell)
    if kept.conflicts:
        (conflict,) = kept.conflicts
        return {"conflict": conflict.text, "now": conflict.now}, 409
    return {"faults": kept.faults, "going": kept.going}, 200


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
