"""The health strip: is the service alive, what waits, does the API take us, what is unsent."""

import threading
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from pipeline.core.errors import StorageError
from pipeline.service.health import Health, Trouble, current_health
from pipeline.service.wiring import Site
from pipeline.web.waiting import Waiting, waiting_in

_KEPT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 1.0
"""How long a look is waited for; who asks later gets what was seen last."""
_TOO_LONG_SECONDS: Final = 10.0
"""A look that takes so long is trouble of its own."""


class Strip:
    """Tells how things stand; asked by many at once it looks once a second, in its own thread.

    Nobody waits for an inbox that is slow: a share that hangs would keep every page waiting.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: tuple[float, Health] | None = None
        self._waiting = Waiting(files=[], never=[])
        self._began: float | None = None
        self._seen = threading.Condition()

    def health(self) -> Health:
        """Return how things stand now, or did a moment ago."""
        with self._seen:
            now = self._site.clock.monotonic()
            if self._kept is not None and now - self._kept[0] <= _KEPT_SECONDS:
                return self._kept[1]
            if self._began is None:
                self._began = now
                threading.Thread(target=self._look, name="health", daemon=True).start()
            began = self._began
            left = began + _PATIENCE_SECONDS - now
            if left > 0:
                self._seen.wait_for(lambda: self._began != began, timeout=left)
            if self._began != began and self._kept is not None:
                return self._kept[1]
            return self._meanwhile(self._site.clock.monotonic() - began)

    def waiting(self) -> Waiting:
        """Return everything that lies in the inbox now, or did a moment ago."""
        self.health()
        return self._waiting

    def _look(self) -> None:
        health = None
        try:
            health = current_health(self._site)
            with suppress(StorageError):  # listed among the troubles
                self._waiting = waiting_in(self._site, health)
        finally:
            with self._seen:
                self._began = None
                if health is not None:
                    self._kept = (self._site.clock.monotonic(), health)
                self._seen.notify_all()

    def _meanwhile(self, lasts: float) -> Health:
        """Return what was seen last, while a look goes on."""
        slow = Trouble(what="inbox", reason=f"The inbox was not listed within {lasts:.0f} s.")
        if self._kept is None:
            now = self._site.clock.now()
            nothing = Health(at=now, alive=False, root_id="", scanned=False, pulse=None)
            return replace(nothing, troubles=(slow,))
        health = self._kept[1]
        if lasts < _TOO_LONG_SECONDS:
            return health
        return replace(health, troubles=(*health.troubles, slow))
