"""The list of files, one file, and the requests for it: pages and JSON."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from msgspec import structs
from pydantic import AfterValidator, Field
from starlette.responses import FileResponse, RedirectResponse, Response

from pipeline.core.drop_lines import DropLine, Search
from pipeline.core.errors import ShipdropError, StorageError
from pipeline.core.model import Drop, DropState
from pipeline.service.read_again import can_be_read_again
from pipeline.web import drop_view, faults, order_search, words
from pipeline.web.api_base import LATER, Answer, DropId, api_router
from pipeline.web.api_base import Text as PlainText
from pipeline.web.context import ByMachine, Ctx, Form, Looker, NotThere, Operator, WebContext, page
from pipeline.web.correct_rows.load import line_of, table_of
from pipeline.web.drop_view import DropView, view_of
from pipeline.web.set_aside import NO_MANIFEST, REASONS, REASONS_OF_FILES
from pipeline.web.teaching.steps import can_be_taught
from pipeline.web.templating import address
from pipeline.web.uploads import note_of
from schemas.codes import Code
from schemas.vocabulary import Outcome

router = APIRouter(include_in_schema=False)
api = api_router(router)

_PAGE: Final = 30
_STATES: Final = ("to_do", "under_way", *(state.value for state in DropState if state.closed))
_NEEDS: Final = tuple(outcome.value for outcome in Outcome)
_SORTS: Final = ("file", "state", "courier", "rows", "need")
Text = Annotated[str, Query(max_length=200)]
PageNo = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]


def _one_of(known: Collection[str]) -> AfterValidator:
    return AfterValidator(lambda text: text if text in known else "")


@dataclass(frozen=True)
class Filters:
    """Which files a list shows, and how, as its address says. ``sort``: with "-" the other way."""

    q: Annotated[
        str,
        Query(max_length=2_000),
        AfterValidator(lambda q: " ".join(q.replace("\x00", "").split())),
    ] = ""
    state: Annotated[Text, _one_of(_STATES)] = ""
    courier: Annotated[Text, AfterValidator(lambda name: name.replace("\x00", ""))] = ""
    needs: Annotated[Text, _one_of(_NEEDS)] = ""
    when: Annotated[str, Query(pattern=r"^(|today|yesterday|week|\d{4}-\d{2}-\d{2})$")] = ""
    sort: Annotated[
        str,
        Query(pattern=r"^-?[a-z]{0,10}$"),
        AfterValidator(lambda sort: sort if sort.lstrip("-") in {*_SORTS, ""} else ""),
    ] = ""


DayGroup = tuple[date | None, Mapping[str, int] | None, list[DropView]]
AsFiltered = Annotated[Filters, Depends()]


def _search(ctx: WebContext, filters: Filters, page_no: int) -> Search:
    since, until = ctx.totals.span_of(filters.when)
    return Search(
        words=filters.q,
        state=filters.state if filters.state != "to_do" else "",
        courier=filters.courier,
        needs=filters.needs,
        since=since,
        until=until,
        sort=filters.sort.lstrip("-"),
        backward=filters.sort.startswith("-"),
        limit=_PAGE,
        offset=(page_no - 1) * _PAGE,
        group_corrections=not filters.q,
        to_do=filters.state == "to_do",
    )


def listed(ctx: WebContext, filters: Filters, page_no: int) -> dict[str, Any]:
    """Return the values of the list of files."""
    search = _search(ctx, filters, page_no)
    hits = ctx.site.ledger.overview.hits(search)
    pages = max(1, -(-hits // _PAGE))
    if page_no > pages:
        page_no, search = pages, structs.replace(search, offset=(pages - 1) * _PAGE)
    found = ctx.site.ledger.overview.search(search)
    shown = [view_of(ctx.site, drop) for drop in found]
    corrections = ctx.site.ledger.overview.corrections_of([each.drop_id for each in found])
    return {
        "groups": _by_day(ctx, filters, shown),
        "corrections": corrections,
        "filters": asdict(filters),
        "filtered": replace(filters, sort="") != Filters(),
        "live": page_no == 1,
        "hits": hits,
        "page_no": page_no,
        "pages": pages,
        "near_pages": _near(page_no, pages),
        "version": _version((shown, corrections, hits, ctx.health_bar.health().api)),
        "couriers": sorted(ctx.site.profiles),
        "all_states": _STATES,
        "today": ctx.totals.today(),
    }


def _near(page_no: int, pages: int) -> list[int]:
    """Return the pages that are named: the first, the last, and those around this one."""
    near = {1, pages, *range(page_no - 2, page_no + 3)}
    return sorted(each for each in near if 1 <= each <= pages)


def _by_day(ctx: WebContext, filters: Filters, shown: Sequence[DropView]) -> list[DayGroup]:
    """Return day, its totals, its files; one group without a day where they are sorted otherwise.

    Totals are those of the whole day: shown where nothing but days and a courier are asked for.
    """
    if filters.sort.lstrip("-"):
        return [(None, None, list(shown))] if shown else []
    groups: list[DayGroup] = []
    for day, some in groupby(shown, lambda each: ctx.totals.day_of(each.drop.received_at)):
        whole = not (filters.q or filters.state or filters.needs)
        totals = ctx.totals.totals_of(day, filters.courier) if whole else None
        groups.append((day, totals, list(some)))
    return groups


def _version(shown: object) -> str:
    return hashlib.sha256(repr(shown).encode("utf-8", "replace")).hexdigest()[:16]


@router.get("/drops")
def drops_page(
    request: Request,
    ctx: Ctx,
    visitor: Looker,
    filters: AsFiltered,
    page_no: PageNo = 1,
) -> Response:
    """Show the list of files, newest first; of the search box also the orders it may mean."""
    values = listed(ctx, filters, page_no)
    values["answers"] = order_search.answers(ctx.site, filters.q) if filters.q else ()
    if not values["hits"] and not values["answers"] and order_search.may_be_id(filters.q):
        return RedirectResponse(address("/find", q=filters.q), status_code=303)
    return page(request, "drops.html", values, visitor=visitor)


@router.get("/drops/list")
def drops_list(
    request: Request, ctx: Ctx, visitor: Looker, filters: AsFiltered, v: Text = ""
) -> Response:
    """Show only the list, for a page that is kept up to date; 204 when nothing changed."""
    values = ctx.shared.get(filters, lambda: listed(ctx, filters, 1))
    if values["version"] == v:
        return Response(status_code=204)
    return page(request, "_drop_list.html", values, visitor=visitor)


@router.get("/strip")
def strip(request: Request, visitor: Looker) -> Response:
    """Return only the health bar."""
    return page(request, "_strip.html", {}, visitor=visitor)


def story_of(ctx: WebContext, drop: DropLine) -> dict[str, Any]:
    """Return the values of the head of a drop's page, also while it is being sent."""
    view = view_of(ctx.site, drop)
    health_file = ctx.health_bar.health().health_file
    shut = health_file.reason if health_file and health_file.api in {"paused", "held"} else ""
    shut = words.in_plain_words(shut, ctx.site.zone, ctx.site.clock.now())
    can_read_again = can_be_read_again(ctx.site, drop)
    correct = "Correct them below."
    if drop.to_do and not drop.need and can_read_again:
        correct = "Read it again to correct its rows here."
    story = {
        "drop": drop,
        "progress": view.progress,
        "counts": view.counts,
        "total": view.total,
        "verdict": words.on_page(view.verdict(shut), correct),
        "can_retry": drop_view.can_retry(ctx.site, drop),
        "can_cancel": drop_view.can_cancel(drop),
        "can_read_again": can_read_again,
    }
    api = health_file.api if health_file else ""
    return {**story, "version": _version((story, api))}


@router.get("/drops/{drop_id}")
def drop_page(
    request: Request,
    ctx: Ctx,
    visitor: Looker,
    drop_id: str,
    outcome: Text = "",
    code: Text = "",
    page_no: PageNo = 1,
) -> Response:
    """Return one drop: verdict, counts, faults, rows, files, family."""
    drop = line_of(ctx, drop_id)
    full = ctx.site.ledger.find(drop_id)
    to_fix = _faults(ctx, drop, full)
    # Words of rows that were corrected or set aside need not be taught.
    unknown = not to_fix["groups"] or _UNKNOWN_WORDS & {each.code for each in to_fix["groups"]}
    values = {
        **story_of(ctx, drop),
        **_family(ctx, drop),
        **_rows(ctx, drop, outcome if outcome in _NEEDS else "", code, page_no),
        **to_fix,
        "reasons": REASONS_OF_FILES if drop.state is DropState.REFUSED else REASONS,
        "no_manifest": NO_MANIFEST,
        "teachable": bool(unknown) and _is_teachable(drop),
        "downloads": drop_view.downloads(ctx.site, drop),
        "note": note_of(ctx.site, drop),
        "why": full.facts.courier_why if full else "",
        "warnings": (drop.summary or {}).get("warnings", ()),
        "next_to_do": ctx.to_do.after(drop_id) if visitor.operates else None,
    }
    return page(request, "drop.html", values, visitor=visitor)


def _is_teachable(drop: DropLine) -> bool:
    """Return whether a profile could fix why it was refused, or rows of it rejected."""
    summary = drop.summary or {}
    refused = summary.get("refused")
    if drop.again_as or not drop.state.closed:
        return False
    if drop.fixed and not drop.need:
        return False  # all its rows were corrected, or set aside
    if refused and can_be_taught(refused):
        return refused["code"] != Code.TOO_MANY_REJECTS or _has_unknown_words(summary)
    return bool(drop.need) and _has_unknown_words(summary)


_UNKNOWN_WORDS: Final = frozenset({Code.STATUS_UNKNOWN, Code.STATUS_UNCONFIRMED})


def _has_unknown_words(summary: Mapping[str, Any]) -> bool:
    codes = {each["code"] for each in summary.get("errors", ())}
    return not codes.isdisjoint(_UNKNOWN_WORDS)


def _family(ctx: WebContext, drop: DropLine) -> dict[str, Any]:
    near = [each for each in (drop.parent, drop.same_as) if each]
    known = {line.drop_id: line for line in ctx.site.ledger.overview.lines(near)} if near else {}
    return {
        "parent": known.get(drop.parent or ""),
        "same_as": known.get(drop.same_as or ""),
        "children": ctx.site.ledger.overview.children(drop.drop_id),
    }


def _rows(ctx: WebContext, drop: DropLine, outcome: str, code: str, page_no: int) -> dict[str, Any]:
    """Return the rows of the results file, if it is there.

    A missing file is reported in a sentence.
    """
    values: dict[str, Any] = {"outcome": outcome, "code": code, "rows": None, "rows_missing": ""}
    path = drop_view.outbox_file(ctx.site, drop, "results")
    if drop.state is DropState.REFUSED:
        return values
    if not path.is_file():
        if drop.state.closed:
            values["rows_missing"] = "The rows of this file are not kept any more."
        return values
    try:
        values["rows"] = drop_view.rows_of(
            ctx.files, path, outcome=outcome, code=code, page=page_no
        )
    except StorageError as error:
        values["rows_missing"] = str(error)
    return values


def _faults(ctx: WebContext, drop: DropLine, full: Drop | None) -> dict[str, Any]:
    path = drop_view.outbox_file(ctx.site, drop, "rejects")
    if full is None or not full.facts.sheets or not path.is_file():
        return {"groups": (), "left": 0, "total_to_fix": 0}
    try:
        table = table_of(ctx, drop.drop_id)
    except ShipdropError:
        return {"groups": (), "left": 0, "total_to_fix": 0}
    left = table.left
    return {
        "groups": faults.grouped(left),
        "left": len(left),
        "total_to_fix": len(table.rejects),
    }


@router.get("/drops/{drop_id}/live")
def drop_live(request: Request, ctx: Ctx, visitor: Looker, drop_id: str, v: Text = "") -> Response:
    """Return only the head, while the drop is on its way; then the whole page is loaded again."""
    story = ctx.shared.get(drop_id, lambda: story_of(ctx, line_of(ctx, drop_id)))
    if story["drop"].state.closed and not story["drop"].request:
        return Response(headers={"hx-refresh": "true"})
    if story["version"] == v:
        return Response(status_code=204)
    return page(request, "_drop_head.html", {**story, "live": True}, visitor=visitor)


@router.get("/drops/{drop_id}/files/{kind}")
def drop_file(ctx: Ctx, _visitor: Looker, drop_id: str, kind: str) -> Response:
    """Return a file of the drop, to be saved: never shown by the browser."""
    drop = line_of(ctx, drop_id)
    if kind == "original":
        path = drop_view.original_file(ctx.site, drop)
    elif kind in drop_view.FILES:
        path = drop_view.outbox_file(ctx.site, drop, kind)
    else:
        path = None
    if path is None or path.is_symlink() or not path.is_file():
        raise NotThere("This file is not there any more.")
    name = path.name.encode("utf-8", "replace").decode()
    return FileResponse(path, filename=name, media_type="application/octet-stream")


@router.post("/drops/{drop_id}/{wish}")
def ask_by_form(ctx: Ctx, visitor: Operator, _form: Form, drop_id: str, wish: str) -> Response:
    """Ask the service to retry or cancel, as the commands do."""
    drop = line_of(ctx, drop_id)
    drop_view.ask(ctx.site, drop, wish, visitor.name)
    return RedirectResponse(f"/drops/{drop.drop_id}", status_code=303)


class ProgressObject(Answer):
    """The progress of a drop that is being sent, in rows."""

    answered: int
    total: int


class DropObject(Answer):
    """One drop."""

    drop_id: str
    source_file: PlainText
    folder: PlainText = Field(description="The inbox sub-folder it was dropped into, or empty.")
    state: DropState
    courier: str
    received_at: datetime
    finished_at: datetime | None
    size: int = Field(description="Bytes.")
    sha256: str
    parent: str | None = Field(description="The drop that it corrects.")
    same_as: str | None = Field(description="An earlier drop with the same bytes.")
    request: str | None = Field(description="retry or cancel, while somebody asks for it.")
    read_again_as: str | None = Field(description="The drop that its file became when read again.")
    verdict: PlainText = Field(description="The result, in one sentence.")
    progress: ProgressObject | None
    need: int = Field(description="Rows that need a person now: not corrected, not set aside.")
    corrected: int = Field(description="Its rows that were corrected since.")
    set_aside: int = Field(description="Its rows that somebody left as they are.")
    summary: dict[str, Any] | None = Field(description="As in summary.json.")
    tidied_at: datetime | None = Field(
        description="When its rows and details were removed, since it is old: of its summary only "
        "counts, codes and names are left."
    )


class DropList(Answer):
    """Drops, newest first."""

    drops: list[DropObject]
    next: int | None = Field(description="Give it as `before` for the older ones; null: no more.")
    hits: int = Field(description="How many there are in all.")


class Asked(Answer):
    """A request to the service; it acts on it at its next scan."""

    drop_id: str
    request: str


def drop_object(ctx: WebContext, drop: DropLine) -> DropObject:
    """Return a drop as the JSON API shows it."""
    view = view_of(ctx.site, drop)
    told = {
        "request": drop.request or None,
        "read_again_as": drop.again_as,
        "verdict": view.verdict(),
        "progress": view.progress,
        "corrected": drop.fixed,
        "set_aside": drop.aside,
        "tidied_at": drop.tidied_at or None,
    }
    return DropObject.model_validate(structs.asdict(drop) | told)


@api.get("/drops")
def drops(
    ctx: Ctx,
    _visitor: Looker,
    *,
    q: Annotated[str, Query(max_length=200, description="In the file's name or drop id.")] = "",
    state: Annotated[DropState | Literal["under_way"] | None, Query()] = None,
    courier: Annotated[str, Query(max_length=60)] = "",
    needs: Annotated[Outcome | None, Query(description="An outcome it has rows of.")] = None,
    to_do: Annotated[bool, Query(description="Only with rows that need a person, or refused.")] = (
        False
    ),
    when: Annotated[
        str,
        Query(
            pattern=r"^(|today|yesterday|week|\d{4}-\d{2}-\d{2})$",
            description="Received then: today, yesterday, week (7 days), or a day.",
        ),
    ] = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DropList:
    """List drops, newest first."""
    since, until = ctx.totals.span_of(when)
    search = Search(
        words=q.replace("\x00", ""),
        state=state or "",
        courier=courier.replace("\x00", ""),
        needs=needs or "",
        since=since,
        until=until,
        to_do=to_do,
    )
    found = ctx.site.ledger.overview.search(structs.replace(search, before=before, limit=limit + 1))
    shown = found[:limit]
    more = shown[-1].seq if len(found) > limit else None
    return DropList(
        drops=[drop_object(ctx, drop) for drop in shown],
        next=more,
        hits=ctx.site.ledger.overview.hits(search),
    )


@api.get("/drops/{drop_id}")
def drop(ctx: Ctx, _visitor: Looker, drop_id: DropId) -> DropObject:
    """Show one drop."""
    return drop_object(ctx, line_of(ctx, drop_id))


@api.get("/drops/{drop_id}/results")
def results(
    ctx: Ctx,
    _visitor: Looker,
    drop_id: DropId,
    outcome: Annotated[Outcome | None, Query()] = None,
    code: Annotated[str, Query(max_length=100, description="As in `codes`.")] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> drop_view.RowList:
    """Show a drop's rows, a page at a time, as far as they were reported."""
    path = drop_view.outbox_file(ctx.site, line_of(ctx, drop_id), "results")
    if not path.is_file():
        raise NotThere("There is no results file of this drop in the outbox.")
    return drop_view.rows_of(ctx.files, path, outcome=outcome or "", code=code, page=page)


@api.post("/drops/{drop_id}/{wish}", status_code=202, responses=LATER)
def ask(
    ctx: Ctx, visitor: ByMachine, drop_id: DropId, wish: Literal["retry", "cancel", "again"]
) -> Asked:
    """Ask the service to send the rest, to stop sending, or to read the file again."""
    found = line_of(ctx, drop_id)
    drop_view.ask(ctx.site, found, wish, visitor.name)
    return Asked(drop_id=found.drop_id, request=wish)
