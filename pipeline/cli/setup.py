"""Set up: init (folders, a commented configuration, a page for couriers), doctor, demo, deploy."""

from collections.abc import Iterator
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import CommandOptions
from pipeline.core.errors import StorageError


def init(
    options: CommandOptions,
    folder: Annotated[
        Path | None, typer.Argument(metavar="ROOT", help="Where to make them; else --root.")
    ] = None,
) -> int:
    """Make the folders, shipdrop.toml and a page for couriers."""
    root = (folder or options.root).absolute()
    made = make_root(root)

    lines = [f"made {path}" for path in made] or [f"{root} is complete"]
    options.show({"root": str(root), "made": [str(path) for path in made]}, lines)
    return 0


def doctor(options: CommandOptions) -> int:
    """Check folders, ledger, API and token; say what to do."""
    from pipeline.cli.doctor import examine

    findings = examine(options.site(anywhere=True), options.config)

    lines = (
        f"{'ok  ' if each.fine else 'BAD '} {each.subject}: {each.found}"
        + (f"  → {each.advice}" if each.advice and not each.fine else "")
        for each in findings
    )
    options.show([each.as_dict() for each in findings], lines)
    return max((each.code for each in findings if not each.fine), default=0)


def demo(options: CommandOptions) -> int:
    """Run it all on sample files, with a local stand-in API.

    Works in a temporary folder, which it names, or in --root.
    """
    from pipeline.storage.memory import keep_pandas_out

    keep_pandas_out()
    from pipeline.cli.demo import run_demo
    from pipeline.service.logging_setup import configure

    configure(level="DEBUG" if options.verbose else "WARNING", form=options.log_format.value)
    return run_demo(root=options.root if options.root_named else None, out=options.console)


FOLDERS = ("inbox", "outbox", "archive", "quarantine", "work", "state", "couriers")

CONFIG = """\
# Shipdrop: configuration of this root. Every key is optional but api.base_url and a token.
# The environment wins over this file: SHIPDROP_API__TOKEN is api.token.

[api]
# base_url = "https://fyndkonnect.konnect.uat.fyndx1.de"   # Fynd's sandbox; https only
# token_file = "token"          # read again when it changes; or username and password
# concurrency = 8               # calls in flight
# rate_per_second = 0           # 0: as fast as allowed
# timeout_seconds = 30
# max_attempts = 8              # per call, with growing pauses
# give_up_seconds = 900         # after this the rows stay unsent and go out later
# probe_seconds = 15            # seconds between attempts while nothing can be sent
# reconcile = true              # ask shipment/info when an answer was lost
# when_in_doubt = "resend"      # or "hold"

[inbox]
# settle_seconds = 2.0          # a file is ready when it has not changed for this long
# scan_seconds = 2.0
# done_marker = ""              # e.g. ".done": wait for X.csv.done
# late_seconds = 300            # a file that is not ready after this long is reported
# min_free_mb = 64              # with less disk free no file is taken
# max_file_mb = 1024
# max_rows = 2000000
# read_seconds = 30             # processor time to read a file, and 3 s more for each MB of it
# read_memory_mb = 2048

[manifest]
# courier = "generic"           # the profile when nothing else decides
# timezone = "Asia/Kolkata"
# max_reject_ratio = 0.5        # more rejected rows than this: the file is refused
# fill_missing_pickup = false

[retention]                     # days after a file is finished; 0: for good
# archive_days = 0
# outbox_days = 0
# rows_days = 180               # accepted statuses stay known
# drops_days = 0                # how long files are listed; not less than the three above
"""

FOR_COURIERS = """\
How to send us shipment statuses
================================

1. Put a CSV or Excel file (.xlsx) into the folder "inbox", or into your own folder below it.
   Write it under a name that ends in .part and rename it when it is complete, or just copy it:
   a file is taken when it has stopped growing.
2. It needs a column with the order id and one with the status. Format the order id as TEXT:
   Excel rounds long numbers, and a rounded id is never sent.
3. Look into the folder "outbox":
   NAME__....received.json   we have your file
   NAME__....results.csv     every row with its outcome
   NAME__....rejects.xlsx    the rows to correct: correct them there and put that file
                             (or the .csv next to it) into the inbox as it is
   NAME__....REFUSED.txt     the whole file could not be used, and why
   NAME__....WAITING.txt     your file was not picked up yet, and why
   NAME__....summary.json    written last: when it is there, the others are complete
4. Sending a file twice does no harm: rows that were accepted before are marked "duplicate".
"""


def make_root(root: Path) -> list[Path]:
    """Make the missing files and folders of ``root``; return them.

    Existing ones are not changed. Raises StorageError.
    """
    made: list[Path] = []
    try:
        for name in FOLDERS:
            folder = root / name
            if not folder.is_dir():
                folder.mkdir(parents=True)
                made.append(folder)
        for name, text in (("shipdrop.toml", CONFIG), ("README-for-couriers.txt", FOR_COURIERS)):
            file = root / name
            if not file.exists():
                file.write_text(text, encoding="utf-8")
                made.append(file)
    except OSError as error:
        raise StorageError(
            f"{error.filename} cannot be made: {error.strerror}.",
            hint="Give yourself the right to write there, or choose another root.",
        ) from error
    return made


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

    lines = [f"wrote {path}" for path in written]
    lines = lines or [f"{out.absolute()} already has all of these files"]
    options.show({"recipe": recipe.value, "written": [str(path) for path in written]}, lines)
    return 0


def _files(recipe: Recipe) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of a recipe: where they go below the folder, and their bytes."""
    home = _home()
    for name in RECIPES[recipe]:
        for path, content in _below(home / name, Path(name)):
            if path.parent != Path(*_PAGES) or path.name in _PAGES:
                yield path, content


def _home() -> Traversable:
    """Find the files in the wheel, else in the repository of this checkout."""
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
    """Write the files that are missing; return them. Raises UsageError."""
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
