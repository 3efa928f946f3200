"""The job engine: the one module that imports procrastinate.

A job is only a hint that there is something to do: "there are drops to plan", "this segment can be
sent". The ledger decides what is done and by whom, so a job may be lost or delivered twice, and
neither the engine's locks nor its retries are used.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import procrastinate
import psycopg
import structlog
from msgspec import Struct
from procrastinate import exceptions, jobs, schema
from psycopg import sql

from pipeline.core.errors import StorageError

log = structlog.get_logger(__name__)

Task = Callable[..., None]

_AGAIN_SECONDS = 1.0
_POLL_SECONDS = 4.0
"""Interval of looks for jobs whose notification was lost, which is rare."""
_SCHEMA_KEY = 0x5D1D0003


class Queue(Struct, frozen=True, kw_only=True):
    """Kinds of jobs that share so many threads: they do not keep those of other queues waiting."""

    name: str
    at_once: int
    tasks: Mapping[str, Task]


class Engine:
    """Takes jobs of its queues and hands them, in threads, to the functions of their kind.

    ``run`` is called once, in the thread that is to serve it; everything else from any thread.
    """

    def __init__(self, url: str, *, queues: Sequence[Queue], beat: float) -> None:
        self._url = url
        self._queues = queues
        self._queue_of = {kind: queue.name for queue in queues for kind in queue.tasks}
        self._beat = beat
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = threading.Event()
        self.ready = threading.Event()
        self._app = procrastinate.App(connector=self._connector())
        for queue in queues:
            for kind, task in queue.tasks.items():
                self._app.task(name=kind, queue=queue.name)(_guarded(kind, task))

    # -- from any thread -----------------------------------------------------------------------

    def call(self, kind: str, args: Sequence[Mapping[str, int]], urgency: int = 0) -> None:
        """Queue a job once per set of arguments; the most urgent first.

        Failures are only logged: the supervisor queues the job again.
        """
        if not args:
            return

        async def defer() -> None:
            queue = self._queue_of[kind]
            deferrer = self._app.configure_task(kind, queue=queue, priority=urgency)
            await deferrer.batch_defer_async(*(dict[str, Any](each) for each in args))

        future = self._in_loop(defer())
        if future is not None:
            future.add_done_callback(_log_failure)

    def waiting(self) -> int:
        """Return jobs that nobody has taken yet; raises what the engine raises."""

        async def count() -> int:
            found = await self._app.job_manager.list_queues_async(status="todo")
            ours = set(self._queue_of.values())
            return sum(int(each["todo"]) for each in found if each["name"] in ours)

        future = self._in_loop(count())
        return future.result(30) if future is not None else 0

    def end_stale_jobs(self, silent_seconds: float) -> None:
        """End the jobs of workers that fell silent. Nothing is lost by it: see above."""

        async def end() -> None:
            manager = self._app.job_manager
            found = await manager.get_stalled_jobs(seconds_since_heartbeat=silent_seconds)
            for job in found:
                await manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)

        future = self._in_loop(end())
        if future is not None:
            future.result(30)

    def stop(self) -> None:
        """Take no more jobs; ``run`` returns when those under way are over."""
        self._stopping.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(self._cancel)

    # -- in its own thread ---------------------------------------------------------------------

    def run(self) -> None:
        """Take jobs until stopped, however often the server goes away meanwhile."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        at_once = sum(queue.at_once for queue in self._queues)
        with ThreadPoolExecutor(at_once + 4, thread_name_prefix="tasks") as threads:
            self._loop.set_default_executor(threads)
            while not self._stopping.is_set():
                try:
                    await self._serve()
                except (exceptions.ConnectorException, psycopg.Error, OSError) as error:
                    log.warning("engine.lost", reason=" ".join(str(error).split())[:200])
                if not self._stopping.is_set():
                    await asyncio.sleep(_AGAIN_SECONDS)
            self._loop = None

    async def _serve(self) -> None:
        await make_tables(self._url)
        async with self._app.open_async():
            self._workers = [asyncio.create_task(self._take_jobs(each)) for each in self._queues]
            self.ready.set()
            if self._stopping.is_set():
                self._cancel()
            done, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
            self._cancel()  # one that ends for whatever reason takes the others along
            await asyncio.wait(self._workers)
            for each in done:
                if not each.cancelled():
                    each.result()

    async def _take_jobs(self, queue: Queue) -> None:
        await self._app.run_worker_async(
            queues=[queue.name],
            concurrency=queue.at_once,
            install_signal_handlers=False,
            delete_jobs="always",
            fetch_job_polling_interval=_POLL_SECONDS,
            update_heartbeat_interval=self._beat,
            stalled_worker_timeout=6 * self._beat,
        )

    def _cancel(self) -> None:
        for each in self._workers:
            each.cancel()  # graceful: jobs under way are waited for

    def _connector(self) -> procrastinate.PsycopgConnector:
        return procrastinate.PsycopgConnector(
            conninfo=self._url,
            min_size=1,
            max_size=4,
            timeout=10,
            kwargs={"application_name": "shipdrop-jobs", "connect_timeout": 10},
        )

    def _in_loop(self, work: Any) -> "Future[Any] | None":  # noqa: ANN401 - a coroutine of any kind
        loop = self._loop
        if loop is not None and self.ready.is_set():
            try:
                return asyncio.run_coroutine_threadsafe(work, loop)
            except RuntimeError:  # the loop has just ended
                pass
        work.close()
        return None


async def make_tables(url: str) -> None:
    """Make the engine's tables where they are missing. Several may come at once.

    Lock and tables are one command, which the server finishes by itself: a worker that freezes in
    the middle of it blocks no other.
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        if await _are_there(connection):
            return
        lock = sql.SQL("SELECT pg_advisory_xact_lock({});").format(_SCHEMA_KEY)
        tables = sql.SQL(schema.SchemaManager.get_schema())
        try:
            await connection.execute(lock + tables)
        except psycopg.Error:
            if not await _are_there(connection):  # else another was quicker
                raise


async def _are_there(connection: "psycopg.AsyncConnection[psycopg.rows.TupleRow]") -> bool:
    cursor = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
    found = await cursor.fetchone()
    return bool(found and found[0])


def _guarded(kind: str, task: Task) -> Callable[..., None]:
    """Wrap a job so that it never fails: its result is in the ledger, its errors are in the log."""

    def run(**args: int) -> None:
        try:
            task(**args)
        except StorageError as error:
            log.warning("job.ended", kind=kind, reason=error.message, **args)
        except Exception:  # a bug with one drop must not end the worker
            log.exception("job.failed", kind=kind, **args)

    return run


def _log_failure(future: "Future[Any]") -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.warning("engine.not_told", reason=" ".join(str(error).split())[:200])
