"""Which drop waits for which: one that is to settle some of its orders first. Pure."""

from collections.abc import Iterable


class Dependencies:
    """Drops that wait, by their ids, and what each waits for; the same seen from the other side."""

    def __init__(self) -> None:
        self._waits_for: dict[str, frozenset[str]] = {}
        self._awaited_by: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Count the drops that wait."""
        return len(self._waits_for)

    def __contains__(self, drop_id: str) -> bool:
        """Tell whether the drop waits."""
        return drop_id in self._waits_for

    @property
    def awaited(self) -> tuple[str, ...]:
        """Return the drops that somebody waits for."""
        return tuple(self._awaited_by)

    def awaited_by(self, drop_id: str) -> tuple[str, ...]:
        """List those that wait for a drop, sorted."""
        return tuple(sorted(self._awaited_by.get(drop_id, ())))

    def waits_for(self, drop_id: str) -> tuple[str, ...]:
        """List what a drop waits for, sorted; nothing when it does not wait."""
        return tuple(sorted(self._waits_for.get(drop_id, ())))

    def wait(self, drop_id: str, others: Iterable[str]) -> None:
        """Let a drop wait for these, and for no others any more; with none it does not wait."""
        for each in self._waits_for.pop(drop_id, frozenset()):
            self._awaited_by[each].discard(drop_id)
            if not self._awaited_by[each]:
                del self._awaited_by[each]
        if now := frozenset(others):
            self._waits_for[drop_id] = now
        for each in now:
            self._awaited_by.setdefault(each, set()).add(drop_id)
