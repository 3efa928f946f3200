"""The inbox as the loop uses it: looked at, listened to, and claimed from, oldest first."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.core.model import Drop, ReadyFile
from pipeline.inbox.claim import Claimed
from pipeline.inbox.late_files import Latecomers
from pipeline.inbox.scan import Scan, WaitCause, Waiting, by_arrival
from pipeline.service.changed_files import ChangedFiles
from pipeline.service.health import Problems
from pipeline.service.wiring import Site
from schemas.display import shown

if TYPE_CHECKING:
    from pipeline.inbox.watcher import Watcher

log = structlog.get_logger(__name__)

_LOOKS_BEFORE_AGAIN = 30

_CLAIMED_AT_ONCE = 32
"""Files claimed at once, when so many wait: for each folder they share a visit to the disk."""

_ROOM_PER_BYTE = 3
"""Space that rows, bodies and results of a file take, as a multiple of its size."""

_Place = tuple[str, str]


class Intake:
    """Owned by the service's thread. Raises StorageError where a folder or the ledger fails.

    ``wake`` is called when something happens in the inbox, once ``start`` has begun to listen: a
    run over what is there does not.
    """

    def __init__(self, site: Site, problems: Problems, wake: Callable[[], None]) -> None:
        inbox = site.settings.inbox
        self._inbox = site.inbox
        self._path = site.inbox_path
        self._wake = wake
        self._watcher: Watcher | None = None
        self._folders = site.folders
        self._claimer = site.claimer
        self._changed_files = ChangedFiles(site)
        self._latecomers = Latecomers(
            outbox=site.folders.outbox,
            clock=site.clock,
            after_seconds=inbox.late_seconds,
            zone=site.zone,
        )
        self._problems = problems
        self._clock = site.clock
        self._profiles = site.profiles
        self._min_free = inbox.min_free_mb * 2**20
        self._scan = Scan(ready=(), waiting=(), left_alone=())
        self._ready: deque[ReadyFile] = deque()
        self._first: frozenset[_Place] | None = None
        self._returned: set[_Place] = set()
        self._looks = 0
        self._again_at: dict[_Place, int] = {}
        self._unclaimable: dict[_Place, Waiting] = {}
        self._passed_over: dict[_Place, float] = {}
        self._strange: frozenset[Path] = frozenset()

    def start(self) -> None:
        """Listen for what happens in the inbox."""
        from pipeline.inbox.watcher import Watcher  # watchdog, for who listens

        self._watcher = self._watcher or Watcher(self._path, self._wake)
        self._watcher.start()
        self._inbox.unclosed = self._watcher.unclosed

    def stop(self) -> None:
        """Stop listening."""
        if self._watcher is not None:
            self._watcher.stop()

    def look(self, *, once: bool) -> None:
        """Scan: the scan is the truth. ``once``: only what the first look saw may be claimed.

        A scan that fails changes nothing; with ``once`` its StorageError is raised.
        """
        if self._watcher is not None:
            self._watcher.ensure()
        returned = self._take_back()
        if once and self._first is not None:
            self._returned.update(returned)
        try:
            self._scan = self._inbox.scan()
        except StorageError as error:
            self._problems.report("scan", error.message, hint=error.hint, event="inbox.scan_failed")
            if once:
                raise
            return
        self._problems.scanned()
        self._looks += 1
        for place in [place for place, at in self._again_at.items() if at <= self._looks]:
            del self._again_at[place]
            self._unclaimable.pop(place, None)
        self._tell_what_is_odd()
        if self._first is None:
            self._first = self._scan.lying
        self._mind_the_late()
        self._ready = deque(
            file
            for file in by_arrival(self._scan.ready, self._profiles)
            if (file.folder, file.name) not in self._unclaimable
            and (not once or (file.folder, file.name) in self._first - self._returned)
        )

    def _take_back(self) -> list[tuple[str, str]]:
        """Give files back that were written to after they were taken; return their places."""
        try:
            return self._changed_files.look()
        except StorageError as error:
            log.warning("inbox.not_taken_back", reason=error.message, hint=error.hint)
            return []

    @property
    def ready(self) -> int:
        """Return how many files the last look left to claim."""
        return len(self._ready)

    @property
    def settling(self) -> bool:
        """Return True while a file may become ready by nothing but time."""
        return bool(self._scan.waiting)

    def awaited(self) -> list[Waiting]:
        """Return files of the first look that the newest one still sees waiting.

        Files that came back since are for the next run.
        """
        first = (self._first or frozenset()) - self._returned
        return [file for file in self._scan.waiting if (file.folder, file.name) in first]

    def left(self) -> tuple[Waiting, ...]:
        """Return files of the first scan that were not taken, with the reason; note it for senders.

        Files that were written to since they were taken are among them.
        """
        self._returned.update(self._take_back())
        back = (self._came_back(*place) for place in sorted(self._returned))
        left = (*self.awaited(), *self._unclaimable.values(), *back)
        still = frozenset((file.folder, file.name) for file in (*self._scan.waiting, *left))
        self._latecomers.look(left, still, at_once=True)
        return left

    def _came_back(self, folder: str, name: str) -> Waiting:
        return Waiting(
            path=self._inbox.path_of(folder, name),
            folder=folder,
            name=name,
            cause=WaitCause.CHANGED,
            reason="it was written to after it was taken: the next run takes what was added",
        )

    def claim(self, most: int) -> Claimed:
        """Claim at most so many of the files that the last look found ready, oldest first.

        Raises StorageError when none could be taken.
        """
        files = self._next(most)
        claimed = self._claimer.claim(files) if files else Claimed(drops=())
        for file, error in claimed.refused:
            self._leave(file, error)
        for file in claimed.unready:
            self._inbox.doubt(file)
        return claimed

    def hand_on(self, take: Callable[[Sequence[Drop]], None], room: int) -> int:
        """Claim some files, at most ``room``, and hand them to ``take``; return how many.

        Not all at once, so that the caller can do other work in between: ``ready`` says how many
        are left.
        """
        if room <= 0 or not self._ready:
            return 0
        claimed = self.claim(min(_CLAIMED_AT_ONCE, room))
        if claimed.drops:
            take(claimed.drops)
        if claimed.trouble is not None:
            raise claimed.trouble
        return len(claimed.drops)

    def _next(self, most: int) -> list[ReadyFile]:
        """Return the next files that the disk has room for."""
        free = self._folders.free_bytes()
        if free < self._min_free:
            raise StorageError(
                "The disk is nearly full: no new files are taken.",
                hint=f"Make space where root and outbox lie: {free // 2**20:,} MiB are free, "
                f"{self._min_free // 2**20:,} are kept (inbox.min_free_mb). It goes on by "
                "itself then.",
            )
        some: list[ReadyFile] = []
        while self._ready and len(some) < most:
            file = self._ready.popleft()
            needed = _ROOM_PER_BYTE * file.identity[2]
            if free - self._min_free < needed:
                self._no_room_for(file, free)
            else:
                some.append(file)
                free -= needed
        return some

    def _no_room_for(self, file: ReadyFile, free: int) -> None:
        """Leave a large file waiting for space; small files beside it need not wait."""
        needed = -(-(self._min_free + _ROOM_PER_BYTE * file.identity[2]) // 2**20)
        reason = f"it needs {needed:,} MiB of free disk and there are {free // 2**20:,}: make space"
        self._pass_over(file, WaitCause.NO_ROOM, reason, looks=_LOOKS_BEFORE_AGAIN)

    def _leave(self, file: ReadyFile, error: Exception) -> None:
        """Leave a file that cannot be claimed where it is; the others go on."""
        name = shown(file.name)
        if isinstance(error, StorageError):
            log.warning("inbox.not_claimed", file=name, reason=error.message)
            reason = f"it cannot be moved out of the inbox ({error.message.rstrip('.')})"
            self._pass_over(file, WaitCause.UNCLAIMABLE, reason, looks=_LOOKS_BEFORE_AGAIN)
        else:  # a bug with one name must not stop the other files
            log.error("inbox.not_claimed", file=name, exc_info=error)
            reason = f"it could not be claimed ({type(error).__name__}): give it another name"
            self._pass_over(file, WaitCause.UNCLAIMABLE, reason, looks=None)

    def _pass_over(
        self, file: ReadyFile, cause: WaitCause, reason: str, *, looks: int | None
    ) -> None:
        """Leave a file where it is, for this many looks or for good, so that others get a turn."""
        place = (file.folder, file.name)
        if looks is not None:
            self._again_at[place] = self._looks + looks
        now = self._clock.monotonic()
        self._unclaimable[place] = Waiting(
            path=self._inbox.path_of(*place),
            folder=file.folder,
            name=file.name,
            cause=cause,
            reason=reason,
            waits_seconds=now - self._passed_over.setdefault(place, now),
        )

    def _mind_the_late(self) -> None:
        """Report files that wait for too long; forget those that are gone."""
        lying = self._scan.lying
        for place in self._passed_over.keys() - lying:
            del self._passed_over[place]
            self._again_at.pop(place, None)
            self._unclaimable.pop(place, None)
        now = self._clock.monotonic()
        passed_over = [
            replace(each, waits_seconds=now - self._passed_over[each.folder, each.name])
            for each in self._unclaimable.values()
        ]
        self._latecomers.look([*self._scan.waiting, *passed_over], lying)
        self._problems.late, self._problems.lying = self._latecomers.late, self._latecomers.lying

    def _tell_what_is_odd(self) -> None:
        """Log oddities that a person may wonder about, once each."""
        if self._watcher is not None and self._watcher.trouble:
            self._problems.report("events", self._watcher.trouble, event="inbox.no_events")
        else:
            self._problems.clear("events")
        odd = {each.path: each for each in self._scan.left_alone if each.strange}
        for path in sorted(odd.keys() - self._strange):
            log.warning("inbox.left_alone", file=shown(path.name), reason=odd[path].reason)
        self._strange = frozenset(odd)
