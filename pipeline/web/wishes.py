"""Asking for something to be done with a drop: what ``retry``, ``cancel`` and ``again`` do."""

from pathlib import Path

import structlog

from pipeline.core.errors import UsageError
from pipeline.core.model import DropState
from pipeline.core.ports import DropLine
from pipeline.service.read_again import read_again
from pipeline.service.resting import check_retry
from pipeline.service.wiring import Site
from pipeline.web import uploads
from pipeline.web.front import NotPossible, NotThere
from pipeline.web.words import STATES

log = structlog.get_logger(__name__)


def can_retry(site: Site, drop: DropLine) -> bool:
    """Tell whether something of it may still be sent, or settled."""
    try:
        check_retry(site, drop.drop_id, drop.state, drop.summary)
    except UsageError:
        return False
    return drop.state not in {DropState.CLAIMING, DropState.CLAIMED}


def can_cancel(drop: DropLine) -> bool:
    """Tell whether there is something left to stop."""
    return not drop.state.closed


def again(
    site: Site, drop: DropLine, who: str, *, batch: str, folder: str | None = None, note: str = ""
) -> None:
    """Put a drop's file into the inbox once more, as an upload. Raises as ``read_again``."""

    def put(file: Path, place: str) -> Path:
        name = drop.source_file
        return uploads.put(site, file, name, folder=place, who=who, note=note, batch=batch)[1]

    read_again(site, drop.drop_id, who=who, folder=folder, put=put)


def ask(site: Site, drop: DropLine, wish: str, who: str) -> None:
    """Do what is wished, or leave it for the service.

    Raises NotThere, NotPossible or StorageError.
    """
    if wish not in {"retry", "cancel", "again"}:
        raise NotThere("Page not found.")
    if wish == "again":
        try:
            again(site, drop, who, batch=uploads.new_batch())
        except UsageError as error:
            raise NotPossible(error.message, hint=error.hint) from error
        return
    if wish == "cancel" and not can_cancel(drop):
        state = STATES[drop.state].lower()
        raise NotPossible(f"The file is {state}: there is nothing left to stop.")
    if wish == "retry":
        try:
            check_retry(site, drop.drop_id, drop.state, drop.summary)
        except UsageError as error:
            raise NotPossible(error.message, hint=error.hint) from error
    site.ledger.request(drop.drop_id, wish)
    log.info("web.request", drop=drop.drop_id, wish=wish, user=who)
