"""The users who have the rows of a file open, and their rows. Kept in memory only."""

import threading
from collections.abc import Callable
from typing import Final

from pipeline.web.api_base import Answer

PAGE_SECONDS: Final = 60.0
"""Somebody whose page was loaded counts as there for as long, also without JavaScript."""
WORD_SECONDS: Final = 12.0
"""As long after a message of the page, which sends one every few seconds while it is open."""
_MOST: Final = 2_000


class NeighbourObject(Answer):
    """Somebody who has the rows open on the page. ``row``: its number, empty where unknown."""

    name: str
    row: str

    @property
    def text(self) -> str:
        """Return the name and the row: ``Asha, row 24``."""
        return f"{self.name or 'somebody'}{f', row {self.row}' if self.row else ''}"


class Editors:
    """Keeps which users have which file open. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._now = monotonic
        self._seen: dict[tuple[str, str], tuple[float, NeighbourObject]] = {}
        self._lock = threading.Lock()

    def note(self, drop_id: str, session: str, *, name: str, row: str, seconds: float) -> None:
        """Note that a user has this file open, for so long or until the next call."""
        with self._lock:
            now = self._now()
            ends = now + seconds
            self._seen.pop((drop_id, session), None)
            self._seen[drop_id, session] = (ends, NeighbourObject(name=name, row=row))
            self._seen = {key: seen for key, seen in self._seen.items() if seen[0] > now}
            for key in list(self._seen)[:-_MOST]:
                del self._seen[key]

    def others(self, drop_id: str, session: str = "") -> list[NeighbourObject]:
        """Return who else is at this file, each once, the newest last.

        Somebody with several tabs is at the row of the last message.
        """
        with self._lock:
            now, found = self._now(), dict[str, NeighbourObject]()
            for (drop, who), (ends, person) in self._seen.items():
                if drop == drop_id and who != session and ends > now:
                    found.pop(person.name or who, None)
                    found[person.name or who] = person
            return list(found.values())
