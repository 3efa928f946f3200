"""The inbox as the loop uses it: looked at, listened to, and claimed from, oldest first."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import structlog

from pipeline.adapters.folders import Folders
from pipeline.adapters.inbox import Inbox, Scan, Waiting
from pipeline.adapters.naming import shown
from pipeline.adapters.watcher import Watcher
from pipeline.claiming import Claimer
from pipeline.errors import NotClaimed, StorageError
from pipeline.model import Drop, ReadyFile
from pipeline.ports import Dispatcher

log = structlog.get_logger(__name__)

_LEAST_FREE_BYTES = 64 * 1024 * 1024

_LOOKS_BEFORE_AGAIN = 30

_Place = tuple[str, str]


class Intake:
    """Owned by the service's thread. Raises StorageError where a folder or the ledger fails."""

    def __init__(
        self, *, inbox: Inbox, watcher: Watcher, folders: Folders, claimer: Claimer
    ) -> None:
        self._inbox = inbox
        self._watcher = watcher
        self._folders = folders
        self._claimer = claimer
        self._scan = Scan(ready=(), waiting=(), left_alone=())
        self._ready: deque[ReadyFile] = deque()
        self._first: frozenset[_Place] | None = None
        self._looks = 0
        self._again_at: dict[_Place, int] = {}
        self._unclaimable: dict[_Place, Waiting] = {}
        self._strange: frozenset[Path] = frozenset()
        self._deaf: str | None = None

    def start(self) -> None:
        """Listen for what happens in the inbox."""
        self._watcher.start()

    def stop(self) -> None:
        """Listen no more."""
        self._watcher.stop()

    def look(self, *, once: bool) -> None:
        """Scan: the scan is the truth. ``once``: only what the first look saw may be claimed."""
        if not once:
            self._watcher.ensure()
        self._scan = self._inbox.scan()
        self._looks += 1
        for place in [place for place, at in self._again_at.items() if at <= self._looks]:
            del self._again_at[place]
            self._unclaimable.pop(place, None)
        self._tell_what_is_odd()
        if self._first is None:
            ready = {(file.folder, file.name) for file in self._scan.ready}
            waiting = {(file.folder, file.name) for file in self._scan.waiting}
            self._first = frozenset(ready | waiting)
        self._ready = deque(
            file
            for file in self._scan.ready
            if (file.folder, file.name) not in self._unclaimable
            and (not once or (file.folder, file.name) in self._first)
        )

    @property
    def ready(self) -> bool:
        """True while the last look left something to claim."""
        return bool(self._ready)

    @property
    def settling(self) -> bool:
        """True while a file may become ready by nothing but time."""
        return bool(self._scan.waiting)

    def awaited(self) -> list[Waiting]:
        """Files of the first look that the newest one still sees waiting."""
        first = self._first or frozenset()
        return [file for file in self._scan.waiting if (file.folder, file.name) in first]

    def left(self) -> tuple[Waiting, ...]:
        """Files of the first look that were not taken, with the reason."""
        return (*self.awaited(), *self._unclaimable.values())

    def claimed(self) -> Iterator[Drop]:
        """Claim the files that the last look found ready, one for each that is asked for."""
        if self._ready and self._folders.free_bytes() < _LEAST_FREE_BYTES:
            raise StorageError(
                "The disk is nearly full: no new files are taken.", hint="Make space in the root."
            )
        while self._ready:
            drop = self._claim(self._ready.popleft())
            if drop is not None:
                yield drop

    def hand_on(
        self, dispatcher: Dispatcher, room: int, *, stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Claim oldest first, at most ``room`` files, and hand each on; return how many."""
        count = 0
        for drop in islice(self.claimed(), max(0, room)):
            dispatcher.take(drop)
            count += 1
            if stop():
                break
        return count

    def _claim(self, file: ReadyFile) -> Drop | None:
        """A file that cannot even be claimed stays where it is, and does not stop the others."""
        try:
            return self._claimer.claim(file)
        except NotClaimed as error:
            log.warning("inbox.not_claimed", file=shown(file.name), reason=error.message)
            self._pass_over(file, error.message, looks=_LOOKS_BEFORE_AGAIN)
            return None
        except StorageError:
            raise
        except Exception as error:  # a bug with one name must not stop the other files
            log.exception("inbox.not_claimed", file=shown(file.name))
            reason = f"it could not be claimed ({type(error).__name__}): give it another name"
            self._pass_over(file, reason, looks=None)
            return None

    def _pass_over(self, file: ReadyFile, reason: str, *, looks: int | None) -> None:
        """Leave a file where it is, for this many looks or for good, so that others get a turn."""
        place = (file.folder, file.name)
        if looks is not None:
            self._again_at[place] = self._looks + looks
        self._unclaimable[place] = Waiting(
            path=file.path, folder=file.folder, name=file.name, reason=reason, since_seconds=0.0
        )

    def _tell_what_is_odd(self) -> None:
        """What a person may wonder about, told once each."""
        if self._watcher.trouble != self._deaf:
            self._deaf = self._watcher.trouble
            if self._deaf:
                log.warning("inbox.no_events", reason=self._deaf)
        odd = {each.path: each for each in self._scan.left_alone if each.strange}
        for path in sorted(odd.keys() - self._strange):
            log.warning("inbox.left_alone", file=shown(path.name), reason=odd[path].reason)
        self._strange = frozenset(odd)
