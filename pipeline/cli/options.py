"""Options of every command (root, config, JSON, verbosity, log format), and its printing."""

import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct, field

from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.reading.process.child_process import Child
    from pipeline.service.settings import Settings
    from pipeline.service.wiring import Site


DROP_HELP = "A drop's id, its first or last letters (four or more), or latest."


class LogFormat(StrEnum):
    """The format of the log; ``auto``: readable on a terminal, JSON lines elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


Root = Annotated[
    Path | None,
    typer.Option(
        metavar="ROOT", help="The root folder; else SHIPDROP_ROOT, else the current folder."
    ),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Use another file than ROOT/shipdrop.toml.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Log only warnings and errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log more of what is going on.")]
Format = Annotated[LogFormat, typer.Option("--log-format", help="How logs are written.")]

_SHARED: Mapping[str, tuple[Any, Any]] = {
    "root": (Root, None),
    "config": (Config, None),
    "as_json": (AsJson, False),
    "quiet": (Quiet, False),
    "verbose": (Verbose, False),
    "log_format": (Format, LogFormat.AUTO),
}


def _is_root(site: "Site") -> bool:
    elsewhere = not site.inbox_path.is_relative_to(site.root)
    return site.inbox_path.is_dir() or (elsewhere and (site.root / "state").is_dir())


class CommandOptions(Struct, frozen=True, dict=True):
    """The shared options of one command, and what follows from them.

    ``root_named``: by ``--root``. ``early``: the process that reads, when it was started before the
    command was even understood.
    """

    root: Path
    root_named: bool
    config: Path | None
    as_json: bool
    quiet: bool
    verbose: bool
    log_format: LogFormat
    early: "Child | None" = None
    at_end: ExitStack = field(default_factory=ExitStack)

    def settings(self, flags: Mapping[str, Any] | None = None) -> "Settings":
        """Return the root's settings; ``flags``, as sections and keys, win over them all.

        Raises SettingsError.
        """
        from pipeline.service.settings import load

        return load(self.root, config=self.config, flags=flags)

    def warn_of_secrets(self) -> None:
        """Log the secrets that stand in the configuration file, where others may read them."""
        import structlog

        from pipeline.service.settings import secrets_in, variable_of

        for key in secrets_in(self.root, config=self.config):
            structlog.get_logger(__name__).warning(
                "settings.secret_in_file",
                key=key,
                hint=f"Give it by {variable_of(key)}, or a file.",
            )

    def _check_root(self) -> None:
        if not self.root.is_dir():
            raise UsageError(
                f"There is no folder {self.root}.",
                hint="Check --root and SHIPDROP_ROOT; `shipdrop init` makes a root.",
            )

    def site(
        self,
        *,
        anywhere: bool = False,
        fresh: bool = False,
        reads: bool = False,
        light: bool = False,
        forgiving: bool = False,
        flags: Mapping[str, Any] | None = None,
        tells: Collection[str] = (),
    ) -> "Site":
        """Return the root with its settings, ready to build what is needed.

        ``flags``: see ``settings``.

        Raises UsageError for a root that is not there or has no inbox, which only ``fresh`` may
        make. A command that works ``anywhere`` needs no inbox, nor does a root that was in use and
        has its inbox elsewhere: the share may be away.

        ``reads``: files will be read. The process that does it is started first of all, so that
        its imports, half of the time that a start takes, happen beside ours. ``light``: the
        command needs no Arrow, which takes longest to load. ``forgiving``: it goes on beside a
        courier's profile with an error. ``tells``: events that are logged also with ``--quiet``.
        """
        child = self._child() if reads else None
        if not fresh:
            self._check_root()
        settings = self.settings(flags)  # first: a wrong setting need not wait for what follows
        if reads:
            from pipeline.storage.memory import give_back

            give_back()
        if not light:
            from pipeline.storage.memory import keep_pandas_out

            keep_pandas_out()
        from pipeline.service.logging_setup import configure
        from pipeline.service.wiring import Site

        configure(
            level="DEBUG" if self.verbose else "WARNING" if self.quiet else "INFO",
            form=self.log_format.value,
            also=tells,
        )
        site = Site(self.root, settings, child=child, forgiving=forgiving)
        if not (fresh or anywhere or _is_root(site)):
            raise UsageError(
                f"{self.root} is not a Shipdrop root: it has no inbox.",
                hint="Name the root with --root or SHIPDROP_ROOT; `shipdrop init` makes one.",
            )
        self.at_end.callback(site.close)
        return site

    def _child(self) -> "Child":
        from pipeline.reading.process.child_process import Child

        try:
            child = self.early or Child()
        except OSError as error:
            from pipeline.reading.process.reader_process import not_startable

            raise not_startable(error) from error
        self.at_end.callback(child.reap)
        return child

    @cached_property
    def console(self) -> "Console":
        """Return where data for people goes: stdout; without colour when it is no terminal."""
        from rich.console import Console

        width = None if sys.stdout.isatty() else 160
        return Console(highlight=False, soft_wrap=True, width=width, markup=False)

    def show(self, value: object, lines: Iterable[str]) -> None:
        """Print ``value`` as JSON, or the lines, which are for people."""
        for line in [to_json(value)] if self.as_json else lines:
            typer.echo(line)


def to_json(value: object) -> str:
    """Return a value as indented JSON text."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; its first argument, a ``CommandOptions``."""
    own = list(inspect.signature(function).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, _KEYWORD, default=default, annotation=kind)
        for name, (kind, default) in _SHARED.items()
    ]

    wants_context = any(each.name == "context" for each in own)
    if not wants_context:
        own.append(inspect.Parameter("context", _KEYWORD, annotation=typer.Context))

    def run(**given: Any) -> None:  # noqa: ANN401 - what the signature below names
        context: typer.Context = given["context"] if wants_context else given.pop("context")
        common = {name: given.pop(name) or _from_group(context, name) for name in _SHARED}
        named = common.pop("root")
        root = named or Path(os.environ.get("SHIPDROP_ROOT") or ".")
        options = CommandOptions(
            root=root.absolute(),
            root_named=named is not None,
            early=context.obj,
            **common,
        )
        with options.at_end:  # the interpreter is not torn down: see cli.app._leave
            code = function(options, **given)
        if code is not None:
            raise typer.Exit(int(code))

    keyword = [each.replace(kind=_KEYWORD) for each in own]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature([*keyword, *shared])  # type: ignore[attr-defined] # typer reads it
    run.__annotations__ = {each.name: each.annotation for each in (*keyword, *shared)}
    return run


def _from_group(context: typer.Context, name: str) -> Any:  # noqa: ANN401 - whatever it holds
    """Return the option as given before the sub-command (``shipdrop drops --root R show …``)."""
    parent = context.parent
    return (parent.params.get(name) if parent else None) or _SHARED[name][1]
