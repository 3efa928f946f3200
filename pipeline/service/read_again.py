"""Read a file again that was refused, or of which rows were rejected: with today's profiles."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from pipeline.core.errors import UsageError
from pipeline.core.file_names import as_text
from pipeline.core.model import DropState, stamp
from pipeline.core.ports import DropLine
from pipeline.service.wiring import Site
from pipeline.storage.root_folders import place_of

log = structlog.get_logger(__name__)

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

    It becomes a drop of its own, and the first one needs nobody from then on: what was accepted
    comes out as duplicate. ``folder``: the inbox sub-folder, else the one it came in; ``put``: puts
    a file into that folder, where more is to be done than that. Raises UsageError where reading it
    again could do nothing or the file is gone, StorageError.
    """
    drop = site.drop(drop_id)
    with _ONE_AT_A_TIME:
        (line,) = site.ledger.lines([drop.drop_id])
        check_again(site, line)
        kept = site.folders.kept(place_of(drop))
        if kept.is_symlink() or not kept.is_file():
            raise UsageError(
                f"The file of the drop {drop.drop_id} is not kept any more.",
                hint="Get it from whoever has it, and upload it again.",
            )
        after = site.ledger.last_number()
        place = drop.folder if folder is None else folder
        placed = (put or site.folders.put)(kept, place)
        site.ledger.note_again(
            drop.seq,
            at=stamp(site.clock.now()),
            who=who[:100],
            name=as_text(placed.name),
            folder=place,
            after=after,
        )
    log.info("drop.read_again", drop=drop.drop_id, user=who)
    return placed


def check_again(site: Site, drop: DropLine) -> None:
    """Raise UsageError when reading this drop's file again could do nothing."""
    rejected = (drop.summary or {}).get("rows", {}).get("rejected", 0)
    if drop.state is not DropState.REFUSED and not (drop.state is DropState.COMPLETED and rejected):
        raise UsageError(
            f"The drop {drop.drop_id} is {drop.state}: there is nothing in it to be read again.",
            hint="Files that were refused, or of which rows were rejected, can be read again.",
        )
    if drop.again_as:
        raise UsageError(
            f"The drop {drop.drop_id} was read again: as {drop.again_as}.",
            hint="If that is not right yet, have that one read again.",
        )
    if drop.again_name and site.folders.waits(drop.again_folder, drop.again_name):
        raise UsageError(f"The file of the drop {drop.drop_id} waits in the inbox already.")


def can_be_read_again(site: Site, drop: DropLine) -> bool:
    """Tell whether reading this drop's file again may bring something."""
    try:
        check_again(site, drop)
    except UsageError:
        return False
    return True
