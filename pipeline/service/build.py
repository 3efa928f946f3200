"""Build the loop over one root from its site."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.core.closed_drop import Closed
from pipeline.inbox.late_files import Latecomers
from pipeline.service.changed_files import ChangedFiles
from pipeline.service.health import HealthMonitor
from pipeline.service.health_file import HealthFileWriter
from pipeline.service.intake import Intake
from pipeline.service.loop import Service
from pipeline.service.problems import Problems
from pipeline.service.scan_timer import ScanIntervals
from pipeline.service.wiring import Site

if TYPE_CHECKING:
    from pipeline.inbox.watcher import Watcher


def service_of(site: Site, on_closed: Callable[[Closed], None] = lambda _closed: None) -> Service:
    """Return the loop over this root. Raises SettingsError when sending is not configured."""
    site.folders.prepare()
    problems = Problems(clock=site.clock)
    health_file = health_writer_of(site, problems)
    return Service(
        intake=lambda wake: intake_of(site, problems, wake),
        ledger=site.ledger,
        claimer=site.claimer,
        files=site.files,
        planner=site.planner,
        steps=site.drop_steps,
        closer=site.closer,
        delivery=site.delivery,
        clock=site.clock,
        intervals=ScanIntervals(
            scan=site.settings.inbox.scan_seconds,
            settle=site.settings.inbox.settle_seconds,
            probe=site.settings.api.probe_seconds,
        ),
        problems=problems,
        retention=site.retention,
        on_closed=on_closed,
        on_turn=health_file.beat,
        on_end=health_file.end,
    )


def health_writer_of(site: Site, problems: Problems) -> HealthFileWriter:
    """Return what tells others on this root how the service, or a worker that looks, is doing."""
    every = site.settings.inbox.scan_seconds
    health_file = HealthFileWriter(
        site.root / "state",
        HealthMonitor(
            delivery=site.delivery,
            calls=site.calls,
            clock=site.clock,
            every=every,
            outage_seconds=site.settings.api.outage_seconds,
            problems=problems,
        ),
        now=site.clock.now,
        monotonic=site.clock.monotonic,
    )
    problems.on_scan = health_file.scanned
    return health_file


def intake_of(site: Site, problems: Problems, wake: Callable[[], None]) -> Intake:
    """Return the inbox as a loop uses it. ``wake`` is called when something happens there."""
    inbox = site.settings.inbox

    def watcher() -> "Watcher":
        from pipeline.inbox.watcher import Watcher  # watchdog, for who listens

        return Watcher(site.inbox_path, wake)

    return Intake(
        inbox=site.inbox,
        watcher=watcher,
        folders=site.folders,
        claimer=site.claimer,
        changed_files=ChangedFiles(
            folders=site.folders,
            ledger=site.ledger,
            notes=site.changed_file_notes,
            clock=site.clock,
        ),
        latecomers=Latecomers(
            outbox=site.folders.outbox,
            clock=site.clock,
            after_seconds=inbox.late_seconds,
            zone=site.zone,
        ),
        problems=problems,
        clock=site.clock,
        profiles=site.profiles,
        min_free_bytes=inbox.min_free_mb * 1024 * 1024,
    )
