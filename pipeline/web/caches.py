"""Keep the newest entries in memory, each for as long as it is of use."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ANSWERS: Final = 500


class LruCache(Generic[K, V]):
    """Keeps the entries that were put or read last. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: K) -> V | None:
        """Return an entry, or None."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: K, value: V) -> V:
        """Keep an entry, and return it; the least recently used one is dropped."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value

    def first(self, key: K, value: V) -> V:
        """Keep an entry unless there is one; return the one that is kept."""
        with self._lock:
            return self._kept[key] if key in self._kept else self.put(key, value)

    def pop(self, key: K) -> V | None:
        """Take an entry out, and return it."""
        with self._lock:
            return self._kept.pop(key, None)

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._kept))


class AnswerCache:
    """Keeps results for a moment. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float], *, seconds: float) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._kept = LruCache[Hashable, tuple[float, Any]](_ANSWERS)

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the result of ``make``, or a recent one under this key."""
        now = self._monotonic()
        kept = self._kept.get(key)
        if kept is not None and now - kept[0] < self._seconds:
            value: V = kept[1]
            return value
        value = make()
        self._kept.put(key, (now, value))
        return value


class KeptForPage(Generic[V]):
    """Keeps something of a session until one of its pages is shown, which shows it once."""

    def __init__(self, most: int) -> None:
        self._kept = LruCache[tuple[str, str], V](most)

    def keep(self, session: str, path: str, kept: V) -> None:
        """Keep something for the page with this path."""
        self._kept.put((session, path), kept)

    def move(self, before: str, after: str) -> None:
        """Hand a new session what was kept for the one before in that browser."""
        for session, path in self._kept:
            if session == before and (kept := self.take(session, path)) is not None:
                self.keep(after, path, kept)

    def take(self, session: str, path: str) -> V | None:
        """Return what was kept for this page, once."""
        return self._kept.pop((session, path))
