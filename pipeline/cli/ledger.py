"""The ledger itself: copying it to another database."""

from typing import Annotated

import typer

from pipeline.cli.options import Desk, command


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(help="Move the memory of what was sent.", no_args_is_help=True)
    group.command("copy")(command(copy))
    group.command("new")(command(new))
    app.add_typer(group, name="ledger")


def copy(
    desk: Desk,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where: postgresql://… or sqlite:///…")
    ],
) -> int:
    """Copy this root's ledger, with all it remembers, into a new and empty one.

    Nothing may be running on the root meanwhile. Set ledger.url to the new address afterwards; the
    old ledger stays as it is.
    """
    from pipeline.storage.ledger import open_ledger
    from pipeline.storage.root_lock import RootLock

    site = desk.site()
    with RootLock(site.root, now=site.clock.now), site.ledger.alone():
        site.check_ledger(thoroughly=True)
        target = open_ledger(to, root=site.root)
        desk.at_end.callback(target.close)
        with target.alone():
            counts = site.ledger.copy_to(target)

    def for_people() -> None:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        desk.console.print(f"Copied {told}. Now set ledger.url to the new address.")

    desk.show({"copied": dict(counts)}, for_people)
    return 0


def new(desk: Desk) -> int:
    """Begin a new ledger for a root whose own is lost, and of which there is no backup.

    What was sent before is not known any more: a file that is dropped again is sent again.
    """
    from pipeline.core.errors import LedgerLost, UsageError
    from pipeline.storage.root_lock import RootLock

    site = desk.site()
    with RootLock(site.root, now=site.clock.now), site.ledger.alone():
        try:
            site.check_ledger(thoroughly=True)
        except LedgerLost:
            site.ledger.begin_anew(site.clock.now())
        else:
            raise UsageError("The ledger is not lost: there is nothing to begin anew.")
    left = [str(site.root / "work" / drop_id) for drop_id in site.folders.leftovers()]

    def for_people() -> None:
        desk.console.print("Begun. What was sent before is not known any more.")
        for folder in left:
            desk.console.print(f"Not finished: move what lies in {folder} into the inbox.")

    desk.show({"begun": True, "left": left}, for_people)
    return 0
