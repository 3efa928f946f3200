"""What in the inbox is ready: the directory scan is the truth, and this is its memory.

A file is ready when nothing about it has changed for ``settle_seconds`` of our own monotonic
clock (modification times lie: uploads keep old ones, clocks skew) and its container is whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.listing import (
    Entry,
    Identity,
    LeftAlone,
    Listing,
    list_inbox,
    what_is_missing,
)
from pipeline.adapters.naming import shown
from pipeline.model import ReadyFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A file that is not ready. ``since_seconds``: how long we have seen it unchanged."""

    path: Path
    folder: str
    name: str
    reason: str
    since_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What one scan found; ``ready`` is oldest first (modification time, then name)."""

    ready: tuple[ReadyFile, ...]
    waiting: tuple[Waiting, ...]
    left_alone: tuple[LeftAlone, ...]


@dataclass(slots=True)
class _Track:
    """What we remember of a file while it stays as it is."""

    identity: Identity
    since: float
    whole: bool = False


class Inbox:
    """The inbox and the courier folders one level below it. Not safe from several threads."""

    def __init__(
        self,
        root: Path,
        *,
        settle_seconds: float,
        incomplete_seconds: float,
        done_marker: str,
        monotonic: Callable[[], float],
    ) -> None:
        """Take the inbox folder and the ``inbox.*`` settings of the outside contract."""
        self._root = root
        self._settle = settle_seconds
        self._incomplete = incomplete_seconds
        self._marker = done_marker
        self._monotonic = monotonic
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._verdicts: dict[tuple[str, str], str] = {}

    def scan(self) -> Scan:
        """Look once, and tell what is ready, what waits and why, and what is left alone.

        Raises:
            StorageError: the inbox could not be listed. Nothing is forgotten then.
        """
        began = self._monotonic()
        listing = list_inbox(self._root, self._marker)
        # Unchanged times count from the end of the look that first saw a file to the beginning of
        # this one, so that a slow listing never counts as time in which nothing changed.
        self._remember(listing, self._monotonic())
        listing.files.sort(key=lambda entry: (entry.identity[3], entry.name, entry.folder))
        judged = [self._judge(entry, listing.names[entry.folder], began) for entry in listing.files]
        scan = Scan(
            ready=tuple(one for one in judged if isinstance(one, ReadyFile)),
            waiting=tuple(one for one in judged if isinstance(one, Waiting)),
            left_alone=tuple(listing.left_alone),
        )
        self._verdicts = _verdicts(scan)
        return scan

    def why(self, path: Path) -> str:
        """Say, to a person, why a file has not been picked up, as the last scan knows it.

        ``path`` may also be a bare name, or ``courier/name``, inside the inbox.
        """
        name = shown(path.name)
        place = self._place(path)
        if place is None:
            return f"{name} is not in the inbox ({shown(self._root, 200)}): put it there."
        folder, plain = place
        if place in self._verdicts:
            return f"{name}: {self._verdicts[place]}."
        if "/" in folder:
            return f"{name} lies too deep: only the inbox and one courier folder are looked into."
        if folder and ("", folder) in self._verdicts:
            above = self._verdicts["", folder]
            return f"{name} lies in a folder that is not looked into: {above}."
        inside = self._root / folder / plain
        if inside.is_dir():
            return f"{name} is a courier's folder: the files in it are picked up."
        if inside.exists() or inside.is_symlink():
            return f"{name} has not been seen by a scan yet."
        return f"{name} is not in the inbox: it was picked up already, or never arrived."

    def _remember(self, listing: Listing, now: float) -> None:
        """Take over what is still as it was; what vanished is forgotten only here."""
        known = self._tracks
        tracks = {place: track for place, track in known.items() if place[0] in listing.unread}
        for entry in listing.files:
            place = (entry.folder, entry.name)
            track = known.get(place)
            if track is None or track.identity != entry.identity:
                track = _Track(identity=entry.identity, since=now)
            tracks[place] = track
        self._tracks = tracks

    def _judge(self, entry: Entry, names: frozenset[str], now: float) -> ReadyFile | Waiting:
        path = self._root / entry.folder / entry.name
        track = self._tracks[entry.folder, entry.name]
        unchanged = max(now - track.since, 0.0)
        reason = (
            self._asked_to_wait(entry.name, names)
            or self._unsettled(unchanged)
            or self._unwhole(path, track, unchanged)
        )
        if reason is None:
            return ReadyFile(
                path=path, folder=entry.folder, name=entry.name, identity=entry.identity
            )
        return Waiting(
            path=path,
            folder=entry.folder,
            name=entry.name,
            reason=reason,
            since_seconds=unchanged,
        )

    def _asked_to_wait(self, name: str, names: frozenset[str]) -> str | None:
        """Say so while a file beside it asks us to wait: an open workbook, a missing marker."""
        for lock in (f"~${name}", f".~lock.{name}#"):
            if lock in names:
                return (
                    f'it is open in a spreadsheet program ("{shown(lock)}" lies beside it): '
                    "close it there, or delete that file if nobody has it open"
                )
        marker = f"{name}{self._marker}"
        if self._marker and marker not in names:
            return f'it waits for "{shown(marker)}", which says that the upload is complete'
        return None

    def _unsettled(self, unchanged: float) -> str | None:
        if unchanged >= self._settle:
            return None  # never at first sight, where it is 0, unless nothing has to settle
        return f"it must stay unchanged for {self._settle:g} s, so far {unchanged:.1f} s"

    def _unwhole(self, path: Path, track: _Track, unchanged: float) -> str | None:
        if track.whole:
            return None
        try:
            missing = what_is_missing(path, track.identity)
        except OSError as error:
            return f"it cannot be opened ({error.strerror}): let the service read it"
        track.whole = missing is None
        if missing is None or self._settle == 0 or unchanged >= self._incomplete:
            return None  # an incomplete file that no longer changes is refused by its reader
        return f"{missing}: if it does not change for {self._incomplete:g} s, it is refused"

    def _place(self, path: Path) -> tuple[str, str] | None:
        root = self._root.resolve()
        for candidate in (path, self._root / path):
            try:
                inside = (candidate.parent.resolve() / candidate.name).relative_to(root)
                *folders, name = inside.parts
            except (ValueError, OSError, RuntimeError):
                continue  # elsewhere, the inbox itself, or a loop of links
            return "/".join(folders), name
        return None


def _verdicts(scan: Scan) -> dict[tuple[str, str], str]:
    verdicts = {(one.folder, one.name): one.reason for one in scan.left_alone}
    verdicts |= {(one.folder, one.name): f"it waits, because {one.reason}" for one in scan.waiting}
    ready = "it is ready to be picked up"
    return verdicts | {(one.folder, one.name): ready for one in scan.ready}
