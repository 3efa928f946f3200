"""Setting up: init, doctor, demo."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Desk, command


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(command(init))
    app.command()(command(doctor))
    app.command()(command(demo))


def init(
    desk: Desk,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[ROOT]", help="Where; else --root.")
    ] = None,
) -> int:
    """Make the folders, shipdrop.toml and a page for couriers."""
    from pipeline.cli.init_root import make_root

    root = (folder or desk.root).absolute()
    made = make_root(root)

    def for_people() -> None:
        for path in made or [root]:
            desk.console.print(f"made {path}" if made else f"{path} is complete", markup=False)

    desk.show({"root": str(root), "made": [str(path) for path in made]}, for_people)
    return 0


def doctor(desk: Desk) -> int:
    """Examine folders, ledger, API and token; say what to do."""
    from pipeline.cli.doctor import examine

    findings = examine(desk.site(anywhere=True))

    def for_people() -> None:
        for each in findings:
            mark = "ok  " if each.fine else "BAD "
            advice = f"  → {each.advice}" if each.advice and not each.fine else ""
            desk.console.print(f"{mark} {each.subject}: {each.found}{advice}", markup=False)

    desk.show([each.as_dict() for each in findings], for_people)
    return max((each.code for each in findings if not each.fine), default=0)


def demo(desk: Desk) -> int:
    """Run it all on sample files, with a local stand-in API."""
    from pipeline.cli.demo import run_demo
    from pipeline.service.logging_setup import configure

    configure(level="DEBUG" if desk.verbose else "WARNING", form=desk.log_format.value)
    return run_demo(root=desk.root if desk.root_named else None, out=desk.console)
