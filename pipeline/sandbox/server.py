"""Run the sandbox: in a thread beside a test or the demo, or as a process of its own."""

import asyncio
import logging
import random
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from msgspec import Struct

from pipeline.sandbox.app import Endpoints, application
from pipeline.sandbox.config import Clock, SandboxConfig
from pipeline.sandbox.core import BodyTally, Order, Sandbox

_T = TypeVar("_T")
_LOGGER: Final = logging.getLogger("pipeline.sandbox")
_BACKLOG: Final = 1024
# aiohttp waits this long twice for calls in flight: a stalled one must not hold up the end.
_GRACE_SECONDS: Final = 0.1
_START_SECONDS: Final = 10


class SandboxHandle:
    """A sandbox that runs in another thread; every question is answered in that thread."""

    def __init__(self, config: SandboxConfig, clock: Clock | None = None) -> None:
        """Start the server and wait until it listens; raises OSError when it cannot."""
        self.token = config.token
        self._config = config
        self._endpoints = Endpoints(config, clock or Clock(), random.Random(config.seed))
        self._stop = asyncio.Event()
        self._started: Future[tuple[str, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self.url, self._loop = self._started.result(timeout=_START_SECONDS)

    def stats(self) -> dict[str, Any]:
        """Return the counts, as `GET /_sandbox/stats` does."""
        return self._ask(self._endpoints.backend.stats)

    def orders(self, order_id: str | None = None) -> dict[str, Any]:
        """Return `{order id: {"state", "history"}}` of one order or of all."""
        return self._ask(lambda: self._endpoints.backend.orders(order_id))

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the kept calls after that number."""
        return self._ask(lambda: self._endpoints.backend.calls.since(since))

    def set_faults(self, **changes: object) -> dict[str, Any]:
        """Replace the named faults and return all in force; raises CallRefusedError."""
        return self._ask(lambda: self._endpoints.backend.change_faults(changes))

    def reset(self) -> None:
        """Forget orders, calls and tokens, and go back to the configured faults."""
        self._ask(self._endpoints.reset)

    def stop(self) -> None:
        """Stop the server, dropping open connections; the questions above keep working."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _ask(self, question: Callable[[], _T]) -> _T:
        if not self._thread.is_alive():
            return question()

        async def answer() -> _T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            async with _listening(self._config, self._endpoints) as url:
                self._started.set_result((url, asyncio.get_running_loop()))
                await self._stop.wait()
        except OSError as exc:
            if self._started.done():
                raise
            self._started.set_exception(exc)


@contextmanager
def running(config: SandboxConfig, clock: Clock | None = None) -> Iterator[SandboxHandle]:
    """Run a sandbox in a daemon thread for the length of a `with` block.

    `clock` gives the time instead of the machine. Raises OSError when the address cannot be had.
    """
    handle = SandboxHandle(config, clock)
    try:
        yield handle
    finally:
        handle.stop()


def serve(config: SandboxConfig, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; call `ready` with the URL once connections are accepted.

    Must be called in the main thread (POSIX signals). Raises OSError when the address cannot be
    had.
    """
    asyncio.run(_serve(config, ready))


async def _serve(config: SandboxConfig, ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    endpoints = Endpoints(config, Clock(), random.Random(config.seed))
    async with _kept(config, endpoints), _listening(config, endpoints) as url:
        ready(url)
        await stop.wait()


@asynccontextmanager
async def _kept(config: SandboxConfig, endpoints: Endpoints) -> AsyncIterator[None]:
    """Keep the sandbox's state, while the context lasts and after it."""
    if config.state_file is None:
        yield
        return
    take_up(endpoints.backend.sandbox, config.state_file)
    keeping = asyncio.create_task(keep_up(lambda: endpoints.backend.sandbox, config.state_file))
    try:
        yield
    finally:
        keeping.cancel()
        keep(endpoints.backend.sandbox, config.state_file)


class _AccessLogger(AbstractAccessLogger):
    """A line per call without the query: that is where a password would be."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        milliseconds = time * 1000
        self.logger.info(
            "%s %s %d %.1f ms", request.method, request.path, response.status, milliseconds
        )


@asynccontextmanager
async def _listening(config: SandboxConfig, endpoints: Endpoints) -> AsyncIterator[str]:
    runner = web.AppRunner(
        application(endpoints),
        access_log=_LOGGER if config.access_log else None,
        access_log_class=_AccessLogger,
        shutdown_timeout=_GRACE_SECONDS,
        keepalive_timeout=config.keepalive_seconds,
    )
    await runner.setup()
    try:
        listener = _bound(config.host, config.port)
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        yield _url(config.host, listener.getsockname()[1])
    finally:
        await runner.cleanup()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_EVERY_SECONDS: Final = 1.0


class _Kept(Struct, frozen=True):
    """Orders and counts of a sandbox, as its state file keeps them."""

    orders: dict[str, Order]
    tally: BodyTally


def take_up(sandbox: Sandbox, path: Path) -> None:
    """Load a sandbox's state from a file; without a file it begins anew.

    Raises OSError, and ValueError for a file that is none of a sandbox.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return
    except msgspec.MsgspecError as exc:
        msg = f"{path} holds no state of a sandbox: {exc}"
        raise ValueError(msg) from exc
    sandbox.go_on(kept.orders, kept.tally)


def keep(sandbox: Sandbox, path: Path) -> None:
    """Write a sandbox's state, completely or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(msgspec.json.encode(_Kept(dict(sandbox.orders()), sandbox.tally)))
    temporary.replace(path)


async def keep_up(current: Callable[[], Sandbox], path: Path) -> None:
    """Write it again whenever it has changed, once a second at most, until cancelled."""
    known: tuple[Sandbox, int] | None = None
    while True:
        sandbox = current()
        if known is None or known[0] is not sandbox or known[1] != sandbox.tally.accepted:
            known = (sandbox, sandbox.tally.accepted)
            keep(sandbox, path)
        await asyncio.sleep(_EVERY_SECONDS)
