"""A courier nobody has described yet: map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommandOptions, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.draft import ProfileDraft

_LONGEST_LINE = 1_000
_SHOWN = ("courier", "rows", "columns", "statuses", "unconfirmed")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("map")(command(draft))


def draft(
    options: CommandOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of that courier.")],
    courier: Annotated[str, typer.Option(metavar="NEW", help="What to call the courier.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to write it; else NEW.toml here."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=HEADING", help='Which column is which: status="Last Event".'),
    ] = None,
    no: Annotated[
        list[str] | None, typer.Option(metavar="ROLE", help="A role that no column has.")
    ] = None,
    means: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS=MEANING", help='What a status means: "Signed=delivery_done".'),
    ] = None,
) -> int:
    """Write a starting profile for a courier from a sample file.

    Guessed columns and statuses are marked, and mean nothing until you confirm them: with these
    options, or in the file.
    """
    from msgspec import to_builtins

    from pipeline.core.draft import said
    from pipeline.core.errors import DropRefused, UsageError
    from pipeline.service.check import draft_from
    from pipeline.validation.draft.profile_draft import is_untouched
    from schemas.display import shown

    choices = said(column or (), no or (), means or ())
    site = options.site(anywhere=True, reads=True)
    try:
        made = draft_from(site, file, courier, choices)
    except DropRefused as refusal:
        typer.echo(f"shipdrop: {refusal}", err=True)
        return 4
    path = output or Path(f"{made.courier}.toml")
    try:
        if path.is_file() and is_untouched(path.read_text(encoding="utf-8", errors="replace")):
            path.unlink()
        with path.open("x", encoding="utf-8") as new:
            new.write(made.text)
    except FileExistsError:
        raise UsageError(f"{path} is there already.", hint="Choose another name with -o.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error

    def for_people() -> None:
        for line in _lines(made, path, site.root):
            options.console.print(shown(line, _LONGEST_LINE), markup=False)

    options.show(
        {
            "file": str(path),
            **{name: value for name, value in to_builtins(made).items() if name in _SHOWN},
        },
        for_people,
    )
    return 0


def _lines(made: "ProfileDraft", path: Path, root: Path) -> "Iterator[str]":
    yield f"{path}: a draft of {len(made.columns)} columns and {len(made.statuses)} statuses"
    for each in made.columns:
        mark = " " if each.confirmed else "?"
        yield f"  {mark} {each.column} → {each.role}: {each.evidence}"
    yield f"{len(made.unconfirmed)} entries are marked and mean nothing until you confirm them."
    yield f"What to do: confirm them in {path}, put it into {root / 'couriers'}, and run"
    yield f"  shipdrop check FILE --courier {made.courier}"
