"""Which drop waits for which: one with the same orders that is not through. Pure.

What waits is woken by one thing only: that what it waits for has ended. Whether that rests, waits
itself, or lies in another root, does not matter here.
"""

from collections.abc import Iterable


class Dependencies:
    """Drops that wait, by their ids, and what each waits for; the same seen from the other side.

    A drop may be said to wait again: what it waits for is added to.
    """

    def __init__(self) -> None:
        self._waits_for: dict[str, set[str]] = {}
        self._awaited_by: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Count the drops that wait."""
        return len(self._waits_for)

    def __contains__(self, drop_id: str) -> bool:
        """Tell whether the drop waits."""
        return drop_id in self._waits_for

    @property
    def awaited(self) -> tuple[str, ...]:
        """The drops that somebody waits for."""
        return tuple(self._awaited_by)

    def waits_for(self, drop_id: str) -> tuple[str, ...]:
        """List what a drop waits for, sorted; nothing when it does not wait."""
        return tuple(sorted(self._waits_for.get(drop_id, ())))

    def wait(self, drop_id: str, behind: Iterable[str]) -> None:
        """Let a drop wait until each of these has ended; with none of them it does not wait."""
        for each in behind:
            self._waits_for.setdefault(drop_id, set()).add(each)
            self._awaited_by.setdefault(each, set()).add(drop_id)

    def ended(self, drop_id: str) -> list[str]:
        """Note that a drop has closed or is gone; return those that wait for nothing any more."""
        free = []
        for waiting in sorted(self._awaited_by.pop(drop_id, ())):
            left = self._waits_for[waiting]
            left.discard(drop_id)
            if not left:
                del self._waits_for[waiting]
                free.append(waiting)
        return free

    def forget(self, drop_id: str) -> None:
        """Let a drop wait no more. Others go on waiting for it."""
        for each in self._waits_for.pop(drop_id, ()):
            self._awaited_by[each].discard(drop_id)
            if not self._awaited_by[each]:
                del self._awaited_by[each]
