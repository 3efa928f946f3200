"""Run one worker: join, work, leave; join again after others have removed it."""

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from pipeline.cluster.job_queue import Engine, Queue
from pipeline.cluster.lease import Lease
from pipeline.cluster.scanner import Background, Scanner
from pipeline.cluster.supervisor import Supervisor
from pipeline.cluster.tasks import PLAN, REPORT, SEND, Tasks
from pipeline.core.errors import LedgerLost, SettingsError, StorageError
from pipeline.delivery.thread import DeliveryThreadDiedError
from pipeline.reading.process.child_process import Child
from pipeline.service.settings import Settings
from pipeline.service.wiring import Site

log = structlog.get_logger(__name__)

_SENDS, _PLANS_AND_REPORTS = 4, 3
"""Jobs of one worker at a time. Segments share its calls in flight; a few are enough to keep them
busy while one ends and the next begins."""

_REJOIN_SECONDS = 2.0


def libpq(url: str) -> str:
    """Return the ledger's address as PostgreSQL's own library writes it. Raises SettingsError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgresql+psycopg"}:
        raise SettingsError(
            "Workers need their ledger in PostgreSQL.",
            hint='Set ledger.url to "postgresql://…"; `shipdrop ledger copy` moves the old one.',
        )
    return f"postgresql://{rest}"


class Session:
    """One membership, under one name.

    ``run`` returns when it has ended; ``was_lost``: because other workers removed this one.
    """

    def __init__(
        self, root: Path, settings: Settings, beside: Background, child: Child | None = None
    ) -> None:
        """Take the site; ``child`` is a process to read files in that was started already.

        ``beside``: see ``Scanner``.
        """
        self._beside = beside
        self._lease = Lease(settings.cluster.stale_seconds)
        self._site = Site(root, settings, child=child, presence=self._lease)
        self._stop = threading.Event()
        self.was_lost = False
        self.has_joined = False
        self._engine: Engine | None = None
        self._tasks: Tasks | None = None

    @property
    def stopping(self) -> bool:
        """Return True when it is to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Finish calls in flight, leave the rest to others, and end."""
        self._stop.set()
        if self._tasks is not None:
            self._tasks.stopping = True
        if self._engine is not None:
            self._site.files.stop()
            self._site.delivery.stop()
            self._engine.stop()

    def _lost(self) -> None:
        """Stop: the others gave this worker up, and nothing that it does counts any more."""
        self.was_lost = True
        self._lease.end()
        self._stop.set()
        if self._tasks is not None:
            self._tasks.stopping = True
        self._site.files.stop()
        self._site.delivery.terminate()
        if self._engine is not None:
            self._engine.stop()

    def run(self) -> None:
        """Join, work until stopped or given up, leave.

        Raises StorageError, RootBusy; DeliveryThreadDiedError when nothing can be sent any more.
        """
        site = self._site
        url = libpq(site.settings.ledger.url)
        site.folders.prepare()
        try:
            with site.ledger.alone(shared=True) as hold:
                hold.on_lost = self.stop
                site.check_ledger(thoroughly=False)
                self._work(url)
        finally:
            site.close()

    def _work(self, url: str) -> None:
        site, lease = self._site, self._lease
        begun = lease.begin_heartbeat()
        site.ledger.workers.join(
            lease.name, host=socket.gethostname(), pid=os.getpid(), root=site.ledger.root_id
        )
        lease.renew(begun)
        self.has_joined = True
        tasks = self._tasks = Tasks(site, lease, self._call)
        engine = self._engine = Engine(
            url,
            queues=(
                Queue(
                    name=f"plan:{site.ledger.root_id}",
                    at_once=_PLANS_AND_REPORTS,
                    tasks={PLAN: tasks.plan, REPORT: tasks.report},
                ),
                Queue(name=f"send:{site.ledger.root_id}", at_once=_SENDS, tasks={SEND: tasks.send}),
            ),
            beat=lease.stale_seconds,
        )
        supervisor = Supervisor(site, lease, tasks, engine, stop=self.stop, lost=self._lost)
        scanner = Scanner(site, lease, tasks, self._beside)
        site.readers.keep_ready()
        site.delivery.on_crash = self.stop
        try:
            site.delivery.start()
            supervisor.start()
            scanner.start()
            log.info("worker.joined", worker=lease.name, root=str(site.root))
            if self._stop.is_set():
                self.stop()
            engine.run()
        finally:
            scanner.stop()
            site.delivery.stop()
            site.delivery.join()
            supervisor.stop()
            self._leave()
        if site.delivery.crash is not None:
            log.critical("worker.cannot_send", reason=repr(site.delivery.crash))
            raise DeliveryThreadDiedError(repr(site.delivery.crash)) from site.delivery.crash

    def _call(self, kind: str, args: Sequence[Mapping[str, int]], urgency: int) -> None:
        if self._engine is not None:
            self._engine.call(kind, args, urgency)

    def _leave(self) -> None:
        if self.was_lost:
            return
        try:
            self._site.ledger.workers.leave(self._lease.name)
        except StorageError as error:  # the others notice by themselves
            log.warning("worker.left_unsaid", reason=error.message)
        log.info("worker.left", worker=self._lease.name)


def work(
    site: Site,
    on_session: Callable[[Session], None],
    *,
    beside: Background,
    wait: Callable[[float], bool],
) -> None:
    """Be a worker of this root until stopped: a worker that was given up joins anew.

    A server that is not up, or a share that is away, is waited for. ``on_session`` is handed each
    session before it begins, so that signals can stop it; ``wait`` waits so many seconds and
    returns whether one came. ``beside``: further work of one worker of the root, such as notices.
    Raises SettingsError, RootBusy, LedgerLost, DeliveryThreadDiedError.
    """
    child, last_error = site.child, ""
    while True:
        session = Session(site.root, site.settings, beside, child)
        on_session(session)
        try:
            session.run()
        except LedgerLost:
            raise
        except StorageError as error:
            if session.stopping and not session.was_lost:
                return
            if error.message != last_error:
                log.error(  # noqa: TRY400 - its sentence says more than a traceback
                    "worker.cannot_join", reason=error.message, hint=error.hint
                )
            last_error = error.message
        else:
            if not session.was_lost:
                return
            last_error = ""
        if session.has_joined:
            child, last_error = None, ""
        if wait(_REJOIN_SECONDS):
            return
