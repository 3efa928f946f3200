"""Looking at drops: drops, drops show, trace."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import DROP_HELP, CommandOptions

if TYPE_CHECKING:
    from pipeline.core.drop_lines import DropLine
    from pipeline.core.model import Drop
    from pipeline.service.wiring import Site


_NAME_WIDTH = 26
"""Characters of a file's name that fit beside id, time and state on a terminal of 80 columns."""
_WIDTH = 80
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([0-9]{1,6})([mhd])")


class Which(StrEnum):
    """Name a state that drops are listed by, or one of two groups of them."""

    CLAIMING = "claiming"
    CLAIMED = "claimed"
    OPEN = "open"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    UNDER_WAY = "under_way"
    TO_DO = "to_do"


def drops(
    options: CommandOptions,
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most this many.")] = 50,
    state: Annotated[
        Which | None,
        typer.Option(
            help="Only those in this state; under_way: not closed; to_do: refused, or with rows "
            "that need a person."
        ),
    ] = None,
    courier: Annotated[
        str | None, typer.Option(metavar="C", help="Only those read with this profile.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only those received since: 30m, 6h, 2d, 2026-11-23, or a time."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Only those with this in the file's name.")
    ] = None,
) -> int | None:
    """List drops, newest first; or show one."""
    if context.invoked_subcommand is not None:
        return None
    from pipeline.core.drop_lines import Search
    from schemas.display import shown

    site = options.site(light=True)
    to_do = state is Which.TO_DO
    search = Search(
        state=state.value if state and not to_do else "",
        to_do=to_do,
        courier=courier or "",
        words=name or "",
        limit=limit,
        since=_moment(since, site) if since else None,
    )
    found = site.ledger.overview.search(search)
    progresses = [(line, _progress(site, line)) for line in found]

    def listed() -> Iterator[str]:
        for line, progress in progresses:
            at = _clock(line.received_at, site)
            file = shown(line.source_file, _NAME_WIDTH)
            yield f"{line.drop_id}  {at}  {line.state.value:<9}  {file}"
            said = ": ".join(part for part in (line.courier, _outcomes(line, progress)) if part)
            if said:
                yield fill(said, _WIDTH, initial_indent="    ", subsequent_indent="    ")
        if not found:
            yield "No drops yet." if search == Search(limit=limit) else "No drop fits."

    options.show([_as_dict(line, progress) for line, progress in progresses], listed())
    return 0


def show(
    options: CommandOptions, drop: Annotated[str, typer.Argument(metavar="DROP", help=DROP_HELP)]
) -> int:
    """Show a drop: its outcome, faults and files, and what is left to do."""
    from pipeline.service.read_again import why_open

    site = options.site(light=True)
    found = site.drop(drop)
    (line,) = site.ledger.overview.lines([found.drop_id])
    progress = _progress(site, line)
    facts = {
        **_as_dict(line, progress),
        "open": why_open(found, site.health_file(), site.clock),
        "read_again_as": line.again_as,
        "set_aside": list(set_aside_in(found)),
    }

    options.show(facts, _described(site, found, line, facts))
    return 0


def set_aside_in(drop: "Drop") -> Iterator[dict[str, Any]]:
    """Yield why nothing is to be done about the file (``rows`` null), or about how many rows."""
    if put_off := drop.facts.put_off:
        yield {"rows": None, "reason": put_off[0], "who": put_off[1]}
    said = Counter((each.reason, each.who) for each in drop.facts.aside)
    for (reason, who), count in said.items():
        yield {"rows": count, "reason": reason, "who": who}


def _described(
    site: "Site", drop: "Drop", line: "DropLine", shown_drop: Mapping[str, Any]
) -> Iterator[str]:
    from pipeline.service.read_again import in_words
    from schemas.display import shown

    summary: Mapping[str, Any] = line.summary or {}
    where = f" in inbox/{shown(drop.folder)}" if drop.folder else ""
    yield f"{shown(drop.source_file, 200)}{where}"
    facts = {
        "drop": drop.drop_id,
        "state": drop.state.value + (f", {drop.request} asked for" if drop.request else ""),
        "courier": drop.courier,
        "received": _clock(drop.received_at, site),
        "finished": _clock(drop.finished_at, site) if drop.finished_at else "",
        "rows": _outcomes(line, shown_drop["progress"]),
        "corrects": drop.parent or "",
        "read again": shown_drop["read_again_as"] or "",
        "set aside": "; ".join(map(aside_in_words, shown_drop["set_aside"])),
        "tidied": f"{line.tidied_at[:10]}: counts are left, rows and details are gone"
        if line.tidied_at
        else "",
    }
    if shown_drop["open"] is not None:
        facts["open"] = in_words(shown_drop["open"])
    for name, value in facts.items():
        if value:
            yield fill(
                f"{name:<11} {value}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 14
            )
    for each in (*summary.get("errors", ()), *summary.get("warnings", ())):
        label = ":".join(part for part in (each["code"], each["column"]) if part)
        words = f"{each['count']}× {label}: {each['message']}"
        yield fill(words, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    place = site.outbox_path / drop.folder if drop.folder else site.outbox_path
    for file in summary.get("files", {}).values():
        yield f"  {place / file}"


def aside_in_words(aside: Mapping[str, Any]) -> str:
    """Return one of these as ``2 rows: already delivered (Asha)``."""
    from schemas.display import counted

    of = "" if aside["rows"] is None else f"{counted(aside['rows'], 'row')}: "
    return f"{of}{aside['reason'] or 'nothing is to be done'}" + (
        f" ({aside['who']})" if aside["who"] else ""
    )


def _clock(moment: datetime, site: "Site") -> str:
    """Return a time as people at the root's place read it, to the minute."""
    return f"{moment.astimezone(site.zone):%Y-%m-%d %H:%M}"


def _moment(since: str, site: "Site") -> datetime:
    """Return the time that ``--since`` means. Raises UsageError."""
    from pipeline.core.errors import UsageError

    if span := _SPAN.fullmatch(since):
        return site.clock.now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f'"{since}" is not a time.', hint="Write 30m, 6h, 2d, 2026-11-23 or 2026-11-23T14:00."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=site.zone)
    return moment


def _progress(site: "Site", line: "DropLine") -> dict[str, int] | None:
    """Return how far a drop is that is being sent: rows answered, and in all."""
    from pipeline.core.model import DropState

    if line.state is not DropState.OPEN:
        return None
    sent = dict(site.ledger.overview.sent(line.seq))
    waiting = sent.pop(None, 0)
    answered = sum(sent.values())
    return {"answered": answered, "total": answered + waiting}


def _outcomes(line: "DropLine", progress: Mapping[str, int] | None) -> str:
    from pipeline.cli.files import in_words

    if progress is not None:
        return f"{progress['answered']:,} of {progress['total']:,} updates answered"
    if not line.summary:
        return ""
    refused = line.summary["refused"]
    return str(refused["code"]) if refused else in_words(line.summary)


def _as_dict(line: "DropLine", progress: Mapping[str, int] | None) -> dict[str, Any]:
    from pipeline.core.model import stamp

    return {
        "drop_id": line.drop_id,
        "source_file": line.source_file,
        "folder": line.folder,
        "state": line.state.value,
        "courier": line.courier,
        "received_at": stamp(line.received_at),
        "request": line.request or None,
        "summary": line.summary,
        "progress": progress,
        "tidied_at": line.tidied_at or None,
    }


def trace(
    options: CommandOptions,
    order_id: Annotated[
        str, typer.Argument(metavar="ORDER_ID|AWB", help="An order id, or an AWB of an order.")
    ],
) -> int:
    """Show everything that was read, sent and answered for an order.

    An AWB is looked for in the results files that are still in the outbox. Exit code 2 where no
    file named it.
    """
    from pipeline.core.errors import UsageError
    from pipeline.web.order_search import find_all
    from schemas.display import shown

    found = find_all(options.site(), order_id)
    story = [{**each, "order_id": order} for order, seen in found for each in seen]
    if not story:
        if options.as_json:
            options.show(story, ())
        raise UsageError(f"No file named the order or AWB {shown(order_id)}.")

    def told() -> Iterator[str]:
        for order, seen in found:
            if order != order_id:
                yield f"AWB {order_id}: order {shown(order)}"
            for each in seen:
                yield from _told(each)

    options.show(story, told())
    return 0


def _told(each: Mapping[str, Any]) -> Iterator[str]:
    from pipeline.core.order_lines import NO_LONGER_LISTED
    from schemas.display import shown

    sheet = f", sheet {shown(each['sheet'])}" if each["sheet"] else ""
    listed = each["drop_id"]
    place = (
        f"{shown(each['source_file'])}{sheet}, row {each['row']}" if listed else NO_LONGER_LISTED
    )
    yield f"{place}: {each['order_status'] or 'no milestone'} → {each['outcome']}"
    if listed:
        yield f"    drop {listed} ({each['drop_state']}), received {each['received_at']}"
    for line in each["story"]:
        yield f"    {shown(line, 2_000)}"
