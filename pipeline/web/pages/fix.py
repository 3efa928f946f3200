"""Correcting rows: a cell in the grid, or one value everywhere; then a new drop by the inbox."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query, Request
from msgspec import Struct
from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pipeline.core.errors import StorageError
from pipeline.core.model import DropState
from pipeline.core.ports import DropLine
from pipeline.web import correcting, drop_view, faults, staging, uploads
from pipeline.web.access import Visitor
from pipeline.web.drafts import Draft, Rule, Sheet
from pipeline.web.faults import Rejects
from pipeline.web.front import (
    AtFront,
    Front,
    NotPossible,
    NotThere,
    Operator,
    page,
    read_form,
    text_of,
)
from pipeline.web.pages.drops import line_of
from pipeline.web.remember import can_remember, remember
from schemas.folding import fold
from schemas.likeness import nearest
from schemas.vocabulary import Role

log = structlog.get_logger(__name__)

router = APIRouter()

_PAGE: Final = 20
_WIDE: Final = 40
"""Columns beyond which only the wrong cells of a row can be edited here."""


class Table(Struct, frozen=True, kw_only=True):
    """What is corrected: a drop's rejects file, and what was changed so far."""

    drop: DropLine
    rejects: Rejects
    draft: Draft
    fixed: frozenset[int]

    @property
    def whole_file(self) -> bool:
        """True when nothing of the file was sent, so that all of it goes out again."""
        return self.drop.state is DropState.REFUSED


def _table(front: Front, drop_id: str) -> Table:
    drop = line_of(front, drop_id)
    full = front.site.ledger.find(drop_id)
    if full is None or not full.facts.get("sheets"):
        raise NotThere("There is nothing to correct in this drop.")
    path = drop_view.outbox_file(front.site, drop, "rejects")
    try:
        rejects = front.rejects(path, full.facts["sheets"])
    except StorageError as error:
        raise NotPossible(error.message, hint=error.hint) from error
    except OSError as error:
        raise NotThere(
            "The rejects file is no longer in the outbox.",
            hint="Correct the file as it was dropped, and drop it again: nothing is sent twice.",
        ) from error
    return Table(
        drop=drop,
        rejects=rejects,
        draft=front.drafts.read(drop_id, rejects),
        fixed=frozenset(full.facts.get("fixed_rows", ())),
    )


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
    """The rows that need somebody, to be edited."""
    table = _table(front, drop_id)
    values = _shown(front, table, page_no)
    values["offer"] = _offer(front, table, column, value) if column is not None else None
    values["said"] = said
    return page(request, "fix.html", values, visitor=visitor)


def _shown(front: Front, table: Table, page_no: int) -> dict[str, Any]:
    lines = correcting.open_lines(table.rejects, table.draft, table.fixed)
    pages = max(1, -(-len(lines) // _PAGE))
    page_no = min(page_no, pages)
    some = lines[(page_no - 1) * _PAGE : page_no * _PAGE].tolist()
    going = correcting.lines_to_send(
        table.rejects, table.draft, table.fixed, whole_file=table.whole_file
    )
    profile = front.site.profiles.get(table.drop.courier)
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
        "groups": [group for group in faults.grouped(table.rejects) if group.replaceable],
        "rules": [(table.rejects.headers[r.column], r) for r in table.draft.rules],
        "status_column": table.rejects.columns.get(Role.STATUS),
        "statuses": profile.statuses.offered() if profile else (),
        "sent": sorted(set(table.draft.sent.values())),
    }


def _rows(table: Table, lines: Sequence[int], going: set[int]) -> list[dict[str, Any]]:
    rejects, found = table.rejects, []
    wide = len(rejects.headers) > _WIDE
    for line in lines:
        codes = rejects.codes[line].as_py()
        bad = faults.bad_columns(rejects, codes)
        cells = []
        for column in range(len(rejects.headers)):
            original = rejects.table.column(column)[line].as_py()
            now = table.draft.value(line, column, original)
            cells.append(
                {
                    "column": column,
                    "value": now,
                    "original": original,
                    "changed": now != original,
                    "bad": bad.get(column, ""),
                    "editable": not wide or column in bad or now != original,
                }
            )
        found.append(
            {
                "line": line,
                "number": rejects.rows[line].as_py(),
                "message": rejects.messages[line].as_py(),
                "cells": cells,
                "going": line in going,
            }
        )
    return found


def _offer(front: Front, table: Table, column: int, value: str) -> dict[str, Any] | None:
    """One value for all rows that have another one: how many, and what it probably should be."""
    if column >= len(table.rejects.headers):
        return None
    lines = correcting.open_lines(table.rejects, table.draft, table.fixed)
    cells = table.rejects.table.column(column).take(lines)
    count = sum(cell == value for cell in cells.to_pylist())
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
        "may_remember": is_status and bool(value) and profile is not None,
        "courier": table.drop.courier,
    }


def _nearest(value: str, statuses: Sequence[str]) -> str:
    """The status that somebody probably meant, as the courier writes it, or ""."""
    by_fold = {fold(status): status for status in statuses}
    return by_fold.get(nearest(fold(value), by_fold) or "", "")


@router.post("/drops/{drop_id}/fix/replace")
async def replace_value(
    request: Request, front: AtFront, visitor: Operator, drop_id: str
) -> Response:
    """Give all rows that have one value another."""
    form = await read_form(request, front, visitor)
    said = await run_in_threadpool(_replace, front, visitor, drop_id, form)
    target = request.url_for("fix_page", drop_id=drop_id).include_query_params(said=said)
    return RedirectResponse(f"{target.path}?{target.query}", status_code=303)


def _replace(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> str:
    table = _table(front, drop_id)
    column = _whole_number(text_of(form, "column"))
    old, new = text_of(form, "old"), text_of(form, "new").strip()
    if column is None or column >= len(table.rejects.headers):
        raise NotPossible("There is no such column.")
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        sheet.draft = sheet.draft.with_rule(Rule(column=column, old=old, new=new))
    told = f'Every "{old}" is now "{new}".'
    if not form.get("remember"):
        return told
    profile = front.site.profiles.get(table.drop.courier)
    if column != table.rejects.columns.get(Role.STATUS) or not can_remember(profile, new):
        return (
            f"{told} It could not be remembered: the profile does not know that status by itself."
        )
    try:
        remember(front.site, table.drop.courier, said=old, means=new)
    except NotPossible as error:
        return f"{told} {error}"
    log.info("web.remembered", courier=table.drop.courier, user=visitor.name)
    return f'{told} From now on, {table.drop.courier} may write "{old}" for it.'


@router.post("/drops/{drop_id}/fix")
async def save(request: Request, front: AtFront, visitor: Operator, drop_id: str) -> Response:
    """Keep what was typed; then send it, or show the next page."""
    form = await read_form(request, front, visitor)
    target = await run_in_threadpool(_save, front, visitor, drop_id, form)
    return RedirectResponse(target, status_code=303)


def _save(front: Front, visitor: Visitor, drop_id: str, form: FormData) -> str:
    table = _table(front, drop_id)
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        _take_over(sheet, table.rejects, form)
    go = text_of(form, "go")
    if go == "send":
        return _send(front, visitor, drop_id, text_of(form, "note"))
    number = _whole_number(go) or 1
    return f"/drops/{drop_id}/fix?page={number}"


def _take_over(sheet: Sheet, rejects: Rejects, form: FormData) -> None:
    """What was typed, into the draft: only cells and choices that differ from what was shown."""
    draft = sheet.draft
    for name, typed in form.multi_items():
        kind, _, place = name.partition("-")
        if not isinstance(typed, str):
            continue
        if kind == "cell":
            line, column = (_whole_number(part) for part in (*place.split("-"), "")[:2])
            if line is None or column is None or line >= len(rejects):
                continue
            if column >= len(rejects.headers) or sheet.is_full:
                continue
            original = rejects.table.column(column)[line].as_py()
            if _as_typed(typed) != _as_typed(draft.value(line, column, original)):
                draft = draft.with_cell(line, column, typed, original)
        elif kind == "was":
            line = _whole_number(place)
            wanted = form.get(f"send-{place}") is not None
            if line is not None and line < len(rejects) and wanted != (typed == "1"):
                draft = replace(draft, chosen={**draft.chosen, line: wanted})
    sheet.draft = draft


def _as_typed(text: str) -> str:
    """A text as far as a browser gives it back: it has its own line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _send(front: Front, visitor: Visitor, drop_id: str, note: str) -> str:
    """Write the corrected file and put it into the inbox, as any other upload."""
    table = _table(front, drop_id)
    lines = correcting.lines_to_send(
        table.rejects, table.draft, table.fixed, whole_file=table.whole_file
    )
    if not len(lines):
        raise NotPossible("Nothing was changed yet.", hint="Correct a cell, or tick a row.")
    name = correcting.corrected_name(table.drop.source_file)
    kept = staging.Staged(
        batch=uploads.new_batch(), names=(name,), courier="", who=visitor.name, note=note
    )
    (path,) = kept.paths(front.site)
    correcting.write_corrected(path, table.rejects, table.draft, drop_id, lines)
    staging.send(front.site, kept, folder=table.drop.folder, corrects=drop_id)
    with front.drafts.changing(drop_id, table.rejects) as sheet:
        sent = {**sheet.draft.sent, **dict.fromkeys(lines.tolist(), kept.batch)}
        sheet.draft = replace(sheet.draft, sent=sent)
    log.info("web.corrected", drop=drop_id, rows=len(lines), user=visitor.name, batch=kept.batch)
    return f"/uploads/{kept.batch}"


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
