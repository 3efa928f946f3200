"""Looking at drops: drops, drops show, trace."""

from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import Desk, command

if TYPE_CHECKING:
    from pipeline.core.model import Drop


_NAME_WIDTH = 40
"""Characters of a file's name that fit beside id and state on a terminal of 80 columns."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(command(drops))
    group.command("show")(command(show))
    app.add_typer(group, name="drops")
    app.command()(command(trace))


def drops(
    desk: Desk,
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most this many.")] = 50,
) -> int | None:
    """List drops, newest first; or show one."""
    if context.invoked_subcommand is not None:
        return None
    from schemas.display import shown

    found = desk.site(later=True).ledger.recent(limit)

    def for_people() -> None:
        for drop in found:
            name = shown(drop.source_file, _NAME_WIDTH)
            typer.echo(f"{drop.drop_id}  {drop.state.value:<9}  {name}")
            told = ": ".join(part for part in (drop.courier, _outcomes(drop)) if part)
            if told:
                typer.echo(fill(told, 80, initial_indent="    ", subsequent_indent="    "))
        if not found:
            typer.echo("No drops yet.")

    desk.show([_as_dict(drop) for drop in found], for_people)
    return 0


def show(
    desk: Desk, drop: Annotated[str, typer.Argument(metavar="DROP", help="The id of a drop.")]
) -> int:
    """Show a drop: its summary, and what is left to send."""
    from pipeline.cli.options import to_json
    from pipeline.service.resting import why_open

    site = desk.site(later=True)
    found = site.drop(drop)
    (line,) = site.ledger.lines([drop])
    told = {
        **_as_dict(found),
        "open": why_open(found, site.pulse(), site.clock),
        "read_again_as": line.again_as,
    }
    typer.echo(to_json(told))
    return 0


def _outcomes(drop: "Drop") -> str:
    from pipeline.cli.text import in_words

    summary = drop.facts.get("summary")
    if not summary:
        return ""
    return str(summary["refused"]["code"]) if summary["refused"] else in_words(summary)


def _as_dict(drop: "Drop") -> dict[str, Any]:
    from pipeline.core.model import stamp

    return {
        "drop_id": drop.drop_id,
        "source_file": drop.source_file,
        "folder": drop.folder,
        "state": drop.state.value,
        "courier": drop.courier,
        "received_at": stamp(drop.received_at),
        "request": drop.request or None,
        "summary": drop.facts.get("summary"),
    }


def trace(
    desk: Desk, order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="An order id.")]
) -> int:
    """Show all that was read, sent and answered for an order."""
    from pipeline.service.order_history import trace_order
    from schemas.display import shown

    story = trace_order(desk.site(), order_id)

    def for_people() -> None:
        if not story:
            desk.console.print(f"No file named the order {order_id}.", markup=False)
        for each in story:
            sheet = f", sheet {shown(each['sheet'])}" if each["sheet"] else ""
            desk.console.print(
                f"{shown(each['source_file'])}{sheet}, row {each['row']}: "
                f"{each['order_status'] or 'no milestone'} → {each['outcome']}",
                markup=False,
            )
            desk.console.print(
                f"    drop {each['drop_id']} ({each['drop_state']}), received "
                f"{each['received_at']}",
                markup=False,
            )
            for line in each["story"]:
                desk.console.print(f"    {shown(line, 2_000)}", markup=False)

    desk.show(story, for_people)
    return 0
