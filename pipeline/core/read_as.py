"""Tell which profile an earlier drop was read with, for rejects of it that come back."""

from collections.abc import Callable

from pipeline.core.model import Drop
from schemas.courier import CAREFUL, GENERIC

_GENERATIONS = 20


def read_as(drop_id: str, find: Callable[[str], Drop | None]) -> str | None:
    """Return the name of the profile, None if there is no such drop.

    ``CAREFUL`` where its folder, or that of the drop that it corrects, is of a courier without one.
    """
    found = find(drop_id)
    if found is None or found.courier != GENERIC:
        return None if found is None else found.courier
    drop: Drop | None = found
    for _ in range(_GENERATIONS):
        if drop is None:
            break
        if drop.folder:
            return GENERIC if drop.folder.casefold() == GENERIC else CAREFUL
        drop = find(drop.parent) if drop.parent else None
    return GENERIC
