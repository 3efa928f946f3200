"""Looking things up: profiles, template, explain."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import CommandOptions, command


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(command(profiles))
    app.command()(command(template))
    app.command()(command(explain))


def profiles(
    options: CommandOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A courier; without it: all.")
    ] = None,
) -> int:
    """List the courier profiles, or show one."""
    from pipeline.core.errors import UsageError
    from pipeline.validation.profile_by_name import did_you_mean, find_profile
    from schemas.description import describe_profile

    known = options.site(anywhere=True).profiles
    if name is None:
        listed = [{"name": p.name, "title": p.title} for p in known.values()]

        def list_them() -> None:
            for each in listed:
                typer.echo(f"{each['name']:<16} {each['title']}")

        options.show(listed, list_them)
        return 0
    found = find_profile(name, known)
    if found is None:
        raise UsageError(f'There is no profile "{name}".', hint=did_you_mean(name, known))
    described = describe_profile(found)

    def for_people() -> None:
        for heading, lines in described.items():
            typer.echo(heading)
            for line in lines:
                typer.echo(f"  {line}")

    options.show(described, for_people)
    return 0


def template(
    options: CommandOptions,
    courier: Annotated[str, typer.Option(metavar="C", help="The courier it is for.")] = "generic",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="F.xlsx", help="Where to write it; else C-manifest.xlsx here."
        ),
    ] = None,
) -> int:
    """Write an empty manifest: text cells, drop-down statuses."""
    from pipeline.core.errors import UsageError
    from pipeline.reporting.template_xlsx import template as make
    from pipeline.validation.profile_by_name import did_you_mean, find_profile

    site = options.site(anywhere=True)
    found = find_profile(courier, site.profiles)
    if found is None:
        hint = did_you_mean(courier, site.profiles)
        raise UsageError(f'There is no profile "{courier}".', hint=hint)
    path = output or Path(f"{found.name}-manifest.xlsx")
    if path.suffix.casefold() != ".xlsx":
        raise UsageError(f"{path} does not end in .xlsx.", hint="Choose a name that does.")
    if path.exists():
        raise UsageError(f"{path} is there already.", hint="Choose another name with -o.")
    try:
        path.write_bytes(make(found, created=site.clock.now()))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    options.show({"file": str(path), "courier": found.name}, lambda: typer.echo(str(path)))
    return 0


def explain(
    options: CommandOptions,
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="A code from a report.")
    ] = None,
) -> int:
    """Say what a code means and how to fix it.

    Without a code: list them all.
    """
    from pipeline.core.errors import UsageError
    from schemas.codes import Code
    from schemas.similarity import nearest

    known = {each.value: each for each in Code}
    if code is None:
        table: dict[str, Any] = {key: entry.what for key, entry in known.items()}

        def list_them() -> None:
            for key, what in table.items():
                typer.echo(f"{key:<20} {what}")

        options.show(table, list_them)
        return 0
    wanted = code.partition(":")[0].upper()
    if wanted not in known:
        near = nearest(wanted, known)
        hint = f"Did you mean {near}?" if near else "`shipdrop explain` lists them all."
        raise UsageError(f'"{code}" is not a code.', hint=hint)
    entry = known[wanted]
    value = {"code": wanted, "what": entry.what, "fix": entry.fix, "example": entry.example}
    value |= {"right": entry.right} if entry.right else {}

    def for_people() -> None:
        typer.echo(f"{wanted}\n\n{entry.what}\n\nWhat to do: {entry.fix}")
        if entry.example:
            typer.echo(f"\nExample: {entry.example}")
        if entry.right:
            typer.echo(f"What it should look like: {entry.right}")

    options.show(value, for_people)
    return 0
