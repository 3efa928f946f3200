"""Correcting rows: a cell, a pasted column, or one value everywhere; then a new drop."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from pipeline.core.drop_lines import DropLine
from pipeline.core.model import stamp
from pipeline.core.row_keys import in_order, in_words, number_of, row_key, sheet_of
from pipeline.web import faults, uploads
from pipeline.web.access import Visitor
from pipeline.web.context import (
    Ctx,
    Form,
    NotPossible,
    Operator,
    WebContext,
    lead,
    page,
    text_of,
    told_once,
    whole_number,
)
from pipeline.web.correct_rows import grid
from pipeline.web.correct_rows.cells import (
    Conflict,
    Kept,
    Typed,
    choose,
    column_pasted,
    couriers_to_teach,
    ids_by_awb,
    keep,
    paste,
    replace_value,
    take_over,
    undo_paste,
)
from pipeline.web.correct_rows.draft import DraftSheet, Rule
from pipeline.web.correct_rows.editors import PAGE_SECONDS, WORD_SECONDS
from pipeline.web.correct_rows.grid import View
from pipeline.web.correct_rows.load import line_of, overtaken_in_words, table_of
from pipeline.web.correct_rows.recheck import get_ready, rechecked_table
from pipeline.web.correct_rows.send import Doubtful, doubts_of, mark_of, send
from pipeline.web.correct_rows.table import Table
from pipeline.web.faults import FaultGroup, Rejects, ValueFault
from pipeline.web.set_aside import REASONS, rows_in, rows_with, set_aside, take_back
from schemas.display import counted, one_line
from schemas.normalise import fold
from schemas.suggestions import statuses_meant
from schemas.vocabulary import Outcome, Role

router = APIRouter(include_in_schema=False)

_CHANGED: Final = 500
"""Rows that others changed meanwhile, in one answer; a page shows far fewer."""


@router.get("/drops/{drop_id}/fix")
def fix_page(
    request: Request,
    ctx: Ctx,
    visitor: Operator,
    drop_id: str,
    view: Annotated[View, Depends()],
    column: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    value: Annotated[str, Query(max_length=5000)] = "",
) -> Response:
    """Return the rows that need a person, to be edited."""
    session = request.scope["session"]
    unsaved = ctx.unsaved.take(session, request.url.path)
    pasted = text_of(unsaved, "ids") if unsaved else ""
    conflicts = _keep_form(ctx, visitor, drop_id, unsaved) if unsaved and not pasted else []
    # Changes from here on are not on the page yet: it asks for them.
    at, version = stamp(ctx.site.clock.now()), _version(ctx, line_of(ctx, drop_id))
    table = rechecked_table(ctx, drop_id)
    get_ready(ctx, table)
    ctx.editors.note(drop_id, session, name=visitor.name, row="", seconds=PAGE_SECONDS)
    values = _shown(ctx, table, view) | {
        "at": at,
        "version": version,
        "offer": _offer(ctx, table, column, value) if column is not None else None,
        "others": ctx.editors.others(drop_id, session),
        "said": told_once(request),
    }
    if unsaved:
        values |= {
            "conflicts": conflicts,
            "note": text_of(unsaved, "note"),
            "ids": pasted,
            "said": "You are logged in again. What you typed is kept here, and not sent yet.",
        }
    return page(request, "fix.html", values, visitor=visitor)


def _shown(ctx: WebContext, table: Table, view: View) -> dict[str, Any]:
    """Return the values of the page of rows to correct.

    ``fits``: rows that fit ``view``. ``at``, ``version``: what the page has seen. ``sure``: the
    name of ``doubts``. From ``conflicts`` on: what came of a form, or was left in it.
    """
    rejects, groups = table.rejects, table.groups
    lines = grid.lines_of(table, view)
    pages = max(1, -(-len(lines) // grid.PAGE))
    view = replace(view, page=min(view.page, pages))
    some = lines[(view.page - 1) * grid.PAGE : view.page * grid.PAGE].tolist()
    doubts, columns, lost = doubts_of(ctx, table), grid.columns_of(table), grid.lost_ids(table)
    return {
        "drop": table.drop,
        "headers": [one_line(each) for each in rejects.headers],
        "columns": columns,
        "rows": [grid.row_of(table, line, columns) for line in some],
        "left": groups.total,
        "done": len(rejects) - groups.total,
        "counts": grid.counts_of(table),
        "standing": groups,
        "whole_file": table.whole_file,
        "view": view,
        "fits": len(lines),
        "pages": pages,
        "wrong_values": _wrong_values(table),
        "faults": {group.label: group for group in faults.grouped(table.left)},
        "rules": [
            (rejects.headers[each.column] or f"Column {each.column + 1}", each)
            for each in table.draft.rules
        ],
        "status_column": rejects.columns.get(Role.STATUS),
        "statuses": grid.statuses_of(ctx.site.profiles.get(table.drop.courier)),
        "lost": lost if len(lost) > 1 else [],
        "pasted": _pasted(table),
        "at": stamp(ctx.site.clock.now()),
        "version": _version(ctx, table.drop),
        "overtaken": overtaken_in_words(ctx, table),
        "sent": sorted(set(table.draft.sent.values())),
        "doubts": doubts,
        "sure": mark_of(doubts),
        "aside": [
            (number_of(row), sheet_of(row), in_words(row), table.aside[row])
            for row in in_order(table.aside)
        ],
        "once": uploads.new_batch(),
        "lost_shown": grid.LOST_SHOWN,
        "reasons": REASONS,
        "conflicts": (),
        "others": (),
        "offer": None,
        "said": "",
        "problem": "",
        "note": "",
        "ids": "",
    }


def _pasted(table: Table) -> str:
    """Return what can be undone, in words, or ""."""
    last = table.draft.pasted
    if last is None:
        return ""
    header = table.rejects.headers[last.column]
    by = f" by {last.who}" if last.who else ""
    return f"Pasted{by}: {counted(len(last.now), 'cell')} of {header}."


def _first_time(table: Table) -> Rejects:
    """Return the faults of the lines that were not sent yet: only they have the file's values."""
    lines = [each for each in table.lines_left.tolist() if each not in table.draft.again]
    return table.only(np.array(lines, np.int64))


def _wrong_values(table: Table) -> list[tuple[FaultGroup, ValueFault]]:
    """Return the values that can be replaced everywhere, each once, however many faults it has."""
    found: dict[tuple[int | None, str], tuple[FaultGroup, ValueFault]] = {}
    for group in faults.grouped(_first_time(table)):
        for value in group.values if group.replaceable else ():
            known = found.get((group.column, value.value))
            if known is None or known[1].count < value.count:
                found[group.column, value.value] = (group, value)
    return list(found.values())


def _offer(ctx: WebContext, table: Table, column: int, value: str) -> dict[str, Any] | None:
    """Return a value that many rows have, how many, and what it probably should be.

    ``teach``: name and title of the couriers that may learn it.
    """
    if column >= len(table.rejects.headers) or table.rejects.identifies(column):
        return None
    cells = _first_time(table).table.column(column).to_pylist()
    count = sum(cell == value for cell in cells)
    profile = ctx.site.profiles.get(table.drop.courier)
    is_status = column == table.rejects.columns.get(Role.STATUS)
    near = _nearest(value, profile.statuses.offered()) if is_status and profile and value else ""
    return {
        "column": column,
        "header": table.rejects.headers[column] or f"Column {column + 1}",
        "value": value,
        "count": count,
        "near": near,
        "is_status": is_status,
        "teach": couriers_to_teach(ctx, table.drop) if is_status and value else (),
        "courier": table.drop.courier,
    }


def _nearest(value: str, statuses: Sequence[str]) -> str:
    """Return the status that was probably meant, as the courier writes it, or ""."""
    by_fold = {fold(status): status for status in statuses}
    return next(iter(statuses_meant(value, by_fold)), "")


@router.post("/drops/{drop_id}/fix/replace")
def replace_page(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, drop_id: str
) -> Response:
    """Give all rows that have one value another."""
    table = table_of(ctx, drop_id)
    column = whole_number(text_of(form, "column"))
    if column is None:
        raise NotPossible("There is no such column.")
    old, new = text_of(form, "old"), text_of(form, "new")
    rule = Rule(column=column, old=old, new=new if new == old else new.strip())
    courier, who = text_of(form, "remember"), text_of(form, "who").strip()
    said = replace_value(ctx, visitor, table, rule, remember_for=courier, who=who)
    return lead(request, _back(form, drop_id), said)


def _back(form: FormData, drop_id: str, **more: str) -> str:
    """Return the rows that the user was at."""
    return View.of(text_of(form, "view")).on(drop_id, **more)


@router.post("/drops/{drop_id}/fix")
def save(request: Request, ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Keep the typed cells; then send them, or show the next page."""
    more: dict[str, Any] = {"note": text_of(form, "note")}
    try:
        conflicts = _keep_form(ctx, visitor, drop_id, form)
        if not conflicts:
            return lead(request, *_saved(ctx, visitor, drop_id, form))
        more |= {"conflicts": conflicts}
    except NotPossible as error:
        more |= {"problem": str(error)}
    return _show_again(request, ctx, visitor, drop_id, form, more)


def _show_again(
    request: Request,
    ctx: WebContext,
    visitor: Visitor,
    drop_id: str,
    form: FormData,
    more: dict[str, Any],
) -> Response:
    """Return the page once more, with the entries that were not saved."""
    view = View.of(text_of(form, "view"))
    values = _shown(ctx, rechecked_table(ctx, drop_id), view) | more
    return page(request, "fix.html", values, visitor=visitor, status=409)


def _saved(ctx: WebContext, visitor: Visitor, drop_id: str, form: FormData) -> tuple[str, str]:
    """Carry out a button; return the page that it leads to, and the message on it."""
    go = text_of(form, "go")
    if go.startswith("aside"):
        return _back(form, drop_id), _set_aside(ctx, visitor, drop_id, form, go)
    if go == "send":
        note, sure = text_of(form, "note"), text_of(form, "sure") if form.get("is_sure") else ""
        once = text_of(form, "once")
        try:
            sent = send(ctx, visitor, drop_id, note=note, sure=sure, once=once)
        except Doubtful:
            return f"{_back(form, drop_id)}#asked", ""  # the page asks
        if sent.skipped:
            return _back(form, drop_id, page=""), sent.said
        return f"/uploads/{sent.batch}", ""
    number = whole_number(go)
    return _back(form, drop_id, page=str(number) if number and number > 1 else ""), ""


def _set_aside(ctx: WebContext, visitor: Visitor, drop_id: str, form: FormData, go: str) -> str:
    """Set aside a row by its own button, or all that are ticked on this page; say how many."""
    rejects = table_of(ctx, drop_id).rejects
    line = whole_number(go.removeprefix("aside-"))
    ticked = [whole_number(name.removeprefix("send-")) for name in form if name.startswith("send-")]
    lines = [line] if line is not None else ticked
    keys = rejects.keys()
    rows = {keys[each] for each in lines if each is not None and each < len(keys)}
    count = set_aside(
        ctx, visitor, drop_id, rows, reason=text_of(form, "reason"), who=text_of(form, "who")
    )
    return f"{counted(count, 'row')} {'is' if count == 1 else 'are'} set aside."


@router.post("/drops/{drop_id}/fix/ids")
def paste_ids(request: Request, ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Fill lost ids in, a pasted line for each row; what does not fit stays in the box."""
    try:
        kept = _paste_ids(ctx, visitor, drop_id, form)
    except NotPossible as error:
        ids = {"problem": str(error), "ids": text_of(form, "ids")}
        return _show_again(request, ctx, visitor, drop_id, form, ids)
    if kept.conflicts:
        more = {"conflicts": kept.conflicts}
        return _show_again(request, ctx, visitor, drop_id, form, more)
    said = f"{counted(kept.filled, 'id')} filled in. Nothing is sent yet."
    return lead(request, _back(form, drop_id), said)


def _paste_ids(ctx: WebContext, visitor: Visitor, drop_id: str, form: FormData) -> Kept:
    table = table_of(ctx, drop_id)
    column = table.rejects.columns.get(Role.ORDER_ID)
    cells = _cells_of(form)
    awbs = grid.awbs_of(table, [line for line, _ in cells])
    values = ids_by_awb(text_of(form, "ids"), awbs) or column_pasted(text_of(form, "ids"))
    while len(values) > len(cells) and not values[-1]:
        values.pop()
    if column is None or len(values) != len(cells):
        raise NotPossible(
            f"{counted(len(values), 'line')} {'was' if len(values) == 1 else 'were'} pasted for "
            f"{counted(len(cells), 'row')}, so nothing was filled in.",
            hint="Paste one id for each row, in this order; leave a line empty for a row whose id "
            "is not known.",
        )
    who = text_of(form, "who").strip()
    return paste(ctx, visitor, drop_id, cells, column=column, values=values, who=who)


def _cells_of(form: FormData) -> list[tuple[int, str | None]]:
    """Return the cells that a column is pasted into, each with the text that was shown in it."""
    lines = [whole_number(str(each)) for each in form.getlist("line")]
    had = [each if isinstance(each, str) else None for each in form.getlist("had")]
    if len(had) != len(lines):
        had = [None] * len(lines)
    return [(line, text) for line, text in zip(lines, had, strict=True) if line is not None]


@router.post("/drops/{drop_id}/fix/paste")
def paste_column(ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Fill a pasted column down the rows that are shown; report lines without a row."""
    column, cells = whole_number(text_of(form, "column")), _cells_of(form)
    if column is None or not cells:
        raise NotPossible("There is no such cell.")
    try:
        values = column_pasted(text_of(form, "text"))
        _check_all_writable(form, values, cells)
    except NotPossible as error:
        return JSONResponse({"conflict": str(error)}, status_code=409)
    kept = paste(ctx, visitor, drop_id, cells, column=column, values=values)
    assert kept.table is not None  # noqa: S101 - a paste always has it
    said = f"{counted(kept.filled, 'cell')} filled in."
    if kept.left_over:
        one = kept.left_over == 1
        said += (
            f" {counted(kept.left_over, 'more line')} {'was' if one else 'were'} pasted than rows "
            f"are shown below, and {'was' if one else 'were'} not used."
        )
    said += "".join(f" {each.text}" for each in kept.conflicts)
    lines = [line for line, _ in cells[: len(values)]]
    answer = _answer(kept.table, lines)
    return JSONResponse({**answer, "said": said, "pasted": _pasted(kept.table)})


def _check_all_writable(
    form: FormData, values: Sequence[str], cells: Sequence[tuple[int, str | None]]
) -> None:
    """Refuse lines for a row whose cell the page does not let anybody change. Raises NotPossible.

    The page gives that row's number as ``ends_at``: those from it on are not among the cells.
    """
    row = text_of(form, "ends_at")[:50]
    if row and len(values) > len(cells):
        raise NotPossible(
            f"{counted(len(values), 'line')} were pasted, but the cell of row {row} in this "
            "column cannot be changed here, so nothing was filled in.",
            hint="Paste the lines for the rows above it alone, then those for the rows below.",
        )


def _answer(table: Table, lines: Sequence[int]) -> dict[str, Any]:
    """Return the counts, and cells and faults of these rows as they are now, fit for JSON."""
    rows = []
    for line in lines:
        bad, message, _ = table.faults(line)
        rows.append(
            {
                "line": line,
                "cells": table.row(line),
                "places": [str(place) for place in sorted(bad)],
                "message": message,
                "going": line in table.ticked,
            }
        )
    return {**grid.counts_of(table), "rows": rows}


@router.post("/drops/{drop_id}/fix/undo")
def undo(request: Request, ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Put back what stood before the last paste."""
    said = f"Undone in {counted(undo_paste(ctx, visitor, drop_id), 'row')}."
    return lead(request, _back(form, drop_id), said)


@router.post("/drops/{drop_id}/aside")
def aside_fault(
    request: Request, ctx: Ctx, visitor: Operator, form: Form, drop_id: str
) -> Response:
    """Set aside all rows with a fault; or take rows back."""
    number = whole_number(text_of(form, "row"))
    if number is not None:
        row = row_key(number, text_of(form, "sheet"))
        take_back(ctx, visitor, drop_id, {row})
        said = f"Row {in_words(row)} is to be corrected again."
        return lead(request, View().on(drop_id), said)
    label = text_of(form, "fault")
    unknown = label == Outcome.UNKNOWN
    rows = rows_in(ctx, drop_id, label) if unknown else rows_with(table_of(ctx, drop_id), label)
    who = text_of(form, "who")
    set_aside(ctx, visitor, drop_id, rows, reason=text_of(form, "reason"), who=who)
    return lead(request, f"/drops/{drop_id}")


def _keep_form(ctx: WebContext, visitor: Visitor, drop_id: str, form: FormData) -> list[Conflict]:
    table = table_of(ctx, drop_id)
    who = visitor.name or text_of(form, "who").strip()
    with ctx.drafts.changing(drop_id, table.rejects) as sheet:
        return _take_over(sheet, table, form, who, stamp(ctx.site.clock.now()))


def _take_over(
    sheet: DraftSheet, table: Table, form: FormData, who: str, at: str
) -> list[Conflict]:
    """Put typed cells and choices into the draft, if they differ from the ones that were shown."""
    cells = []
    for name, typed in form.multi_items():
        kind, _, place = name.partition("-")
        if not isinstance(typed, str):
            continue
        if kind == "cell":
            line, column = (whole_number(part) for part in (*place.split("-"), "")[:2])
            if line is not None and column is not None:
                had = form.get(f"had-{place}")
                had = had if isinstance(had, str) else None
                cells.append(Typed(line=line, column=column, value=typed, had=had))
        elif kind == "was":
            line = whole_number(place)
            wanted = form.get(f"send-{place}") is not None
            known = line is not None and line < len(table.rejects)
            if line is not None and known and wanted != (typed == "1"):
                sheet.draft = sheet.draft.chosen_to_go(line, wanted)
    conflicts, _ = take_over(sheet, table, cells, who=who, at=at)
    return conflicts


@router.post("/drops/{drop_id}/fix/cell")
def keep_cell(ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Keep one cell as it was left, and return a run's judgement of its row."""
    line, column = (whole_number(text_of(form, name)) for name in ("line", "column"))
    if line is None or column is None:
        raise NotPossible("There is no such cell.")
    cell = Typed(line=line, column=column, value=text_of(form, "value"), had=text_of(form, "had"))
    kept = keep(ctx, visitor, drop_id, cell)
    if kept.table is None:
        (conflict,) = kept.conflicts
        answer = {"conflict": conflict.text, "now": conflict.now}
        return JSONResponse(answer, status_code=409)
    return JSONResponse(_answer(kept.table, [line]))


@router.post("/drops/{drop_id}/fix/tick")
def keep_tick(ctx: Ctx, visitor: Operator, form: Form, drop_id: str) -> Response:
    """Keep whether a row is to be sent."""
    line = whole_number(text_of(form, "line"))
    lines = [] if line is None else [line]
    table = choose(ctx, visitor, drop_id, lines, wanted=text_of(form, "wanted") == "1")
    return JSONResponse(_answer(table, lines))


@router.get("/drops/{drop_id}/fix/here")
def list_editors(
    request: Request,
    ctx: Ctx,
    visitor: Operator,
    drop_id: str,
    row: Annotated[str, Query(pattern=r"^([0-9]{1,10}( of .{1,31})?)?$")] = "",
    since: Annotated[str, Query(max_length=40)] = "",
    v: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Note the row that a user is at; return who else is here, and the changes since.

    ``v``: the version of the rows and of the draft that the page has seen.
    """
    line = line_of(ctx, drop_id)
    session = request.scope["session"]
    ctx.editors.note(drop_id, session, name=visitor.name, row=row, seconds=WORD_SECONDS)
    at = stamp(ctx.site.clock.now())
    version = _version(ctx, line)
    answer: dict[str, Any] = {"at": at, "v": version, "rows": []}
    answer["others"] = [each.text for each in ctx.editors.others(drop_id, session)]
    if v == version:
        return JSONResponse(answer)
    table = rechecked_table(ctx, drop_id)
    touched = table.draft.touched
    left = set(table.lines_left.tolist())
    changed = [n for n, (_, when) in touched.items() if since and when >= since and n in left]
    overtaken = overtaken_in_words(ctx, table)
    return JSONResponse({**answer, **_answer(table, changed[-_CHANGED:]), "overtaken": overtaken})


def _version(ctx: WebContext, drop: DropLine) -> str:
    """Return a mark that changes with the rows to correct: by an entry, or as a file comes back."""
    return f"{ctx.drafts.version(drop.drop_id)}.{drop.need}"
