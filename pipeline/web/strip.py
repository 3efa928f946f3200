"""The health strip: is the service alive, what waits, does the API take us, what is unsent."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec import Struct

from pipeline.core.errors import ShipdropError
from pipeline.service.health_file import Pulse, has_scanned, is_fresh, read_pulse
from pipeline.service.wiring import Site
from pipeline.storage.ledger.cluster_status import cluster_status
from pipeline.storage.listing import list_inbox

_T = TypeVar("_T")

_KEPT_SECONDS: Final = 1.0


class Health(Struct, frozen=True, kw_only=True):
    """How things stand. Ages in seconds.

    ``alive``: a service, or a worker, was at work here a moment ago; ``scanned``: it could list
    the inbox. ``cluster``: the workers and what they do (``cluster_status``), None where the ledger
    is embedded.
    ``waiting``: files in the inbox;
    ``oldest``: how long the one that waits longest has been there. ``unsent``: updates that were
    planned and not answered yet. ``trouble``: what could not be looked at.
    """

    at: datetime
    alive: bool
    root_id: str
    scanned: bool
    pulse: Pulse | None
    waiting: int = 0
    oldest: float = 0.0
    unsent: int = 0
    ledger_is_fine: bool = True
    inbox_is_fine: bool = True
    trouble: str = ""
    cluster: Mapping[str, Any] | None = None

    @property
    def workers(self) -> int:
        """Workers of this root that gave word of themselves a moment ago."""
        return len(_at_work(self.cluster, self.root_id))

    @property
    def api(self) -> str:
        """ok, slowed, paused, held; "" when no service could tell."""
        return self.pulse.api if self.pulse and self.alive else ""


class Strip:
    """Tells how things stand; asked by many at once it looks once a second."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: tuple[float, Health] | None = None
        self._lock = threading.Lock()

    def health(self) -> Health:
        """How things stand now, or did a moment ago."""
        with self._lock:
            now = self._site.clock.monotonic()
            if self._kept is None or now - self._kept[0] > _KEPT_SECONDS:
                self._kept = (now, self._look())
            return self._kept[1]

    def _look(self) -> Health:
        now = self._site.clock.now()
        pulse = read_pulse(self._site.root / "state")
        troubles: list[str] = []
        waiting, inbox_is_fine = _guarded(lambda: self._waiting(now), (0, 0.0), troubles)
        unsent, ledger_is_fine = _guarded(self._unsent, 0, troubles)
        nobody: tuple[Mapping[str, Any] | None, str] = (None, "")
        (cluster, root_id), _ = _guarded(self._cluster, nobody, troubles)
        runs = pulse is not None and is_fresh(pulse, now)
        return Health(
            at=now,
            alive=runs or bool(_at_work(cluster, root_id)),
            root_id=root_id,
            cluster=cluster,
            scanned=pulse is not None and has_scanned(pulse, now),
            pulse=pulse,
            waiting=waiting[0],
            oldest=waiting[1],
            unsent=unsent,
            ledger_is_fine=ledger_is_fine,
            inbox_is_fine=inbox_is_fine,
            trouble=" ".join(troubles),
        )

    def _cluster(self) -> tuple[Mapping[str, Any] | None, str]:
        ledger = self._site.ledger
        if ledger.is_embedded:
            return None, ""
        stale = self._site.settings.cluster.stale_seconds
        return cluster_status(ledger, stale_seconds=stale), ledger.root_id

    def _unsent(self) -> int:
        self._site.check_ledger(thoroughly=False)
        return self._site.ledger.waiting_updates()

    def _waiting(self, now: datetime) -> tuple[int, float]:
        files = list_inbox(self._site.inbox_path, self._site.settings.inbox.done_marker).files
        oldest = min((file.identity[3] for file in files), default=0) / 1e9
        return len(files), max(0.0, now.timestamp() - oldest) if files else 0.0


def _at_work(cluster: Mapping[str, Any] | None, root_id: str) -> list[Mapping[str, Any]]:
    workers = cluster["workers"] if cluster else ()
    return [each for each in workers if each["root"] == root_id and not each["stale"]]


def _guarded(look: Callable[[], _T], otherwise: _T, troubles: list[str]) -> tuple[_T, bool]:
    try:
        return look(), True
    except ShipdropError as error:
        troubles.append(str(error))
        return otherwise, False
