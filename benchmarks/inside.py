"""A run of Shipdrop with watches in it: ``python -m benchmarks.inside MODE ROOT``.

``ledger`` and ``stages`` wrap methods with clocks and print JSON;
``profile`` runs cProfile in every thread and prints the dearest functions of each; ``processor``
does the same by processor time, so that waiting for a lock or the disk does not count.
"""

import time

_BEGAN = time.perf_counter()

import cProfile
import io
import json
import pstats
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # ships no types

_Times = dict[str, list[float]]


class Clocks:
    """Wall and processor seconds by label, and the resident memory when a label ended."""

    def __init__(self) -> None:
        self.times: _Times = {}
        self._lock = threading.Lock()
        self._process = psutil.Process()

    def add(self, label: str, wall: float, cpu: float) -> None:
        """Add to a label."""
        rss = self._process.memory_info().rss / 1e6
        with self._lock:
            entry = self.times.setdefault(label, [0.0, 0.0, 0, 0.0])
            entry[0] += wall
            entry[1] += cpu
            entry[2] += 1
            entry[3] = max(entry[3], rss)

    @contextmanager
    def time(self, label: str) -> Iterator[None]:
        """Time a block in this thread."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.add(label, time.perf_counter() - wall, time.thread_time() - cpu)

    def wrap(self, owner: Any, name: str, label: str) -> None:
        """Replace a function or method by one that is timed."""
        original = getattr(owner, name)

        @wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.time(label):
                return original(*args, **kwargs)

        setattr(owner, name, timed)

    def wrap_context(self, owner: Any, name: str, label: str) -> None:
        """Time a method that gives a context manager: the whole block."""
        original: Callable[..., AbstractContextManager[Any]] = getattr(owner, name)

        @contextmanager
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with self.time(label), original(*args, **kwargs) as value:
                yield value

        setattr(owner, name, timed)


def watch_ledger(clocks: Clocks) -> None:
    """Time every transaction and every read of the ledger, and its commits alone."""
    import sqlalchemy as sa

    from pipeline.storage.ledger.database import Database

    clocks.wrap_context(Database, "write", "write")
    clocks.wrap_context(Database, "read", "read")
    clocks.wrap(sa.Connection, "_commit_impl", "commit")


def watch_stages(clocks: Clocks) -> None:
    """Time the steps of a drop; nested ones are told by an indented label."""
    from pipeline.inbox.claim import Claimer
    from pipeline.reading.process.reader_process import ReaderPool
    from pipeline.reporting import close_drop, write
    from pipeline.service import drop_steps, loop, planner
    from pipeline.storage.ledger import SqlLedger
    from pipeline.storage.outbox import Outbox
    from pipeline.storage.root_folders import Folders
    from pipeline.storage.spool import Spool

    clocks.wrap(Claimer, "claim", "claim")
    # Inside of it nothing is seen from here: another process reads.
    clocks.wrap(ReaderPool, "read_together", "read, in another process")
    clocks.wrap(planner, "load", "take up what was read")
    clocks.wrap(planner, "make_plan", "plan")
    clocks.wrap(SqlLedger, "order_histories", "plan: order histories")
    clocks.wrap(Spool, "write_bodies", "freeze bodies")
    clocks.wrap(planner, "frozen", "order lines")
    clocks.wrap(planner, "sync_spools", "freeze: sync")
    clocks.wrap(SqlLedger, "freeze_all", "ledger freeze")
    clocks.wrap(drop_steps.DropSteps, "shipment", "shipment")
    clocks.wrap(SqlLedger, "exchange", "deliver: exchange")
    clocks.wrap(drop_steps.DropSteps, "finish", "finish")
    clocks.wrap(close_drop.Closer, "outcomes_of_all", "finish: outcomes")
    clocks.wrap(write, "write_report", "finish: report")
    clocks.wrap(Folders, "put_away_all", "finish: archive")
    clocks.wrap(Outbox, "write", "finish: outbox files")
    clocks.wrap(loop.Service, "__init__", "wiring")
    _watch_delivery(clocks)


def _watch_delivery(clocks: Clocks) -> None:
    """From handing a drop in to getting it back."""
    from pipeline.delivery.thread import DeliveryThread

    submit = DeliveryThread.submit

    def timed(room: DeliveryThread, shipment: Any) -> Any:
        began = time.perf_counter()
        future = submit(room, shipment)
        future.add_done_callback(
            # Its processor time is spread over two threads: benchmarks.ladder tells it.
            lambda _: clocks.add("deliver", time.perf_counter() - began, 0.0)
        )
        return future

    setattr(DeliveryThread, "submit", timed)  # noqa: B010 - a watch, in this process only


class Profiles:
    """cProfile in every thread that is started from now on, and in this one."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._by_thread: list[tuple[str, cProfile.Profile]] = []
        original = threading.Thread.run

        def run(thread: threading.Thread) -> None:
            profile = cProfile.Profile(timer)
            self._by_thread.append((thread.name, profile))
            profile.runcall(original, thread)

        setattr(threading.Thread, "run", run)  # noqa: B010 - in this process only

    def text(self, lines: int = 28) -> str:
        """The dearest functions of each thread, by their own time."""
        out = io.StringIO()
        for name, profile in self._by_thread:
            out.write(f"== thread {name}\n")
            pstats.Stats(profile, stream=out).strip_dirs().sort_stats("tottime").print_stats(lines)
        return out.getvalue()


def main(mode: str, root: Path) -> None:
    """Process what lies in ``root`` and print what the watches say."""
    clocks = Clocks()
    timer = {"profile": time.perf_counter, "processor": time.thread_time}.get(mode)
    profiles = Profiles(timer) if timer else None
    with clocks.time("imports"):
        from pipeline.service import loop
        from pipeline.service.settings import load
        from pipeline.service.wiring import Site
    {"ledger": watch_ledger, "stages": watch_stages}.get(mode, lambda _: None)(clocks)
    with clocks.time("run"):
        service = loop.Service(Site(root, load(root)))
        service.run(once=True)
    clocks.add("process, to here", time.perf_counter() - _BEGAN, time.process_time())
    text = profiles.text() if profiles else json.dumps(clocks.times)
    sys.stdout.write("\n" + text + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
