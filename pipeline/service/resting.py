"""Why a drop is not through, for those who ask: from its summary and from the service."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.model import Drop
from pipeline.core.ports import Clock
from pipeline.service.health_file import Pulse, is_fresh


def why_open(drop: Drop, pulse: Pulse | None, clock: Clock) -> dict[str, Any] | None:
    """Return reason, hint, cause, waits_for and again_at of a drop that is open; None if closed.

    ``again_at``: when it is tried again; null where no service runs: by the next run.
    """
    if drop.state.closed:
        return None
    fresh = pulse is not None and is_fresh(pulse, clock.now())
    for each in pulse.open if pulse is not None and fresh else ():
        if each["drop_id"] == drop.drop_id:
            return {key: value for key, value in each.items() if key not in {"drop_id", "file"}}
    told = (drop.facts.get("summary") or {}).get("open")
    if told:
        return {**{key: told[key] for key in _KEYS}, "again_at": None}
    doing = "A service is at work on it." if fresh else "It is taken up by the next run."
    return {"reason": doing, "hint": "", "cause": "", "waits_for": [], "again_at": None}


_KEYS = ("reason", "hint", "cause", "waits_for")


def in_words(told: Mapping[str, Any]) -> str:
    """Say the same in a sentence or two."""
    again = f"It is tried again at {told['again_at']}." if told["again_at"] else ""
    return " ".join(part for part in (told["reason"], told["hint"], again) if part)
