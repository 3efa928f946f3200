"""Whether a drop can be tried again: one rule for the command and the web page."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.model import DropState
from pipeline.service.wiring import Site
from pipeline.storage.spool import spool_of


def check_retry(
    site: Site, drop_id: str, state: DropState, summary: Mapping[str, Any] | None
) -> None:
    """Raise UsageError when a retry of this drop could do nothing."""
    if not state.closed:
        return
    rows = (summary or {}).get("rows", {})
    left = rows.get("unknown", 0) + (rows.get("unsent", 0) if state == "cancelled" else 0)
    if not left or state == "refused":
        raise UsageError(f"The drop {drop_id} is {state}: there is nothing left to send.")
    drop = site.drop(drop_id)
    if site.ledger.is_ours(drop) and not spool_of(site.spools, drop).has_plan:
        raise UsageError(
            f"The rows of the drop {drop_id} are not kept any more.",
            hint="Put its file from archive/ into the inbox again: what the API has is not sent "
            "twice.",
        )
