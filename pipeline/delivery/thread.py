"""The delivery thread, with its own event loop, and its interface to the other threads."""

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from pipeline.core.clock import Clock
from pipeline.core.errors import StorageError
from pipeline.core.ports import StatusApi
from pipeline.core.shipment import DeliveryResult, SendingStop, Shipment
from pipeline.delivery.context import Tools
from pipeline.delivery.dispatcher import Dispatcher
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.order_query import OrderQuery
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.storage.ledger import SqlLedger

_SHARE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class DeliveryThreadDiedError(Exception):
    """Raised when the delivery thread failed: this process cannot send any more."""


class DeliveryThread:
    """Delivers drops side by side under one rate limit.

    ``make_api`` is called once, inside the loop. Call ``start`` before use and ``stop`` at the end.
    Before the start, ``stop``, ``terminate``, ``close``, ``pause`` and ``share`` are deferred, and
    submitted drops are refused. ``limiter`` tells other threads whether and why calls wait.
    ``on_crash`` is called when the thread failed with ``crash``.
    """

    def __init__(
        self,
        *,
        make_api: Callable[[], StatusApi],
        ledger: SqlLedger,
        policy: DeliveryPolicy,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._make_api = make_api
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self.limiter = Limiter(policy, monotonic=clock.monotonic)
        self.on_crash: Callable[[], None] = lambda: None
        self.crash: BaseException | None = None
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: Dispatcher | None = None
        self._closed = False
        self._deferred: list[Callable[[Dispatcher], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Start the thread, once; return when it takes drops.

        Raises DeliveryThreadDiedError when it cannot be opened: without it nothing can be sent.
        """
        self._thread.start()
        self._started.wait()
        if self.crash is not None:
            raise DeliveryThreadDiedError(str(self.crash)) from self.crash

    def submit(self, shipment: Shipment) -> Future[DeliveryResult]:
        """Queue a planned drop for delivery. The future may raise StorageError."""
        future: Future[DeliveryResult] = Future()
        if not self._in_loop(lambda dispatcher: dispatcher.submit(shipment, future)):
            future.set_exception(StorageError("The delivery thread is closed."))
        return future

    def cancel(self, drop_seq: int) -> None:
        """Stop sending this drop between calls."""
        self._in_loop(lambda dispatcher: dispatcher.cancel(drop_seq))

    @property
    def has_work(self) -> bool:
        """Return True while drops are being sent."""
        return self._dispatcher is not None and self._dispatcher.has_work

    def progress(self) -> tuple[int, int]:
        """Return the answered updates and all updates of the drops that are being sent."""
        return self._dispatcher.progress() if self._dispatcher else (0, 0)

    def reopen(self) -> None:
        """Try again after a pause: one call at first."""
        self._in_loop(lambda dispatcher: dispatcher.reopen())

    def share(self, calls: int, rate: float) -> None:
        """Set this process's share of the calls at once and per second.

        It is in force when this returns; calls in flight go on.
        """
        done = threading.Event()

        def act(_dispatcher: Dispatcher) -> None:
            self.limiter.share(calls, rate)
            done.set()

        if self._tell(act):
            done.wait(_SHARE_SECONDS)

    def pause(self, seconds: float) -> None:
        """Pause all calls: another worker got a 429."""
        self._tell(lambda _: self.limiter.slow_down(seconds))

    def close(self, shut: SendingStop) -> None:
        """Stop sending until ``reopen``."""
        self._tell(lambda dispatcher: dispatcher.close(shut))

    def stop(self) -> None:
        """Let the calls in flight be answered and recorded; hand the rest back."""
        self._tell(lambda dispatcher: dispatcher.stop())

    def terminate(self) -> None:
        """End without waiting for answers: calls in flight stay in doubt, as after a crash."""
        self._tell(self._cancel_work)

    def join(self) -> None:
        """Wait until the thread has ended, if it was ever started."""
        if self._thread.ident is not None:
            self._thread.join()

    def _tell(self, act: Callable[[Dispatcher], None]) -> bool:
        """Run ``act`` in the loop, or defer it to the start; False when it does not run now."""
        with self._lock:
            if self._loop is None and not self._closed:
                self._deferred.append(act)
                return False
        return self._in_loop(act)

    def _in_loop(self, act: Callable[[Dispatcher], None]) -> bool:
        """Run ``act`` in the loop; False when the loop has ended."""
        with self._lock:
            if self._loop is None or self._dispatcher is None:
                return False
            self._loop.call_soon_threadsafe(act, self._dispatcher)
            return True

    def _cancel_work(self, _dispatcher: Dispatcher) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _close_down(self, dispatcher: Dispatcher) -> None:
        """Refuse new work, and hand back drops that were submitted at the last moment."""
        with self._lock:
            self._loop, self._closed = None, True
        await asyncio.sleep(0)
        dispatcher.abandon()

    def _run(self) -> None:
        import uvloop  # many commands know this thread, and few start it

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._work())
        except asyncio.CancelledError:
            log.warning("delivery.killed")
        except BaseException as error:  # the thread's owner ends the process
            log.exception("delivery.crashed")
            self.crash = _innermost(error)
        finally:
            self._closed = True
            self._started.set()
            if self.crash is not None:
                self.on_crash()

    async def _work(self) -> None:
        loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        api = self._make_api()
        order_query = OrderQuery(
            api=api, limiter=self.limiter, policy=self._policy, clock=self._clock, rng=self._rng
        )
        tools = Tools(
            api=api,
            limiter=self.limiter,
            policy=self._policy,
            clock=self._clock,
            rng=self._rng,
            order_query=order_query,
            opened_at=self._clock.now(),
        )
        with ThreadPoolExecutor(1, thread_name_prefix="ledger-commits") as committer:
            dispatcher = Dispatcher(tools, self._ledger, committer)
            with self._lock:
                self._loop, self._dispatcher = loop, dispatcher
                for act in self._deferred:
                    loop.call_soon(act, dispatcher)
            self._started.set()
            try:
                await dispatcher.run()
            finally:
                await self._close_down(dispatcher)
                await api.close()


def _innermost(error: BaseException) -> BaseException:
    """Return the first error of a group of tasks that ended together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
