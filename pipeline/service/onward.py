"""What takes a drop on once it was read: planned, delivered, reported.

It is loaded when it is first asked for, which is while the first file is being read: a file need
not wait to be read for what is only needed after that (decision 38).
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pipeline.reporting.close_drop import Closer
    from pipeline.service.planner import Admission
    from pipeline.service.steps import Runner


class Onward(Struct, frozen=True, kw_only=True):
    """The steps after reading."""

    admission: "Admission"
    runner: "Runner"
    closer: "Closer"


class NotLoadedError(Exception):
    """They cannot be loaded: nothing can be planned or sent in this process. Its cause says why."""


class Loading:
    """Gives them to whoever asks, from any thread; ``load`` is called once, by the first."""

    def __init__(self, load: Callable[[], Onward]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded: Onward | Exception | None = None

    def __call__(self) -> Onward:
        """The steps; whoever asks while they are loaded waits for it. Raises NotLoadedError."""
        with self._lock:
            if self._loaded is None:
                try:
                    self._loaded = self._load()
                except Exception as error:  # noqa: BLE001 - whatever it is, trying again is vain
                    self._loaded = error
            if isinstance(self._loaded, Exception):
                raise NotLoadedError(str(self._loaded)) from self._loaded
            return self._loaded
