"""Do once, in the process that forks, what each command would do first.

SQLAlchemy compiles a statement when it is first executed, pandas and pandera look themselves up at
the first frame, Pydantic at the first settings: a third of what a command costs that handles one
small file. None of it hangs on a root. It is done here by the steps of a drop, on a root that goes
again, without threads and sockets.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.errors import Tried
from pipeline.core.model import Facts, ReadingSettings
from pipeline.core.shipment import DeliveryResult
from pipeline.reading.csv import reader
from pipeline.reading.process.protocol import Job
from pipeline.reading.read_file import prepare_together
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.storage.ledger import sqlite
from schemas.profile import builtin_profiles
from tests.compiled import share_compiled
from tests.fakes.killed_between import accept_all
from tests.scratch import scratch

_WHEN = "27-11-2026 18:00"
_FILES = {
    "a.csv": "Order ID,Status\nA1,Delivered\n",
    "b.csv": "Order ID,Status\nA1,Delivered\n",
    "c.csv": "Order ID,AWB No,Status,Event Time\n"
    f"A1,X11,Delivered,{_WHEN}\nA2,X12,In Transit,{_WHEN}\nA3,X13,Gone,{_WHEN}\n",
}


class _ReadsHere:
    """Reads in this thread; stands in for the processes that read."""

    def __init__(self, reading: ReadingSettings) -> None:
        self._reading = reading

    def read_together(
        self, jobs: Sequence[Job], courier: Callable[[str], str | None]
    ) -> list[Tried[Facts]]:
        blocks = reader.CsvBlocks
        vars(reader)["CsvBlocks"] = partial(blocks, fast=False)  # Arrow's parser starts threads
        try:
            return prepare_together(jobs, self._reading, _NoEarlierDrops())
        finally:
            vars(reader)["CsvBlocks"] = blocks

    def close(self) -> None:
        pass


class _NoEarlierDrops:
    def courier(self, drop_id: str) -> None:
        return None

    def rejected_ids(self, drop_id: str) -> dict[Any, Any]:
        return {}

    rejected = rejected_ids


def warmed() -> None:
    """Take files through all steps but the calls."""
    share_compiled(sqlite.SqliteDialect)
    with TemporaryDirectory(dir=scratch()) as folder:
        root = Path(folder)
        (root / "shipdrop.toml").write_text("[inbox]\nsettle_seconds = 0\n", encoding="utf-8")
        site = Site(root, load(root))
        site.folders.prepare()
        vars(site)["readers"] = _ReadsHere(
            ReadingSettings(
                profiles=builtin_profiles(),
                default=site.settings.manifest.courier,
                limits=site.limits,
                timezone=site.settings.manifest.timezone,
            )
        )
        with site.ledger.alone():
            for names in (["a.csv"], ["b.csv", "c.csv"]):  # several drops have other statements
                for name in names:
                    (site.inbox_path / name).write_text(_FILES[name], encoding="utf-8")
                _through(site)
        site.retention.sweep()
        site.close()


def _through(site: Site) -> None:
    site.claimer.claim(site.inbox.scan().ready)
    drops = site.ledger.unfinished()
    site.planner.plan_read(drops, site.files.read(drops))
    for drop in drops:
        chunks = site.ledger.chunks(drop.seq)
        for chunk in chunks:
            site.ledger.exchange([], [chunk], at="")
        site.ledger.exchange([], chunks, at="")
    accept_all(site)
    ended = [
        (drop, DeliveryResult(drop_seq=drop.seq, complete=True, cancelled=False))
        for drop in site.ledger.unfinished()
    ]
    site.drop_steps.finish(ended)
    assert not site.ledger.unfinished()
