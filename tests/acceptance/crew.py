"""Workers of one root as real processes, on a private PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.harness import PATIENCE, Root, Running, rooted, until
from tests.forked import code_forked

STALE = 4.0
"""Seconds after which a silent worker is given up here; 12 by default."""


BEGIN = """
import runpy, sys
sys.argv[0] = "pipeline"
runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
"""


class Crew:
    """A root, and the workers on it."""

    def __init__(self, root: Root, ledger_url: str) -> None:
        self.root = root
        self._url = ledger_url

    def senders(self) -> set[str]:
        """The workers that hold a segment right now."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT owner FROM posts WHERE key LIKE 'send:%'")
            return {row[0] for row in found}

    def names(self) -> set[str]:
        """The workers there are."""
        with psycopg.connect(self._url) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM workers")}

    def states(self) -> list[str]:
        """The states of all drops, oldest first."""
        with psycopg.connect(self._url) as connection:
            return [row[0] for row in connection.execute("SELECT state FROM drops ORDER BY seq")]

    def start(self, count: int = 1, root: Root | None = None) -> list[Running]:
        """Start workers; returns when each has joined."""
        made = [(root or self.root).start("worker", "--log-format", "json") for _ in range(count)]
        for each in made:
            until(lambda each=each: _joined(each), what="a worker that joined")
        return made

    def start_after(self, code: str) -> Running:
        """Start a worker that runs some code before it begins; returns when it has joined."""
        out, err = self.root.path / ".out-after", self.root.path / ".err-after"
        words = ["worker", "--log-format", "json"]
        env = self.root.environment()
        with out.open("wb") as stdout, err.open("wb") as stderr:
            files = {"out": stdout.fileno(), "err": stderr.fileno()}
            process = code_forked(code + BEGIN, words, env=env, cwd=self.root.path, **files)
        made = Running(process, out, err)
        self.root.started.append(made)
        until(lambda: _joined(made), what="a worker that joined")
        return made

    def kill(self, worker: Running) -> None:
        """Kill a worker, and let it have been silent for long: others take over at once."""
        worker.kill()
        with psycopg.connect(self._url) as connection:
            connection.execute("UPDATE workers SET beat = 0 WHERE id = %s", [name_of(worker)])

    def cut(self) -> int:
        """Let the database end every connection to it but this one; return how many."""
        with psycopg.connect(self._url) as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(ended.fetchone()[0])

    def status(self) -> dict[str, Any]:
        return self.root.run("cluster", "status", "--json").json

    def closed(
        self, count: int, *, root: Root | None = None, seconds: float = 2 * PATIENCE
    ) -> None:
        """Wait until so many drops are through."""
        place = root or self.root
        until(
            lambda: len(list(place.outbox.rglob("*.summary.json"))) >= count,
            what="summaries",
            seconds=seconds,
        )
        until(
            lambda: all(each.summary["state"] != "open" for each in place.delivered()),
            what="all drops closed",
            seconds=seconds,
        )


def name_of(worker: Running) -> str:
    """The name a worker joined under, as its log tells."""
    for line in worker.err_path.read_text("utf-8").splitlines():
        if '"worker.joined"' in line:
            return line.split('"worker": "')[1].split('"')[0]
    raise AssertionError("it has not joined")


def _joined(worker: Running) -> bool:
    text = worker.err_path.read_text("utf-8")
    assert worker.process.poll() is None, text
    return '"worker.joined"' in text


@contextmanager
def crew_on(path: Path, api_url: str, token: str, ledger_url: str) -> Iterator[Crew]:
    """A fresh root whose ledger is in PostgreSQL; its workers are killed in the end."""
    path.mkdir(exist_ok=True)
    with rooted(path, api_url, token) as root:
        root.configure(
            ledger__url=ledger_url, cluster__stale_seconds=STALE, inbox__scan_seconds=0.5
        )
        yield Crew(root, ledger_url)
