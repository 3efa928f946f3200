"""Files and the inbox: check, submit, again, why."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import DROP_HELP, CommandOptions
from schemas.display import quoted

if TYPE_CHECKING:
    from pipeline.service.health_file import HealthFile
    from pipeline.service.wiring import Site


Courier = Annotated[str | None, typer.Option(metavar="C", help="The courier whose profile to use.")]

_LONGEST_LINE = 10_000

_ONLY_THE_SERVICE_KNOWS = ("no_room", "unclaimable", "changed")
"""Causes why a file waits, as ``WaitCause`` has them, that a command's scan cannot find."""

_RECENT = 500
_MOST_SHOWN = 3
"""How far back ``why`` looks for drops of the same name, and how many of them it lists."""


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
    from pipeline.service.check import check_files
    from schemas.display import shown

    checked = check_files(options.site(anywhere=True, reads=True), files, courier=courier, out=out)

    lines = (
        shown(line, _LONGEST_LINE)
        for each in checked
        for line in describe_check(each.shown_name, each.why, each.summary, each.more)
    )
    options.show([{**each.summary, **each.more} for each in checked], lines)
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

    names = (shown(path.relative_to(site.inbox_path), 200) for path in placed)
    options.show([str(path) for path in placed], (f"{name} is in the inbox" for name in names))
    return 0


def again(
    options: CommandOptions, drop: Annotated[str, typer.Argument(metavar="DROP", help=DROP_HELP)]
) -> int:
    """Read a refused file again, or one with rejected rows.

    The file goes into the inbox as a new drop and is read with the profiles as they are now. Rows
    that were accepted before end as duplicates.
    """
    from pipeline.service.read_again import read_again
    from schemas.display import shown

    site = options.site()
    drop = site.drop(drop).drop_id
    placed = read_again(site, drop)

    name = shown(placed.relative_to(site.inbox_path), 200)
    options.show(
        {"drop_id": drop, "file": str(placed)}, [f"{name} is in the inbox, to be read again"]
    )
    return 0


def why(
    options: CommandOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file in the inbox.")],
) -> int:
    """Return why a file in the inbox has not been picked up yet.

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

    def told() -> Iterator[str]:
        yield reason
        yield service
        for trouble in troubles:
            yield f"It is in trouble: {trouble.reason} {trouble.hint}".rstrip()
        for drop in taken[:_MOST_SHOWN]:
            why_not = open_drops.get(drop.drop_id)
            yield (
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
    options.show(answer, told())
    return 0


def _look_twice(site: "Site") -> None:
    """Scan the inbox: ready means unchanged over the settling time, which one look cannot show."""
    import time

    settle = site.settings.inbox.settle_seconds
    site.inbox.scan()
    # By the clock: a file is ready when nothing about it changed for this long.
    time.sleep(settle + 0.05 if settle else 0)
    site.inbox.scan()


def _why_it_waits(site: "Site", file: Path, health_file: "HealthFile | None") -> str:
    """Return why a file is not taken, by its state and by the service's report."""
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


def in_words(summary: Mapping[str, Any]) -> str:
    """Return the object of a summary.json as one line."""
    if summary["refused"]:
        return f"refused, {summary['refused']['code']}: {summary['refused']['message']}"
    rows = summary["rows"]
    counts = [f"{count} {name}" for name, count in rows.items() if count and name != "total"]
    return ", ".join(counts) or "no rows"


def describe_check(
    name: str, why: str, summary: Mapping[str, Any], more: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the lines about one checked file: outcome, profile, columns, faults, statuses.

    ``more``: see ``pipeline.service.check``.
    """
    yield f"{name}: {in_words(summary).replace('unsent', 'to be sent')}"
    if more:
        yield f"  read as {summary['courier'] or 'nothing'}: {why}"
    yield from _columns(summary.get("columns", ()))
    sound = "sound" if summary["refused"] else "to be sent"
    yield from _statuses(more.get("statuses", ()), sound)
    yield from _remarks(summary, more.get("faults", ()))


def _columns(sheets: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for sheet in sheets:
        where = f"sheet {sheet['sheet']}: " if sheet["sheet"] else ""
        used = [f"{each['column']} → {each['role']} ({each['matched']})" for each in sheet["used"]]
        yield f"  {where}columns read: {', '.join(used)}"
        yield f"  {where}{_direction(sheet)}"
        yield from (f"  {where}{line}" for line in _unused(sheet))


def _direction(sheet: Mapping[str, Any]) -> str:
    """Say where the direction was taken from."""
    own = [each["column"] for each in sheet["used"] if each["role"] == "direction"]
    named = [f"the column {quoted(heading)}" for heading in own]
    named += [name for name, about in sheet["heard"].items() if about == "direction"]
    if not named:
        return "direction: the file shows none, so its shipments count as forward"
    return f"direction from: {', '.join(named)}"


def _unused(sheet: Mapping[str, Any]) -> Iterator[str]:
    """Describe the columns that are not read, and whether that matters."""
    uses = {name: f"evidence of the {about}" for name, about in sheet["heard"].items()}
    heard = [
        f"{heading} ({uses[name]})"
        for heading in sheet["unused"]
        if (name := f"the column {quoted(heading)}") in uses
    ]
    others = [each for each in sheet["unused"] if f"the column {quoted(each)}" not in uses]
    if heard:
        yield f"columns that are only used to hold rows that they contradict: {', '.join(heard)}"
    if others:
        yield (
            f"columns not read: {', '.join(others)}; their cells say nothing of a status or a "
            "direction"
        )


def _statuses(statuses: Any, sound: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for outcome, said in (("unsent", sound), ("duplicate", ""), ("ignored", "")):
        rows = [each for each in statuses if each["outcome"] == outcome]
        shares = [
            f"{each['count']}× {each['status']}"
            + (f" as {each['order_status']}" if each["order_status"] else "")
            for each in rows
        ]
        if shares:
            yield f"  {said or outcome}: {', '.join(shares)}"


def _remarks(summary: Mapping[str, Any], faults: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield faults and warnings, by column; the first example in words, further ones as rows."""
    said = [*summary["errors"], *summary["warnings"]]
    columns = {each["role"]: each for each in faults}
    for role in dict.fromkeys(each["column"] for each in said):
        column = columns.get(role)
        if column and role:
            rows = column["rows"]
            count = f"{rows} row{'' if rows == 1 else 's'} with a fault" if rows else "warnings"
            yield f"  {column['column']}: {count}"
        else:
            yield "  Whole rows and the file:"
        for each in said:
            if each["column"] != role:
                continue
            label = ":".join(part for part in (each["code"], role) if part)
            further = _further(column, each) if column else ""
            yield f"    {each['count']}× {label}: {each['message']}{further}"


def _further(column: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    examples = next((c["examples"] for c in column["codes"] if c["code"] == fault["code"]), ())
    others = [str(each["row"]) for each in examples if each["row"] != fault["example_row"]]
    return f" Also row{'' if len(others) == 1 else 's'} {', '.join(others)}." if others else ""
