"""The web page: serve."""

import sys
from typing import Annotated

import typer

from pipeline.cli.options import CommandOptions

Host = Annotated[str | None, typer.Option(help="Where to listen; else web.host (127.0.0.1).")]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Where to listen; else web.port (8080). 0: a free one."),
]


def serve(
    options: CommandOptions,
    *,
    host: Host = None,
    port: Port = None,
    hash_password: Annotated[
        bool,
        typer.Option("--hash-password", help="Ask for a password, print its hash, and exit."),
    ] = False,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Print a new token and its hash, and exit.")
    ] = False,
    tied: Annotated[bool, typer.Option("--tied", hidden=True)] = False,
) -> int:
    """Show the web page; answer /healthz, /readyz, /metrics, /api.

    A `run` beside it does the work. Listens on this machine only, unless web.users says who may
    log in.
    """
    if hash_password or new_token:
        _print_secret(options, token=new_token)
        return 0
    flags = {"web": {k: v for k, v in (("host", host), ("port", port)) if v is not None}}
    site = options.site(fresh=True, forgiving=True, flags=flags)
    from pipeline.web.server import serve as answer

    return answer(site, tied=tied)


def _print_secret(options: CommandOptions, *, token: bool) -> None:
    from pipeline.web.passwords import hash_password, new_token, password_problem

    if token:
        made, stored = new_token()
        options.show(
            {"token": made, "token_hash": stored},
            [f'token: {made}\ntoken_hash = "{stored}"'],
        )
        return
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if problem := password_problem(password):
        from pipeline.core.errors import UsageError

        raise UsageError(problem)
    stored = hash_password(password)
    options.show({"password_hash": stored}, [f'password_hash = "{stored}"'])
