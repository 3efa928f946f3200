"""Arguments → settings → wiring → exit code. The commands' work is done by the steps they call.

Nothing heavy is imported here or at the top of a command's module: ``--help`` must be quick.
"""

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.cli import (
    cluster,
    drops,
    files,
    ledger,
    lookup,
    run,
    serve,
    setup,
)
from pipeline.cli.options import command
from pipeline.core.errors import RootBusy, SettingsError, ShipdropError
from pipeline.sandbox import options as sandbox

if TYPE_CHECKING:
    from pipeline.reading.process.child_process import Child

app = typer.Typer(
    name="shipdrop",
    help="Watch a folder for courier manifests and report their shipment statuses.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if wanted:
        from pipeline.core.version import this_release

        typer.echo(f"shipdrop {this_release()}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Watch a folder for courier manifests and report their shipment statuses."""


_COMMANDS = (
    *(setup.init, setup.doctor, setup.demo, setup.deploy),
    *(run.run, run.retry, run.cancel, serve.serve),
    *(files.check, files.submit, files.again, files.why, drops.trace),
    *(lookup.profiles, lookup.template, lookup.explain, lookup.map_sample, cluster.worker),
)
_GROUPS = {
    "ledger": (
        "Back up, restore, check or move the record of what was sent.",
        (ledger.backup, ledger.restore, ledger.check, ledger.copy, ledger.new),
    ),
    "cluster": ("Show the workers, or let one finish.", (cluster.status, cluster.drain)),
}

for each in _COMMANDS:
    app.command("map" if each is lookup.map_sample else None)(command(each))
_drops = typer.Typer()
_drops.callback(invoke_without_command=True)(command(drops.drops))
_drops.command()(command(drops.show))
app.add_typer(_drops, name="drops")
for name, (words, commands) in _GROUPS.items():
    group = typer.Typer(help=words, no_args_is_help=True)
    for function in commands:
        group.command()(command(function))
    app.add_typer(group, name=name)
sandbox.add_command(app)


def main(child: "Child | None" = None) -> NoReturn:
    """Run the command line; never returns. ``child``: a process to read files in, if one is."""
    try:
        app(standalone_mode=True, obj=child, prog_name="shipdrop")
    except ShipdropError as error:
        typer.echo(f"shipdrop: {error}", err=True)
        _leave(_exit_code(error))
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            _leave(end.code or 0)
        raise
    except Exception as error:  # noqa: BLE001 - a bug, most often: shown as Python shows it
        if (wrong := _setting_behind(error)) is not None:
            typer.echo(f"shipdrop: {wrong}", err=True)
            _leave(_exit_code(wrong))
        sys.excepthook(*sys.exc_info())
        _leave(1)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End the process at once.

    Everything is closed and on disk by now. Finalising the interpreter would cost a third of a
    second with pandas and Arrow loaded, and may abort the process after a call.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # `shipdrop drops | head`
        os._exit(code or 1)
    os._exit(code)


def _setting_behind(error: BaseException | None) -> SettingsError | None:
    """Return the wrong setting that another thread met, and that led to this error."""
    while error is not None and not isinstance(error, SettingsError):
        error = error.__cause__
    return error


def _exit_code(error: ShipdropError) -> int:
    if isinstance(error, RootBusy):
        return 75
    # Errors of settings, usage or storage are for the operator to fix.
    return 2
