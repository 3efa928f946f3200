"""One drop as its page shows it, and the requests for it: retry, cancel, read again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from msgspec import Struct
from pydantic import Field, ValidationError

from pipeline.core import file_names
from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import StorageError, UsageError
from pipeline.core.model import DropRequest, DropState
from pipeline.service.read_again import check_retry, read_again
from pipeline.service.wiring import Site
from pipeline.storage.root_folders import place_of
from pipeline.web import uploads
from pipeline.web.api_base import Answer
from pipeline.web.context import NotPossible, NotThere, not_possible
from pipeline.web.sheets import SheetFile, SheetFiles
from pipeline.web.words import STATES, Progress, headline
from schemas.vocabulary import Outcome

log = structlog.get_logger(__name__)

PAGE: Final = 50
"""Rows on one page."""

#: How a person calls a report.
_TITLES: Final = {
    "results": "Results (CSV)",
    "rejects": "Rows to correct (CSV)",
    "rejects_xlsx": "Rows to correct (Excel)",
    "refused": "Why it was refused",
    "summary": "Summary, for programs",
    "received": "Receipt, for programs",
}
FILES: Final[Mapping[str, tuple[str, str]]] = {
    kind: (name, _TITLES.get(kind, name))
    for kind, name in (*file_names.REPORTS.items(), ("received", file_names.RECEIVED))
}
"""Files of a drop that may be fetched: name in the address → (file, as a person calls it)."""
RESULT_COLUMNS: Final = ("outcome", "codes")


class RowObject(Answer):
    """One line of a results file."""

    row: int
    sheet: str
    order_id: str
    awb: str
    source_status: str
    order_status: str
    outcome: Outcome
    codes: list[str]
    message: str
    sent_at: str


class RowList(Answer):
    """A page of rows."""

    rows: list[RowObject]
    total: int = Field(description="Rows that fit the filter.")
    page: int
    pages: int


def outbox_file(site: Site, drop: DropLine, kind: str) -> Path:
    """Return where a file of the drop lies, or would lie. The address says only which kind."""
    place = site.outbox_path / drop.folder if drop.folder else site.outbox_path
    return place / file_names.file_name(drop, FILES[kind][0])


def original_file(site: Site, drop: DropLine) -> Path | None:
    """Return the file as it was dropped, where it lies now."""
    if drop.state.closed:
        place = site.folders.kept(place_of(drop))
    else:
        place = site.root / "work" / drop.drop_id / drop.source_file
    return place if place.is_file() and not place.is_symlink() else None


def downloads(site: Site, drop: DropLine) -> list[tuple[str, str]]:
    """Return what can be fetched now: (name in the address, words)."""
    found = [
        (kind, FILES[kind][1])
        for kind in file_names.REPORTS
        if outbox_file(site, drop, kind).is_file()
    ]
    if original_file(site, drop) is not None:
        found.append(("original", "Original file"))
    return found


class DropView(Struct, frozen=True, kw_only=True):
    """The progress of a drop: the outcomes of its rows, as reported or so far.

    ``progress``: None where it is not being sent. ``counts``: outcome → rows, without zeros.
    """

    drop: DropLine
    progress: Progress | None
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return all the rows that are counted."""
        return self.progress.total if self.progress else sum(self.counts.values())

    def verdict(self, shut: str = "") -> str:
        """Return the state in one sentence. ``shut``: why nothing is being sent at all, if so."""
        return headline(self.drop, self.progress, shut)


def view_of(site: Site, drop: DropLine) -> DropView:
    """Return the progress of a drop."""
    rows: Mapping[str, Any] = drop.summary["rows"] if drop.summary else {}
    counts = {each.value: rows[each.value] for each in Outcome if rows.get(each.value)}
    if drop.state is not DropState.OPEN:
        return DropView(drop=drop, progress=None, counts=counts)
    sent = dict(site.ledger.overview.sent(drop.seq))
    waiting = sent.pop(None, 0)
    answered = sum(sent.values())
    progress = Progress(answered=answered, total=answered + waiting)
    so_far = {str(outcome): count for outcome, count in sent.items()}
    return DropView(drop=drop, progress=progress, counts=so_far or counts)


def rows_of(files: SheetFiles, path: Path, *, outcome: str, code: str, page: int) -> RowList:
    """Return a page of the results file; ``outcome``, ``code``: "" for all. Raises StorageError."""
    sheet = files.open(path, RESULT_COLUMNS)
    chosen = np.arange(len(sheet))
    if outcome:
        found = sheet.where("outcome", lambda each: each == outcome)
        chosen = np.intersect1d(chosen, found, assume_unique=True)
    if code:
        found = sheet.where("codes", lambda codes: code in codes.split(";"))
        chosen = np.intersect1d(chosen, found, assume_unique=True)
    pages = max(1, -(-len(chosen) // PAGE))
    page = min(max(1, page), pages)
    numbers = chosen[(page - 1) * PAGE : page * PAGE].tolist()
    return RowList(rows=_rows(sheet, numbers), total=len(chosen), page=page, pages=pages)


def _rows(sheet: SheetFile, numbers: Sequence[int]) -> list[RowObject]:
    found = []
    missing = dict.fromkeys(RowObject.model_fields, "")  # columns of a file from an older release
    for cells in sheet.records(numbers):
        named: dict[str, Any] = missing | dict(zip(sheet.header, cells, strict=False))
        named["codes"] = [*filter(None, named["codes"].split(";"))]
        try:
            found.append(RowObject.model_validate(named))
        except ValidationError as error:
            raise StorageError(f"{sheet.path.name} was changed, so it cannot be shown.") from error
    return found


def can_retry(site: Site, drop: DropLine) -> bool:
    """Return whether rows of it may still be sent, or settled."""
    try:
        check_retry(site, drop.drop_id, drop.state, drop.summary)
    except UsageError:
        return False
    return drop.state not in {DropState.CLAIMING, DropState.CLAIMED}


def can_cancel(drop: DropLine) -> bool:
    """Return whether there is anything left to stop."""
    return not drop.state.closed


def again(
    site: Site, drop: DropLine, who: str, *, batch: str, folder: str | None = None, note: str = ""
) -> None:
    """Put a drop's file into the inbox once more, as an upload. Raises as ``read_again``."""

    def put(file: Path, place: str) -> Path:
        name = drop.source_file
        return uploads.put(site, file, name, folder=place, who=who, note=note, batch=batch)

    read_again(site, drop.drop_id, who=who, folder=folder, put=put)


def ask(site: Site, drop: DropLine, wish: str, who: str) -> None:
    """Carry out a request, or leave it to the service.

    Raises NotThere, NotPossible or StorageError.
    """
    if wish not in {DropRequest.RETRY, DropRequest.CANCEL, "again"}:
        raise NotThere("Page not found.")
    if wish == DropRequest.CANCEL and not can_cancel(drop):
        state = STATES[drop.state].lower()
        raise NotPossible(f"The file is {state}: there is nothing left to stop.")
    with not_possible():
        if wish == "again":
            again(site, drop, who, batch=uploads.new_batch())
            return
        if wish == DropRequest.RETRY:
            check_retry(site, drop.drop_id, drop.state, drop.summary)
    site.ledger.request(drop.drop_id, DropRequest(wish))
    log.info("web.request", drop=drop.drop_id, wish=wish, user=who)
