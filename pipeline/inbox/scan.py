"""Find files in the inbox that are ready, and in which order they are taken.

A scan lists the folder; this module remembers what earlier scans saw.

A file is ready when nothing about it has changed for ``settle_seconds`` of our own monotonic
clock (modification times lie: uploads keep old ones, clocks skew), nobody on this machine has it
open for writing, and its container is whole.
"""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from pipeline.core.file_names import may_be_renamed
from pipeline.core.model import ReadyFile
from pipeline.core.profile_by_name import profile_of_name
from pipeline.storage.file_systems import Mount, Writer
from pipeline.storage.listing import (
    Entry,
    Identity,
    LeftAlone,
    Listing,
    cannot_list,
    identity_of,
    incomplete_reason,
    list_inbox,
    open_regular,
    open_writers,
)
from schemas.courier import Profile, pattern_of
from schemas.display import shown

_MOST = 4096
_PIECE = 1024 * 1024
_BETWEEN = re.compile(r"[^0-9A-Za-z]+")
_SIZE_WORDS = frozenset({"size", "bytes", "length"})
_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HEX = frozenset("0123456789abcdefABCDEF")


class Marked(Struct, frozen=True, kw_only=True):
    """The content of a marker; ``size`` in bytes, ``hashes``: algorithm → lower-case hex."""

    size: int | None
    hashes: tuple[tuple[str, str], ...]


def read_marker(path: Path) -> bytes:
    """Return the content of a marker (its first 4 KiB). Raises OSError."""
    with open_regular(path) as file:
        return file.read(_MOST)


def parse_marker(content: bytes, name: str) -> Marked:
    """Find size and hashes of the file called ``name`` in its marker's content.

    A number is a size where it stands alone, before the file's name, or after ``size``, ``bytes``
    or ``length``; hex digits are a hash where there are as many as a hash has. Anything else (a
    date, a word) is passed over.
    """
    text = content.decode("utf-8", "surrogateescape").strip("\ufeff \t\r\n\0")
    number, _, rest = text.partition(" ")
    alone = number.isascii() and number.isdigit() and rest.strip(" *") in {"", name}
    size = int(number) if alone and len(number) not in _HASHES else None
    hashes: list[tuple[str, str]] = []
    before = ""
    for word in _BETWEEN.split(text):
        if len(word) in _HASHES and _HEX.issuperset(word):
            hashes.append((_HASHES[len(word)], word.lower()))
        elif word.isascii() and word.isdigit() and before in _SIZE_WORDS and size is None:
            size = int(word)
        before = word.casefold()
    return Marked(size=size, hashes=tuple(hashes))


def marker_mismatch(marked: Marked, path: Path, identity: Identity) -> str | None:
    """Return how the file differs from its marker, or None. Reads the whole file for a hash.

    Raises:
        OSError: it cannot be read.
    """
    if marked.size is not None and marked.size != identity[2]:
        return f"its done marker says {marked.size:,} bytes, and it has {identity[2]:,}"
    if not marked.hashes:
        return None
    found = {name: hashlib.new(name, usedforsecurity=False) for name, _ in marked.hashes}
    with open_regular(path) as file:
        for piece in iter(lambda: file.read(_PIECE), b""):
            for digest in found.values():
                digest.update(piece)
        if identity_of(os.fstat(file.fileno())) != identity:
            return "it is changing at this moment"
    for name, wanted in marked.hashes:
        if found[name].hexdigest() != wanted:
            return f"its {name.upper()} is not the one that its done marker says"
    return None


_LONGER, _LONGER_THAN_NONE = 10, 20.0
"""How much longer than others a file must be unchanged that was taken too early once, or whose name
is not its last; and how many seconds where others need not settle. ``run --once`` waits as long."""


class WaitCause(StrEnum):
    """Why a file waits."""

    OPEN = "open"  # somebody has it open in a spreadsheet program
    MARKER = "marker"  # its done marker is missing, or says something else than the file
    UNSETTLED = "unsettled"  # it was changed lately
    WRITTEN = "written"  # somebody on this machine has it open for writing
    UNREADABLE = "unreadable"  # it cannot be opened
    UNWHOLE = "unwhole"  # its end is missing
    UNCLAIMABLE = "unclaimable"  # it cannot be moved out of the inbox
    CHANGED = "changed"  # it was written to after it had been taken, and came back
    NO_ROOM = "no_room"  # the disk has no room for what its rows become


class Waiting(Struct, frozen=True, kw_only=True):
    """A file that is not ready.

    ``waits_seconds``: how long we have seen it lie there, changing or not, without becoming ready.
    """

    path: Path
    folder: str
    name: str
    cause: WaitCause
    reason: str
    waits_seconds: float = 0.0


class Scan(Struct, frozen=True, kw_only=True):
    """The result of one scan; ``ready`` is oldest first (modification time, then name)."""

    ready: tuple[ReadyFile, ...]
    waiting: tuple[Waiting, ...]
    left_alone: tuple[LeftAlone, ...]

    @property
    def lying(self) -> frozenset[tuple[str, str]]:
        """Return folder and name of every file that may be a manifest."""
        waiting = frozenset((file.folder, file.name) for file in self.waiting)
        return waiting.union((file.folder, file.name) for file in self.ready)


class _Track(Struct):
    """The memory of a file while it stays as it is."""

    identity: Identity
    since: float
    first_seen: float
    whole: bool = False
    closed: bool = False
    was_ready: bool = False
    was_written: bool = False
    marker: bytes | None = None
    marked: bytes | None = None


_Held = tuple[WaitCause, str]


class Inbox:
    """The inbox and the courier folders one level below it. Not safe from several threads.

    ``unclosed``: tells, by folder and name, of a file that was written to and was not heard to be
    closed. The watcher sets it; it is used where the kernel does not show who has a file open.
    """

    def __init__(
        self,
        root: Path,
        *,
        settle_seconds: float,
        incomplete_seconds: float,
        done_marker: str,
        monotonic: Callable[[], float],
        came_back: Callable[[], Collection[tuple[str, int]]] = frozenset,
    ) -> None:
        """Take the inbox folder and the ``inbox.*`` settings of the outside contract.

        ``came_back``: folder and inode of files that were taken once before their end.
        """
        self._root = root
        self._mount = Mount(root)
        self._settle = settle_seconds
        self._incomplete = incomplete_seconds
        self._marker = done_marker
        self._monotonic = monotonic
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._last = Scan(ready=(), waiting=(), left_alone=())
        self._came_back = came_back
        self._once_too_early: Collection[tuple[str, int]] = frozenset()
        self.unclosed: Callable[[str, str], bool] = _unheard

    def scan(self) -> Scan:
        """Look once; return the files that are ready, that wait and why, and that are left alone.

        Raises:
            StorageError: the inbox could not be listed. Nothing is forgotten then.
        """
        began = self._monotonic()
        try:
            self._mount.check()
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise cannot_list(self._root, error) from error
        listing = list_inbox(self._root, self._marker)
        self._once_too_early = self._came_back()
        # Unchanged times count from the end of the look that first saw a file to the beginning of
        # this one, so that a slow listing never counts as time in which nothing changed.
        self._remember(listing, self._monotonic())
        listing.files.sort(key=lambda entry: (entry.identity[3], entry.name, entry.folder))
        classified = [
            self._classify(entry, listing.names[entry.folder], began) for entry in listing.files
        ]
        self._last = Scan(
            ready=tuple(one for one in classified if isinstance(one, ReadyFile)),
            waiting=tuple(one for one in classified if isinstance(one, Waiting)),
            left_alone=tuple(listing.left_alone),
        )
        return self._last

    def doubt(self, file: ReadyFile) -> None:
        """Look again who has a file open: it was ready and then could not be claimed."""
        if track := self._tracks.get((file.folder, file.name)):
            track.closed = False

    def why(self, path: Path) -> str:
        """Return, for a person, why a file has not been picked up, as the last scan knows it.

        ``path`` may also be a bare name, or ``courier/name``, inside the inbox.
        """
        name = shown(path.name)
        place = self.place(path)
        if place is None:
            return f"{name} is not in the inbox ({shown(self._root, 200)}): put it there."
        folder, plain = place
        verdicts = _verdicts(self._last)
        if place in verdicts:
            return f"{name}: {verdicts[place]}."
        if "/" in folder:
            return f"{name} is too deep: only the inbox and the courier folders in it are scanned."
        if folder and ("", folder) in verdicts:
            above = verdicts["", folder]
            return f"{name} is in a folder that is not scanned: {above}."
        inside = self._root / folder / plain
        if inside.is_dir():
            return f"{name} is a courier's folder: the files in it are picked up."
        if inside.exists() or inside.is_symlink():
            return f"{name} has not been seen by a scan yet."
        return f"{name} is not in the inbox: it was picked up already, or never arrived."

    def _remember(self, listing: Listing, now: float) -> None:
        """Carry over files that are as they were; files that vanished are forgotten only here."""
        known = self._tracks
        tracks = {place: track for place, track in known.items() if place[0] in listing.unread}
        for entry in listing.files:
            place = (entry.folder, entry.name)
            track = known.get(place)
            if track is None or track.identity != entry.identity:
                # One that keeps changing has waited since it came; one that takes the place of a
                # file that was ready has come only now.
                if track is None or track.was_ready:
                    track = _Track(identity=entry.identity, since=now, first_seen=now)
                else:
                    track = _Track(
                        identity=entry.identity,
                        since=now,
                        first_seen=track.first_seen,
                        was_written=track.was_written,
                    )
            tracks[place] = track
        self._tracks = tracks

    def _classify(self, entry: Entry, names: frozenset[str], now: float) -> ReadyFile | Waiting:
        path = self._root / entry.folder / entry.name
        track = self._tracks[entry.folder, entry.name]
        unchanged = max(now - track.since, 0.0)
        settle = self._settle_of(entry)
        held = (
            self._asked_to_wait(entry.name, names)
            or self._written(entry, track, settled=unchanged >= settle)
            or _unsettled(entry.name, unchanged, settle)
            or self._unmarked(path, track)
            or self._unwhole(path, track, unchanged)
        )
        if held is None:
            track.was_ready = True
            return ReadyFile(folder=entry.folder, name=entry.name, identity=entry.identity)
        return Waiting(
            path=path,
            folder=entry.folder,
            name=entry.name,
            cause=held[0],
            reason=held[1],
            waits_seconds=max(now - track.first_seen, 0.0),
        )

    def _asked_to_wait(self, name: str, names: frozenset[str]) -> _Held | None:
        """Return a wait while another file asks for it: an open workbook, a missing marker."""
        for lock in (f"~${name}", f".~lock.{name}#"):
            if lock in names:
                return WaitCause.OPEN, (
                    f'it is open in a spreadsheet program ("{shown(lock)}" lies beside it): '
                    "close it there, or delete that file if nobody has it open"
                )
        marker = f"{name}{self._marker}"
        if self._marker and marker not in names:
            return WaitCause.MARKER, (
                f'it waits for "{shown(marker)}", which says that the upload is complete'
            )
        return None

    def _settle_of(self, entry: Entry) -> float:
        """Return how long a file must be unchanged: longer where it may well change once more."""
        came_back = (entry.folder, entry.identity[1]) in self._once_too_early
        if came_back or may_be_renamed(entry.name):
            return _LONGER * self._settle or _LONGER_THAN_NONE
        return self._settle

    def _written(self, entry: Entry, track: _Track, *, settled: bool) -> _Held | None:
        """Check for writers when the file has settled, and as long as it had one."""
        if track.closed or not (settled or track.was_written):
            return None
        try:
            writer = open_writers(self._root / entry.folder / entry.name)
        except OSError as error:
            return WaitCause.UNREADABLE, _cannot_be_opened(error)
        track.was_written = writer is Writer.SOMEBODY or (
            writer is Writer.UNKNOWN and self.unclosed(entry.folder, entry.name)
        )
        track.closed = settled and not track.was_written
        if not track.was_written:
            return None
        return WaitCause.WRITTEN, (
            "somebody has it open for writing: let the upload finish. If nothing uploads "
            "it any more, end the program or the session that still holds it open"
        )

    def _unmarked(self, path: Path, track: _Track) -> _Held | None:
        """Compare the file with the size or hash in its done marker, once per state of both."""
        if not self._marker:
            return None
        try:
            content = read_marker(path.with_name(f"{path.name}{self._marker}"))
            seen_before, track.marker = track.marker == content, content
            if self._settle and not seen_before:
                return WaitCause.MARKER, "its done marker came just now and may still be written"
            if track.marked == content:
                return None
            differs = marker_mismatch(parse_marker(content, path.name), path, track.identity)
        except OSError as error:
            return WaitCause.UNREADABLE, _cannot_be_opened(error)
        if differs is None:
            track.marked = content
            return None
        return WaitCause.MARKER, f"{differs}: upload it again, then the marker"

    def _unwhole(self, path: Path, track: _Track, unchanged: float) -> _Held | None:
        if track.whole:
            return None
        try:
            missing = incomplete_reason(path, track.identity)
        except OSError as error:
            return WaitCause.UNREADABLE, _cannot_be_opened(error)
        track.whole = missing is None
        if missing is None or self._settle == 0 or unchanged >= self._incomplete:
            return None  # an incomplete file that no longer changes is refused by its reader
        return WaitCause.UNWHOLE, (
            f"{missing}: if it does not change for {self._incomplete:g} s, it is refused"
        )

    def path_of(self, folder: str, name: str) -> Path:
        """Return the path of a file in the inbox."""
        return self._root / folder / name

    def place(self, path: Path) -> tuple[str, str] | None:
        """Return courier folder ("" for none) and name of a path in the inbox, or None."""
        root = self._root.resolve()
        for candidate in (path, self._root / path):
            try:
                inside = (candidate.parent.resolve() / candidate.name).relative_to(root)
                *folders, name = inside.parts
            except (ValueError, OSError, RuntimeError):
                continue  # elsewhere, the inbox itself, or a loop of links
            return "/".join(folders), name
        return None


def _unsettled(name: str, unchanged: float, settle: float) -> _Held | None:
    if unchanged >= settle:
        return None  # never at first sight, where it is 0, unless nothing has to settle
    reason = f"it must stay unchanged for {settle:g} s, so far {unchanged:.1f} s"
    if may_be_renamed(name):
        reason += (
            ", because tools give such a name to an unfinished file: rename it if it is complete"
        )
    return WaitCause.UNSETTLED, reason


def _unheard(_folder: str, _name: str) -> bool:
    """Return False: there is no watcher."""
    return False


def _cannot_be_opened(error: OSError) -> str:
    return f"it cannot be opened ({error.strerror}): let the service read it"


def _verdicts(scan: Scan) -> dict[tuple[str, str], str]:
    verdicts = {(one.folder, one.name): one.reason for one in scan.left_alone}
    verdicts |= {(one.folder, one.name): f"it waits, because {one.reason}" for one in scan.waiting}
    ready = "it is ready to be picked up"
    return verdicts | {(one.folder, one.name): ready for one in scan.ready}


_Key = tuple[str, datetime]


def by_arrival(
    ready: Sequence[ReadyFile], profiles: Mapping[str, Profile]
) -> tuple[ReadyFile, ...]:
    """Return the files in the order to take them; ``ready`` is oldest first.

    The files of a courier whose names tell a time (its profile's ``file_time``) share the places
    they have among all files, in the order of these times: uploads keep or lose modification times
    as they like. Correctness never depends on the order.
    """
    if not any(profile.file_time for profile in profiles.values()):
        return tuple(ready)
    by_courier: dict[str, list[tuple[datetime, int]]] = {}
    for place, file in enumerate(ready):
        if found := _key_of(file, profiles):
            courier, moment = found
            by_courier.setdefault(courier, []).append((moment, place))
    ordered = list(ready)
    for moments in by_courier.values():
        places = sorted(place for _, place in moments)
        for place, (_, taken_from) in zip(places, sorted(moments), strict=True):
            ordered[place] = ready[taken_from]
    return tuple(ordered)


def _key_of(file: ReadyFile, profiles: Mapping[str, Profile]) -> _Key | None:
    """Return the courier and the time in its file name, or None."""
    profile = profile_of_name(file.name, file.folder or None, profiles)
    if profile is None or not profile.file_time:
        return None
    moment = _reader(profile.file_time)(file.name)
    return (profile.name, moment) if moment else None


@lru_cache(maxsize=64)
def _reader(file_time: str) -> Callable[[str], datetime | None]:
    pattern = re.compile(pattern_of(file_time))

    def read(name: str) -> datetime | None:
        for found in pattern.finditer(name):
            try:
                return datetime.strptime(found[0], file_time).replace(tzinfo=UTC)
            except ValueError:
                continue  # digits that are no time
        return None

    return read
