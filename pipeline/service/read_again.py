"""Return why a drop is not finished and whether it can be tried again; read its file again.

For commands and pages.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec.structs import replace

from pipeline.core.clock import Clock
from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import UsageError
from pipeline.core.file_names import as_text
from pipeline.core.model import Drop, DropState, InboxAgain, stamp
from pipeline.service.health_file import HealthFile, is_fresh
from pipeline.service.wiring import Site
from pipeline.storage.root_folders import place_of

log = structlog.get_logger(__name__)


def why_open(drop: Drop, health_file: HealthFile | None, clock: Clock) -> dict[str, Any] | None:
    """Return reason, hint, cause, waits_for and again_at of a drop that is open; None if closed.

    ``again_at``: when it is tried again; null where no service runs: by the next run.
    """
    if drop.state.closed:
        return None
    fresh = health_file is not None and is_fresh(health_file, clock.now())
    for each in health_file.open if health_file is not None and fresh else ():
        if each["drop_id"] == drop.drop_id:
            return {key: value for key, value in each.items() if key not in {"drop_id", "file"}}
    open_reason = (drop.facts.summary or {}).get("open")
    if open_reason:
        return {**{key: open_reason[key] for key in _KEYS}, "again_at": None}
    doing = "A service is at work on it." if fresh else "It is taken up by the next run."
    return {"reason": doing, "hint": "", "cause": "", "waits_for": [], "again_at": None}


_KEYS = ("reason", "hint", "cause", "waits_for")


def in_words(open_reason: Mapping[str, Any]) -> str:
    """Return it in a sentence or two."""
    again = f"It is tried again at {open_reason['again_at']}." if open_reason["again_at"] else ""
    return " ".join(part for part in (open_reason["reason"], open_reason["hint"], again) if part)


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


_ONE_AT_A_TIME: Final = threading.Lock()


def read_again(
    site: Site,
    drop_id: str,
    *,
    who: str = "",
    folder: str | None = None,
    put: Callable[[Path, str], Path] | None = None,
) -> Path:
    """Put the file of a drop into the inbox again; return its place there.

    It becomes a new drop, and the first one needs no person from then on: rows that were accepted
    end as duplicates. ``folder``: the inbox sub-folder, else the one it came in; ``put``: puts
    a file into that folder, where more is to be done than that. Raises UsageError where reading it
    again could do nothing or the file is gone, StorageError.
    """
    drop = site.drop(drop_id)
    with _ONE_AT_A_TIME:
        (line,) = site.ledger.overview.lines([drop.drop_id])
        kept = check_again(site, line)
        after = site.ledger.overview.last_number()
        place = drop.folder if folder is None else folder
        placed = (put or site.folders.put)(kept, place)
        noted = InboxAgain(
            at=stamp(site.clock.now()),
            who=who[:100],
            name=as_text(placed.name),
            folder=place,
            after=after,
        )
        site.ledger.change_facts(drop.seq, lambda facts: replace(facts, again=noted))
    log.info("drop.read_again", drop=drop.drop_id, user=who)
    return placed


def check_again(site: Site, drop: DropLine) -> Path:
    """Return where the file of a drop lies that may be read again.

    Raises UsageError when reading it again could do nothing, or the file is gone.
    """
    rejected = (drop.summary or {}).get("rows", {}).get("rejected", 0)
    if drop.state is not DropState.REFUSED and not (drop.state is DropState.COMPLETED and rejected):
        raise UsageError(
            f"The drop {drop.drop_id} is {drop.state}: it has nothing to read again.",
            hint="Files that were refused, or of which rows were rejected, can be read again.",
        )
    if drop.again_name and (
        site.folders.waits(drop.again_folder, drop.again_name) or _is_being_claimed(site, drop)
    ):
        raise UsageError(f"The file of the drop {drop.drop_id} waits in the inbox already.")
    # Asked last: a file that has left the inbox meanwhile is a drop by now.
    again_as = site.ledger.overview.lines([drop.drop_id])[0].again_as if drop.again_name else None
    if again_as:
        raise UsageError(
            f"The drop {drop.drop_id} was already read again, as {again_as}.",
            hint="If that one is not right yet, read it again.",
        )
    kept = site.folders.kept(place_of(drop))
    if kept.is_symlink() or not kept.is_file():
        raise UsageError(
            f"The file of the drop {drop.drop_id} is not kept any more.",
            hint="Get it from whoever has it, and upload it again.",
        )
    return kept


def _is_being_claimed(site: Site, drop: DropLine) -> bool:
    """Return whether a file that is read again has left the inbox, its hash not being known yet."""
    place = (drop.again_folder, drop.again_name)
    return any(
        each.state is DropState.CLAIMING and (each.folder, as_text(each.source_file)) == place
        for each in site.ledger.unfinished()
    )


def can_be_read_again(site: Site, drop: DropLine) -> bool:
    """Return whether reading this drop's file again may bring something."""
    try:
        check_again(site, drop)
    except UsageError:
        return False
    return True
