"""The main job: run; and asking it for something: retry, cancel."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pipeline.cli.options import DROP_HELP, CommandOptions
from pipeline.core.errors import LedgerLost, RootBusy, StorageError, UsageError
from pipeline.service.scan_timer import Bell

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from pipeline.core.shipment import Closed
    from pipeline.service.health_file import HealthFileWriter
    from pipeline.service.loop import Service
    from pipeline.service.run_outcome import RunOutcome
    from pipeline.service.wiring import Site
    from pipeline.storage.ledger.advisory_lock import Hold
    from pipeline.storage.root_lock import RootLock


T = TypeVar("T")

_AGAIN_SECONDS = 2.0
SERVICE_TELLS = ("drop.closed", "drop.requested")
"""Events that a service logs also with ``--quiet``: a line for each drop."""


class StopSignals:
    """SIGINT and SIGTERM, caught from now on.

    The first one ends in good order what runs; a second one ends it at once: nothing is lost by it.
    """

    def __init__(self) -> None:
        self.caught: list[int] = []
        self._end: Callable[[], None] = lambda: None
        self._bell = Bell()
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, _frame: "FrameType | None") -> None:
        if self.caught:
            os._exit(130 if number == signal.SIGINT else 0)
        self.caught.append(number)
        self._bell.ring()
        self._end()

    @property
    def exit_code(self) -> int:
        """Return the exit code after a signal; 0 when none came."""
        return 130 if self.caught[:1] == [signal.SIGINT] else 0

    def end(self, end: Callable[[], None]) -> None:
        """Call ``end`` at a signal; at once if one has come already."""
        self._end = end
        if self.caught:
            end()

    def wait(self, seconds: float) -> bool:
        """Wait so long, at most until a signal comes; return whether one has come."""
        if not self.caught:
            self._bell.wait(seconds)
        return bool(self.caught)


@contextmanager
def startable_again(*, once: bool = False) -> Iterator[None]:
    """Let a service end with 75 where a folder or the ledger ended it in some unforeseen place.

    Its supervisor starts it again, and then it waits. ``once``: no service, it simply ends.
    """
    try:
        yield
    except StorageError as error:
        if once or isinstance(error, LedgerLost):
            raise
        typer.echo(f"shipdrop: {error}", err=True)
        raise typer.Exit(75) from error


class StartRetries:
    """Repeats each step of a service's start until it works, and reports the trouble."""

    def __init__(self, site: "Site", lock: "RootLock", signals: StopSignals) -> None:
        self._site = site
        self._lock = lock
        self._signals = signals
        self._reason = ""
        self._health_file: HealthFileWriter | None = None

    def until_done(self, step: Callable[[], T]) -> T:
        """Repeat the step until it works, and return its result.

        Raises RootBusy when another service holds the root, LedgerLost, and typer.Exit after a
        signal.
        """
        while True:
            try:
                done = step()
            except RootBusy as error:
                if not error.yields_to_service:
                    raise
                self._lock.request_release()
                self._tell(error.message, "It releases the root in a moment.")
            except LedgerLost:
                raise
            except StorageError as error:
                self._tell(error.message, error.hint)
                self._show()
            else:
                self._clear()
                return done
            if self._signals.wait(_AGAIN_SECONDS):
                if self._health_file is not None:
                    self._health_file.end()
                raise typer.Exit(self._signals.exit_code)

    def _tell(self, reason: str, hint: str) -> None:
        """Log it, once."""
        if reason != self._reason:
            import structlog

            self._reason = reason
            structlog.get_logger(__name__).error("service.waits", reason=reason, hint=hint)

    def _clear(self) -> None:
        if self._reason:
            import structlog

            self._reason = ""
            structlog.get_logger(__name__).info("service.trouble_over", where="start")

    def _show(self) -> None:
        """Write the trouble that is waited for into ``state/health.json``, if possible."""
        from pipeline.core.model import stamp
        from pipeline.service.health_file import HealthFile, HealthFileWriter

        clock, every = self._site.clock, self._site.settings.inbox.scan_seconds
        started_at = stamp(clock.now())

        def look() -> HealthFile:
            return HealthFile(
                pid=os.getpid(),
                host=socket.gethostname(),
                started_at=started_at,
                at=stamp(clock.now()),
                every=every,
                trouble={"storage": self._reason},
            )

        if self._health_file is None:
            self._health_file = HealthFileWriter(self._site.root / "state", look, clock)
        self._health_file.beat()


def run(
    options: CommandOptions,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Process what is there now, then exit.")
    ] = False,
    web: Annotated[bool, typer.Option("--web", help="Show the web page as well.")] = False,
) -> int:
    """Watch the inbox; process, deliver and report files.

    Runs until SIGINT or SIGTERM. With --once it processes what is there now and exits: 0 fine, 3
    rows need a person, 4 a file was refused, 5 the API could not be reached or refused every call
    (the work is kept, and sent later), 75 another run holds this root.
    """
    from pipeline.storage.root_lock import RootLock

    with startable_again(once=once), ExitStack() as held:
        tells = () if once else SERVICE_TELLS
        site = options.site(fresh=True, reads=True, tells=tells)
        site.check_sending()
        options.warn_of_secrets()
        lock, signals = RootLock(site.root, now=site.clock.now), StopSignals()
        take: Callable[[Callable[[], Any]], Any] = (
            _at_once if once else StartRetries(site, lock, signals).until_done
        )
        if not once:
            take(lambda: site.readers.keep_ready())  # noqa: PLW0108 - made only in the step
        take(lambda: held.enter_context(lock))
        hold = take(lambda: held.enter_context(_alone(site)))
        service = take(lambda: _service(options, site))
        take(lambda: site.check_ledger(thoroughly=lock.was_left))
        if web:
            from pipeline.web.page_process import page_beside

            held.enter_context(
                page_beside(
                    options.root,
                    config=options.config,
                    quiet=options.quiet,
                    log_format=options.log_format.value,
                )
            )
        held.enter_context(notices_sent(site, once=once))
        return _serve(options, site, hold, service, signals, once=once)


def _at_once(step: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the step says
    return step()


def _alone(site: "Site") -> "AbstractContextManager[Hold]":
    """Return the ledger, which one run has at a time."""
    return site.ledger.alone(stale_seconds=site.settings.cluster.stale_seconds)


def notices_sent(
    site: "Site", *, once: bool, may: Callable[[], bool] = lambda: True
) -> AbstractContextManager[None]:
    """Return notices and pings, where they are configured.

    Nothing is imported for them elsewhere.
    """
    if not site.settings.notify.urls and site.settings.notify.ping_url is None:
        return nullcontext()
    from pipeline.web.notices import telling

    return telling(site, once=once, may=may)


def _service(options: CommandOptions, site: "Site") -> "Service":
    from pipeline.service.loop import Service

    return Service(site, on_closed=_teller(options))


def _serve(
    options: CommandOptions,
    site: "Site",
    hold: "Hold",
    service: "Service",
    signals: StopSignals,
    *,
    once: bool,
) -> int:
    if not once:
        import structlog

        structlog.get_logger(__name__).info(
            "service.watching", inbox=str(site.inbox_path), api=site.settings.api.base_url
        )
    outcome = _run(options, site, hold, service, signals, once=once)
    _tell_end(options, outcome, once=once, outbox=site.outbox_path)
    if outcome.died:
        return int(outcome.exit)
    if hold.is_lost and not signals.caught:
        return 75
    return int(outcome.exit) if once and not signals.caught else signals.exit_code


def _run(
    options: CommandOptions,
    site: "Site",
    hold: "Hold",
    service: "Service",
    signals: StopSignals,
    *,
    once: bool,
    only: str | None = None,
) -> "RunOutcome":

    hold.on_lost = service.stop
    signals.end(service.stop)
    with watching(site, quiet=options.quiet or options.as_json):
        return service.run(once=once, only=only)


def _teller(options: CommandOptions) -> Callable[["Closed"], None]:
    """Print the outcome of each file as soon as it is finished."""

    def tell(closed: "Closed") -> None:
        if options.as_json:
            import orjson

            typer.echo(orjson.dumps(dict(closed.summary)).decode())
            sys.stdout.flush()
        elif not options.quiet:
            from pipeline.cli.files import in_words
            from schemas.display import shown

            typer.echo(f"{shown(closed.drop.source_file)}: {in_words(closed.summary)}")
            sys.stdout.flush()

    return tell


def _tell_end(
    options: CommandOptions, outcome: "RunOutcome", *, once: bool, outbox: "Path"
) -> None:
    for waiting in outcome.left:
        from schemas.display import shown

        typer.echo(f"shipdrop: {shown(waiting.name)} was not ready: {waiting.reason}", err=True)
    if (once or outcome.died) and not options.quiet and outcome.exit:
        where = f". What to do is in {outbox}" if outcome.is_for_a_person else ""
        typer.echo(f"shipdrop: exit code {int(outcome.exit)}: {outcome.why}{where}", err=True)


def retry(
    options: CommandOptions, drop: Annotated[str, typer.Argument(metavar="DROP", help=DROP_HELP)]
) -> int:
    """Send the rows of a drop that are unsent or unknown.

    A running service carries this out; if none is running, the command does.
    """
    from pipeline.service.read_again import check_retry

    site = options.site()
    found = site.drop(drop)
    check_retry(site, found.drop_id, found.state, found.facts.summary)
    return _ask(options, site, found.drop_id, "retry")


def cancel(
    options: CommandOptions, drop: Annotated[str, typer.Argument(metavar="DROP", help=DROP_HELP)]
) -> int:
    """Stop sending a drop; report its remaining rows as unsent.

    A running service carries this out; if none is running, the command does.
    """
    site = options.site()
    found = site.drop(drop)
    if found.state.closed:
        raise UsageError(
            f"The drop {found.drop_id} is {found.state}: there is nothing left to cancel."
        )
    return _ask(options, site, found.drop_id, "cancel")


def _ask(options: CommandOptions, site: "Site", drop: str, what: str) -> int:
    """Leave the request, and act on it here unless a service runs, or starts meanwhile."""
    from pipeline.core.model import DropRequest
    from pipeline.storage.root_lock import RootLock

    site.ledger.request(drop, DropRequest(what))
    if not site.ledger.is_ours(site.drop(drop)):
        return _noted(options, drop, what)
    lock, signals = RootLock(site.root, now=site.clock.now, yields_to_service=True), StopSignals()
    try:
        with lock, _alone(site) as hold:
            if what == DropRequest.RETRY:
                site.check_sending()
            service = _service(options, site)
            site.check_ledger(thoroughly=lock.was_left)
            with lock.on_release_request(service.stop) as asked:
                outcome = _run(options, site, hold, service, signals, once=True, only=drop)
    except RootBusy:
        return _noted(options, drop, what)
    left = site.drop(drop)
    if asked.is_set() and (left.request or not left.state.closed):
        return _noted(options, drop, what)
    _tell_end(options, outcome, once=True, outbox=site.outbox_path)
    return signals.exit_code if signals.caught else int(outcome.exit)


def _noted(options: CommandOptions, drop: str, what: str) -> int:
    words = f"{what} of {drop} noted; the running service does it at its next scan."
    options.show({"drop_id": drop, "request": what}, [words])
    return 0


_EVERY_SECONDS = 0.2


@contextmanager
def watching(site: "Site", *, quiet: bool) -> Iterator[None]:
    """Show how many rows of the drops under way have been answered."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    done = threading.Event()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("sending", total=None, visible=False)

    def follow() -> None:
        while not done.wait(_EVERY_SECONDS):
            answered, total = site.delivery.progress()
            bar.update(task, completed=answered, total=total or None, visible=total > 0)

    follower = threading.Thread(target=follow, name="progress", daemon=True)
    with bar:
        follower.start()
        try:
            yield
        finally:
            done.set()
            follower.join()
