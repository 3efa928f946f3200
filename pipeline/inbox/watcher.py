"""Wake-ups from the file system: they bring a scan forward, and know files that are still open.

An observer's thread can die silently, a swapped directory goes deaf while every thread looks
alive, and the kernel's watches run out. So ``ensure`` is called with each scan, arms again what
needs it, and never raises: without events the scans go on, and ``trouble`` says so.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from pipeline.storage.listing import is_courier_folder

# Not "opened" and "closed_no_write": our own reading raises those, and we would wake ourselves.
_WAKING: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]

_END_SECONDS = 1.0
"""Seconds to wait for the end of a former observer. A long look puts off the next one."""

_Place = tuple[int, int]
_LOST = logging.getLogger("watchdog.observers.inotify_c")
"""Says "queue overflowed", as a warning and nowhere else, when the kernel dropped events."""


class Unclosed:
    """Files that were written to, and not closed by their writer since.

    Knows only the events that arrived: a file that is not in it may be open all the same.
    """

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def __contains__(self, path: Path) -> bool:
        return str(path) in self._paths

    def note(self, event: FileSystemEvent) -> None:
        """Note an event of a file."""
        path = os.fsdecode(event.src_path)
        if isinstance(event, FileModifiedEvent):
            self._paths.add(path)
            return
        known = path in self._paths
        self._paths.discard(path)
        if isinstance(event, FileMovedEvent):
            target = os.fsdecode(event.dest_path)
            (self._paths.add if known else self._paths.discard)(target)

    def forget(self) -> None:
        """Forget all files: events were missed."""
        self._paths = set()


class _Lost(logging.Handler):
    """Forgets all open files when the kernel dropped events, as watchdog logs."""

    def __init__(self, unclosed: Unclosed) -> None:
        super().__init__(logging.WARNING)
        self._unclosed = unclosed

    def listen(self) -> None:
        """Take watchdog's warning, which then does not go to the log."""
        _LOST.setLevel(logging.WARNING)
        _LOST.propagate = False
        _LOST.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._unclosed.forget()


class Watcher:
    """Watches the inbox and the courier folders one level below it.

    ``trouble`` is None while events arrive from everywhere, else one sentence for a person.
    """

    def __init__(self, inbox: Path, wake: Callable[[], None]) -> None:
        """Take the inbox, and what to call on an event: from a foreign thread, so it must not wait.

        Setting an event is what ``wake`` is meant to do.
        """
        self._inbox = inbox
        self._unclosed = Unclosed()
        self._lost = _Lost(self._unclosed)
        self._handler = _Waker(wake, self._unclosed)
        self._observer: BaseObserver | None = None
        self._root = inbox
        self._armed: dict[Path, _Place] = {}
        self.trouble: str | None = None

    def start(self) -> None:
        """Begin to watch; an error is kept in ``trouble``."""
        self.ensure()

    def ensure(self) -> None:
        """Arm what is not armed: a new, swapped or returned folder, a thread that died.

        Call it before each scan, so that nothing that came while it was deaf is missed.
        """
        try:
            wanted = _places(self._inbox)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            self.stop()
            self._complain(error)
            return
        self._root = next(iter(wanted))
        try:
            if not self._is_listening(wanted):
                self.stop()
                self._observer = Observer()
                self._lost.listen()
                self._observer.start()
            self._arm(wanted)
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            if not self._armed:
                self.stop()
            self._complain(error)
        else:
            self.trouble = None

    def unclosed(self, folder: str, name: str) -> bool:
        """Return whether a file of the inbox was written to and not closed since, by the events."""
        return self._root / folder / name in self._unclosed

    def stop(self) -> None:
        """End watching. It may be started again."""
        _LOST.removeHandler(self._lost)
        observer, self._observer, self._armed = self._observer, None, {}
        if observer is None:
            return
        # Not in our own thread: a lock of one that ended by an error would be waited for for ever.
        ending = threading.Thread(target=_end, args=(observer,), name="watcher-end", daemon=True)
        with suppress(RuntimeError):  # no more threads
            ending.start()
            ending.join(timeout=_END_SECONDS)
        self._unclosed.forget()

    def _complain(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        what = "some folders of the inbox" if self._armed else "the inbox"
        self.trouble = f"No events from {what} ({reason}): scanned at intervals only."

    def _is_listening(self, wanted: dict[Path, _Place]) -> bool:
        """Return whether every watch that was armed still listens to the folder it was armed on."""
        observer = self._observer
        if observer is None:
            return False
        emitters = list(observer.emitters)
        # Another thread reads the events of all folders; watchdog does not show it.
        reader = getattr(observer, "_inotify_fd", observer)
        return (
            len(emitters) == len(self._armed)
            and all(thread.is_alive() for thread in (observer, reader, *emitters))
            and all(wanted.get(folder) == place for folder, place in self._armed.items())
        )

    def _arm(self, wanted: dict[Path, _Place]) -> None:
        failed: OSError | RuntimeError | None = None
        for folder, place in wanted.items():
            if self._observer is None or folder in self._armed:
                continue
            try:
                self._observer.schedule(self._handler, str(folder), event_filter=_WAKING)
            except (OSError, RuntimeError) as error:
                failed = error  # the other folders may still be heard
            else:
                self._armed[folder] = place
        if failed:
            raise failed


def _end(observer: BaseObserver) -> None:
    with suppress(OSError, RuntimeError):
        observer.stop()
    with suppress(RuntimeError):  # it was never started
        observer.join(timeout=_END_SECONDS)


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None], unclosed: Unclosed) -> None:
        self._wake = wake
        self._unclosed = unclosed

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._unclosed.note(event)
        self._wake()


def _places(inbox: Path) -> dict[Path, _Place]:
    """Return the folders to watch, the inbox first, and which directory each is at this moment."""
    # A link in the inbox's own path is resolved here: the observer itself follows none.
    root = inbox.resolve(strict=True)
    status = root.stat()
    places = {root: (status.st_dev, status.st_ino)}
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and is_courier_folder(entry.name):
                with suppress(FileNotFoundError):
                    inside = entry.stat(follow_symlinks=False)
                    places[root / entry.name] = (inside.st_dev, inside.st_ino)
    return places
