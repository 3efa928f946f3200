"""Months of ten thousand small files a day: what lists, pages, the ledger and retention take.

A day is copied into the ledger from one drop that was really done, and swept as the service does it
once a day; the clock is set.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.bench import Bench
from benchmarks.data import write_manifest
from benchmarks.measure import MB, RunBrokeError
from benchmarks.pages import asked, page_of
from benchmarks.product import Setup
from benchmarks.table import Line, at_most, plain
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running
from pipeline.web.totals import saved_in

ROWS = 2
KEPT_DAYS = 30
LISTED_DAYS = 60
DAYS = 90
MONTH = 30
PAGES = {
    "to do": "/",
    "files": "/drops",
    "part of a name": "/drops?q=first",
    "reports, 90 days": "/reports?days=90",
    "measures": "/metrics",
}


class SetClock:
    """A clock that stands where it is set; seconds that pass are real."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def months(bench: Bench) -> list[Line]:
    """Lists, pages and the sweep of a day at the end of each month, and what retention leaves."""
    from pipeline.service.settings import load
    from pipeline.service.wiring import Site

    case, files = "months", bench.size(10_000)
    with running(SandboxConfig(token="benchmark")) as server:  # the bare server answers for 20 rows
        setup = bench.fresh(case, server.url)
        write_manifest(setup.inbox / "first.csv", ROWS, seed=1)
        setup.run_once(rows=ROWS)
    days = {f"{what}_days": KEPT_DAYS for what in ("archive", "outbox", "rows")}
    flags = {
        "retention": days | {"drops_days": LISTED_DAYS},
        "api": {"base_url": "http://127.0.0.1:9"},
    }
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
    clock = SetClock(began)
    path = setup.root / "state" / "ledger.db"
    with closing(sqlite3.connect(path)) as ledger:
        ledger.row_factory = sqlite3.Row
        model = {
            table: [dict(each) for each in ledger.execute(f"SELECT * FROM {table}")]
            for table in ("drops", "chunks", "lines")
        }
    told: list[Line] = []
    found: list[Mapping[str, float]] = []
    sweeps: list[float] = []
    with closing(Site(setup.root, load(setup.root, flags=flags), clock=clock)) as site:
        for day in range(1, DAYS + 1):
            _day(path, model, files, clock.at)
            clock.at = began + timedelta(days=day)
            took = thread_time()
            swept = site.retention.sweep()
            sweeps.append(thread_time() - took)
            if day > KEPT_DAYS and not swept.drops:
                raise RunBrokeError("nothing was old enough to be removed")
            if day % MONTH:
                continue
            found.append(_looks(site, model) | _pages(setup))
            lines = [
                *(plain(case, name, value, _unit(name)) for name, value in found[-1].items()),
                plain(case, "the ledger", path.stat().st_size / MB, " MB"),
                plain(case, "the sweep of a day, processor time", median(sweeps[-5:]), " s"),
            ]
            until = f"after {day} days, {files * day:,} files: "
            told += [Line(case=case, measure=until + e.measure, result=e.result) for e in lines]
            sys.stderr.write("".join(f"{e.measure}  {e.result}\n" for e in told[-len(lines) :]))
    # From the sixtieth day on nothing grows but what was accepted.
    last, before = found[-1], found[-2]
    return [
        *told,
        *(
            at_most(
                case,
                f"{name}: the third month against the second",
                last[name] / before[name],
                1.5,
                "x",
            )
            for name in before
            if not name.startswith("page: ") or "memory" in name  # known to some milliseconds
        ),
    ]


def _unit(name: str) -> str:
    return " MB" if "memory" in name else " ms"


def _looks(site: Any, model: Mapping[str, Sequence[Mapping[str, Any]]]) -> Mapping[str, float]:
    """Processor milliseconds of what page and commands ask the ledger, the median of thirty."""
    from pipeline.core.drop_lines import Search

    (newest,) = site.ledger.overview.search(Search(limit=1))
    order = f"{model['lines'][0]['order_id']}-{newest.seq}"
    looks: Mapping[str, Callable[[], Any]] = {
        "the list of 50": lambda: site.ledger.overview.search(Search(limit=50)),
        "the list of 50 by part of a name": lambda: site.ledger.overview.search(
            Search(words="first", limit=50)
        ),
        "an order": lambda: site.ledger.overview.sightings(order),
    }
    found = {}
    for name, look in looks.items():
        took = []
        for _ in range(30):
            began = thread_time()
            answer = look()
            took.append(1000 * (thread_time() - began))
            if len(answer) != (1 if name == "an order" else 50):
                raise RunBrokeError(f"{name}: {len(answer)} found")
        found[name] = median(took)
    return found


def _pages(setup: Setup) -> Mapping[str, float]:
    """Processor milliseconds of each page when it is asked for again, and the page's memory."""
    found = {}
    saved_in(setup.root).unlink(missing_ok=True)
    with page_of(setup) as (client, page):
        found["page: the first look of all"] = _first_look(client, page)
    with page_of(setup) as (client, page):
        found["page: the first look after a start"] = _first_look(client, page)
        for name, path in PAGES.items():
            _, _, cpu = asked(client, page, path)
            found[f"page: {name}"] = 1000 * cpu
        found["page: memory"] = page.memory_info().rss / MB
    return found


def _first_look(client: httpx.Client, page: psutil.Process) -> float:
    before = sum(page.cpu_times()[:2])
    client.get("/")
    return 1000 * float(sum(page.cpu_times()[:2]) - before)


def _day(
    path: Path, model: Mapping[str, Sequence[Mapping[str, Any]]], files: int, when: datetime
) -> None:
    """Copy the drop that was done, so often; each copy has its own orders."""
    (drop,) = model["drops"]
    with closing(sqlite3.connect(path)) as ledger:
        (last,) = ledger.execute("SELECT max(seq) FROM drops").fetchone()
        at = when.isoformat()
        seqs = range(last + 1, last + 1 + files)
        times = {"received_at": at, "started_at": at, "finished_at": at}
        _copy(
            ledger,
            "drops",
            (
                {**drop, **times, "seq": seq, "drop_id": f"d{seq:017}", "sha256": f"{seq:064}"}
                | {"closing": seq}
                for seq in seqs
            ),
        )
        _copy(ledger, "chunks", ({**c, "drop_seq": seq} for seq in seqs for c in model["chunks"]))
        _copy(
            ledger,
            "lines",
            (
                {**line, "drop_seq": seq, "order_id": f"{line['order_id']}-{seq}"}
                for seq in seqs
                for line in model["lines"]
            ),
        )
        ledger.commit()


def _copy(ledger: sqlite3.Connection, table: str, rows: Iterator[Mapping[str, Any]]) -> None:
    first = next(rows, None)
    if first is None:  # nothing is left of it by the end of a drop
        return
    names = ", ".join(f'"{name}"' for name in first)
    marks = ", ".join(f":{name}" for name in first)
    insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    ledger.execute(insert, first)
    ledger.executemany(insert, rows)


MONTHS_CASES: Mapping[str, Callable[[Bench], list[Line]]] = {"months": months}
