"""Pages over a ledger of 20,000 drops, and the rows of a file with 5,000 faulty ones."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import httpx
import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.bench import Bench
from benchmarks.lookers import free_port
from benchmarks.measure import RunBrokeError, run
from benchmarks.product import Setup
from benchmarks.table import Line, at_most, plain
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running

DROPS, FAULTY, TARGET = 20_000, 5_000, 0.3
_PLACES = {
    "to do": "/",
    "files": "/drops",
    "files, last page": "/drops?page=600",
    "files, by name": "/drops?sort=file",
    "files, to do": "/drops?state=to_do",
    "files, one day": "/drops?when=yesterday",
    "files, part of a name": "/drops?q=small+7",
    "files, an order id": "/drops?q=17788100000000000019",
    "a day": "/days/{yesterday}",
    "reports, 90 days": "/reports?days=90",
    "reports as JSON, 90 days": "/api/v1/reports?days=90",
    "strip": "/strip",
    "measures": "/metrics",
}

_COPIES = """
WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < :many)
INSERT INTO drops ({columns})
SELECT {values} FROM copy JOIN drops AS d ON d.source_file = CASE
  WHEN n % 40 = 7 THEN 'refused.csv' WHEN n % 40 = 9 THEN 'faults.csv' ELSE 'small.csv' END
"""
_LINES = """
INSERT INTO lines (order_id, drop_seq, idx, row, sheet, status, chunk, pos)
SELECT l.order_id || '-' || d.seq, d.seq, l.idx, l.row, l.sheet, l.status, l.chunk, l.pos
FROM drops AS d JOIN lines AS l ON l.drop_seq = :small WHERE d.seq > :last
"""


def pages(bench: Bench) -> list[Line]:
    """Each page of the list and the fix page, once cold and then several times."""
    case, many, faulty = "pages", bench.size(DROPS), bench.size(FAULTY)
    with running(SandboxConfig()) as server:
        setup = bench.fresh(case, server.url)
        _some_files(setup, faulty, server.token)
    _multiply(setup.root, many)
    with page_of(setup) as (client, page):
        found = client.get("/drops?q=large").text
        large = re.findall(r'href="/drops/(d2\w+)"', found)
        if not large:
            raise RunBrokeError(f"The large file is not in the list: {found[:500]}")
        yesterday = _yesterday()
        lines = []
        for name, path in {**_PLACES, "rows to correct": f"/drops/{large[-1]}/fix"}.items():
            first, rest, cpu = asked(client, page, path.format(yesterday=yesterday))
            lines.append(plain(case, f"{name}, the first time", first, " s"))
            lines.append(plain(case, f"{name}, processor time", cpu, " s"))
            lines.append(at_most(case, f"{name} (issue 18)", rest, TARGET, " s"))
    return [plain(case, "drops in the ledger", many), *lines]


def _yesterday() -> str:
    return subprocess.run(
        ["date", "-d", "yesterday", "+%F"],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def asked(client: httpx.Client, page: psutil.Process, path: str) -> tuple[float, float, float]:
    """The first answer's seconds, the median of the next, and the page's processor time of each."""
    seconds = []
    before = 0.0
    for turn in range(8):
        if turn == 1:
            before = sum(page.cpu_times()[:2])
        began = perf_counter()
        answer = client.get(path)
        seconds.append(perf_counter() - began)
        if answer.status_code != 200:
            raise RunBrokeError(f"{path}: {answer.status_code} {answer.text[:300]}")
    cpu = (sum(page.cpu_times()[:2]) - before) / (len(seconds) - 1)
    return seconds[0], median(seconds[1:]), cpu


def _some_files(setup: Setup, faulty: int, token: str) -> None:
    """One file of each kind, by the service itself."""
    head = "Order ID,Status,AWB\n"
    good = [f"177881000000000{n:05},Delivered,99{n:08}\n" for n in range(20)]
    bad = [f"177882000000000{n:05},Nonesuch {n % 7},98{n:08}\n" for n in range(faulty)]
    sound = [f"177883000000000{n:05},Delivered,97{n:08}\n" for n in range(faulty + 1_000)]
    (setup.inbox / "small.csv").write_text(head + "".join(good))
    (setup.inbox / "faults.csv").write_text(head + "".join(good[:9]) + "1,Nonesuch,1\n")
    (setup.inbox / "refused.csv").write_text("a,b\n1,2\n")
    (setup.inbox / "large.csv").write_text(head + "".join(bad) + "".join(sound))
    env = {**setup.env, "SHIPDROP_API__TOKEN": token}
    run(setup.command(once=True), env=env, allow=(0, 3, 4))


def _multiply(root: Path, many: int) -> None:
    """Copy the small drops over the last 90 days, each with lines of its own."""
    with sqlite3.connect(root / "state" / "ledger.db") as ledger:
        names = [row[1] for row in ledger.execute("PRAGMA table_info(drops)")]
        instead: Mapping[str, str] = {
            "drop_id": "'d20260101t0000' || printf('%06d', n)",
            "source_file": "replace(d.source_file, '.csv', '') || ' ' || n || '.csv'",
            "sha256": "'copy' || n",
            "received_at": "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-' || "
            "((:many - n) * 129600 / :many) || ' minutes')",
            "closing": "n + 10",
        }
        columns = [name for name in names if name != "seq"]
        query = _COPIES.format(
            columns=", ".join(f'"{name}"' for name in columns),
            values=", ".join(instead.get(name, f'd."{name}"') for name in columns),
        )
        seqs = dict(ledger.execute("SELECT source_file, seq FROM drops").fetchall())
        ledger.execute(query, {"many": many})
        ledger.execute(_LINES, {"small": seqs["small.csv"], "last": max(seqs.values())})


@contextmanager
def page_of(setup: Setup) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    port = free_port()
    env = {**os.environ, **setup.env, "SHIPDROP_WEB__PORT": str(port)}
    command = [sys.executable, "-m", "pipeline", "serve", "--root", str(setup.root)]
    with (
        subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):
        try:
            wait_for(client, "/healthz")
            yield client, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(client: httpx.Client, path: str) -> None:
    """Wait until an address answers with 200. Raises RunBrokeError."""
    for _ in range(600):
        try:
            if client.get(path).status_code == 200:
                return
        except httpx.TransportError:
            pass
        sleep(0.1)
    raise RunBrokeError(f"The page does not answer at {path}.")
