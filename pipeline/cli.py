"""Arguments → settings → wiring → exit code. The commands' work is done by the rooms they call.

Nothing heavy is imported here or at the top of a command's module: ``--help`` must be quick.
"""

import sys
from typing import NoReturn

import typer

from pipeline.commands import ask, drops, files, operate, setup
from pipeline.errors import RootBusy, ShipdropError
from pipeline.sandbox import options as sandbox

app = typer.Typer(
    name="shipdrop",
    help="Watches a folder for courier manifests and reports their shipment statuses.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (setup, operate, files, drops, ask):
    module.register(app)
sandbox.add_command(app)


def main() -> NoReturn:
    """Run the command line; never returns."""
    try:
        app(standalone_mode=True)
    except ShipdropError as error:
        typer.echo(f"shipdrop: {error}", err=True)
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _exit_code(error: ShipdropError) -> int:
    if isinstance(error, RootBusy):
        return 75
    # What is wrong with settings, usage or storage is for whoever runs Shipdrop to mend.
    return 2
