"""Months of ten thousand small files a day: what the list, the ledger and retention take.

A day is copied into the ledger from one drop that was really done; the clock is set.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.data import write_manifest
from benchmarks.measure import MB, RunBrokeError
from benchmarks.table import Line, at_most, plain
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running

ROWS = 2
KEPT_DAYS = 30
LISTED_DAYS = 60
MONTHS = 5


class SetClock:
    """A clock that stands where it is set; seconds that pass are real."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def months(bench: Bench) -> list[Line]:
    """Lists at the end of each month, and what retention leaves."""
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
    began = datetime.now(UTC).replace(microsecond=0)
    clock = SetClock(began)
    path = setup.root / "state" / "ledger.db"
    with closing(sqlite3.connect(path)) as ledger:
        ledger.row_factory = sqlite3.Row
        model = {
            table: [dict(each) for each in ledger.execute(f"SELECT * FROM {table}")]
            for table in ("drops", "chunks", "lines")
        }
    told: list[Line] = []
    shown: list[float] = []
    for month in range(MONTHS):
        _days(path, model, files, month * 30, began)
        clock.at = began + timedelta(days=(month + 1) * 30 + 1)
        with closing(Site(setup.root, load(setup.root, flags=flags), clock=clock)) as site:
            took = thread_time()
            swept = site.retention.sweep()
            took = thread_time() - took
            # The first month's drops are not old enough yet.
            if month and not swept.drops:
                raise RunBrokeError("nothing was old enough to be removed")
            shown.append(_list(site))
        until = f"after {30 * (month + 1)} days, {files * 30 * (month + 1):,} files"
        told += [
            plain(case, f"{until}: the list of 50", shown[-1] * 1000, " ms"),
            plain(case, f"{until}: the ledger", path.stat().st_size / MB, " MB"),
            plain(case, f"{until}: removing what is old", took, " s"),
        ]
    return [
        *told,
        at_most(case, "the list, against the first month", shown[-1] / shown[0], 1.5, "x"),
    ]


def _list(site: Any) -> float:
    """Processor seconds of the list that page and command show, the median of ten."""
    from pipeline.core.ports import Search

    took = []
    for _ in range(10):
        began = thread_time()
        found = site.ledger.search(Search(limit=50))
        took.append(thread_time() - began)
        if len(found) != 50:
            raise RunBrokeError(f"the list has {len(found)} drops")
    return median(took)


def _days(
    path: Path,
    model: Mapping[str, Sequence[Mapping[str, Any]]],
    files: int,
    first: int,
    began: datetime,
) -> None:
    """Copy the drop that was done, so often a day, for a month; each copy has its own orders."""
    (drop,) = model["drops"]
    with closing(sqlite3.connect(path)) as ledger:
        (last,) = ledger.execute("SELECT max(seq) FROM drops").fetchone()
        for day in range(first, first + 30):
            at = (began + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            seqs = range(last + 1, last + 1 + files)
            last += files
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
            _copy(
                ledger, "chunks", ({**c, "drop_seq": seq} for seq in seqs for c in model["chunks"])
            )
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
