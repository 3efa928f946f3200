"""The `sandbox` command: its flags, and how they become a configuration.

Every start of the command line loads this file, so it imports nothing heavy before it must.
"""

import gc
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

if TYPE_CHECKING:
    from pipeline.sandbox.config import SandboxConfig

_USAGE_ERROR: Final = 2
_SERVER: Final = "Server"
_FAULTS: Final = "Faults (rates are 0 to 1, per status call)"

# Flags that go by another name, or another type, than the field they set.
_LISTS: Final = {"refuse_order": "refuse_orders", "poison_order": "poison_orders"}
_NOT_FIELDS: Final = frozenset({"orders_file", "json_output", "verbose"})


def _flag(text: str, panel: str = _FAULTS, *names: str) -> object:
    return typer.Option(*names, help=text, rich_help_panel=panel)


def sandbox(
    host: Annotated[str, _flag("Address to listen on.", _SERVER)] = "127.0.0.1",
    port: Annotated[int, _flag("Port; 0 picks a free one.", _SERVER)] = 8899,
    token: Annotated[str, _flag("The fixed token.", _SERVER)] = "sandbox-token",
    username: Annotated[
        str | None, _flag("The name that gets a token; unset: any.", _SERVER)
    ] = None,
    password: Annotated[str | None, _flag("The password for that name.", _SERVER)] = None,
    token_field: Annotated[
        str, _flag("Where the answer has the token; dots nest: data.token", _SERVER)
    ] = "access_token",
    seed: Annotated[int, _flag("Seed of everything random.", _SERVER)] = 0,
    unknown_orders: Annotated[
        Literal["infer", "dp_assigned", "refuse"],
        _flag("State of an order never seen before.", _SERVER),
    ] = "infer",
    repeat: Annotated[
        Literal["refuse", "accept"], _flag("What to do with a repeated status.", _SERVER)
    ] = "refuse",
    orders_file: Annotated[
        Path | None,
        _flag("JSON or CSV of order_id and state to start with.", _SERVER, "--orders"),
    ] = None,
    state_file: Annotated[
        Path | None,
        _flag("Keep orders and counts here over a restart.", _SERVER, "--state"),
    ] = None,
    call_log: Annotated[int, _flag("Calls to remember; 0: none.", _SERVER)] = 10_000,
    keep_meta: Annotated[bool, _flag("Remember the meta of accepted updates.", _SERVER)] = True,
    keepalive_seconds: Annotated[
        float, _flag("Idle connections are closed after this.", _SERVER)
    ] = 75,
    latency_ms: Annotated[float, _flag("Wait before each answer.")] = 0,
    jitter_ms: Annotated[float, _flag("Up to this much on top of the latency.")] = 0,
    status_all: Annotated[int, _flag("Answer every PUT with this; nothing is applied.")] = 0,
    down_seconds: Annotated[
        str, _flag("A:B, answer 503 from A to B seconds after the start.")
    ] = "",
    limit_per_second: Annotated[float, _flag("429 above this; 0: no limit.")] = 0,
    limit_burst: Annotated[int, _flag("Calls at once; 0: one second's worth.")] = 0,
    retry_after_form: Annotated[
        Literal["seconds", "date", "none"], _flag("How a 429 says when to come back.")
    ] = "seconds",
    fail_first: Annotated[int, _flag("The first N PUTs fail.")] = 0,
    fail_rate: Annotated[float, _flag("Fail; nothing is applied.")] = 0,
    fail_status: Annotated[
        list[int] | None, _flag("With which status; repeatable. [default: 500]")
    ] = None,
    reset_rate: Annotated[float, _flag("Reset the connection; nothing is applied.")] = 0,
    lose_rate: Annotated[float, _flag("Apply, then drop the connection.")] = 0,
    stall_rate: Annotated[float, _flag("Apply, then answer late.")] = 0,
    stall_seconds: Annotated[float, _flag("How late that answer comes.")] = 60,
    html_rate: Annotated[float, _flag("A proxy's page instead of JSON.")] = 0,
    html_status: Annotated[
        list[int] | None, _flag("With which status; repeatable. [default: 200, 502]")
    ] = None,
    truncate_rate: Annotated[float, _flag("Apply, then cut the answer off.")] = 0,
    truncate_form: Annotated[
        Literal["json", "wire"], _flag("Cut the JSON only, or the connection too.")
    ] = "json",
    unclear_rate: Annotated[
        float, _flag("An answer under 2xx that does not say whether the call was taken.")
    ] = 0,
    unclear_shape: Annotated[
        list[str] | None,
        _flag("In which shape, such as 'log-in page', 'ok false'; repeatable. [default: any]"),
    ] = None,
    unclear_applied: Annotated[float, _flag("How often such a call was applied.")] = 0,
    unclear_info: Annotated[bool, _flag("Answer every shipment/info like that as well.")] = False,
    refuse_order: Annotated[
        list[str] | None, _flag("This order fails, by name; repeatable.")
    ] = None,
    poison_order: Annotated[
        list[str] | None, _flag("A call with this order gets a bare 422; repeatable.")
    ] = None,
    partial_shape: Annotated[
        Literal["data", "top", "strings", "index", "counts"],
        _flag("Where and how an answer lists refused items."),
    ] = "data",
    token_ttl_seconds: Annotated[float, _flag("How long fetched tokens live; 0: for ever.")] = 0,
    expire_token_after: Annotated[
        int, _flag("After N good PUTs every token dies, the fixed one too; 0: off.")
    ] = 0,
    info_status: Annotated[int, _flag("Answer every shipment/info with this; 0: off.")] = 0,
    token_status: Annotated[int, _flag("Answer every token request with this; 0: off.")] = 0,
    json_output: Annotated[
        bool, _flag("Say where it listens as one JSON line.", _SERVER, "--json")
    ] = False,
    verbose: Annotated[
        bool, _flag("Log every call to stderr.", _SERVER, "-v", "--verbose")
    ] = False,
) -> None:
    """Run a local stand-in for the receiving API.

    It makes faults on request; rates are 0 to 1, for each status call. Below /_sandbox/ it shows
    what it holds and changes its faults (docs/sandbox.md): GET stats, orders, calls, faults; POST
    faults, reset.
    """
    # The flags carry the names of the configuration's fields, so they need no list of their own.
    flags = dict(locals())
    from pipeline.sandbox.server import serve

    gc.freeze()  # what is loaded by now lives to the end; from here on it runs for days
    gc.enable()
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)

    def say(url: str) -> None:
        ready = {"url": url, "token": token}
        line = f"Sandbox listening on {url}  inside: /_sandbox/stats  token: {token}"
        typer.echo(json.dumps(ready) if json_output else line)
        sys.stdout.flush()

    try:
        serve(config_from(flags), ready=say)
    except (ValueError, OSError) as exc:
        typer.echo(f"sandbox: {exc}", err=True)
        raise typer.Exit(_USAGE_ERROR) from exc


def config_from(flags: Mapping[str, Any]) -> "SandboxConfig":
    """Return the configuration for the command's parameters, by name.

    Parameters that are not given keep the configuration's defaults. Raises ValueError for a value
    that is out of range and OSError for an orders file that cannot be read.
    """
    from dataclasses import fields

    from pydantic import ValidationError

    from pipeline.sandbox.config import Faults, SandboxConfig, load_orders, readable

    # None: a flag that was not given, for which the field's own default holds.
    given = {
        _LISTS.get(name, name): value
        for name, value in flags.items()
        if name not in _NOT_FIELDS and value is not None
    }
    given["down_seconds"] = _window(given.get("down_seconds", ""))
    of_faults = {
        field.name: given.pop(field.name) for field in fields(Faults) if field.name in given
    }
    orders_file = flags.get("orders_file")
    orders = {} if orders_file is None else load_orders(Path(orders_file))
    try:
        faults = Faults(**of_faults)
        access_log = bool(flags.get("verbose"))
        return SandboxConfig(**given, orders=orders, access_log=access_log, faults=faults)
    except ValidationError as exc:
        raise ValueError(readable(exc)) from exc


def add_command(app: typer.Typer) -> None:
    """Register the `sandbox` command on `app`."""
    app.command("sandbox")(sandbox)


def _window(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        start, end = (float(part) for part in text.split(":"))
    except ValueError as exc:
        msg = f"--down-seconds: A:B in seconds, not {text!r}"
        raise ValueError(msg) from exc
    return start, end
