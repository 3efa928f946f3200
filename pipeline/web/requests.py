"""Asking the service for something: the word in the ledger that ``retry`` and ``cancel`` leave."""

import structlog

from pipeline.model import DropState, Outcome
from pipeline.ports import DropLine
from pipeline.web.front import NotPossible, NotThere
from pipeline.wiring import Site

log = structlog.get_logger(__name__)


def can_retry(drop: DropLine) -> bool:
    """Tell whether something of it may still be sent, or settled."""
    doubtful = bool(drop.summary and drop.summary["rows"][Outcome.UNKNOWN])
    return drop.state is DropState.OPEN or (drop.state is DropState.COMPLETED and doubtful)


def can_cancel(drop: DropLine) -> bool:
    """Tell whether there is something left to stop."""
    return not drop.state.closed


def ask(site: Site, drop: DropLine, wish: str, who: str) -> None:
    """Leave the wish for the service. Raises NotThere, NotPossible or StorageError."""
    allowed = {"retry": can_retry, "cancel": can_cancel}
    if wish not in allowed:
        raise NotThere("There is nothing under this address.")
    if not allowed[wish](drop):
        raise NotPossible(f"The drop is {drop.state}: there is nothing left to {wish}.")
    site.ledger.request(drop.drop_id, wish)
    log.info("web.request", drop=drop.drop_id, wish=wish, user=who)
