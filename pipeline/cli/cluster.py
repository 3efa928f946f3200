"""Several machines: worker; cluster status, cluster drain."""

from functools import partial
from typing import Annotated, Any

import typer

from pipeline.cli.options import CommandOptions
from pipeline.cli.run import SERVICE_TELLS, StopSignals, notices_sent, startable_again


def worker(options: CommandOptions) -> int:
    """Work on this root together with other workers.

    The others may be on this machine or elsewhere. Needs a ledger.url of PostgreSQL, and
    requirements-cluster.lock installed. Runs until SIGINT or SIGTERM.
    """
    try:
        from pipeline.cluster.worker import libpq, work
    except ModuleNotFoundError as error:
        from pipeline.core.errors import SettingsError

        if (error.name or "").partition(".")[0] == "pipeline":
            raise  # ours: a bug
        raise SettingsError(
            f"Workers need {error.name}, which is not installed.",
            hint="`shipdrop deploy worker --out DIR` writes requirements-cluster.lock and the page "
            "that says how to install it.",
        ) from error
    with startable_again():
        site = options.site(fresh=True, reads=True, tells=SERVICE_TELLS)
        libpq(site.settings.ledger.url)
        site.check_sending()
        options.warn_of_secrets()
        signals = StopSignals()
        work(
            site,
            lambda session: signals.end(session.stop),
            beside=partial(notices_sent, site, once=False),
            wait=signals.wait,
        )
        return signals.exit_code


def status(options: CommandOptions) -> int:
    """Show the workers, the tasks of each, and the work that waits."""
    from pipeline.service.health import cluster_status

    site = options.site(anywhere=True)
    stale = site.settings.cluster.stale_seconds
    found = cluster_status(site.ledger, stale_seconds=stale)

    if options.as_json:
        options.show(found, ())
    else:
        _print_status(options, found)
    return 0


def _print_status(options: CommandOptions, found: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("worker", "host", "root", "last word", "calls", "rate", "holds")
    for each in found["workers"]:
        state = " (draining)" if each["draining"] else " (silent)" if each["stale"] else ""
        table.add_row(
            each["id"] + state,
            f"{each['host']}:{each['pid']}",
            each["root"],
            f"{each['silent_seconds']:.1f} s ago",
            str(each["calls"]),
            f"{each['rate']:g}" if each["rate"] else "free",
            ", ".join(each["holds"]),
        )
    options.console.print(table if found["workers"] else "No workers.")
    counts = ", ".join(f"{count} {name}" for name, count in found["drops"].items())
    options.console.print(
        f"Drops: {counts or 'none'}. Segments open: {found['segments']['open']}, "
        f"being sent: {found['segments']['sending']}."
    )
    waiting = ", ".join(f"{count} in {name}" for name, count in found["queues"].items())
    options.console.print(f"Jobs waiting: {waiting or 'none'}. Stalled: {found['stalled']}.")
    if found["shut"]:
        options.console.print(
            f"Nothing is sent for {found['shut']['seconds']:.0f} s: {found['shut']['reason']}"
        )
    if found["quiet_seconds"]:
        options.console.print(f"The API asked for a pause: {found['quiet_seconds']:.0f} s.")


_WORKER = "A worker, as `cluster status` names it."


def drain(
    options: CommandOptions, name: Annotated[str, typer.Argument(metavar="WORKER", help=_WORKER)]
) -> int:
    """Let a worker finish its current tasks, and end."""
    from pipeline.core.errors import UsageError

    if not options.site(anywhere=True).ledger.workers.drain(name):
        raise UsageError(
            f"There is no worker {name}.", hint="`shipdrop cluster status` lists them."
        )
    options.show({"worker": name, "draining": True}, [f"{name} finishes and ends."])
    return 0
