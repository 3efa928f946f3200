"""Files and the inbox: check, submit, again, why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import DROP_HELP, CommandOptions, command

if TYPE_CHECKING:
    from pipeline.service.health_file import HealthFile
    from pipeline.service.wiring import Site

Courier = Annotated[str | None, typer.Option(metavar="C", help="The courier whose profile to use.")]

_LONGEST_LINE = 10_000

_ONLY_THE_SERVICE_KNOWS = ("no_room", "unclaimable", "changed")
"""Causes why a file waits, as ``WaitCause`` has them, that no scan of a command finds out."""

_RECENT = 500
_MOST_SHOWN = 3
"""How far back ``why`` looks for drops of the same name, and how many of them it tells."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(command(check))
    app.command()(command(submit))
    app.command()(command(again))
    app.command()(command(why))


def check(
    options: CommandOptions,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV files and workbooks.")],
    courier: Courier = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the files that a run would write into this folder."
        ),
    ] = None,
) -> int:
    """Read and plan files as a run would; send nothing."""
    from pipeline.cli.text import describe_check
    from pipeline.service.check import check_files
    from schemas.display import shown

    checked = check_files(options.site(anywhere=True, reads=True), files, courier=courier, out=out)

    def for_people() -> None:
        for each in checked:
            for line in describe_check(each.shown_name, each.why, each.summary, each.more):
                options.console.print(shown(line, _LONGEST_LINE), markup=False)

    options.show([{**each.summary, **each.more} for each in checked], for_people)
    if any(each.summary["refused"] for each in checked):
        return 4
    return 3 if any(each.summary["rows"]["rejected"] for each in checked) else 0


def submit(
    options: CommandOptions,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV files and workbooks.")],
    courier: Courier = None,
) -> int:
    """Put files into the inbox, whole and at once.

    A waiting file of the same name is never replaced: the new one gets a number.
    """
    from schemas.display import shown

    site = options.site()
    if courier:
        site.check_courier(courier)
    placed = [site.folders.put(file, courier or "") for file in files]

    def for_people() -> None:
        for path in placed:
            options.console.print(
                f"{shown(path.relative_to(site.inbox_path), 200)} is in the inbox", markup=False
            )

    options.show([str(path) for path in placed], for_people)
    return 0


def again(
    options: CommandOptions, drop: Annotated[str, typer.Argument(metavar="DROP", help=DROP_HELP)]
) -> int:
    """Read a refused file again, or one with rejected rows.

    The file goes into the inbox as a new drop and is read with the profiles as they are now. What
    was accepted comes out as duplicate.
    """
    from pipeline.service.read_again import read_again
    from schemas.display import shown

    site = options.site()
    drop = site.drop(drop).drop_id
    placed = read_again(site, drop)

    def for_people() -> None:
        name = shown(placed.relative_to(site.inbox_path), 200)
        options.console.print(f"{name} is in the inbox, to be read again", markup=False)

    options.show({"drop_id": drop, "file": str(placed)}, for_people)
    return 0


def why(
    options: CommandOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file in the inbox.")],
) -> int:
    """Say why a file in the inbox has not been picked up yet.

    Also says whether a service is running, and which problems it reports.
    """
    from msgspec.structs import asdict

    from pipeline.cli.drops import aside_in_words, set_aside_in
    from pipeline.core.model import stamp
    from pipeline.service.health import READY, problems_in, workers_at_work
    from pipeline.service.health_file import is_fresh
    from pipeline.service.read_again import in_words, why_open
    from pipeline.storage.root_lock import RootLock
    from schemas.display import counted

    site = options.site()
    _look_twice(site)
    health_file = site.health_file()
    reason = _why_it_waits(site, file, health_file)
    holder = RootLock(site.root, now=site.clock.now).holder()
    workers = workers_at_work(site) if holder is None else []
    named = ", ".join(f"process {each['pid']} on {each['host']}" for each in workers)
    looks = f"looks into the inbox every {site.settings.inbox.scan_seconds:g} s."
    if holder is not None:
        named = holder or "it does not say which process"
        service = f"A service is running ({named}); it {looks}"
    elif workers:
        service = f"{counted(len(workers), 'worker')} at work on this root ({named}); one {looks}"
    elif site.ledger.is_embedded:
        service = (
            "No service is running on this root: start `shipdrop run`, or `shipdrop run --once`."
        )
    else:
        service = "No worker is running on this root: start `shipdrop worker`, or `shipdrop run`."
    now = site.clock.now()
    fresh = health_file if health_file and is_fresh(health_file, now) else None
    troubles = [each for each in problems_in(fresh, now) if each.what in READY] if fresh else []
    taken = [drop for drop in site.ledger.recent(_RECENT) if drop.source_file == file.name]
    open_drops = {
        drop.drop_id: answer
        for drop in taken[:_MOST_SHOWN]
        if (answer := why_open(drop, health_file, site.clock)) is not None
    }

    def for_people() -> None:
        typer.echo(reason)
        typer.echo(service)
        for trouble in troubles:
            typer.echo(f"It is in trouble: {trouble.reason} {trouble.hint}".rstrip())
        for drop in taken[:_MOST_SHOWN]:
            why_not = open_drops.get(drop.drop_id)
            typer.echo(
                f"A file of this name was picked up at {stamp(drop.received_at)}: drop "
                f"{drop.drop_id}, {drop.state}."
                + (f" {in_words(why_not)}" if why_not else "")
                + "".join(f" Set aside: {aside_in_words(a)}." for a in set_aside_in(drop))
            )

    answer = {
        "file": str(file),
        "reason": reason,
        "running": holder is not None or bool(workers),
        "service": service,
        "troubles": [asdict(each) for each in troubles],
        "drops": [drop.drop_id for drop in taken],
        "open": open_drops,
    }
    options.show(answer, for_people)
    return 0


def _look_twice(site: "Site") -> None:
    """Scan the inbox: ready means unchanged over the settling time, which one look cannot tell."""
    import time

    settle = site.settings.inbox.settle_seconds
    site.inbox.scan()
    # By the clock: a file is ready when nothing about it changed for this long.
    time.sleep(settle + 0.05 if settle else 0)
    site.inbox.scan()


def _why_it_waits(site: "Site", file: Path, health_file: "HealthFile | None") -> str:
    """Return why a file is not taken, by its looks and by what the service says of it."""
    from pipeline.core.file_names import as_text
    from schemas.display import shown

    reason = site.inbox.why(file)
    place = site.inbox.place(file)
    if place is None or health_file is None:
        return reason
    for each in (*health_file.lying, *health_file.waiting):
        if (each["folder"], each["file"]) != (as_text(place[0]), as_text(place[1])):
            continue
        if each["cause"] in _ONLY_THE_SERVICE_KNOWS:
            return f"{shown(file.name)}: {each['reason']}."
        if each in health_file.waiting:
            return f"{reason} It has waited since {each['since']}: {each['reason']}."
        break
    return reason
