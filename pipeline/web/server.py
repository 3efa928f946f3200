"""The server's own life: listen, answer, stop; tied to the run that started it, if one did."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn

from pipeline.core.errors import SettingsError
from pipeline.service.wiring import Site
from pipeline.web.access import check_listening
from pipeline.web.app import create_app
from pipeline.web.connections import Patience, protocol_with
from pipeline.web.people import People

log = structlog.get_logger(__name__)

_GRACE_SECONDS: Final = 3
_IDLE_SECONDS: Final = 65
_BACKLOG: Final = 512


def serve(site: Site, *, tied: bool = False) -> int:
    """Answer until SIGINT or SIGTERM; with ``tied`` until stdin closes, too. The exit code.

    Raises:
        SettingsError: the settings do not permit to listen there, or the address is taken.
    """
    web = site.settings.web
    check_listening(web, People(site.root, web, site.clock).users())
    site.folders.prepare()
    listener = _listen(web.host, web.port)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        create_app(site),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=web.behind_proxy,
        forwarded_allow_ips=list(web.proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
        lifespan="off",
        ws="none",
        http=protocol_with(Patience()),
    )
    server = _Server(config)
    if tied:
        threading.Thread(target=_end_with_parent, name="tether", daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    log.info("web.listening", address=f"http://{shown}:{port}/")
    server.run(sockets=[listener])
    return 130 if server.stopped_by == signal.SIGINT else 0


class _Server(uvicorn.Server):
    """Ends in good order on SIGINT and SIGTERM; the exit code is ours, as the contract has it."""

    stopped_by: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take over both signals while the server runs."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._stop) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or number
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # whoever read our address in the log may come at once
    except OSError as error:
        raise SettingsError(
            f"The web page cannot listen on {host} port {port}: {error.strerror or error}.",
            hint="Give another --port, or stop what listens there.",
        ) from error
    listener.set_inheritable(True)
    return listener


def _end_with_parent() -> None:
    """End with the run that started this page: its end of stdin closes however it ends."""
    while os.read(sys.stdin.fileno(), 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
