"""The main job: run; and asking it for something: retry, cancel."""

import os
import signal
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import Desk, command, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import FrameType

    from pipeline.adapters.ledger.alone import Hold
    from pipeline.closed import Closed
    from pipeline.exits import RunOutcome
    from pipeline.service import Service
    from pipeline.wiring import Site


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(command(run))
    app.command()(command(retry))
    app.command()(command(cancel))


def run(
    desk: Desk,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="What is there now, and what is unfinished; then exit.")
    ] = False,
    web: Annotated[bool, typer.Option("--web", help="Show the web page as well.")] = False,
) -> int:
    """Watch the inbox; process, deliver and report files.

    Until SIGINT or SIGTERM; with --once until all that is there now is through. Exit codes of
    --once: 0 fine, 3 rows need a person, 4 a file was refused, 5 the API could not be reached or
    would not take us (kept, and sent later); 75 another run holds this root.
    """
    from pipeline.adapters.lock import RootLock

    site = desk.site(fresh=True, reads=True, later=True)
    site.check_sending()
    if not once:
        site.readers.keep_ready()
    with (
        RootLock(site.root, now=site.clock.now),
        _alone(site) as hold,
        _web_beside(desk, wanted=web),
        people_told(site, once=once),
    ):
        return _serve(desk, site, hold, once=once)


def _alone(site: "Site") -> "AbstractContextManager[Hold]":
    """The ledger, which one run has at a time."""
    return site.ledger.alone(stale_seconds=site.settings.cluster.stale_seconds)


def people_told(
    site: "Site", *, once: bool, may: "Callable[[], bool]" = lambda: True
) -> "AbstractContextManager[None]":
    """Notices and pings, where they are configured; nothing is imported for them elsewhere."""
    if not site.settings.notify.urls and site.settings.notify.ping_url is None:
        return nullcontext()
    from pipeline.web.notices import telling

    return telling(site, once=once, may=may)


@contextmanager
def _web_beside(desk: Desk, *, wanted: bool) -> "Iterator[None]":
    """The web page in a process of its own, which ends with this one however it ends."""
    if not wanted:
        yield
        return
    from pipeline.web.beside import start

    with start(desk.root, config=desk.config, quiet=desk.quiet, log_format=desk.log_format.value):
        yield


def _serve(desk: Desk, site: "Site", hold: "Hold", *, once: bool, only: str | None = None) -> int:
    from pipeline.assembly import service_of
    from pipeline.commands.progress import watching

    service = service_of(site, on_closed=_teller(desk))
    if not once:
        import structlog

        structlog.get_logger(__name__).info(
            "service.watching", inbox=str(site.inbox_path), api=site.settings.api.base_url
        )
    hold.on_lost = service.stop
    caught = _catch_signals(service)
    with watching(site, quiet=desk.quiet or desk.as_json):
        outcome = service.run(once=once, only=only)
    _tell_end(desk, outcome, once=once, outbox=site.outbox_path)
    if caught:
        return 130 if caught[0] == signal.SIGINT else 0
    return int(outcome.exit) if once else 0


def _catch_signals(service: "Service") -> list[int]:
    """The first signal ends the run in good order; a second one at once: nothing is lost by it."""
    caught: list[int] = []

    def handle(number: int, _frame: "FrameType | None") -> None:
        if caught:
            os._exit(130 if number == signal.SIGINT else 0)
        caught.append(number)
        service.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return caught


def _teller(desk: Desk) -> "Any":  # noqa: ANN401 - a callback
    """Say what came of each file as soon as it is through."""

    def tell(closed: "Closed") -> None:
        if desk.as_json:
            import orjson

            typer.echo(orjson.dumps(dict(closed.summary)).decode())
            sys.stdout.flush()
        elif not desk.quiet:
            from pipeline.adapters.naming import shown
            from pipeline.describing import in_words

            typer.echo(f"{shown(closed.drop.source_file)}: {in_words(closed.summary)}")
            sys.stdout.flush()

    return tell


def _tell_end(desk: Desk, outcome: "RunOutcome", *, once: bool, outbox: "Path") -> None:
    for waiting in outcome.left:
        from pipeline.adapters.naming import shown

        typer.echo(f"shipdrop: {shown(waiting.name)} was not ready: {waiting.reason}", err=True)
    if once and not desk.quiet and outcome.exit:
        where = f". What to do is in {outbox}" if outcome.is_for_a_person else ""
        typer.echo(f"shipdrop: exit code {int(outcome.exit)}: {outcome.why}{where}", err=True)


def retry(
    desk: Desk, drop: Annotated[str, typer.Argument(metavar="DROP", help="The id of a drop.")]
) -> int:
    """Send what a drop left unsent or unknown. A running service does it; else at once."""
    from pipeline.adapters.lock import RootLock
    from pipeline.errors import RootBusy
    from pipeline.retrying import check_retry

    site = desk.site(later=True)
    found = site.drop(drop)
    check_retry(site, found.drop_id, found.state, found.facts.get("summary"))
    site.ledger.request(drop, "retry")
    if not site.ledger.is_ours(found):
        return _noted(desk, drop, "retry")
    try:
        with RootLock(site.root, now=site.clock.now), _alone(site) as hold:
            site.check_sending()
            return _serve(desk, site, hold, once=True, only=drop)
    except RootBusy:
        return _noted(desk, drop, "retry")


def cancel(
    desk: Desk, drop: Annotated[str, typer.Argument(metavar="DROP", help="The id of a drop.")]
) -> int:
    """Stop sending a drop; its remaining rows are reported."""
    from pipeline.adapters.lock import RootLock
    from pipeline.errors import RootBusy, UsageError

    site = desk.site(later=True)
    found = site.drop(drop)
    if found.state.closed:
        raise UsageError(f"The drop {drop} is {found.state}: there is nothing left to cancel.")
    site.ledger.request(drop, "cancel")
    if not site.ledger.is_ours(found):
        return _noted(desk, drop, "cancel")
    try:
        with RootLock(site.root, now=site.clock.now), _alone(site) as hold:
            return _serve(desk, site, hold, once=True, only=drop)
    except RootBusy:
        return _noted(desk, drop, "cancel")


def _noted(desk: Desk, drop: str, what: str) -> int:
    words = f"{what} of {drop} noted; the running service does it at its next scan."
    if desk.as_json:
        typer.echo(to_json({"drop_id": drop, "request": what}))
    else:
        typer.echo(words)
    return 0
