"""Looking things up: profiles, template, explain; and map, for a courier without a profile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import CommandOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.draft import ProfileDraft


def profiles(
    options: CommandOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A courier; without it: all.")
    ] = None,
) -> int:
    """List the courier profiles, or show one."""
    from pipeline.core.errors import UsageError
    from pipeline.core.profile_by_name import did_you_mean, find_profile
    from schemas.description import describe_profile

    known = options.site(anywhere=True).profiles
    if name is None:
        listed = [{"name": p.name, "title": p.title} for p in known.values()]
        options.show(listed, (f"{each['name']:<16} {each['title']}" for each in listed))
        return 0
    found = find_profile(name, known)
    if found is None:
        raise UsageError(f'There is no profile "{name}".', hint=did_you_mean(name, known))
    described = describe_profile(found)

    lines = (
        line
        for heading, inside in described.items()
        for line in (heading, *(f"  {each}" for each in inside))
    )
    options.show(described, lines)
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
    from pipeline.core.profile_by_name import did_you_mean, find_profile
    from pipeline.reporting.template_xlsx import template as make

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
    options.show({"file": str(path), "courier": found.name}, [str(path)])
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
        options.show(table, (f"{key:<20} {what}" for key, what in table.items()))
        return 0
    wanted = code.partition(":")[0].upper()
    if wanted not in known:
        near = nearest(wanted, known)
        hint = f"Did you mean {near}?" if near else "`shipdrop explain` lists them all."
        raise UsageError(f'"{code}" is not a code.', hint=hint)
    entry = known[wanted]
    value = {"code": wanted, "what": entry.what, "fix": entry.fix, "example": entry.example}
    value |= {"right": entry.right} if entry.right else {}

    lines = [f"{wanted}\n\n{entry.what}\n\nWhat to do: {entry.fix}"]
    if entry.example:
        lines.append(f"\nExample: {entry.example}")
    if entry.right:
        lines.append(f"What it should look like: {entry.right}")
    options.show(value, lines)
    return 0


_LONGEST_LINE = 1_000
_SHOWN = ("courier", "rows", "columns", "statuses", "unconfirmed")


def map_sample(
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

    Guessed columns and statuses are marked, and are ignored until you confirm them: with these
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

    options.show(
        {
            "file": str(path),
            **{name: value for name, value in to_builtins(made).items() if name in _SHOWN},
        },
        (shown(line, _LONGEST_LINE) for line in _lines(made, path, site.root)),
    )
    return 0


def _lines(made: "ProfileDraft", path: Path, root: Path) -> "Iterator[str]":
    yield f"{path}: a draft of {len(made.columns)} columns and {len(made.statuses)} statuses"
    for each in made.columns:
        mark = " " if each.confirmed else "?"
        yield f"  {mark} {each.column} → {each.role}: {each.evidence}"
    yield f"{len(made.unconfirmed)} entries are marked and are ignored until you confirm them."
    yield f"What to do: confirm them in {path}, put it into {root / 'couriers'}, and run"
    yield f"  shipdrop check FILE --courier {made.courier}"
