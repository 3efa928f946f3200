"""Write the files that production needs out of the wheel: deploy."""

from collections.abc import Iterator
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import CommandOptions, command

_LOCK = "requirements-cluster.lock"
_PAGES = tuple(f"docs/{name}.md" for name in ("contract", "production", "scale-out", "sftp", "web"))


class Recipe(StrEnum):
    """A way to run Shipdrop, or to watch it."""

    SYSTEMD = "systemd"
    WORKER = "worker"
    SFTP = "sftp"
    COMPOSE = "compose"
    PROMETHEUS = "prometheus"


RECIPES = {
    Recipe.SYSTEMD: ("deploy/systemd", *_PAGES),
    Recipe.WORKER: ("deploy/worker", _LOCK, *_PAGES),
    Recipe.SFTP: ("deploy/sftp", *_PAGES),
    Recipe.PROMETHEUS: ("deploy/prometheus", *_PAGES),
    Recipe.COMPOSE: ("deploy/container", "deploy/sftp", _LOCK, *_PAGES),
}
"""The files and folders of each, as they lie in the repository."""


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("deploy")(command(deploy))


def deploy(
    options: CommandOptions,
    recipe: Annotated[Recipe, typer.Argument(help="What to write files for.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write into.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is there, as after an upgrade.")
    ] = False,
) -> int:
    """Write what production needs: units, SFTP, containers, alerts.

    Files go to DIR/deploy and DIR/docs; the page in docs/ says how to go on. If one of them exists
    with other content, nothing is written; --replace overwrites.
    """
    files = dict(_files(recipe))
    written = _write(files, out.absolute(), replace=replace)

    def for_people() -> None:
        for path in written:
            options.console.print(f"wrote {path}", markup=False)
        if not written:
            options.console.print(f"{out.absolute()} already has all of these files", markup=False)

    options.show({"recipe": recipe.value, "written": [str(path) for path in written]}, for_people)
    return 0


def _files(recipe: Recipe) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of a recipe: where they go below the folder, and their bytes."""
    home = _home()
    for name in RECIPES[recipe]:
        for path, content in _below(home / name, Path(name)):
            if path.parent != Path(*_PAGES) or path.name in _PAGES:
                yield path, content


def _home() -> Traversable:
    """Find what the wheel carries, else the repository that this is a checkout of."""
    from pipeline.core.errors import ShipdropError

    for found in (resources.files("pipeline") / "recipes", Path(__file__).parents[2]):
        if (found / _LOCK).is_file():
            return found
    raise ShipdropError(
        "The files are not installed.",
        hint="Install Shipdrop from its wheel, or run it in a copy of its repository.",
    )


def _below(place: Traversable, path: Path) -> Iterator[tuple[Path, bytes]]:
    if place.is_file():
        yield path, place.read_bytes()
        return
    for each in sorted(place.iterdir(), key=lambda found: found.name):
        yield from _below(each, path / each.name)


def _write(files: dict[Path, bytes], out: Path, *, replace: bool) -> list[Path]:
    """Write what is not there yet; return it. Raises UsageError."""
    from pipeline.core.errors import UsageError

    try:
        there = {path: (out / path).read_bytes() for path in files if (out / path).exists()}
        others = [path for path, content in there.items() if content != files[path]]
        if others and not replace:
            raise UsageError(
                f"{out} has another {', '.join(map(str, others))} already.",
                hint="Choose another folder, or --replace them.",
            )
        wanted = [path for path, content in files.items() if there.get(path) != content]
        for path in wanted:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_bytes(files[path])
            (out / path).chmod(0o755 if files[path].startswith(b"#!") else 0o644)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
    return [out / path for path in wanted]
