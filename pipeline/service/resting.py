"""Tell why a drop is not finished, and whether it can be tried again: for commands and pages."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.model import Drop, DropState
from pipeline.core.ports import Clock
from pipeline.service.health_file import HealthFile, is_fresh
from pipeline.service.wiring import Site


def why_open(drop: Drop, pulse: HealthFile | None, clock: Clock) -> dict[str, Any] | None:
    """Return reason, hint, cause, waits_for and again_at of a drop that is open; None if closed.

    ``again_at``: when it is tried again; null where no service runs: by the next run.
    """
    if drop.state.closed:
        return None
    fresh = pulse is not None and is_fresh(pulse, clock.now())
    for each in pulse.open if pulse is not None and fresh else ():
        if each["drop_id"] == drop.drop_id:
            return {key: value for key, value in each.items() if key not in {"drop_id", "file"}}
    rest = (drop.facts.get("summary") or {}).get("open")
    if rest:
        return {**{key: rest[key] for key in _KEYS}, "again_at": None}
    doing = "A service is at work on it." if fresh else "It is taken up by the next run."
    return {"reason": doing, "hint": "", "cause": "", "waits_for": [], "again_at": None}


_KEYS = ("reason", "hint", "cause", "waits_for")


def in_words(rest: Mapping[str, Any]) -> str:
    """Say it in a sentence or two."""
    again = f"It is tried again at {rest['again_at']}." if rest["again_at"] else ""
    return " ".join(part for part in (rest["reason"], rest["hint"], again) if part)


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
    if site.ledger.is_ours(drop) and not site.spools.of(drop).has_plan:
        raise UsageError(
            f"The rows of the drop {drop_id} are not kept any more.",
            hint="Put its file from archive/ into the inbox again: what the API has is not sent "
            "twice.",
        )
